//! Step 7. Bytes both ways: the answer's head and body to the client, tunnels after an upgrade.

use crate::attempt::client_left;
use crate::conn::Lease;
use crate::request::{After, Task};
use crate::serve::http1::is_discardable;
use crate::snapshot::{Action, ServerPlan};
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_http::buffers;
use bifrons_http::h1::framing;
use bifrons_http::h1::write::{self, Delimit, Persist, Server, ToDownstream};
use bifrons_http::h1::{Conn, chunked};
use bifrons_http::{Body, FileBody, Method, Name, RequestHead, Response, Version};
use bifrons_model::ClientAbort;
use bifrons_net::clock;
use bytes::Bytes;
use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;

mod splice;
mod tunnel;

/// 16 KiB: small pieces of a chunked body are gathered up to here before they are written.
const GATHER_BYTES: usize = 16 * 1024;

/// Sends the answer and says what becomes of the connection.
pub async fn answer(task: &mut Task<'_>, req: &RequestHead, mut res: Response, lease: Lease) -> After {
    let sent_before = task.conn.http.sent();
    task.cx.status = res.head.status;
    let after = if matches!(res.body, Body::Tunnel(_)) {
        Box::pin(tunnel::run(task, req, &mut res)).await
    } else {
        let (persist, after) = persistence(task, req, lease);
        let delimit = write::response_delimit(&res.head, req.method(), res.body.length(), req.version);
        let persist = if delimit == Delimit::Close { Persist::Close } else { persist };
        let after = if delimit == Delimit::Close { After::Close } else { after };
        if req.method() == Method::Head || delimit == Delimit::Nothing {
            res.body = Body::Empty;
        }
        match send(task, &mut res, delimit, persist).await {
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
fn persistence(task: &Task<'_>, req: &RequestHead, lease: Lease) -> (Persist, After) {
    let http = &task.conn.http;
    // A client that was told to wait for 100 and never was may or may not send its body now.
    let is_unclear = http.body_open() && req.headers.has(Name::Expect);
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
    let is_last = lease == Lease::Last || task.conn.worker.shared.is_draining();
    if is_last || is_refused || !is_readable || !framing::request_keeps_alive(req) {
        return (Persist::Close, After::Close);
    }
    match req.version {
        Version::Http11 => (Persist::Implied, After::KeepAlive),
        Version::Http10 => (Persist::KeepAlive, After::KeepAlive),
    }
}

/// An answer that can't be brought to its end: the client must not take it for a whole one.
fn abort(task: &mut Task<'_>, err: Error, delimit: Delimit) -> After {
    if delimit == Delimit::Close {
        // A clean close would look like the end of the body.
        task.conn.http.stream().reset_on_close();
    }
    task.cx.note_error(err);
    After::Abort
}

/// Head and body, in as few writes as the body's arrival allows.
async fn send(task: &mut Task<'_>, res: &mut Response, delimit: Delimit, persist: Persist) -> Result<()> {
    let own_server = !res.head.headers.has(Name::Server);
    let to = ToDownstream {
        delimit,
        persist,
        server: match &task.listener.server {
            ServerPlan::Pass if own_server => Server::Set("bifrons"),
            ServerPlan::Pass => Server::Pass,
            ServerPlan::Off => Server::Off,
            ServerPlan::Set(name) => Server::Set(name),
        },
    };
    let mut out = Vec::with_capacity(1024);
    write::response(&mut out, &res.head, &to);
    let frame = if delimit == Delimit::Chunked { Frame::Chunked } else { Frame::Plain };
    match &mut res.body {
        Body::Empty | Body::Spent | Body::Tunnel(_) => flush(task, &mut out).await,
        Body::Full(bytes) if frame == Frame::Plain => {
            task.cx.body_sent += bytes.len() as u64;
            let bytes = std::mem::take(bytes);
            write_piece(&task.conn.http, &mut out, &bytes, b"", task.listener.send_timeout).await
        }
        Body::File(file) if frame == Frame::Plain => {
            let file = file.clone();
            Box::pin(send_file(task, &mut out, file)).await
        }
        body => relay_body(task, body, out, frame).await,
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
async fn relay_body(task: &mut Task<'_>, body: &mut Body, mut out: Vec<u8>, frame: Frame) -> Result<()> {
    let http = task.conn.http.clone();
    let limit = task.listener.send_timeout;
    let abort = match &task.route.action {
        Action::Proxy(plan) => plan.client_abort,
        _ => ClientAbort::Ignore,
    };
    loop {
        let piece = poll_fn(|cx| match body.poll_next(cx) {
            // Nothing there yet: what is gathered must not wait for it.
            Poll::Pending if !out.is_empty() => Poll::Ready(Ok(Next::Later)),
            Poll::Pending => match client_left(cx, abort, &http, http.body_open()) {
                Some(err) => Poll::Ready(Err(err)),
                None => Poll::Pending,
            },
            Poll::Ready(piece) => Poll::Ready(piece.map(|piece| piece.map_or(Next::End, Next::Piece))),
        })
        .await;
        match piece {
            Ok(Next::Piece(piece)) => {
                count_body(task, piece.len() as u64);
                let tail: &[u8] = if frame == Frame::Chunked { b"\r\n" } else { b"" };
                if frame == Frame::Chunked {
                    out.extend_from_slice(chunked::size_line(piece.len()).as_ref());
                }
                if piece.len() + out.len() <= GATHER_BYTES && write::is_small(&piece) {
                    out.extend_from_slice(&piece);
                    out.extend_from_slice(tail);
                    buffers::give_bytes(piece);
                } else {
                    write_piece(&http, &mut out, &piece, tail, limit).await?;
                }
            }
            Ok(Next::Later) => {
                http.write([&out, b"", b""], limit).await?;
                out.clear();
            }
            Ok(Next::End) => {
                if frame == Frame::Chunked {
                    write::chunked_end(&mut out, body.take_trailers().as_ref());
                }
                note_response_time(task);
                return flush(task, &mut out).await;
            }
            Err(err) => {
                // What came is the client's, and then the connection ends before the message does.
                let _ = flush(task, &mut out).await;
                return Err(err);
            }
        }
        if out.is_empty() {
            splice::rest(task, body, frame == Frame::Plain).await?;
        }
    }
}

/// What a body has to offer at this moment.
enum Next {
    Piece(Bytes),
    Later,
    End,
}

fn count_body(task: &mut Task<'_>, len: u64) {
    task.cx.body_sent += len;
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.body_received += len;
        attempt.received += len;
    }
}

fn note_response_time(task: &mut Task<'_>) {
    if let Some(attempt) = task.cx.attempts.last_mut() {
        // A body that came with its head needs no other reading of the clock.
        let took = (clock::recent() - attempt.began).as_micros();
        attempt.response_us = Some(u32::try_from(took).unwrap_or(u32::MAX));
    }
}

/// Writes what is gathered and a piece; a small piece is copied behind the rest, so that one plain
/// `send(2)` does.
async fn write_piece(
    http: &Conn,
    out: &mut Vec<u8>,
    piece: &Bytes,
    tail: &[u8],
    limit: Duration,
) -> Result<()> {
    if write::is_small(piece) {
        out.extend_from_slice(piece);
        out.extend_from_slice(tail);
        http.write([out, b"", b""], limit).await?;
    } else {
        http.write([out, piece, tail], limit).await?;
    }
    out.clear();
    Ok(())
}

async fn flush(task: &Task<'_>, out: &mut Vec<u8>) -> Result<()> {
    if !out.is_empty() {
        task.conn.http.write([out, b"", b""], task.listener.send_timeout).await?;
        out.clear();
    }
    Ok(())
}

/// A file goes from the page cache to the socket by `sendfile(2)`.
async fn send_file(task: &mut Task<'_>, out: &mut Vec<u8>, mut file: FileBody) -> Result<()> {
    flush_more(task, out).await?;
    let http = task.conn.http.clone();
    let limit = task.listener.send_timeout;
    while file.len > 0 {
        let len = poll_fn(|cx| {
            let want = usize::try_from(file.len).unwrap_or(usize::MAX).min(splice::TURN_BYTES);
            match bifrons_net::splice::poll_sendfile(cx, http.stream(), &*file.file, file.offset, want) {
                Poll::Ready(Ok(len)) => Poll::Ready(Ok(len)),
                Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(Side::Downstream, &err))),
                Poll::Pending => {
                    let err = ready!(http.poll_write_timer(cx, limit));
                    Poll::Ready(Err(err))
                }
            }
        })
        .await?;
        http.clear_write_timer();
        if len == 0 {
            return Err(Error::local(Kind::Closed, "the file became shorter while it was sent"));
        }
        file.offset += len as u64;
        file.len -= len as u64;
        task.cx.body_sent += len as u64;
        http.count_sent(len as u64);
    }
    Ok(())
}

/// The head before a file: held back by the kernel until the file's first bytes are there.
async fn flush_more(task: &Task<'_>, out: &mut Vec<u8>) -> Result<()> {
    task.conn.http.write_more(out, task.listener.send_timeout).await?;
    out.clear();
    Ok(())
}
