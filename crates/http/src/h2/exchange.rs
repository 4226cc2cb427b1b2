//! Our half of one stream of a client's connection: the answer, and what is known about the stream.

use super::head::{self, ToClient};
use super::server::{Server, State, keep};
use crate::h1::Pace;
use crate::h1::conn::Outgoing;
use crate::head::ResponseHead;
use crate::headers::Headers;
use bifrons_core::{Error, Kind, Result};
use bifrons_frames::frame::PAYLOAD_MAX;
use bifrons_frames::{Key, Reason, Reset};
use bifrons_net::Timer;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// One request's stream, and its answer. The stream ends with it at the latest.
pub struct Exchange {
    server: Rc<Server>,
    key: Key,
    timer: RefCell<Timer>,
    outgoing: RefCell<Outgoing>,
    expecting: Cell<bool>,
    answering: Cell<bool>,
    reset: Cell<bool>,
    aborted: Cell<bool>,
    body_max: Cell<u64>,
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Exchange {
    /// Of a stream whose request has come, `head_bytes` of it; the client must take the answer at that pace.
    pub(super) fn new(server: Rc<Server>, key: Key, head_bytes: u64, pace: Pace) -> Self {
        Self {
            server,
            key,
            timer: RefCell::new(Timer::new()),
            outgoing: RefCell::new(Outgoing::begin(pace, 0)),
            expecting: Cell::new(false),
            answering: Cell::new(false),
            reset: Cell::new(false),
            aborted: Cell::new(false),
            body_max: Cell::new(u64::MAX),
            received: Cell::new(head_bytes),
            sent: Cell::new(0),
        }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    pub(super) fn key(&self) -> Key {
        self.key
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
    pub(super) fn go_on(&self, state: &mut State) {
        if self.expecting.replace(false) {
            let State { frames, out, .. } = state;
            frames.head(self.key, false, out.text(), |encoder, out| encoder.status(100, out));
            self.server.tell(state);
        }
    }

    /// How many bytes the body may have.
    pub fn set_body_max(&self, max: u64) {
        self.body_max.set(max);
    }

    /// Whether the head of the answer was sent.
    pub(super) fn is_answering(&self) -> bool {
        self.answering.get()
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

    /// Why nothing more can be sent, if so.
    pub(super) fn end(&self, state: &State) -> Option<Error> {
        let reset = state.frames.stream(self.key).and_then(|stream| stream.reset());
        match reset {
            _ if state.is_over => Some(Error::downstream(Kind::Closed, "the client's connection is gone")),
            Some(Reset::ByClient(reason)) => Some(Error::downstream(
                Kind::Closed,
                format!("the client reset the stream: {}", reason.name()),
            )),
            Some(Reset::ByUs(reason)) => {
                Some(Error::downstream(Kind::Closed, format!("the stream was reset: {}", reason.name())))
            }
            None => None,
        }
    }

    /// Whether the client has given the stream up, or made us give it up by what it sent.
    pub fn was_reset(&self) -> bool {
        if !self.aborted.get() && !self.reset.get() {
            self.note_reset(&self.server.state().borrow());
        }
        self.reset.get()
    }

    /// Whether it is over before its time; notes whose doing that was.
    fn note_reset(&self, state: &State) -> bool {
        let reset = state.frames.stream(self.key).and_then(|stream| stream.reset());
        if reset.is_none() && !state.is_over {
            return false;
        }
        // NO_ERROR says only that the client wants no more of the answer than it has.
        self.reset.set(reset != Some(Reset::ByClient(Reason::NO_ERROR)));
        true
    }

    /// Ready when the client has given the stream up, or its connection is gone.
    pub fn poll_reset(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.server.state().borrow_mut();
        if self.note_reset(&state) {
            return Poll::Ready(());
        }
        if let Some(stream) = state.frames.stream_mut(self.key) {
            keep(&mut stream.owner.reset_waker, cx);
        }
        Poll::Pending
    }

    /// Sends an interim answer.
    ///
    /// # Errors
    /// `Closed` when the stream is gone.
    pub fn interim(&self, head: &ResponseHead, to: &ToClient<'_>) -> Result<()> {
        let mut state = self.server.state().borrow_mut();
        if let Some(err) = self.end(&state) {
            return Err(err);
        }
        // They are hints, and nothing waits for them: a client that takes nothing gets none.
        if !self.server.is_full(&state) {
            let State { frames, out, .. } = &mut *state;
            frames.head(self.key, false, out.text(), |encoder, out| {
                head::write(head, to, encoder, out);
            });
            self.server.tell(&mut state);
        }
        Ok(())
    }

    /// Sends the head of the answer; `is_last` where nothing follows.
    ///
    /// # Errors
    /// `Closed` when the stream is gone.
    pub fn head(&self, head: &ResponseHead, to: &ToClient<'_>, is_last: bool) -> Result<()> {
        let mut state = self.server.state().borrow_mut();
        if let Some(err) = self.end(&state) {
            return Err(err);
        }
        let State { frames, out, .. } = &mut *state;
        frames.head(self.key, is_last, out.text(), |encoder, out| {
            self.sent.set(self.sent.get() + head::write(head, to, encoder, out));
        });
        self.answering.set(true);
        self.server.tell(&mut state);
        Ok(())
    }

    /// Room for some of `want` bytes.
    ///
    /// # Errors
    /// `Closed` when the stream is gone, `Timeout` when the client makes no room for `limit`, or makes it
    /// slower than its pace.
    pub fn poll_room(&self, cx: &mut Context<'_>, want: usize, limit: Duration) -> Poll<Result<usize>> {
        let mut state = self.server.state().borrow_mut();
        if let Some(err) = self.end(&state) {
            return Poll::Ready(Err(err));
        }
        if let Poll::Ready(room) = self.server.poll_room(&mut state, self.key, want, cx) {
            self.timer.borrow_mut().clear();
            self.outgoing.borrow_mut().over();
            return Poll::Ready(Ok(room));
        }
        let wait = self.outgoing.borrow_mut().wait(self.sent.get(), limit);
        let reason = match wait {
            None => "the client takes bytes slower than their least rate",
            Some(wait) => {
                ready!(self.timer.borrow_mut().poll(cx, wait));
                "the client takes no bytes"
            }
        };
        self.server.give_up_place(&mut state, self.key);
        Poll::Ready(Err(Error::downstream(Kind::Timeout, reason)))
    }

    /// Sends bytes there is room for.
    ///
    /// # Errors
    /// `Closed` when the stream is gone.
    pub fn data(&self, mut bytes: Bytes, is_last: bool) -> Result<()> {
        let mut state = self.server.state().borrow_mut();
        if let Some(err) = self.end(&state) {
            return Err(err);
        }
        self.server.meter().earn_data(bytes.len());
        self.sent.set(self.sent.get() + bytes.len() as u64);
        // Bounded: every turn but the last takes a whole frame.
        loop {
            let piece = bytes.split_to(bytes.len().min(PAYLOAD_MAX));
            let is_end = is_last && bytes.is_empty();
            let State { frames, out, .. } = &mut *state;
            let header = frames.data_header(self.key, piece.len(), is_end);
            out.text().extend_from_slice(&header.ok_or_else(gone)?);
            out.push(piece);
            if bytes.is_empty() {
                break;
            }
        }
        self.server.tell(&mut state);
        Ok(())
    }

    /// Ends the answer by trailer fields, if any of them can be sent.
    ///
    /// # Errors
    /// `Closed` when the stream is gone.
    pub fn trailers(&self, trailers: &Headers) -> Result<()> {
        if !head::has_trailers(trailers) {
            return self.data(Bytes::new(), true);
        }
        let mut state = self.server.state().borrow_mut();
        if let Some(err) = self.end(&state) {
            return Err(err);
        }
        let State { frames, out, .. } = &mut *state;
        frames.head(self.key, true, out.text(), |encoder, out| {
            head::write_trailers(trailers, encoder, out);
        });
        self.server.tell(&mut state);
        Ok(())
    }

    /// Gives the stream up: the client must not take what it has for a whole answer.
    pub fn abort(&self) {
        if self.was_reset() {
            return;
        }
        self.aborted.set(true);
        let mut state = self.server.state().borrow_mut();
        let State { frames, out, .. } = &mut *state;
        frames.reset(self.key, Reason::INTERNAL_ERROR, out.text());
        self.server.give_up_place(&mut state, self.key);
        self.server.tell(&mut state);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.server.release(self.key);
    }
}

fn gone() -> Error {
    Error::downstream(Kind::Closed, "the stream has ended")
}
