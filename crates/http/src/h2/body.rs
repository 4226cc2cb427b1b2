//! The body of a request as it comes over a stream.

use super::exchange::Exchange;
use super::server::{State, keep};
use crate::buffers::ROOM_MIN;
use crate::h1::Pace;
use crate::headers::Headers;
use bifrons_core::{Error, Kind, Result};
use bifrons_net::{Timer, clock};
use bytes::Bytes;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// A handle to it. The client's window opens again by what was passed on, so that one slow reader holds
/// up itself only (RFC 9113 5.2).
pub struct H2Body {
    exchange: Rc<Exchange>,
    /// Bytes of the last piece, which is passed on when the next one is asked for.
    held: usize,
    /// Bytes still to come, where that was announced; the client is held to it.
    left: Option<u64>,
    seen: u64,
    pace: Pace,
    is_call: bool,
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

    /// Of that stream; `len` bytes are announced.
    pub fn new(exchange: Rc<Exchange>, len: Option<u64>, pace: Pace) -> Self {
        Self {
            exchange,
            held: 0,
            left: len,
            seen: 0,
            pace,
            is_call: false,
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
        let state = self.exchange.server().state().borrow();
        state.frames.stream(self.exchange.key()).is_some_and(|stream| !stream.owner.data.is_empty())
    }

    /// The whole body, if it has come with its head and is small: then it can be sent again.
    pub fn take_whole(&mut self) -> Option<Bytes> {
        let key = self.exchange.key();
        let mut state = self.exchange.server().state().borrow_mut();
        let is_whole = state.frames.stream(key).is_some_and(|stream| {
            stream.is_received()
                && stream.reset().is_none()
                && stream.owner.trailers.is_none()
                && stream.owner.data.len() <= ROOM_MIN
        });
        if !is_whole {
            return None;
        }
        let whole = state.take_data(key);
        drop(state);
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
        self.release();
        let exchange = self.exchange.clone();
        let mut state = exchange.server().state().borrow_mut();
        exchange.go_on(&mut state);
        let key = exchange.key();
        let piece = state.take_data(key);
        let Some(stream) = state.frames.stream_mut(key) else { return Poll::Ready(Ok(None)) };
        // Trailers are the end that is still to be told.
        let is_end = stream.is_received() && stream.owner.trailers.is_none();
        if !piece.is_empty() {
            self.is_ended = is_end;
            return Poll::Ready(self.take(piece).map(Some));
        }
        if is_end {
            self.is_ended = true;
            return Poll::Ready(Ok(None));
        }
        if let Some(trailers) = stream.owner.trailers.take() {
            self.is_ended = true;
            self.trailers = Some(trailers?);
            return Poll::Ready(Ok(None));
        }
        keep(&mut stream.owner.body_waker, cx);
        if let Some(err) = exchange.end(&state) {
            return Poll::Ready(Err(err));
        }
        drop(state);
        self.poll_timer(cx).map(Err)
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
        Ok(piece)
    }

    /// The window's part of the last piece is free again.
    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        if held > 0
            && let Ok(mut state) = self.exchange.server().state().try_borrow_mut()
        {
            self.consume(&mut state, held);
        }
    }

    fn consume(&self, state: &mut State, len: usize) {
        if state.is_over {
            return;
        }
        let State { frames, out, .. } = &mut *state;
        let before = out.len();
        frames.consume(self.exchange.key(), len, out.text());
        if out.len() > before {
            self.exchange.server().tell(state);
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
    /// Nobody wants the rest: windows open for whoever else sends.
    fn drop(&mut self) {
        let Ok(mut state) = self.exchange.server().state().try_borrow_mut() else { return };
        let rest = state.take_data(self.exchange.key()).len();
        if let Some(stream) = state.frames.stream_mut(self.exchange.key()) {
            stream.owner.is_unwanted = true;
        }
        let held = std::mem::take(&mut self.held) + rest;
        if held > 0 {
            self.consume(&mut state, held);
        }
    }
}
