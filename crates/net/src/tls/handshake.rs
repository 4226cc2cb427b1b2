//! The handshake: what is to be said is sent, what must come is waited for. Whoever calls bounds the time.

use super::session::{Session, Step, advance};
use super::{INCOMING_BYTES_MAX, Inner, Tls};
use crate::stream::Stream;
use bytes::BytesMut;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Waker};

/// 4 KiB: a flight of a client with a post-quantum key and a ticket, or of a server with a short chain.
const READ_BYTES: usize = 4096;

/// Why a handshake failed.
#[derive(Debug)]
pub enum HandshakeError {
    /// The connection was closed or failed.
    Io(io::Error),
    /// The two sides could not agree, or the peer is not who it should be.
    Tls(rustls::Error),
}

impl std::fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(err) => err.fmt(f),
            Self::Tls(err) => err.fmt(f),
        }
    }
}

impl std::error::Error for HandshakeError {}

impl Tls {
    /// Carries out the handshake, as far as it must be; `first` are bytes that were read from the stream already. Gives what plain
    /// text has come along with its end.
    ///
    /// # Errors
    /// What the stream or the session says; the peer is told the alert.
    pub async fn handshake(
        stream: &Stream,
        session: Session,
        first: BytesMut,
    ) -> Result<(Self, BytesMut), HandshakeError> {
        let mut inner = Inner {
            session,
            incoming: first,
            outgoing: Vec::new(),
            credit: 0,
            is_ended: false,
            is_broken: false,
            is_closing: false,
            is_early: false,
        };
        let mut plain = BytesMut::new();
        let is_closed = Cell::new(false);
        // Bounded: every turn reads bytes, and of those that are not used there are no more than a maximum.
        loop {
            let step = inner.go_on(&mut plain);
            if step.is_err() {
                let _ = inner.poll_flush(stream, &mut Context::from_waker(Waker::noop()));
            }
            let step = step.map_err(HandshakeError::Tls)?;
            poll_fn(|cx| inner.poll_flush(stream, cx)).await.map_err(HandshakeError::Io)?;
            match step {
                // Only who has sent early data gets an answer before the end; all others prove first who they are.
                Step::Ready if inner.is_early || !inner.session.is_handshaking() => break,
                Step::PeerClosed => {
                    is_closed.set(true);
                    inner.is_ended = true;
                    return Err(closed());
                }
                Step::Ready | Step::Again | Step::Early | Step::Blocked => {}
            }
            if inner.incoming.len() > INCOMING_BYTES_MAX {
                return Err(HandshakeError::Tls(rustls::Error::General(
                    "a message that does not end".into(),
                )));
            }
            let incoming = &mut inner.incoming;
            let read = poll_fn(|cx| stream.poll_read(cx, incoming, |buf| buf.reserve(READ_BYTES))).await;
            if read.map_err(HandshakeError::Io)? == 0 {
                return Err(closed());
            }
        }
        if inner.incoming.is_empty() {
            inner.incoming = BytesMut::new();
        }
        Ok((Self { inner: RefCell::new(inner), is_closed }, plain))
    }
}

impl Inner {
    /// Steps until something must come, or all is said.
    fn go_on(&mut self, plain: &mut BytesMut) -> Result<Step, rustls::Error> {
        loop {
            let (used, step) = self.session.step(&mut self.incoming, plain, &mut self.outgoing);
            advance(&mut self.incoming, used);
            match step {
                Ok(Step::Again) => {}
                Ok(Step::Early) => self.is_early = true,
                Ok(step) => return Ok(step),
                Err(err) => {
                    self.session.take_alert(&mut self.incoming, &mut self.outgoing);
                    return Err(err);
                }
            }
        }
    }
}

fn closed() -> HandshakeError {
    HandshakeError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "closed in the handshake"))
}
