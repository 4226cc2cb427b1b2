//! Beside step 6: a request's body on its way to the endpoint. What of it is there already goes out with the
//! head, and what comes in small pieces is gathered, so that a body costs no more writes than its arrival asks
//! for.

use crate::relay::GATHER_BYTES;
use bifrons_core::Result;
use bifrons_http::Body;
use bifrons_http::buffers::{self, Scratch};
use bifrons_http::h1::write;
use bifrons_http::h1::{Conn, chunked};
use bytes::Bytes;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A body that is being sent.
pub(crate) struct Upload {
    body: Body,
    is_chunked: bool,
    /// What goes before `piece`: the head at first, then small pieces and framing.
    out: Scratch,
    /// A piece too big to be copied.
    piece: Bytes,
    is_begun: bool,
    is_ended: bool,
}

impl Upload {
    /// That body behind that head.
    pub(crate) fn new(body: Body, is_chunked: bool, head: Scratch) -> Self {
        Self { body, is_chunked, out: head, piece: Bytes::new(), is_begun: false, is_ended: false }
    }

    /// Whether all of it was gathered.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The body, as long as nothing was taken from it.
    pub(crate) fn untouched(self) -> Option<Body> {
        (!self.is_begun).then_some(self.body)
    }

    /// Gathers what is there, and waits only where there is nothing to write at all.
    ///
    /// # Errors
    /// The body's.
    pub(crate) async fn gather(&mut self) -> Result<()> {
        poll_fn(|cx| match self.poll_gather(cx) {
            Poll::Pending if !self.out.is_empty() => Poll::Ready(Ok(())),
            polled => polled,
        })
        .await
    }

    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // Bounded: every turn takes a piece, and a big one or many small ones end it.
        while self.out.len() < GATHER_BYTES {
            let Poll::Ready(piece) = self.body.poll_next(cx)? else { return Poll::Pending };
            self.is_begun = true;
            let Some(piece) = piece else {
                self.is_ended = true;
                if self.is_chunked {
                    write::chunked_end(&mut self.out, self.body.take_trailers().as_ref());
                }
                break;
            };
            if self.is_chunked {
                self.out.extend_from_slice(chunked::size_line(piece.len()).as_ref());
            }
            if !write::is_small(&piece) {
                self.piece = piece;
                break;
            }
            self.out.extend_from_slice(&piece);
            if self.is_chunked {
                self.out.extend_from_slice(b"\r\n");
            }
            buffers::give_bytes(piece);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    /// The connection's.
    pub(crate) async fn flush(&mut self, conn: &Conn, limit: Duration) -> Result<()> {
        let tail: &[u8] = if self.is_chunked && !self.piece.is_empty() { b"\r\n" } else { b"" };
        conn.write([&self.out, &self.piece, tail], limit).await?;
        self.out.clear();
        self.piece = Bytes::new();
        Ok(())
    }

    /// Sends the rest.
    ///
    /// # Errors
    /// The body's and the connection's.
    pub(crate) async fn run(mut self, conn: Rc<Conn>, limit: Duration) -> Result<()> {
        // Bounded: every turn takes something of the body, which ends.
        while !self.is_ended {
            self.gather().await?;
            self.flush(&conn, limit).await?;
        }
        conn.set_sending(false);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
