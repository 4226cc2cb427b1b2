//! How old an answer is, and how old it may become (RFC 9111 4.2).

use crate::control::{Directives, SECONDS_MAX, seconds};
use bifrons_http::headers::list_members;
use bifrons_http::{Headers, Name, date};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub fn unix_s(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A field with one date; of several, and of what is no date, there is none (RFC 9110 5.6.7).
pub fn date_s(headers: &Headers, name: Name) -> Option<u64> {
    let mut values = headers.get_all(name);
    let only = values.next().filter(|_| values.next().is_none())?;
    let text = only.trim_ascii();
    date::parse(text).or_else(|| leniently(text)).map(unix_s)
}

/// A date whose words have another case (RFC 9111 4.2), or whose day of the week is another one.
fn leniently(text: &[u8]) -> Option<SystemTime> {
    let text = in_usual_case(text);
    let at = text.iter().position(|b| matches!(b, b',' | b' '))?;
    let (day, rest) = text.split_at(at);
    let is_short = day.len() == 3;
    DAYS.iter().find_map(|name| {
        let name = if is_short { name.get(..3)? } else { name };
        date::parse(&[name.as_bytes(), rest].concat())
    })
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A date with its words as they are usually written: caches read dates whatever their case (RFC 9111 4.2).
fn in_usual_case(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_ascii_lowercase();
    if let Some(zone) = out.last_chunk_mut::<3>().filter(|zone| *zone == b"gmt") {
        *zone = *b"GMT";
    }
    let mut is_first = true;
    for byte in &mut out {
        if is_first {
            byte.make_ascii_uppercase();
        }
        is_first = !byte.is_ascii_alphabetic();
    }
    out
}

/// `Age` as received. Of a list the first member counts, what is no number is ignored (RFC 9111 5.1).
pub fn age_value_s(headers: &Headers) -> u64 {
    let first = headers.get_all(Name::Age).flat_map(list_members).next();
    first.and_then(seconds).unwrap_or(0)
}

/// `corrected_initial_age` (RFC 9111 4.2.3): how old an answer was when its head had come.
pub fn initial_age_s(headers: &Headers, requested_s: u64, received_s: u64) -> u64 {
    // Without a date it was made when it came (RFC 9110 6.6.1).
    let date_s = date_s(headers, Name::Date).unwrap_or(received_s);
    let apparent_age = received_s.saturating_sub(date_s);
    let response_delay = received_s.saturating_sub(requested_s);
    let corrected_age_value = age_value_s(headers).saturating_add(response_delay);
    apparent_age.max(corrected_age_value).min(SECONDS_MAX)
}

/// Statuses that may be guessed about (RFC 9110 15.1).
pub fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Guessing: the share of the time since the last change that an answer may be used for, and its bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heuristic {
    /// RFC 9111 4.2.2 names 10 % as typical.
    pub percent: u8,
    /// The longest guess, in seconds.
    pub max_s: u64,
}

impl Default for Heuristic {
    fn default() -> Self {
        // A day: what was not changed for ten days may be gone tomorrow.
        Self { percent: 10, max_s: 24 * 60 * 60 }
    }
}

/// A lifetime, and what it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The origin said it.
    Said(u64),
    /// It was guessed.
    Guessed(u64),
    /// Nothing is known.
    Unknown,
}

/// The lifetime by the origin's own words (RFC 9111 4.2.1): `s-maxage`, `max-age`, `Expires`; else a guess.
/// `targeted`: the directives are of a field meant for us, beside which `Expires` counts for nothing (RFC 9213 2.2).
pub fn lifetime(
    (status, headers): (u16, &Headers),
    control: &Directives,
    targeted: bool,
    (received_s, heuristic): (u64, Heuristic),
) -> Lifetime {
    if let Some(seconds) = control.s_maxage.or(control.max_age) {
        return Lifetime::Said(seconds);
    }
    let made_s = date_s(headers, Name::Date).unwrap_or(received_s);
    if !targeted && headers.has(Name::Expires) {
        // What is no date, `0` above all, is in the past (RFC 9111 5.3).
        let expires_s = date_s(headers, Name::Expires).unwrap_or(0);
        return Lifetime::Said(expires_s.saturating_sub(made_s).min(SECONDS_MAX));
    }
    if !is_heuristically_cacheable(status) && !control.public {
        return Lifetime::Unknown;
    }
    match date_s(headers, Name::LastModified) {
        Some(changed_s) if heuristic.percent > 0 => {
            let unchanged_s = made_s.saturating_sub(changed_s);
            let guess = unchanged_s.saturating_mul(u64::from(heuristic.percent)) / 100;
            Lifetime::Guessed(guess.min(heuristic.max_s))
        }
        _ => Lifetime::Unknown,
    }
}

#[cfg(test)]
mod tests;
