//! Times as logs and header fields write them. Each thread writes them out once a second and copies then.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use tz::TimeZone;

/// Appends local time in the Common Log Format, `24/Nov/2026:03:20:10 +0000` (nginx's `$time_local`).
pub fn time_local(now: SystemTime, out: &mut Vec<u8>) {
    stamped(now, |stamp| out.extend_from_slice(stamp.local.as_bytes()));
}

/// Appends local time as ISO 8601 writes it, `2026-11-24T03:20:10+00:00` (nginx's `$time_iso8601`).
pub fn time_iso8601(now: SystemTime, out: &mut Vec<u8>) {
    stamped(now, |stamp| out.extend_from_slice(stamp.iso.as_bytes()));
}

/// Appends an HTTP date, `Tue, 24 Nov 2026 03:20:10 GMT` (RFC 9110 5.6.7).
pub fn http_date(now: SystemTime, out: &mut Vec<u8>) {
    stamped(now, |stamp| out.extend_from_slice(stamp.http.as_bytes()));
}

/// Appends local time as syslog writes it, `Nov 24 03:20:10` (RFC 3164 4.1.2).
pub fn time_syslog(now: SystemTime, out: &mut Vec<u8>) {
    stamped(now, |stamp| out.extend_from_slice(stamp.syslog.as_bytes()));
}

/// Appends a time in UTC as ISO 8601 writes it, `2026-11-24T03:20:10Z`.
pub fn iso8601_utc(at: SystemTime, out: &mut Vec<u8>) {
    let at = Civil::of(unix_second(at));
    // Writing to a `Vec` cannot fail.
    let _ = write!(out, "{:04}-{:02}-{:02}T{}Z", at.year, at.month, at.day, at.clock());
}

/// Appends a time as listings of directories write it, `24-Nov-2026 03:20`.
pub fn listing(at: SystemTime, out: &mut Vec<u8>) {
    let at = Civil::of(unix_second(at));
    let (hour, minute) = (at.second_of_day / 3600, at.second_of_day / 60 % 60);
    let _ = write!(out, "{:02}-{}-{:04} {hour:02}:{minute:02}", at.day, MONTHS[at.month - 1], at.year);
}

/// Seconds that local time is ahead of UTC.
pub fn local_offset(now: SystemTime) -> i32 {
    offset(unix_second(now))
}

/// Appends seconds since 1970 with milliseconds, `1795490410.123` (nginx's `$msec`).
pub fn msec(now: SystemTime, out: &mut Vec<u8>) {
    seconds(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(), out);
}

/// Appends seconds with milliseconds, `0.005` (as nginx's `$request_time` and its kin).
pub fn seconds(span: Duration, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 24];
    let mut rest = span.as_secs();
    let millis = span.subsec_millis();
    let mut at = digits.len() - 4;
    digits[at] = b'.';
    digits[at + 1] = digit(millis / 100);
    digits[at + 2] = digit(millis / 10);
    digits[at + 3] = digit(millis);
    // 20 places are left, as many as the largest u64 has digits.
    loop {
        at -= 1;
        digits[at] = digit((rest % 10) as u32);
        rest /= 10;
        if rest == 0 || at == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn digit(value: u32) -> u8 {
    b'0' + (value % 10) as u8
}

/// One second, written out in every form.
#[derive(Default)]
struct Stamp {
    second: Option<i64>,
    local: String,
    iso: String,
    http: String,
    syslog: String,
}

thread_local! {
    static STAMP: RefCell<Stamp> = RefCell::default();
}

/// Calls `copy` with the second of `now`, writing it out anew only where it is another than last time.
fn stamped(now: SystemTime, copy: impl FnOnce(&Stamp)) {
    let second = unix_second(now);
    STAMP.with_borrow_mut(|stamp| {
        if stamp.second != Some(second) {
            stamp.fill(second, offset(second));
        }
        copy(stamp);
    });
}

/// 30 December 9999: what lies behind has five digits of year, which no format here allows.
const SECOND_MAX: i64 = 253_402_128_000;

/// Seconds since 1970; a clock before that time has not been set and counts as 1970.
fn unix_second(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(SECOND_MAX).min(SECOND_MAX)
}

/// Seconds that local time is ahead of UTC.
fn offset(second: i64) -> i32 {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    let zone = ZONE.get_or_init(|| local_zone(std::env::var("TZ").ok().as_deref()));
    zone.find_local_time_type(second).map_or(0, |kind| kind.ut_offset())
}

/// The zone that `TZ` names, else the machine's; UTC where neither can be read, as libc does.
fn local_zone(name: Option<&str>) -> TimeZone {
    match name {
        Some("") => TimeZone::utc(),
        Some(name) => TimeZone::from_posix_tz(name).unwrap_or_else(|_| TimeZone::utc()),
        None => TimeZone::local().unwrap_or_else(|_| TimeZone::utc()),
    }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// From the day of 1 January 1970 on.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

impl Stamp {
    /// Writes `second` in a zone that is `offset` seconds ahead of UTC. Writing to a `String` cannot fail.
    fn fill(&mut self, second: i64, offset: i32) {
        self.second = Some(second);
        let utc = Civil::of(second);
        let here = Civil::of(second + i64::from(offset));
        let (year, day, month) = (here.year, here.day, here.month);
        let name = MONTHS[month - 1];
        let sign = if offset < 0 { '-' } else { '+' };
        let (east_hours, east_minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
        for text in [&mut self.local, &mut self.iso, &mut self.http, &mut self.syslog] {
            text.clear();
        }
        let _ = write!(
            self.local,
            "{day:02}/{name}/{year:04}:{} {sign}{east_hours:02}{east_minutes:02}",
            here.clock()
        );
        let _ = write!(
            self.iso,
            "{year:04}-{month:02}-{day:02}T{}{sign}{east_hours:02}:{east_minutes:02}",
            here.clock()
        );
        let _ = write!(self.syslog, "{name} {day:2} {}", here.clock());
        let _ = write!(
            self.http,
            "{}, {:02} {} {:04} {} GMT",
            DAYS[utc.days.rem_euclid(7) as usize],
            utc.day,
            MONTHS[utc.month - 1],
            utc.year,
            utc.clock()
        );
    }
}

/// A second of the Gregorian calendar.
struct Civil {
    /// Since 1 January 1970.
    days: i64,
    year: i64,
    /// 1 to 12.
    month: usize,
    /// 1 to 31.
    day: i64,
    second_of_day: i64,
}

impl Civil {
    /// By Howard Hinnant's `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).
    fn of(second: i64) -> Self {
        let days = second.div_euclid(86_400);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // The year begins in March here, so that the leap day is its last.
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Self { days, year, month: month as usize, day, second_of_day: second.rem_euclid(86_400) }
    }

    fn clock(&self) -> String {
        let second = self.second_of_day;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }
}

#[cfg(test)]
mod tests;
