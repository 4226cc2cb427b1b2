//! The body of a request as it comes over a stream.

use super::exchange::Exchange;
use super::{error, head};
use crate::h1::Pace;
use crate::headers::Headers;
use bifrons_core::{Error, Kind, Limits, Result, Side};
use bifrons_net::{Timer, clock};
use bytes::Bytes;
use h2::RecvStream;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::Instant;

/// A handle to it. The client's window opens again by what was passed on, so that one slow reader holds
/// up itself only (RFC 9113 5.2).
pub struct H2Body {
    stream: RecvStream,
    exchange: Rc<Exchange>,
    /// Pieces that were looked at before the body was wanted.
    ahead: VecDeque<Bytes>,
    /// Bytes of the last piece, which is passed on when the next one is asked for.
    held: usize,
    /// Bytes still to come, where that was announced; the `h2` crate holds the client to it.
    left: Option<u64>,
    seen: u64,
    pace: Pace,
    is_call: bool,
    limits: Limits,
    began: Option<Instant>,
    timer: Timer,
    trailers: Option<Headers>,
    is_ended: bool,
}

impl H2Body {
    /// How long nothing more may arrive from now on.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.pace.timeout = timeout;
    }

    /// Of that stream; `len` bytes are announced, trailers keep to `limits`.
    pub fn new(
        stream: RecvStream,
        exchange: Rc<Exchange>,
        len: Option<u64>,
        (pace, limits): (Pace, Limits),
    ) -> Self {
        Self {
            stream,
            exchange,
            ahead: VecDeque::new(),
            held: 0,
            left: len,
            seen: 0,
            pace,
            is_call: false,
            limits,
            began: None,
            timer: Timer::new(),
            trailers: None,
            is_ended: false,
        }
    }

    /// The same as one half of a conversation (gRPC): messages come when there is something to say, at no rate, and
    /// once the answer has begun its own bounds are those of both.
    #[must_use]
    pub fn of_call(mut self) -> Self {
        self.pace = Pace::timeout(self.pace.timeout);
        self.is_call = true;
        self
    }

    /// Bytes still to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        if self.is_ended { Some(0) } else { self.left }
    }

    /// Whether some of it has come.
    pub fn has_begun(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// The whole body, if it has come with its head and is small: then it can be sent again.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut whole = None;
        // Bounded: a second piece is none of a small body's.
        while !self.stream.is_end_stream() {
            match self.stream.poll_data(&mut cx) {
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {}
                Poll::Ready(Some(Ok(piece))) if whole.is_none() => whole = Some(piece),
                Poll::Ready(Some(Ok(piece))) => {
                    self.ahead.extend([whole.take().unwrap_or_default(), piece]);
                    return None;
                }
                // What is wrong shows again when the body is read.
                _ => break,
            }
        }
        if !self.stream.is_end_stream() {
            self.ahead.extend(whole);
            return None;
        }
        let whole = whole.unwrap_or_default();
        self.is_ended = true;
        self.exchange.count_received(whole.len());
        self.held = whole.len();
        self.release();
        Some(whole)
    }

    /// The next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// `Closed` when the client gives up, `BodyTooLarge`, `Timeout`, `Malformed`.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if self.is_ended {
            return Poll::Ready(Ok(None));
        }
        self.exchange.go_on()?;
        self.release();
        if let Some(piece) = self.ahead.pop_front() {
            return Poll::Ready(self.take(piece).map(Some));
        }
        // Bounded: every turn takes a frame, and the `h2` crate bounds empty ones.
        loop {
            match self.stream.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {}
                Poll::Ready(Some(Ok(piece))) => return Poll::Ready(self.take(piece).map(Some)),
                Poll::Ready(Some(Err(err))) => return Poll::Ready(Err(error(Side::Downstream, &err))),
                Poll::Ready(None) => break,
                Poll::Pending => return self.poll_timer(cx).map(Err),
            }
        }
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(|err| error(Side::Downstream, &err))?;
        self.trailers =
            trailers.map(|trailers| head::trailers(&trailers, &self.limits, Side::Downstream)).transpose()?;
        self.is_ended = true;
        Poll::Ready(Ok(None))
    }

    fn take(&mut self, piece: Bytes) -> Result<Bytes> {
        let len = piece.len();
        self.timer.clear();
        self.held = len;
        self.seen += len as u64;
        self.left = self.left.map(|left| left.saturating_sub(len as u64));
        self.exchange.count_received(len);
        if self.seen > self.exchange.body_max() {
            return Err(Error::downstream(Kind::BodyTooLarge, "the body is larger than body_bytes"));
        }
        // The end often comes with the last piece, and then the length of the rest is known.
        if self.ahead.is_empty() && self.stream.is_end_stream() {
            self.is_ended = true;
        }
        Ok(piece)
    }

    /// The window's part of the last piece is free again.
    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        if held > 0 {
            // The stream may be over; then there is no window.
            let _ = self.stream.flow_control().release_capacity(held);
        }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Pace { timeout, rate_min, grace } = self.pace;
        if self.is_call && self.exchange.is_answering() {
            return Poll::Pending;
        }
        let mut limit = timeout;
        if rate_min > 0 {
            let now = clock::read();
            let began = *self.began.get_or_insert(now);
            let earned = grace + Duration::from_secs_f64(self.seen as f64 / rate_min as f64);
            let left = earned.saturating_sub(now - began);
            if left.is_zero() {
                let reason = "the body comes slower than its least rate";
                return Poll::Ready(Error::downstream(Kind::Timeout, reason));
            }
            limit = limit.min(left);
        }
        ready!(self.timer.poll(cx, limit));
        Poll::Ready(Error::downstream(Kind::Timeout, "nothing came"))
    }

    /// Trailer fields, once the end was seen.
    pub fn take_trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}

impl Drop for H2Body {
    fn drop(&mut self) {
        self.held += self.ahead.iter().map(Bytes::len).sum::<usize>();
        self.release();
    }
}
