//! Step 5. Attempt after attempt: what goes upstream, retries, budgets.

use crate::attempt::{self, Freshness, Sent};
use crate::bodies;
use crate::destination::{self, Destination, Target};
use crate::forwarded;
use crate::request::Task;
use crate::snapshot::{HostSent, ProxyPlan, ReplacePath};
use crate::sticky;
use bifrons_balance::{NoEndpoint, Outcome, PickCx, Picked, TriedSet};
use bifrons_config::Template;
use bifrons_core::{Error, Kind, Result, Retry, Side};
use bifrons_http::h1::write;
use bifrons_http::head::OwnMethod;
use bifrons_http::name::is_field_value;
use bifrons_http::vars::Scope;
use bifrons_http::{Body, Method, Request, RequestHead, Response};
use bifrons_net::clock;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tokio::time::Instant;

/// 3: kept connections that may turn out dead in one request; after that a fresh one is asked for.
const STALE_MAX: u32 = 3;
/// 1,000: attempts where the configuration sets no bound and a cluster is that large.
const ATTEMPTS_MAX: u32 = 1000;

/// Sends the request to the route's cluster and gives back the answer's head, its body still to come.
///
/// # Errors
/// What the last attempt says.
pub async fn forward(plan: &ProxyPlan, task: &mut Task<'_>, req: &mut Request) -> Result<Response> {
    task.cx.conn.local.get_or_init(|| task.conn.http.stream().local_addr());
    // An earlier route may have had one.
    task.cx.proxy_host = None;
    let destination = match &plan.url {
        None => Destination::of(task.local, plan.cluster)?,
        // Boxed, as it is rare and may wait.
        Some(text) if plan.is_raw => {
            let by = (&*task.conn.worker, &**task.local);
            Box::pin(destination::by_name(text, plan.cluster, by, (&task.cx, &req.head))).await?
        }
        Some(url) => Box::pin(destination::by_url(url, plan.cluster, task, req)).await?,
    };
    task.destination = Some(destination.clone());
    let target = destination.target();
    task.cx.cluster = Some(target.plan.name.clone());
    task.cx.begin_attempts();
    if bodies::is_collected(plan, &req.body) && !bodies::is_in_hand(plan, task, req) {
        Box::pin(bodies::collect_body(plan, task, req)).await?;
    }
    // What the request is balanced by is the client's, whatever is sent on.
    let tries = Tries::new(plan, task, &req.head, target);
    let own_method = prepare(plan, task, req);
    let mut outcome = try_endpoints(tries, task, req).await;
    if let Some(own) = own_method {
        let sent = req.head.method();
        req.head.restore_method(own);
        if let Ok(res) = &mut outcome {
            bodies::settle_head(sent, req.head.method(), res);
        }
    }
    if let Ok(res) = &mut outcome {
        bodies::heed(plan, task, &req.head, res);
    }
    outcome
}

async fn try_endpoints(mut tries: Tries<'_>, task: &mut Task<'_>, req: &mut Request) -> Result<Response> {
    let (plan, cluster) = (tries.plan, tries.target.plan);
    // An answer that another endpoint might have bettered: where none does, it is the client's.
    let mut in_hand = None;
    loop {
        let picked = match tries.pick(task) {
            Ok(picked) => picked,
            // Boxed, as it is rare and waits.
            Err(err) if err.kind() == Kind::Busy && in_hand.is_none() => {
                Box::pin(tries.wait(task, err)).await?
            }
            Err(err) => return in_hand.map(|res: Box<Response>| *res).ok_or(err),
        };
        let endpoint = picked.endpoint().clone();
        let mut outcome = attempt::attempt(plan, cluster, task, req, (picked, tries.freshness())).await;
        let now_ms = task.conn.worker.shared.ms_at(clock::recent());
        let verdict = tries.judge(req, &outcome);
        tries.report(task, &endpoint, &verdict, now_ms);
        match verdict {
            Verdict::Done => {
                if let (Some(sticky), Ok(res)) = (&cluster.sticky, &mut outcome) {
                    sticky::note(sticky, task, (&req.head, res), (&endpoint, tries.wanted.as_deref()));
                }
                return match (outcome, in_hand) {
                    (Err(err), Some(in_hand)) if err.side() == Side::Upstream => Ok(*in_hand),
                    (outcome, _) => outcome,
                };
            }
            Verdict::Again { .. } => {
                in_hand = outcome.ok().map(Box::new).or(in_hand);
                task.conn.worker.shard.inc(cluster.stats.retries);
            }
        }
    }
}

/// Changes the head once for all attempts: path, fields, marks. Gives back the client's method where another
/// is sent.
fn prepare(plan: &ProxyPlan, task: &mut Task<'_>, req: &mut Request) -> Option<OwnMethod> {
    let own_method = plan.bodies.sent.as_ref().and_then(|sent| bodies::replace(sent, task, req));
    plan.edits.apply_request(&task.cx, &mut req.head);
    write::strip_connection_named(&mut req.head.headers);
    forwarded::write_fields(&plan.forwarded, task.listener, &task.cx, &mut req.head);
    forwarded::mark_via(task.listener, &mut req.head);
    forwarded::mark_cdn_loop(task.listener, &mut req.head);
    if let Some(replace) = &plan.replace_path
        && !task.cx.is_final
    {
        replace_path(replace, task, &mut req.head);
    }
    own_method
}

/// The new path: what replaces the matched part, the rest, the query.
fn replace_path(replace: &ReplacePath, task: &Task<'_>, head: &mut RequestHead) {
    let decoded = task.cx.path.as_deref();
    let path = decoded.unwrap_or(head.path());
    let rest = replace.strip.and_then(|len| path.get(len..)).unwrap_or_default();
    let mut target = replace.with.clone();
    match decoded {
        Some(_) => bifrons_route::path::escape_path(rest, &mut target),
        None => target.extend_from_slice(rest),
    }
    if let Some(query) = head.query() {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    head.set_target(&target);
}

/// What one attempt's outcome means for the next.
enum Verdict {
    /// The outcome stands.
    Done,
    /// Another attempt is made.
    Again {
        /// Whether the endpoint is to blame.
        failed: bool,
    },
}

/// The bookkeeping of a request's attempts.
struct Tries<'a> {
    plan: &'a ProxyPlan,
    target: Target<'a>,
    tried: TriedSet,
    /// What the policy balances by.
    key: Option<Vec<u8>>,
    /// The endpoint the request belongs to.
    wanted: Option<Vec<u8>>,
    /// The endpoint that the client has a connection of its own to.
    pinned: Option<Box<str>>,
    made: u32,
    began: Instant,
    /// Kept connections that turned out dead.
    stale: u32,
}

impl<'a> Tries<'a> {
    fn new(plan: &'a ProxyPlan, task: &Task<'_>, head: &RequestHead, target: Target<'a>) -> Self {
        let key = target.plan.balance.key().map(|template| {
            let mut bytes = Vec::new();
            template.render(&Scope { cx: &task.cx, req: head, res: None }, &mut bytes);
            bytes
        });
        let wanted = target.plan.sticky.as_ref().and_then(|sticky| sticky::wanted(sticky, task, head));
        Self {
            plan,
            target,
            tried: TriedSet::default(),
            key,
            wanted,
            pinned: task.conn.pinned.endpoint(),
            made: 0,
            // The time of a body that was collected is the client's.
            began: if plan.bodies.collects { clock::recent() } else { task.cx.started },
            stale: 0,
        }
    }

    /// After so many dead ones a new connection.
    fn freshness(&self) -> Freshness {
        if self.stale < STALE_MAX { Freshness::Any } else { Freshness::New }
    }

    fn pick(&mut self, task: &Task<'_>) -> Result<Picked> {
        let worker = &task.conn.worker;
        let cx = PickCx {
            key: self.key.as_deref(),
            preferred: self.wanted.as_deref().or(self.pinned.as_deref().map(str::as_bytes)),
            client: task.cx.client_ip(),
            tried: &self.tried,
            now_ms: worker.shared.ms_at(task.cx.started),
            rng: &worker.rng,
        };
        let picked = self.target.cluster.pick(&cx).map_err(|none| match none {
            NoEndpoint::AllBusy => Error::upstream(Kind::Busy, "all endpoints are at max_conns"),
            none => Error::upstream(Kind::NoEndpoint, none.to_string()),
        })?;
        self.made += 1;
        self.tried.mark(&picked);
        Ok(picked)
    }

    /// Waits in the cluster's queue, if it has one with a place, until an endpoint has room.
    async fn wait(&mut self, task: &Task<'_>, busy: Error) -> Result<Picked> {
        let cluster = self.target.plan;
        let busy = match cluster.busy_status {
            502 => Error::upstream(Kind::NoEndpoint, busy.reason().to_owned()),
            _ => busy,
        };
        let Some(queue) = &cluster.queue else { return Err(busy) };
        let Some(place) = queue.enter() else { return Err(busy) };
        let deadline = Instant::now() + queue.timeout;
        loop {
            // Looked at after the place was taken, so that no room is missed.
            match self.pick(task) {
                Err(err) if err.kind() == Kind::Busy => {}
                picked => {
                    place.pass_on();
                    return picked;
                }
            }
            let (conn, abort) = (task.conn, self.plan.client_abort);
            let left = poll_fn(|cx| match attempt::client_left(cx, abort, conn) {
                Some(err) => Poll::Ready(err),
                None => Poll::Pending,
            });
            // All are cancel-safe: who stops waiting passes the news on. Biased: room goes before an end.
            let over = tokio::select! {
                biased;
                () = place.wait() => continue,
                left = left => left,
                () = tokio::time::sleep_until(deadline) => busy,
            };
            place.pass_on();
            return Err(over);
        }
    }

    /// Whether the outcome stands, by nginx's rules of `proxy_next_upstream`.
    fn judge(&mut self, req: &Request, outcome: &Result<Response>) -> Verdict {
        match outcome {
            Ok(res) if !self.plan.retry.statuses.contains(&res.head.status) => Verdict::Done,
            Ok(res) if self.may_repeat(req) && self.may_go_on() => {
                Verdict::Again { failed: is_failure(res.head.status) }
            }
            Ok(_) => Verdict::Done,
            Err(err) => self.judge_error(req, err),
        }
    }

    fn judge_error(&mut self, req: &Request, err: &Error) -> Verdict {
        if err.side() != Side::Upstream || !is_replayable(&req.body) {
            return Verdict::Done;
        }
        // The connection died while it was kept. That is no failure of the endpoint's and no attempt.
        if err.retryable() == Retry::Reused && self.stale < STALE_MAX && self.may_repeat(req) {
            self.stale += 1;
            self.made -= 1;
            self.tried = TriedSet::default();
            return Verdict::Again { failed: false };
        }
        // The endpoint has not processed it, and says so: it may go there again, on another connection.
        if err.retryable() == Retry::Unprocessed && self.stale < STALE_MAX {
            self.stale += 1;
            self.made -= 1;
            self.tried = TriedSet::default();
            return Verdict::Again { failed: false };
        }
        let retry = &self.plan.retry;
        let listed = match err.kind() {
            Kind::Timeout => retry.timeout,
            Kind::Malformed | Kind::HeadTooLarge => retry.invalid,
            _ => retry.error,
        };
        let repeatable = matches!(err.retryable(), Retry::Safe | Retry::Unprocessed) || self.may_repeat(req);
        if listed && repeatable && self.may_go_on() {
            return Verdict::Again { failed: true };
        }
        Verdict::Done
    }

    /// Whether attempts, time and endpoints are left.
    fn may_go_on(&self) -> bool {
        let within = self.plan.retry.within;
        self.has_more() && (within.is_zero() || self.began.elapsed() < within)
    }

    /// Whether attempts and endpoints are left.
    fn has_more(&self) -> bool {
        let endpoints = self.target.plan.shared.load().len() as u32;
        let allowed = match self.plan.retry.attempts {
            0 => endpoints.min(ATTEMPTS_MAX),
            attempts => attempts.min(endpoints),
        };
        self.made < allowed
    }

    /// Whether a request that may have reached an endpoint may go out again (RFC 9110 9.2.2).
    fn may_repeat(&self, req: &Request) -> bool {
        is_replayable(&req.body) && (req.head.method().is_idempotent() || self.plan.retry.non_idempotent)
    }

    /// Tells the balancer how the endpoint did.
    fn report(
        &self,
        task: &Task<'_>,
        endpoint: &Arc<bifrons_balance::Endpoint>,
        verdict: &Verdict,
        now_ms: u64,
    ) {
        let failed = match (verdict, task.cx.attempts.last()) {
            // Its connection was old, or the client left: nothing is known about the endpoint.
            (Verdict::Again { failed: false }, _) | (_, None) => return,
            (Verdict::Again { failed: true }, _) => true,
            (Verdict::Done, Some(last)) => {
                // As in nginx, a status is the client's to judge where no other endpoint could do better.
                let listed = self.plan.retry.statuses.contains(&last.status) && self.has_more();
                last.error.is_some() || listed && is_failure(last.status)
            }
        };
        if task.cx.attempts.last().is_some_and(|last| last.status == 0 && last.error.is_none()) {
            return;
        }
        let outcome = if failed { Outcome::Failure } else { Outcome::Success };
        let change = self.target.cluster.report(endpoint, outcome, now_ms);
        crate::record::endpoint_change(&task.conn.worker, self.target.plan, endpoint, change);
    }
}

/// Whether a status that is tried again elsewhere speaks against the endpoint: 403 and 404 never do, as in
/// nginx.
fn is_failure(status: u16) -> bool {
    !matches!(status, 403 | 404)
}

/// Whether the whole body is still in hand: what streams is given away with its first byte.
fn is_replayable(body: &Body) -> bool {
    !matches!(body, Body::Spent | Body::Tunnel(_))
}

/// The `Host` that is sent.
pub fn host_sent<'a>(
    plan: &ProxyPlan,
    task: &Task<'_>,
    head: &'a RequestHead,
    endpoint: &'a str,
    scratch: &'a mut Vec<u8>,
) -> &'a [u8] {
    match &plan.host {
        // A client of HTTP/1.0 may name no host; the endpoint is asked for its own then.
        HostSent::Pass if head.authority().is_empty() => endpoint.as_bytes(),
        HostSent::Pass => head.authority(),
        HostSent::Endpoint => endpoint.as_bytes(),
        HostSent::Set(template) => {
            render_host(template, task, head, scratch);
            scratch
        }
    }
}

fn render_host(template: &Template, task: &Task<'_>, head: &RequestHead, out: &mut Vec<u8>) {
    template.render(&Scope { cx: &task.cx, req: head, res: None }, out);
    if !is_field_value(out) {
        out.clear();
    }
}

/// How the request's body is delimited towards the endpoint.
pub fn delimit(sent: &Sent) -> write::Delimit {
    match (sent.body_len, sent.announced) {
        (Some(0), true) => write::Delimit::Length(0),
        // RFC 9110 8.6: a method that means content says that there is none.
        (Some(0), false) => match sent.method {
            Method::Post | Method::Put | Method::Patch => write::Delimit::Length(0),
            _ => write::Delimit::Nothing,
        },
        (Some(_), true) => write::Delimit::AsIs,
        (Some(len), false) => write::Delimit::Length(len),
        (None, _) => write::Delimit::Chunked,
    }
}
