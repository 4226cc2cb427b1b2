//! The lines of a head (RFC 9112 2.2, 5), found and checked in one pass over the bytes. Pure.
//!
//! Own code where `httparse` would do: with a second look at every line end, which strictness needs, it took
//! some 3,200 of a request's 18,300 instructions (callgrind, two heads, seven fields).

use crate::headers::Fields;
use crate::name::Name;
use bifrons_core::{Error, Kind, Limits, Result, Side};
use std::ops::Range;

/// What a byte may be part of.
const TOKEN: u8 = 1;
const HOST: u8 = 2;

/// Classes of all bytes, so that a check is one look.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        // RFC 9110 5.6.2.
        if b.is_ascii_alphanumeric() || is_one_of(b, b"!#$%&'*+-.^_`|~") {
            classes[byte] |= TOKEN;
        }
        // RFC 3986 3.2.2: reg-name, without the brackets of an IP literal.
        if b.is_ascii_alphanumeric() || is_one_of(b, b"-._~!$&'()*+,;=%") {
            classes[byte] |= HOST;
        }
        byte += 1;
    }
    classes
}

const fn is_one_of(byte: u8, set: &[u8]) -> bool {
    let mut at = 0;
    while at < set.len() {
        if set[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

/// How many bytes at the beginning of `text` are of a token.
pub(super) fn token_len(text: &[u8]) -> usize {
    text.iter().position(|&b| CLASSES[usize::from(b)] & TOKEN == 0).unwrap_or(text.len())
}

/// Whether all bytes may stand in a registered name.
pub(super) fn is_reg_name(text: &[u8]) -> bool {
    text.iter().all(|&b| CLASSES[usize::from(b)] & HOST != 0)
}

/// Whether all bytes may stand in a field's value (RFC 9110 5.5): visible ones, space, HTAB, obs-text.
/// Eight at a time; the few that need a closer look get it.
pub(super) fn is_value(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    let (words, rest) = text.as_chunks::<8>();
    let suspicious = words.iter().fold(0u64, |found, word| {
        let word = u64::from_ne_bytes(*word);
        // Below 0x20, or 0x7f: exact for "is there any", which is all that is asked.
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = word ^ (ONES * 0x7f);
        found | below | (delete.wrapping_sub(ONES) & !delete)
    });
    let fits = |b: &u8| *b == b'\t' || (*b >= 0x20 && *b != 0x7f);
    (suspicious & HIGHS == 0 || words.iter().flatten().all(fits)) && rest.iter().all(fits)
}

/// A line without its end, and where the next one starts.
pub(super) struct Line {
    pub(super) text: Range<usize>,
    pub(super) next: usize,
}

/// The line that starts at `at`; `None` while its end has not come.
///
/// # Errors
/// `Malformed` for a lone LF where the limits don't allow it.
pub(super) fn line(buf: &[u8], at: usize, limits: &Limits, side: Side) -> Result<Option<Line>> {
    let rest = buf.get(at..).unwrap_or_default();
    let Some(len) = memchr::memchr(b'\n', rest) else {
        // What will never become the empty line is refused before its end comes.
        return match rest {
            [b'\r', _, ..] => Err(malformed(side, "bare CR at the start of a line")),
            _ => Ok(None),
        };
    };
    let next = at + len + 1;
    match len.checked_sub(1).and_then(|before| rest.get(before)) {
        Some(b'\r') => Ok(Some(Line { text: at..next - 2, next })),
        _ if limits.lone_lf => Ok(Some(Line { text: at..next - 1, next })),
        _ => Err(malformed(side, "a lone LF ends a line")),
    }
}

/// Reads field lines from `at` up to the empty line; the fields and where the body starts, or `None`
/// while the empty line has not come.
///
/// # Errors
/// `Malformed`, `HeadTooLarge`.
pub(super) fn fields(
    buf: &[u8],
    mut at: usize,
    limits: &Limits,
    side: Side,
) -> Result<Option<(Fields, usize)>> {
    let mut fields = Fields::new();
    // Bounded: every turn consumes a line, and there are at most `limits.fields`.
    loop {
        let Some(Line { text, next }) = line(buf, at, limits, side)? else { return Ok(None) };
        if text.is_empty() {
            return Ok(Some((fields, next)));
        }
        if fields.len() == limits.fields {
            return Err(Error::of(side, Kind::HeadTooLarge, "the head has more fields than the limit"));
        }
        if text.len() > limits.field_bytes {
            return Err(Error::of(side, Kind::HeadTooLarge, "a field of the head is longer than the limit"));
        }
        field(buf, text, &mut fields, side)?;
        at = next;
    }
}

/// One field line: `name ":" OWS value OWS` (RFC 9112 5). White space before the name would be obs-fold,
/// white space before the colon is refused (5.1), and so is a bare CR anywhere.
fn field(buf: &[u8], line: Range<usize>, fields: &mut Fields, side: Side) -> Result<()> {
    let text = buf.get(line.clone()).unwrap_or_default();
    let name_len = token_len(text);
    if name_len == 0 || text.get(name_len) != Some(&b':') {
        let reason = match text.first() {
            Some(b' ' | b'\t') => "a folded line (obs-fold)",
            _ => "a byte in a field's name that no token has, or no colon behind it",
        };
        return Err(malformed(side, reason));
    }
    if name_len > usize::from(u16::MAX) {
        return Err(Error::of(side, Kind::HeadTooLarge, "a field name of more than 65535 bytes"));
    }
    let is_white = |b: &u8| *b == b' ' || *b == b'\t';
    let (name, rest) = text.split_at(name_len);
    let rest = rest.get(1..).unwrap_or_default();
    let lead = rest.iter().position(|b| !is_white(b)).unwrap_or(rest.len());
    let value = rest.get(lead..).unwrap_or_default();
    let trail = value.iter().rev().position(|b| !is_white(b)).unwrap_or(value.len());
    let value = value.get(..value.len() - trail).unwrap_or_default();
    if !is_value(value) {
        return Err(malformed(side, "a control character in a field's value"));
    }
    let value_start = line.start + name_len + 1 + lead;
    fields.push(Name::of(name), line.start..line.start + name_len, value_start..value_start + value.len());
    Ok(())
}

pub(super) fn malformed(side: Side, reason: &'static str) -> Error {
    Error::of(side, Kind::Malformed, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged_alike_in_words_and_in_single_bytes() {
        for byte in 0..=u8::MAX {
            let fits = byte == b'\t' || (byte >= 0x20 && byte != 0x7f);
            for at in 0..17 {
                let mut text = *b"abcdefgh\xe4\xf6\xfc\xff12345";
                text[at] = byte;
                assert_eq!(is_value(&text), fits, "{byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn tokens_end_where_the_grammar_says() {
        assert_eq!(token_len(b"X-Name: v"), 6);
        assert_eq!(token_len(b" X"), 0);
        assert_eq!(token_len(b"a\x7fb"), 1);
    }
}
