//! What of a request may change the origin's answer and is no part of its key: an answer that it may have changed is
//! not stored, since the next client has not said it.

use crate::snapshot::{Action, ProxyPlan, RoutePlan};
use bifrons_cache::CachePlan;
use bifrons_cache::config::Standard;
use bifrons_cache::storable::Why;
use bifrons_http::headers::list_members;
use bifrons_http::{Headers, Name, ReqCx};
use bifrons_model::ForwardedField;

/// Fields by which frameworks let a request name another method, path or host than its own: a GET that is a DELETE, or
/// `/` that is `/admin`.
const OVERRIDES: [&str; 9] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-original-host",
    "x-http-host-override",
    "x-host",
    "x-override-url",
];

/// What proxies tell of clients, where a client may say it itself.
const CLAIMS: [&str; 7] = [
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-prefix",
    "forwarded",
];

/// Whether an answer may be one for others, as far as it depends on fields.
///
/// # Errors
/// Why not.
pub(super) fn check(
    plan: &CachePlan,
    way: (&RoutePlan, &ReqCx),
    (asked, answer): (&Headers, &Headers),
) -> Result<(), Why> {
    if plan.rules.standard == Standard::Nginx {
        return Ok(());
    }
    if is_swayed(plan, way, (asked, answer)) {
        return Err(Why::Override);
    }
    if varies_by_us(plan, way.0, answer) { Err(Why::Vary) } else { Ok(()) }
}

/// Whether a field of the request, as it is sent, may have changed the answer without being a part of the key or in the
/// answer's `Vary`.
fn is_swayed(
    plan: &CachePlan,
    (route, cx): (&RoutePlan, &ReqCx),
    (asked, answer): (&Headers, &Headers),
) -> bool {
    if !plan.guards_overrides {
        return false;
    }
    let Action::Proxy(proxy) = &route.action else { return false };
    let is_unkeyed = |name: &&str| {
        let is_chosen =
            plan.key.has_field(name) || answer.get_all(Name::Vary).any(|value| names(value, name));
        asked.has(*name) && !is_chosen && !proxy.edits.replaces(name)
    };
    // What a trusted proxy says is a part of the key; what others say is dropped where we write fields of the kind.
    let claims = CLAIMS.iter().filter(|name| !cx.is_trusted && !is_dropped(proxy, name));
    OVERRIDES.iter().chain(claims).any(is_unkeyed)
}

/// Whether a client's field of that name never reaches the origin.
fn is_dropped(proxy: &ProxyPlan, name: &str) -> bool {
    let is_claim =
        matches!(name, "x-forwarded-host" | "x-forwarded-proto" | "x-forwarded-port" | "forwarded");
    is_claim && !proxy.forwarded.is_empty()
}

/// Whether the answer depends on a field that we write anew for every client: no request selects it then, as with
/// `Vary: *`.
fn varies_by_us(plan: &CachePlan, route: &RoutePlan, answer: &Headers) -> bool {
    let Action::Proxy(proxy) = &route.action else { return false };
    if plan.rules.ignored.vary || !answer.has(Name::Vary) {
        return false;
    }
    let is_ours = |name: &str| answer.get_all(Name::Vary).any(|value| names(value, name));
    proxy.forwarded.iter().any(|field| match field {
        ForwardedField::XForwardedFor => is_ours("x-forwarded-for"),
        ForwardedField::XRealIp => is_ours("x-real-ip"),
        ForwardedField::Forwarded => is_ours("forwarded"),
        ForwardedField::XRequestId => is_ours("x-request-id"),
        ForwardedField::Traceparent => is_ours("traceparent"),
        ForwardedField::XForwardedPort => is_ours("x-forwarded-port"),
        // Parts of the key, where that is one of a URL.
        ForwardedField::XForwardedProto => !plan.key.has_scheme() && is_ours("x-forwarded-proto"),
        ForwardedField::XForwardedHost => !plan.key.has_host() && is_ours("x-forwarded-host"),
    })
}

fn names(list: &[u8], name: &str) -> bool {
    list_members(list).any(|member| member.eq_ignore_ascii_case(name.as_bytes()))
}
