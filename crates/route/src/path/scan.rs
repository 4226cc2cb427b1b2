//! The quick look that most paths pass: is it in its normal form already?

use super::{PathPolicy, PathRules};
use crate::text::hex_pair;

/// What a byte means to the scan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Stands for itself.
    Plain,
    Slash,
    Dot,
    Percent,
    /// Plain under `nginx`; needs an escape under `standard`.
    Unsafe,
    /// Refused everywhere.
    Refused,
}

/// RFC 3986 3.3 `pchar` without `%`, `.` and escapes; see [`Class`].
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Unsafe; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => Class::Plain,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => Class::Plain,
            b':' | b'@' => Class::Plain,
            b'.' => Class::Dot,
            b'/' => Class::Slash,
            b'%' => Class::Percent,
            0..=b' ' | 0x7f | b'#' | b'?' => Class::Refused,
            _ => Class::Unsafe,
        };
        byte += 1;
    }
    classes
};

/// Whether `path`, which begins with `/`, certainly is what normalising would give. `false` only means that a
/// closer look is due.
pub(super) fn is_normal(rules: &PathRules, path: &[u8]) -> bool {
    let nginx = rules.policy == PathPolicy::Nginx;
    let doubles_matter = rules.merge_slashes || rules.policy == PathPolicy::Strict;
    let mut after_slash = false;
    for (at, &byte) in path.iter().enumerate() {
        match CLASSES[usize::from(byte)] {
            Class::Plain => after_slash = false,
            Class::Slash if after_slash && doubles_matter => return false,
            Class::Slash => after_slash = true,
            Class::Dot if after_slash && may_be_dot_segment(&path[at + 1..]) => return false,
            Class::Dot => after_slash = false,
            Class::Percent if nginx || !is_normal_escape(&path[at + 1..]) => return false,
            Class::Percent => after_slash = false,
            Class::Unsafe if !nginx => return false,
            Class::Unsafe => after_slash = false,
            Class::Refused => return false,
        }
    }
    true
}

/// Letters, digits, `-._~`: their escapes mean the same as they do (RFC 3986 2.3).
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether the byte may stand in a segment unescaped (RFC 3986 3.3, `pchar`).
pub(super) fn is_path_byte(byte: u8) -> bool {
    matches!(CLASSES[usize::from(byte)], Class::Plain | Class::Dot)
}

/// What follows `/.`: does it leave a segment of dots possible?
fn may_be_dot_segment(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b'/' | b'.'))
}

/// What follows `%`: upper-case digits of a byte that needs its escape and is no slash of any kind.
fn is_normal_escape(digits: &[u8]) -> bool {
    let Some(decoded) = hex_pair(digits) else { return false };
    let upper = digits.iter().take(2).all(|digit| !digit.is_ascii_lowercase());
    upper && decoded != 0 && decoded != b'/' && decoded != b'\\' && !is_unreserved(decoded)
}
