//! The body that is being read from a connection: how it is delimited, how much of it there was, how slowly
//! it may come.

use super::{Conn, Pace, ROOM_MAX};
use crate::buffers::{self, ROOM_MIN};
use crate::h1::chunked::{Decoded, Decoder};
use crate::h1::framing::Framing;
use crate::h1::parse;
use crate::head::RequestHead;
use crate::headers::Headers;
use bifrons_core::{Error, Kind, Limits, Result};
use bifrons_net::clock;
use bytes::{Bytes, BytesMut};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// The body that is being read from the connection.
#[derive(Debug)]
pub(super) struct Incoming {
    decode: Decode,
    pace: Pace,
    /// Bytes allowed in all.
    max: u64,
    /// Bytes seen so far.
    seen: u64,
    /// For how long it was waited for so far; time in which nobody asked for it doesn't count.
    waited: Duration,
    /// Since when it is waited for now; set only where a rate is demanded.
    since: Option<Instant>,
    trailers: Option<Headers>,
}

#[derive(Debug)]
enum Decode {
    Length(u64),
    Chunked(Box<Decoder>),
    UntilClose,
    Done,
    Broken,
}

impl Incoming {
    /// How long each wait for it may last.
    pub(super) fn timeout(&self) -> Duration {
        self.pace.timeout
    }

    /// Before the first body.
    pub(super) fn none() -> Self {
        Self::new(Decode::Done, Pace::timeout(Duration::MAX), u64::MAX)
    }

    fn new(decode: Decode, pace: Pace, max: u64) -> Self {
        Self { decode, pace, max, seen: 0, waited: Duration::ZERO, since: None, trailers: None }
    }

    /// Demands no rate any more; whether one was demanded of a body that is still to come.
    pub(super) fn forget_rate(&mut self) -> bool {
        std::mem::take(&mut self.pace.rate_min) > 0 && !matches!(self.decode, Decode::Done)
    }

    /// How long the next wait for it may last by its timeout and its least rate; `None`: it comes too slowly.
    fn wait(&mut self) -> Option<Duration> {
        let Pace { timeout, rate_min, grace } = self.pace;
        if rate_min == 0 {
            return Some(timeout);
        }
        self.since.get_or_insert_with(clock::recent);
        let earned = grace + Duration::from_secs_f64(self.seen as f64 / rate_min as f64);
        let left = earned.saturating_sub(self.waited);
        (!left.is_zero()).then_some(left.min(timeout))
    }

    /// Bytes have come.
    fn end_wait(&mut self) {
        if let Some(since) = self.since.take() {
            self.waited += clock::recent() - since;
        }
    }
}

impl Conn {
    /// For the record of what was refused: its head as far as the first line tells it, and that line.
    pub fn refused(&self) -> (RequestHead, Vec<u8>) {
        parse::refused(&self.buf.borrow())
    }

    /// Begins reading a body of that framing. `max` bytes are allowed.
    pub fn begin_body(&self, framing: Framing, limits: &Limits, pace: Pace, max: u64) {
        let decode = match framing {
            Framing::None => Decode::Done,
            Framing::Length(len) => Decode::Length(len),
            Framing::Chunked => Decode::Chunked(Box::new(Decoder::new(self.side, *limits))),
            Framing::UntilClose | Framing::Tunnel => Decode::UntilClose,
        };
        *self.body.borrow_mut() = Incoming::new(decode, pace, max);
    }

    /// How long nothing more of the body may arrive from now on.
    pub(crate) fn set_body_timeout(&self, timeout: Duration) {
        self.body.borrow_mut().pace.timeout = timeout;
    }

    /// Whether a body has begun and not ended.
    pub fn body_open(&self) -> bool {
        !matches!(self.body.borrow().decode, Decode::Done)
    }

    /// Bytes of a `Content-Length` body still to come; `None` for other framings.
    pub fn body_left(&self) -> Option<u64> {
        match self.body.borrow().decode {
            Decode::Length(left) => Some(left),
            Decode::Done => Some(0),
            _ => None,
        }
    }

    /// The whole rest of the body, if it lies in the buffer already: a small body came with its head.
    pub fn take_whole_body(&self) -> Option<Bytes> {
        let mut body = self.body.borrow_mut();
        let Decode::Length(left) = body.decode else { return None };
        let mut buf = self.buf.borrow_mut();
        let len = usize::try_from(left).ok().filter(|&len| len <= buf.len() && left <= body.max)?;
        body.decode = Decode::Done;
        body.seen += left;
        Some(split_front(&mut buf, len))
    }

    /// Trailer fields of the body that has ended.
    pub fn take_trailers(&self) -> Option<Headers> {
        self.body.borrow_mut().trailers.take()
    }

    /// How many bytes the body may have in all from now on.
    pub fn set_body_max(&self, max: u64) {
        self.body.borrow_mut().max = max;
    }

    /// The next piece of the body, never empty; `None` at its end.
    ///
    /// # Errors
    /// `Closed` for a truncated body, `Malformed`, `BodyTooLarge`, `Timeout`, `Reset`. After an error
    /// the body is broken and the connection useless.
    pub fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if self.expecting.get() {
            ready!(self.poll_continue(cx))?;
        }
        let mut body = self.body.borrow_mut();
        let outcome = ready!(self.poll_body_piece(cx, &mut body));
        let outcome = outcome.and_then(|piece| {
            body.seen += piece.as_ref().map_or(0, |piece| piece.len() as u64);
            if body.seen > body.max {
                return Err(Error::of(self.side, Kind::BodyTooLarge, "the body is larger than body_bytes"));
            }
            Ok(piece)
        });
        if outcome.is_err() {
            body.decode = Decode::Broken;
        }
        Poll::Ready(outcome)
    }

    fn poll_body_piece(&self, cx: &mut Context<'_>, body: &mut Incoming) -> Poll<Result<Option<Bytes>>> {
        // Bounded: every turn reads bytes or returns.
        loop {
            let room = {
                let mut buf = self.buf.borrow_mut();
                match &mut body.decode {
                    Decode::Done => return Poll::Ready(Ok(None)),
                    Decode::Broken => {
                        let err = Error::of(self.side, Kind::Closed, "the body is broken");
                        return Poll::Ready(Err(err));
                    }
                    Decode::Length(left) if !buf.is_empty() => {
                        let take = usize::try_from(*left).unwrap_or(usize::MAX).min(buf.len());
                        *left -= take as u64;
                        if *left == 0 {
                            body.decode = Decode::Done;
                        }
                        return Poll::Ready(Ok(Some(split_front(&mut buf, take))));
                    }
                    // One byte more than can come: a read that doesn't fill it has emptied the socket.
                    Decode::Length(left) => usize::try_from(left.saturating_add(1))
                        .unwrap_or(usize::MAX)
                        .clamp(ROOM_MIN, ROOM_MAX),
                    Decode::UntilClose if !buf.is_empty() => {
                        return Poll::Ready(Ok(Some(buf.split().freeze())));
                    }
                    Decode::UntilClose => self.room.get(),
                    Decode::Chunked(decoder) => match decoder.decode(&mut buf)? {
                        Decoded::Data(data) => return Poll::Ready(Ok(Some(data))),
                        Decoded::End(trailers) => {
                            body.trailers = trailers;
                            body.decode = Decode::Done;
                            if buf.is_empty() {
                                // Chunks are split off a buffer that stays: an idle connection holds none.
                                buffers::give(std::mem::take(&mut buf));
                            }
                            return Poll::Ready(Ok(None));
                        }
                        Decoded::Partial => self.room.get(),
                    },
                }
            };
            let limit = self.body_wait(body)?;
            let len = ready!(self.poll_fill(cx, room, (&self.read_timer, limit)))?;
            body.end_wait();
            if len == 0 {
                return Poll::Ready(self.body_closed(body));
            }
        }
    }

    fn body_closed(&self, body: &mut Incoming) -> Result<Option<Bytes>> {
        if matches!(body.decode, Decode::UntilClose) {
            // Anybody on the way can end the stream, but only the peer can say that it did (RFC 9112 9.8).
            if self.tls.as_ref().is_some_and(|tls| !tls.is_closed()) {
                return Err(Error::of(self.side, Kind::Closed, "the body was cut off: no close_notify"));
            }
            body.decode = Decode::Done;
            return Ok(None);
        }
        Err(Error::of(self.side, Kind::Closed, "closed in the middle of a body"))
    }

    fn body_wait(&self, body: &mut Incoming) -> Result<Duration> {
        body.wait().ok_or_else(|| self.timed_out("the body comes slower than its least rate"))
    }

    /// Takes `len` bytes of a `Content-Length` body that went another way (splice).
    pub fn pass_body(&self, len: u64) {
        self.received.set(self.received.get() + len);
        self.drained.set(false);
        let mut body = self.body.borrow_mut();
        body.seen += len;
        body.end_wait();
        if let Decode::Length(left) = &mut body.decode {
            *left = left.saturating_sub(len);
            if *left == 0 {
                body.decode = Decode::Done;
            }
        }
    }

    /// Runs a wait of the body's kind around something that reads the socket itself (splice).
    pub fn poll_body_timer(&self, cx: &mut Context<'_>) -> Poll<Error> {
        let limit = match self.body_wait(&mut self.body.borrow_mut()) {
            Ok(limit) => limit,
            Err(err) => return Poll::Ready(err),
        };
        ready!(self.read_timer.borrow_mut().poll(cx, limit));
        Poll::Ready(self.timed_out("nothing came"))
    }
}

/// The first `len` bytes; a buffer that is empty then is given up at once.
fn split_front(buf: &mut BytesMut, len: usize) -> Bytes {
    if len == buf.len() { std::mem::take(buf).freeze() } else { buf.split_to(len).freeze() }
}
