//! The part of a stored answer that a request asks for (RFC 9110 14).

use bifrons_http::{Name, RequestHead, ResponseHead};
use std::ops::Range;

/// What `Range` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The whole.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that are not there.
    Nothing,
}

/// What the request asks of a body of `len` bytes. Several parts at once are answered with the whole, which every
/// client has to expect (RFC 9110 14.2), and so is what can't be read.
pub fn asked(req: &RequestHead, len: u64) -> Asked {
    match only(req) {
        None => Asked::Whole,
        Some((None, None)) => Asked::Whole,
        Some((None, Some(last))) => match last.min(len) {
            0 => Asked::Nothing,
            last => Asked::Part(len - last..len),
        },
        Some((Some(first), _)) if first >= len => Asked::Nothing,
        Some((Some(first), last)) => {
            Asked::Part(first..last.map_or(len, |last| last.saturating_add(1).min(len)))
        }
    }
}

/// Where the only range of a request begins, if it says so.
pub fn begins_at(req: &RequestHead) -> Option<u64> {
    only(req).and_then(|(first, _)| first)
}

/// The first and the last position of the only range; of a suffix only how long it is.
fn only(req: &RequestHead) -> Option<(Option<u64>, Option<u64>)> {
    let value = req.headers.get(Name::Range)?;
    let (unit, spec) = value.split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let spec = spec.trim_ascii();
    let at = memchr::memchr(b'-', spec)?;
    let (first, last) = (number(spec.get(..at)?)?, number(spec.get(at + 1..)?)?);
    match (first, last) {
        (Some(first), Some(last)) if last < first => None,
        other => Some(other),
    }
}

/// `Some(None)` for no number, `None` for what is none.
fn number(text: &[u8]) -> Option<Option<u64>> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Some(None);
    }
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(Some(
        text.iter().fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))),
    ))
}

/// Makes the head of a part (RFC 9110 15.3.7).
pub fn note_part(head: &mut ResponseHead, part: &Range<u64>, len: u64) {
    head.set_status(206);
    let value = format!("bytes {}-{}/{len}", part.start, part.end.saturating_sub(1));
    head.headers.set("Content-Range", value.as_bytes());
}

/// Makes the head of what can't be satisfied (RFC 9110 15.5.17).
pub fn note_nothing(head: &mut ResponseHead, len: u64) {
    head.set_status(416);
    head.headers.remove(Name::ContentType);
    head.headers.set("Content-Range", format!("bytes */{len}").as_bytes());
}

#[cfg(test)]
mod tests;
