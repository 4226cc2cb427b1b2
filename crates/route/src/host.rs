//! Hosts: the names a configuration gives them, and finding one for a request.

use crate::regex::{Case, Regex, RegexError};
use crate::text::as_string;
use std::fmt;
use std::str::FromStr;

mod authority;
mod table;

pub use authority::{HostError, split_host_port};
pub use table::{Found, HostConflict, HostMatch, HostTable, HostTableBuilder};

/// RFC 1035 2.3.4 allows 255 bytes on the wire, which is 253 in dotted form.
const NAME_BYTES_MAX: usize = 253;

/// A name of a host, in the forms of nginx's `server_name`:
///
/// | text | matches |
/// |---|---|
/// | `example.com` | exactly this host; also an address, `[::1]` in brackets |
/// | `*.example.com` | `a.example.com`, `a.b.example.com`, not `example.com` |
/// | `.example.com` | `example.com` and `*.example.com` |
/// | `www.example.*` | `www.example.com`, `www.example.co.uk` |
/// | `~^(?<user>.+)\.example\.com$` | where the regex matches; case never counts |
/// | the empty text | requests without a host |
/// | `_` | nothing; a place-holder for a host that is only reached as the default |
///
/// Names are kept in lower case and without a dot at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName {
    form: HostForm,
}

/// The form of a [`HostName`]. Texts are in lower case, without `*` and the dot beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostForm {
    /// No host at all.
    Nameless,
    /// `_`.
    Never,
    /// This host.
    Exact(Box<str>),
    /// Hosts that end with a dot and this.
    Leading(Box<str>),
    /// This host, and hosts that end with a dot and this.
    Domain(Box<str>),
    /// Hosts that begin with this and a dot.
    Trailing(Box<str>),
    /// Hosts in which the regex matches.
    Regex(Regex),
}

/// Why a text is no name of a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// `*` on its own.
    #[error("`*` alone is not a name\nhelp: make the host the default one instead")]
    StarAlone,
    /// `*` in another place than a whole first or last label, or two of them.
    #[error(
        "host name `{0}` may have one `*`, as its whole first or last label\nhelp: write `*.example.com`, \
         `www.example.*`, or a regex such as `~^www[0-9]+\\.example\\.com$`"
    )]
    Star(String),
    /// `http://…` or a path.
    #[error("host name `{0}` has a `/`\nhelp: write only the name, as in `example.com`")]
    Slash(String),
    /// `name:port`.
    #[error("host name `{0}` has a port\nhelp: the port belongs to the listener; write only the name")]
    Port(String),
    /// Bytes above ASCII.
    #[error("host name `{0}` is not ASCII\nhelp: write it as requests carry it, in punycode (`xn--…`)")]
    NotAscii(String),
    /// Longer than a name can be.
    #[error("host name `{0}` has more than {NAME_BYTES_MAX} bytes")]
    TooLong(String),
    /// Two dots in a row, or only a dot.
    #[error("host name `{0}` has an empty label")]
    EmptyLabel(String),
    /// Brackets without an IPv6 address.
    #[error("host name `{0}` is not an IPv6 address in brackets")]
    Ipv6(String),
    /// Any other character.
    #[error("host name `{0}` has the character `{1}`, which no host name may have")]
    Character(String, char),
    /// Nothing after the `~`.
    #[error("host name `~` has no regex behind it")]
    EmptyRegex,
    /// The regex does not compile.
    #[error("host name: {0}")]
    Regex(#[from] RegexError),
}

impl HostName {
    /// What it consists of.
    pub fn form(&self) -> &HostForm {
        &self.form
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let form = match text {
            "" => HostForm::Nameless,
            // A dot at the end never counts.
            "_" | "_." => HostForm::Never,
            "*" => return Err(HostNameError::StarAlone),
            "~" => return Err(HostNameError::EmptyRegex),
            _ => match text.strip_prefix('~') {
                // Case never counts in a host, so it does not in the regex (nginx lowers the host instead).
                Some(regex) => HostForm::Regex(Regex::new(regex, Case::Ignore)?),
                None => parse_name(text)?,
            },
        };
        Ok(Self { form })
    }
}

fn parse_name(text: &str) -> Result<HostForm, HostNameError> {
    let owned = || text.to_owned();
    if !text.is_ascii() {
        return Err(HostNameError::NotAscii(owned()));
    }
    if text.contains('/') {
        return Err(HostNameError::Slash(owned()));
    }
    if text.len() > NAME_BYTES_MAX {
        return Err(HostNameError::TooLong(owned()));
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with('[') {
        return parse_ipv6(text, lower);
    }
    if text.contains(':') {
        return Err(HostNameError::Port(owned()));
    }
    let name = lower.strip_suffix('.').unwrap_or(&lower);
    let (form, labels): (fn(Box<str>) -> HostForm, &str) = if let Some(rest) = name.strip_prefix("*.") {
        (HostForm::Leading, rest)
    } else if let Some(rest) = name.strip_suffix(".*") {
        (HostForm::Trailing, rest)
    } else if let Some(rest) = name.strip_prefix('.') {
        (HostForm::Domain, rest)
    } else {
        (HostForm::Exact, name)
    };
    if labels.contains('*') {
        return Err(HostNameError::Star(owned()));
    }
    if labels.split('.').any(str::is_empty) {
        return Err(HostNameError::EmptyLabel(owned()));
    }
    let bad = |char: &char| !char.is_ascii_alphanumeric() && !matches!(char, '-' | '_' | '.' | '~');
    match labels.chars().find(bad) {
        Some(char) => Err(HostNameError::Character(owned(), char)),
        None => Ok(form(labels.into())),
    }
}

/// Addresses are compared as texts, as nginx does: `[::1]` is not found as `[0::1]`.
fn parse_ipv6(text: &str, lower: String) -> Result<HostForm, HostNameError> {
    match lower.split_once(']') {
        Some((_, "")) if authority::is_ipv6_in_brackets(lower.as_bytes()) => {
            Ok(HostForm::Exact(lower.into()))
        }
        Some((_, after)) if after.starts_with(':') => Err(HostNameError::Port(text.to_owned())),
        _ => Err(HostNameError::Ipv6(text.to_owned())),
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            HostForm::Nameless => Ok(()),
            HostForm::Never => f.write_str("_"),
            HostForm::Exact(name) => f.write_str(name),
            HostForm::Leading(name) => write!(f, "*.{name}"),
            HostForm::Domain(name) => write!(f, ".{name}"),
            HostForm::Trailing(name) => write!(f, "{name}.*"),
            HostForm::Regex(regex) => write!(f, "~{regex}"),
        }
    }
}

as_string!(
    HostName,
    "HostName",
    "A host: `example.com`, `*.example.com`, `.example.com` (both), `www.example.*`, `~regex`, `\"\"` for \
     requests without a host, `_` for none.",
    ["example.com", "*.example.com", ".example.com", "www.example.*", "~^www[0-9]+\\.example\\.com$"]
);

#[cfg(test)]
mod tests;
