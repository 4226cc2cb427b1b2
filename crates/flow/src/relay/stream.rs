//! The same over a stream of HTTP/2: frames in place of our own framing, and a window for each stream in
//! place of the socket's back-pressure.

use super::tunnel::{self, End, join};
use super::{client_abort, count_body, endpoint_done, hold, server_for, trailers_of};
use crate::attempt::client_left;
use crate::bodies;
use crate::call;
use crate::request::{After, Task};
use crate::respond;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::h2::{self, Exchange, H2Body, ToClient, websocket};
use bifrons_http::pacer::Paced;
use bifrons_http::spool::Held;
use bifrons_http::{Body, Name, RequestHead, Response, Tunnel};
use bytes::Bytes;
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::Poll;

/// Sends the answer; the connection goes on whatever becomes of the stream.
pub(super) async fn answer(
    task: &mut Task<'_>,
    req: &RequestHead,
    mut res: Response,
    exchange: &Exchange,
) -> After {
    let websocket = task.conn.websocket.take();
    if let Some((key, _)) = &websocket {
        settle_websocket(task, req, &mut res, key);
    }
    task.cx.status = res.head.status;
    exchange.set_expecting(false);
    if let (Some((_, body)), true) = (websocket, matches!(res.body, Body::Tunnel(_)))
        && let Body::Tunnel(upstream) = std::mem::take(&mut res.body)
    {
        if let Err(err) = tunnel(task, &res, exchange, (*body, &upstream)).await {
            exchange.abort();
            task.cx.note_error(err);
        }
        tunnel::count(task, &upstream);
        task.cx.sent = exchange.sent();
        task.cx.received = exchange.received();
        task.res = Some(res.head);
        return After::KeepAlive;
    }
    if let Err(err) = send(task, req, &mut res, exchange).await {
        exchange.abort();
        task.cx.note_error(err);
    }
    task.cx.sent = exchange.sent();
    task.cx.received = exchange.received();
    task.res = Some(res.head);
    After::KeepAlive
}

/// What a client that opens a WebSocket is told: 200 where the endpoint has understood (RFC 8441 5), and never
/// else, for it would take that for one.
fn settle_websocket(task: &mut Task<'_>, req: &RequestHead, res: &mut Response, key: &websocket::Key) {
    let accept = res.head.headers.get(websocket::ACCEPT);
    let is_answered = accept.is_some_and(|accept| key.is_answered_by(accept));
    match (&res.body, res.head.status) {
        (Body::Tunnel(_), _) if is_answered => {
            res.head.status = 200;
            res.head.headers.remove(websocket::ACCEPT);
        }
        (Body::Tunnel(_), _) | (_, 200..=299) => {
            let err = Error::upstream(Kind::Malformed, "no WebSocket, where one was asked for");
            *res = respond::to(task, req, err);
        }
        _ => {}
    }
}

/// Bytes both ways over the stream, each direction with its own end.
async fn tunnel(
    task: &mut Task<'_>,
    res: &Response,
    exchange: &Exchange,
    (body, upstream): (H2Body, &Tunnel),
) -> Result<()> {
    let Some(limits) = tunnel::limits(task) else { return Ok(()) };
    let to = ToClient { server: server_for(task, &res.head), len: None, keeps_length: false };
    exchange.head(&res.head, &to, false)?;
    exchange.set_body_max(u64::MAX);
    let sent_before = exchange.sent();
    let body = RefCell::new(body);
    let outcome = join(&End::Client(&body, exchange), &End::of(upstream), &limits).await;
    task.cx.body_sent = exchange.sent() - sent_before;
    outcome
}

async fn send(task: &mut Task<'_>, req: &RequestHead, res: &mut Response, exchange: &Exchange) -> Result<()> {
    if matches!(res.body, Body::Tunnel(_)) {
        return Err(Error::upstream(Kind::Malformed, "an upgrade that nobody asked for"));
    }
    let is_bodiless = h2::head::is_bodiless(res.head.status, req.method());
    let announced = res.head.headers.has(Name::ContentLength);
    let len = match (announced, res.body.length()) {
        (false, Some(len)) if !is_bodiless || len > 0 => Some(len),
        _ => None,
    };
    let has_no_length = res.head.status < 200 || matches!(res.head.status, 204 | 304);
    // The answer to a call that ends with its head has no body, not an empty one.
    let is_spare = |len: &u64| has_no_length || *len == 0 && call::is_of_call(&res.head.headers);
    let len = len.filter(|len| !is_spare(len));
    let keeps_length = announced && (is_bodiless || res.body.length().is_some()) && res.head.status != 204;
    let is_last = is_bodiless || res.body.is_empty();
    if is_bodiless {
        res.body = Body::Empty;
    }
    let to = ToClient { server: server_for(task, &res.head), len, keeps_length };
    exchange.head(&res.head, &to, is_last)?;
    if is_last {
        return Ok(());
    }
    let pacer = bodies::pacer(task, req, &res.body);
    // What is in hand already keeps no endpoint.
    if let Some(rules) = hold::rules(task).filter(|_| !matches!(res.body, Body::Full(_) | Body::File(_))) {
        let inner = std::mem::take(&mut res.body);
        res.body = Body::Held(Box::new(Held::new(inner, rules)));
    }
    if let Some(pacer) = pacer {
        let inner = std::mem::take(&mut res.body);
        res.body = Body::Paced(Box::new(Paced::new(inner, pacer)));
    }
    relay(task, &mut res.body, exchange).await
}

/// Pieces as they come; the last one carries the end of the stream where it is known to be the last.
async fn relay(task: &mut Task<'_>, body: &mut Body, exchange: &Exchange) -> Result<()> {
    let limit = task.send_timeout();
    let abort = client_abort(task);
    loop {
        let piece = poll_fn(|cx| match body.poll_next(cx) {
            Poll::Ready(piece) => Poll::Ready(piece),
            Poll::Pending => match client_left(cx, abort, task.conn) {
                Some(err) => Poll::Ready(Err(err)),
                None => Poll::Pending,
            },
        });
        let Some(mut piece) = piece.await? else { break };
        count_body(task, body, piece.len());
        // Where the length was known, so is the end: one frame less.
        let is_last = body.is_empty();
        while !piece.is_empty() {
            let room = poll_fn(|cx| {
                let room = exchange.poll_room(cx, piece.len(), limit);
                if room.is_pending() {
                    // What is left of the request goes on meanwhile, and so does an answer that is held.
                    body.poll_pump(cx)?;
                    if body.has_come() {
                        endpoint_done(task);
                    }
                }
                room
            });
            let part = piece.split_to(room.await?.min(piece.len()));
            exchange.data(part, is_last && piece.is_empty())?;
        }
        if is_last {
            endpoint_done(task);
            return Ok(());
        }
    }
    count_body(task, body, 0);
    endpoint_done(task);
    match trailers_of(task, body) {
        Some(trailers) => {
            let sent = exchange.trailers(&trailers);
            task.cx.trailers = trailers;
            sent
        }
        None => exchange.data(Bytes::new(), true),
    }
}
