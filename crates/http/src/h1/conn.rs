//! One HTTP/1 connection, of either side: its socket, the bytes read ahead, its deadlines and the state
//! of the body that is being read. Shared by `Rc` between whoever reads a body and whoever writes.
//!
//! An idle connection holds no buffer: readiness first, then memory.

use super::parse::{self, Parsed};
use crate::buffers::{self, ROOM_MIN};
use crate::head::{RequestHead, ResponseHead};
use bifrons_core::{Error, Kind, Limits, Result, Side};
use bifrons_net::{Stream, Timer, clock};
use bytes::{Buf, Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::IoSlice;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

mod incoming;

use incoming::Incoming;

/// 128 KiB: beyond it a bigger read saves nothing measurable, and slow clients would hold more memory.
const ROOM_MAX: usize = 128 * 1024;

/// How long one side may take, and how slow it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two successful reads or writes.
    pub timeout: Duration,
    /// Bytes a second a body must reach on average after `grace`; 0: any.
    pub rate_min: u64,
    /// For how long a body may be slower.
    pub grace: Duration,
}

impl Pace {
    /// Only a timeout, no rate.
    pub fn timeout(timeout: Duration) -> Self {
        Self { timeout, rate_min: 0, grace: Duration::ZERO }
    }
}

/// A connection.
pub struct Conn {
    stream: Stream,
    side: Side,
    buf: RefCell<BytesMut>,
    body: RefCell<Incoming>,
    read_timer: RefCell<Timer>,
    write_timer: RefCell<Timer>,
    room: Cell<usize>,
    received: Cell<u64>,
    sent: Cell<u64>,
    idle: Cell<bool>,
    sending: Cell<bool>,
    write_ended: Cell<bool>,
    born: Instant,
    messages: Cell<u32>,
}

/// How long to wait for a request.
#[derive(Clone, Copy, Debug)]
pub struct HeadPace {
    /// For its first byte.
    pub idle: Duration,
    /// From its first byte to the end of its head.
    pub head: Duration,
}

impl Conn {
    /// A connection to a peer on that side.
    pub fn new(stream: Stream, side: Side) -> Self {
        Self {
            stream,
            side,
            buf: RefCell::new(BytesMut::new()),
            body: RefCell::new(Incoming::none()),
            read_timer: RefCell::new(Timer::new()),
            write_timer: RefCell::new(Timer::new()),
            room: Cell::new(ROOM_MIN),
            received: Cell::new(0),
            sent: Cell::new(0),
            idle: Cell::new(false),
            sending: Cell::new(false),
            write_ended: Cell::new(false),
            born: clock::recent(),
            messages: Cell::new(0),
        }
    }

    /// The socket underneath.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Takes the connection apart: its socket and the bytes read ahead.
    pub fn into_parts(self) -> (Stream, BytesMut) {
        (self.stream, self.buf.into_inner())
    }

    /// Bytes received since the connection began.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// Bytes that messages were made of since the connection began: what was received and does not lie
    /// ahead of us.
    pub fn consumed(&self) -> u64 {
        self.received.get() - self.buf.borrow().len() as u64
    }

    /// Bytes sent since the connection began.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// Counts bytes that went out beside [`Conn::write`], by splice or sendfile.
    pub fn count_sent(&self, len: u64) {
        self.sent.set(self.sent.get() + len);
    }

    /// Messages read so far.
    pub fn messages(&self) -> u32 {
        self.messages.get()
    }

    /// When the connection was made.
    pub fn born(&self) -> Instant {
        self.born
    }

    /// Whether it waits for the first byte of a request.
    pub fn is_idle(&self) -> bool {
        self.idle.get()
    }

    /// Whether a message is still being sent on it, so that it cannot be reused.
    pub fn is_sending(&self) -> bool {
        self.sending.get()
    }

    /// Says whether a message is being sent on it.
    pub fn set_sending(&self, sending: bool) {
        self.sending.set(sending);
    }

    /// Whether it is as it should be between two messages: nothing read ahead, nothing to read.
    pub fn is_quiet(&self) -> bool {
        self.buf.borrow().is_empty() && !self.stream.has_stirred()
    }

    /// Whether nothing is there between two messages, also where the last read filled its buffer or went by
    /// splice and so left the reactor thinking that there is more: then, and only then, the kernel is asked.
    pub fn settle(&self) -> bool {
        if self.has_buffered() {
            return false;
        }
        if !self.stream.has_stirred() {
            return true;
        }
        // In this order: what comes after the first is reported anew, what came before the second sees.
        self.stream.clear_readable();
        self.stream.is_alive()
    }

    /// Whether bytes of a next message were read already.
    pub fn has_buffered(&self) -> bool {
        !self.buf.borrow().is_empty()
    }

    /// Reads more bytes behind those in the buffer; 0 is the end of the stream.
    fn poll_fill(&self, cx: &mut Context<'_>, room: usize, limit: Duration) -> Poll<Result<usize>> {
        let mut buf = self.buf.borrow_mut();
        let mut timer = self.read_timer.borrow_mut();
        let provide = |buf: &mut BytesMut| match buf.capacity() {
            0 => *buf = buffers::take(room),
            _ => buf.reserve(room),
        };
        match self.stream.poll_read(cx, &mut buf, provide) {
            Poll::Ready(Ok(len)) => {
                timer.clear();
                self.received.set(self.received.get() + len as u64);
                self.adapt_room(len, len + buf.capacity() - buf.len());
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(self.side, &err))),
            Poll::Pending => {
                if buf.is_empty() {
                    buffers::give(std::mem::take(&mut buf));
                }
                ready!(timer.poll(cx, limit));
                Poll::Ready(Err(self.timed_out("nothing came")))
            }
        }
    }

    /// Big answers get big reads, small ones small buffers.
    fn adapt_room(&self, len: usize, spare: usize) {
        let room = self.room.get();
        if len == spare {
            self.room.set((room * 2).min(ROOM_MAX));
        } else if len < room / 4 {
            self.room.set((room / 2).max(ROOM_MIN));
        }
    }

    #[cold]
    fn timed_out(&self, reason: &'static str) -> Error {
        Error::of(self.side, Kind::Timeout, reason)
    }

    /// Takes what a just accepted connection has already received, without waiting for the reactor.
    pub fn prefetch(&self) {
        let mut buf = buffers::take(ROOM_MIN);
        match self.stream.try_read(&mut buf) {
            Ok(len) if len > 0 => {
                self.received.set(self.received.get() + len as u64);
                *self.buf.borrow_mut() = buf;
            }
            // The end and errors show again at the next read.
            _ => buffers::give(buf),
        }
    }

    /// The next request's head; `None` when the client closed or stayed idle between two requests.
    ///
    /// # Errors
    /// What the parser refuses; `Timeout` and `Closed` in the middle of a head.
    pub async fn read_request(&self, limits: &Limits, pace: HeadPace) -> Result<Option<RequestHead>> {
        if self.buf.borrow().is_empty() {
            self.idle.set(true);
            let first = poll_fn(|cx| self.poll_fill(cx, ROOM_MIN, pace.idle)).await;
            self.idle.set(false);
            self.read_timer.borrow_mut().clear();
            match first {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(err) if matches!(err.kind(), Kind::Timeout | Kind::Reset) => return Ok(None),
                Err(err) => return Err(err),
            }
        }
        let head = self.read_head(pace.head, |buf| parse::request(buf, limits)).await?;
        if head.is_none() {
            return Err(Error::of(self.side, Kind::Closed, "closed in the middle of a head"));
        }
        Ok(head)
    }

    /// The next response's head.
    ///
    /// # Errors
    /// What the parser refuses; `Timeout`, `Closed` and `Reset`.
    pub async fn read_response(&self, limits: &Limits, timeout: Duration) -> Result<ResponseHead> {
        let head = self.read_head(timeout, |buf| parse::response(buf, limits)).await?;
        head.ok_or_else(|| Error::of(self.side, Kind::Closed, "closed before the head of an answer"))
    }

    /// As [`Conn::read_response`], for callers that wait for several things at once.
    pub fn poll_response(
        &self,
        cx: &mut Context<'_>,
        limits: &Limits,
        timeout: Duration,
        looked_at: &mut usize,
    ) -> Poll<Result<Option<ResponseHead>>> {
        self.poll_head(cx, self.room.get(), timeout, looked_at, &mut |buf| parse::response(buf, limits))
    }

    async fn read_head<T>(
        &self,
        limit: Duration,
        mut parse: impl FnMut(&[u8]) -> Result<Parsed<T>>,
    ) -> Result<Option<T>> {
        let mut deadline = None;
        let mut looked_at = 0;
        poll_fn(|cx| {
            // The limit is for the whole head, not for each read of it; the clock is asked only when
            // the head did not come at once.
            if let Some(deadline) = deadline {
                self.read_timer.borrow_mut().set(deadline);
            }
            let polled = self.poll_head(cx, self.room.get(), limit, &mut looked_at, &mut parse);
            if polled.is_pending() {
                deadline = deadline.or_else(|| self.read_timer.borrow().deadline());
            }
            polled
        })
        .await
    }

    /// Parses whenever a further line has come, so that a head sent byte by byte costs no more than one
    /// pass a line. `looked_at` is how much of the buffer was seen without success.
    fn poll_head<T>(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        limit: Duration,
        looked_at: &mut usize,
        parse: &mut impl FnMut(&[u8]) -> Result<Parsed<T>>,
    ) -> Poll<Result<Option<T>>> {
        // Bounded: every turn reads bytes, and the parser refuses what is longer than its limits.
        loop {
            let fresh = {
                let buf = self.buf.borrow();
                let fresh = buf.get(*looked_at..).is_some_and(|new| memchr::memchr(b'\n', new).is_some());
                // An endless first line has no line end to look for.
                let is_long = buf.len() - (*looked_at).min(buf.len()) >= ROOM_MIN / 2;
                fresh || is_long
            };
            if fresh {
                let mut buf = self.buf.borrow_mut();
                match parse(&buf) {
                    Ok(Parsed::Head(head, len)) => {
                        take_front(&mut buf, len);
                        self.read_timer.borrow_mut().clear();
                        self.messages.set(self.messages.get() + 1);
                        return Poll::Ready(Ok(Some(head)));
                    }
                    Ok(Parsed::Partial) => *looked_at = buf.len(),
                    Err(err) => return Poll::Ready(Err(err)),
                }
            }
            if ready!(self.poll_fill(cx, room, limit))? == 0 {
                return match self.buf.borrow().is_empty() {
                    true => Poll::Ready(Ok(None)),
                    false => {
                        Poll::Ready(Err(Error::of(self.side, Kind::Closed, "closed in the middle of a head")))
                    }
                };
            }
        }
    }

    /// Ends such a wait.
    pub fn clear_read_timer(&self) {
        self.read_timer.borrow_mut().clear();
    }

    /// Runs a wait for the peer to take bytes around something that writes the socket itself.
    pub fn poll_write_timer(&self, cx: &mut Context<'_>, limit: Duration) -> Poll<Error> {
        ready!(self.write_timer.borrow_mut().poll(cx, limit));
        Poll::Ready(self.timed_out("the peer takes no bytes"))
    }

    /// Ends such a wait.
    pub fn clear_write_timer(&self) {
        self.write_timer.borrow_mut().clear();
    }

    /// Writes all of `parts`, in as few calls as the socket allows.
    ///
    /// # Errors
    /// `Timeout` when the peer takes nothing for `limit`, `Reset` when it is gone.
    pub async fn write(&self, parts: [&[u8]; 3], limit: Duration) -> Result<()> {
        let mut slices = parts.map(IoSlice::new);
        let mut left: &mut [IoSlice<'_>] = &mut slices;
        IoSlice::advance_slices(&mut left, 0);
        poll_fn(|cx| {
            while !left.is_empty() {
                let len = ready!(self.poll_write_some(cx, left, limit))?;
                IoSlice::advance_slices(&mut left, len);
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Writes some of `slices`, for callers that wait for several things at once.
    ///
    /// # Errors
    /// As [`Conn::write`].
    pub fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        limit: Duration,
    ) -> Poll<Result<usize>> {
        self.poll_write_some(cx, slices, limit)
    }

    /// Writes bytes behind which more follow at once: the kernel may hold them back (`MSG_MORE`).
    ///
    /// # Errors
    /// As [`Conn::write`].
    pub async fn write_more(&self, mut data: &[u8], limit: Duration) -> Result<()> {
        poll_fn(|cx| {
            while !data.is_empty() {
                let len = match self.stream.poll_write_more(cx, data) {
                    Poll::Ready(Ok(len)) => len,
                    Poll::Ready(Err(err)) => return Poll::Ready(Err(Error::io(self.side, &err))),
                    Poll::Pending => return self.poll_write_timer(cx, limit).map(Err),
                };
                self.clear_write_timer();
                self.sent.set(self.sent.get() + len as u64);
                data = data.get(len..).unwrap_or_default();
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Ends our sending direction; what was written still arrives.
    pub fn end_write(&self) {
        self.write_ended.set(true);
        self.stream.shutdown_write();
    }

    /// Whether our sending direction has ended.
    pub fn is_write_ended(&self) -> bool {
        self.write_ended.get()
    }

    fn poll_write_some(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        limit: Duration,
    ) -> Poll<Result<usize>> {
        let filled = slices.iter().rposition(|slice| !slice.is_empty()).map_or(0, |at| at + 1);
        match self.stream.poll_write_vectored(cx, slices.get(..filled).unwrap_or(slices)) {
            Poll::Ready(Ok(len)) => {
                self.clear_write_timer();
                self.sent.set(self.sent.get() + len as u64);
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(self.side, &err))),
            Poll::Pending => self.poll_write_timer(cx, limit).map(Err),
        }
    }

    /// Reads raw bytes past any framing (tunnels): what was read ahead first. Empty at the end.
    ///
    /// # Errors
    /// `Timeout`, `Reset`.
    pub fn poll_raw(&self, cx: &mut Context<'_>, limit: Duration) -> Poll<Result<Bytes>> {
        if self.buf.borrow().is_empty() {
            ready!(self.poll_fill(cx, self.room.get(), limit))?;
        }
        Poll::Ready(Ok(self.buf.borrow_mut().split().freeze()))
    }
}

/// Drops the first `len` bytes; a buffer that is empty then is given up at once.
fn take_front(buf: &mut BytesMut, len: usize) {
    if len == buf.len() {
        buffers::give(std::mem::take(buf));
    } else {
        buf.advance(len);
    }
}

#[cfg(test)]
mod tests;
