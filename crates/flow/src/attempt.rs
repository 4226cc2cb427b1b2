//! Step 6. One try: take or dial a connection, send, wait for the head.

mod client;
mod interim;
mod said;
mod stream;

pub(crate) use client::client_left;
pub(crate) use interim::relay_interim;

use crate::bodies;
use crate::complaint;
use crate::forward;
use crate::pin;
use crate::queue::Queue;
use crate::record::{self, Share};
use crate::request::Task;
use crate::secure::{self, Offer};
use crate::snapshot::{ClusterPlan, ProxyPlan, Streams};
use crate::upload::Upload;
use bifrons_balance::policies::least_time::Measure;
use bifrons_balance::{Endpoint, EndpointAddr, Picked};
use bifrons_core::{Error, Kind, Result, Retry, Side};
use bifrons_http::buffers::Scratch;
use bifrons_http::h1::body::Pump;
use bifrons_http::h1::conn::Progress;
use bifrons_http::h1::framing::{self, Framing};
use bifrons_http::h1::write::{self, Persist, ToUpstream};
use bifrons_http::h1::{Conn, H1Body, Pace};
use bifrons_http::pool::{EndpointKey, Home};
use bifrons_http::{
    Attempt, Body, Method, Name, Request, RequestHead, Response, ResponseHead, Tunnel, Version,
};
use bifrons_net::{Addr, clock, dial};
use bytes::Bytes;
use client::unless_left;
use said::Said;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// 1,000: interim answers before the final one. A server that works for long may say so again and again (102),
/// each in the time that a head has; one that sends more never means to come to an end.
const INTERIM_MAX: u32 = 1000;

/// A connection to an endpoint, ready for a request.
struct Line {
    conn: Rc<Conn>,
    is_reused: bool,
    /// Whether it is the client's own.
    is_pinned: bool,
    connect_us: Option<u32>,
}

/// A connection that was made.
struct Made {
    conn: Conn,
    /// Whether HTTP/2 is spoken on it.
    is_http2: bool,
    /// How long it took, in µs.
    connect_us: u32,
}

impl Made {
    fn line(self) -> Line {
        let connect_us = Some(self.connect_us);
        Line { conn: Rc::new(self.conn), is_reused: false, is_pinned: false, connect_us }
    }
}

/// Which connections will do: those to that endpoint, kept ones or not, and whether what goes out on them can go
/// out twice.
type Which = (EndpointKey, Freshness, bool);

/// Which connections an attempt may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// A kept one, if there is one.
    Any,
    /// Only a new one: too many kept ones were dead.
    New,
}

/// What the head says about the body behind it.
pub struct Sent {
    /// The method.
    pub method: Method,
    /// Its length, if known.
    pub body_len: Option<u64>,
    /// Whether the head has a `Content-Length` of its own.
    pub announced: bool,
}

/// Sends the request to the endpoint and waits for the head of its answer.
///
/// # Errors
/// Of the upstream's side with what may be tried again; of the downstream's when the client or its body
/// failed.
pub async fn attempt(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &mut Task<'_>,
    req: &mut Request,
    (picked, freshness): (Picked, Freshness),
) -> Result<Response> {
    let endpoint = picked.endpoint().clone();
    let room = cluster.queue.as_ref().map(Queue::room);
    let share = Share::of(&task.conn.worker, cluster.stats.requests_active).with(room);
    task.active = Some((picked.into_active(), share));
    task.cx.attempts.push(Attempt::begin(endpoint.label().clone(), clock::recent()));
    let outcome = exchange(plan, cluster, task, req, (&endpoint, freshness)).await;
    if let (Err(err), Some(attempt)) = (&outcome, task.cx.attempts.last_mut())
        && err.side() == Side::Upstream
    {
        attempt.error = Some(err.kind());
        complaint::attempt(task, &req.head, err);
    }
    outcome
}

async fn exchange(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &mut Task<'_>,
    req: &mut Request,
    (endpoint, freshness): (&Arc<Endpoint>, Freshness),
) -> Result<Response> {
    let name = secure::upstream_name(cluster, task, &req.head, endpoint);
    let key = key_of(cluster, endpoint, name.as_deref());
    let is_repeatable =
        req.head.method().is_idempotent() && matches!(req.body, Body::Empty | Body::Full(_) | Body::File(_));
    let place = (&**endpoint, name.as_deref());
    let which = (key, freshness, is_repeatable);
    let line = match plan.streams {
        Streams::Never => connect(plan, cluster, task, (place, &req.head), which).await?,
        // Boxed, so that requests over HTTP/1 don't make room for it.
        _ => match Box::pin(stream::exchange(plan, cluster, task, req, (endpoint, place.1), which)).await? {
            stream::Outcome::Answered(res) => return Ok(res),
            stream::Outcome::Line(line) => line,
        },
    };
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.connect_us = line.connect_us;
    }
    if plan.is_raw {
        note_connected(task);
        return Ok(Response { head: ResponseHead::new(200), body: Body::Tunnel(Tunnel::Conn(line.conn)) });
    }
    let (sent_before, received_before) = (line.conn.sent(), line.conn.consumed());
    let said = plan.connection.as_ref().map(|fields| Box::new(Said::render(fields, task, &req.head)));
    let asked = || plan.version == Version::Http11 && framing::asks_upgrade(&req.head);
    let upgrade = said.as_deref().map_or(plan.upgrade, Said::upgrades) && asked();
    // A connection from an address of its own serves no other request.
    let kept = may_keep(plan, cluster);
    let keeps = kept && said.as_deref().is_none_or(Said::keeps);
    let pump = send(plan, task, req, &line, (endpoint, said.as_deref(), upgrade, keeps)).await?;
    let outcome = wait_for_head(plan, task, req, (&line, pump)).await;
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.sent = line.conn.sent() - sent_before;
        attempt.received = line.conn.consumed() - received_before;
    }
    let (head, pump) = outcome?;
    note_head(task, cluster, &head, endpoint);
    let framing = framing::response(&head, req.head.method(), upgrade)?;
    if framing == Framing::Tunnel {
        let asked = said.as_deref().map(Said::upgrade).or_else(|| req.head.headers.get(Name::Upgrade));
        framing::check_switch(&head, asked.unwrap_or_default())?;
    }
    if framing == Framing::Tunnel && pump.is_some() {
        // What is left of the body would run into the tunnel at a point that depends on timing.
        return Err(Error::upstream(Kind::Malformed, "switched protocols before the request had ended"));
    }
    let keeps = keeps && framing::response_keeps_alive(&head) && framing != Framing::UntilClose;
    let home = keeps.then(|| match line.is_pinned || pin::authenticates(&req.head, &head) {
        true => Home::pinned(task.conn.pinned.place(key, endpoint), cluster.keep),
        false => Home::new(task.conn.worker.pool.clone(), key, cluster.keep),
    });
    let body = body_of(plan, cluster, line.conn, framing, home, pump);
    if let Body::Full(bytes) = &body {
        note_body(task, bytes.len() as u64);
    }
    Ok(Response { head, body })
}

/// Whether connections may serve other requests: not those from an address of their own, nor those that say who
/// the client is.
fn may_keep(plan: &ProxyPlan, cluster: &ClusterPlan) -> bool {
    plan.keep_alive && cluster.keep.idle_max > 0 && plan.bind.is_none() && cluster.proxy_protocol.is_none()
}

/// A connection that is no request's has come about.
fn note_connected(task: &mut Task<'_>) {
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.status = 200;
    }
}

fn note_head(task: &mut Task<'_>, cluster: &ClusterPlan, head: &ResponseHead, endpoint: &Endpoint) {
    let Some(attempt) = task.cx.attempts.last_mut() else { return };
    let now = clock::read();
    let took = now - attempt.began;
    attempt.status = head.status;
    attempt.header_us = Some(micros(took));
    task.conn.worker.shard.observe(cluster.stats.head, took);
    if cluster.measures == Some(Measure::Header) {
        let now_ms = task.conn.worker.shared.ms_at(now);
        endpoint.state().times().note(Measure::Header, u64::from(micros(took)), now_ms);
    }
}

/// Notes a body that came with its head.
fn note_body(task: &mut Task<'_>, len: u64) {
    let Some(attempt) = task.cx.attempts.last_mut() else { return };
    attempt.body_received += len;
    attempt.received += len;
    attempt.response_us = attempt.header_us;
    record::endpoint_done(task);
}

/// The answer's body, with what is still being sent polled along with it.
fn body_of(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    conn: Rc<Conn>,
    framing: Framing,
    home: Option<Home>,
    pump: Option<Pump>,
) -> Body {
    match framing {
        Framing::Tunnel => return Body::Tunnel(Tunnel::Conn(conn)),
        Framing::None => {
            // With something still being sent the connection is of no further use and closes.
            if let (Some(home), None) = (home, &pump) {
                home.send(conn);
            }
            return Body::Empty;
        }
        _ => {}
    }
    conn.begin_body(framing, &cluster.limits, Pace::timeout(plan.read_timeout), u64::MAX);
    if pump.is_none()
        && let Some(bytes) = conn.take_whole_body()
    {
        if let Some(home) = home {
            home.send(conn);
        }
        return Body::Full(bytes);
    }
    Body::H1(Box::new(H1Body::with_pump(conn, home, pump)))
}

/// A kept connection, or one a sibling worker has kept, or a new one.
async fn connect(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &Task<'_>,
    ((endpoint, name), head): ((&Endpoint, Option<&str>), &RequestHead),
    which: Which,
) -> Result<Line> {
    match kept(plan, cluster, task, which).await {
        Some(line) => Ok(line),
        None => Ok(make(plan, cluster, task, ((endpoint, name), head), Offer::Nothing).await?.line()),
    }
}

/// A kept connection, the worker's own or a sibling's.
async fn kept(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &Task<'_>,
    (key, freshness, is_repeatable): Which,
) -> Option<Line> {
    let worker = &task.conn.worker;
    // From an address of its own it is always a new one.
    if may_keep(plan, cluster) && freshness == Freshness::Any {
        if let Some(conn) = task.conn.pinned.take(key)
            && (is_repeatable || conn.is_alive())
        {
            worker.shard.inc(cluster.stats.reuses);
            return Some(Line { conn, is_reused: true, is_pinned: true, connect_us: None });
        }
        // Bounded: the pool gets smaller with every turn.
        while let Some(conn) = worker.pool.take(key) {
            // What can't be sent twice goes only where the kernel, too, says that the peer is there.
            if is_repeatable || conn.is_alive() {
                worker.shard.inc(cluster.stats.reuses);
                return Some(Line { conn, is_reused: true, is_pinned: false, connect_us: None });
            }
        }
        // Boxed, as dialling is: what a request hardly ever needs must not make room in all of them.
        if let Some(conn) = Box::pin(crate::takeover::from_sibling(worker, key)).await {
            worker.shard.inc(cluster.stats.reuses);
            return Some(Line { conn, is_reused: true, is_pinned: false, connect_us: None });
        }
    }
    None
}

/// A new connection, encrypted where the cluster's are.
async fn make(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &Task<'_>,
    ((endpoint, name), head): ((&Endpoint, Option<&str>), &RequestHead),
    offer: Offer,
) -> Result<Made> {
    let worker = &task.conn.worker;
    let began = clock::read();
    let addr = match &endpoint.spec().address {
        EndpointAddr::Inet(addr) => Addr::Inet(*addr),
        EndpointAddr::Unix(path) => Addr::Unix(path.clone()),
    };
    worker.shard.inc(cluster.stats.connects);
    let bind = plan.bind.as_ref().and_then(|bind| said::address(bind, task, head)).or(cluster.bind);
    let dialled = Box::pin(dial::dial(&addr, bind, plan.connect_timeout));
    let stream = unless_left(plan.client_abort, task.conn, dialled).await?.map_err(|err| {
        worker.shard.inc(cluster.stats.connect_failures);
        let kind = if err.kind() == std::io::ErrorKind::TimedOut { Kind::Timeout } else { Kind::Connect };
        Error::upstream(kind, format!("connecting to {}: {err}", endpoint.spec().name)).retry(Retry::Safe)
    })?;
    if let Some(version) = cluster.proxy_protocol {
        let header = crate::proxy_header::write(version, task);
        // A new connection has room for it.
        if stream.try_write(&header).ok() != Some(header.len()) {
            let err = Error::upstream(Kind::Reset, "no room for the header of the PROXY protocol");
            return Err(err.retry(Retry::Safe));
        }
    }
    if cluster.starttls.is_some() {
        Box::pin(crate::starttls::ask(&stream, plan.connect_timeout)).await?;
    }
    let (conn, is_http2) = match name {
        None => (Conn::new(stream, Side::Upstream), offer == Offer::Http2),
        Some(name) => {
            let secured = Box::pin(secure::upstream(cluster, stream, name, (plan.connect_timeout, offer)));
            let secured = unless_left(plan.client_abort, task.conn, secured).await.flatten();
            secured.inspect_err(|_| worker.shard.inc(cluster.stats.connect_failures))?
        }
    };
    Ok(Made { conn, is_http2, connect_us: micros(clock::read() - began) })
}

/// Sends head and body; a body that is not in hand is left as a pump to be polled along.
async fn send(
    plan: &ProxyPlan,
    task: &Task<'_>,
    req: &mut Request,
    line: &Line,
    (endpoint, said, upgrade, keeps): (&Endpoint, Option<&Said>, bool, bool),
) -> Result<Option<Pump>> {
    let mut scratch = Vec::new();
    let announced = req.head.headers.has(Name::ContentLength);
    let body_len = req.body.length();
    let sent = Sent { method: req.head.method(), body_len, announced };
    let to = ToUpstream {
        version: plan.version,
        host: forward::host_sent(plan, task, &req.head, &endpoint.spec().name, &mut scratch),
        delimit: forward::delimit(&sent),
        persist: match (said, upgrade, keeps, plan.version) {
            (Some(said), ..) => said.persist(upgrade),
            (None, true, ..) => Persist::Upgrade,
            (None, _, true, Version::Http11 | Version::Http20) => Persist::Implied,
            (None, _, true, Version::Http10) => Persist::KeepAlive,
            (None, _, false, _) => Persist::Close,
        },
        expect: plan.passes_expect,
    };
    if plan.passes_expect && req.head.headers.has(Name::Expect) {
        // The endpoint says whether the body may come.
        task.conn.set_expecting(false);
    }
    let mut out = Scratch::new();
    write::request(&mut out, &req.head, &to);
    let is_chunked = to.delimit == write::Delimit::Chunked;
    let body = match &req.body {
        Body::Full(bytes) => bytes.clone(),
        Body::Empty | Body::File(_) | Body::Spent => Bytes::new(),
        // Boxed: what a plain request does not need must not make room in all of them.
        _ => return Box::pin(stream(req, line, is_chunked, (out, plan.send_timeout))).await,
    };
    let written = line.conn.write([&out, &body, b""], plan.send_timeout).await;
    written.map_err(|err| if line.is_reused { err.retry(Retry::Reused) } else { err })?;
    let Body::File(file) = &req.body else { return Ok(None) };
    line.conn.set_sending(true);
    // It stays at hand for another attempt.
    Ok(Some(Box::pin(bodies::send_file(line.conn.clone(), file.clone(), plan.send_timeout))))
}

/// Sends the head with what of the body has come.
async fn stream(
    req: &mut Request,
    line: &Line,
    is_chunked: bool,
    (head, limit): (Scratch, Duration),
) -> Result<Option<Pump>> {
    let body = std::mem::replace(&mut req.body, Body::Spent);
    let mut upload = Upload::new(body, is_chunked, head);
    upload.gather().await?;
    if let Err(err) = upload.flush(&line.conn, limit).await {
        // As long as nothing was taken from it, it may go to another endpoint.
        req.body = upload.untouched().unwrap_or(Body::Spent);
        return Err(if line.is_reused { err.retry(Retry::Reused) } else { err });
    }
    if upload.is_ended() {
        return Ok(None);
    }
    line.conn.set_sending(true);
    Ok(Some(Box::pin(upload.run(line.conn.clone(), limit))))
}

/// Waits for the final head, relaying interim ones, while the body is pumped and the client watched.
async fn wait_for_head(
    plan: &ProxyPlan,
    task: &mut Task<'_>,
    req: &Request,
    (line, mut pump): (&Line, Option<Pump>),
) -> Result<(ResponseHead, Option<Pump>)> {
    for _ in 0..INTERIM_MAX {
        let (mut progress, mut deadline) = (Progress::default(), None);
        let head = poll_fn(|cx| {
            if let Poll::Ready(Err(err)) = poll_pump(cx, &mut pump) {
                return Poll::Ready(Err(err));
            }
            // The endpoint's time runs from the end of the request.
            let limit = if pump.is_some() { Duration::MAX } else { plan.read_timeout };
            // The client's timer, since it is always this task that waits on it: one of the endpoint's
            // connection would have to learn of another task with every request.
            let timer = task.conn.wait_timer();
            // It is for the whole head, not for each read of one that drips.
            if let Some(deadline) = deadline {
                timer.borrow_mut().set(deadline);
            }
            let polled = line.conn.poll_response(cx, &plan.bodies.limits, (timer, limit), &mut progress);
            if polled.is_pending() {
                if pump.is_none() {
                    deadline = deadline.or_else(|| timer.borrow().deadline());
                }
                if let Some(err) = client_left(cx, plan.client_abort, task.conn) {
                    return Poll::Ready(Err(err));
                }
            }
            polled
        })
        .await;
        task.conn.clear_wait_timer();
        let head = match head {
            Ok(Some(head)) => head,
            Ok(None) => {
                let err = Error::upstream(Kind::Closed, "closed before the head of an answer");
                return Err(if line.is_reused { err.retry(Retry::Reused) } else { err });
            }
            Err(err) if line.is_reused && err.kind() == Kind::Reset && progress.is_none() => {
                return Err(err.retry(Retry::Reused));
            }
            Err(err) => return Err(err),
        };
        if head.status >= 200 || head.status == 101 {
            return Ok((head, pump));
        }
        relay_interim(task, &req.head, &head).await?;
    }
    Err(Error::upstream(Kind::Malformed, "more than 1,000 interim answers"))
}

/// Polls the pump; it is gone once it has sent everything or the endpoint reads no more.
fn poll_pump(cx: &mut Context<'_>, pump: &mut Option<Pump>) -> Poll<Result<()>> {
    let Some(running) = pump else { return Poll::Pending };
    match running.as_mut().poll(cx) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Err(err)) if err.side() != Side::Upstream => Poll::Ready(Err(err)),
        // An endpoint that stops reading may have answered early (RFC 9112 9.5): look for that.
        Poll::Ready(_) => {
            *pump = None;
            Poll::Pending
        }
    }
}

/// The endpoint's key in the pool; `name` is the one demanded of it where connections are encrypted.
pub(crate) fn key_of(cluster: &ClusterPlan, endpoint: &Endpoint, name: Option<&str>) -> EndpointKey {
    match (&cluster.tls, name) {
        (Some(tls), Some(name)) => tls.key(endpoint.state().id(), name),
        _ => endpoint.state().id(),
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
