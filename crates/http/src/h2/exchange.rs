//! Our half of one stream of a client's connection: the answer, and what is known about the stream.

use super::error;
use super::meter::Meter;
use crate::h1::Pace;
use crate::h1::conn::Outgoing;
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_net::Timer;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http::{HeaderMap, Response};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

/// One request's stream, and its answer.
pub struct Exchange {
    respond: RefCell<SendResponse<Bytes>>,
    stream: RefCell<Option<SendStream<Bytes>>>,
    timer: RefCell<Timer>,
    outgoing: RefCell<Outgoing>,
    meter: Rc<Meter>,
    expecting: Cell<bool>,
    reset: Cell<bool>,
    aborted: Cell<bool>,
    body_max: Cell<u64>,
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Exchange {
    /// Of a stream whose request has come, `head_bytes` of it; the client must take the answer at that pace.
    pub fn new(respond: SendResponse<Bytes>, head_bytes: u64, pace: Pace, meter: Rc<Meter>) -> Self {
        meter.earn_stream();
        Self {
            respond: RefCell::new(respond),
            stream: RefCell::new(None),
            timer: RefCell::new(Timer::new()),
            outgoing: RefCell::new(Outgoing::begin(pace, 0)),
            meter,
            expecting: Cell::new(false),
            reset: Cell::new(false),
            aborted: Cell::new(false),
            body_max: Cell::new(u64::MAX),
            received: Cell::new(head_bytes),
            sent: Cell::new(0),
        }
    }

    /// The timer of waits for somebody else than the client.
    pub fn timer(&self) -> &RefCell<Timer> {
        &self.timer
    }

    /// Says whether the client waits for 100 before it sends the body.
    pub fn set_expecting(&self, expecting: bool) {
        self.expecting.set(expecting);
    }

    /// Tells the client to go on, if it waits for that (RFC 9110 10.1.1).
    pub(super) fn go_on(&self) -> Result<()> {
        if self.expecting.replace(false) {
            self.interim(Response::builder().status(100).body(()))
        } else {
            Ok(())
        }
    }

    /// How many bytes the body may have.
    pub fn set_body_max(&self, max: u64) {
        self.body_max.set(max);
    }

    /// Whether the head of the answer was sent.
    pub(super) fn is_answering(&self) -> bool {
        self.stream.borrow().is_some()
    }

    /// How many bytes the body may have.
    pub(super) fn body_max(&self) -> u64 {
        self.body_max.get()
    }

    pub(super) fn count_received(&self, len: usize) {
        self.received.set(self.received.get() + len as u64);
    }

    /// Bytes of the request: its body, and its fields as they were before HPACK.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// Bytes of the answer, counted so too.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// Whether the client has given the stream up, or made us give it up by what it sent.
    pub fn was_reset(&self) -> bool {
        if !self.aborted.get() && !self.reset.get() {
            // Ready or not, what came of it is noted.
            let _ = self.poll_reset(&mut Context::from_waker(Waker::noop()));
        }
        self.reset.get()
    }

    /// Ready when the client has given the stream up, or its connection is gone.
    pub fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<()> {
        let gone = match &mut *self.stream.borrow_mut() {
            Some(stream) => ready!(stream.poll_reset(cx)),
            None => ready!(self.respond.borrow_mut().poll_reset(cx)),
        };
        // NO_ERROR says only that the client wants no more of the answer than it has.
        self.reset.set(gone.map_or(true, |reason| reason != Reason::NO_ERROR));
        Poll::Ready(())
    }

    /// Sends an interim answer.
    ///
    /// # Errors
    /// `Closed` when the stream is gone.
    pub fn interim(&self, head: std::result::Result<Response<()>, http::Error>) -> Result<()> {
        let head = head.map_err(|err| Error::local(Kind::Internal, err.to_string()))?;
        let sent = self.respond.borrow_mut().send_informational(head);
        sent.map_err(|err| error(Side::Downstream, &err))
    }

    /// Sends the head of the answer; `is_last` where nothing follows.
    ///
    /// # Errors
    /// `Closed` when the stream is gone.
    pub fn head(&self, head: Response<()>, is_last: bool) -> Result<()> {
        let size = head.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
        self.sent.set(self.sent.get() + 13 + size.sum::<usize>() as u64);
        let stream = self.respond.borrow_mut().send_response(head, is_last);
        let stream = stream.map_err(|err| error(Side::Downstream, &err))?;
        *self.stream.borrow_mut() = Some(stream);
        Ok(())
    }

    /// Room for some of `want` bytes.
    ///
    /// # Errors
    /// `Closed` when the stream is gone, `Timeout` when the client makes no room for `limit`, or makes it
    /// slower than its pace.
    pub fn poll_room(&self, cx: &mut Context<'_>, want: usize, limit: Duration) -> Poll<Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        let Some(stream) = &mut *stream else { return Poll::Ready(Err(gone())) };
        // No more than that: what one stream holds of the connection's window, others lack.
        stream.reserve_capacity(want);
        // Bounded: capacity that was taken away again is waited for.
        while stream.capacity() == 0 {
            match stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(err))) => return Poll::Ready(Err(error(Side::Downstream, &err))),
                Poll::Ready(None) => return Poll::Ready(Err(gone())),
                Poll::Pending => {
                    let Some(wait) = self.outgoing.borrow_mut().wait(self.sent.get(), limit) else {
                        let reason = "the client takes bytes slower than their least rate";
                        return Poll::Ready(Err(Error::downstream(Kind::Timeout, reason)));
                    };
                    ready!(self.timer.borrow_mut().poll(cx, wait));
                    let err = Error::downstream(Kind::Timeout, "the client takes no bytes");
                    return Poll::Ready(Err(err));
                }
            }
        }
        self.timer.borrow_mut().clear();
        self.outgoing.borrow_mut().over();
        Poll::Ready(Ok(stream.capacity()))
    }

    /// Sends bytes there is room for.
    ///
    /// # Errors
    /// `Closed` when the stream is gone.
    pub fn data(&self, bytes: Bytes, is_last: bool) -> Result<()> {
        let len = bytes.len() as u64;
        self.meter.earn_data(bytes.len());
        let mut stream = self.stream.borrow_mut();
        let Some(stream) = &mut *stream else { return Err(gone()) };
        stream.send_data(bytes, is_last).map_err(|err| error(Side::Downstream, &err))?;
        self.sent.set(self.sent.get() + len);
        Ok(())
    }

    /// Ends the answer, with trailer fields where there are any.
    ///
    /// # Errors
    /// `Closed` when the stream is gone.
    pub fn end(&self, trailers: Option<HeaderMap>) -> Result<()> {
        match trailers.filter(|trailers| !trailers.is_empty()) {
            Some(trailers) => {
                let mut stream = self.stream.borrow_mut();
                let Some(stream) = &mut *stream else { return Err(gone()) };
                stream.send_trailers(trailers).map_err(|err| error(Side::Downstream, &err))
            }
            None => self.data(Bytes::new(), true),
        }
    }

    /// Gives the stream up: the client must not take what it has for a whole answer.
    pub fn abort(&self) {
        if self.was_reset() {
            return;
        }
        self.aborted.set(true);
        match &mut *self.stream.borrow_mut() {
            Some(stream) => stream.send_reset(Reason::INTERNAL_ERROR),
            None => self.respond.borrow_mut().send_reset(Reason::INTERNAL_ERROR),
        }
    }
}

fn gone() -> Error {
    Error::downstream(Kind::Closed, "the stream has ended")
}
