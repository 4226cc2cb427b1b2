//! The same over HTTP/2: a stream of a connection that requests share.

use super::said::Said;
use super::{
    Freshness, INTERIM_MAX, Line, Made, Which, client_left, kept, make, may_keep, note_body, note_head,
    relay_interim, unless_left,
};
use crate::forward;
use crate::request::Task;
use crate::secure::Offer;
use crate::snapshot::{ClusterPlan, ProxyPlan, Streams};
use bifrons_balance::{Endpoint, Spoken};
use bifrons_core::{Error, Kind, Result, Retry};
use bifrons_http::h1::framing::{self, Framing};
use bifrons_http::h1::write::Delimit;
use bifrons_http::h2::upstream::{self, ToEndpoint};
use bifrons_http::h2::websocket;
use bifrons_http::{Body, Method, Name, Request, RequestHead, Response, ResponseHead, Tunnel};
use bifrons_multiplex::{Call, Head, Lease, Link, Rest, Rules, Ticket, Turn};
use bytes::Bytes;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

/// 100 streams a connection: what RFC 9113 6.5.2 has endpoints allow at the least.
const STREAMS_MAX: usize = 100;
/// 256 KiB an endpoint may send of a stream ahead of its client: what listeners take too.
const STREAM_WINDOW: u32 = 256 * 1024;
/// 64 KiB of a request may wait for the connection: four frames.
const SEND_BUFFER: usize = 64 * 1024;

/// What came of a request that might go over HTTP/2.
pub(super) enum Outcome {
    /// It has.
    Answered(Response),
    /// The endpoint has not chosen that; the request goes over this connection of HTTP/1.1.
    Line(Line),
}

/// Sends the request on a stream, if the endpoint speaks HTTP/2, and waits for the head of its answer.
pub(super) async fn exchange(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &mut Task<'_>,
    req: &mut Request,
    (endpoint, name): (&Arc<Endpoint>, Option<&str>),
    which: Which,
) -> Result<Outcome> {
    let lease = match connect(plan, cluster, task, ((endpoint, name), &req.head), which).await? {
        Way::Stream(lease, connect_us) => {
            if let Some(attempt) = task.cx.attempts.last_mut() {
                attempt.connect_us = connect_us;
            }
            lease
        }
        Way::Line(line) => return Ok(Outcome::Line(line)),
    };
    let opens = opens_websocket(plan, task, req);
    if opens && !takes_websockets(plan, task, &lease).await? {
        drop(lease);
        return http1(plan, cluster, task, ((endpoint, name), &req.head), which).await.map(Outcome::Line);
    }
    over(plan, cluster, task, req, (endpoint, lease, opens)).await.map(Outcome::Answered)
}

/// Whether the client opens a WebSocket and the route lets it; what other protocols it may switch to, only
/// HTTP/1.1 knows.
fn opens_websocket(plan: &ProxyPlan, task: &Task<'_>, req: &Request) -> bool {
    let head = &req.head;
    framing::asks_upgrade(head)
        && head.method() == Method::Get
        && head.headers.lists(Name::Upgrade, websocket::PROTOCOL)
        && head.headers.has(websocket::KEY)
        && req.body.is_empty()
        && match &plan.connection {
            Some(fields) => Said::render(fields, task, head).upgrades(),
            None => plan.upgrade,
        }
}

/// Whether the endpoint takes WebSockets over streams, which its settings say (RFC 8441 3).
async fn takes_websockets(plan: &ProxyPlan, task: &Task<'_>, lease: &Lease) -> Result<bool> {
    let settings = Box::pin(tokio::time::timeout(plan.connect_timeout, lease.takes_websockets()));
    Ok(unless_left(plan.client_abort, task.conn, settings).await?.unwrap_or(false))
}

/// A connection of HTTP/1.1 beside those of HTTP/2.
async fn http1(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &Task<'_>,
    (place, head): ((&Endpoint, Option<&str>), &RequestHead),
    which: Which,
) -> Result<Line> {
    match kept(plan, cluster, task, which).await {
        Some(line) => Ok(line),
        None => Ok(make(plan, cluster, task, (place, head), Offer::Http1).await?.line()),
    }
}

async fn over(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &mut Task<'_>,
    req: &mut Request,
    (endpoint, lease, opens): (&Arc<Endpoint>, Lease, bool),
) -> Result<Response> {
    let (mut call, head_bytes) = send(plan, task, req, (endpoint, lease, opens))?;
    let outcome = wait_for_head(plan, task, req, &mut call).await;
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.sent = head_bytes + call.sent();
        attempt.received = call.received();
    }
    let (mut head, stream) = match outcome {
        Ok(found) => found,
        Err(err) => {
            // As long as nothing was taken from it, it may go out again.
            if matches!(req.body, Body::Spent) {
                req.body = call.untouched().unwrap_or(Body::Spent);
            }
            return Err(err);
        }
    };
    note_head(task, cluster, &head, endpoint);
    if opens && (200..300).contains(&head.status) {
        let tunnel = call.tunnel(stream);
        let tunnel =
            tunnel.ok_or_else(|| Error::local(Kind::Internal, "invariant: a tunnel was asked for"))?;
        switch(&req.head, &mut head);
        return Ok(Response { head, body: Body::Tunnel(Tunnel::Stream(Box::new(tunnel))) });
    }
    let len = match framing::response(&head, req.head.method(), false)? {
        // What an endpoint sends all the same is given up with its stream.
        Framing::None => {
            note_body(task, 0);
            return Ok(Response { head, body: Body::Empty });
        }
        Framing::Length(len) => Some(len),
        Framing::UntilClose => None,
        Framing::Chunked | Framing::Tunnel => {
            return Err(Error::upstream(Kind::Malformed, "an answer that HTTP/2 does not have"));
        }
    };
    let rest = Rest { len, read_timeout: plan.read_timeout, limits: plan.bodies.limits };
    let answer = call.answer(stream, rest);
    let body = match answer.is_over() {
        true => {
            note_body(task, 0);
            Body::Empty
        }
        false => Body::Source(Box::new(answer)),
    };
    Ok(Response { head, body })
}

/// Says a success of extended CONNECT as HTTP/1.1 says it (RFC 8441 5): the key's answer is ours.
fn switch(asked: &RequestHead, head: &mut ResponseHead) {
    head.set_status(101);
    let key = asked.headers.get(websocket::KEY).unwrap_or_default();
    head.headers.set(Name::Upgrade, websocket::PROTOCOL.as_bytes());
    head.headers.set(websocket::ACCEPT, websocket::accept(key).as_bytes());
    head.headers.remove(Name::ContentLength);
}

/// What a request goes over.
enum Way {
    /// How long connecting took, in µs, if it is a new one.
    Stream(Lease, Option<u32>),
    Line(Line),
}

/// A stream of a connection that there is, or of a new one, which those that come meanwhile wait for.
async fn connect(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &mut Task<'_>,
    (place, head): ((&Endpoint, Option<&str>), &RequestHead),
    which: Which,
) -> Result<Way> {
    let offer = if plan.streams == Streams::Demanded { Offer::Http2 } else { Offer::Either };
    if !may_keep(plan, cluster) {
        let made = make(plan, cluster, task, (place, head), offer).await?;
        return opened(plan, cluster, (place.0, made), None).await;
    }
    let worker = task.conn.worker.clone();
    let (key, freshness, _) = which;
    let speaks_http1 = || offer == Offer::Either && place.0.state().spoken() == Spoken::Http1;
    let wait = async {
        // Bounded by the time that connecting may take.
        while !speaks_http1() {
            match worker.links.turn(key, freshness == Freshness::New, head_bytes(cluster)) {
                Turn::Go(lease) => {
                    worker.shard.inc(cluster.stats.reuses);
                    return Ok(Some(Way::Stream(lease, None)));
                }
                Turn::Wait(waiter) => waiter.news().await?,
                Turn::Dial(ticket) => {
                    let made = match make(plan, cluster, task, (place, head), offer).await {
                        Ok(made) => made,
                        Err(err) => {
                            ticket.failed(&err);
                            return Err(err);
                        }
                    };
                    return opened(plan, cluster, (place.0, made), Some(ticket)).await.map(Some);
                }
            }
        }
        Ok(None)
    };
    // Whoever dials first needs the time for TLS besides.
    let wait = Box::pin(tokio::time::timeout(plan.connect_timeout.saturating_mul(2), wait));
    let found = match unless_left(plan.client_abort, task.conn, wait).await? {
        Ok(found) => found?,
        Err(_) => {
            let reason = "no connection of HTTP/2 came about in time";
            return Err(Error::upstream(Kind::Timeout, reason).retry(Retry::Safe));
        }
    };
    match found {
        Some(way) => Ok(way),
        // It did not want HTTP/2 the last time, and is asked again with every new connection.
        None => match kept(plan, cluster, task, which).await {
            Some(line) => Ok(Way::Line(line)),
            None => {
                let made = make(plan, cluster, task, (place, head), offer).await?;
                opened(plan, cluster, (place.0, made), Some(worker.links.ticket(key))).await
            }
        },
    }
}

/// What is spoken on a new connection, which is remembered of the endpoint; one of HTTP/2 is for others too if
/// there is a ticket.
async fn opened(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    (endpoint, made): (&Endpoint, Made),
    ticket: Option<Ticket>,
) -> Result<Way> {
    endpoint.state().note_spoken(if made.is_http2 { Spoken::Http2 } else { Spoken::Http1 });
    if !made.is_http2 {
        return Ok(Way::Line(made.line()));
    }
    let rules = Rules {
        streams_max: STREAMS_MAX,
        stream_window: STREAM_WINDOW,
        send_buffer: SEND_BUFFER,
        head_bytes: head_bytes(cluster),
    };
    let connect_us = made.connect_us;
    match Link::open(made.conn, &rules, cluster.keep, plan.send_timeout).await {
        Ok(link) => {
            let lease = ticket.map_or_else(|| Lease::only(&link), |ticket| ticket.opened(&link));
            Ok(Way::Stream(lease, Some(connect_us)))
        }
        Err(err) => {
            if let Some(ticket) = ticket {
                ticket.failed(&err);
            }
            Err(err)
        }
    }
}

/// Bytes of an answer's fields as HPACK counts them, 32 more for each (RFC 7541 4.1): the cluster's, for a
/// connection serves all routes, each of which looks at its own bound.
fn head_bytes(cluster: &ClusterPlan) -> u32 {
    let bytes = cluster.head_bytes_max.load(Ordering::Relaxed).saturating_add(32 * cluster.limits.fields);
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Sends the head; the body follows as the call is polled. How many bytes the head has.
fn send(
    plan: &ProxyPlan,
    task: &Task<'_>,
    req: &mut Request,
    (endpoint, lease, opens): (&Endpoint, Lease, bool),
) -> Result<(Call, u64)> {
    let mut scratch = Vec::new();
    let announced = req.head.headers.has(Name::ContentLength);
    let sent = super::Sent { method: req.head.method(), body_len: req.body.length(), announced };
    let delimit = match forward::delimit(&sent) {
        Delimit::Chunked => Delimit::Nothing,
        delimit => delimit,
    };
    let to = ToEndpoint {
        host: forward::host_sent(plan, task, &req.head, &endpoint.spec().name, &mut scratch),
        is_secure: lease.is_tls(),
        delimit,
        expect: plan.passes_expect,
        opens_websocket: opens,
    };
    let (request, head_bytes) = upstream::request(&req.head, &to)?;
    if plan.passes_expect && req.head.headers.has(Name::Expect) {
        // The endpoint says whether the body may come.
        task.conn.set_expecting(false);
    }
    if opens {
        return Ok((lease.open(request)?, head_bytes));
    }
    // What is in hand stays there for another attempt.
    let body = match &req.body {
        Body::Empty | Body::Spent => Body::Empty,
        Body::Full(bytes) => Body::Full(Bytes::clone(bytes)),
        Body::File(file) => Body::File(file.clone()),
        _ => std::mem::replace(&mut req.body, Body::Spent),
    };
    let call = lease.send(request, body, plan.send_timeout).map_err(|(err, body)| {
        if matches!(req.body, Body::Spent) && !body.is_empty() {
            req.body = body;
        }
        err
    })?;
    Ok((call, head_bytes))
}

/// Waits for the final head, relaying interim ones, while the body goes out and the client is watched.
async fn wait_for_head(
    plan: &ProxyPlan,
    task: &mut Task<'_>,
    req: &Request,
    call: &mut Call,
) -> Result<(ResponseHead, h2::RecvStream)> {
    for _ in 0..INTERIM_MAX {
        let head = poll_fn(|cx| poll_head(cx, plan, task, call)).await;
        task.conn.clear_wait_timer();
        match head? {
            Head::Final(head, stream) => return Ok((head, stream)),
            Head::Interim(head) if head.status == 101 => {
                return Err(Error::upstream(Kind::Malformed, "101 over HTTP/2 (RFC 9113 8.6)"));
            }
            Head::Interim(head) => relay_interim(task, &req.head, &head).await?,
        }
    }
    Err(Error::upstream(Kind::Malformed, "more than 1,000 interim answers"))
}

fn poll_head(cx: &mut Context<'_>, plan: &ProxyPlan, task: &Task<'_>, call: &mut Call) -> Poll<Result<Head>> {
    call.poll_upload(cx)?;
    if let Poll::Ready(head) = call.poll_head(cx, &plan.bodies.limits) {
        return Poll::Ready(head);
    }
    if let Some(err) = client_left(cx, plan.client_abort, task.conn) {
        return Poll::Ready(Err(err));
    }
    // The endpoint's time runs from the end of the request.
    if call.is_sending() {
        return Poll::Pending;
    }
    ready!(task.conn.wait_timer().borrow_mut().poll(cx, plan.read_timeout));
    Poll::Ready(Err(Error::upstream(Kind::Timeout, "no answer came")))
}
