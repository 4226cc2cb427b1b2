//! Beside step 4: a route's answers from its cache. What is in memory and fresh is answered at once; the rest
//! may wait: for a disk, for another request's answer, for the origin. The rules are in `bifrons-cache`.

mod aside;
mod coded;
mod fetch;
mod purge;
mod share;
mod slice;
mod unkeyed;

pub(crate) use purge::purge_told;

use crate::action;
use crate::bodies;
use crate::destination;
use crate::outcome::Outcome;
use crate::request::Task;
use crate::snapshot::{Action, RoutePlan, Snapshot};
use bifrons_cache::answer::{answer, stored};
use bifrons_cache::conditions;
use bifrons_cache::config::Standard;
use bifrons_cache::control::Directives;
use bifrons_cache::key::{scheme_of, without_default_port};
use bifrons_cache::purge::Asked;
use bifrons_cache::range;
use bifrons_cache::slice::write_key;
use bifrons_cache::status::{self, Cause, Status, Told};
use bifrons_cache::storable::{Why, is_cacheable};
use bifrons_cache::stored::{Stored, Verdict};
use bifrons_cache::{CachePlan, CacheZone, age, vary};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::h1::framing;
use bifrons_http::headers::list_members;
use bifrons_http::vars::{Scope, host_of};
use bifrons_http::{Body, Method, Name, ReqCx, Request, RequestHead, Response, date};
use bifrons_observe::CacheResult;
use bifrons_store::{Found, Loading, Mode, Object, Purge};
use std::ops::Range;
use std::sync::Arc;

/// 16 KiB: what a POST may come with to be a part of a key.
const POST_BYTES_MAX: usize = 16 * 1024;

/// What the first look has found.
pub enum Looked {
    /// The answer.
    Done(Outcome),
    /// The request takes away what is stored.
    Purge,
    /// The answer comes in slices of so many bytes.
    Slices(u64),
    /// The request's body belongs to its key, and is to be collected.
    Collect,
    /// The cache has nothing to do with the request.
    Pass(Why),
    /// The origin may have to be asked.
    Ask(Box<Look>),
}

/// A request that the store has no answer for at once.
pub struct Look {
    /// Its key.
    key: Vec<u8>,
    /// The target that belongs to it.
    target: Vec<u8>,
    /// What the request says of caches.
    asked: Directives,
    /// What is stored, outdated.
    known: Option<Known>,
    /// What is stored, on disk.
    loading: Option<Loading>,
    /// Whether the store was not to be looked at.
    is_bypassed: bool,
    /// Whether the store has answers to other variants of the request.
    has_others: bool,
}

impl Look {
    /// Why the origin is asked.
    fn cause(&self) -> Cause {
        match &self.known {
            Some(known) if known.cause == Cause::Store => Cause::Outdated,
            Some(known) => known.cause,
            None if self.has_others => Cause::Variant,
            None => Cause::Store,
        }
    }
}

/// An answer that is stored, and what it is for this request.
#[derive(Clone)]
struct Known {
    object: Arc<Object>,
    verdict: Verdict,
    /// Why the origin is asked, if it is.
    cause: Cause,
}

impl Known {
    fn of(plan: &CachePlan, asked: &Directives, object: Arc<Object>, now_s: u64) -> Option<Self> {
        let none = Directives::default();
        let asked = if plan.rules.heeds_requests { asked } else { &none };
        let (stored, is_marked) = (stored(&object)?, object.is_marked_stale());
        let verdict = stored.verdict(asked, is_marked, now_s);
        let mut cause = Cause::Store;
        if verdict != Verdict::Fresh && stored.verdict(&none, is_marked, now_s) == Verdict::Fresh {
            cause = Cause::Request;
        }
        Some(Self { object, verdict, cause })
    }

    fn stored(&self) -> Option<&Stored> {
        stored(&self.object)
    }
}

/// The time by the clock of dates, in seconds since 1970.
fn now_s() -> u64 {
    age::unix_s(date::now())
}

/// Looks whether there is an answer in memory.
///
/// # Errors
/// When its body can't be read.
pub fn look(plan: &CachePlan, task: &mut Task<'_>, req: &RequestHead, body: &Body) -> Result<Looked> {
    let Some(zone) = &plan.zone else { return Ok(Looked::Pass(Why::Configured)) };
    if let Some(purge) = &plan.purge {
        match purge.asked(&Scope { cx: &task.cx, req, res: None }) {
            Asked::Nothing => {}
            Asked::Refused => return Ok(Looked::Done(Outcome::Own(Response::empty(403)))),
            Asked::Purge => return Ok(Looked::Purge),
        }
    }
    let method = req.method();
    if !is_cacheable(method, plan.post) || framing::asks_upgrade(req) {
        return Ok(Looked::Pass(Why::Method));
    }
    if !body.is_empty() {
        match (method, &task.cx.body) {
            (Method::Post, None) => return Ok(Looked::Collect),
            (Method::Post, Some(body)) if body.len() <= POST_BYTES_MAX => {}
            _ => return Ok(Looked::Pass(Why::Method)),
        }
    }
    let is_far = plan.range_max.is_some_and(|max| range::begins_at(req).is_some_and(|first| first > max));
    if is_far || plan.rules.standard == Standard::Rfc9111 && conditions::is_for_origin(req) {
        return Ok(Looked::Pass(Why::Configured));
    }
    if let Some(size) = plan.slice.filter(|_| task.cx.slice.is_none())
        && (method == Method::Get || method == Method::Head && plan.convert_head)
    {
        return Ok(Looked::Slices(size));
    }
    know_cluster(task, req);
    let scope = Scope { cx: &task.cx, req, res: None };
    let key = key_of(plan, &scope, req.target(), task.cx.slice.as_ref());
    let is_bypassed = plan.bypasses(&scope);
    let asked = asked(req);
    let (mut known, mut loading, mut has_others) = (None, None, false);
    let now_s = now_s();
    if !is_bypassed {
        let found = zone.store.find(&zone.store.key(&key), now_s, |variant| {
            let is_ours = vary::selects(variant, &req.headers);
            has_others |= !is_ours;
            is_ours
        });
        match found {
            Found::Nothing => {}
            Found::Memory(object) => known = Known::of(plan, &asked, object, now_s),
            Found::Disk(later) => loading = Some(later),
        }
    }
    if let Some(known) = known.as_ref().filter(|known| known.verdict == Verdict::Fresh) {
        return give(plan, task, req, known, (Status::Hit, false)).map(Looked::Done);
    }
    let target = req.target().to_vec();
    Ok(Looked::Ask(Box::new(Look { key, target, asked, known, loading, is_bypassed, has_others })))
}

/// The key of a request for that target, or for a slice of its answer.
fn key_of(plan: &CachePlan, scope: &Scope<'_>, target: &[u8], slice: Option<&Range<u64>>) -> Vec<u8> {
    let mut key = Vec::with_capacity(256);
    plan.key.write(scope, target, &mut key);
    if let Some(slice) = slice.filter(|slice| !slice.is_empty()) {
        write_key(slice, &mut key);
    }
    if plan.post && scope.req.method() == Method::Post && plan.rules.standard == Standard::Rfc9111 {
        key.extend_from_slice(b"\nPOST ");
        // The same bytes of another type are another question.
        for name in [Name::ContentType, Name::ContentEncoding] {
            key.extend_from_slice(scope.req.headers.get(name).unwrap_or_default());
            key.push(b'\n');
        }
        key.extend_from_slice(scope.cx.body.as_deref().unwrap_or_default());
    }
    key
}

/// What the request says of caches; `Pragma: no-cache` only where it says nothing in `Cache-Control` (RFC 9111 5.4).
fn asked(req: &RequestHead) -> Directives {
    let mut asked = Directives::default();
    if req.headers.has(Name::CacheControl) {
        asked = Directives::of(&req.headers);
    } else if req.headers.lists("pragma", "no-cache") {
        asked.no_cache = bifrons_cache::control::Scope::All;
    }
    asked
}

/// `$proxy_host` is part of keys, and known before the cluster is asked.
fn know_cluster(task: &mut Task<'_>, req: &RequestHead) {
    know_cluster_of(&task.route, &task.local.snapshot, (&mut task.cx, req));
}

fn know_cluster_of(route: &RoutePlan, snapshot: &Snapshot, (cx, req): (&mut ReqCx, &RequestHead)) {
    let Action::Proxy(plan) = &route.action else { return };
    if let Some(cluster) = snapshot.clusters.get(plan.cluster) {
        cx.cluster = Some(cluster.name.clone());
    }
    cx.proxy_host = plan.url.as_ref().and_then(|url| destination::host_of(url, cx, req));
}

/// Answers what the store had no answer for at once.
///
/// # Errors
/// What the origin's answering says.
pub async fn fetch(
    plan: &CachePlan,
    task: &mut Task<'_>,
    req: &mut Request,
    looked: Looked,
) -> Result<Outcome> {
    let mut look = match (looked, &plan.zone) {
        (Looked::Ask(look), Some(_)) => look,
        (Looked::Done(outcome), _) => return Ok(outcome),
        (Looked::Slices(size), _) => return slice::answer(plan, task, req, size).await,
        (Looked::Collect, _) => return collect(plan, task, req).await,
        (Looked::Purge, Some(zone)) => {
            let Some(purge) = &plan.purge else { return Ok(Outcome::Own(Response::empty(403))) };
            return purge::answer(plan, (&**zone, purge), task, &req.head).await;
        }
        (Looked::Pass(why), _) => return pass(plan, task, req, (Status::Miss, Some(why))).await,
        (Looked::Ask(_) | Looked::Purge, None) => return pass(plan, task, req, (Status::Miss, None)).await,
    };
    task.cx.cache_key = Some(look.key.as_slice().into());
    if let Some(loading) = look.loading.take()
        && let Some(object) = loading.wait().await
    {
        look.known = Known::of(plan, &look.asked, object, now_s());
        if let Some(known) = look.known.as_ref().filter(|known| known.verdict == Verdict::Fresh) {
            return give(plan, task, &req.head, known, (Status::Hit, false));
        }
    }
    if plan.rules.heeds_requests && look.asked.only_if_cached {
        // RFC 9111 5.2.1.7.
        return Ok(Outcome::Own(Response::empty(504)));
    }
    share::answer(plan, task, req, look).await
}

/// Collects the body of a POST, and looks again.
async fn collect(plan: &CachePlan, task: &mut Task<'_>, req: &mut Request) -> Result<Outcome> {
    if let Action::Proxy(proxy) = &task.route.clone().action
        && !bodies::is_in_hand(proxy, task, req)
    {
        bodies::collect_body(proxy, task, req).await?;
    }
    // What is in a file is in no key.
    if task.cx.body.is_none() && !req.body.is_empty() {
        return pass(plan, task, req, (Status::Miss, Some(Why::Method))).await;
    }
    match look(plan, task, &req.head, &req.body)? {
        Looked::Done(outcome) => Ok(outcome),
        // Boxed: it comes from there.
        looked => Box::pin(fetch(plan, task, req, looked)).await,
    }
}

/// The stored answer, with what is said of it.
fn give(
    plan: &CachePlan,
    task: &mut Task<'_>,
    req: &RequestHead,
    known: &Known,
    (status, is_collapsed): (Status, bool),
) -> Result<Outcome> {
    let damaged = || Error::local(Kind::Internal, "the head of a stored answer makes no sense");
    let stored = known.stored().ok_or_else(damaged)?;
    let now_s = now_s();
    if task.cx.slice.is_some() && stored.head.status == 200 {
        // The origin gives no slices: this is the whole, and what follows is as for any other.
        task.cx.slice = Some(0..0);
    }
    let is_hit = matches!(status, Status::Hit | Status::Stale | Status::Updating);
    let mut res = answer(req, (&known.object, stored), (&plan.manner(is_hit && !is_collapsed), now_s))?;
    let forwarded = match status {
        Status::Revalidated => Some(304),
        Status::Miss | Status::Expired | Status::Bypass => Some(stored.head.status),
        Status::Hit | Status::Stale | Status::Updating => None,
    };
    let told = Told {
        status,
        left_s: Some(stored.times.left_s(now_s)),
        forwarded,
        is_stored: matches!(status, Status::Miss | Status::Expired | Status::Bypass),
        is_collapsed,
        why: None,
        cause: known.cause,
    };
    note(plan, task, &mut res, &told);
    if let Some(zone) = plan.zone.as_ref().filter(|_| task.route.chain.codes()) {
        task.cx.coded_store =
            Some(Box::new(coded::Coded::new(zone, &known.object, (plan.rules.standard, now_s))));
    }
    // 412 and 416 are said here, whatever is stored.
    let is_own = res.head.status >= 400 && stored.head.status == 200;
    Ok(if is_own { Outcome::Own(res) } else { Outcome::Answer(res) })
}

/// Says what the cache did.
fn note(plan: &CachePlan, task: &mut Task<'_>, res: &mut Response, told: &Told) {
    task.cx.cache_status = Some(told.status.word());
    if let Some(zone) = &plan.zone {
        let result = match told.status {
            _ if told.is_collapsed => CacheResult::Collapsed,
            Status::Miss => CacheResult::Miss,
            Status::Bypass => CacheResult::Bypass,
            Status::Expired => CacheResult::Expired,
            Status::Stale => CacheResult::Stale,
            Status::Updating => CacheResult::Updating,
            Status::Revalidated => CacheResult::Revalidated,
            Status::Hit => CacheResult::Hit,
        };
        zone.stats.record(&task.conn.worker.shard, result);
    }
    if plan.cache_status {
        status::tell(&mut res.head, told);
    }
    if plan.x_cache_status {
        res.head.headers.set("X-Cache-Status", told.status.word().as_bytes());
    }
}

/// Sends the request on as if there were no cache; what it changes at the origin is forgotten here.
async fn pass(
    plan: &CachePlan,
    task: &mut Task<'_>,
    req: &mut Request,
    (status, why): (Status, Option<Why>),
) -> Result<Outcome> {
    let route = task.route.clone();
    let target = req.head.target().to_vec();
    let method = req.head.method();
    if let Some(range) = task.cx.slice_range() {
        conditions::drop_conditions(&mut req.head);
        req.head.headers.append_as("Range", range.as_bytes());
    }
    let outcome = action::answer(&route.action, task, req).await;
    let Ok(Outcome::Answer(mut res)) = outcome else { return outcome };
    if let Some(zone) = &plan.zone
        && !method.is_safe()
        && (200..400).contains(&res.head.status)
    {
        invalidate(plan, zone, task, &req.head, (&target, &res));
    }
    let told = Told {
        status,
        left_s: None,
        forwarded: Some(res.head.status),
        is_stored: false,
        is_collapsed: false,
        why,
        cause: Cause::Store,
    };
    if matches!(method, Method::Get | Method::Head) {
        note(plan, task, &mut res, &told);
    }
    Ok(Outcome::Answer(res))
}

/// Forgets what an unsafe request may have changed: its own URI, and those of the same origin that the answer names
/// (RFC 9111 4.4).
fn invalidate(
    plan: &CachePlan,
    zone: &CacheZone,
    task: &Task<'_>,
    req: &RequestHead,
    (target, res): (&[u8], &Response),
) {
    let scope = Scope { cx: &task.cx, req, res: None };
    let forget = |target: &[u8]| {
        zone.store.remove(&zone.store.key(&key_of(plan, &scope, target, None)));
        if plan.slice.is_some() {
            // How many slices there are nobody knows.
            let host = String::from_utf8_lossy(host_of(req.authority())).into_owned();
            let what = bifrons_store::Scope::Url(host + &String::from_utf8_lossy(target));
            if zone.store.purge(&Purge { zone: None, what, mode: Mode::Hard }).is_err() {
                tracing::warn!(zone = &*zone.name, "too many purges wait: slices may be outdated");
            }
        }
    };
    forget(target);
    for name in [Name::Location, Name::ContentLocation] {
        if let Some(value) = res.head.headers.get(name)
            && let Some(other) = of_same_origin(value, (scheme_of(&scope), req), target)
        {
            forget(&other);
        }
    }
}

/// Path and query that a reference leads to, if it stays with the origin.
fn of_same_origin(value: &[u8], (scheme, req): (&str, &RequestHead), base: &[u8]) -> Option<Vec<u8>> {
    let value = value.split(|b| *b == b'#').next().unwrap_or_default();
    let own = without_default_port(req.authority(), scheme);
    let of_authority = |rest: &[u8]| {
        let at = rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let is_own = without_default_port(authority, scheme).eq_ignore_ascii_case(own);
        is_own.then(|| if path.starts_with(b"/") { path.to_vec() } else { [b"/", path].concat() })
    };
    if let Some(rest) = value.strip_prefix(b"//") {
        return of_authority(rest);
    }
    if value.starts_with(b"/") {
        return Some(value.to_vec());
    }
    let scheme_end = value.windows(3).position(|three| three == b"://");
    if let Some(at) = scheme_end {
        let (own_scheme, rest) = (value.get(..at)?, value.get(at + 3..)?);
        return own_scheme.eq_ignore_ascii_case(scheme.as_bytes()).then(|| of_authority(rest)).flatten();
    }
    // A relative path (RFC 3986 5.2.3), without dots; others are left alone.
    let path = base.split(|b| *b == b'?').next().unwrap_or_default();
    let at = path.iter().rposition(|b| *b == b'/')?;
    let is_plain = !value.is_empty() && !value.starts_with(b".") && !value.starts_with(b"?");
    is_plain.then(|| [path.get(..=at).unwrap_or_default(), value].concat())
}

/// Tags that the answer carries for caches.
fn tags(res: &Response) -> Box<[u64]> {
    let headers = &res.head.headers;
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b',');
    let spaced = ["surrogate-key", "xkey"].into_iter().flat_map(|name| headers.get_all(name));
    let spaced = spaced.flat_map(|value| value.split(is_space)).filter(|tag| !tag.is_empty());
    let listed = headers.get_all("cache-tag").flat_map(list_members);
    let mut tags: Vec<u64> = spaced.chain(listed).map(bifrons_store::tag_hash).collect();
    tags.sort_unstable();
    tags.dedup();
    tags.into()
}
