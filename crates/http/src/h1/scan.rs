//! The lines of a head (RFC 9112 2.2, 5), found and checked in one pass over the bytes. Pure.
//!
//! Own code where `httparse` would do: with a second look at every line end, which strictness needs, it took
//! some 3,200 of a request's 18,300 instructions (callgrind, two heads, seven fields). Bytes are looked at
//! eight at a time; what stops the search is what ends the name or the value, or what is wrong with it.

use crate::headers::Fields;
use crate::name::Name;
use bifrons_core::{Error, Kind, Limits, NameRule, NameRules, Result, Side};
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
pub(crate) fn token_len(text: &[u8]) -> usize {
    text.iter().position(|&b| CLASSES[usize::from(b)] & TOKEN == 0).unwrap_or(text.len())
}

/// How many bytes at the beginning of `text` may stand in a registered name.
pub(super) fn reg_name_len(text: &[u8]) -> usize {
    text.iter().position(|&b| CLASSES[usize::from(b)] & HOST == 0).unwrap_or(text.len())
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

/// Marks the high bit of bytes below `bound` (at most 0x80). The lowest mark is exact, and so is "none".
const fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(ONES * bound as u64) & !word & HIGHS
}

/// Marks the high bit of bytes that are `byte`; exact as far as [`below`] is.
const fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * byte as u64), 1)
}

/// How many bytes at the beginning of `text` pass, eight at a time: `marks` of a word are those that don't.
#[inline(always)]
fn passing(text: &[u8], marks: impl Fn(u64) -> u64) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = marks(u64::from_le_bytes(*word));
        if found != 0 {
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let fits = |b: &u8| marks(ONES * u64::from(*b)) == 0;
    text.len() - rest.len() + rest.iter().position(|b| !fits(b)).unwrap_or(rest.len())
}

/// How many bytes at the beginning of `text` may stand in a field's value (RFC 9110 5.5): visible ones,
/// space, HTAB, obs-text.
fn value_len(text: &[u8]) -> usize {
    let mut len = 0;
    // Bounded: every turn passes a byte of `text`.
    loop {
        let rest = text.get(len..).unwrap_or_default();
        len += passing(rest, |word| below(word, 0x20) | equal(word, 0x7f));
        match text.get(len) {
            Some(b'\t') => len += 1,
            _ => return len,
        }
    }
}

/// Whether all bytes may stand in a field's value.
pub(crate) fn is_value(text: &[u8]) -> bool {
    value_len(text) == text.len()
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
        if let Some(b'\r' | b'\n') = buf.get(at) {
            let end = line_end(buf, at, limits, side, "bare CR at the start of a line")?;
            return Ok(end.map(|next| (fields, next)));
        }
        if fields.len() == limits.fields && at < buf.len() {
            return Err(Error::of(side, Kind::HeadTooLarge, "the head has more fields than the limit"));
        }
        let Some(next) = field(buf, at, limits, &mut fields, side)? else { return Ok(None) };
        if next - at > limits.field_bytes && line_len(buf, at, next) > limits.field_bytes {
            return Err(Error::of(side, Kind::HeadTooLarge, "a field of the head is longer than the limit"));
        }
        at = next;
    }
}

/// Bytes of the line from `at` on, without its end; the next one starts at `next`.
#[cold]
fn line_len(buf: &[u8], at: usize, next: usize) -> usize {
    let line = buf.get(at..next).unwrap_or_default();
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line).len()
}

/// One field line from `at`: `name ":" OWS value OWS` (RFC 9112 5), and where the next one starts; `None`
/// while its end has not come. White space before the name would be obs-fold, white space before the colon
/// is refused (5.1), and so is a bare CR anywhere.
#[inline(always)]
fn field(buf: &[u8], at: usize, limits: &Limits, fields: &mut Fields, side: Side) -> Result<Option<usize>> {
    let text = buf.get(at..).unwrap_or_default();
    let name_len = passing(text, |word| below(word, 0x21) | equal(word, b':'));
    let Some((name, rest)) = text.split_at_checked(name_len) else { return Ok(None) };
    let id = Name::of(name);
    // A well-known name is a token; what the search let pass leaves no doubt about its dashes.
    let is_token = id != Name::Other || token_len(name) == name.len();
    let rest = match rest {
        [b':', rest @ ..] if !name.is_empty() && is_token => rest,
        [] if is_token => return Ok(None),
        _ => return no_name(buf, at, limits, side),
    };
    if name_len > usize::from(u16::MAX) {
        return Err(Error::of(side, Kind::HeadTooLarge, "a field name of more than 65535 bytes"));
    }
    let is_white = |b: &u8| *b == b' ' || *b == b'\t';
    let lead = rest.iter().position(|b| !is_white(b)).unwrap_or(rest.len());
    let value = rest.get(lead..).unwrap_or_default();
    let start = at + name_len + 1 + lead;
    let end = start + value_len(value);
    let control = "a control character in a field's value";
    let Some(next) = line_end(buf, end, limits, side, control)? else { return Ok(None) };
    let value = buf.get(start..end).unwrap_or_default();
    let trail = value.iter().rev().position(|b| !is_white(b)).unwrap_or(value.len());
    if let Some(rules) = limits.names.filter(|_| id == Name::Other && side == Side::Downstream)
        && !is_kept(name, rules, side)?
    {
        return Ok(Some(next));
    }
    fields.push(id, at..at + name_len, start..end - trail);
    Ok(Some(next))
}

/// A line that has no name: left out whole where the rules say so, else refused.
#[cold]
fn no_name(buf: &[u8], at: usize, limits: &Limits, side: Side) -> Result<Option<usize>> {
    let text = buf.get(at..).unwrap_or_default();
    if limits.names.is_some_and(|rules| rules.irregular == NameRule::Drop) && has_visible_name(text) {
        return Ok(line(buf, at, limits, side)?.map(|line| line.next));
    }
    let reason = match text.first() {
        Some(b' ' | b'\t') => "a folded line (obs-fold)",
        _ => "a byte in a field's name that no token has, or no colon behind it",
    };
    Err(malformed(side, reason))
}

/// Where the next line starts if one ends at `at`; `None` while that is not known. `otherwise` says what
/// is wrong where none ends.
fn line_end(
    buf: &[u8],
    at: usize,
    limits: &Limits,
    side: Side,
    otherwise: &'static str,
) -> Result<Option<usize>> {
    match buf.get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Ok(Some(at + 2)),
        [] | [b'\r'] => Ok(None),
        [b'\n', ..] if limits.lone_lf => Ok(Some(at + 1)),
        [b'\n', ..] => Err(malformed(side, "a lone LF ends a line")),
        _ => Err(malformed(side, otherwise)),
    }
}

/// Whether a colon ends a name of bytes that can be seen, or are not ASCII: what may be left out whole. A
/// control character or white space in it is a matter of framing and never passes.
fn has_visible_name(text: &[u8]) -> bool {
    let len = memchr::memchr(b':', text).unwrap_or_default();
    len > 0 && text.iter().take(len).all(|&b| b > 0x20 && b != 0x7f)
}

/// Whether a field of that name, a token, stays.
pub(crate) fn is_kept(name: &[u8], rules: NameRules, side: Side) -> Result<bool> {
    let has_underscore = memchr::memchr(b'_', name).is_some();
    let is_irregular = || name.iter().any(|&b| !b.is_ascii_alphanumeric() && b != b'-' && b != b'_');
    let of_underscore = if has_underscore { rules.underscores } else { NameRule::Allow };
    let of_rest = match rules.irregular {
        NameRule::Allow => NameRule::Allow,
        rule if is_irregular() => rule,
        _ => NameRule::Allow,
    };
    match (of_underscore, of_rest) {
        (NameRule::Refuse, _) => Err(malformed(side, "an underscore in a field's name")),
        (_, NameRule::Refuse) => Err(malformed(side, "an unusual byte in a field's name")),
        (NameRule::Allow, NameRule::Allow) => Ok(true),
        _ => Ok(false),
    }
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
