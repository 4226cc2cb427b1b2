//! After an upgrade, and on layer 4: bytes both ways, each direction with its own end (half-close).

mod ends;
mod plain;

pub(super) use ends::{End, Limits, join};

use crate::request::{After, Task};
use crate::snapshot::Action;
use crate::worker::Worker;
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_http::h1::write::{self, Delimit, Persist, ToDownstream};
use bifrons_http::h1::{Conn, Pace};
use bifrons_http::{Body, RequestHead, Response, Tunnel};
use bifrons_net::{Timer, clock};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// For how long nothing may move at the most when one direction has ended: who means to say more does it soon.
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// Sends the head of the 101 and then relays until both directions have ended.
pub(super) async fn run(task: &mut Task<'_>, _req: &RequestHead, res: &mut Response) -> After {
    let Body::Tunnel(upstream) = std::mem::take(&mut res.body) else { return After::Abort };
    let Some(limits) = limits(task) else { return After::Abort };
    let mut out = Vec::new();
    let server = super::server_of(&task.route, task.listener);
    // RFC 9110 8.6: no Content-Length in a 101.
    let to = ToDownstream { delimit: Delimit::Nothing, persist: Persist::Upgrade, server };
    write::response(&mut out, &res.head, &to);
    let http = task.conn.http.clone();
    http.begin_send(Pace::timeout(task.send_timeout()));
    let outcome = match http.write([&out, b"", b""], limits.down).await {
        Ok(()) => relay(&task.conn.worker, (&http, &upstream), &limits).await,
        Err(err) => Err(err),
    };
    settle(task, &upstream, outcome);
    After::Abort
}

/// The whole connection to the one to an endpoint, until both directions have ended. Little of it is held
/// meanwhile: most of such connections say nothing most of the time.
pub(crate) async fn whole(task: &mut Task<'_>, upstream: Tunnel) {
    task.cx.status = 200;
    let Some(limits) = limits(task) else { return };
    let outcome = relay(&task.conn.worker, (&task.conn.http, &upstream), &limits).await;
    settle(task, &upstream, outcome);
    task.cx.sent = task.conn.http.sent();
    task.cx.received = task.conn.take_consumed();
}

/// Relays until both directions have ended, or one fails, or nothing has moved for too long.
async fn relay(worker: &Worker, (down, up): (&Conn, &Tunnel), limits: &Limits) -> Result<()> {
    match up {
        Tunnel::Conn(up) if !down.is_tls() && !up.is_tls() => plain::join(worker, (down, up), limits).await,
        // Boxed, as it is the bigger one.
        up => Box::pin(join(&End::Conn(down), &End::of(up), limits)).await,
    }
}

/// How long the route's tunnels may rest.
pub(super) fn limits(task: &Task<'_>) -> Option<Limits> {
    let Action::Proxy(plan) = &task.route.action else { return None };
    Some(Limits { idle: plan.tunnel_timeout, up: plan.send_timeout, down: task.send_timeout() })
}

/// Notes what has gone through, and how it ended.
fn settle(task: &mut Task<'_>, upstream: &Tunnel, outcome: Result<()>) {
    count(task, upstream);
    task.cx.body_sent = upstream.received();
    if let Err(err) = outcome {
        task.cx.note_error(err);
    }
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

/// One of the two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    /// From the client to the endpoint.
    There,
    /// From the endpoint to the client.
    Back,
}

impl Direction {
    /// On which side they are who are written to.
    fn side(self) -> Side {
        match self {
            Self::There => Side::Upstream,
            Self::Back => Side::Downstream,
        }
    }
}

/// What both directions of a tunnel have come to.
struct Course {
    idle_max: Duration,
    idle: Timer,
    /// When something has moved last.
    moved: Instant,
    is_there_over: bool,
    is_back_over: bool,
    /// Why a direction has ended, where whom it led to had gone.
    failed: Option<Error>,
}

impl Course {
    fn new(idle_max: Duration) -> Self {
        Self {
            idle_max,
            idle: Timer::new(),
            moved: clock::recent(),
            is_there_over: false,
            is_back_over: false,
            failed: None,
        }
    }

    fn is_over(&self, way: Direction) -> bool {
        match way {
            Direction::There => self.is_there_over,
            Direction::Back => self.is_back_over,
        }
    }

    /// Notes the end of a direction. Who reads no more may have said something before, which still goes the other
    /// way: only that one direction is over then.
    fn end(&mut self, way: Direction, end: Result<()>) -> Result<()> {
        match way {
            Direction::There => self.is_there_over = true,
            Direction::Back => self.is_back_over = true,
        }
        // The limit is another from here on.
        self.idle.clear();
        self.moved = clock::recent();
        match end {
            Err(err) if err.kind() == Kind::Closed && err.side() == way.side() => {
                self.failed.get_or_insert(err);
                Ok(())
            }
            end => end,
        }
    }

    /// Ready when both directions have ended, or nothing has moved for too long. Bytes of either direction, and
    /// the end of one, begin a new wait.
    fn poll(&mut self, cx: &mut Context<'_>, moved: bool) -> Poll<Result<()>> {
        if self.is_there_over && self.is_back_over {
            return Poll::Ready(self.failed.take().map_or(Ok(()), Err));
        }
        if moved {
            self.moved = clock::recent();
        }
        let is_half = self.is_there_over || self.is_back_over;
        let limit = if is_half { self.idle_max.min(HALF_CLOSED) } else { self.idle_max };
        ready!(self.idle.poll_since(cx, self.moved, limit));
        Poll::Ready(Err(Error::local(Kind::TunnelIdle, "nothing moved in the tunnel")))
    }
}

/// A reset of who is written to says no more than that it has gone.
pub(super) fn gone(err: Error) -> Error {
    match err.kind() {
        Kind::Reset => Error::of(err.side(), Kind::Closed, "the other end has gone"),
        _ => err,
    }
}
