//! Which media types are compressed.

use bifrons_http::name::is_token;
use bifrons_http::{Headers, Name};

/// Texts, and what is made of text. No `text/event-stream`: who sends one decides whether its pieces are worth
/// it.
const USUAL: &[&str] = &[
    "text/html",
    "text/css",
    "text/plain",
    "text/csv",
    "text/markdown",
    "text/javascript",
    "text/xml",
    "text/vtt",
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/problem+json",
    "application/xml",
    "application/xhtml+xml",
    "application/rss+xml",
    "application/atom+xml",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "font/ttf",
    "font/otf",
    "image/svg+xml",
    "image/bmp",
    "image/x-icon",
];

/// The types that hold where none are named.
pub(super) fn usual() -> Vec<String> {
    USUAL.iter().map(|&name| name.to_owned()).collect()
}

pub(super) fn is_usual(types: &[String]) -> bool {
    types.iter().eq(USUAL)
}

/// Media types, compiled.
#[derive(Debug, Default)]
pub(super) struct Types {
    all: bool,
    /// In lower case, sorted.
    whole: Vec<Box<[u8]>>,
    /// What stands before `/*`, with the slash.
    kinds: Vec<Box<[u8]>>,
}

/// 255 bytes: no registered type is half as long (RFC 6838 4.2).
const TYPE_BYTES_MAX: usize = 255;

impl Types {
    pub(super) fn build(types: &[String]) -> Result<Self, String> {
        let mut built = Self::default();
        if types.is_empty() {
            return Err("without `types` nothing is compressed".to_owned());
        }
        for name in types {
            let lower = name.to_ascii_lowercase();
            match lower.split_once('/') {
                None if lower == "*" => built.all = true,
                Some((kind, "*")) if is_token(kind.as_bytes()) => {
                    built.kinds.push(format!("{kind}/").into_bytes().into());
                }
                Some((kind, part))
                    if is_token(kind.as_bytes())
                        && is_token(part.as_bytes())
                        && lower.len() <= TYPE_BYTES_MAX =>
                {
                    built.whole.push(lower.into_bytes().into());
                }
                _ => return Err(format!("\"{name}\" is no media type such as \"text/html\" or \"text/*\"")),
            }
        }
        built.whole.sort_unstable();
        Ok(built)
    }

    /// Whether the answer's type is one of them.
    pub(super) fn have(&self, headers: &Headers) -> bool {
        let Some(value) = headers.get(Name::ContentType) else { return false };
        if self.all {
            return true;
        }
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let essence = value.get(..end).unwrap_or_default().trim_ascii();
        let mut lower = [0; TYPE_BYTES_MAX];
        let Some(lower) = lower.get_mut(..essence.len()) else { return false };
        lower.copy_from_slice(essence);
        lower.make_ascii_lowercase();
        let lower = &*lower;
        self.whole.binary_search_by(|known| (**known).cmp(lower)).is_ok()
            || self.kinds.iter().any(|kind| lower.starts_with(kind))
    }
}
