//! The parts of a file that `Range` asks for (RFC 9110 14).

use std::ops::Range;

/// What `Range` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The whole file.
    Whole,
    /// These bytes: never none, all within the file.
    Part(Range<u64>),
    /// Several such parts, in the order they were asked for, together no longer than the file.
    Parts(Vec<Range<u64>>),
    /// 416: bytes that are not there, or a malformed range.
    Unsatisfiable,
}

/// What `value` asks of a file of `len` bytes, as nginx reads it.
///
/// The whole file comes where the unit is another, where there are more than `parts_max` parts, where the
/// parts are together longer than the file (RFC 9110 17.15), and for any range of an empty file that begins
/// at its start: no `Content-Range` could express it, and clients that begin with `bytes=0-` rely on it.
/// A malformed range is answered with 416 (RFC 9110 14.2 leaves the choice).
///
/// Other than nginx we pass over empty members of the list (RFC 9110 5.6.1.2), and a last position too large
/// to hold is behind the end of any file.
pub(crate) fn asked(value: &[u8], len: u64, parts_max: u32) -> Asked {
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

#[cfg(test)]
mod tests;
