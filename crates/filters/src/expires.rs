//! `expires`: says how long an answer may be kept, as nginx's directive of that name does.

use crate::filter::Filter;
use crate::response_headers;
use crate::spec::Spec;
use bifrons_config::Template;
use bifrons_core::Result as FlowResult;
use bifrons_core::time::local_offset;
use bifrons_http::vars::Scope;
use bifrons_http::{Name, ReqCx, RequestHead, ResponseHead, date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Sets `Expires` and `Cache-Control` of answers with status 200, 201, 204, 206, 301, 302, 303, 304, 307 and
/// 308, in place of those the answer has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How long: a time such as `30d` or `1h30m` (units `y`, `M`, `w`, `d`, `h`, `m`, `s`), where `0` and less
    /// mean not at all; `@15h30m` until that time of day; `max` ten years; `epoch` not at all; `off` says
    /// nothing. With variables, a value that is none of these says nothing either.
    pub time: Template,
    /// Whether the time counts from the answer's `Last-Modified`, where it has one, and not from now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_modified: bool,
}

impl Spec for Config {
    const NAME: &str = "expires";
    const EXAMPLE: &str = r#"{ time: 30d }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        let time = match self.time.as_text() {
            Some(text) => Time::Known(Expires::parse(text, self.from_modified)?),
            None => Time::Rendered(self.time.clone(), self.from_modified),
        };
        Ok(Arc::new(Running { time }))
    }
}

struct Running {
    time: Time,
}

enum Time {
    Known(Expires),
    Rendered(Template, bool),
}

/// When an answer is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expires {
    /// Nothing is said.
    Off,
    /// Before it came.
    Epoch,
    /// In ten years.
    Max,
    /// So many seconds from now on.
    After(i64),
    /// So many seconds from its last change on.
    AfterModified(i64),
    /// At that second of the day, by local time.
    Daily(i64),
}

impl Expires {
    /// From nginx's form.
    ///
    /// # Errors
    /// What is wrong with it, naming it.
    pub fn parse(text: &str, from_modified: bool) -> Result<Self, String> {
        let invalid =
            || format!("\"{text}\" is no time: write `30d`, `-1`, `@15h30m`, `epoch`, `max` or `off`");
        if let Some(time) = text.strip_prefix('@') {
            if from_modified {
                return Err(format!("daily time \"{text}\" cannot be used with \"modified\" parameter"));
            }
            let second = seconds(time).ok_or_else(invalid)?;
            if second > 86_400 {
                return Err(format!("daily time value \"{text}\" must be less than 24 hours"));
            }
            return Ok(Self::Daily(second));
        }
        match text {
            "epoch" => return Ok(Self::Epoch),
            "max" => return Ok(Self::Max),
            "off" => return Ok(Self::Off),
            _ => {}
        }
        let time = match text.strip_prefix('-') {
            Some(time) => -seconds(time).ok_or_else(invalid)?,
            None => seconds(text.strip_prefix('+').unwrap_or(text)).ok_or_else(invalid)?,
        };
        Ok(if from_modified { Self::AfterModified(time) } else { Self::After(time) })
    }
}

/// nginx's times in seconds: units from large to small, each at most once, seconds where none is given.
fn seconds(text: &str) -> Option<i64> {
    const DAY: i64 = 86_400;
    const UNITS: [(char, i64); 7] =
        [('y', 365 * DAY), ('M', 30 * DAY), ('w', 7 * DAY), ('d', DAY), ('h', 3600), ('m', 60), ('s', 1)];
    let (mut rest, mut units, mut total) = (text.trim(), &UNITS[..], 0i64);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let count: i64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let unit = rest.chars().next().filter(|c| *c != ' ').unwrap_or('s');
        let at = units.iter().position(|(name, _)| *name == unit)?;
        total = total.checked_add(count.checked_mul(units.get(at)?.1)?)?;
        units = units.get(at + 1..)?;
        rest = rest.strip_prefix(unit).unwrap_or(rest).trim_start();
    }
    Some(total)
}

impl Filter for Running {
    fn takes_requests(&self) -> bool {
        false
    }

    fn response(&self, cx: &mut ReqCx, req: &RequestHead, res: &mut ResponseHead) -> FlowResult<()> {
        if !response_headers::Config::NGINX_STATUSES.contains(&res.status) {
            return Ok(());
        }
        let expires = match &self.time {
            Time::Known(expires) => *expires,
            Time::Rendered(template, from_modified) => {
                let mut text = Vec::new();
                template.render(&Scope { cx, req, res: Some(res) }, &mut text);
                let text = String::from_utf8_lossy(&text);
                Expires::parse(&text, *from_modified).unwrap_or(Expires::Off)
            }
        };
        apply(expires, res, date::now());
        Ok(())
    }
}

/// Sets the fields as nginx does.
fn apply(expires: Expires, res: &mut ResponseHead, now: SystemTime) {
    let now_s = unix_s(now);
    let modified_s = || res.headers.get(Name::LastModified).and_then(date::parse).map(unix_s);
    let (at_s, is_past) = match expires {
        Expires::Off => return,
        Expires::Epoch => return set(res, "Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"),
        Expires::Max => return set(res, "Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000"),
        Expires::After(time) => (now_s.saturating_add(time), time < 0),
        Expires::AfterModified(time) => (modified_s().unwrap_or(now_s).saturating_add(time), time < 0),
        Expires::Daily(second) => (next(second, now_s), false),
    };
    let max_age = at_s.saturating_sub(now_s);
    let control = if is_past || max_age < 0 { "no-cache".to_owned() } else { format!("max-age={max_age}") };
    set(res, &date::format(at(at_s)), &control);
}

fn set(res: &mut ResponseHead, expires: &str, control: &str) {
    res.headers.set(Name::Expires.spelt("Expires"), expires.as_bytes());
    res.headers.set(Name::CacheControl.spelt("Cache-Control"), control.as_bytes());
}

/// When the clock next shows that second of the day.
fn next(second_of_day: i64, now_s: i64) -> i64 {
    const DAY: i64 = 86_400;
    let local = now_s + offset(now_s);
    let today = local - local.rem_euclid(DAY) + second_of_day;
    // By the offset of that time: it may change in between.
    let back = |local: i64| local - offset(local - offset(now_s));
    let next = back(today);
    if next > now_s { next } else { back(today + DAY) }
}

fn offset(unix_s: i64) -> i64 {
    i64::from(local_offset(at(unix_s)))
}

fn unix_s(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// 31 December 9999, the last day that HTTP can write (RFC 9110 5.6.7).
const LAST_S: u64 = 253_402_214_400;

fn at(unix_s: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(unix_s).unwrap_or(0).min(LAST_S))
}

#[cfg(test)]
mod tests;
