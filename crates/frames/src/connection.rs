//! What a client may say when, and what is said back (RFC 9113 3-8).
//!
//! Frames are taken one by one; what concerns nobody but the protocol is settled here, and the rest comes out as an
//! [`Event`]. What is to be sent goes to the end of a buffer of the owner's.

mod control;
mod streams;
mod write;

use crate::frame::{
    self, Fault, HEADER_BYTES, Header, PAYLOAD_MAX, PREFACE, Reason, WINDOW_FIRST, flag, kind,
};
use crate::hpack::{Decoder, Encoder, Error};
use std::ops::Range;
use streams::{End, Streams};
pub use streams::{Key, Reset, Stream};

/// 1,024 streams that we had to refuse, or reset for what the client sent (MadeYouReset, CVE-2025-8671): no client
/// has reason to make that many mistakes.
const MISTAKES_MAX: u32 = 1024;
/// 32 frames of one block (RFC 9113 6.10): clients fill them, so that it takes few; who sends many means something
/// else (CVE-2024-27316).
const BLOCK_FRAMES_MAX: u32 = 32;
/// Four times what a client was told that a head may have: what is less is answered by 431, what is more is a bomb.
const BOMB_TIMES: usize = 4;
/// The PING by which we learn that our first GOAWAY was read (RFC 9113 6.8).
const FAREWELL: [u8; 8] = *b"farewell";

/// How it is spoken.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Streams at once.
    pub streams_max: u32,
    /// Bytes a client may send ahead of what is read of a stream.
    pub stream_window: u32,
    /// The same of all streams together; no less than the first window, which can't be taken back.
    pub connection_window: u32,
    /// Bytes of a head, as RFC 9113 6.5.2 counts them.
    pub head_bytes: u32,
}

/// Where a block of fields lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// In the bytes that were given.
    Here(Range<usize>),
    /// It came in several frames, and lies with the connection.
    Gathered,
}

/// What the owner must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole frame has not come.
    Partial,
    /// Nothing.
    Nothing,
    /// A new stream's head. The owner reads its fields at once and then opens the stream or refuses it.
    Head {
        /// The stream's number.
        id: u32,
        /// Its fields.
        block: Block,
        /// Whether nothing follows.
        is_last: bool,
    },
    /// Fields behind a body, which has ended. The owner reads them at once.
    Trailers(Key, Block),
    /// Bytes of a body, and whether they are its last ones.
    Data(Key, Range<usize>, bool),
    /// A stream was reset, by the client or because of it.
    Reset(Key),
    /// A stream's window is wider.
    StreamRoom(Key),
    /// The connection's window is wider, or all windows have changed.
    Room,
    /// The client says that it is going.
    Leaving,
}

/// What has been said about an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    None,
    /// That there will be one.
    Announced,
    /// That no stream beyond this one is taken.
    Said(u32),
}

/// A block that comes in several frames.
#[derive(Debug)]
struct Gathering {
    id: u32,
    is_last: bool,
    depends_on_itself: bool,
    frames: u32,
}

/// The state of one connection; `T` is what its owner keeps with each stream.
#[derive(Debug)]
pub struct Connection<T> {
    config: Config,
    decoder: Decoder,
    encoder: Encoder,
    streams: Streams<T>,
    has_preface: bool,
    has_settings: bool,
    /// Whether the client has heard our settings, so that windows of streams are those.
    is_acknowledged: bool,
    gathering: Option<Gathering>,
    gathered: Vec<u8>,
    id_max: u32,
    send_window: i64,
    /// What windows of streams towards the client begin with.
    send_first: i64,
    recv_window: i64,
    unannounced: u32,
    farewell: Farewell,
    mistakes: u32,
    idle_frames: u32,
    passed_over: u32,
}

impl<T> Connection<T> {
    /// One that was just made; says our settings.
    pub fn new(config: Config, out: &mut Vec<u8>) -> Self {
        let config =
            Config { connection_window: config.connection_window.max(WINDOW_FIRST as u32), ..config };
        write::settings(&config, out);
        Self {
            config,
            decoder: Decoder::new((config.head_bytes as usize).saturating_mul(BOMB_TIMES)),
            encoder: Encoder::new(),
            streams: Streams::new(),
            has_preface: false,
            has_settings: false,
            is_acknowledged: false,
            gathering: None,
            gathered: Vec::new(),
            id_max: 0,
            send_window: WINDOW_FIRST,
            send_first: WINDOW_FIRST,
            recv_window: i64::from(config.connection_window),
            unannounced: 0,
            farewell: Farewell::None,
            mistakes: 0,
            idle_frames: 0,
            passed_over: 0,
        }
    }

    /// Whether the client has said its preface.
    pub fn has_begun(&self) -> bool {
        self.has_preface
    }

    /// How many streams have an owner.
    pub fn owned(&self) -> usize {
        self.streams.owned()
    }

    /// Whether the last stream there will be is over.
    pub fn is_over(&self) -> bool {
        matches!(self.farewell, Farewell::Said(_)) && self.streams.open() == 0
    }

    /// Streams that came after we had said that there are no more.
    pub fn passed_over(&self) -> u32 {
        self.passed_over
    }

    /// How many frames that carry nothing have come since this was asked last.
    pub fn take_idle_frames(&mut self) -> u32 {
        std::mem::take(&mut self.idle_frames)
    }

    /// A stream that has an owner.
    pub fn stream(&self, key: Key) -> Option<&Stream<T>> {
        self.streams.get(key)
    }

    /// The same, to change what its owner keeps.
    pub fn stream_mut(&mut self, key: Key) -> Option<&mut Stream<T>> {
        self.streams.get_mut(key)
    }

    /// Streams that are open.
    pub fn open_keys(&self) -> impl Iterator<Item = Key> {
        self.streams.keys()
    }

    /// Takes the frame that `bytes` begin with: how many bytes it has, and what comes of it.
    ///
    /// # Errors
    /// What ends the connection.
    pub fn read(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(usize, Event), Fault> {
        if !self.has_preface {
            return self.preface(bytes);
        }
        let Some(header) = Header::read(bytes) else { return Ok((0, Event::Partial)) };
        self.check(header)?;
        let len = HEADER_BYTES + header.len;
        let Some(payload) = bytes.get(HEADER_BYTES..len) else { return Ok((0, Event::Partial)) };
        let event = match header.kind {
            kind::DATA => self.data(header, payload, out)?,
            kind::HEADERS => self.headers(header, payload, out)?,
            kind::CONTINUATION => self.continuation(header, payload, out)?,
            kind::PUSH_PROMISE => return Err(Fault::protocol("PUSH_PROMISE from a client")),
            _ => {
                self.idle_frames += 1;
                self.control(header, payload, out)?
            }
        };
        // Ranges are of what was given.
        let event = match event {
            Event::Data(key, range, is_last) => Event::Data(key, shifted(range), is_last),
            Event::Head { id, block, is_last } => Event::Head { id, block: block.shifted(), is_last },
            Event::Trailers(key, block) => Event::Trailers(key, block.shifted()),
            event => event,
        };
        Ok((len, event))
    }

    fn preface(&mut self, bytes: &[u8]) -> Result<(usize, Event), Fault> {
        let have = bytes.len().min(PREFACE.len());
        if bytes.get(..have) != PREFACE.get(..have) {
            return Err(Fault::protocol("no preface of HTTP/2"));
        }
        if have < PREFACE.len() {
            return Ok((0, Event::Partial));
        }
        self.has_preface = true;
        Ok((have, Event::Nothing))
    }

    /// What a header alone tells (RFC 9113 3.4, 4.2, 6.10).
    fn check(&mut self, header: Header) -> Result<(), Fault> {
        if !self.has_settings {
            if header.kind != kind::SETTINGS || header.has(flag::ACK) {
                return Err(Fault::protocol("the first frame is not SETTINGS"));
            }
            self.has_settings = true;
        }
        if header.len > PAYLOAD_MAX {
            return Err(Fault::size("a frame larger than allowed"));
        }
        match &self.gathering {
            None if header.kind == kind::CONTINUATION => Err(Fault::protocol("CONTINUATION of no block")),
            Some(block) if header.kind != kind::CONTINUATION || header.stream != block.id => {
                Err(Fault::protocol("another frame within a block of fields"))
            }
            _ => Ok(()),
        }
    }

    /// Gives each field of a block to `field`.
    ///
    /// # Errors
    /// Where it can't be read, or is a bomb.
    pub fn fields(
        &mut self,
        bytes: &[u8],
        block: &Block,
        field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Fault> {
        let decoded = match block {
            Block::Here(range) => self.decoder.decode(bytes.get(range.clone()).unwrap_or_default(), field),
            Block::Gathered => {
                let gathered = std::mem::take(&mut self.gathered);
                self.decoder.decode(&gathered, field)
            }
        };
        decoded.map_err(|err| match err {
            Error::Broken(why) => Fault::of(Reason::COMPRESSION_ERROR, why),
            Error::Bomb => Fault::of(Reason::ENHANCE_YOUR_CALM, "fields far beyond the limit"),
        })
    }

    /// Reads over a block, so that the table stays the client's.
    fn skip(&mut self, bytes: &[u8], block: &Block) -> Result<(), Fault> {
        self.fields(bytes, block, |_, _| {})
    }

    fn headers(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<Event, Fault> {
        if header.stream == 0 {
            return Err(Fault::protocol("HEADERS on stream 0"));
        }
        let mut range = frame::unpadded(header, payload)?;
        let mut depends_on_itself = false;
        if header.has(flag::PRIORITY) {
            let text = payload.get(range.clone()).unwrap_or_default();
            let on = frame::number(text).filter(|_| text.len() >= 5);
            let on = on.ok_or(Fault::size("HEADERS too short for their priority"))?;
            depends_on_itself = on & (u32::MAX >> 1) == header.stream;
            range.start += 5;
        }
        let is_last = header.has(flag::END_STREAM);
        if header.has(flag::END_HEADERS) {
            let id = header.stream;
            return self.block(payload, (id, is_last, depends_on_itself), Block::Here(range), out);
        }
        self.gathered.clear();
        self.gathered.extend_from_slice(payload.get(range).unwrap_or_default());
        self.gathering = Some(Gathering { id: header.stream, is_last, depends_on_itself, frames: 1 });
        Ok(Event::Nothing)
    }

    fn continuation(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<Event, Fault> {
        let Some(mut block) = self.gathering.take() else {
            return Err(Fault::protocol("CONTINUATION of no block"));
        };
        block.frames += 1;
        // A block is no longer than its fields but for how they are framed.
        let bytes_max = self.config.head_bytes as usize + PAYLOAD_MAX;
        if block.frames > BLOCK_FRAMES_MAX || self.gathered.len() + payload.len() > bytes_max {
            return Err(Fault::of(Reason::ENHANCE_YOUR_CALM, "a block of fields without end"));
        }
        self.gathered.extend_from_slice(payload);
        if !header.has(flag::END_HEADERS) {
            self.gathering = Some(block);
            return Ok(Event::Nothing);
        }
        self.block(payload, (block.id, block.is_last, block.depends_on_itself), Block::Gathered, out)
    }

    /// A whole block of fields (RFC 9113 5.1, 5.1.1, 8.1).
    fn block(
        &mut self,
        payload: &[u8],
        (id, is_last, depends_on_itself): (u32, bool, bool),
        block: Block,
        out: &mut Vec<u8>,
    ) -> Result<Event, Fault> {
        if let Some(key) = self.streams.find(id) {
            return self.trailers(payload, (key, is_last), block, out);
        }
        if id.is_multiple_of(2) {
            return Err(Fault::protocol("a client's stream with an even number"));
        }
        if id <= self.id_max {
            return match self.streams.end_of(id) {
                Some(End::Ours) => self.skip(payload, &block).map(|()| Event::Nothing),
                Some(End::Known) => Err(Fault::of(Reason::STREAM_CLOSED, "HEADERS on a closed stream")),
                None => Err(Fault::protocol("a stream that was passed over")),
            };
        }
        self.id_max = id;
        if matches!(self.farewell, Farewell::Said(_)) {
            // RFC 9113 6.8: what comes after that is nobody's affair.
            self.skip(payload, &block)?;
            self.streams.remember(id, End::Ours);
            self.passed_over += 1;
            return Ok(Event::Nothing);
        }
        let max = self.config.streams_max as usize;
        // What the client has reset counts until we have let go of it.
        let is_full = self.streams.open() >= max || self.streams.owned() >= max * 2;
        if is_full || depends_on_itself {
            self.skip(payload, &block)?;
            let reason = if is_full { Reason::REFUSED_STREAM } else { Reason::PROTOCOL_ERROR };
            self.refuse(id, reason, out)?;
            return Ok(Event::Nothing);
        }
        Ok(Event::Head { id, block, is_last })
    }

    fn trailers(
        &mut self,
        payload: &[u8],
        (key, is_last): (Key, bool),
        block: Block,
        out: &mut Vec<u8>,
    ) -> Result<Event, Fault> {
        let Some(stream) = self.streams.get_mut(key) else { return Ok(Event::Nothing) };
        let reason = match () {
            () if stream.recv_ended => Reason::STREAM_CLOSED,
            // RFC 9113 8.1: trailers end a stream. 8.1.1: the body must have its length.
            () if !is_last || stream.left.is_some_and(|left| left > 0) => Reason::PROTOCOL_ERROR,
            () => {
                stream.recv_ended = true;
                self.streams.settle(key);
                return Ok(Event::Trailers(key, block));
            }
        };
        self.skip(payload, &block)?;
        self.break_off(key, reason, out)
    }

    fn data(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<Event, Fault> {
        if header.stream == 0 {
            return Err(Fault::protocol("DATA on stream 0"));
        }
        let len = payload.len() as u32;
        // Padding counts (RFC 9113 6.9.1).
        self.recv_window -= i64::from(len);
        if self.recv_window < 0 {
            return Err(Fault::of(Reason::FLOW_CONTROL_ERROR, "more DATA than the connection's window"));
        }
        let range = frame::unpadded(header, payload)?;
        let is_last = header.has(flag::END_STREAM);
        self.idle_frames += u32::from(range.is_empty() && !is_last);
        let Some(key) = self.streams.find(header.stream) else {
            return self.stray_data(header.stream, len, out);
        };
        let Some(stream) = self.streams.get_mut(key) else { return Ok(Event::Nothing) };
        stream.recv_window -= i64::from(len);
        let data = range.len() as u64;
        let left = stream.left.map_or(Some(None), |left| left.checked_sub(data).map(Some));
        let reason = match left {
            _ if stream.recv_ended => Some(Reason::STREAM_CLOSED),
            _ if stream.recv_window < 0 => Some(Reason::FLOW_CONTROL_ERROR),
            None => Some(Reason::PROTOCOL_ERROR),
            Some(Some(1..)) if is_last => Some(Reason::PROTOCOL_ERROR),
            Some(_) => None,
        };
        if let Some(reason) = reason {
            self.give_back(len, out);
            return self.break_off(key, reason, out);
        }
        stream.left = left.flatten();
        stream.recv_ended = is_last;
        self.streams.settle(key);
        let padding = len - range.len() as u32;
        if padding > 0 {
            self.consume(key, padding as usize, out);
        }
        Ok(Event::Data(key, range, is_last))
    }

    /// DATA of a stream that is none, or no longer.
    fn stray_data(&mut self, id: u32, len: u32, out: &mut Vec<u8>) -> Result<Event, Fault> {
        if self.is_idle(id) {
            return Err(Fault::protocol("DATA on an idle stream"));
        }
        self.give_back(len, out);
        if self.streams.end_of(id) != Some(End::Ours) {
            self.refuse(id, Reason::STREAM_CLOSED, out)?;
        }
        Ok(Event::Nothing)
    }

    fn is_idle(&self, id: u32) -> bool {
        id > self.id_max || id.is_multiple_of(2)
    }

    /// Counts a mistake of the client's that costs a stream.
    fn mistake(&mut self) -> Result<(), Fault> {
        self.mistakes += 1;
        if self.mistakes > MISTAKES_MAX {
            return Err(Fault::of(Reason::ENHANCE_YOUR_CALM, "too many streams to refuse or reset"));
        }
        Ok(())
    }

    /// Resets a stream for what the client sent.
    fn break_off(&mut self, key: Key, reason: Reason, out: &mut Vec<u8>) -> Result<Event, Fault> {
        self.reset(key, reason, out);
        self.mistake()?;
        Ok(Event::Reset(key))
    }
}

impl Block {
    fn shifted(self) -> Self {
        match self {
            Self::Here(range) => Self::Here(shifted(range)),
            Self::Gathered => Self::Gathered,
        }
    }
}

fn shifted(range: Range<usize>) -> Range<usize> {
    range.start + HEADER_BYTES..range.end + HEADER_BYTES
}

#[cfg(test)]
mod tests;
