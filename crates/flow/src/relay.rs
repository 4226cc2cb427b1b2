//! Step 7. Bytes both ways: the answer's head and body to the client, tunnels after an upgrade.

use crate::attempt::client_left;
use crate::bodies;
use crate::conn::Lease;
use crate::record;
use crate::request::{After, Task};
use crate::serve::http1::is_discardable;
use crate::snapshot::{Action, ListenerPlan, RoutePlan, ServerPlan};
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_http::buffers::{self, Scratch};
use bifrons_http::h1::chunked;
use bifrons_http::h1::framing;
use bifrons_http::h1::write::{self, Delimit, Persist, Server, ToDownstream};
use bifrons_http::{Body, FileBody, Headers, Method, Name, RequestHead, Response, ResponseHead, Version};
use bifrons_model::ClientAbort;
use bifrons_net::clock;
use bytes::Bytes;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

mod hold;
mod splice;
mod stream;
mod tunnel;

pub(crate) use tunnel::whole;

/// 16 KiB: small pieces of a body are gathered up to here before they are written.
pub(crate) const GATHER_BYTES: usize = 16 * 1024;

/// Sends the answer and says what becomes of the connection.
pub async fn answer(task: &mut Task<'_>, req: &RequestHead, mut res: Response, lease: Lease) -> After {
    if let Some(exchange) = task.conn.exchange.clone() {
        return Box::pin(stream::answer(task, req, res, &exchange)).await;
    }
    let sent_before = task.conn.http.sent();
    task.cx.status = res.head.status;
    // Whoever has not been told to send a body until now won't be.
    task.conn.http.set_expecting(false);
    let after = if matches!(res.body, Body::Tunnel(_)) {
        Box::pin(tunnel::run(task, req, &mut res)).await
    } else {
        let (persist, after) = persistence(task, req, lease);
        // A client of HTTP/1.0 knows no chunks; nobody does where the route wants none.
        let version = if task.route.no_chunks { Version::Http10 } else { req.version };
        let delimit = write::response_delimit(&res.head, req.method(), res.body.length(), version);
        let persist = if delimit == Delimit::Close { Persist::Close } else { persist };
        let after = if delimit == Delimit::Close { After::Close } else { after };
        if req.method() == Method::Head || delimit == Delimit::Nothing {
            res.body = Body::Empty;
        }
        task.conn.http.begin_send(task.listener.send_pace);
        match send(task, req, &mut res, (delimit, persist)).await {
            Ok(()) => after,
            Err(err) => abort(task, err, delimit),
        }
    };
    task.cx.sent = task.conn.http.sent() - sent_before;
    task.cx.received = task.conn.take_consumed();
    task.res = Some(res.head);
    after
}

/// Whether the connection stays, and how the head says so (RFC 9112 9.3).
fn persistence<'a>(task: &Task<'a>, req: &RequestHead, lease: Lease) -> (Persist<'a>, After) {
    let http = &task.conn.http;
    // A client that was told to wait for 100 and never was may or may not send its body now.
    let is_unclear = http.body_open() && req.headers.originals(Name::Expect).next().is_some();
    let is_readable = !http.body_open() || is_discardable(http) && !is_unclear;
    let is_refused = task.cx.error.as_ref().is_some_and(|err| {
        err.side() == Side::Downstream
            && !matches!(
                err.kind(),
                Kind::Method | Kind::Loop | Kind::BodyTooLarge | Kind::NotFound | Kind::Forbidden
            )
            || err.kind() == Kind::BodyTooLarge && !is_readable
    });
    // A drain may have begun while the request was served.
    let age = || task.cx.started.saturating_duration_since(task.cx.conn.accepted);
    let is_old = task.listener.age_max.is_some_and(|max| age() >= max);
    let times = task.route.client.as_deref();
    let idle = times.and_then(|times| times.keep_alive);
    let is_enough =
        times.is_some_and(|times| times.requests.is_some_and(|most| task.conn.facts.requests.get() >= most));
    let is_over = is_enough || idle.is_some_and(|idle| idle.0.is_zero());
    let is_last = lease == Lease::Last || is_old || is_over || task.conn.worker.shared.is_draining();
    task.conn.idle.set(idle.map(|idle| idle.0));
    // What comes behind it was meant for a tunnel, and must not be taken for requests.
    let is_connect = req.method() == Method::Connect;
    if is_last || is_connect || is_refused || !is_readable || !framing::request_keeps_alive(req) {
        return (Persist::Close, After::Close);
    }
    let listener: &'a ListenerPlan = task.listener;
    match (req.version, &listener.keep_alive_field) {
        (_, Some(told)) => (Persist::KeepAliveFor(told), After::KeepAlive),
        (Version::Http11 | Version::Http20, None) => (Persist::Implied, After::KeepAlive),
        (Version::Http10, None) => (Persist::KeepAlive, After::KeepAlive),
    }
}

/// An answer that can't be brought to its end: the client must not take it for a whole one.
fn abort(task: &mut Task<'_>, err: Error, delimit: Delimit) -> After {
    if delimit == Delimit::Close {
        // A clean close would look like the end of the body.
        task.conn.http.stream().reset_on_close();
    }
    if err.kind() == Kind::Timeout && err.side() == Side::Downstream && task.listener.reset_slow {
        task.conn.http.stream().reset_on_close();
    }
    task.cx.is_cut = true;
    task.cx.note_error(err);
    After::Abort
}

/// Head and body, in as few writes as the body's arrival allows.
async fn send(
    task: &mut Task<'_>,
    req: &RequestHead,
    res: &mut Response,
    (delimit, persist): (Delimit, Persist<'_>),
) -> Result<()> {
    let to = ToDownstream { delimit, persist, server: server_for(task, &res.head) };
    let mut out = Scratch::new();
    write::response(&mut out, &res.head, &to);
    let frame = if delimit == Delimit::Chunked { Frame::Chunked } else { Frame::Plain };
    if !matches!(res.body, Body::Empty | Body::Spent | Body::Tunnel(_))
        && let Some(pacer) = bodies::pacer(task, req, &res.body)
    {
        return Box::pin(hold::paced(task, &mut res.body, &mut out, frame, pacer)).await;
    }
    match &mut res.body {
        Body::Empty | Body::Spent | Body::Tunnel(_) => flush(task, &mut out).await,
        Body::Full(bytes) if frame == Frame::Plain => {
            task.cx.body_sent += bytes.len() as u64;
            let bytes = std::mem::take(bytes);
            let written = write_piece(task, &mut Body::Empty, &mut out, (&bytes, b"")).await;
            buffers::give_bytes(bytes);
            written
        }
        Body::File(file) if frame == Frame::Plain => {
            let file = file.clone();
            Box::pin(send_file(task, &mut out, file)).await
        }
        body => relay_body(task, body, out, frame).await,
    }
}

/// What becomes of the `Server` field of an answer, which may be our own.
fn server_for<'a>(task: &'a Task<'_>, head: &ResponseHead) -> Server<'a> {
    match server_of(&task.route, task.listener) {
        Server::Pass if !head.headers.has(Name::Server) => Server::Set("bifrons"),
        server => server,
    }
}

/// What becomes of the `Server` field of an endpoint's answer.
pub(crate) fn server_of<'a>(route: &'a RoutePlan, listener: &'a ListenerPlan) -> Server<'a> {
    match route.server.as_ref().unwrap_or(&listener.server) {
        ServerPlan::Pass => Server::Pass,
        ServerPlan::Off => Server::Off,
        ServerPlan::Set(name) => Server::Set(name),
    }
}

/// How pieces of a body are framed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Plain,
    Chunked,
}

/// Writes pieces as they come: what is small and there already is gathered, what is big goes as it is,
/// and what is big and plain on both sides goes through the kernel.
async fn relay_body(task: &mut Task<'_>, body: &mut Body, mut out: Scratch, frame: Frame) -> Result<()> {
    let mut keeper = hold::Keeper::of(task);
    let abort = client_abort(task);
    loop {
        let piece = poll_fn(|cx| match body.poll_next(cx) {
            // Nothing there yet: what is gathered must not wait for it.
            Poll::Pending if !out.is_empty() => Poll::Ready(Ok(Next::Later)),
            Poll::Pending => match client_left(cx, abort, task.conn) {
                Some(err) => Poll::Ready(Err(err)),
                None => Poll::Pending,
            },
            Poll::Ready(piece) => Poll::Ready(piece.map(|piece| piece.map_or(Next::End, Next::Piece))),
        })
        .await;
        match piece {
            Ok(Next::Piece(piece)) => {
                count_body(task, body, piece.len());
                let tail: &[u8] = if frame == Frame::Chunked { b"\r\n" } else { b"" };
                if frame == Frame::Chunked {
                    out.extend_from_slice(chunked::size_line(piece.len()).as_ref());
                }
                if piece.len() + out.len() <= GATHER_BYTES && write::is_small(&piece) {
                    out.extend_from_slice(&piece);
                    out.extend_from_slice(tail);
                    buffers::give_bytes(piece);
                } else {
                    write_held(task, body, (&mut keeper, frame), &mut out, [&piece, tail]).await?;
                }
            }
            Ok(Next::Later) => {
                keeper.write(task, body, [&out, b"", b""], frame).await?;
                out.clear();
            }
            Ok(Next::End) => {
                count_body(task, body, 0);
                if frame == Frame::Chunked {
                    end_chunked(task, body, &mut out);
                }
                endpoint_done(task);
                return write_along(task, body, [&out, b"", b""]).await;
            }
            Err(err) => {
                // What came is the client's, and then the connection ends before the message does.
                let _ = flush(task, &mut out).await;
                return Err(err);
            }
        }
        if out.is_empty() {
            splice::rest(task, body, frame == Frame::Plain, &mut keeper).await?;
        }
    }
}

/// What the route says about clients that go away.
fn client_abort(task: &Task<'_>) -> ClientAbort {
    match &task.route.action {
        Action::Proxy(plan) => plan.client_abort,
        _ => ClientAbort::Ignore,
    }
}

/// What a body has to offer at this moment.
enum Next {
    Piece(Bytes),
    Later,
    End,
}

/// Counts a piece of a body, or its end: what the client gets, and what of it the endpoint has sent.
fn count_body(task: &mut Task<'_>, body: &mut Body, len: usize) {
    task.cx.body_sent += len as u64;
    count_received(task, body.taken(len));
}

/// Counts bytes that go on as they came.
fn count_moved(task: &mut Task<'_>, len: u64) {
    task.cx.body_sent += len;
    count_received(task, len);
}

fn count_received(task: &mut Task<'_>, len: u64) {
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.body_received += len;
        attempt.received += len;
    }
}

/// The last chunk, with trailer fields.
fn end_chunked(task: &mut Task<'_>, body: &mut Body, out: &mut Vec<u8>) {
    let trailers = trailers_of(task, body);
    write::chunked_end(out, trailers.as_ref());
    task.cx.trailers = trailers.unwrap_or_default();
}

/// The fields behind a body: our own, and the endpoint's where they are passed on.
fn trailers_of(task: &Task<'_>, body: &mut Body) -> Option<Headers> {
    let passes = match &task.route.action {
        Action::Proxy(plan) => plan.bodies.trailers,
        _ => true,
    };
    if passes { body.take_trailers() } else { body.take_own_trailers() }
}

/// The endpoint has sent everything: it is free for others, however long the client takes.
fn endpoint_done(task: &mut Task<'_>) {
    note_response_time(task);
    record::endpoint_done(task);
}

fn note_response_time(task: &mut Task<'_>) {
    if let Some(attempt) = task.cx.attempts.last_mut()
        && attempt.response_us.is_none()
    {
        // A body that came with its head needs no other reading of the clock.
        let took = (clock::recent() - attempt.began).as_micros();
        attempt.response_us = Some(u32::try_from(took).unwrap_or(u32::MAX));
    }
}

/// Writes what is gathered and a piece; a small piece is copied behind the rest, so that one plain
/// `send(2)` does.
async fn write_piece(
    task: &Task<'_>,
    body: &mut Body,
    out: &mut Vec<u8>,
    (piece, tail): (&Bytes, &[u8]),
) -> Result<()> {
    if write::is_small(piece) {
        out.extend_from_slice(piece);
        out.extend_from_slice(tail);
        write_along(task, body, [out, b"", b""]).await?;
    } else {
        write_along(task, body, [out, piece, tail]).await?;
    }
    out.clear();
    Ok(())
}

/// Writes to the client while the rest of its request goes on to the endpoint: a client that sends all before
/// it reads, and an endpoint that answers meanwhile, would else wait for each other.
async fn write_along(task: &Task<'_>, body: &mut Body, parts: [&[u8]; 3]) -> Result<()> {
    let write = task.conn.http.write(parts, task.send_timeout());
    if !body.is_pumping() {
        return write.await;
    }
    let mut write = pin!(write);
    poll_fn(|cx| {
        let written = write.as_mut().poll(cx);
        if written.is_pending() {
            body.poll_pump(cx)?;
        }
        written
    })
    .await
}

/// The same for a client that may be slower than the endpoint.
async fn write_held(
    task: &mut Task<'_>,
    body: &mut Body,
    (keeper, frame): (&mut hold::Keeper, Frame),
    out: &mut Vec<u8>,
    [piece, tail]: [&[u8]; 2],
) -> Result<()> {
    if piece.len() <= write::SMALL_BYTES {
        out.extend_from_slice(piece);
        out.extend_from_slice(tail);
        keeper.write(task, body, [out, b"", b""], frame).await?;
    } else {
        keeper.write(task, body, [out, piece, tail], frame).await?;
    }
    out.clear();
    Ok(())
}

async fn flush(task: &Task<'_>, out: &mut Vec<u8>) -> Result<()> {
    if !out.is_empty() {
        task.conn.http.write([out, b"", b""], task.send_timeout()).await?;
        out.clear();
    }
    Ok(())
}

/// A file goes from the page cache to the socket by `sendfile(2)`.
async fn send_file(task: &mut Task<'_>, out: &mut Vec<u8>, mut file: FileBody) -> Result<()> {
    flush_more(task, out).await?;
    let http = task.conn.http.clone();
    let limit = task.send_timeout();
    while file.len > 0 {
        let want = usize::try_from(file.len).unwrap_or(usize::MAX).min(splice::TURN_BYTES);
        let part = (file.offset, want);
        let len = poll_fn(|cx| http.poll_send_file(cx, &file.file, part, limit)).await?;
        file.offset += len as u64;
        file.len -= len as u64;
        task.cx.body_sent += len as u64;
    }
    Ok(())
}

/// The head before a file: held back by the kernel until the file's first bytes are there.
async fn flush_more(task: &Task<'_>, out: &mut Vec<u8>) -> Result<()> {
    task.conn.http.write_more(out, task.send_timeout()).await?;
    out.clear();
    Ok(())
}
