//! Chunked transfer coding (RFC 9112 7.1), decoded strictly and without IO.
//!
//! Strict, since this is where requests are smuggled: a size is 1 to 16 hexadecimal digits, directly
//! followed by well-formed extensions or CRLF; data ends in exactly CRLF; no lone LF or CR anywhere; extensions
//! are read over, bounded, and never forwarded.

use super::parse::{self, Parsed};
use crate::headers::Headers;
use crate::name::{Name, is_client_cert, is_disguised_claim, is_disguised_framing};
use bifrons_core::{Error, Kind, Limits, Result, Side};
use bytes::{Buf, Bytes, BytesMut};

/// 4 KiB: extensions have no use in practice, and an endless one must end somewhere. Per message.
const EXTENSION_BYTES_MAX: usize = 4 * 1024;
/// 16 hexadecimal digits are 64 bits; more would overflow.
const SIZE_DIGITS_MAX: usize = 16;

/// Where in the coding the decoder is.
#[derive(Debug)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Done,
}

/// A decoder of one chunked body.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    side: Side,
    limits: Limits,
    extension_bytes: usize,
}

/// What the decoder took from the buffer.
#[derive(Debug)]
pub enum Decoded {
    /// Data of the body.
    Data(Bytes),
    /// The end, with the trailer fields if there were any.
    End(Option<Headers>),
    /// More bytes are needed.
    Partial,
}

impl Decoder {
    /// For a body of that side; trailers keep to `limits`.
    pub fn new(side: Side, limits: Limits) -> Self {
        Self { state: State::Size, side, limits, extension_bytes: 0 }
    }

    /// Data still to come of the chunk at hand; 0 between chunks.
    pub fn chunk_left(&self) -> u64 {
        match self.state {
            State::Data(left) => left,
            _ => 0,
        }
    }

    /// Takes the next piece from the front of `buf`.
    ///
    /// # Errors
    /// `Malformed` or `HeadTooLarge` (trailers) of the decoder's side.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Decoded> {
        // Bounded: every turn either returns or consumes bytes of `buf`.
        loop {
            match self.state {
                State::Size => match self.size_line(buf)? {
                    None => return Ok(Decoded::Partial),
                    Some(0) => self.state = State::Trailers,
                    Some(size) => self.state = State::Data(size),
                },
                State::Data(left) => {
                    if buf.is_empty() {
                        return Ok(Decoded::Partial);
                    }
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
                    let left = left - take as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Decoded::Data(buf.split_to(take).freeze()));
                }
                State::DataEnd => match buf.get(..2) {
                    Some(b"\r\n") => {
                        buf.advance(2);
                        self.state = State::Size;
                    }
                    Some(_) => return Err(self.bad("chunk data not followed by CRLF")),
                    None if buf.first().is_some_and(|&b| b != b'\r') => {
                        return Err(self.bad("chunk data not followed by CRLF"));
                    }
                    None => return Ok(Decoded::Partial),
                },
                State::Trailers => return self.trailers(buf),
                State::Done => return Ok(Decoded::End(None)),
            }
        }
    }

    /// The size of the next chunk, its line taken from the buffer; `None` if the line is not whole.
    fn size_line(&mut self, buf: &mut BytesMut) -> Result<Option<u64>> {
        let mut size = 0u64;
        let mut digits = 0;
        for &byte in buf.iter() {
            let Some(digit) = (byte as char).to_digit(16) else { break };
            digits += 1;
            if digits > SIZE_DIGITS_MAX {
                return Err(self.bad("chunk size too long"));
            }
            size = size << 4 | u64::from(digit);
        }
        if size > i64::MAX as u64 {
            return Err(self.bad("chunk size too large"));
        }
        match buf.get(digits) {
            None => Ok(None),
            Some(_) if digits == 0 => Err(self.bad("chunk size without digits")),
            Some(b'\r') => match buf.get(digits + 1) {
                Some(b'\n') => {
                    buf.advance(digits + 2);
                    Ok(Some(size))
                }
                Some(_) => Err(self.bad("bare CR in the chunk size line")),
                None => Ok(None),
            },
            Some(b';') => self.skip_extension(buf, digits).map(|taken| taken.then_some(size)),
            Some(_) => Err(self.bad("a byte that no chunk size has")),
        }
    }

    /// Takes a size line with an extension that begins at `at`; false if the line is not whole.
    fn skip_extension(&mut self, buf: &mut BytesMut, at: usize) -> Result<bool> {
        let rest = buf.get(at..).unwrap_or_default();
        let end = rest.iter().position(|&b| b != b'\t' && (b < 0x20 || b == 0x7f));
        let len = end.unwrap_or(rest.len());
        if self.extension_bytes + len > EXTENSION_BYTES_MAX {
            return Err(self.bad("chunk extensions too long"));
        }
        match end.and_then(|end| rest.get(end..)) {
            None | Some([b'\r']) => Ok(false),
            Some([b'\r', b'\n', ..]) => {
                if !is_extension(rest.get(..len).unwrap_or_default()) {
                    return Err(self.bad("malformed chunk extension"));
                }
                self.extension_bytes += len;
                buf.advance(at + len + 2);
                Ok(true)
            }
            Some(_) => Err(self.bad("control character in a chunk extension")),
        }
    }

    fn trailers(&mut self, buf: &mut BytesMut) -> Result<Decoded> {
        if buf.starts_with(b"\r\n") {
            buf.advance(2);
            self.state = State::Done;
            return Ok(Decoded::End(None));
        }
        match parse::trailers(buf, &self.limits, self.side)? {
            Parsed::Partial => Ok(Decoded::Partial),
            Parsed::Head(mut trailers, len) => {
                buf.advance(len);
                self.state = State::Done;
                let is_request = self.side == Side::Downstream;
                trailers
                    .remove_where(|id, name| is_forbidden_trailer(id) || is_request && is_claim(id, name));
                Ok(Decoded::End((!trailers.is_empty()).then_some(trailers)))
            }
        }
    }

    fn bad(&self, reason: &'static str) -> Error {
        Error::of(self.side, Kind::Malformed, reason)
    }
}

/// Whether `text` is `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )` (RFC 9112 7.1.1).
fn is_extension(mut text: &[u8]) -> bool {
    // Bounded: every turn takes a `;`.
    loop {
        text = skip_white(text);
        let Some(rest) = text.strip_prefix(b";") else { return text.is_empty() };
        let Some(rest) = skip_token(skip_white(rest)) else { return false };
        text = rest;
        let Some(value) = skip_white(rest).strip_prefix(b"=") else { continue };
        let value = skip_white(value);
        let rest = if value.starts_with(b"\"") { skip_quoted(value) } else { skip_token(value) };
        let Some(rest) = rest else { return false };
        text = rest;
    }
}

fn skip_white(text: &[u8]) -> &[u8] {
    let len = text.iter().take_while(|&&b| b == b' ' || b == b'\t').count();
    text.get(len..).unwrap_or_default()
}

/// What stands behind a token; `None` where there is none.
fn skip_token(text: &[u8]) -> Option<&[u8]> {
    let len = super::scan::token_len(text);
    text.get(len..).filter(|_| len > 0)
}

/// What stands behind a quoted string (RFC 9110 5.6.4); control characters were refused before.
fn skip_quoted(text: &[u8]) -> Option<&[u8]> {
    let mut at = 1;
    // Bounded: every turn goes on by a byte.
    loop {
        match text.get(at)? {
            b'"' => return text.get(at + 1..),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Fields that must not come as trailers, since they frame, route, authenticate or describe the content
/// (RFC 9110 6.5.1). They are dropped, which 6.5.1 lets a recipient do.
pub(crate) fn is_forbidden_trailer(name: Name) -> bool {
    use Name as N;
    name.is_hop_by_hop()
        || matches!(
            name,
            N::ContentLength
                | N::Host
                | N::Authorization
                | N::ProxyAuthorization
                | N::ProxyAuthenticate
                | N::WwwAuthenticate
                | N::Cookie
                | N::SetCookie
                | N::CacheControl
                | N::Expect
                | N::MaxForwards
                | N::Range
                | N::ContentEncoding
                | N::ContentType
                | N::ContentRange
                | N::Trailer
                | N::Location
                | N::Vary
                | N::Age
                | N::Expires
                | N::Date
                | N::RetryAfter
                | N::Forwarded
                | N::Via
                | N::XForwardedFor
                | N::XForwardedHost
                | N::XForwardedPort
                | N::XForwardedProto
                | N::XRealIp
        )
}

/// Whether a request's trailer passes for what only the proxy says: a trailer is merged with the fields by some
/// servers, and comes behind what was checked.
fn is_claim(id: Name, name: &[u8]) -> bool {
    match id {
        Name::Other => is_disguised_claim(name) || is_client_cert(name) || is_disguised_framing(name),
        id => matches!(id, Name::XRequestId | Name::Traceparent),
    }
}

/// The line before a chunk of `len` bytes.
pub fn size_line(len: usize) -> impl AsRef<[u8]> {
    let mut line = [0u8; SIZE_DIGITS_MAX + 2];
    let mut at = line.len();
    for &byte in b"\n\r" {
        at -= 1;
        line[at] = byte;
    }
    let mut left = len;
    loop {
        at -= 1;
        line[at] = b"0123456789abcdef"[left & 15];
        left >>= 4;
        if left == 0 || at == 0 {
            break;
        }
    }
    SizeLine { line, at }
}

struct SizeLine {
    line: [u8; SIZE_DIGITS_MAX + 2],
    at: usize,
}

impl AsRef<[u8]> for SizeLine {
    fn as_ref(&self) -> &[u8] {
        self.line.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
