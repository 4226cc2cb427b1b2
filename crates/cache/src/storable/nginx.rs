//! How nginx reads an origin (`ngx_http_upstream_process_*`): less than RFC 9111 asks for, and widely relied upon.

use super::{Exchange, Rules, Why, accel_expires_s, is_there};
use crate::age::date_s;
use crate::control::Directives;
use crate::stored::{Terms, Times};
use bifrons_http::Name;

const ACCEL_EXPIRES: &str = "x-accel-expires";

/// Times by `X-Accel-Expires`, else `Cache-Control`, else `Expires`, else by status.
pub(super) fn judge(
    rules: &Rules,
    exchange: &Exchange<'_>,
    control: &Directives,
) -> Result<(Times, Terms), Why> {
    let (headers, now_s) = (&exchange.res.headers, exchange.received_s);
    let accel = headers.get(ACCEL_EXPIRES).filter(|_| !rules.ignored.x_accel_expires);
    let accel = accel.and_then(|value| accel_expires_s(value, now_s));
    let by_control = || -> Result<Option<u64>, Why> {
        if is_there(&control.no_cache) {
            return Err(Why::NoCache);
        }
        if control.no_store {
            return Err(Why::NoStore);
        }
        if is_there(&control.private) {
            return Err(Why::Private);
        }
        Ok(control.s_maxage.or(control.max_age))
    };
    let by_expires = || {
        let has_one = headers.has(Name::Expires) && !rules.ignored.expires;
        has_one.then(|| date_s(headers, Name::Expires).unwrap_or(0).saturating_sub(now_s))
    };
    let said = match accel {
        Some(seconds) => Some(seconds),
        None => by_control()?.or_else(by_expires),
    };
    let configured = rules.ttl.iter().find(|(status, _)| *status == exchange.res.status || *status == 0);
    let lifetime_s = match said.or(configured.map(|(_, seconds)| *seconds)) {
        Some(0) => return Err(Why::Expired),
        Some(seconds) => seconds,
        None => return Err(Why::NoLifetime),
    };
    let times = Times {
        received_s: now_s,
        initial_age_s: 0,
        lifetime_s,
        while_revalidate_s: control.stale_while_revalidate.unwrap_or(0),
        if_error_s: control.stale_if_error.unwrap_or(0),
    };
    // `valid_sec >= now` (ngx_http_file_cache_read).
    Ok((times, Terms { to_the_end: true, ..Terms::default() }))
}
