//! Our half: what is said to the client.

use super::streams::{End, Key, Reset, Stream};
use super::{Config, Connection, FAREWELL, Farewell};
use crate::frame::{
    self, Fault, HEADER_BYTES, Header, PAYLOAD_MAX, Reason, WINDOW_FIRST, flag, kind, setting,
};
use crate::hpack::Encoder;

/// Our settings, and the connection's window, which no setting tells (RFC 9113 6.9.2).
pub(super) fn settings(config: &Config, out: &mut Vec<u8>) {
    let all = [
        (setting::MAX_CONCURRENT_STREAMS, config.streams_max),
        (setting::INITIAL_WINDOW_SIZE, config.stream_window),
        (setting::MAX_HEADER_LIST_SIZE, config.head_bytes),
        // WebSockets (RFC 8441).
        (setting::ENABLE_CONNECT_PROTOCOL, 1),
    ];
    let mut payload = Vec::with_capacity(all.len() * 6);
    for (id, value) in all {
        payload.extend_from_slice(&id.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    frame::write(out, kind::SETTINGS, 0, 0, &payload);
    let more = config.connection_window - WINDOW_FIRST as u32;
    if more > 0 {
        frame::write_window(out, 0, more);
    }
}

impl<T> Connection<T> {
    /// Opens the stream whose head was taken, whose body has that length where it is known. `None` where the length
    /// is not what came (RFC 9113 8.1.1), and the stream was refused.
    ///
    /// # Errors
    /// Where it is a mistake too many.
    pub fn open(
        &mut self,
        (id, is_last): (u32, bool),
        left: Option<u64>,
        owner: T,
        out: &mut Vec<u8>,
    ) -> Result<Option<Key>, Fault> {
        if is_last && left.is_some_and(|left| left > 0) {
            self.refuse(id, Reason::PROTOCOL_ERROR, out)?;
            return Ok(None);
        }
        let first = if self.is_acknowledged { i64::from(self.config.stream_window) } else { WINDOW_FIRST };
        Ok(Some(self.streams.add(Stream {
            id,
            send_window: self.send_first,
            recv_window: first,
            unannounced: 0,
            left,
            recv_ended: is_last,
            send_ended: false,
            reset: None,
            owner,
        })))
    }

    /// Refuses a stream that was never opened, for what the client sent.
    ///
    /// # Errors
    /// Where it is a mistake too many.
    pub fn refuse(&mut self, id: u32, reason: Reason, out: &mut Vec<u8>) -> Result<(), Fault> {
        frame::write_reset(out, id, reason);
        self.streams.remember(id, End::Ours);
        self.mistake()
    }

    /// Resets a stream that is open, for what the client sent behind its head.
    ///
    /// # Errors
    /// Where it is a mistake too many.
    pub fn fail(&mut self, key: Key, reason: Reason, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.reset(key, reason, out);
        self.mistake()
    }

    /// Resets a stream, if it is not over.
    pub fn reset(&mut self, key: Key, reason: Reason, out: &mut Vec<u8>) {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| !stream.is_over()) else { return };
        stream.reset = Some(Reset::ByUs(reason));
        frame::write_reset(out, stream.id, reason);
        self.streams.settle(key);
    }

    /// Says nothing more to anybody: every stream is reset, and the client learns why.
    pub fn abort(&mut self, reason: Reason, out: &mut Vec<u8>) {
        frame::write_goaway(out, self.id_max, reason);
        self.cut();
    }

    /// Every stream is reset, and nobody is told.
    pub fn cut(&mut self) {
        let keys: Vec<Key> = self.streams.keys().collect();
        for key in keys {
            if let Some(stream) = self.streams.get_mut(key) {
                stream.reset = Some(Reset::ByUs(Reason::CANCEL));
            }
            self.streams.settle(key);
        }
        self.farewell = Farewell::Said(self.id_max);
    }

    /// Says that there will be no more streams; which one was the last is said when the client has heard (RFC 9113
    /// 6.8).
    pub fn go_away(&mut self, out: &mut Vec<u8>) {
        if self.farewell == Farewell::None {
            self.farewell = Farewell::Announced;
            frame::write_goaway(out, u32::MAX >> 1, Reason::NO_ERROR);
            frame::write(out, kind::PING, 0, 0, &FAREWELL);
        }
    }

    /// Lets go of a stream: what of it is not over ends here.
    pub fn release(&mut self, key: Key, out: &mut Vec<u8>) -> Option<T> {
        let stream = self.streams.take(key)?;
        if !stream.is_over() {
            // RFC 9113 8.1: an answer that is over makes the rest of its request needless.
            let reason = if stream.send_ended { Reason::NO_ERROR } else { Reason::INTERNAL_ERROR };
            frame::write_reset(out, stream.id, reason);
            self.streams.forget_open(stream.id);
            self.streams.remember(stream.id, End::Ours);
        }
        Some(stream.owner)
    }

    /// Writes fields of a stream: a head, an interim one, or trailers, which are the last.
    pub fn head(
        &mut self,
        key: Key,
        is_last: bool,
        out: &mut Vec<u8>,
        fields: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| !stream.is_over() && !stream.send_ended)
        else {
            return;
        };
        let (id, at) = (stream.id, out.len());
        stream.send_ended = is_last;
        out.extend_from_slice(&[0; HEADER_BYTES]);
        self.encoder.begin(out);
        fields(&mut self.encoder, out);
        frame::finish_block(out, at, id, is_last);
        self.streams.settle(key);
    }

    /// The header of a DATA frame whose payload the caller writes: no longer than a frame may be and windows are.
    pub fn data_header(&mut self, key: Key, len: usize, is_last: bool) -> Option<[u8; HEADER_BYTES]> {
        let stream = self.streams.get_mut(key).filter(|stream| !stream.is_over() && !stream.send_ended)?;
        stream.send_window -= len as i64;
        self.send_window -= len as i64;
        stream.send_ended = is_last;
        let flags = if is_last { flag::END_STREAM } else { 0 };
        let header = Header { len, kind: kind::DATA, flags, stream: stream.id };
        self.streams.settle(key);
        Some(header.bytes())
    }

    /// Bytes the connection's window has.
    pub fn room(&self) -> usize {
        usize::try_from(self.send_window).unwrap_or(0)
    }

    /// Bytes the stream's window has.
    pub fn stream_room(&self, key: Key) -> usize {
        let window = self.streams.get(key).map_or(0, |stream| stream.send_window);
        usize::try_from(window).unwrap_or(0)
    }

    /// So many bytes of a body were passed on: windows open again, when half of one is free.
    pub fn consume(&mut self, key: Key, len: usize, out: &mut Vec<u8>) {
        let len = len as u32;
        self.give_back(len, out);
        let half = self.config.stream_window / 2;
        let Some(stream) = self.streams.get_mut(key).filter(|it| !it.recv_ended && it.reset.is_none()) else {
            return;
        };
        stream.unannounced += len;
        if stream.unannounced >= half.max(1) {
            let more = std::mem::take(&mut stream.unannounced);
            stream.recv_window += i64::from(more);
            frame::write_window(out, stream.id, more);
        }
    }

    /// The same for the connection alone.
    pub(super) fn give_back(&mut self, len: u32, out: &mut Vec<u8>) {
        self.unannounced += len;
        if self.unannounced >= self.config.connection_window / 2 {
            let more = std::mem::take(&mut self.unannounced);
            self.recv_window += i64::from(more);
            frame::write_window(out, 0, more);
        }
    }

    /// The longest payload of one frame.
    pub const fn frame_max() -> usize {
        PAYLOAD_MAX
    }
}
