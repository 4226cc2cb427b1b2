//! The part of a file that `Range` asks for (RFC 9110 14).

use std::ops::Range;

/// What `Range` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The whole file.
    Whole,
    /// These bytes: never none, all within the file.
    Part(Range<u64>),
    /// 416: bytes that are not there.
    Unsatisfiable,
}

/// What `value` asks of a file of `len` bytes.
///
/// Passed over, as RFC 9110 14.2 allows: other units, what is malformed, and several ranges. Also any range
/// of an empty file, which no `Content-Range` could express; clients that begin with `bytes=0-` rely on it.
/// nginx answers 416 to a malformed range, and to one that begins behind the start of an empty file.
pub(crate) fn asked(value: &[u8], len: u64) -> Asked {
    let Some(set) = byte_set(value) else { return Asked::Whole };
    let mut specs = set.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return Asked::Whole };
    match parse(spec) {
        Some(_) if len == 0 => Asked::Whole,
        Some(spec) => spec.within(len),
        None => Asked::Whole,
    }
}

fn byte_set(value: &[u8]) -> Option<&[u8]> {
    let equals = value.iter().position(|&b| b == b'=')?;
    let (unit, set) = value.split_at_checked(equals)?;
    // Units are case-insensitive (RFC 9110 14.1).
    unit.trim_ascii().eq_ignore_ascii_case(b"bytes").then(|| set.get(1..).unwrap_or_default())
}

#[derive(Clone, Copy, Debug)]
enum Spec {
    From { first: u64, last: u64 },
    Last(u64),
}

fn parse(spec: &[u8]) -> Option<Spec> {
    let dash = spec.iter().position(|&b| b == b'-')?;
    let (first, last) = (spec.get(..dash)?, spec.get(dash + 1..)?);
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (true, false) => number(last).map(Spec::Last),
        (false, true) => number(first).map(|first| Spec::From { first, last: u64::MAX }),
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From { first, last })
        }
    }
}

/// A number too large to hold is behind the end of any file.
fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(sum.saturating_mul(10).saturating_add(digit))
    })
}

impl Spec {
    fn within(self, len: u64) -> Asked {
        match self {
            Self::From { first, .. } if first >= len => Asked::Unsatisfiable,
            Self::From { first, last } => Asked::Part(first..last.saturating_add(1).min(len)),
            Self::Last(0) => Asked::Unsatisfiable,
            Self::Last(count) => Asked::Part(len.saturating_sub(count)..len),
        }
    }
}

#[cfg(test)]
mod tests;
