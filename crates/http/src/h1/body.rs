//! A body as it comes from an HTTP/1 connection, and where that connection goes when it has come.

use super::conn::Conn;
use crate::headers::Headers;
use crate::pool::Home;
use bifrons_core::{Result, Side};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A request's body that is sent while the answer comes already (RFC 9112 9.5).
pub type Pump = Pin<Box<dyn Future<Output = Result<()>>>>;

/// A handle to the body that a connection is reading. Dropped before its end, an upstream connection
/// closes (it has no home in the pool any more); a downstream one is left to its server loop.
pub struct H1Body {
    conn: Rc<Conn>,
    pump: Option<Pump>,
    home: Option<Home>,
    trailers: Option<Headers>,
    ended: bool,
}

impl H1Body {
    /// The body that `conn` has begun to read; at its end the connection goes `home`.
    pub fn new(conn: Rc<Conn>, home: Option<Home>) -> Self {
        Self::with_pump(conn, home, None)
    }

    /// The same, with a request that is still being sent on the connection meanwhile.
    pub fn with_pump(conn: Rc<Conn>, home: Option<Home>, pump: Option<Pump>) -> Self {
        Self { conn, pump, home, trailers: None, ended: false }
    }

    /// The connection it comes from.
    pub fn conn(&self) -> &Rc<Conn> {
        &self.conn
    }

    /// Sends on of the request what can be sent now.
    ///
    /// # Errors
    /// What the request's body says: the endpoint will never see its end then, and the connection is shut.
    pub fn poll_pump(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let Some(pump) = &mut self.pump else { return Ok(()) };
        let Poll::Ready(outcome) = pump.as_mut().poll(cx) else { return Ok(()) };
        self.pump = None;
        match outcome {
            // An endpoint that reads no more may have answered early: its answer is what counts.
            Err(err) if err.side() != Side::Upstream => {
                self.conn.stream().shutdown_both();
                Err(err)
            }
            _ => Ok(()),
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// As [`Conn::poll_body`] and [`H1Body::poll_pump`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if self.ended {
            return Poll::Ready(Ok(None));
        }
        self.poll_pump(cx)?;
        let piece = ready!(self.conn.poll_body(cx))?;
        // A body of known length is over with its last byte: the connection need not wait.
        if piece.is_none() || !self.conn.body_open() {
            self.finish();
        }
        Poll::Ready(Ok(piece))
    }

    /// The body has come: keeps its trailers and sends the connection home.
    pub fn finish(&mut self) {
        self.ended = true;
        self.trailers = self.conn.take_trailers();
        if let Some(home) = self.home.take() {
            home.send(self.conn.clone());
        }
    }

    /// Trailer fields, once the end was seen.
    pub fn take_trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }

    /// Whether its end was seen.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether the request is still being sent.
    pub fn is_pumping(&self) -> bool {
        self.pump.is_some()
    }

    /// Bytes still to come where a length was announced.
    pub fn left(&self) -> Option<u64> {
        if self.ended { Some(0) } else { self.conn.body_left() }
    }
}
