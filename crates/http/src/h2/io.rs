//! A connection as the `h2` crate reads and writes it.

use super::meter::Meter;
use crate::buffers;
use crate::h1::Conn;
use bytes::{Buf, Bytes};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a connection, whatever is on it: our buffers, our counts, our timeouts.
pub struct Io {
    conn: Rc<Conn>,
    /// What was read and not yet taken.
    rest: Bytes,
    /// How long the peer may take no bytes.
    send_timeout: Duration,
    meter: Rc<Meter>,
}

impl Io {
    /// Over that connection, behind what was read ahead.
    pub fn new(conn: Rc<Conn>, send_timeout: Duration, meter: Rc<Meter>) -> Self {
        Self { conn, rest: Bytes::new(), send_timeout, meter }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.meter.offence().is_some() {
            // Whoever polls looks at the meter next, and ends the connection.
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            // How long the peer may be silent is for the connection's owner to say.
            self.rest = ready!(self.conn.poll_raw(cx, Duration::MAX)).map_err(io::Error::other)?;
        }
        let len = self.rest.len().min(buf.remaining());
        let taken = self.rest.get(..len).unwrap_or_default();
        self.meter.feed(taken);
        buf.put_slice(taken);
        self.rest.advance(len);
        if self.rest.is_empty() {
            buffers::give_bytes(std::mem::take(&mut self.rest));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.conn.poll_write(cx, bufs, self.send_timeout).map_err(io::Error::other)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.conn.poll_flush(cx, self.send_timeout).map_err(io::Error::other)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.conn.end_write();
        Poll::Ready(Ok(()))
    }
}
