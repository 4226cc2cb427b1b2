//! Arguments to typed values, by nginx's rules and in nginx's words.

use crate::tree::Word;
use bifrons_config::units::{Dur, Size};
use std::time::Duration;

/// Why an argument is wrong. The directive's name is put in where the message is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// `"x" directive invalid value`
    Value,
    /// `"x" directive invalid number`
    Number,
    /// `invalid value "v" in "x" directive, it must be "on" or "off"`
    Flag,
    /// `invalid value "v"`, with what would be right.
    Choice(&'static str),
    /// Another message, with help where there is some.
    Other(String, Option<String>),
}

/// A parser of one argument.
pub(crate) type Parse<T> = fn(&Word) -> Result<T, Invalid>;

/// `on` or `off`.
pub(crate) fn flag(word: &Word) -> Result<bool, Invalid> {
    if word.text.eq_ignore_ascii_case("on") {
        Ok(true)
    } else if word.text.eq_ignore_ascii_case("off") {
        Ok(false)
    } else {
        Err(Invalid::Flag)
    }
}

/// A whole number.
pub(crate) fn number(word: &Word) -> Result<u32, Invalid> {
    digits(&word.text).and_then(|number| u32::try_from(number).ok()).ok_or(Invalid::Number)
}

/// Bytes, with `k`, `m` or `g`.
pub(crate) fn size(word: &Word) -> Result<Size, Invalid> {
    parse_size(&word.text).ok_or(Invalid::Value)
}

/// Time, to the millisecond.
pub(crate) fn time(word: &Word) -> Result<Dur, Invalid> {
    parse_time(&word.text).ok_or(Invalid::Value)
}

/// Any text.
pub(crate) fn text(word: &Word) -> Result<String, Invalid> {
    Ok(word.text.clone())
}

/// A number of nothing but digits.
pub(crate) fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// As `ngx_parse_offset`.
pub(crate) fn parse_size(text: &str) -> Option<Size> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    digits(number)?.checked_mul(unit).filter(|bytes| *bytes <= i64::MAX.unsigned_abs()).map(Size)
}

/// As `ngx_parse_time`: units from large to small, each at most once, seconds where none is given.
pub(crate) fn parse_time(text: &str) -> Option<Dur> {
    /// Names and milliseconds, largest first.
    const UNITS: [(&str, u64); 8] = [
        ("y", 365 * 24 * 3_600_000),
        ("M", 30 * 24 * 3_600_000),
        ("w", 7 * 24 * 3_600_000),
        ("d", 24 * 3_600_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ];
    let mut rest = text.trim_start_matches(' ');
    let mut total: u64 = 0;
    let mut next_unit = 0;
    loop {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let count = digits(&rest[..length])?;
        rest = &rest[length..];
        let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let name = if length == 0 { "s" } else { &rest[..length] };
        let at = UNITS.iter().position(|(unit, _)| *unit == name)?;
        if at < next_unit {
            return None;
        }
        next_unit = at + 1;
        total = total.checked_add(count.checked_mul(UNITS[at].1)?)?;
        rest = rest[length..].trim_start_matches(' ');
        if rest.is_empty() {
            return Some(Dur(Duration::from_millis(total)));
        }
    }
}

/// The value behind `name=`.
pub(crate) fn param<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.strip_prefix(name)?.strip_prefix('=')
}

#[cfg(test)]
mod tests;
