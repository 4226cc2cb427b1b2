//! What is known about a connection's TLS, for variables and fields.

use crate::base64;
use std::io::Write;

/// What was said and agreed upon in the handshake.
#[derive(Clone, Debug)]
pub struct TlsFacts {
    /// `TLSv1.3`.
    pub protocol: &'static str,
    /// The cipher suite, in OpenSSL's spelling.
    pub cipher: &'static str,
    /// The group of the key exchange.
    pub curve: Box<str>,
    /// Whom the client named, in lower case.
    pub server_name: Option<Box<str>>,
    /// The protocol that was chosen.
    pub alpn: Option<Box<[u8]>>,
    /// Whether an earlier session was taken up again.
    pub is_resumed: bool,
    /// Cipher suites that the client knows.
    pub suites: Box<[u16]>,
    /// Groups that the client knows.
    pub groups: Box<[u16]>,
    /// The name of a suite, where it has one.
    pub suite_name: fn(u16) -> Option<&'static str>,
    /// The name of a group.
    pub group_name: fn(u16) -> String,
    /// `SUCCESS`, `FAILED:reason` or `NONE`.
    pub verify: Box<str>,
    /// The client's certificate.
    pub client: Option<Box<ClientCert>>,
}

/// A client's certificate.
#[derive(Clone, Debug)]
pub struct ClientCert {
    /// It in DER, and behind it what the client sent along.
    pub chain: Vec<Box<[u8]>>,
    /// SHA-1 in hexadecimal.
    pub fingerprint: Box<str>,
    /// SHA-256 in hexadecimal.
    pub sha256: Box<str>,
    /// Whom it is for (RFC 2253).
    pub subject: Box<str>,
    /// Who vouches for it (RFC 2253).
    pub issuer: Box<str>,
    /// The same as OpenSSL's oldest function has it.
    pub subject_legacy: Box<str>,
    /// Likewise.
    pub issuer_legacy: Box<str>,
    /// Its number in hexadecimal.
    pub serial: Box<str>,
    /// From when on it is good, as OpenSSL prints it.
    pub begins: Box<str>,
    /// Until when.
    pub ends: Box<str>,
    /// The same in seconds of Unix time.
    pub not_after: i64,
    /// Names that are URIs.
    pub uris: Vec<Box<str>>,
    /// Names that are DNS names.
    pub dns: Vec<Box<str>>,
    /// Names that are URIs of the certificate that the client was shown.
    pub shown_uris: Vec<Box<str>>,
}

impl TlsFacts {
    /// The client's suites, separated by colons.
    pub fn suites_text(&self, out: &mut Vec<u8>) {
        for (at, &id) in self.suites.iter().enumerate() {
            if at > 0 {
                out.push(b':');
            }
            match (self.suite_name)(id) {
                Some(name) => out.extend_from_slice(name.as_bytes()),
                None => {
                    let _ = write!(out, "0x{id:04x}");
                }
            }
        }
    }

    /// The client's groups, separated by colons.
    pub fn groups_text(&self, out: &mut Vec<u8>) {
        for (at, &id) in self.groups.iter().enumerate() {
            if at > 0 {
                out.push(b':');
            }
            out.extend_from_slice((self.group_name)(id).as_bytes());
        }
    }
}

impl ClientCert {
    /// In PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.chain.first().map(|der| pem(der)).unwrap_or_default()
    }

    /// Whole days until it ends, none once it has.
    pub fn days_left(&self, now: i64) -> i64 {
        ((self.not_after - now) / 86_400).max(0)
    }
}

/// A certificate in PEM.
pub fn pem(der: &[u8]) -> Vec<u8> {
    let mut out = b"-----BEGIN CERTIFICATE-----\n".to_vec();
    let text = base64::encode(der);
    for line in text.as_bytes().chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(b"-----END CERTIFICATE-----\n");
    out
}
