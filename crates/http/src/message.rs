//! Requests and responses: a head and a body.

use crate::h1::{Conn, H1Body};
use crate::h2::H2Body;
use crate::head::{RequestHead, ResponseHead};
use crate::headers::Headers;
use crate::name::Name;
use crate::pacer::Paced;
use crate::spool::Held;
use bifrons_core::{Error, Kind, Result};
use bytes::Bytes;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A request on its way.
pub struct Request {
    /// Method, target and fields.
    pub head: RequestHead,
    /// What follows.
    pub body: Body,
}

/// A response on its way.
pub struct Response {
    /// Status and fields.
    pub head: ResponseHead,
    /// What follows.
    pub body: Body,
}

impl Response {
    /// Without fields and body.
    pub fn empty(status: u16) -> Self {
        Self { head: ResponseHead::new(status), body: Body::Empty }
    }

    /// With a body in hand and its type.
    pub fn full(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let mut head = ResponseHead::new(status);
        head.headers.append_as("Content-Type", content_type.as_bytes());
        Self { head, body: Body::Full(body.into()) }
    }
}

/// A body. Backpressure is the socket's own: a piece is read when the last one was passed on.
#[derive(Default)]
pub enum Body {
    /// No bytes.
    #[default]
    Empty,
    /// All bytes, in hand.
    Full(Bytes),
    /// From an HTTP/1 connection.
    H1(Box<H1Body>),
    /// From a stream of a client's HTTP/2 connection.
    H2(Box<H2Body>),
    /// From something above this crate: a stream of a connection that requests share, or a store.
    Source(Box<dyn Source>),
    /// A range of an open file.
    File(FileBody),
    /// Bytes and ranges of files, one after the other (`multipart/byteranges`).
    Parts(Box<VecDeque<Body>>),
    /// Another body, changed on its way.
    Changed(Box<Changed>),
    /// Another body, read no faster than it may be.
    Paced(Box<Paced>),
    /// Another body, read on while whoever takes it is slow.
    Held(Box<Held>),
    /// A body that was here and was given away.
    Spent,
    /// Not a body: the connection has become a tunnel (101, CONNECT).
    Tunnel(Tunnel),
}

/// What a tunnel leads to.
pub enum Tunnel {
    /// A connection, all of it.
    Conn(Rc<Conn>),
    /// A stream of a connection that requests share.
    Stream(Box<dyn Duplex>),
}

impl Tunnel {
    /// Bytes that were sent so far: to a connection since it began, over a stream without heads.
    pub fn sent(&self) -> u64 {
        match self {
            Self::Conn(conn) => conn.sent(),
            Self::Stream(stream) => stream.sent(),
        }
    }

    /// Bytes that have come so far, counted so too.
    pub fn received(&self) -> u64 {
        match self {
            Self::Conn(conn) => conn.received(),
            Self::Stream(stream) => stream.received(),
        }
    }
}

/// Bytes both ways over something above this crate. Methods take `&self`, as a connection's do.
pub trait Duplex {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// When it breaks off.
    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes>>;

    /// Room for some of `want` bytes, which may take `limit`.
    ///
    /// # Errors
    /// `Timeout`, and when it breaks off.
    fn poll_room(&self, cx: &mut Context<'_>, want: usize, limit: Duration) -> Poll<Result<usize>>;

    /// Sends bytes there is room for; `is_last`: nothing more comes.
    ///
    /// # Errors
    /// When it breaks off.
    fn send(&self, bytes: Bytes, is_last: bool) -> Result<()>;

    /// Bytes that were sent so far.
    fn sent(&self) -> u64;

    /// Bytes that have come so far.
    fn received(&self) -> u64;
}

/// A range of an open file.
#[derive(Clone, Debug)]
pub struct FileBody {
    /// The file.
    pub file: Arc<std::fs::File>,
    /// Where the range begins.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
}

/// Where a body comes from that this crate knows nothing of.
pub trait Source {
    /// The next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// As [`Body::poll_next`].
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>>;

    /// Bytes still to come, where that is known.
    fn length(&self) -> Option<u64>;

    /// Number of the stored answer that it is the whole body of, if it is one.
    fn stored_id(&self) -> Option<u64> {
        None
    }

    /// Whether a request is still being sent beside it.
    fn is_pumping(&self) -> bool {
        false
    }

    /// As [`Body::poll_pump`].
    ///
    /// # Errors
    /// As [`Body::poll_pump`].
    fn poll_pump(&mut self, _cx: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    /// Trailer fields, once the end was seen.
    fn take_trailers(&mut self) -> Option<Headers> {
        None
    }
}

/// Changes a body piece by piece. Made once per message.
pub trait Transform {
    /// What becomes of a piece; may be empty, when the transform holds bytes back.
    ///
    /// # Errors
    /// When the body can't be changed; the message is then cut off.
    fn piece(&mut self, piece: Bytes) -> Result<Bytes>;

    /// What is still held back at the end.
    ///
    /// # Errors
    /// As for a piece.
    fn end(&mut self) -> Result<Bytes>;

    /// More of what has become of the last piece, or of the end; asked until it is empty. For what would grow
    /// beyond bounds in one.
    ///
    /// # Errors
    /// As for a piece.
    fn more(&mut self) -> Result<Bytes> {
        Ok(Bytes::new())
    }

    /// What is held back and need not be; asked when the next piece is not there yet, so that nobody waits for
    /// what has come long ago.
    ///
    /// # Errors
    /// As for a piece.
    fn flush(&mut self) -> Result<Bytes> {
        Ok(Bytes::new())
    }

    /// Fields behind the body, besides those it has; asked once, at its end.
    fn trailers(&mut self) -> Option<Headers> {
        None
    }
}

/// A body under a transform.
pub struct Changed {
    inner: Body,
    transform: Box<dyn Transform>,
    state: State,
    /// Bytes of the body that came from an endpoint since somebody asked.
    taken: u64,
}

/// Where a body under a transform is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next piece is to be taken.
    Open,
    /// The transform may have more of the last one.
    More,
    /// All pieces were taken.
    Ended,
    /// All has come out.
    Over,
}

impl Body {
    /// The body under a transform: its length is no longer known.
    #[must_use]
    pub fn changed_by(self, transform: Box<dyn Transform>) -> Self {
        Self::Changed(Box::new(Changed { inner: self, transform, state: State::Open, taken: 0 }))
    }

    /// Bytes still to come, where that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Empty | Self::Spent | Self::Tunnel(_) => Some(0),
            Self::Full(bytes) => Some(bytes.len() as u64),
            Self::H1(body) => body.left(),
            Self::H2(body) => body.left(),
            Self::Source(source) => source.length(),
            Self::File(file) => Some(file.len),
            Self::Parts(parts) => {
                parts.iter().try_fold(0u64, |sum, part| Some(sum.saturating_add(part.length()?)))
            }
            Self::Changed(_) => None,
            Self::Paced(paced) => paced.length(),
            Self::Held(held) => held.length(),
        }
    }

    /// How long nothing more of a client's body may arrive from now on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        match self {
            Self::H1(body) => body.conn().set_body_timeout(timeout),
            Self::H2(body) => body.set_timeout(timeout),
            _ => {}
        }
    }

    /// Whether the body is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.length() == Some(0)
    }

    /// The next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// What the source of the body says: truncated, malformed, too large, too slow.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        match self {
            Self::Empty | Self::Spent | Self::Tunnel(_) => Poll::Ready(Ok(None)),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready(Ok((!bytes.is_empty()).then_some(bytes)))
            }
            Self::H1(body) => body.poll_next(cx),
            Self::H2(body) => body.poll_next(cx),
            Self::Source(source) => source.poll_next(cx),
            Self::File(file) => Poll::Ready(file.next()),
            Self::Parts(parts) => poll_parts(parts, cx),
            Self::Changed(changed) => changed.poll_next(cx),
            Self::Paced(paced) => paced.poll_next(cx),
            Self::Held(held) => held.poll_next(cx),
        }
    }

    /// How many bytes an endpoint has sent for the piece of `len` bytes that came last (0: for the end), as far as
    /// they did not come with the head.
    pub fn taken(&mut self, len: usize) -> u64 {
        match self {
            Self::H1(_) | Self::Source(_) => len as u64,
            Self::Changed(changed) => std::mem::take(&mut changed.taken),
            Self::Paced(paced) => paced.inner.taken(len),
            Self::Held(held) => held.take_taken(),
            _ => 0,
        }
    }

    /// Whether all of it has come that an endpoint sends, though not all was taken.
    pub fn has_come(&self) -> bool {
        match self {
            Self::Held(held) => held.has_come(),
            Self::Paced(paced) => paced.inner.has_come(),
            _ => false,
        }
    }

    /// Whether a request is still being sent on the connection that this answer comes from.
    pub fn is_pumping(&self) -> bool {
        match self {
            Self::H1(body) => body.is_pumping(),
            Self::Source(source) => source.is_pumping(),
            Self::Changed(changed) => changed.inner.is_pumping(),
            Self::Paced(paced) => paced.inner.is_pumping(),
            Self::Held(held) => held.inner.is_pumping(),
            Self::Parts(parts) => parts.iter().any(Self::is_pumping),
            Self::Empty | Self::Full(_) | Self::H2(_) | Self::File(_) | Self::Spent | Self::Tunnel(_) => {
                false
            }
        }
    }

    /// Goes on sending it: to be called by whoever waits for something else than the next piece.
    ///
    /// # Errors
    /// What the request's body says; the answer is not to be brought to its end then.
    pub fn poll_pump(&mut self, cx: &mut Context<'_>) -> Result<()> {
        match self {
            Self::H1(body) => body.poll_pump(cx),
            Self::Source(source) => source.poll_pump(cx),
            Self::Changed(changed) => changed.inner.poll_pump(cx),
            Self::Paced(paced) => paced.inner.poll_pump(cx),
            Self::Held(held) => held.poll_pump(cx),
            Self::Parts(parts) => parts.iter_mut().try_for_each(|part| part.poll_pump(cx)),
            Self::Empty | Self::Full(_) | Self::H2(_) | Self::File(_) | Self::Spent | Self::Tunnel(_) => {
                Ok(())
            }
        }
    }

    /// As [`Body::poll_next`].
    ///
    /// # Errors
    /// As [`Body::poll_next`].
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Trailer fields, once the end was seen.
    pub fn take_trailers(&mut self) -> Option<Headers> {
        match self {
            Self::H1(body) => body.take_trailers(),
            Self::H2(body) => body.take_trailers(),
            Self::Source(source) => source.take_trailers(),
            Self::Changed(changed) => changed.take_trailers(),
            Self::Paced(paced) => paced.inner.take_trailers(),
            Self::Held(held) => held.inner.take_trailers(),
            _ => None,
        }
    }

    /// Those among them that were added here, once the end was seen: none that came with the body.
    pub fn take_own_trailers(&mut self) -> Option<Headers> {
        match self {
            Self::Changed(changed) => changed.take_own_trailers(),
            Self::Paced(paced) => paced.inner.take_own_trailers(),
            Self::Held(held) => held.inner.take_own_trailers(),
            _ => None,
        }
    }
}

/// The next piece of the first part that has one.
fn poll_parts(parts: &mut VecDeque<Body>, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
    while let Some(part) = parts.front_mut() {
        if let Some(piece) = ready!(part.poll_next(cx))? {
            return Poll::Ready(Ok(Some(piece)));
        }
        parts.pop_front();
    }
    Poll::Ready(Ok(None))
}

impl FileBody {
    /// 64 KiB: the read of a file body that cannot go by `sendfile`.
    const READ_BYTES: u64 = 64 * 1024;

    pub(crate) fn next(&mut self) -> Result<Option<Bytes>> {
        use std::os::unix::fs::FileExt;
        if self.len == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; self.len.min(Self::READ_BYTES) as usize];
        let len = self
            .file
            .read_at(&mut piece, self.offset)
            .map_err(|err| Error::local(Kind::Internal, format!("reading a file: {err}")))?;
        if len == 0 {
            return Err(Error::local(Kind::Closed, "the file became shorter while it was sent"));
        }
        piece.truncate(len);
        self.offset += len as u64;
        self.len -= len as u64;
        Ok(Some(piece.into()))
    }
}

impl Changed {
    fn take_trailers(&mut self) -> Option<Headers> {
        joined(self.inner.take_trailers(), self.transform.trailers())
    }

    fn take_own_trailers(&mut self) -> Option<Headers> {
        joined(self.inner.take_own_trailers(), self.transform.trailers())
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        // Bounded: every turn takes a piece of the inner body, which ends, or something comes out.
        while self.state != State::Over {
            let changed = match self.state {
                State::More | State::Ended => self.more()?,
                _ => match self.inner.poll_next(cx) {
                    Poll::Ready(Ok(Some(piece))) => {
                        self.state = State::More;
                        self.taken += self.inner.taken(piece.len());
                        self.transform.piece(piece)?
                    }
                    Poll::Ready(Ok(None)) => {
                        self.state = State::Ended;
                        self.taken += self.inner.taken(0);
                        self.transform.end()?
                    }
                    Poll::Ready(Err(err)) => return Poll::Ready(Err(err)),
                    Poll::Pending => {
                        let held = self.transform.flush()?;
                        return if held.is_empty() { Poll::Pending } else { Poll::Ready(Ok(Some(held))) };
                    }
                },
            };
            if !changed.is_empty() {
                return Poll::Ready(Ok(Some(changed)));
            }
        }
        Poll::Ready(Ok(None))
    }

    fn more(&mut self) -> Result<Bytes> {
        let more = self.transform.more()?;
        if more.is_empty() {
            self.state = if self.state == State::Ended { State::Over } else { State::Open };
        }
        Ok(more)
    }
}

fn joined(first: Option<Headers>, second: Option<Headers>) -> Option<Headers> {
    match (first, second) {
        (Some(mut all), Some(more)) => {
            for (_, name, value) in more.iter() {
                all.append(name, value);
            }
            Some(all)
        }
        (first, second) => first.or(second),
    }
}

/// Drops the fields that say how long the body is; for whoever changes it.
pub fn forget_length(headers: &mut Headers) {
    headers.remove(Name::ContentLength);
    headers.remove(Name::AcceptRanges);
}

#[cfg(test)]
mod tests;
