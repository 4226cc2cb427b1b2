//! One spelling for a path, used for matching and for forwarding, by a named policy.
//!
//! Two parsers that read a path differently are how access rules are walked around: the proxy sees
//! `/public/%2e%2e/admin`, the server behind it `/admin`. So a path is brought into one spelling before
//! anything looks at it, and what could still be read in two ways above the policy's line is refused.

use std::borrow::Cow;

mod escape;
mod scan;
mod segments;

pub use escape::escape_path;

use crate::text::{hex_pair, push_escape};
use segments::{dot_segment_in, hides_parent, resolve};

/// How paths are normalised.
///
/// | policy | compares | forwards | like |
/// |---|---|---|---|
/// | `standard` | RFC 3986 normal form | the same | Envoy's `normalize_path` |
/// | `strict` | as `standard` | the same | Envoy with escaped slashes rejected |
/// | `nginx` | decoded, as nginx's `$uri` | the target as it came | nginx |
/// | `off` | the bytes as they came | the same | HAProxy |
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PathPolicy {
    /// RFC 3986 6.2.2: escapes of letters, digits, `-._~` are decoded, other escapes get upper-case digits
    /// and stay (so `%2F` is never a `/`), bytes that need an escape get one, `.` and `..` are resolved, also
    /// when written `%2e`. Refused: invalid escapes, `%00`, going above the root, and a `..` that hides
    /// behind `%2F`, `%5C`, `\` or before a `;`, which many servers would resolve later.
    #[default]
    Standard,
    /// As `standard`; also refuses `%2F`, `%5C`, `\` and `//` altogether.
    Strict,
    /// As nginx: all escapes are decoded (`%2F` is a `/`), then `.` and `..` are resolved. Refused: invalid
    /// escapes, `%00`, going above the root. The server behind gets the target as it came, unless a filter
    /// changes the path.
    Nginx,
    /// The bytes as they came. Only for servers that give dot segments or escapes a meaning of their own;
    /// path rules are then no access rules.
    Off,
}

/// How the path of a request is normalised.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(deny_unknown_fields, default)]
pub struct PathRules {
    /// The policy: `standard`, `strict`, `nginx` or `off`.
    pub policy: PathPolicy,
    /// Whether several `/` in a row become one, as nginx does by default. Has an effect under `standard` and
    /// `nginx` only: `strict` refuses them, `off` keeps them.
    pub merge_slashes: bool,
}

/// Why a path is refused. The answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PathError {
    /// Something other than `/` comes first.
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    #[error("the path has a `%` without two hexadecimal digits")]
    Escape,
    /// `%00` or NUL, where C programs would end the path.
    #[error("the path has a NUL byte")]
    Nul,
    /// A control character, space, `#` or `?`.
    #[error("the path has the byte 0x{0:02x}, which no path may have")]
    Byte(u8),
    /// `/..` at the root.
    #[error("the path goes above the root")]
    AboveRoot,
    /// `..` that only shows when `%2F`, `%5C` is decoded or `;` is cut off.
    #[error("the path hides a `..` beside an encoded slash, a backslash or a `;`")]
    HiddenParent,
    /// `%2F`, under `strict`.
    #[error("the path has an encoded slash, which the policy `strict` refuses")]
    EncodedSlash,
    /// `\` or `%5C`, under `strict`.
    #[error("the path has a backslash, which the policy `strict` refuses")]
    Backslash,
    /// `//`, under `strict`.
    #[error("the path has two slashes in a row, which the policy `strict` refuses")]
    DoubleSlash,
}

impl PathRules {
    /// As nginx without a word on it in its configuration: decoded, slashes merged.
    pub const NGINX: Self = Self { policy: PathPolicy::Nginx, merge_slashes: true };

    /// [`normalize`] as a method.
    pub fn normalize(self, raw_path: &[u8]) -> Result<Cow<'_, [u8]>, PathError> {
        normalize(&self, raw_path)
    }

    /// Whether the server behind gets the target as it came (as long as no filter changed the path), and not
    /// the normalised path.
    pub fn forwards_raw(self) -> bool {
        matches!(self.policy, PathPolicy::Nginx | PathPolicy::Off)
    }

    /// Whether `merge_slashes` was asked for where it does nothing: a mistake to report.
    pub fn merge_is_useless(self) -> bool {
        self.merge_slashes && matches!(self.policy, PathPolicy::Strict | PathPolicy::Off)
    }
}

/// The path in the one spelling of `rules`; borrowed when nothing changes, which one scan decides. `raw_path`
/// is the path of the request target without the query. An empty one (`http://host`) is `/` (RFC 9112 3.2.1).
/// A second time changes nothing under `standard` and `strict`; under `nginx` the result is decoded and must
/// not be normalised again.
pub fn normalize<'p>(rules: &PathRules, raw_path: &'p [u8]) -> Result<Cow<'p, [u8]>, PathError> {
    if raw_path.is_empty() {
        return Ok(Cow::Borrowed(b"/"));
    }
    if rules.policy == PathPolicy::Off {
        return Ok(Cow::Borrowed(raw_path));
    }
    if raw_path[0] != b'/' {
        return Err(PathError::NotAbsolute);
    }
    if scan::is_normal(rules, raw_path) {
        return Ok(Cow::Borrowed(raw_path));
    }
    let path = match rules.policy {
        PathPolicy::Nginx => resolve(decode(raw_path)?, rules.merge_slashes)?,
        _ => standard(rules, raw_path)?,
    };
    Ok(if path == raw_path { Cow::Borrowed(raw_path) } else { Cow::Owned(path) })
}

/// The part before the first `?`, and what follows it. The caller has refused a `#`.
pub fn split_target(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], Some(&target[at + 1..])),
        None => (target, None),
    }
}

fn standard(rules: &PathRules, raw_path: &[u8]) -> Result<Vec<u8>, PathError> {
    let path = encode(raw_path, refuse_byte)?;
    if rules.policy == PathPolicy::Strict {
        refuse_ambiguous(&path)?;
    }
    let path = resolve(path, rules.merge_slashes)?;
    if hides_parent(&path) {
        return Err(PathError::HiddenParent);
    }
    Ok(path)
}

/// Every byte in its one spelling (RFC 3986 6.2.2.1 and 6.2.2.2), segments untouched. Bytes that need an escape
/// and have none get one if `check` agrees.
fn encode(raw: &[u8], check: fn(u8) -> Result<(), PathError>) -> Result<Vec<u8>, PathError> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'%' => {
                let decoded = hex_pair(tail).ok_or(PathError::Escape)?;
                rest = &tail[2..];
                match decoded {
                    0 => return Err(PathError::Nul),
                    _ if scan::is_unreserved(decoded) => out.push(decoded),
                    _ => push_escape(decoded, &mut out),
                }
            }
            b'/' => out.push(byte),
            _ if scan::is_path_byte(byte) => out.push(byte),
            _ => {
                check(byte)?;
                push_escape(byte, &mut out);
            }
        }
    }
    Ok(out)
}

/// Every escape decoded, as nginx's `ngx_http_parse_complex_uri` does.
fn decode(raw: &[u8]) -> Result<Vec<u8>, PathError> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%' {
            let decoded = hex_pair(tail).ok_or(PathError::Escape)?;
            rest = &tail[2..];
            if decoded == 0 {
                return Err(PathError::Nul);
            }
            out.push(decoded);
        } else {
            refuse_byte(byte)?;
            out.push(byte);
        }
    }
    Ok(out)
}

/// Bytes that a path cannot have without an escape, under any policy but `off`.
fn refuse_byte(byte: u8) -> Result<(), PathError> {
    match byte {
        0 => Err(PathError::Nul),
        1..=b' ' | 0x7f | b'#' | b'?' => Err(PathError::Byte(byte)),
        _ => Ok(()),
    }
}

/// A pattern is written by a person, who may write a space for what a request has as `%20`.
fn refuse_in_pattern(byte: u8) -> Result<(), PathError> {
    if byte == 0 { Err(PathError::Nul) } else { Ok(()) }
}

/// What `strict` refuses, in an encoded path.
fn refuse_ambiguous(path: &[u8]) -> Result<(), PathError> {
    for window in path.windows(3) {
        match window {
            b"%2F" => return Err(PathError::EncodedSlash),
            b"%5C" => return Err(PathError::Backslash),
            _ => {}
        }
    }
    match path.windows(2).any(|pair| pair == b"//") {
        true => Err(PathError::DoubleSlash),
        false => Ok(()),
    }
}

/// Why the literal text of a path pattern can equal no normalised path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    /// No path with it is let in.
    #[error("{0}")]
    Refused(#[from] PathError),
    /// `.` or `..` segments are gone when patterns are compared.
    #[error("`.` and `..` segments are resolved before paths are compared")]
    DotSegment,
    /// Slashes are merged when patterns are compared.
    #[error("slashes in a row are merged before paths are compared")]
    Merged,
}

/// Whether a pattern's text is a whole path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The path and nothing more.
    Whole,
    /// The path may go on, also within the last segment.
    Start,
}

/// The text of a pattern in the spelling in which normalised paths are compared with it: `/a b` is `/a%20b`
/// under `standard`, and stays itself under `nginx`.
pub(crate) fn literal<'t>(
    rules: &PathRules,
    text: &'t [u8],
    extent: Extent,
) -> Result<Cow<'t, [u8]>, LiteralError> {
    let spelled = match rules.policy {
        PathPolicy::Off => return Ok(Cow::Borrowed(text)),
        PathPolicy::Nginx => Cow::Borrowed(text),
        PathPolicy::Standard => Cow::Owned(encode(text, refuse_in_pattern)?),
        PathPolicy::Strict => {
            let spelled = encode(text, refuse_in_pattern)?;
            refuse_ambiguous(&spelled)?;
            Cow::Owned(spelled)
        }
    };
    if dot_segment_in(&spelled, extent) {
        return Err(LiteralError::DotSegment);
    }
    if rules.merge_slashes && spelled.windows(2).any(|pair| pair == b"//") {
        return Err(LiteralError::Merged);
    }
    Ok(spelled)
}

#[cfg(test)]
mod tests;
