//! Frames as they lie in bytes (RFC 9113 4, 6), and what errors are called (7).

use std::fmt;
use std::ops::Range;

/// A frame's header (RFC 9113 4.1).
pub const HEADER_BYTES: usize = 9;
/// 16 KiB: the largest payload that every peer takes (RFC 9113 4.2). We ask for no more and send no more: a longer
/// frame holds up all other streams for as long as it takes.
pub const PAYLOAD_MAX: usize = 16 * 1024;
/// What a client sends first (RFC 9113 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The largest window (RFC 9113 6.9.1).
pub const WINDOW_MAX: i64 = (1 << 31) - 1;
/// The window that both sides begin with (RFC 9113 6.9.2).
pub const WINDOW_FIRST: i64 = 65_535;

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
    pub const PRIORITY: u8 = 32;
}

/// Settings (RFC 9113 6.5.2, RFC 8441 3).
#[allow(missing_docs, reason = "the RFC's names")]
pub mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
    pub const MAX_FRAME_SIZE: u16 = 5;
    pub const MAX_HEADER_LIST_SIZE: u16 = 6;
    pub const ENABLE_CONNECT_PROTOCOL: u16 = 8;
}

/// Why a stream or a connection ends (RFC 9113 7).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reason(pub u32);

#[allow(missing_docs, reason = "the RFC's names")]
impl Reason {
    pub const NO_ERROR: Self = Self(0);
    pub const PROTOCOL_ERROR: Self = Self(1);
    pub const INTERNAL_ERROR: Self = Self(2);
    pub const FLOW_CONTROL_ERROR: Self = Self(3);
    pub const SETTINGS_TIMEOUT: Self = Self(4);
    pub const STREAM_CLOSED: Self = Self(5);
    pub const FRAME_SIZE_ERROR: Self = Self(6);
    pub const REFUSED_STREAM: Self = Self(7);
    pub const CANCEL: Self = Self(8);
    pub const COMPRESSION_ERROR: Self = Self(9);
    pub const CONNECT_ERROR: Self = Self(10);
    pub const ENHANCE_YOUR_CALM: Self = Self(11);
    pub const INADEQUATE_SECURITY: Self = Self(12);
    pub const HTTP_1_1_REQUIRED: Self = Self(13);

    /// The RFC's name of it.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 14] = [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ];
        NAMES.get(self.0 as usize).copied().unwrap_or("a code that nobody knows")
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.0)
    }
}

/// What ends a connection (RFC 9113 5.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What the peer is told.
    pub reason: Reason,
    /// What was wrong, for the log.
    pub why: &'static str,
}

impl Fault {
    /// That reason, because of that.
    pub const fn of(reason: Reason, why: &'static str) -> Self {
        Self { reason, why }
    }

    /// What breaks the protocol.
    pub const fn protocol(why: &'static str) -> Self {
        Self::of(Reason::PROTOCOL_ERROR, why)
    }

    /// A payload of a length that its kind has not.
    pub const fn size(why: &'static str) -> Self {
        Self::of(Reason::FRAME_SIZE_ERROR, why)
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload.
    pub len: usize,
    /// What it is.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream; 0: the connection.
    pub stream: u32,
}

impl Header {
    /// The header that `bytes` begin with; `None` while it has not come.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, s, t, u, v] = *bytes.first_chunk::<HEADER_BYTES>()?;
        Some(Self {
            len: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            // The reserved bit means nothing (RFC 9113 4.1).
            stream: u32::from_be_bytes([s, t, u, v]) & (u32::MAX >> 1),
        })
    }

    /// Its bytes.
    pub fn bytes(self) -> [u8; HEADER_BYTES] {
        let [_, a, b, c] = (self.len as u32).to_be_bytes();
        let [s, t, u, v] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, s, t, u, v]
    }

    /// Whether a flag is set.
    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// What of a payload is neither padding nor its length (RFC 9113 6.1, 6.2).
///
/// # Errors
/// PROTOCOL_ERROR where the padding is as long as the payload, or longer.
pub fn unpadded(header: Header, payload: &[u8]) -> Result<Range<usize>, Fault> {
    if !header.has(flag::PADDED) {
        return Ok(0..payload.len());
    }
    let Some((&padding, rest)) = payload.split_first() else {
        return Err(Fault::size("a padded frame without the length of its padding"));
    };
    let len = rest.len().checked_sub(usize::from(padding));
    let len = len.ok_or(Fault::protocol("padding longer than its frame"))?;
    Ok(1..1 + len)
}

/// The number that a payload begins with.
pub fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Writes a frame.
pub fn write(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&Header { len: payload.len(), kind, flags, stream }.bytes());
    out.extend_from_slice(payload);
}

/// Writes a RST_STREAM.
pub fn write_reset(out: &mut Vec<u8>, stream: u32, reason: Reason) {
    write(out, kind::RST_STREAM, 0, stream, &reason.0.to_be_bytes());
}

/// Writes a WINDOW_UPDATE.
pub fn write_window(out: &mut Vec<u8>, stream: u32, more: u32) {
    write(out, kind::WINDOW_UPDATE, 0, stream, &more.to_be_bytes());
}

/// Writes a GOAWAY: no stream beyond `last` is taken.
pub fn write_goaway(out: &mut Vec<u8>, last: u32, reason: Reason) {
    let [a, b, c, d] = last.to_be_bytes();
    let [e, f, g, h] = reason.0.to_be_bytes();
    write(out, kind::GOAWAY, 0, 0, &[a, b, c, d, e, f, g, h]);
}

/// Writes a whole header block at the end of `out`, whose header is 9 bytes at `at`: more than one frame takes goes
/// into CONTINUATION (RFC 9113 6.10).
pub fn finish_block(out: &mut Vec<u8>, at: usize, stream: u32, is_last: bool) {
    let from = at + HEADER_BYTES;
    let len = out.len().saturating_sub(from);
    let end = if is_last { flag::END_STREAM } else { 0 };
    let first = len.min(PAYLOAD_MAX);
    let flags = if first == len { end | flag::END_HEADERS } else { end };
    // Nothing is allocated where one frame does.
    let rest = if first == len { Vec::new() } else { out.split_off(from + first) };
    if let Some(place) = out.get_mut(at..from) {
        place.copy_from_slice(&Header { len: first, kind: kind::HEADERS, flags, stream }.bytes());
    }
    let mut pieces = rest.chunks(PAYLOAD_MAX).peekable();
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() { flag::END_HEADERS } else { 0 };
        write(out, kind::CONTINUATION, flags, stream, piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        let header = Header { len: 0x01_02_03, kind: 9, flags: 0x25, stream: 0x0405_0607 };
        assert_eq!(Header::read(&header.bytes()), Some(header));
        assert_eq!(Header::read(&header.bytes()[..8]), None);
        let reserved = [0, 0, 0, 6, 0, 0x80, 0, 0, 1];
        assert_eq!(Header::read(&reserved).map(|header| header.stream), Some(1));
    }

    #[test]
    fn padding_is_cut_off() {
        let header = |flags| Header { len: 0, kind: kind::DATA, flags, stream: 1 };
        assert_eq!(unpadded(header(0), b"abc"), Ok(0..3));
        assert_eq!(unpadded(header(flag::PADDED), &[2, b'a', 0, 0]), Ok(1..2));
        assert_eq!(unpadded(header(flag::PADDED), &[3, 0, 0, 0]), Ok(1..1));
        assert!(unpadded(header(flag::PADDED), &[4, 0, 0, 0]).is_err());
        assert!(unpadded(header(flag::PADDED), &[]).is_err());
    }

    /// RFC 9113 6.10.
    #[test]
    fn long_blocks_are_continued() {
        for (len, frames) in [(1, 1), (PAYLOAD_MAX, 1), (PAYLOAD_MAX + 1, 2), (3 * PAYLOAD_MAX, 3)] {
            let mut out = b"before".to_vec();
            let block: Vec<u8> = (0..len).map(|at| at as u8).collect();
            out.extend_from_slice(&[0; HEADER_BYTES]);
            out.extend_from_slice(&block);
            finish_block(&mut out, 6, 7, true);
            let (mut rest, mut found, mut count) = (&out[6..], Vec::new(), 0);
            while let Some(header) = Header::read(rest) {
                assert_eq!(header.kind, if count == 0 { kind::HEADERS } else { kind::CONTINUATION });
                count += 1;
                assert_eq!(header.has(flag::END_HEADERS), count == frames);
                assert_eq!(header.has(flag::END_STREAM), count == 1);
                found.extend_from_slice(&rest[HEADER_BYTES..HEADER_BYTES + header.len]);
                rest = &rest[HEADER_BYTES + header.len..];
            }
            assert!(found == block && count == frames && rest.is_empty(), "{len}");
        }
    }
}
