//! A client of HTTP/2, frame by frame (RFC 9113 4): for what no well-behaved client sends.
//!
//! It has numbers and framing of its own, so that a mistake in the engine's does not hide itself from its tests.

use crate::wire::{End, Wire};
use std::net::SocketAddr;

/// RFC 9113 3.4.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames (RFC 9113 6).
#[allow(missing_docs, reason = "the RFC's names")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
#[allow(missing_docs, reason = "the RFC's names")]
pub mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
}

/// Codes of errors (RFC 9113 7).
#[allow(missing_docs, reason = "the RFC's names")]
pub mod code {
    pub const NO_ERROR: u32 = 0;
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const INTERNAL_ERROR: u32 = 2;
    pub const FLOW_CONTROL_ERROR: u32 = 3;
    pub const STREAM_CLOSED: u32 = 5;
    pub const FRAME_SIZE_ERROR: u32 = 6;
    pub const REFUSED_STREAM: u32 = 7;
    pub const CANCEL: u32 = 8;
    pub const COMPRESSION_ERROR: u32 = 9;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0: the connection.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Its bytes.
    pub fn bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = len[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Whether it ends its stream.
    pub fn is_last(&self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & flag::END_STREAM != 0
    }

    /// The status that a HEADERS frame begins with, as far as it is one of HPACK's table (RFC 7541 A).
    pub fn status(&self) -> Option<u16> {
        match self.payload.first()? & 0x7f {
            8 => Some(200),
            9 => Some(204),
            10 => Some(206),
            11 => Some(304),
            12 => Some(400),
            13 => Some(404),
            14 => Some(500),
            _ => None,
        }
    }

    fn code_at(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// The code of a RST_STREAM.
    pub fn reset_code(&self) -> u32 {
        self.code_at(0)
    }

    /// Last stream and code of a GOAWAY.
    pub fn goaway(&self) -> (u32, u32) {
        (self.code_at(0), self.code_at(4))
    }
}

/// Fields in HPACK, each as it is, without Huffman's code and without the table (RFC 7541 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        text(&mut bytes, name.as_bytes());
        text(&mut bytes, value.as_bytes());
    }
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        len @ 0..127 => bytes.push(u8::try_from(len).unwrap()),
        len => {
            bytes.push(127);
            let mut rest = len - 127;
            while rest >= 128 {
                bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
        }
    }
    bytes.extend_from_slice(text);
}

/// The fields of a request for that path.
pub fn request<'a>(method: &'a str, path: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![(":method", method), (":scheme", "http"), (":path", path), (":authority", "test")]
}

/// A connection.
pub struct Frames {
    /// What it runs on.
    pub wire: Wire,
}

impl Frames {
    /// A connection on which both sides have said their SETTINGS.
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Self {
        Self::with_settings(addr, &[])
    }

    /// The same with these settings of ours.
    #[track_caller]
    pub fn with_settings(addr: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let mut frames = Self { wire: Wire::connect(addr) };
        frames.begin(settings);
        frames
    }

    /// Preface and SETTINGS of both sides.
    #[track_caller]
    pub fn begin(&mut self, settings: &[(u16, u32)]) {
        let mut payload = Vec::new();
        for (id, value) in settings {
            payload.extend(id.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        self.wire.send(PREFACE);
        self.send(kind::SETTINGS, 0, 0, &payload);
        let first = self.read().unwrap();
        assert_eq!((first.kind, first.flags), (kind::SETTINGS, 0), "{first:?}");
        self.send(kind::SETTINGS, flag::ACK, 0, b"");
    }

    /// Sends a frame.
    #[track_caller]
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> &mut Self {
        self.wire.send(Frame::bytes(kind, flags, stream, payload));
        self
    }

    /// Sends a request without a body.
    #[track_caller]
    pub fn get(&mut self, stream: u32, path: &str) -> &mut Self {
        self.headers(stream, flag::END_STREAM, &request("GET", path))
    }

    /// Sends a whole header block.
    #[track_caller]
    pub fn headers(&mut self, stream: u32, flags: u8, fields: &[(&str, &str)]) -> &mut Self {
        self.send(kind::HEADERS, flags | flag::END_HEADERS, stream, &block(fields))
    }

    /// Opens a window.
    #[track_caller]
    pub fn open_window(&mut self, stream: u32, by: u32) -> &mut Self {
        self.send(kind::WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
    }

    /// The next frame.
    ///
    /// # Errors
    /// How the connection ended, where it did.
    #[track_caller]
    pub fn read(&mut self) -> Result<Frame, End> {
        let header = self.wire.try_read_exact(9)?;
        let len = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let stream = u32::from_be_bytes(header[5..9].try_into().unwrap()) & (u32::MAX >> 1);
        let payload = self.wire.try_read_exact(len)?;
        Ok(Frame { kind: header[3], flags: header[4], stream, payload })
    }

    /// The next frame of that kind; others are passed over, and PINGs answered.
    #[track_caller]
    pub fn find(&mut self, wanted: u8) -> Frame {
        self.find_where(|frame| frame.kind == wanted)
    }

    /// The next frame that fits.
    #[track_caller]
    pub fn find_where(&mut self, fits: impl Fn(&Frame) -> bool) -> Frame {
        let mut seen = Vec::new();
        loop {
            match self.read() {
                Ok(frame) if fits(&frame) => return frame,
                Ok(frame) => {
                    self.answer(&frame);
                    seen.push((frame.kind, frame.stream));
                }
                Err(end) => panic!("no such frame: {end:?} after (kind, stream) {seen:?}"),
            }
        }
    }

    /// The next frame of that kind on that stream.
    #[track_caller]
    pub fn find_on(&mut self, stream: u32, wanted: u8) -> Frame {
        self.find_where(|frame| frame.stream == stream && frame.kind == wanted)
    }

    /// All frames up to the end of the connection, PINGs answered, and how it ended.
    #[track_caller]
    pub fn rest(&mut self) -> (Vec<Frame>, End) {
        let mut frames = Vec::new();
        loop {
            match self.read() {
                Ok(frame) => {
                    self.answer(&frame);
                    frames.push(frame);
                }
                Err(end) => return (frames, end),
            }
        }
    }

    /// Answers a PING.
    fn answer(&mut self, frame: &Frame) {
        if frame.kind == kind::PING && frame.flags & flag::ACK == 0 {
            // The other end may be gone.
            let _ = self.wire.try_send(Frame::bytes(kind::PING, flag::ACK, 0, &frame.payload));
        }
    }

    /// The code of the GOAWAY that ends the connection, and that it ends.
    #[track_caller]
    pub fn goaway_code(&mut self) -> u32 {
        let (_, code) = self.find(kind::GOAWAY).goaway();
        self.rest();
        code
    }

    /// Whether the connection still serves: a PING comes back.
    #[track_caller]
    pub fn assert_alive(&mut self) {
        self.send(kind::PING, 0, 0, b"are you?");
        self.find_where(|frame| frame.kind == kind::PING && frame.payload == b"are you?");
    }
}
