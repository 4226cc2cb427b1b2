//! TLS on a [`Stream`]: records in, plain bytes out, and back, with `rustls`.
//!
//! The session holds keys and what is left of a record; what is read and written goes through buffers of the
//! thread, so that an idle connection holds none. All methods take `&self`, as the stream's do.
//!
//! A write that returns `Pending` may have encrypted its bytes already: whoever polls again must offer the same
//! bytes again, and those that went into records are not encrypted a second time.

use crate::stream::Stream;
use bytes::BytesMut;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, HandshakeKind, NamedGroup, ProtocolVersion};
use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker, ready};

mod handshake;
mod session;

pub use handshake::HandshakeError;
pub use session::Session;
use session::Step;

/// 64 KiB: four records in one read or write; more saves no system call that would show in a profile.
const CHUNK_BYTES: usize = 64 * 1024;
/// 16 KiB: what one record holds (RFC 8446 5.1).
const RECORD_BYTES: usize = 16 * 1024;
/// What encryption adds to a record at most: header 5, content type 1, tag 16, explicit nonce 8.
const OVERHEAD_BYTES: usize = 30;
/// 96 KiB: what waits for the rest of a message at most. A record has 16 KiB and some bytes, a handshake message
/// 64 KiB in the library's reading.
const INCOMING_BYTES_MAX: usize = 96 * 1024;

thread_local! {
    /// What was read from a socket and not yet decrypted; used within one call only.
    static CIPHER: Cell<BytesMut> = Cell::new(BytesMut::new());
    /// What was encrypted and not yet written; likewise.
    static OUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Pieces that go into one record; likewise.
    static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A session whose handshake is over.
pub struct Tls {
    inner: RefCell<Inner>,
    /// Whether the peer has said that it sends no more.
    is_closed: Cell<bool>,
}

/// What was agreed upon.
#[derive(Clone, Debug)]
pub struct Agreed {
    /// The version.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite.
    pub suite: Option<CipherSuite>,
    /// The group of the key exchange.
    pub group: Option<NamedGroup>,
    /// The application's protocol.
    pub alpn: Option<Vec<u8>>,
    /// Whether an earlier session was taken up again.
    pub is_resumed: bool,
    /// The peer's certificate and what it sent along with it.
    pub peer: Vec<CertificateDer<'static>>,
}

struct Inner {
    session: Session,
    /// What of a record has come.
    incoming: BytesMut,
    /// What is encrypted and the socket has not taken.
    outgoing: Vec<u8>,
    /// Bytes that callers will offer again and that are in `outgoing`, or were.
    credit: usize,
    /// Whether nothing more can be read.
    is_ended: bool,
    /// Whether something came that is no TLS.
    is_broken: bool,
    /// Whether we have said that we send no more.
    is_closing: bool,
    /// Whether the client has sent data before the end of the handshake.
    is_early: bool,
}

impl Tls {
    /// What was agreed upon.
    pub fn agreed(&self) -> Agreed {
        fn of(common: &rustls::CommonState) -> Agreed {
            Agreed {
                version: common.protocol_version(),
                suite: common.negotiated_cipher_suite().map(|suite| suite.suite()),
                group: common.negotiated_key_exchange_group().map(|group| group.name()),
                alpn: common.alpn_protocol().map(<[u8]>::to_vec),
                is_resumed: common.handshake_kind() == Some(HandshakeKind::Resumed),
                peer: common.peer_certificates().unwrap_or_default().to_vec(),
            }
        }
        match &self.inner.borrow().session {
            Session::Server(conn) => of(conn),
            Session::Client(conn) => of(conn),
        }
    }

    /// Whether what has come may have been sent by somebody who repeats what a client once said: it came before
    /// the end of the handshake, which has not come yet (RFC 8446 8).
    pub fn is_early(&self) -> bool {
        let inner = self.inner.borrow();
        inner.is_early && inner.session.is_handshaking()
    }

    /// Whether the end of the stream was announced (`close_notify`), so that nothing can have been cut off.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Reads into `buf`, which `provide` makes once something has come. 0 is the end.
    ///
    /// # Errors
    /// Of the stream; `InvalidData` for what is no TLS.
    pub fn poll_read(
        &self,
        stream: &Stream,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        provide: impl Fn(&mut BytesMut),
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.inner.borrow_mut();
        // Bounded: every turn reads bytes.
        loop {
            if inner.is_broken {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the session is broken")));
            }
            if inner.is_ended {
                return Poll::Ready(Ok(0));
            }
            let mut cipher = BytesMut::new();
            let incoming = &inner.incoming;
            let polled = stream.poll_read(cx, &mut cipher, |cipher| {
                if cipher.capacity() == 0 {
                    *cipher = CIPHER.take();
                    cipher.reserve(CHUNK_BYTES);
                    cipher.extend_from_slice(incoming);
                }
            });
            let len = match polled {
                Poll::Ready(Ok(0)) => {
                    give(cipher);
                    inner.is_ended = true;
                    continue;
                }
                Poll::Ready(Ok(len)) => len,
                Poll::Ready(Err(err)) => return Poll::Ready(Err(err)),
                Poll::Pending => {
                    if inner.incoming.is_empty() {
                        inner.incoming = BytesMut::new();
                    }
                    if !inner.outgoing.is_empty() {
                        // What the peer may wait for; an error shows with the next write.
                        let _ = inner.poll_flush(stream, cx);
                    }
                    give(cipher);
                    return Poll::Pending;
                }
            };
            let before = buf.len();
            provide(buf);
            buf.reserve(len);
            let outcome = inner.digest(cipher, buf, &self.is_closed);
            // What the session itself has to say (an alert, a change of keys) goes out when it can.
            let _ = inner.poll_flush(stream, &mut Context::from_waker(Waker::noop()));
            if buf.len() > before {
                // An error shows again with the next read.
                return Poll::Ready(Ok(buf.len() - before));
            }
            outcome?;
        }
    }

    /// Writes some of `slices`: the bytes that are reported are on their way.
    ///
    /// # Errors
    /// Of the stream; `Other` where the session can't go on.
    pub fn poll_write(
        &self,
        stream: &Stream,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.inner.borrow_mut();
        ready!(inner.poll_flush(stream, cx))?;
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        if inner.credit == 0 {
            ready!(inner.poll_encrypted(stream, cx, slices))?;
        }
        let taken = inner.credit.min(offered);
        inner.credit -= taken;
        Poll::Ready(Ok(taken))
    }

    /// Whether bytes are encrypted that the socket has not taken.
    pub fn is_flushed(&self) -> bool {
        self.inner.borrow().outgoing.is_empty()
    }

    /// Sends what is encrypted already.
    ///
    /// # Errors
    /// Of the stream.
    pub fn poll_flush(&self, stream: &Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.borrow_mut().poll_flush(stream, cx)
    }

    /// Encrypts a few bytes that nobody will offer again; they go out with the next write or flush.
    ///
    /// # Errors
    /// `Other` where the session can't go on.
    pub fn queue(&self, data: &[u8]) -> io::Result<()> {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        OUT.with_borrow_mut(|out| {
            let used = inner.encrypt(data, out)?;
            inner.outgoing.extend_from_slice(out.get(..used).unwrap_or_default());
            Ok(())
        })
    }

    /// Says that we send no more, as far as the socket takes it now.
    pub fn close(&self, stream: &Stream) {
        let mut inner = self.inner.borrow_mut();
        if std::mem::replace(&mut inner.is_closing, true) {
            return;
        }
        let mut alert = [0u8; 128];
        let inner = &mut *inner;
        let used = inner.session.close_notify(&mut inner.incoming, &mut alert);
        inner.outgoing.extend_from_slice(alert.get(..used).unwrap_or_default());
        let _ = inner.poll_flush(stream, &mut Context::from_waker(Waker::noop()));
    }

    /// Whether a connection that should be silent still is. What came that is no data (tickets) is taken.
    pub fn is_silent(&self, stream: &Stream) -> bool {
        let mut buf = BytesMut::new();
        let read = self.poll_read(stream, &mut Context::from_waker(Waker::noop()), &mut buf, |_| {});
        read.is_pending() && buf.is_empty()
    }
}

/// Gives the thread's buffer back.
fn give(cipher: BytesMut) {
    if cipher.capacity() >= CHUNK_BYTES {
        let mut cipher = cipher;
        cipher.clear();
        CIPHER.set(cipher);
    }
}

impl Inner {
    /// Decrypts all whole records of `cipher`; what is left of one is kept.
    fn digest(&mut self, mut cipher: BytesMut, plain: &mut BytesMut, closed: &Cell<bool>) -> io::Result<()> {
        let mut at = 0;
        let outcome = loop {
            let rest = cipher.get_mut(at..).unwrap_or_default();
            let (used, step) = self.session.step(rest, plain, &mut self.outgoing);
            at += used;
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Early) => self.is_early = true,
                Ok(Step::PeerClosed) => {
                    closed.set(true);
                    self.is_ended = true;
                    break Ok(());
                }
                Ok(Step::Blocked | Step::Ready) => break Ok(()),
                Err(err) => {
                    self.session.take_alert(cipher.get_mut(at..).unwrap_or_default(), &mut self.outgoing);
                    self.is_broken = true;
                    break Err(io::Error::new(io::ErrorKind::InvalidData, err));
                }
            }
        };
        let rest = cipher.get(at..).unwrap_or_default();
        self.incoming.clear();
        if !rest.is_empty() && !self.is_ended && outcome.is_ok() {
            self.incoming.extend_from_slice(rest);
        }
        give(cipher);
        if self.incoming.len() > INCOMING_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message that does not end"));
        }
        outcome
    }

    /// Encrypts as much of `slices` as goes in one go, and writes it.
    fn poll_encrypted(
        &mut self,
        stream: &Stream,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<()>> {
        let written = OUT.with_borrow_mut(|out| {
            let (taken, used) = match slices.iter().find(|slice| !slice.is_empty()) {
                Some(first) if first.len() >= RECORD_BYTES || slices.len() == 1 => {
                    let part = first.get(..CHUNK_BYTES).unwrap_or(first);
                    (part.len(), self.encrypt(part, out)?)
                }
                Some(_) => PLAIN.with_borrow_mut(|plain| {
                    gather(slices, plain);
                    Ok::<_, io::Error>((plain.len(), self.encrypt(plain, out)?))
                })?,
                None => return Ok(()),
            };
            self.credit = taken;
            let cipher = out.get(..used).unwrap_or_default();
            let len = match stream.poll_write(cx, cipher) {
                Poll::Ready(Ok(len)) => len,
                Poll::Ready(Err(err)) => return Err(err),
                Poll::Pending => 0,
            };
            self.outgoing.extend_from_slice(cipher.get(len..).unwrap_or_default());
            Ok(())
        });
        written?;
        // A part was taken: the rest waits for room, and so do we.
        self.poll_flush(stream, cx)
    }

    /// Encrypts `data` into `out` from its beginning on; gives the bytes used.
    fn encrypt(&mut self, data: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let records = data.len().div_ceil(512).min(CHUNK_BYTES / 512);
        let room = data.len() + 4 * OVERHEAD_BYTES + records;
        if out.len() < room {
            out.resize(room, 0);
        }
        self.session.encrypt(&mut self.incoming, data, out)
    }

    fn poll_flush(&mut self, stream: &Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sent = 0;
        let outcome = loop {
            let Some(rest) = self.outgoing.get(sent..).filter(|rest| !rest.is_empty()) else {
                break Poll::Ready(Ok(()));
            };
            match stream.poll_write(cx, rest) {
                Poll::Ready(Ok(len)) => sent += len,
                Poll::Ready(Err(err)) => break Poll::Ready(Err(err)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if sent == self.outgoing.len() {
            self.outgoing = Vec::new();
        } else {
            self.outgoing.drain(..sent);
        }
        outcome
    }
}

/// Copies the beginning of `slices` together.
fn gather(slices: &[IoSlice<'_>], plain: &mut Vec<u8>) {
    plain.clear();
    for slice in slices {
        let room = CHUNK_BYTES - plain.len();
        plain.extend_from_slice(slice.get(..room).unwrap_or(slice));
    }
}
