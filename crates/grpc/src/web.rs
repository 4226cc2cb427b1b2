//! gRPC-Web (grpc/doc/PROTOCOL-WEB.md): calls of browsers, whose trailers lie in the body and whose bodies may be
//! base64.

use bifrons_core::{Error, Kind, Result};
use bifrons_http::message::Source;
use bifrons_http::{Body, Headers, Transform, base64};
use bytes::Bytes;
use std::task::{Context, Poll, ready};

/// What the media types begin with.
const BINARY: &str = "application/grpc-web";
const TEXT: &str = "application/grpc-web-text";
/// What marks the frame of trailers.
const TRAILERS: u8 = 0x80;

/// How bodies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As bytes.
    Binary,
    /// As base64.
    Text,
}

impl Form {
    /// Of a message with that `Content-Type` (or a member of `Accept`); the rest of it says what messages are
    /// written in.
    pub fn of(media: &[u8]) -> Option<(Self, &[u8])> {
        let is_end = |rest: &&[u8]| matches!(rest.first(), None | Some(b'+' | b';' | b' ' | b','));
        let after = |start: &str| {
            let (begins, rest) = media.split_at_checked(start.len())?;
            Some(rest).filter(|rest| begins.eq_ignore_ascii_case(start.as_bytes()) && is_end(rest))
        };
        let text = after(TEXT).map(|rest| (Self::Text, rest));
        text.or_else(|| after(BINARY).map(|rest| (Self::Binary, rest)))
    }

    /// What its media type begins with.
    pub fn media(self) -> &'static str {
        match self {
            Self::Binary => BINARY,
            Self::Text => TEXT,
        }
    }
}

/// The answer's body with its trailers as a last frame.
pub struct Answer {
    inner: Body,
    form: Form,
    is_ended: bool,
}

impl Answer {
    /// That body in that form.
    pub fn new(inner: Body, form: Form) -> Self {
        Self { inner, form, is_ended: false }
    }

    fn written(&self, bytes: Bytes) -> Bytes {
        match self.form {
            Form::Binary => bytes,
            // Each piece on its own, with its padding: nothing has to wait for the next.
            Form::Text => base64::encode(&bytes).into(),
        }
    }
}

impl Source for Answer {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if self.is_ended {
            return Poll::Ready(Ok(None));
        }
        if let Some(piece) = ready!(self.inner.poll_next(cx))? {
            return Poll::Ready(Ok(Some(self.written(piece))));
        }
        self.is_ended = true;
        let frame = self.inner.take_trailers().map(|trailers| self.written(frame(&trailers).into()));
        Poll::Ready(Ok(frame))
    }

    fn length(&self) -> Option<u64> {
        self.is_ended.then_some(0)
    }

    fn is_pumping(&self) -> bool {
        self.inner.is_pumping()
    }

    fn poll_pump(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.inner.poll_pump(cx)
    }
}

/// Trailers as a frame: names in lower case, each field a line.
fn frame(trailers: &Headers) -> Vec<u8> {
    let mut block = Vec::new();
    for (_, name, value) in trailers.iter() {
        block.extend(name.iter().map(u8::to_ascii_lowercase));
        block.extend_from_slice(b": ");
        block.extend_from_slice(value);
        block.extend_from_slice(b"\r\n");
    }
    let mut frame = vec![TRAILERS];
    frame.extend_from_slice(&u32::try_from(block.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend_from_slice(&block);
    frame
}

/// Reads a body of base64, which may be several texts with padding of their own.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Digits of a group that is not whole.
    held: Vec<u8>,
}

impl Transform for Decoder {
    fn piece(&mut self, piece: Bytes) -> Result<Bytes> {
        let mut out = Vec::with_capacity(piece.len() / 4 * 3 + 3);
        for &digit in piece.iter().filter(|digit| !digit.is_ascii_whitespace()) {
            self.held.push(digit);
            if self.held.len() == 4 {
                let bytes = base64::decode(&self.held).ok_or_else(malformed)?;
                out.extend_from_slice(&bytes);
                self.held.clear();
            }
        }
        Ok(out.into())
    }

    fn end(&mut self) -> Result<Bytes> {
        match &*self.held {
            [] => Ok(Bytes::new()),
            // Without its padding.
            [_, _, ..] => base64::decode(&self.held).map(Bytes::from).ok_or_else(malformed),
            [_] => Err(malformed()),
        }
    }
}

#[cold]
fn malformed() -> Error {
    Error::downstream(Kind::Malformed, "a body of gRPC-Web that is no base64")
}

#[cfg(test)]
mod tests;
