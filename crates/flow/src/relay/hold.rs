//! Answers held back for a client that is slower than the endpoint, or slowed down by a rate.
//!
//! As long as the client keeps up, nothing is held: [`Keeper::write`] is a write like any other. Only when a
//! write has been waiting for [`GRACE`], the endpoint is read on, at its own speed, into memory and then a
//! file, until the client has caught up. An endpoint that has sent everything is free then, however long the
//! client takes.

use super::Frame;
use crate::attempt::client_left;
use crate::request::Task;
use crate::snapshot::Action;
use bifrons_core::{Error, Result, Side};
use bifrons_http::Body;
use bifrons_http::h1::{Conn, chunked};
use bifrons_http::pacer::Pacer;
use bifrons_http::spool::{Backlog, Front, GRACE, HoldRules, SpoolDir};
use bifrons_model::ClientAbort;
use bifrons_net::Timer;
use bifrons_net::splice::Pipe;
use std::future::poll_fn;
use std::io::IoSlice;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// 64: reads and writes in a row before other connections of the worker get their turn.
const TURNS_MAX: u32 = 64;

/// Writes to a client, and holds back what it does not take.
pub(super) struct Keeper {
    /// `None`: nothing is held, the endpoint waits for the client.
    rules: Option<Arc<HoldRules>>,
    grace: Timer,
}

impl Keeper {
    /// As the route and the answer say.
    pub(super) fn of(task: &Task<'_>) -> Self {
        Self { rules: rules(task), grace: Timer::new() }
    }

    /// Whether a slow client is waited for by us instead of the endpoint.
    pub(super) fn holds(&self) -> bool {
        self.rules.is_some()
    }

    /// Writes all of `parts`. If that takes too long, the body is read on meanwhile.
    pub(super) async fn write(
        &mut self,
        task: &mut Task<'_>,
        body: &mut Body,
        parts: [&[u8]; 3],
        frame: Frame,
    ) -> Result<()> {
        let http = task.conn.http.clone();
        let limit = task.send_timeout();
        let Some(rules) = &self.rules else { return super::write_along(task, body, parts).await };
        let mut slices = parts.map(IoSlice::new);
        let mut left: &mut [IoSlice<'_>] = &mut slices;
        IoSlice::advance_slices(&mut left, 0);
        let grace = &mut self.grace;
        let is_done = poll_fn(|cx| {
            while !left.is_empty() {
                match http.poll_write(cx, left, limit) {
                    Poll::Ready(Ok(len)) => IoSlice::advance_slices(&mut left, len),
                    Poll::Ready(Err(err)) => return Poll::Ready(Err(err)),
                    Poll::Pending => {
                        body.poll_pump(cx)?;
                        ready!(grace.poll(cx, GRACE));
                        return Poll::Ready(Ok(false));
                    }
                }
            }
            Poll::Ready(Ok(true))
        })
        .await?;
        self.grace.clear();
        if is_done {
            return Ok(());
        }
        let mut backlog = Backlog::new(rules.clone());
        left.iter().for_each(|part| backlog.push(part));
        let mut hold = Hold::new(backlog, frame);
        Box::pin(hold.run(task, body)).await
    }

    /// Moves the pipe's bytes to the client; false once that takes too long.
    pub(super) async fn drain(
        &mut self,
        task: &Task<'_>,
        pipe: &mut Pipe,
        more: bool,
    ) -> Result<Option<usize>> {
        let http = &task.conn.http;
        let grace = &mut self.grace;
        let moved = poll_fn(|cx| match pipe.poll_drain(cx, http.stream(), more) {
            Poll::Ready(Ok(len)) => Poll::Ready(Ok(Some(len))),
            Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(Side::Downstream, &err))),
            Poll::Pending => {
                if let Poll::Ready(err) = http.poll_write_timer(cx, task.send_timeout()) {
                    return Poll::Ready(Err(err));
                }
                ready!(grace.poll(cx, GRACE));
                Poll::Ready(Ok(None))
            }
        })
        .await?;
        self.grace.clear();
        if moved.is_some() {
            http.clear_write_timer();
        }
        Ok(moved)
    }

    /// Reads the body on behind a pipe whose bytes the client does not take.
    pub(super) async fn hold_behind(
        &self,
        task: &mut Task<'_>,
        body: &mut Body,
        pipe: &mut Pipe,
    ) -> Result<()> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let mut hold = Hold::new(Backlog::new(rules.clone()), Frame::Plain);
        hold.pipe = Some(pipe);
        Box::pin(hold.run(task, body)).await
    }
}

/// How answers of the route are held; `None` where they are not.
pub(super) fn rules(task: &Task<'_>) -> Option<Arc<HoldRules>> {
    match &task.route.action {
        Action::Proxy(plan) if task.cx.holds.unwrap_or(plan.bodies.holds) => Some(plan.bodies.hold.clone()),
        _ => None,
    }
}

/// Relays a whole body no faster than its pace; what comes faster is held back where the route says so.
pub(super) async fn paced(
    task: &mut Task<'_>,
    body: &mut Body,
    head: &mut Vec<u8>,
    frame: Frame,
    pacer: Pacer,
) -> Result<()> {
    super::flush(task, head).await?;
    let rules = rules(task).unwrap_or_else(no_room);
    let mut hold = Hold::new(Backlog::new(rules), frame);
    hold.pacer = Some(pacer);
    hold.run(task, body).await
}

/// One piece at a time.
fn no_room() -> Arc<HoldRules> {
    let dir = Arc::new(SpoolDir { path: PathBuf::new(), levels: Vec::new() });
    Arc::new(HoldRules { memory: 0, file: 0, write: 1, dir })
}

/// A body that is read while the client takes what came before.
struct Hold<'p> {
    backlog: Backlog,
    frame: Frame,
    /// What goes before the backlog.
    pipe: Option<&'p mut Pipe>,
    pacer: Option<Pacer>,
    ended: bool,
    failed: Option<Error>,
}

/// What a turn came to.
enum Turn {
    /// Something moved.
    Moved,
    /// Everything waits for something.
    Waits,
}

impl<'p> Hold<'p> {
    fn new(backlog: Backlog, frame: Frame) -> Self {
        Self { backlog, frame, pipe: None, pacer: None, ended: false, failed: None }
    }

    /// Until the client has caught up, or with a pace until the end.
    async fn run(&mut self, task: &mut Task<'_>, body: &mut Body) -> Result<()> {
        let http = task.conn.http.clone();
        let outcome = poll_fn(|cx| {
            for _ in 0..TURNS_MAX {
                let read = match self.read(cx, task, body) {
                    Ok(turn) => turn,
                    Err(err) => return Poll::Ready(Err(err)),
                };
                let written = match self.write(cx, task, &http) {
                    Ok(turn) => turn,
                    Err(err) => return Poll::Ready(Err(err)),
                };
                if self.is_over() {
                    return Poll::Ready(Ok(()));
                }
                if matches!((read, written), (Turn::Waits, Turn::Waits)) {
                    return match self.client_left(cx, task) {
                        Some(err) => Poll::Ready(Err(err)),
                        None => Poll::Pending,
                    };
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        if outcome.is_err() {
            task.cx.body_sent = task.cx.body_sent.saturating_sub(self.backlog.len());
        }
        outcome?;
        self.failed.take().map_or(Ok(()), Err)
    }

    fn is_over(&self) -> bool {
        let is_empty = self.backlog.is_empty() && self.pipe.as_ref().is_none_or(|pipe| pipe.is_empty());
        is_empty && (self.ended || self.pacer.is_none())
    }

    /// Reads a piece where there is room for one. An error shows when the client has what came before it, but
    /// for its own, which it gets at once.
    fn read(&mut self, cx: &mut Context<'_>, task: &mut Task<'_>, body: &mut Body) -> Result<Turn> {
        // Also where it is not waited for: its end wakes us.
        let _ = self.backlog.poll_written(cx);
        if self.ended || !self.backlog.has_room() {
            body.poll_pump(cx)?;
            return Ok(Turn::Waits);
        }
        match body.poll_next(cx) {
            Poll::Ready(Ok(Some(piece))) => {
                super::count_body(task, body, piece.len());
                match self.frame {
                    Frame::Plain => self.backlog.push(&piece),
                    Frame::Chunked => {
                        self.backlog.push(chunked::size_line(piece.len()).as_ref());
                        self.backlog.push(&piece);
                        self.backlog.push(b"\r\n");
                    }
                }
                bifrons_http::buffers::give_bytes(piece);
                Ok(Turn::Moved)
            }
            Poll::Ready(Ok(None)) => {
                super::count_body(task, body, 0);
                if let (Frame::Chunked, Some(_)) = (self.frame, &self.pacer) {
                    let mut end = Vec::new();
                    super::end_chunked(task, body, &mut end);
                    self.backlog.push(&end);
                }
                self.end(task);
                Ok(Turn::Moved)
            }
            Poll::Ready(Err(err)) if err.side() == Side::Downstream => Err(err),
            Poll::Ready(Err(err)) => {
                self.end(task);
                self.failed = Some(err);
                Ok(Turn::Moved)
            }
            Poll::Pending => Ok(Turn::Waits),
        }
    }

    /// Nothing more comes: the endpoint counts as free.
    fn end(&mut self, task: &mut Task<'_>) {
        self.ended = true;
        self.backlog.seal();
        super::endpoint_done(task);
    }

    fn write(&mut self, cx: &mut Context<'_>, task: &mut Task<'_>, http: &Rc<Conn>) -> Result<Turn> {
        let limit = task.send_timeout();
        if let Some(pipe) = self.pipe.as_mut().filter(|pipe| !pipe.is_empty()) {
            return match pipe.poll_drain(cx, http.stream(), false) {
                Poll::Ready(outcome) => {
                    let len = outcome.map_err(|err| Error::io(Side::Downstream, &err))? as u64;
                    http.count_sent(len);
                    super::count_moved(task, len);
                    http.clear_write_timer();
                    Ok(Turn::Moved)
                }
                Poll::Pending => waits(http.poll_write_timer(cx, limit)),
            };
        }
        let most = match self.backlog.front() {
            Front::Memory(bytes) => bytes.len(),
            Front::File { len, .. } => {
                usize::try_from(len).unwrap_or(usize::MAX).min(super::splice::TURN_BYTES)
            }
            Front::Empty | Front::Writing => return Ok(Turn::Waits),
        };
        let most = match &mut self.pacer {
            None => most,
            Some(pacer) => match pacer.poll(cx, most) {
                Poll::Ready(allowed) => allowed,
                Poll::Pending => return Ok(Turn::Waits),
            },
        };
        let polled = match self.backlog.front() {
            Front::Memory(bytes) => {
                http.poll_write(cx, &[IoSlice::new(bytes.get(..most).unwrap_or(bytes))], limit)
            }
            Front::File { file, offset, .. } => http.poll_send_file(cx, file, (offset, most), limit),
            Front::Empty | Front::Writing => Poll::Pending,
        };
        let Poll::Ready(outcome) = polled else { return Ok(Turn::Waits) };
        let len = outcome?;
        self.backlog.advance(len);
        if let Some(pacer) = &mut self.pacer {
            pacer.pass(len);
        }
        Ok(Turn::Moved)
    }

    /// While nothing is on its way to the client, only this shows that it is gone.
    fn client_left(&self, cx: &mut Context<'_>, task: &Task<'_>) -> Option<Error> {
        let policy = match &task.route.action {
            // With nothing left to give up upstream, what is here is the client's for as long as it takes it.
            Action::Proxy(plan) if !self.ended => plan.client_abort,
            _ => ClientAbort::Ignore,
        };
        client_left(cx, policy, task.conn)
    }
}

fn waits(timer: Poll<Error>) -> Result<Turn> {
    match timer {
        Poll::Ready(err) => Err(err),
        Poll::Pending => Ok(Turn::Waits),
    }
}
