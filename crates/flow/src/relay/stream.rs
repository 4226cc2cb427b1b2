//! The same over a stream of HTTP/2: frames in place of our own framing, and a window for each stream in
//! place of the socket's back-pressure.

use super::{client_abort, count_body, endpoint_done, server_for};
use crate::attempt::client_left;
use crate::bodies;
use crate::request::{After, Task};
use crate::snapshot::Action;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::h2::{self, Exchange};
use bifrons_http::pacer::Paced;
use bifrons_http::{Body, Name, RequestHead, Response};
use bytes::Bytes;
use std::future::poll_fn;
use std::task::Poll;

/// Sends the answer; the connection goes on whatever becomes of the stream.
pub(super) async fn answer(
    task: &mut Task<'_>,
    req: &RequestHead,
    mut res: Response,
    exchange: &Exchange,
) -> After {
    task.cx.status = res.head.status;
    exchange.set_expecting(false);
    if let Err(err) = send(task, req, &mut res, exchange).await {
        exchange.abort();
        task.cx.note_error(err);
    }
    task.cx.sent = exchange.sent();
    task.cx.received = exchange.received();
    task.res = Some(res.head);
    After::KeepAlive
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
    let len = len.filter(|_| !has_no_length);
    let keeps_length = announced && (is_bodiless || res.body.length().is_some()) && res.head.status != 204;
    let is_last = is_bodiless || res.body.is_empty();
    let head = h2::head::response(&res.head, server_for(task, &res.head), len, keeps_length);
    if is_bodiless {
        res.body = Body::Empty;
    }
    exchange.head(head, is_last)?;
    if is_last {
        return Ok(());
    }
    if let Some(pacer) = bodies::pacer(task, req, &res.body) {
        let inner = std::mem::take(&mut res.body);
        res.body = Body::Paced(Box::new(Paced::new(inner, pacer)));
    }
    relay(task, &mut res.body, exchange).await
}

/// Pieces as they come; the last one carries the end of the stream where it is known to be the last.
async fn relay(task: &mut Task<'_>, body: &mut Body, exchange: &Exchange) -> Result<()> {
    let limit = task.listener.send_timeout;
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
        count_body(task, piece.len() as u64);
        // Where the length was known, so is the end: one frame less.
        let is_last = body.is_empty();
        while !piece.is_empty() {
            let room = poll_fn(|cx| {
                let room = exchange.poll_room(cx, piece.len(), limit);
                if room.is_pending() {
                    // What is left of the request goes on meanwhile.
                    body.poll_pump(cx)?;
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
    endpoint_done(task);
    let passes = match &task.route.action {
        Action::Proxy(plan) => plan.bodies.trailers,
        _ => true,
    };
    let trailers = body.take_trailers().filter(|_| passes);
    match trailers {
        Some(trailers) => exchange.end(Some(h2::head::trailers_to(&trailers))),
        None => exchange.data(Bytes::new(), true),
    }
}
