//! A request's body on its way over a stream: a piece is read when there is room for the one before.

use bifrons_core::{Error, Kind, Result};
use bifrons_http::Body;
use bifrons_http::h2::{Meter, upstream};
use bifrons_net::Timer;
use bytes::Bytes;
use h2::{Reason, SendStream};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A body that is being sent.
pub(crate) struct Upload {
    stream: SendStream<Bytes>,
    body: Body,
    /// What of the last piece has found no room.
    piece: Bytes,
    /// Whether that is the body's last.
    is_last: bool,
    is_begun: bool,
    timer: Timer,
    /// How long the endpoint may make no room.
    limit: Duration,
    meter: Rc<Meter>,
    sent: u64,
}

impl Upload {
    pub(crate) fn new(stream: SendStream<Bytes>, body: Body, limit: Duration, meter: Rc<Meter>) -> Self {
        Self {
            stream,
            body,
            piece: Bytes::new(),
            is_last: false,
            is_begun: false,
            timer: Timer::new(),
            limit,
            meter,
            sent: 0,
        }
    }

    /// Bytes that were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether nothing was taken from the body.
    pub(crate) fn is_untouched(&self) -> bool {
        !self.is_begun
    }

    /// The body, as long as nothing was taken from it.
    pub(crate) fn untouched(self) -> Option<Body> {
        (!self.is_begun).then_some(self.body)
    }

    /// Sends what can be sent now; ready at the end.
    ///
    /// # Errors
    /// The body's own, and the stream is given up then; `Timeout`, `Closed` and `Reset` of the endpoint's side.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // Bounded: every turn sends some of a piece or takes the next one of the body, which ends.
        loop {
            if !self.piece.is_empty() {
                let room = ready!(self.poll_room(cx))?;
                let part = self.piece.split_to(room.min(self.piece.len()));
                let is_last = self.is_last && self.piece.is_empty();
                self.sent += part.len() as u64;
                self.meter.earn_data(part.len());
                self.stream.send_data(part, is_last).map_err(|err| crate::failure(&err, false))?;
                if is_last {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            match self.body.poll_next(cx) {
                Poll::Pending => return self.poll_gone(cx),
                Poll::Ready(Ok(Some(piece))) => {
                    self.is_begun = true;
                    self.piece = piece;
                    self.is_last = self.body.is_empty();
                }
                Poll::Ready(Ok(None)) => return Poll::Ready(self.end()),
                Poll::Ready(Err(err)) => {
                    // The endpoint must not take what it has for a whole request.
                    self.is_begun = true;
                    self.stream.send_reset(Reason::CANCEL);
                    return Poll::Ready(Err(err));
                }
            }
        }
    }

    fn end(&mut self) -> Result<()> {
        self.is_begun = true;
        let sent = match self.body.take_trailers() {
            Some(trailers) => self.stream.send_trailers(upstream::trailers_to(&trailers)),
            None => self.stream.send_data(Bytes::new(), true),
        };
        sent.map_err(|err| crate::failure(&err, false))
    }

    /// While nothing comes from the client: whether the endpoint still wants it.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match ready!(self.stream.poll_reset(cx)) {
            Ok(reason) => {
                Poll::Ready(Err(Error::upstream(Kind::Reset, format!("the stream was reset: {reason}"))))
            }
            Err(err) => Poll::Ready(Err(crate::failure(&err, false))),
        }
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        poll_room(&mut self.stream, &mut self.timer, (self.piece.len(), self.limit), cx)
    }
}

/// Room on a stream for some of `want` bytes.
///
/// # Errors
/// `Timeout` when the endpoint makes none for `limit`, `Closed` when the stream is gone.
pub(crate) fn poll_room(
    stream: &mut SendStream<Bytes>,
    timer: &mut Timer,
    (want, limit): (usize, Duration),
    cx: &mut Context<'_>,
) -> Poll<Result<usize>> {
    // No more than that: what one stream holds of the connection's window, others lack.
    stream.reserve_capacity(want);
    // Bounded: capacity that was taken away again is waited for.
    while stream.capacity() == 0 {
        match stream.poll_capacity(cx) {
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(err))) => return Poll::Ready(Err(crate::failure(&err, false))),
            Poll::Ready(None) => {
                return Poll::Ready(Err(Error::upstream(Kind::Closed, "the stream has ended")));
            }
            Poll::Pending => {
                ready!(timer.poll(cx, limit));
                return Poll::Ready(Err(Error::upstream(Kind::Timeout, "the endpoint takes no bytes")));
            }
        }
    }
    timer.clear();
    Poll::Ready(Ok(stream.capacity()))
}
