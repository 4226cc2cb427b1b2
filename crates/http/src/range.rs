//! The parts of a body that `Range` asks for, and how they are answered (RFC 9110 14).

use crate::message::Body;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;

/// 200, as Apache's `MaxRanges`: more than any reader of PDF files asks for, and each costs some hundred
/// bytes of the answer.
pub const PARTS_MAX: u32 = 200;

/// What `Range` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The whole.
    Whole,
    /// These bytes: never none, all within the whole.
    Part(Range<u64>),
    /// Several such parts, in the order they were asked for, together no longer than the whole.
    Parts(Vec<Range<u64>>),
    /// 416: bytes that are not there, or a malformed range.
    Unsatisfiable,
}

/// What `value` asks of `len` bytes, as nginx reads it.
///
/// The whole file comes where the unit is another, where there are more than `parts_max` parts, where the
/// parts are together longer than the file (RFC 9110 17.15), and for any range of an empty file that begins
/// at its start: no `Content-Range` could express it, and clients that begin with `bytes=0-` rely on it.
/// A malformed range is answered with 416 (RFC 9110 14.2 leaves the choice).
///
/// Other than nginx we pass over empty members of the list (RFC 9110 5.6.1.2), and a last position too large
/// to hold is behind the end of any file.
pub fn asked(value: &[u8], len: u64, parts_max: u32) -> Asked {
    const UNIT: usize = "bytes=".len();
    if value.len() <= UNIT || !value.get(..UNIT).is_some_and(|unit| unit.eq_ignore_ascii_case(b"bytes=")) {
        return Asked::Whole;
    }
    let specs = value.get(UNIT..).unwrap_or_default().split(|&b| b == b',').map(<[u8]>::trim_ascii);
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut total = 0u64;
    for spec in specs.filter(|spec| !spec.is_empty()) {
        let Some(part) = parse(spec, len) else { return Asked::Unsatisfiable };
        if part.start < part.end {
            if parts.len() as u64 >= u64::from(parts_max) {
                return Asked::Whole;
            }
            total = total.saturating_add(part.end - part.start);
            parts.push(part);
        } else if part.start == 0 {
            return Asked::Whole;
        }
    }
    match parts.len() {
        0 => Asked::Unsatisfiable,
        _ if total > len => Asked::Whole,
        1 => parts.pop().map_or(Asked::Unsatisfiable, Asked::Part),
        _ => Asked::Parts(parts),
    }
}

/// The bytes that one member names of a file of `len`; it may name none. `None` where it is malformed.
fn parse(spec: &[u8], len: u64) -> Option<Range<u64>> {
    let dash = spec.iter().position(|&b| b == b'-')?;
    let (first, last) = (spec.get(..dash)?.trim_ascii(), spec.get(dash + 1..)?.trim_ascii());
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => Some(len.saturating_sub(number(last)?)..len),
        (false, true) => Some(number(first)?..len),
        (false, false) => Some(number(first)?..number(last)?.saturating_add(1).min(len)),
    }
}

/// A number too large to hold is behind the end of any file.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(sum.saturating_mul(10).saturating_add(digit))
    })
}

/// RFC 9110 14.4; without a part, what stands in a 416.
pub fn content_range(part: Option<&Range<u64>>, len: u64) -> Vec<u8> {
    match part {
        Some(part) => format!("bytes {}-{}/{len}", part.start, part.end.saturating_sub(1)),
        None => format!("bytes */{len}"),
    }
    .into_bytes()
}

/// What a `Content-Range` says: which bytes, and of how many. `None` for what is malformed, of another unit, or of
/// unknown length.
pub fn parse_content_range(value: &[u8]) -> Option<(Range<u64>, u64)> {
    let (unit, spec) = value.trim_ascii().split_at_checked(6)?;
    if !unit.eq_ignore_ascii_case(b"bytes ") {
        return None;
    }
    let (part, len) = split(spec, b'/')?;
    let (first, last) = split(part, b'-')?;
    let strict = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits.trim_ascii()).ok()?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    let (first, last, len) = (strict(first)?, strict(last)?, strict(len)?);
    (first <= last && last < len).then(|| (first..last + 1, len))
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The type and the body of an answer with several parts (`multipart/byteranges`, RFC 9110 15.3.7.2, 14.6), byte for
/// byte as nginx writes it. `media_type` is that of the whole, and may be empty.
///
/// # Errors
/// What `body` says of one of the parts.
pub fn multipart<E>(
    (parts, len): (&[Range<u64>], u64),
    media_type: &[u8],
    mut body: impl FnMut(Range<u64>) -> Result<Body, E>,
) -> Result<(String, Body), E> {
    let boundary = format!("{:020}", fastrand::u64(..));
    let mut head = format!("\r\n--{boundary}\r\n").into_bytes();
    if !media_type.is_empty() {
        head.extend_from_slice(&[b"Content-Type: ", media_type, b"\r\n"].concat());
    }
    let mut bodies = VecDeque::with_capacity(2 * parts.len() + 1);
    for part in parts {
        let range = content_range(Some(part), len);
        let head = [head.as_slice(), b"Content-Range: ", &range, b"\r\n\r\n"].concat();
        bodies.push_back(Body::Full(head.into()));
        bodies.push_back(body(part.clone())?);
    }
    bodies.push_back(Body::Full(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
    Ok((format!("multipart/byteranges; boundary={boundary}"), Body::Parts(Box::new(bodies))))
}

#[cfg(test)]
mod tests;
