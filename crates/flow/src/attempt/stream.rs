//! The same over HTTP/2: a stream of a connection that requests share.

use super::{
    Freshness, INTERIM_MAX, client_left, key_of, make, may_keep, note_body, note_head, relay_interim,
    unless_left,
};
use crate::forward;
use crate::request::Task;
use crate::secure;
use crate::snapshot::{ClusterPlan, ProxyPlan};
use bifrons_balance::Endpoint;
use bifrons_core::{Error, Kind, Result, Retry};
use bifrons_http::h1::framing::{self, Framing};
use bifrons_http::h1::write::Delimit;
use bifrons_http::h2::upstream::{self, ToEndpoint};
use bifrons_http::{Body, Name, Request, RequestHead, Response, ResponseHead};
use bifrons_multiplex::{Call, Head, Lease, Link, Rest, Rules, Turn};
use bytes::Bytes;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// What ALPN calls it (RFC 9113 3.2).
const ALPN: &[u8] = b"h2";
/// 100 streams a connection: what RFC 9113 6.5.2 has endpoints allow at the least.
const STREAMS_MAX: usize = 100;
/// 256 KiB an endpoint may send of a stream ahead of its client: what listeners take too.
const STREAM_WINDOW: u32 = 256 * 1024;
/// 64 KiB of a request may wait for the connection: four frames.
const SEND_BUFFER: usize = 64 * 1024;

/// Sends the request on a stream and waits for the head of its answer.
pub(super) async fn exchange(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &mut Task<'_>,
    req: &mut Request,
    (endpoint, freshness): (&Arc<Endpoint>, Freshness),
) -> Result<Response> {
    let lease = connect(plan, cluster, task, (endpoint, &req.head), freshness).await?;
    let (mut call, head_bytes) = send(plan, task, req, (endpoint, lease))?;
    let outcome = wait_for_head(plan, task, req, &mut call).await;
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.sent = head_bytes + call.sent();
    }
    let (head, stream) = match outcome {
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

/// A stream of a connection that there is, or of a new one, which those that come meanwhile wait for.
async fn connect(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &mut Task<'_>,
    (endpoint, head): (&Endpoint, &RequestHead),
    freshness: Freshness,
) -> Result<Lease> {
    let name = secure::upstream_name(cluster, task, head, endpoint);
    let place = (endpoint, name.as_deref());
    if !may_keep(plan, cluster) {
        let (link, connect_us) = dial(plan, cluster, task, (place, head)).await?;
        note_connect(task, connect_us);
        return Ok(Lease::only(&link));
    }
    let worker = task.conn.worker.clone();
    let key = key_of(cluster, endpoint, name.as_deref());
    let wait = async {
        // Bounded by the time that connecting may take.
        loop {
            match worker.links.turn(key, freshness == Freshness::New) {
                Turn::Go(lease) => {
                    worker.shard.inc(cluster.stats.reuses);
                    return Ok((lease, None));
                }
                Turn::Wait(waiter) => waiter.news().await?,
                Turn::Dial(ticket) => {
                    return match dial(plan, cluster, task, (place, head)).await {
                        Ok((link, connect_us)) => Ok((ticket.opened(&link), Some(connect_us))),
                        Err(err) => {
                            ticket.failed(&err);
                            Err(err)
                        }
                    };
                }
            }
        }
    };
    // Whoever dials first needs the time for TLS besides.
    let wait = Box::pin(tokio::time::timeout(plan.connect_timeout.saturating_mul(2), wait));
    let (lease, connect_us) = match unless_left(plan.client_abort, task.conn, wait).await? {
        Ok(found) => found?,
        Err(_) => {
            let reason = "no connection of HTTP/2 came about in time";
            return Err(Error::upstream(Kind::Timeout, reason).retry(Retry::Safe));
        }
    };
    if let Some(connect_us) = connect_us {
        note_connect(task, connect_us);
    }
    Ok(lease)
}

fn note_connect(task: &mut Task<'_>, connect_us: u32) {
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.connect_us = Some(connect_us);
    }
}

async fn dial(
    plan: &ProxyPlan,
    cluster: &ClusterPlan,
    task: &Task<'_>,
    (place, head): ((&Endpoint, Option<&str>), &RequestHead),
) -> Result<(std::rc::Rc<Link>, u32)> {
    let (conn, connect_us) = make(plan, cluster, task, (place, head), Some(ALPN)).await?;
    let rules = Rules {
        streams_max: STREAMS_MAX,
        stream_window: STREAM_WINDOW,
        send_buffer: SEND_BUFFER,
        head_bytes: u32::try_from(plan.bodies.limits.head_bytes).unwrap_or(u32::MAX),
    };
    Ok((Link::open(conn, &rules, cluster.keep, plan.send_timeout).await?, connect_us))
}

/// Sends the head; the body follows as the call is polled. How many bytes the head has.
fn send(
    plan: &ProxyPlan,
    task: &Task<'_>,
    req: &mut Request,
    (endpoint, lease): (&Endpoint, Lease),
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
    };
    let (request, head_bytes) = upstream::request(&req.head, &to)?;
    if plan.passes_expect && req.head.headers.has(Name::Expect) {
        // The endpoint says whether the body may come.
        task.conn.set_expecting(false);
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
