//! OCSP (RFC 6960): what is asked about a certificate, and whether an answer may be sent along with it. Pure: bytes
//! and the time in, bytes out; who fetches is the control side.

use crate::verify::parse;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::CertificateDer;
use std::net::Ipv6Addr;
use std::time::{Duration, SystemTime};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::X509Certificate;

/// `id-ad-ocsp` (RFC 5280 4.2.2.1).
const ID_AD_OCSP: &str = "1.3.6.1.5.5.7.48.1";
/// `id-pkix-ocsp-basic` (RFC 6960 4.2.1), as its DER has it.
const ID_BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
/// SHA-1, as everybody who answers knows it (RFC 5019 2.1.1): it names the certificate and proves nothing.
const SHA1: &[u8] = &[0x30, 9, 6, 5, 0x2b, 14, 3, 2, 26, 5, 0];
/// Five minutes that clocks may differ by.
const SKEW: Duration = Duration::from_secs(300);

/// What is asked about a certificate, and of whom.
#[derive(Debug)]
pub struct Question {
    /// The responder, `http://…`.
    pub url: String,
    /// The request in DER.
    pub request: Vec<u8>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Vec<u8>,
    /// What it is about.
    pub(crate) own: CertificateDer<'static>,
    issuer: CertificateDer<'static>,
}

/// An answer that may be sent along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staple {
    /// It, in DER.
    pub answer: Vec<u8>,
    /// From when on it holds.
    pub begins: SystemTime,
    /// Until when; `None` where it does not say.
    pub ends: Option<SystemTime>,
}

impl Question {
    /// About the first certificate of a chain; `others` may hold who vouched for it, and `url` goes before what
    /// the certificate says.
    ///
    /// # Errors
    /// What is missing, for people.
    pub fn about(
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'static>],
        url: Option<&str>,
    ) -> Result<Self, String> {
        let (_, cert) = parse(own).map_err(|err| err.to_string())?;
        let by_name = || others.iter().filter(|other| may_have_issued(other, own));
        let missing = || "the certificate of who vouched for it is not there; put it behind it in the file";
        // An authority with a new key has an old name: who has signed goes first.
        let has_signed = |other: &&CertificateDer<'static>| {
            signed_parts(own).is_some_and(|signed| is_signed(other, signed))
        };
        let issuer = by_name().find(has_signed).or_else(|| by_name().next()).ok_or_else(missing)?;
        let url = url.map(str::to_owned).or_else(|| responder(&cert));
        let url = url.ok_or_else(|| "the certificate names no responder".to_owned())?;
        Address::of(&url)?;
        let (_, by) = parse(issuer).map_err(|err| err.to_string())?;
        let name_hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, by.subject().as_raw()).as_ref().to_vec();
        let key_hash =
            digest(&SHA1_FOR_LEGACY_USE_ONLY, &by.public_key().subject_public_key.data).as_ref().to_vec();
        let serial = cert.raw_serial().to_vec();
        let id = [SHA1, &tlv(4, &name_hash), &tlv(4, &key_hash), &tlv(2, &serial)].concat();
        // OCSPRequest, TBSRequest, the list, Request, CertID.
        let request = (0..5).fold(id, |inner, _| tlv(0x30, &inner));
        let own = own.clone().into_owned();
        Ok(Self { url, request, name_hash, key_hash, serial, own, issuer: issuer.clone() })
    }

    /// Whether an answer says that the certificate is good, and may be believed.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn judge(&self, answer: &[u8], now: SystemTime) -> Result<Staple, String> {
        let basic = basic(answer)?;
        self.check_signature(&basic, now)?;
        let broken = || "the answer is no good DER".to_owned();
        let mut data = Der(basic.data);
        data.of(0xa0);
        // Who answered: by name or by key. The signature says it as well.
        data.any().and_then(|_| data.of(0x18)).ok_or_else(broken)?;
        let mut list = Der(data.of(0x30).ok_or_else(broken)?);
        while let Some(single) = list.of(0x30) {
            let mut single = Der(single);
            let id = single.of(0x30).ok_or_else(broken)?;
            if !self.is_ours(id) {
                continue;
            }
            let (status, _, _) = single.any().ok_or_else(broken)?;
            match status {
                0x80 => {}
                0xa1 => return Err("the certificate was revoked".to_owned()),
                _ => return Err("the responder does not know the certificate".to_owned()),
            }
            let begins = single.of(0x18).and_then(time).ok_or_else(broken)?;
            let ends = match single.of(0xa0) {
                Some(next) => Some(Der(next).of(0x18).and_then(time).ok_or_else(broken)?),
                None => None,
            };
            if begins > now + SKEW {
                return Err("the answer is of the future".to_owned());
            }
            if ends.is_some_and(|ends| ends <= now) {
                return Err("the answer is out of date".to_owned());
            }
            return Ok(Staple { answer: answer.to_vec(), begins, ends });
        }
        Err("the answer is about another certificate".to_owned())
    }

    fn is_ours(&self, id: &[u8]) -> bool {
        let mut id = Der(id);
        id.of(0x30).is_some()
            && id.of(4) == Some(&self.name_hash)
            && id.of(4) == Some(&self.key_hash)
            && id.of(2) == Some(&self.serial)
    }

    /// Signed by who vouched for the certificate, or by whom that one lets answer (RFC 6960 4.2.2.2).
    fn check_signature(&self, basic: &Basic<'_>, now: SystemTime) -> Result<(), String> {
        let signed = (basic.whole_data, basic.algorithm, basic.signature);
        if is_signed(&self.issuer, signed) {
            return Ok(());
        }
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let may_answer = |der: &[u8]| {
            let Ok((_, cert)) = parse(der) else { return false };
            let validity = cert.validity();
            let is_for_it =
                cert.extended_key_usage().ok().flatten().is_some_and(|usage| usage.value.ocsp_signing);
            let is_in_time =
                (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&seconds);
            is_for_it
                && is_in_time
                && signed_parts(der).is_some_and(|parts| is_signed(&self.issuer, parts))
                && is_signed(der, signed)
        };
        let mut certs = Der(basic.certs);
        // Bounded by the answer's length, and mostly there is one.
        while let Some((_, _, cert)) = certs.any() {
            if may_answer(cert) {
                return Ok(());
            }
        }
        Err("nobody has signed the answer who may".to_owned())
    }
}

/// A responder's URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// Host, with the port where it is written.
    pub host: &'a str,
    /// Where to connect, with a port.
    pub addr: String,
    /// The path with the query.
    pub path: &'a str,
}

impl<'a> Address<'a> {
    /// The parts of `http://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn of(url: &'a str) -> Result<Self, String> {
        let shown = url.escape_debug();
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            format!(
                "responders are asked over http://, not at \"{shown}\"; they sign what they say and need no TLS"
            )
        })?;
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(at);
        let path = path.split_once('#').map_or(path, |(path, _)| path);
        let wrong = |why: &str| Err(format!("\"{shown}\" is no URL of a responder: {why}"));
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("only visible ASCII may stand in it");
        }
        if host.contains('@') {
            return wrong("nobody logs in there");
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
            _ => (host, None),
        };
        let is_bracketed =
            name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::parse::<Ipv6Addr>);
        match is_bracketed {
            Some(Ok(_)) => {}
            None if !name.is_empty() && !name.contains([':', '[', ']']) => {}
            _ => return wrong("its host must be a name, an address, or an IPv6 address in brackets"),
        }
        // `parse` takes a sign.
        let is_port = |port: &str| port.starts_with(|c: char| c.is_ascii_digit()) && port.parse() != Ok(0);
        match port {
            Some(port) if !is_port(port) || port.parse::<u16>().is_err() => {
                wrong("its port must be from 1 to 65535")
            }
            Some(_) => Ok(Self { host, addr: host.to_owned(), path: or_root(path) }),
            None => Ok(Self { host, addr: format!("{host}:80"), path: or_root(path) }),
        }
    }
}

fn or_root(path: &str) -> &str {
    if path.starts_with('/') { path } else { "/" }
}

/// Whether one certificate has the name that the other says vouched for it.
pub(crate) fn may_have_issued(by: &[u8], own: &[u8]) -> bool {
    let (Ok((_, by)), Ok((_, own))) = (parse(by), parse(own)) else { return false };
    by.subject().as_raw() == own.issuer().as_raw()
}

/// Who answers for a certificate, by what it says itself.
fn responder(cert: &X509Certificate<'_>) -> Option<String> {
    cert.extensions().iter().find_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else { return None };
        access.accessdescs.iter().find_map(|access| match &access.access_location {
            GeneralName::URI(uri) if access.access_method.to_id_string() == ID_AD_OCSP => {
                Some((*uri).to_owned())
            }
            _ => None,
        })
    })
}

/// What of a certificate is signed, the algorithm as DER has it, the signature.
fn signed_parts(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut parts = Der(Der(der).of(0x30)?);
    let (_, _, body) = parts.any()?;
    Some((body, parts.of(0x30)?, parts.of(3).and_then(bits)?))
}

/// Whether the key of `by` has signed a text: it, the algorithm as DER has it, the signature.
fn is_signed(by: &[u8], (text, algorithm, signature): (&[u8], &[u8], &[u8])) -> bool {
    let Ok((_, cert)) = parse(by) else { return false };
    let mut key = Der(cert.public_key().raw);
    let mut key = Der(key.of(0x30).unwrap_or_default());
    let (Some(kind), Some(key)) = (key.of(0x30), key.of(3).and_then(bits)) else { return false };
    let known = provider::default_provider().signature_verification_algorithms.all;
    known
        .iter()
        .filter(|known| {
            known.public_key_alg_id().as_ref() == kind && known.signature_alg_id().as_ref() == algorithm
        })
        .any(|known| known.verify_signature(key, text, signature).is_ok())
}

/// The parts of an answer.
struct Basic<'a> {
    whole_data: &'a [u8],
    data: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    certs: &'a [u8],
}

fn basic(answer: &[u8]) -> Result<Basic<'_>, String> {
    let broken = || "the answer is no OCSP answer in DER".to_owned();
    let mut outer = Der(answer);
    let mut response = Der(outer.of(0x30).ok_or_else(broken)?);
    match response.of(0x0a).ok_or_else(broken)? {
        [0] => {}
        [status] => return Err(format!("the responder says {}", refusal(*status))),
        _ => return Err(broken()),
    }
    let parts = response.of(0xa0).and_then(|bytes| Der(bytes).of(0x30)).ok_or_else(broken)?;
    let mut parts = Der(parts);
    if parts.of(6) != Some(ID_BASIC) {
        return Err("the answer is of a kind that nobody knows".to_owned());
    }
    let inner = parts.of(4).and_then(|bytes| Der(bytes).of(0x30)).ok_or_else(broken)?;
    let mut inner = Der(inner);
    let (tag, data, whole_data) = inner.any().ok_or_else(broken)?;
    let algorithm = inner.of(0x30).ok_or_else(broken)?;
    let signature = inner.of(3).and_then(bits).ok_or_else(broken)?;
    let certs = inner.of(0xa0).and_then(|bytes| Der(bytes).of(0x30)).unwrap_or_default();
    match tag {
        0x30 => Ok(Basic { whole_data, data, algorithm, signature, certs }),
        _ => Err(broken()),
    }
}

/// RFC 6960 4.2.1.
fn refusal(status: u8) -> &'static str {
    match status {
        1 => "that the request is malformed",
        2 => "that it has an internal error",
        3 => "to try again later",
        5 => "that the request must be signed",
        6 => "that it does not answer us",
        _ => "no",
    }
}

/// Elements of DER, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag, content, and both together.
    fn any(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let all = self.0;
        let (&tag, rest) = all.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (len, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |len, &digit| len << 8 | usize::from(digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, content, all.get(..all.len() - rest.len())?))
    }

    /// The content of the next one if it has that tag; else nothing is taken.
    fn of(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        self.any().map(|(_, content, _)| content)
    }
}

/// A bit string of whole bytes.
fn bits(content: &[u8]) -> Option<&[u8]> {
    content.strip_prefix(&[0])
}

/// An element of DER of less than 64 KiB.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        len @ 0..=0x7f => out.push(len as u8),
        len @ 0x80..=0xff => out.extend([0x81, len as u8]),
        len => out.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend_from_slice(content);
    out
}

/// `20261124120000Z` (RFC 5280 4.1.2.5.2).
fn time(text: &[u8]) -> Option<SystemTime> {
    let digits = text.strip_suffix(b"Z").filter(|digits| digits.len() == 14)?;
    let number = |from: usize, len: usize| -> Option<i64> {
        std::str::from_utf8(digits.get(from..from + len)?).ok()?.parse().ok().filter(|number| *number >= 0)
    };
    let (year, month, day) = (number(0, 4)?, number(4, 2)?, number(6, 2)?);
    let (hour, minute, second) = (number(8, 2)?, number(10, 2)?, number(12, 2)?);
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 in a year that begins in March, so that a leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests;
