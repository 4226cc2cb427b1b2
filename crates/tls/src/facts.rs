//! What a connection's requests may ask about its TLS.

use crate::client_auth::Worth;
use crate::hello::Hello;
use crate::server::TlsPlan;
use crate::suites;
use bifrons_http::tls_facts::{ClientCert, TlsFacts};
use bifrons_net::tls::Agreed;
use rustls::pki_types::UnixTime;
use std::fmt::Write;
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};
use x509_parser::time::ASN1Time;

/// From what was said and agreed upon, by what holds for the name.
pub fn of(agreed: &Agreed, hello: Hello, plan: &TlsPlan) -> TlsFacts {
    let worth = match &plan.client {
        Some(client) => client.judge(&agreed.peer, UnixTime::now()),
        None => Worth::None,
    };
    let name = hello.server_name;
    TlsFacts {
        protocol: agreed.version.map_or("", suites::version_name),
        cipher: agreed.suite.map_or("", suites::openssl_name),
        curve: agreed.group.map(suites::group_name).unwrap_or_default().into(),
        server_name: name.as_deref().map(Into::into),
        alpn: agreed.alpn.as_deref().map(Into::into),
        is_resumed: agreed.is_resumed,
        suites: hello.suites.into(),
        groups: hello.groups.into(),
        suite_name: |id| match suites::openssl_name(id.into()) {
            "" => None,
            name => Some(name),
        },
        group_name: |id| suites::group_name(id.into()),
        verify: match &worth {
            Worth::None => "NONE".into(),
            Worth::Good => "SUCCESS".into(),
            Worth::Bad(why) => format!("FAILED:{why}").into(),
        },
        client: agreed.peer.first().and_then(|der| client_cert(der)).map(|mut cert| {
            cert.chain = agreed.peer.iter().map(|der| der.to_vec().into()).collect();
            cert.shown_uris = plan.resolver.uris(name.as_deref());
            Box::new(cert)
        }),
    }
}

fn client_cert(der: &[u8]) -> Option<ClientCert> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, der);
    let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let serial: String = cert.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect();
    // A zero in front only keeps the number positive (DER), and is not part of it.
    let serial = match serial.strip_prefix("00") {
        Some(rest) if !rest.is_empty() => rest.to_owned(),
        _ => serial,
    };
    let names = cert.subject_alternative_name().ok().flatten();
    let names = names.iter().flat_map(|extension| &extension.value.general_names);
    let (mut uris, mut dns) = (Vec::new(), Vec::new());
    for name in names {
        match name {
            x509_parser::extensions::GeneralName::URI(uri) => uris.push((*uri).into()),
            x509_parser::extensions::GeneralName::DNSName(name) => dns.push((*name).into()),
            _ => {}
        }
    }
    Some(ClientCert {
        chain: Vec::new(),
        fingerprint: hex(digest.as_ref()).into(),
        sha256: hex(sha256.as_ref()).into(),
        subject: rfc2253(cert.subject()).into(),
        issuer: rfc2253(cert.issuer()).into(),
        subject_legacy: legacy(cert.subject()).into(),
        issuer_legacy: legacy(cert.issuer()).into(),
        serial: serial.into(),
        begins: printed(&cert.validity().not_before).into(),
        ends: printed(&cert.validity().not_after).into(),
        not_after: cert.validity().not_after.timestamp(),
        uris,
        dns,
        shown_uris: Vec::new(),
    })
}

/// `Nov  4 09:30:00 2026 GMT`.
fn printed(at: &ASN1Time) -> String {
    let at = at.to_datetime();
    let month = at.month().to_string();
    let month = month.get(..3).unwrap_or_default();
    let (day, hour, minute, second, year) = (at.day(), at.hour(), at.minute(), at.second(), at.year());
    format!("{month} {day:2} {hour:02}:{minute:02}:{second:02} {year} GMT")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The parts of a name: its short word or number, and the value.
fn parts(name: &X509Name<'_>) -> Vec<Vec<(String, String)>> {
    let part = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        let oid = attribute.attr_type().to_id_string();
        let word = SHORT.iter().find(|(id, _)| *id == oid).map_or(oid.as_str(), |(_, word)| word);
        let value = attribute.as_str().map_or_else(
            |_| attribute.as_slice().iter().fold("#".to_owned(), |text, byte| format!("{text}{byte:02X}")),
            str::to_owned,
        );
        (word.to_owned(), value)
    };
    name.iter_rdn().map(|rdn| rdn.iter().map(part).collect()).collect()
}

/// OpenSSL's short names of the usual parts.
const SHORT: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.42", "GN"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// `CN=a,O=b,C=c`: the last part first, special bytes escaped (RFC 2253).
fn rfc2253(name: &X509Name<'_>) -> String {
    let one = |(word, value): &(String, String)| format!("{word}={}", escaped(value));
    let rdns: Vec<String> =
        parts(name).iter().rev().map(|rdn| rdn.iter().map(one).collect::<Vec<_>>().join("+")).collect();
    rdns.join(",")
}

fn escaped(value: &str) -> String {
    let mut out = String::new();
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let is_special = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || at == 0 && matches!(c, ' ' | '#')
            || at == last && c == ' ';
        if c.is_ascii() && !c.is_ascii_control() {
            if is_special {
                out.push('\\');
            }
            out.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(out, "\\{byte:02X}");
            }
        }
    }
    out
}

/// `/C=c/O=b/CN=a`: as OpenSSL's oldest function writes it.
fn legacy(name: &X509Name<'_>) -> String {
    let mut out = String::new();
    for (word, value) in parts(name).iter().flatten() {
        let _ = write!(out, "/{word}=");
        for byte in value.bytes() {
            match byte {
                0x20..=0x7e => out.push(char::from(byte)),
                _ => {
                    let _ = write!(out, "\\x{byte:02X}");
                }
            }
        }
    }
    out
}
