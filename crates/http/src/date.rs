//! The date as HTTP writes it (RFC 9110 5.6.7).

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Appends the current date. The coarse clock is exact enough and a third of the price.
pub fn write_now(out: &mut Vec<u8>) {
    bifrons_core::time::http_date(now(), out);
}

/// The time by the coarse clock.
pub fn now() -> SystemTime {
    let seconds = clock_gettime(ClockId::RealtimeCoarse).tv_sec;
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// A date as HTTP writes it.
pub fn format(at: SystemTime) -> String {
    httpdate::fmt_http_date(at)
}

/// Reads a date in any of the three forms of RFC 9110 5.6.7.
pub fn parse(text: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()
}

#[cfg(test)]
mod tests;
