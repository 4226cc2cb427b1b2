//! One connection of a client: what its task and those of its streams share.
//!
//! The connection's task reads, and writes what all have laid ready; streams' tasks only lay ready, and wake it.
//! So one turn of the worker's loop is one read and one write, however many streams move in it.

use super::exchange::Exchange;
use super::head::{Asked, Read, Reader, TrailersReader};
use super::output::Output;
use crate::h1::Conn;
use crate::h2::{Meter, Offence};
use crate::headers::Headers;
use bifrons_core::{Limits, Result};
use bifrons_frames::{Config, Connection, Event, Fault, Key, Reason, Reset};
use bifrons_net::clock;
use bytes::{Bytes, BytesMut};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::Instant;

/// 1 s: who gives up a stream sooner has hardly waited for an answer.
const EARLY: Duration = Duration::from_secs(1);
/// 16 KiB: what of the room of a connection's output a stream gets while others wait for some, and the least there
/// is to get.
const TURN_BYTES: usize = 16 * 1024;

/// A connection.
pub struct Server {
    http: Rc<Conn>,
    meter: Meter,
    rules: Rules,
    state: RefCell<State>,
}

/// How a connection is served.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What clients are told.
    pub config: Config,
    /// Bytes of answers that lie ready for the client.
    pub send_buffer: usize,
    /// How long the client may take nothing of them.
    pub send_timeout: Duration,
}

/// What is there of a connection.
pub(super) struct State {
    pub(super) frames: Connection<Stream>,
    pub(super) out: Output,
    /// The connection's task, and whether it knows that there is something to write.
    waker: Option<Waker>,
    is_told: bool,
    /// Streams that wait for room of the connection, in the order they came.
    queue: VecDeque<Key>,
    early_resets: u32,
    /// Whether it is gone.
    pub(super) is_over: bool,
    is_leaving: bool,
}

/// What a stream keeps with its connection.
pub(super) struct Stream {
    /// Bytes of the body that have come.
    pub(super) data: BytesMut,
    /// Whether nobody wants them any more.
    pub(super) is_unwanted: bool,
    pub(super) trailers: Option<Result<Headers>>,
    began: Instant,
    is_queued: bool,
    pub(super) body_waker: Option<Waker>,
    pub(super) room_waker: Option<Waker>,
    pub(super) reset_waker: Option<Waker>,
}

/// What a connection's task is to do.
pub enum Turn {
    /// Serve a request.
    Request(Arrived),
    /// Refuse any further word.
    Refuse(Fault),
    /// End: the client has gone, or all is said.
    Closed,
}

/// A request whose head has come.
pub struct Arrived {
    /// Its head, or why it has none.
    pub asked: Result<Asked>,
    /// Whether a body follows.
    pub has_body: bool,
    pub(super) key: Key,
}

/// What taking frames has led to.
enum Taken {
    Request(Arrived),
    All,
}

impl Server {
    /// A connection that was just made, or from which its preface was read ahead.
    pub fn new(http: Rc<Conn>, rules: Rules) -> Rc<Self> {
        let mut out = Output::default();
        let frames = Connection::new(rules.config, out.text());
        let state = RefCell::new(State {
            frames,
            out,
            waker: None,
            is_told: false,
            queue: VecDeque::new(),
            early_resets: 0,
            is_over: false,
            is_leaving: false,
        });
        Rc::new(Self { http, meter: Meter::new(), rules, state })
    }

    /// Whether the client has said its preface.
    pub fn has_begun(&self) -> bool {
        self.state.borrow().frames.has_begun()
    }

    /// How many streams are being served.
    pub fn streams(&self) -> usize {
        self.state.borrow().frames.owned()
    }

    /// Streams that came after we had said that there are no more, and were passed over.
    pub fn passed_over(&self) -> u32 {
        self.state.borrow().frames.passed_over()
    }

    /// Streams that were reset within their first second, by the client or for what it sent.
    pub fn early_resets(&self) -> u32 {
        self.state.borrow().early_resets
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(super) fn state(&self) -> &RefCell<State> {
        &self.state
    }

    /// Says that there will be no more streams; those there are come to their end.
    pub fn go_away(&self) {
        let State { frames, out, .. } = &mut *self.state.borrow_mut();
        frames.go_away(out.text());
    }

    /// Says why nothing more is said, and ends all streams.
    pub fn refuse(&self, reason: Reason) {
        let mut state = self.state.borrow_mut();
        let State { frames, out, .. } = &mut *state;
        wake_all(frames);
        frames.abort(reason, out.text());
        state.is_over = true;
    }

    /// Ends all streams: there is nobody to answer.
    pub fn close(&self) {
        let mut state = self.state.borrow_mut();
        wake_all(&mut state.frames);
        state.frames.cut();
        state.is_over = true;
    }

    /// Reads and writes until there is something to do.
    pub fn poll(self: &Rc<Self>, cx: &mut Context<'_>, limits: &Limits) -> Poll<Turn> {
        self.state.borrow_mut().listen(cx);
        // Bounded: a turn reads bytes, and the runtime bounds how often that succeeds.
        loop {
            let is_full = self.state.borrow().is_stuffed(self.rules.send_buffer);
            let is_over = self.state.borrow().is_over;
            if !is_full && !is_over {
                match self.take_frames(limits) {
                    Ok(Taken::Request(arrived)) => return Poll::Ready(Turn::Request(arrived)),
                    Ok(Taken::All) => {}
                    Err(fault) => return Poll::Ready(Turn::Refuse(fault)),
                }
                match self.http.poll_more(cx) {
                    Poll::Ready(Ok(1..)) => continue,
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Turn::Closed),
                    Poll::Pending => {}
                }
            }
            let is_written = match self.poll_write(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => return Poll::Ready(Turn::Closed),
                Poll::Pending => false,
            };
            let mut state = self.state.borrow_mut();
            if is_written && (state.is_over || state.frames.is_over() || state.is_left()) {
                return Poll::Ready(Turn::Closed);
            }
            if !is_full || state.is_stuffed(self.rules.send_buffer) {
                state.is_told = false;
                return Poll::Pending;
            }
        }
    }

    /// Writes all that lies ready.
    fn poll_write(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let limit = self.rules.send_timeout;
        let mut state = self.state.borrow_mut();
        while !state.out.is_empty() {
            let written = state.out.write(|slices| match self.http.poll_write(cx, slices, limit) {
                Poll::Ready(Ok(len)) => (len, Poll::Ready(Ok(()))),
                other => (0, other.map_ok(drop)),
            });
            ready!(written)?;
            state.wake_next(self.rules.send_buffer);
        }
        state.out.rest();
        self.http.poll_flush(cx, limit)
    }

    /// Takes what was read, frame by frame, up to the next request.
    fn take_frames(&self, limits: &Limits) -> Result<Taken, Fault> {
        let mut state = self.state.borrow_mut();
        let taken = self.http.look(|bytes| {
            let mut at = 0;
            // Bounded: every turn takes a frame.
            loop {
                let rest = bytes.get(at..).unwrap_or_default();
                match state.take_frame(rest, limits) {
                    Ok((_, Some(Taken::All))) => return (at, Ok(Taken::All)),
                    Ok((len, Some(taken))) => return (at + len, Ok(taken)),
                    Ok((len, None)) => at += len,
                    Err(fault) => return (at, Err(fault)),
                }
            }
        })?;
        let idle = state.frames.take_idle_frames();
        self.meter.spend(idle);
        if self.meter.offence() == Some(Offence::Idling) {
            return Err(Fault::of(Reason::ENHANCE_YOUR_CALM, "too many frames that carry nothing"));
        }
        if let Taken::Request(_) = taken {
            self.meter.earn_stream();
        }
        Ok(taken)
    }

    /// How many of `want` bytes a stream may send; pending where it must wait, and is woken.
    pub(super) fn poll_room(
        &self,
        state: &mut State,
        key: Key,
        want: usize,
        cx: &mut Context<'_>,
    ) -> Poll<usize> {
        let of_stream = state.frames.stream_room(key);
        let of_connection = state.room(self.rules.send_buffer);
        let is_first = state.queue.front().is_none_or(|first| *first == key);
        if of_stream > 0 && of_connection > 0 && is_first {
            state.leave_queue(key);
            let mut room = want.min(of_stream).min(of_connection);
            if !state.queue.is_empty() {
                room = room.min(TURN_BYTES);
            }
            return Poll::Ready(room);
        }
        if of_stream == 0 {
            // It would hold up the others.
            self.give_up_place(state, key);
        } else if let Some(stream) = state.frames.stream_mut(key)
            && !stream.owner.is_queued
        {
            stream.owner.is_queued = true;
            state.queue.push_back(key);
        }
        if let Some(stream) = state.frames.stream_mut(key) {
            keep(&mut stream.owner.room_waker, cx);
        }
        Poll::Pending
    }

    /// A stream waits no longer.
    pub(super) fn give_up_place(&self, state: &mut State, key: Key) {
        state.leave_queue(key);
        state.wake_next(self.rules.send_buffer);
    }

    /// Something was laid ready: the connection's task writes it, and whoever waits may go on.
    pub(super) fn tell(&self, state: &mut State) {
        if !std::mem::replace(&mut state.is_told, true)
            && let Some(waker) = &state.waker
        {
            waker.wake_by_ref();
        }
        state.wake_next(self.rules.send_buffer);
    }

    /// Whether so much lies ready that what need not be sent isn't.
    pub(super) fn is_full(&self, state: &State) -> bool {
        state.out.len() >= self.rules.send_buffer
    }

    /// Lets go of a stream.
    pub(super) fn release(&self, key: Key) {
        // Never borrowed here: nobody drops a stream while looking at its connection.
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        state.leave_queue(key);
        let State { frames, out, is_over, .. } = &mut *state;
        let mut nothing = Vec::new();
        let out = if *is_over { &mut nothing } else { out.text() };
        let held = frames.stream(key).map_or(0, |stream| stream.owner.data.len());
        if held > 0 {
            frames.consume(key, held, out);
        }
        drop(frames.release(key, out));
        self.tell(&mut state);
    }
}

impl Arrived {
    /// Takes the stream over.
    pub fn exchange(&self, server: &Rc<Server>, pace: crate::h1::Pace) -> Rc<Exchange> {
        let bytes = self.asked.as_ref().map_or(0, |asked| asked.bytes);
        Rc::new(Exchange::new(server.clone(), self.key, bytes, pace))
    }
}

impl State {
    fn listen(&mut self, cx: &Context<'_>) {
        keep(&mut self.waker, cx);
        // It looks at everything now.
        self.is_told = true;
    }

    /// Whether the client goes, and nothing is left to say.
    fn is_left(&self) -> bool {
        self.is_leaving && self.frames.owned() == 0
    }

    /// Whether so much waits that nothing more is read, since what is read asks for more to be said. Bodies stop at
    /// half of that: a client that sends before it reads is still heard.
    fn is_stuffed(&self, buffer: usize) -> bool {
        self.out.len() >= buffer.saturating_mul(2)
    }

    /// Room that the connection has for bodies.
    fn room(&self, buffer: usize) -> usize {
        let len = self.out.len();
        let of_output = if len < buffer { (buffer - len).max(TURN_BYTES) } else { 0 };
        self.frames.room().min(of_output)
    }

    /// Wakes the stream that has waited longest, if there is room for it.
    fn wake_next(&mut self, buffer: usize) {
        if let Some(first) = self.queue.front().copied()
            && self.room(buffer) > 0
        {
            self.wake_room(first);
        }
    }

    fn wake_room(&mut self, key: Key) {
        if let Some(waker) = self.frames.stream_mut(key).and_then(|stream| stream.owner.room_waker.take()) {
            waker.wake();
        }
    }

    fn leave_queue(&mut self, key: Key) {
        let Some(stream) = self.frames.stream_mut(key) else { return };
        if std::mem::take(&mut stream.owner.is_queued) {
            self.queue.retain(|queued| *queued != key);
        }
    }

    /// Takes the next frame.
    fn take_frame(&mut self, bytes: &[u8], limits: &Limits) -> Result<(usize, Option<Taken>), Fault> {
        let (len, event) = self.frames.read(bytes, self.out.text())?;
        match event {
            Event::Partial => return Ok((0, Some(Taken::All))),
            Event::Nothing => {}
            Event::Head { id, block, is_last } => {
                let mut reader = Reader::new(limits);
                self.frames.fields(bytes, &block, |name, value| reader.field(name, value))?;
                let arrived = self.open((id, is_last), reader)?;
                return Ok((len, arrived.map(Taken::Request)));
            }
            Event::Trailers(key, block) => {
                let mut reader = TrailersReader::new(limits);
                self.frames.fields(bytes, &block, |name, value| reader.field(name, value))?;
                match reader.finish() {
                    None => {
                        self.frames.fail(key, Reason::PROTOCOL_ERROR, self.out.text())?;
                        self.reset(key);
                    }
                    Some(trailers) => self.with(key, |stream| stream.trailers = Some(trailers)),
                }
                self.wake_body(key);
            }
            Event::Data(key, range, _) => self.data(key, bytes.get(range).unwrap_or_default()),
            Event::Reset(key) => self.reset(key),
            Event::StreamRoom(key) => self.wake_room(key),
            Event::Room => self.wake_rooms(),
            Event::Leaving => self.is_leaving = true,
        }
        Ok((len, None))
    }

    fn open(&mut self, (id, is_last): (u32, bool), reader: Reader<'_>) -> Result<Option<Arrived>, Fault> {
        let out = self.out.text();
        let Read::Head(asked, length) = reader.finish() else {
            self.frames.refuse(id, Reason::PROTOCOL_ERROR, out)?;
            return Ok(None);
        };
        let key = self.frames.open((id, is_last), length, Stream::new(), out)?;
        Ok(key.map(|key| Arrived { asked, has_body: !is_last, key }))
    }

    fn with(&mut self, key: Key, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.frames.stream_mut(key) {
            change(&mut stream.owner);
        }
    }

    /// Bytes of a body are copied: no stream holds more than its window has, whatever lay beside them.
    fn data(&mut self, key: Key, bytes: &[u8]) {
        let Some(stream) = self.frames.stream_mut(key) else { return };
        if stream.owner.is_unwanted {
            self.frames.consume(key, bytes.len(), self.out.text());
            return;
        }
        stream.owner.data.extend_from_slice(bytes);
        self.wake_body(key);
    }

    fn wake_body(&mut self, key: Key) {
        if let Some(waker) = self.frames.stream_mut(key).and_then(|stream| stream.owner.body_waker.take()) {
            waker.wake();
        }
    }

    fn reset(&mut self, key: Key) {
        self.leave_queue(key);
        let Some(stream) = self.frames.stream_mut(key) else { return };
        stream.owner.wake();
        let is_early = clock::recent().saturating_duration_since(stream.owner.began) < EARLY;
        if is_early && stream.reset() != Some(Reset::ByClient(Reason::NO_ERROR)) {
            self.early_resets += 1;
        }
    }

    /// All windows may have opened.
    fn wake_rooms(&mut self) {
        let keys: Vec<Key> = self.frames.open_keys().collect();
        keys.into_iter().for_each(|key| self.wake_room(key));
    }

    /// What has come of a body, and nothing is left of it here.
    pub(super) fn take_data(&mut self, key: Key) -> Bytes {
        let data = self.frames.stream_mut(key).map(|stream| stream.owner.data.split().freeze());
        data.unwrap_or_default()
    }
}

impl Stream {
    fn new() -> Self {
        Self {
            data: BytesMut::new(),
            is_unwanted: false,
            trailers: None,
            began: clock::recent(),
            is_queued: false,
            body_waker: None,
            room_waker: None,
            reset_waker: None,
        }
    }

    fn wake(&self) {
        let wakers = [&self.body_waker, &self.room_waker, &self.reset_waker];
        wakers.into_iter().flatten().for_each(Waker::wake_by_ref);
    }
}

fn wake_all(frames: &mut Connection<Stream>) {
    for key in frames.open_keys() {
        if let Some(stream) = frames.stream(key) {
            stream.owner.wake();
        }
    }
}

/// Keeps the waker of whoever waits.
pub(super) fn keep(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *place = Some(cx.waker().clone()),
    }
}
