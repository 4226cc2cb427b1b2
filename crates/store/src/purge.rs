//! Purges: which answers are meant, and what becomes of them.
//!
//! A purge is a record with a number. What was stored before it and is meant by it is gone (or stale) from
//! that moment: each look-up compares numbers, so a purge of a million answers takes no longer than of one.
//! A sweep in the background then removes what is gone, and the record is forgotten.

mod table;

pub(crate) use table::{Subject, Table, Verdict};

use serde::{Deserialize, Serialize};

/// Which answers a purge means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of the zone.
    All,
    /// Of a host.
    Host(String),
    /// With a tag.
    Tag(String),
    /// Of one URL, all variants: `https://example.com/a?b` or `example.com/a?b`. The scheme does not matter.
    Url(String),
    /// Whose URL begins so: `example.com/static/`, or `/static/` for all hosts. A `*` at the end may stand.
    Prefix(String),
    /// Under the key of a request, which each route makes in its own way.
    Request(Box<KeyInputs>),
}

/// What keys are made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInputs {
    /// `http` or `https`.
    pub scheme: String,
    /// Host, with its port.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// The path as it was normalised for routing, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Fields of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
}

/// What becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They are gone.
    #[default]
    Hard,
    /// They are stale: served only where stale answers may be, or after the origin has confirmed them.
    Soft,
}

/// A purge, in the form in which the admin listener takes it and nodes tell each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purge {
    /// The zone; without it all zones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Which answers.
    pub what: Scope,
    /// What becomes of them.
    #[serde(default)]
    pub mode: Mode,
}

/// Why a purge was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurgeError {
    /// Too many wait for the sweep.
    #[error("{0} purges wait for the sweep already: try again in a second")]
    Full(usize),
    /// It names nothing.
    #[error("{0:?} names no {1}: write {2}")]
    Empty(String, &'static str, &'static str),
}

/// The longest URL, tag or prefix: nginx's default bound of a request line.
pub(crate) const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Host and the rest of a URL that may have a scheme; the host in lower case. The rest begins with `/`, or is
/// empty where the text ends with the host.
pub fn split_url(url: &str) -> (String, &str) {
    let rest =
        url.split_once("://").filter(|(scheme, _)| !scheme.contains('/')).map_or(url, |(_, rest)| rest);
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    (host.to_ascii_lowercase(), path)
}
