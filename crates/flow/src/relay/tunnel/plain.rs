//! Two plain connections, joined by one future: it reads into room that all of a worker share and writes at once
//! what it has read, so that nothing is held for who says nothing. Big streams go through the kernel.

use super::ends::Limits;
use super::{Course, Direction, gone};
use crate::worker::Worker;
use bifrons_core::{Error, Result};
use bifrons_http::h1::Conn;
use bifrons_net::Waiting;
use bifrons_net::splice::Pipe;
use bytes::{Buf, Bytes};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::IoSlice;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// 32 KiB: up to here one read and one write cost less than two moves through a pipe, and who has more to say
/// mostly has much more.
const ROOM_BYTES: usize = 32 * 1024;
/// 16 KiB: a stream of which less comes at once is not big any more.
const BULK_BYTES: usize = 16 * 1024;
/// 1 MiB: what one direction moves before other connections of the worker get their turn.
const TURN_BYTES: usize = 1024 * 1024;

thread_local! {
    /// Bytes on their way; used within one call only.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; ROOM_BYTES].into());
}

/// Relays until both directions have ended, or one fails, or nothing has moved for too long.
pub(super) async fn join(worker: &Worker, (down, up): (&Conn, &Conn), limits: &Limits) -> Result<()> {
    let mut there = Way::new((down, up), limits.up);
    let mut back = Way::new((up, down), limits.down);
    let mut course = Course::new(limits.idle);
    poll_fn(|cx| {
        let mut moved = false;
        for (direction, way) in [(Direction::There, &mut there), (Direction::Back, &mut back)] {
            if !course.is_over(direction)
                && let Poll::Ready(end) = way.poll(cx, worker, &mut moved)
            {
                course.end(direction, end)?;
            }
        }
        course.poll(cx, moved)
    })
    .await
}

/// One direction.
struct Way<'a> {
    from: &'a Conn,
    to: &'a Conn,
    /// How long `to` may take nothing.
    limit: Duration,
    /// What it has not taken at once: at most what was read ahead, or one room full.
    held: Bytes,
    /// The same in the kernel; no pipe where there is none.
    pipe: Option<Pipe>,
    is_bulk: bool,
    waiting: Waiting,
}

impl<'a> Way<'a> {
    fn new((from, to): (&'a Conn, &'a Conn), limit: Duration) -> Self {
        Self {
            from,
            to,
            limit,
            held: from.take_ahead(),
            pipe: None,
            is_bulk: false,
            waiting: Waiting::default(),
        }
    }

    /// Passes on what is there; ready when the direction has ended.
    fn poll(&mut self, cx: &mut Context<'_>, worker: &Worker, moved: &mut bool) -> Poll<Result<()>> {
        let mut left = TURN_BYTES;
        loop {
            if !self.held.is_empty() || self.pipe.is_some() {
                ready!(self.poll_send(cx, worker, moved))?;
            }
            if left == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let len = match self.is_bulk {
                true => ready!(self.poll_splice(cx, worker))?,
                false => ready!(self.poll_copy(cx))?,
            };
            *moved = true;
            if len == 0 {
                self.to.end_write();
                return Poll::Ready(Ok(()));
            }
            left = left.saturating_sub(len);
        }
    }

    /// Reads, and writes as much of it as is taken at once; ready with what came.
    fn poll_copy(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        ROOM.with_borrow_mut(|room| {
            let len = ready!(self.from.poll_copy(cx, room, &mut self.waiting))?;
            let bytes = room.get(..len).unwrap_or_default();
            if len == 0 {
                return Poll::Ready(Ok(0));
            }
            self.is_bulk = len == room.len();
            let taken = self.to.write_at_once(bytes).map_err(gone)?.unwrap_or(0);
            if taken < len {
                self.held = Bytes::copy_from_slice(bytes.get(taken..).unwrap_or_default());
            }
            Poll::Ready(Ok(len))
        })
    }

    /// Moves bytes into a pipe; ready with how many. Whoever waits for some holds no pipe.
    fn poll_splice(&mut self, cx: &mut Context<'_>, worker: &Worker) -> Poll<Result<usize>> {
        self.waiting.forget();
        let io = |err: std::io::Error| Error::io(self.from.side(), &err);
        ready!(self.from.stream().poll_readable(cx)).map_err(io)?;
        let Ok(mut pipe) = worker.take_pipe() else {
            self.is_bulk = false;
            return self.poll_copy(cx);
        };
        let filled = pipe.poll_fill(cx, self.from.stream(), TURN_BYTES);
        let len = match filled {
            Poll::Ready(Ok(len @ 1..)) => len,
            filled => {
                worker.put_pipe(pipe);
                return filled.map_err(io);
            }
        };
        self.from.count_received(len as u64);
        self.is_bulk = len >= BULK_BYTES;
        self.pipe = Some(pipe);
        Poll::Ready(Ok(len))
    }

    /// Sends what is held; ready when nothing is.
    fn poll_send(&mut self, cx: &mut Context<'_>, worker: &Worker, moved: &mut bool) -> Poll<Result<()>> {
        while !self.held.is_empty() {
            let len =
                ready!(self.to.poll_write(cx, &[IoSlice::new(&self.held)], self.limit)).map_err(gone)?;
            self.held.advance(len);
            *moved = true;
        }
        self.held = Bytes::new();
        let Some(pipe) = &mut self.pipe else { return Poll::Ready(Ok(())) };
        while !pipe.is_empty() {
            let len = match pipe.poll_drain(cx, self.to.stream(), false) {
                Poll::Ready(Ok(len)) => len,
                Poll::Ready(Err(err)) => {
                    return Poll::Ready(Err(gone(Error::io(self.to.side(), &err))));
                }
                Poll::Pending => return self.to.poll_write_timer(cx, self.limit).map(Err),
            };
            self.to.clear_write_timer();
            self.to.count_sent(len as u64);
            *moved = true;
        }
        self.pipe.take().into_iter().for_each(|pipe| worker.put_pipe(pipe));
        Poll::Ready(Ok(()))
    }
}
