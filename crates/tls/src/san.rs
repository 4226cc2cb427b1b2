//! Names that a certificate must have one of: `dns:app.example`, `uri:spiffe://cluster/ns/app`, `email:…`.

use crate::server::Wrong;
use crate::verify;
use bifrons_config::At;
use bifrons_config::problem::HELP_MARK;
use rustls::{CertificateError, Error};
use x509_parser::extensions::GeneralName;

/// One such name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameRule {
    kind: NameKind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameKind {
    Dns,
    Uri,
    Email,
}

impl NameRule {
    /// Reads a list of them.
    ///
    /// # Errors
    /// The one that is none.
    pub(crate) fn parse_all(names: &[At<String>]) -> Result<Vec<Self>, Wrong> {
        names.iter().map(|name| Self::parse(name).ok_or_else(|| wrong(name))).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, text) = text.split_once(':')?;
        let kind = match kind {
            "dns" => NameKind::Dns,
            "uri" => NameKind::Uri,
            "email" => NameKind::Email,
            _ => return None,
        };
        let text = if kind == NameKind::Uri { text.to_owned() } else { text.to_ascii_lowercase() };
        (!text.is_empty()).then_some(Self { kind, text })
    }

    fn fits(&self, name: &GeneralName<'_>) -> bool {
        match (self.kind, name) {
            (NameKind::Dns, GeneralName::DNSName(name)) => self.fits_text(&name.to_ascii_lowercase()),
            (NameKind::Email, GeneralName::RFC822Name(name)) => self.fits_text(&name.to_ascii_lowercase()),
            (NameKind::Uri, GeneralName::URI(name)) => self.fits_text(name),
            _ => false,
        }
    }

    fn fits_text(&self, name: &str) -> bool {
        if let (NameKind::Dns, Some(parent)) = (self.kind, self.text.strip_prefix("*.")) {
            return name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent);
        }
        match self.text.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.text,
        }
    }

    /// Whether the certificate has one of the names; any certificate where there are none.
    ///
    /// # Errors
    /// Where it has none.
    pub(crate) fn check(rules: &[Self], certificate: &[u8]) -> Result<(), Error> {
        if rules.is_empty() {
            return Ok(());
        }
        let (_, cert) = verify::parse(certificate)?;
        let names = cert.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|extension| &extension.value.general_names);
        match names.into_iter().any(|name| rules.iter().any(|rule| rule.fits(name))) {
            true => Ok(()),
            false => Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
        }
    }
}

fn wrong(name: &At<String>) -> Wrong {
    let help = "write \"dns:app.example\", \"uri:spiffe://cluster/ns/app\" or \"email:a@example.com\"";
    Wrong::at(name, format!("\"{name}\" is no name of a certificate{HELP_MARK}{help}"))
}

#[cfg(test)]
mod tests;
