//! After an upgrade: bytes both ways, each direction with its own end (half-close).

use crate::request::{After, Task};
use crate::snapshot::Action;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::h1::write::{self, Delimit, Persist, ToDownstream};
use bifrons_http::h1::{Conn, Pace};
use bifrons_http::{Body, RequestHead, Response};
use bifrons_net::Timer;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

/// For how long nothing may move at the most when one direction has ended: who means to say more does it soon.
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// Sends the head of the 101 and then relays until both directions have ended.
pub(super) async fn run(task: &mut Task<'_>, _req: &RequestHead, res: &mut Response) -> After {
    let Body::Tunnel(upstream) = &res.body else { return After::Abort };
    let upstream = upstream.clone();
    let mut out = Vec::with_capacity(512);
    let server = super::server_of(task.route, task.listener);
    let to = ToDownstream { delimit: Delimit::AsIs, persist: Persist::Upgrade, server };
    write::response(&mut out, &res.head, &to);
    let http = task.conn.http.clone();
    http.begin_send(Pace::timeout(task.listener.send_timeout));
    let limits = match &task.route.action {
        Action::Proxy(plan) => {
            Limits { idle: plan.tunnel_timeout, up: plan.send_timeout, down: task.listener.send_timeout }
        }
        _ => return After::Abort,
    };
    let outcome = match http.write([&out, b"", b""], limits.down).await {
        Ok(()) => both_ways(&http, &upstream, &limits).await,
        Err(err) => Err(err),
    };
    if let Some(attempt) = task.cx.attempts.last_mut() {
        attempt.sent = upstream.sent();
        attempt.received = upstream.received();
    }
    task.cx.body_sent = upstream.received();
    if let Err(err) = outcome {
        task.cx.note_error(err);
    }
    After::Abort
}

/// How long a tunnel may rest.
struct Limits {
    /// Both directions together.
    idle: Duration,
    /// A write to the endpoint.
    up: Duration,
    /// A write to the client.
    down: Duration,
}

/// Relays until both directions have ended, or one fails, or nothing has moved for too long.
async fn both_ways(down: &Rc<Conn>, up: &Rc<Conn>, limits: &Limits) -> Result<()> {
    let moved = Cell::new(false);
    let mut there = pin!(one_way(down, up, limits.up, &moved));
    let mut back = pin!(one_way(up, down, limits.down, &moved));
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
        let limit = if is_half { limits.idle.min(HALF_CLOSED) } else { limits.idle };
        ready!(idle.poll(cx, limit));
        Poll::Ready(Err(Error::local(Kind::TunnelIdle, "nothing moved in the tunnel")))
    })
    .await
}

/// Relays one direction to its end and passes the end on.
async fn one_way(from: &Rc<Conn>, to: &Rc<Conn>, send_timeout: Duration, moved: &Cell<bool>) -> Result<()> {
    loop {
        let bytes = poll_fn(|cx| from.poll_raw(cx, Duration::MAX)).await?;
        moved.set(true);
        if bytes.is_empty() {
            to.end_write();
            return Ok(());
        }
        to.write([&bytes, b"", b""], send_timeout).await.map_err(|err| {
            if err.kind() == Kind::Reset {
                Error::of(err.side(), Kind::Closed, "the other end has gone")
            } else {
                err
            }
        })?;
    }
}
