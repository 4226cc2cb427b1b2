//! `X-Forwarded-Client-Cert`: what the next hop is told about the certificates of clients, in Envoy's five modes
//! and in its format (its manual, "HTTP header manipulation", x-forwarded-client-cert).
//!
//! An element is `By=…;Hash=…;Subject="…"`, elements are separated by commas. A certificate that is not good
//! counts as none here, which is stricter than Envoy where clients are not verified.

use bifrons_http::Headers;
use bifrons_http::name::{Key, is_client_cert};
use bifrons_http::tls_facts::{ClientCert, TlsFacts, pem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The field, as it is written.
const NAME: &str = "X-Forwarded-Client-Cert";

/// What becomes of `X-Forwarded-Client-Cert`, by which endpoints learn of the certificates of clients, as in
/// Envoy. Spellings of the field with `_` are dropped unless the mode is `always_forward_only`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardClientCert {
    /// What becomes of the field.
    pub mode: ForwardMode,
    /// What `append_forward` and `sanitize_set` say of a certificate; always in the order `by`, `hash`, `cert`,
    /// `chain`, `subject`, `uri`, `dns`. All but the certificates themselves where nothing is said.
    #[serde(skip_serializing_if = "is_usual")]
    pub details: Vec<CertDetail>,
}

/// What is said of a certificate where nothing else is wanted.
const USUAL: [CertDetail; 5] =
    [CertDetail::By, CertDetail::Hash, CertDetail::Subject, CertDetail::Uri, CertDetail::Dns];

fn is_usual(details: &[CertDetail]) -> bool {
    details == USUAL
}

impl Default for ForwardClientCert {
    fn default() -> Self {
        Self { mode: ForwardMode::Sanitize, details: USUAL.into() }
    }
}

/// What becomes of `X-Forwarded-Client-Cert`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardMode {
    /// None is passed on.
    #[default]
    Sanitize,
    /// A client with a good certificate may say what it likes; from others none is passed on.
    ForwardOnly,
    /// The same, and its own certificate is appended.
    AppendForward,
    /// A client's certificate, and nothing else.
    SanitizeSet,
    /// Whatever any client says is passed on. For listeners that none but trusted proxies reach.
    AlwaysForwardOnly,
}

/// A part of what is said of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertDetail {
    /// `By`: names of our own certificate that are URIs.
    By,
    /// `Hash`: SHA-256 of the certificate, in hexadecimal.
    Hash,
    /// `Cert`: it in PEM, URL-encoded.
    Cert,
    /// `Chain`: it and what the client sent along with it, likewise.
    Chain,
    /// `Subject`: whom it is for (RFC 2253).
    Subject,
    /// `URI`: its names that are URIs; empty where there are none.
    Uri,
    /// `DNS`: its names that are DNS names.
    Dns,
}

const ORDER: [CertDetail; 7] = [
    CertDetail::By,
    CertDetail::Hash,
    CertDetail::Cert,
    CertDetail::Chain,
    CertDetail::Subject,
    CertDetail::Uri,
    CertDetail::Dns,
];

impl ForwardClientCert {
    /// Whether a field that came is left out, `tls` being what is known of the client.
    pub fn drops(&self, tls: Option<&TlsFacts>, name: &[u8]) -> bool {
        // Most names are others.
        is_client_cert(name)
            && match self.mode {
                ForwardMode::AlwaysForwardOnly => false,
                ForwardMode::Sanitize | ForwardMode::SanitizeSet => true,
                ForwardMode::ForwardOnly | ForwardMode::AppendForward => {
                    good(tls).is_none() || name.contains(&b'_')
                }
            }
    }

    /// Says what there is to be said of the client's certificate.
    pub fn write(&self, tls: Option<&TlsFacts>, headers: &mut Headers) {
        if !matches!(self.mode, ForwardMode::AppendForward | ForwardMode::SanitizeSet) {
            return;
        }
        let Some(cert) = good(tls) else { return };
        let element = self.element(cert);
        let mut value = Vec::with_capacity(element.len());
        for old in headers.get_all(NAME) {
            value.extend_from_slice(old);
            value.push(b',');
        }
        value.extend_from_slice(element.as_bytes());
        headers.set(Key::from(NAME), &value);
    }

    fn element(&self, cert: &ClientCert) -> String {
        let mut parts = Vec::new();
        for detail in ORDER.iter().filter(|detail| self.details.contains(detail)) {
            let each = |key: &str, values: &[Box<str>]| -> Vec<String> {
                values.iter().map(|value| format!("{key}={}", quoted(value))).collect()
            };
            match detail {
                CertDetail::By => parts.extend(each("By", &cert.shown_uris)),
                CertDetail::Hash => parts.push(format!("Hash={}", cert.sha256)),
                CertDetail::Cert => parts.push(format!("Cert=\"{}\"", url_encoded(cert.chain.get(..1)))),
                CertDetail::Chain => parts.push(format!("Chain=\"{}\"", url_encoded(cert.chain.get(..)))),
                // Its own escaping (RFC 2253 2.4) has a backslash before every quote, which is what is wanted.
                CertDetail::Subject => parts.push(format!("Subject=\"{}\"", cert.subject)),
                CertDetail::Uri if cert.uris.is_empty() => parts.push("URI=".to_owned()),
                CertDetail::Uri => parts.extend(each("URI", &cert.uris)),
                CertDetail::Dns => parts.extend(each("DNS", &cert.dns)),
            }
        }
        parts.join(";")
    }
}

/// The client's certificate, if it is worth something.
fn good(tls: Option<&TlsFacts>) -> Option<&ClientCert> {
    let tls = tls.filter(|tls| &*tls.verify == "SUCCESS")?;
    tls.client.as_deref()
}

/// In quotes where it has what separates values. What no URI and no name has (RFC 3986 2) is escaped as in a URI,
/// so that nothing ends the quotes, or the field.
fn quoted(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            0x21..=0x7e if !matches!(byte, b'"' | b'\\') => out.push(char::from(byte)),
            _ => escape(byte, &mut out),
        }
    }
    match out.contains([',', ';', '=']) {
        true => format!("\"{out}\""),
        false => out,
    }
}

/// Certificates in PEM, with what a URL can't have escaped as Envoy does it.
fn url_encoded(certs: Option<&[Box<[u8]>]>) -> String {
    let mut out = String::new();
    for byte in certs.unwrap_or_default().iter().flat_map(|der| pem(der)) {
        match byte {
            b'\n' | b' ' | b'+' | b'/' | b'=' => escape(byte, &mut out),
            byte => out.push(char::from(byte)),
        }
    }
    out
}

fn escape(byte: u8, out: &mut String) {
    let _ = write!(out, "%{byte:02X}");
}

#[cfg(test)]
mod tests;
