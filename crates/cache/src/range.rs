//! The part of a stored answer that a request asks for (RFC 9110 14).

use crate::config::Standard;
use bifrons_http::range::{Asked, asked as read, content_range};
use bifrons_http::{Name, RequestHead, ResponseHead};
use std::ops::Range;

/// What the request asks of a body of `len` bytes, in no more than `parts_max` parts. What makes no sense is passed over
/// (RFC 9110 14.2 leaves the choice); nginx refuses it.
pub fn asked(req: &RequestHead, len: u64, (standard, parts_max): (Standard, u32)) -> Asked {
    let mut values = req.headers.get_all(Name::Range);
    match (values.next(), values.next()) {
        (Some(value), None) if standard == Standard::Nginx || is_valid(value) => read(value, len, parts_max),
        _ => Asked::Whole,
    }
}

/// Where the only range of a request begins, if it says so.
pub fn begins_at(req: &RequestHead) -> Option<u64> {
    let specs = specs(req.headers.get(Name::Range)?)?;
    bounds(specs.trim_ascii()).and_then(|(first, _)| first)
}

/// Whether all ranges make sense (RFC 9110 14.1.1).
fn is_valid(value: &[u8]) -> bool {
    let all = specs(value).unwrap_or_default().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    all.filter(|spec| !spec.is_empty()).all(|spec| bounds(spec).is_some())
}

/// What stands behind the unit.
fn specs(value: &[u8]) -> Option<&[u8]> {
    let (unit, specs) = value.split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(specs)
}

/// The first and the last position of a range; of a suffix only how long it is.
fn bounds(spec: &[u8]) -> Option<(Option<u64>, Option<u64>)> {
    let at = memchr::memchr(b'-', spec)?;
    let (first, last) = (number(spec.get(..at)?)?, number(spec.get(at + 1..)?)?);
    match (first, last) {
        (None, None) => None,
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
    head.headers.set("Content-Range", &content_range(Some(part), len));
}

/// Makes the head of what can't be satisfied (RFC 9110 15.5.17): what describes the answer that it is not, goes.
pub fn note_nothing(head: &mut ResponseHead, len: u64) {
    head.set_status(416);
    for name in [Name::ContentType, Name::ContentEncoding, Name::LastModified, Name::Etag, Name::AcceptRanges]
    {
        head.headers.remove(name);
    }
    head.headers.set("Content-Range", &content_range(None, len));
}

#[cfg(test)]
mod tests;
