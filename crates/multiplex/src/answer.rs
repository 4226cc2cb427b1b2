//! The body of an answer as it comes over a stream.

use crate::call::poll_upload;
use crate::link::Lease;
use crate::upload::Upload;
use bifrons_core::{Error, Kind, Limits, Result, Side};
use bifrons_http::h2::upstream;
use bifrons_http::{Headers, Source};
use bifrons_net::Timer;
use bytes::Bytes;
use h2::{Reason, RecvStream};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// What is known about the rest of an answer when its head has come.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// Bytes of the body, where that was said; the `h2` crate holds the endpoint to it.
    pub len: Option<u64>,
    /// How long the endpoint may send nothing.
    pub read_timeout: Duration,
    /// Bounds of trailer fields.
    pub limits: Limits,
}

/// A handle to it. The endpoint's window opens again by what was passed on, so that a slow client holds up its own
/// stream only (RFC 9113 5.2). Dropped before its end, the stream is given up (`CANCEL`).
pub struct Answer {
    stream: RecvStream,
    upload: Option<Box<Upload>>,
    lease: Option<Lease>,
    /// Bytes of the last piece, which is passed on when the next one is asked for.
    held: usize,
    rest: Rest,
    timer: Timer,
    trailers: Option<Headers>,
    is_ended: bool,
}

impl Answer {
    pub(crate) fn new((stream, upload, lease): (RecvStream, Option<Box<Upload>>, Lease), rest: Rest) -> Self {
        let is_ended = stream.is_end_stream();
        Self {
            stream,
            upload,
            lease: Some(lease),
            held: 0,
            rest,
            timer: Timer::new(),
            trailers: None,
            is_ended,
        }
    }

    /// Whether nothing follows the head.
    pub fn is_over(&self) -> bool {
        self.is_ended && self.upload.is_none()
    }

    /// The window's part of the last piece is free again.
    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        if held > 0 {
            // The stream may be over; then there is no window.
            let _ = self.stream.flow_control().release_capacity(held);
        }
    }

    fn take(&mut self, piece: Bytes) -> Bytes {
        self.timer.clear();
        self.held = piece.len();
        self.rest.len = self.rest.len.map(|left| left.saturating_sub(piece.len() as u64));
        if let Some(lease) = &self.lease {
            lease.link.meter.earn_data(piece.len());
        }
        // The end often comes with the last piece.
        if self.stream.is_end_stream() {
            self.end();
        }
        piece
    }

    /// The whole answer has come; what is left of the request nobody wants.
    fn end(&mut self) {
        self.is_ended = true;
        if self.upload.take().is_none() {
            self.lease = None;
        }
    }

    /// RFC 9113 8.1: an endpoint that wants no more of a request may reset the stream behind a whole answer.
    fn is_early_end(&self, err: &h2::Error) -> bool {
        let is_polite = err.is_reset() && err.is_remote() && err.reason() == Some(Reason::NO_ERROR);
        is_polite && self.rest.len.is_none_or(|left| left == 0)
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        ready!(self.timer.poll(cx, self.rest.read_timeout));
        Poll::Ready(Error::upstream(Kind::Timeout, "nothing came"))
    }
}

impl Source for Answer {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if self.is_ended {
            return Poll::Ready(Ok(None));
        }
        self.poll_pump(cx)?;
        self.release();
        // Bounded: every turn takes a frame, and the `h2` crate bounds empty ones.
        loop {
            match self.stream.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {}
                Poll::Ready(Some(Ok(piece))) => return Poll::Ready(Ok(Some(self.take(piece)))),
                Poll::Ready(Some(Err(err))) if self.is_early_end(&err) => {
                    self.end();
                    return Poll::Ready(Ok(None));
                }
                Poll::Ready(Some(Err(err))) => return Poll::Ready(Err(crate::failure(&err, false))),
                Poll::Ready(None) => break,
                Poll::Pending => return self.poll_timer(cx).map(Err),
            }
        }
        let trailers = match self.stream.poll_trailers(cx) {
            Poll::Ready(Ok(trailers)) => trailers,
            Poll::Ready(Err(err)) if self.is_early_end(&err) => None,
            Poll::Ready(Err(err)) => return Poll::Ready(Err(crate::failure(&err, false))),
            Poll::Pending => return self.poll_timer(cx).map(Err),
        };
        let read = |fields: http::HeaderMap| upstream::trailers(&fields, &self.rest.limits, Side::Upstream);
        self.trailers = trailers.map(read).transpose()?;
        self.end();
        Poll::Ready(Ok(None))
    }

    fn length(&self) -> Option<u64> {
        match self.rest.len {
            _ if self.is_ended => Some(0),
            // Trailers may follow, and they are part of the answer.
            Some(0) => None,
            len => len,
        }
    }

    fn is_pumping(&self) -> bool {
        self.upload.is_some()
    }

    fn poll_pump(&mut self, cx: &mut Context<'_>) -> Result<()> {
        poll_upload(&mut self.upload, cx, |_| {})
    }

    fn take_trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.release();
    }
}
