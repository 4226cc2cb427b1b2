//! Whether an answer may be stored, and on what terms (RFC 9111 3).

use crate::age::{Heuristic, Lifetime, initial_age_s, lifetime};
use crate::config::Standard;
use crate::control::{Directives, Scope, seconds};
use crate::slice::Version;
use crate::stored::{Stored, Terms, Times};
use crate::vary::{self, NoVariant};
use bifrons_http::name::FieldName;
use bifrons_http::{Headers, Method, Name, RequestHead, ResponseHead, date};
use std::ops::Range;
use std::time::{Duration, UNIX_EPOCH};

mod guard;
mod nginx;

/// What of an answer counts for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored {
    /// `Cache-Control`.
    pub cache_control: bool,
    /// `Expires`.
    pub expires: bool,
    /// `Set-Cookie` that would keep it from being stored.
    pub set_cookie: bool,
    /// `Vary`.
    pub vary: bool,
    /// `X-Accel-Expires`.
    pub x_accel_expires: bool,
}

/// A route's rules for storing.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// How the origin is read.
    pub standard: Standard,
    /// What counts for nothing.
    pub ignored: Ignored,
    /// Guessing.
    pub heuristic: Heuristic,
    /// Lifetimes by status where the origin says nothing; 0: any status. The first that fits counts.
    pub ttl: Vec<(u16, u64)>,
    /// Fields that are meant for caches like this one; the first that is there and can be read counts (RFC 9213).
    pub targets: Vec<FieldName>,
    /// Whether requests have a say (`no-cache`, `max-age`, …).
    pub heeds_requests: bool,
    /// Whether paths that look like a file of one type and are answered with another are not stored.
    pub guards_types: bool,
}

/// Why an answer is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The request's method.
    Method,
    /// The status, or what it says.
    Status,
    /// `no-store` of the answer.
    NoStore,
    /// `no-store` of the request.
    RequestNoStore,
    /// `private`.
    Private,
    /// `no-cache`, where that is not stored.
    NoCache,
    /// The request is authorised, and the answer does not say that others may have it.
    Authorization,
    /// It sets a cookie.
    SetCookie,
    /// `Vary: *`, or too many fields.
    Vary,
    /// Nothing says how long it is good for.
    NoLifetime,
    /// It would be stale at once, and nothing could confirm it.
    Expired,
    /// The path looks like a file of another type.
    Type,
    /// The request says in a field beside the key what it means.
    Override,
    /// The configuration says so.
    Configured,
    /// It was not asked for often enough.
    Uses,
}

impl Why {
    /// Whether it says nothing of the next request for the same.
    pub fn is_own(self) -> bool {
        matches!(self, Self::RequestNoStore | Self::Authorization | Self::Override | Self::Configured)
    }

    /// A word for `Cache-Status` and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::RequestNoStore => "request-no-store",
            Self::Private => "private",
            Self::NoCache => "no-cache",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
            Self::NoLifetime => "no-lifetime",
            Self::Expired => "expired",
            Self::Type => "type",
            Self::Override => "override",
            Self::Configured => "configured",
            Self::Uses => "uses",
        }
    }
}

/// Everything an answer is judged by.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// The request as the client sent it.
    pub req: &'a RequestHead,
    /// Whether it carried credentials.
    pub is_authorized: bool,
    /// The answer.
    pub res: &'a ResponseHead,
    /// The slice that was asked for; `None` or empty: the whole.
    pub slice: Option<&'a Range<u64>>,
    /// When it was asked for, in seconds since 1970.
    pub requested_s: u64,
    /// When its head had come.
    pub received_s: u64,
}

/// An answer that may be stored.
#[derive(Debug)]
pub struct Storable {
    /// As it will be answered.
    pub stored: Stored,
    /// What of a request selects it.
    pub variant: Vec<u8>,
    /// Fields that are not stored since `no-cache` or `private` names them: for who asked first.
    pub own: Headers,
}

/// Whether the answer may be stored.
///
/// # Errors
/// Why not.
pub fn judge(rules: &Rules, exchange: &Exchange<'_>) -> Result<Storable, Why> {
    let Exchange { req, res, .. } = exchange;
    // 304 is no answer of its own.
    if res.status < 200 || res.status == 304 || !is_whole(exchange) {
        return Err(Why::Status);
    }
    let (targeted, control) = directives(rules, res);
    let (times, terms) = match rules.standard {
        Standard::Rfc9111 => rfc9111(rules, exchange, (&control, targeted))?,
        Standard::Nginx => nginx::judge(rules, exchange, &control)?,
    };
    let mut fields: Vec<&str> = Vec::new();
    if rules.standard == Standard::Rfc9111 {
        fields.extend(control.no_cache.fields().iter().chain(control.private.fields()).map(String::as_str));
    }
    let hides_cookie = fields.contains(&"set-cookie");
    if res.headers.has(Name::SetCookie) && !rules.ignored.set_cookie && !hides_cookie {
        return Err(Why::SetCookie);
    }
    if rules.guards_types && !guard::is_plausible(req.path(), res.headers.get(Name::ContentType)) {
        return Err(Why::Type);
    }
    let variant = match rules.ignored.vary {
        true => Vec::new(),
        false => vary::variant(&res.headers, &req.headers).map_err(|why| match why {
            NoVariant::Star | NoVariant::TooMany => Why::Vary,
        })?,
    };
    let mut head = head_to_store(rules.standard, res, &fields);
    if rules.standard == Standard::Rfc9111 && !head.headers.has(Name::Date) {
        // RFC 9110 6.6.1: when it came, for caches behind us.
        let at = UNIX_EPOCH + Duration::from_secs(exchange.received_s);
        head.headers.append_as("Date", date::format(at).as_bytes());
    }
    let mut own = Headers::new();
    for (_, name, value) in res.headers.iter().filter(|_| !fields.is_empty()) {
        if is_named(&fields, name) {
            own.append(name, value);
        }
    }
    Ok(Storable { stored: Stored { head, times, terms }, variant, own })
}

/// Whether the answer is the one to all who ask for the same. Partial content is that only as a slice, whose key says so
/// (RFC 9111 3.3), and a whole one in place of a slice only where it is found again: under the key of the first.
fn is_whole(exchange: &Exchange<'_>) -> bool {
    let slice = exchange.slice.filter(|slice| !slice.is_empty());
    match (exchange.res.status, slice) {
        (206, slice) => slice.is_some_and(|slice| Version::of(exchange.res, slice).is_some()),
        (200, Some(slice)) => slice.start == 0,
        _ => true,
    }
}

/// The directives that count, and whether they are of a field meant for us (RFC 9213 2.2).
fn directives(rules: &Rules, res: &ResponseHead) -> (bool, Directives) {
    for target in &rules.targets {
        let found = match target.text().eq_ignore_ascii_case("surrogate-control") {
            true => Directives::of_surrogate(&res.headers),
            false => Directives::of_target(&res.headers, target.text()),
        };
        if let Some(found) = found {
            return (true, found);
        }
    }
    match rules.ignored.cache_control {
        true => (false, Directives::default()),
        false => (false, Directives::of(&res.headers)),
    }
}

fn rfc9111(
    rules: &Rules,
    exchange: &Exchange<'_>,
    (control, targeted): (&Directives, bool),
) -> Result<(Times, Terms), Why> {
    let Exchange { req, res, received_s, .. } = *exchange;
    // A slice is good for as long as the whole.
    let status = if res.status == 206 { 200 } else { res.status };
    // RFC 9111 5.2.2.3: whoever understands the status may ignore `no-store` beside it.
    let is_understood = control.must_understand && is_understood(status);
    if control.must_understand && !is_understood {
        return Err(Why::Status);
    }
    if control.no_store && !is_understood {
        return Err(Why::NoStore);
    }
    if rules.heeds_requests && Directives::of(&req.headers).no_store {
        return Err(Why::RequestNoStore);
    }
    if control.private.is_all() {
        return Err(Why::Private);
    }
    // RFC 9111 3.5.
    let for_all = control.public || control.s_maxage.is_some() || control.must_revalidate;
    if exchange.is_authorized && !for_all {
        return Err(Why::Authorization);
    }
    let mut headers = std::borrow::Cow::Borrowed(&res.headers);
    if rules.ignored.expires && headers.has(Name::Expires) {
        headers.to_mut().remove(Name::Expires);
    }
    let said = lifetime((status, &headers), control, targeted, (received_s, rules.heuristic));
    let configured = rules.ttl.iter().find(|(of, _)| *of == status || *of == 0);
    let (lifetime_s, heuristic) = match (said, configured) {
        (Lifetime::Said(seconds), _) => (seconds, false),
        (_, Some((_, seconds))) => (*seconds, false),
        (Lifetime::Guessed(seconds), None) => (seconds, true),
        // `no-cache` and its kin say that it may be stored, though not for how long.
        (Lifetime::Unknown, None) if control.no_cache.is_all() => (0, false),
        (Lifetime::Unknown, None) => return Err(Why::NoLifetime),
    };
    let times = Times {
        received_s,
        initial_age_s: initial_age_s(&res.headers, exchange.requested_s, received_s),
        lifetime_s,
        while_revalidate_s: control.stale_while_revalidate.unwrap_or(0),
        if_error_s: control.stale_if_error.unwrap_or(0),
    };
    let terms = Terms {
        no_cache: control.no_cache.is_all(),
        // RFC 9111 5.2.2.10: s-maxage has the meaning of proxy-revalidate too.
        must_revalidate: control.must_revalidate || control.proxy_revalidate || control.s_maxage.is_some(),
        immutable: control.immutable,
        heuristic,
        to_the_end: false,
    };
    let is_confirmable = res.headers.has(Name::Etag) || res.headers.has(Name::LastModified);
    let has_use = times.initial_age_s < lifetime_s && !terms.no_cache
        || times.while_revalidate_s.max(times.if_error_s) > 0;
    if has_use || is_confirmable { Ok((times, terms)) } else { Err(Why::Expired) }
}

/// Statuses whose meaning for caches is implemented here: all of RFC 9110 but those about ranges and protocols.
fn is_understood(status: u16) -> bool {
    matches!(status, 200..=205 | 300..=303 | 305..=308 | 400..=417 | 421..=422 | 426 | 500..=505)
}

/// What of a head is stored (RFC 9111 3.1): not what concerns one connection, not what is made anew with every answer,
/// and not the fields that `no-cache` or `private` name.
fn head_to_store(standard: Standard, res: &ResponseHead, without: &[&str]) -> ResponseHead {
    let mut head = ResponseHead::new(res.status);
    let named: Vec<&[u8]> =
        res.headers.get_all(Name::Connection).flat_map(bifrons_http::headers::list_members).collect();
    for (id, name, value) in res.headers.iter() {
        let is_left_out = id.is_hop_by_hop()
            || matches!(id, Name::ContentLength | Name::ProxyAuthenticate | Name::ProxyAuthorization)
            || name.eq_ignore_ascii_case(b"proxy-authentication-info")
            // nginx passes it on as it came.
            || id == Name::Age && standard == Standard::Rfc9111
            || named.iter().any(|other| name.eq_ignore_ascii_case(other))
            || is_named(without, name);
        if !is_left_out {
            head.headers.append(name, value);
        }
    }
    head
}

fn is_named(fields: &[&str], name: &[u8]) -> bool {
    fields.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()))
}

/// Whether the request is one that answers may be stored of; those to POST where they are asked for.
pub fn is_cacheable(method: Method, post: bool) -> bool {
    matches!(method, Method::Get | Method::Head) || post && method == Method::Post
}

/// Seconds of `X-Accel-Expires`: a number, or `@` and a moment.
pub(crate) fn accel_expires_s(value: &[u8], now_s: u64) -> Option<u64> {
    match value {
        [b'@', at @ ..] => {
            // Moments are beyond what a number of seconds may be.
            let digits = std::str::from_utf8(at).ok()?;
            digits.parse::<u64>().ok().map(|at| at.saturating_sub(now_s))
        }
        _ => seconds(value),
    }
}

/// Whether a scope means anything at all.
pub(crate) fn is_there(scope: &Scope) -> bool {
    *scope != Scope::None
}

#[cfg(test)]
mod tests;
