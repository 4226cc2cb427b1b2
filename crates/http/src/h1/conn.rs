//! One HTTP/1 connection, of either side: its socket, the bytes read ahead, its deadlines and the state
//! of the body that is being read. Shared by `Rc` between whoever reads a body and whoever writes.
//!
//! An idle connection holds no buffer: readiness first, then memory.

use super::parse::{self, Parsed};
use crate::buffers::{self, ROOM_MIN};
use crate::head::{RequestHead, ResponseHead};
use bifrons_core::{Error, Kind, Limits, Result, Side};
use bifrons_net::{Stream, Timer, Tls, clock};
use bytes::{Buf, Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

mod incoming;
mod other;
mod outgoing;

use incoming::Incoming;
use other::Ending;
pub(crate) use outgoing::Outgoing;

/// 128 KiB: beyond it a bigger read saves nothing measurable, and slow clients would hold more memory.
const ROOM_MAX: usize = 128 * 1024;

/// 1 KiB: a pass over a head that is no longer costs less than the packet whose bytes it looks at.
const CHEAP_BYTES: usize = 1024;
/// 16: packets with nothing but line ends before a request; who sends more sends no request.
const EMPTY_MAX: u32 = 16;

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
    /// What encrypts it; `None` where it is plain.
    tls: Option<Box<Tls>>,
    side: Side,
    buf: RefCell<BytesMut>,
    body: RefCell<Incoming>,
    outgoing: RefCell<Outgoing>,
    read_timer: RefCell<Timer>,
    write_timer: RefCell<Timer>,
    room: Cell<usize>,
    /// Whether the last read took all there was.
    drained: Cell<bool>,
    received: Cell<u64>,
    sent: Cell<u64>,
    idle: Cell<bool>,
    sending: Cell<bool>,
    write_ended: Cell<bool>,
    expecting: Cell<bool>,
    ending: Cell<Ending>,
    born: Instant,
    messages: Cell<u32>,
}

/// What of a head was looked at while the rest of it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Bytes that were parsed in vain.
    parsed: usize,
    /// Bytes that were searched for line ends.
    searched: usize,
}

impl Progress {
    /// Whether nothing of the head has been looked at.
    pub fn is_none(&self) -> bool {
        self.searched == 0
    }

    /// Whether another pass over the head is worth its cost: at its end, at each line while it is short, and
    /// then whenever it has grown by a quarter, so that mistakes show early and a head that drips costs
    /// no more than some passes in all.
    fn is_due(&mut self, buf: &[u8]) -> bool {
        let fresh = buf.get(self.searched..).unwrap_or_default();
        if fresh.is_empty() {
            return false;
        }
        let has_line = memchr::memchr(b'\n', fresh).is_some();
        let from = self.searched.saturating_sub(3);
        self.searched = buf.len();
        if !has_line {
            // An endless line has no end to look for.
            return buf.len() - self.parsed >= ROOM_MIN / 2;
        }
        let new = buf.get(from..).unwrap_or_default();
        let is_end = || [&b"\n\r\n"[..], b"\n\n"].iter().any(|end| memchr::memmem::find(new, end).is_some());
        let has_grown = buf.len() - self.parsed > self.parsed / 4;
        buf.len() <= CHEAP_BYTES || self.parsed == 0 || has_grown || is_end()
    }
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
            tls: None,
            side,
            buf: RefCell::new(BytesMut::new()),
            body: RefCell::new(Incoming::none()),
            outgoing: RefCell::new(Outgoing::new()),
            read_timer: RefCell::new(Timer::new()),
            write_timer: RefCell::new(Timer::new()),
            room: Cell::new(ROOM_MIN),
            drained: Cell::new(false),
            received: Cell::new(0),
            sent: Cell::new(0),
            idle: Cell::new(false),
            sending: Cell::new(false),
            write_ended: Cell::new(false),
            expecting: Cell::new(false),
            ending: Cell::new(Ending::Unheard),
            born: clock::recent(),
            messages: Cell::new(0),
        }
    }

    /// An encrypted connection whose handshake is over, and what plain text came along with its end.
    pub fn with_tls(stream: Stream, side: Side, tls: Tls, plain: BytesMut) -> Self {
        let mut conn = Self::new(stream, side);
        conn.tls = Some(Box::new(tls));
        conn.received.set(plain.len() as u64);
        conn.buf = RefCell::new(plain);
        conn
    }

    /// A plain connection some bytes of which were read already.
    pub fn with_read_ahead(stream: Stream, side: Side, bytes: BytesMut) -> Self {
        let mut conn = Self::new(stream, side);
        conn.received.set(bytes.len() as u64);
        conn.buf = RefCell::new(bytes);
        conn
    }

    /// Whether it is encrypted, so that bytes can't go past us through the kernel.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The session, where it is encrypted.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_deref()
    }

    /// Says that we send no more, where the connection is encrypted; a peer that is not told must take what it
    /// has for cut off (RFC 8446 6.1).
    pub fn close_notify(&self) {
        if let Some(tls) = &self.tls {
            tls.close(&self.stream);
        }
    }

    /// The socket underneath.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Takes a plain connection apart: its socket and the bytes read ahead.
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
        self.buf.borrow().is_empty() && (!self.stream.has_stirred() || self.is_silent())
    }

    /// Whether what has stirred an encrypted connection was no data (tickets), and neither its end.
    fn is_silent(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_silent(&self.stream))
    }

    /// Whether the peer of a connection that should be silent is there, asked of the kernel.
    pub fn is_alive(&self) -> bool {
        match &self.tls {
            None => self.stream.is_alive(),
            Some(tls) => tls.is_silent(&self.stream) && self.stream.is_alive(),
        }
    }

    /// Whether nothing is there behind a message that was just read. Where the last read filled its buffer, or
    /// went by splice, the reactor thinks that there is more: then, and only then, the kernel is asked.
    pub fn settle(&self) -> bool {
        if self.has_buffered() {
            return false;
        }
        if self.drained.get() || !self.stream.has_stirred() {
            return true;
        }
        if self.tls.is_some() {
            return self.is_silent();
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
    fn poll_fill(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        (timer, limit): (&RefCell<Timer>, Duration),
    ) -> Poll<Result<usize>> {
        let mut buf = self.buf.borrow_mut();
        let mut timer = timer.borrow_mut();
        let provide = |buf: &mut BytesMut| match buf.capacity() {
            0 => *buf = buffers::take(room),
            _ => buf.reserve(room),
        };
        let polled = match &self.tls {
            None => self.stream.poll_read(cx, &mut buf, provide),
            Some(tls) => tls.poll_read(&self.stream, cx, &mut buf, provide),
        };
        match polled {
            Poll::Ready(Ok(len)) => {
                timer.clear();
                self.received.set(self.received.get() + len as u64);
                let spare = len + buf.capacity() - buf.len();
                self.drained.set(len < spare && self.tls.is_none());
                self.adapt_room(len, spare);
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(self.side, &err))),
            Poll::Pending => {
                if buf.is_empty() && buf.capacity() > 0 {
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
        if self.tls.is_some() || self.has_buffered() {
            return;
        }
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
        for _ in 0..EMPTY_MAX {
            if self.buf.borrow().is_empty() {
                self.idle.set(true);
                let first = poll_fn(|cx| self.poll_fill(cx, ROOM_MIN, (&self.read_timer, pace.idle))).await;
                self.idle.set(false);
                self.read_timer.borrow_mut().clear();
                match first {
                    Ok(0) => return Ok(None),
                    Ok(_) => {}
                    Err(err) if matches!(err.kind(), Kind::Timeout | Kind::Reset) => return Ok(None),
                    Err(err) => return Err(err),
                }
            }
            // Empty lines are no request, and who waits behind one is idle (RFC 9112 2.2).
            if !self.skip_empty_lines() {
                return self.read_head(pace.head, |buf| parse::request(buf, limits)).await;
            }
        }
        Ok(None)
    }

    /// Drops an empty line or two if there is nothing else in the buffer.
    fn skip_empty_lines(&self) -> bool {
        let mut buf = self.buf.borrow_mut();
        let (lines, rest) = buf.as_chunks::<2>();
        let is_empty = lines.len() <= 2 && rest.is_empty() && lines.iter().all(|line| line == b"\r\n");
        if is_empty {
            buffers::give(std::mem::take(&mut buf));
        }
        is_empty
    }

    /// The next response's head.
    ///
    /// # Errors
    /// What the parser refuses; `Timeout`, `Closed` and `Reset`.
    pub async fn read_response(&self, limits: &Limits, timeout: Duration) -> Result<ResponseHead> {
        let head = self.read_head(timeout, |buf| parse::response(buf, limits)).await?;
        head.ok_or_else(|| Error::of(self.side, Kind::Closed, "closed before the head of an answer"))
    }

    /// As [`Conn::read_response`], for callers that wait for several things at once; `wait` is the timer to
    /// use and how long it may run.
    pub fn poll_response(
        &self,
        cx: &mut Context<'_>,
        limits: &Limits,
        wait: (&RefCell<Timer>, Duration),
        progress: &mut Progress,
    ) -> Poll<Result<Option<ResponseHead>>> {
        // Room for a head: what follows a big one goes through the kernel, or in reads as big as it is.
        self.poll_head(cx, ROOM_MIN, wait, progress, &mut |buf| parse::response(buf, limits))
    }

    async fn read_head<T>(
        &self,
        limit: Duration,
        mut parse: impl FnMut(&[u8]) -> Result<Parsed<T>>,
    ) -> Result<Option<T>> {
        let mut deadline = None;
        let mut progress = Progress::default();
        poll_fn(|cx| {
            // The limit is for the whole head, not for each read of it; the clock is asked only when
            // the head did not come at once.
            if let Some(deadline) = deadline {
                self.read_timer.borrow_mut().set(deadline);
            }
            let polled = self.poll_head(cx, ROOM_MIN, (&self.read_timer, limit), &mut progress, &mut parse);
            if polled.is_pending() {
                deadline = deadline.or_else(|| self.read_timer.borrow().deadline());
            }
            polled
        })
        .await
    }

    /// Reads and parses until a head is whole; `None` at the end of the stream, if nothing but empty lines
    /// came before it.
    fn poll_head<T>(
        &self,
        cx: &mut Context<'_>,
        room: usize,
        wait: (&RefCell<Timer>, Duration),
        progress: &mut Progress,
        parse: &mut impl FnMut(&[u8]) -> Result<Parsed<T>>,
    ) -> Poll<Result<Option<T>>> {
        // Bounded: every turn reads bytes, and the parser refuses what is longer than its limits.
        loop {
            let is_due = progress.is_due(&self.buf.borrow());
            if is_due {
                let mut buf = self.buf.borrow_mut();
                match parse(&buf) {
                    Ok(Parsed::Head(head, len)) => {
                        take_front(&mut buf, len);
                        wait.0.borrow_mut().clear();
                        self.messages.set(self.messages.get() + 1);
                        return Poll::Ready(Ok(Some(head)));
                    }
                    Ok(Parsed::Partial) => progress.parsed = buf.len(),
                    Err(err) => return Poll::Ready(Err(err)),
                }
            }
            if ready!(self.poll_fill(cx, room, wait))? == 0 {
                return match self.buf.borrow().iter().all(|&b| b == b'\r' || b == b'\n') {
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

    /// The timer of waits in which nothing is read.
    pub fn write_timer(&self) -> &RefCell<Timer> {
        &self.write_timer
    }

    /// Reads raw bytes past any framing (tunnels): what was read ahead first. Empty at the end.
    ///
    /// # Errors
    /// `Timeout`, `Reset`.
    pub fn poll_raw(&self, cx: &mut Context<'_>, limit: Duration) -> Poll<Result<Bytes>> {
        if self.buf.borrow().is_empty() {
            ready!(self.poll_fill(cx, self.room.get(), (&self.read_timer, limit)))?;
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
