//! Sizes, durations and shares as configuration writes them: `64k`, `1m30s`, `5%`.

use crate::problem::HELP_MARK;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

/// Bytes. `k`, `m`, `g` and `t` are powers of 1024, as in nginx; `KiB`, `MB` and the like mean the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// A span of time: `500ms`, `60s`, `1m30s`, `1h`, `1d`, `1w`; a bare number is seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dur(pub Duration);

/// A share from nothing to all: `5%` or `0.05`. Exact to a billionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio {
    /// Billionths, at most [`BILLION`].
    billionths: u32,
}

const BILLION: u32 = 1_000_000_000;

/// Why a text is no size, duration or share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    /// What is wrong, naming the value.
    pub message: String,
    /// A right example.
    pub help: String,
}

impl UnitError {
    fn new(message: String, help: &str) -> Self {
        Self { message, help: help.to_owned() }
    }
}

/// Names and bytes, largest first. The first name of each is the one that [`Size`] prints.
const SIZE_UNITS: [(&[&str], u64); 5] = [
    (&["t", "tb", "tib"], 1 << 40),
    (&["g", "gb", "gib"], 1 << 30),
    (&["m", "mb", "mib"], 1 << 20),
    (&["k", "kb", "kib"], 1 << 10),
    (&["", "b"], 1),
];

const SIZE_HELP: &str = "write bytes with k, m, g or t, such as 64k, 10m or 1g";

impl Size {
    /// Whether it is none.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// `count` KiB.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// `count` MiB.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// The bytes as a length in memory; the largest one where they would not fit.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new(format!("{text:?} is not a size"), SIZE_HELP);
        let (digits, unit) = split_number(text.trim()).ok_or_else(wrong)?;
        let unit = unit.trim_start().to_ascii_lowercase();
        let (_, bytes) = SIZE_UNITS.iter().find(|(names, _)| names.contains(&&*unit)).ok_or_else(wrong)?;
        let too_large = || UnitError::new(format!("size {text:?} is too large"), "at most 16777215t fit");
        let count: u64 = digits.parse().map_err(|_| too_large())?;
        count.checked_mul(*bytes).map(Self).ok_or_else(too_large)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = SIZE_UNITS.iter().find(|(_, bytes)| self.0 != 0 && self.0.is_multiple_of(*bytes));
        match fits {
            Some((names, bytes)) => write!(f, "{}{}", self.0 / bytes, names[0]),
            None => f.write_str("0"),
        }
    }
}

const NANOS_A_SECOND: u128 = 1_000_000_000;
const DAY: u128 = 24 * 3600 * NANOS_A_SECOND;

/// Names and nanoseconds, largest first. `M` (months of 30 days) and `y` (365 days) are nginx's.
const DUR_UNITS: [(&str, u128); 10] = [
    ("y", 365 * DAY),
    ("M", 30 * DAY),
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", 3600 * NANOS_A_SECOND),
    ("m", 60 * NANOS_A_SECOND),
    ("s", NANOS_A_SECOND),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

const DUR_HELP: &str = "write a number with ms, s, m, h, d or w, such as 500ms, 60s or 1m30s";

impl Dur {
    /// Whether it is none.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// `count` seconds.
    pub const fn secs(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    /// `count` milliseconds.
    pub const fn millis(count: u64) -> Self {
        Self(Duration::from_millis(count))
    }
}

impl From<Dur> for Duration {
    fn from(dur: Dur) -> Self {
        dur.0
    }
}

impl From<Duration> for Dur {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Dur {
    type Err = UnitError;

    /// Units go from larger to smaller, each at most once; spaces may stand between them, as in nginx.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new(format!("{text:?} is not a duration"), DUR_HELP);
        let too_large = || {
            UnitError::new(
                format!("duration {text:?} is too large"),
                "write fewer or smaller units, such as 1w",
            )
        };
        let mut rest = text.trim();
        let mut nanos: u128 = 0;
        let mut smallest = u128::MAX;
        loop {
            let (digits, after) = split_number(rest).ok_or_else(wrong)?;
            let length = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let unit = dur_unit(&after[..length]).ok_or_else(wrong)?;
            if unit >= smallest {
                return Err(wrong());
            }
            smallest = unit;
            let count: u64 = digits.parse().map_err(|_| too_large())?;
            nanos += u128::from(count) * unit;
            rest = after[length..].trim_start();
            if rest.is_empty() {
                break;
            }
        }
        let secs = u64::try_from(nanos / NANOS_A_SECOND).map_err(|_| too_large())?;
        let subsec = u32::try_from(nanos % NANOS_A_SECOND).map_err(|_| too_large())?;
        Ok(Self(Duration::new(secs, subsec)))
    }
}

/// Nanoseconds of a unit. Case counts for `m` and `M` only; nothing at all means seconds.
fn dur_unit(name: &str) -> Option<u128> {
    if name.is_empty() {
        return Some(NANOS_A_SECOND);
    }
    let exact = DUR_UNITS.iter().find(|(unit, _)| *unit == name);
    exact
        .or_else(|| DUR_UNITS.iter().find(|(unit, _)| unit.eq_ignore_ascii_case(name)))
        .map(|(_, nanos)| *nanos)
}

impl fmt::Display for Dur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        // Months and years are never printed: a reader would have to know how long they are here.
        let fits = DUR_UNITS[2..].iter().find(|(_, unit)| nanos != 0 && nanos.is_multiple_of(*unit));
        match fits {
            Some((name, unit)) => write!(f, "{}{name}", nanos / unit),
            None => f.write_str("0s"),
        }
    }
}

const RATIO_HELP: &str = "write a share from 0% to 100%, such as 5% or 0.05";

impl Ratio {
    /// Nothing.
    pub const NONE: Self = Self { billionths: 0 };
    /// All.
    pub const ALL: Self = Self { billionths: BILLION };

    /// `count` per cent; more than 100 count as 100.
    pub const fn percent(count: u32) -> Self {
        let count = if count > 100 { 100 } else { count };
        Self { billionths: count * (BILLION / 100) }
    }

    /// From 0.0 to 1.0.
    pub fn as_f64(self) -> f64 {
        f64::from(self.billionths) / f64::from(BILLION)
    }

    /// From 0 to 1,000,000,000, for exact reckoning.
    pub const fn billionths(self) -> u32 {
        self.billionths
    }
}

impl FromStr for Ratio {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new(format!("{text:?} is not a share"), RATIO_HELP);
        let trimmed = text.trim();
        let (number, places) = match trimmed.strip_suffix('%') {
            Some(number) => (number.trim_end(), 7),
            None => (trimmed, 9),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || number.ends_with('.') {
            return Err(wrong());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > places {
            let message = format!("share {text:?} has too many decimal places");
            return Err(UnitError::new(message, "a share is exact to 0.0000001%"));
        }
        let outside = || UnitError::new(format!("share {text:?} is more than 100%"), RATIO_HELP);
        let billionths: u64 = format!("{whole}{fraction:0<places$}").parse().map_err(|_| outside())?;
        match u32::try_from(billionths) {
            Ok(billionths) if billionths <= BILLION => Ok(Self { billionths }),
            _ => Err(outside()),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a_percent = BILLION / 100;
        write!(f, "{}", self.billionths / a_percent)?;
        let rest = self.billionths % a_percent;
        if rest != 0 {
            write!(f, ".{}", format!("{rest:07}").trim_end_matches('0'))?;
        }
        f.write_str("%")
    }
}

/// The digits that `text` begins with (at least one) and what follows.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Takes a string or a number and reads its text.
struct Visitor<T> {
    expecting: &'static str,
    kind: PhantomData<T>,
}

impl<T: FromStr<Err = UnitError>> Visitor<T> {
    fn read<E: de::Error>(text: &str) -> Result<T, E> {
        text.parse().map_err(|error: UnitError| E::custom(format_args!("{error}{HELP_MARK}{}", error.help)))
    }
}

impl<T: FromStr<Err = UnitError>> de::Visitor<'_> for Visitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Self::read(text)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Self::read(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        Self::read(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Self::read(&number.to_string())
    }
}

/// Serde and schema of a unit: a string of `$pattern`, or a number.
macro_rules! text_or_number {
    ($unit:ident, $expecting:literal, $number:literal, $pattern:literal, $description:literal) => {
        impl Serialize for $unit {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $unit {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(Visitor { expecting: $expecting, kind: PhantomData })
            }
        }

        impl JsonSchema for $unit {
            fn schema_name() -> Cow<'static, str> {
                stringify!($unit).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": ["string", $number],
                    "pattern": $pattern,
                    "minimum": 0,
                    "description": $description,
                })
            }
        }
    };
}

text_or_number!(
    Size,
    "a size such as 64k",
    "integer",
    r"^[0-9]+ *([kKmMgGtT]([iI]?[bB])?|[bB])?$",
    "Bytes: `8192`, `64k`, `10m`, `1g`. Units are powers of 1024."
);
text_or_number!(
    Dur,
    "a duration such as 60s",
    "integer",
    r"^[0-9]+([a-zA-Z]+( *[0-9]+[a-zA-Z]+)*( *[0-9]+)?)?$",
    "A span of time: `500ms`, `60s`, `1m30s`, `1h`, `1d`, `1w`. A bare number is seconds."
);
text_or_number!(
    Ratio,
    "a share such as 5%",
    "number",
    r"^[0-9]+(\.[0-9]+)? *%?$",
    "A share from nothing to all: `5%` or `0.05`."
);

#[cfg(test)]
mod tests;
