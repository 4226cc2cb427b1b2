//! After an upgrade: bytes both ways, each direction with its own end (half-close).

mod ends;

pub(super) use ends::{End, Limits, join};

use crate::request::{After, Task};
use crate::snapshot::Action;
use crate::worker::Worker;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::h1::write::{self, Delimit, Persist, ToDownstream};
use bifrons_http::h1::{Conn, Pace};
use bifrons_http::{Body, RequestHead, Response, Tunnel};
use bifrons_net::Timer;
use bifrons_net::splice::Pipe;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

/// For how long nothing may move at the most when one direction has ended: who means to say more does it soon.
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// 16 KiB: who sends that much at once has more, and from there on the kernel moves it more cheaply than a copy
/// does.
const BULK_BYTES: usize = 16 * 1024;
/// 256 KiB: what one call moves.
const TURN_BYTES: usize = 256 * 1024;

/// Sends the head of the 101 and then relays until both directions have ended.
pub(super) async fn run(task: &mut Task<'_>, _req: &RequestHead, res: &mut Response) -> After {
    let Body::Tunnel(upstream) = std::mem::take(&mut res.body) else { return After::Abort };
    let mut out = Vec::new();
    if !matches!(&task.route.action, Action::Proxy(plan) if plan.is_raw) {
        let server = super::server_of(&task.route, task.listener);
        // RFC 9110 8.6: no Content-Length in a 101.
        let to = ToDownstream { delimit: Delimit::Nothing, persist: Persist::Upgrade, server };
        write::response(&mut out, &res.head, &to);
    }
    let http = task.conn.http.clone();
    http.begin_send(Pace::timeout(task.send_timeout()));
    let Some(limits) = limits(task) else { return After::Abort };
    let outcome = match (http.write([&out, b"", b""], limits.down).await, &upstream) {
        (Ok(()), Tunnel::Conn(conn)) => both_ways(&task.conn.worker, (&http, conn), &limits).await,
        (Ok(()), stream) => join(&End::Conn(&http), &End::of(stream), &limits).await,
        (Err(err), _) => Err(err),
    };
    count(task, &upstream);
    task.cx.body_sent = upstream.received();
    if let Err(err) = outcome {
        task.cx.note_error(err);
    }
    After::Abort
}

/// How long the route's tunnels may rest.
pub(super) fn limits(task: &Task<'_>) -> Option<Limits> {
    let Action::Proxy(plan) = &task.route.action else { return None };
    Some(Limits { idle: plan.tunnel_timeout, up: plan.send_timeout, down: task.send_timeout() })
}

/// Counts what has gone through.
pub(super) fn count(task: &mut Task<'_>, upstream: &Tunnel) {
    let Some(attempt) = task.cx.attempts.last_mut() else { return };
    match upstream {
        Tunnel::Conn(conn) => (attempt.sent, attempt.received) = (conn.sent(), conn.received()),
        // Heads are counted already.
        Tunnel::Stream(stream) => {
            attempt.sent += stream.sent();
            attempt.received += stream.received();
        }
    }
}

/// Relays until both directions have ended, or one fails, or nothing has moved for too long.
async fn both_ways(worker: &Worker, (down, up): (&Rc<Conn>, &Rc<Conn>), limits: &Limits) -> Result<()> {
    let moved = Cell::new(false);
    let there = one_way(worker, (down, up), limits.up, &moved);
    let back = one_way(worker, (up, down), limits.down, &moved);
    until_both_end(there, back, &moved, limits.idle).await
}

/// Runs two directions until both have ended, or one fails, or nothing has moved for too long.
pub(super) async fn until_both_end(
    there: impl Future<Output = Result<()>>,
    back: impl Future<Output = Result<()>>,
    moved: &Cell<bool>,
    idle_max: Duration,
) -> Result<()> {
    let (mut there, mut back) = (pin!(there), pin!(back));
    let (mut is_there_done, mut is_back_done) = (false, false);
    let mut idle = Timer::new();
    poll_fn(|cx| {
        if !is_there_done && let Poll::Ready(end) = there.as_mut().poll(cx) {
            is_there_done = true;
            end?;
        }
        if !is_back_done && let Poll::Ready(end) = back.as_mut().poll(cx) {
            is_back_done = true;
            end?;
        }
        if is_there_done && is_back_done {
            return Poll::Ready(Ok(()));
        }
        // Bytes of either direction, and the end of one, begin a new wait.
        if moved.take() {
            idle.clear();
        }
        let is_half = is_there_done || is_back_done;
        let limit = if is_half { idle_max.min(HALF_CLOSED) } else { idle_max };
        ready!(idle.poll(cx, limit));
        Poll::Ready(Err(Error::local(Kind::TunnelIdle, "nothing moved in the tunnel")))
    })
    .await
}

/// Relays one direction to its end and passes the end on.
async fn one_way(
    worker: &Worker,
    (from, to): (&Rc<Conn>, &Rc<Conn>),
    send_timeout: Duration,
    moved: &Cell<bool>,
) -> Result<()> {
    let is_plain = !from.is_tls() && !to.is_tls();
    let mut is_bulk = false;
    loop {
        if is_bulk && let Ok(mut pipe) = worker.take_pipe() {
            let is_over = Box::pin(spliced((from, to), &mut pipe, send_timeout, moved)).await?;
            worker.put_pipe(pipe);
            if is_over {
                return Ok(());
            }
        }
        let bytes = poll_fn(|cx| from.poll_raw(cx, Duration::MAX)).await?;
        moved.set(true);
        if bytes.is_empty() {
            to.end_write();
            return Ok(());
        }
        is_bulk = is_plain && bytes.len() >= BULK_BYTES && !from.has_buffered();
        to.write([&bytes, b"", b""], send_timeout).await.map_err(gone)?;
    }
}

/// A reset of who is written to says no more than that it has gone.
pub(super) fn gone(err: Error) -> Error {
    match err.kind() {
        Kind::Reset => Error::of(err.side(), Kind::Closed, "the other end has gone"),
        _ => err,
    }
}

/// Moves bytes through the kernel for as long as there are any; true at the end of the stream.
async fn spliced(
    (from, to): (&Rc<Conn>, &Rc<Conn>),
    pipe: &mut Pipe,
    send_timeout: Duration,
    moved: &Cell<bool>,
) -> Result<bool> {
    loop {
        let filled = poll_fn(|cx| match pipe.poll_fill(cx, from.stream(), TURN_BYTES) {
            // Nothing there: whoever waits holds no pipe.
            Poll::Pending => Poll::Ready(None),
            Poll::Ready(filled) => Poll::Ready(Some(filled)),
        });
        let Some(filled) = filled.await else { return Ok(false) };
        let len = filled.map_err(|err| Error::io(from.side(), &err))?;
        moved.set(true);
        if len == 0 {
            to.end_write();
            return Ok(true);
        }
        from.pass_body(len as u64);
        while !pipe.is_empty() {
            let len = poll_fn(|cx| match pipe.poll_drain(cx, to.stream(), false) {
                Poll::Ready(Ok(len)) => Poll::Ready(Ok(len)),
                Poll::Ready(Err(err)) => Poll::Ready(Err(gone(Error::io(to.side(), &err)))),
                Poll::Pending => to.poll_write_timer(cx, send_timeout).map(Err),
            });
            let len = len.await?;
            to.clear_write_timer();
            to.count_sent(len as u64);
        }
    }
}
