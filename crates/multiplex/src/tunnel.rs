//! A stream that has become a tunnel (RFC 8441): bytes both ways, each direction with its own end.

use crate::link::Lease;
use crate::upload::poll_room;
use bifrons_core::Result;
use bifrons_http::Duplex;
use bifrons_net::Timer;
use bytes::Bytes;
use h2::{RecvStream, SendStream};
use std::cell::{Cell, RefCell};
use std::task::{Context, Poll};
use std::time::Duration;

/// A handle to it; dropped before both ends, the stream is given up (`CANCEL`).
pub struct Tunnel {
    send: RefCell<SendStream<Bytes>>,
    recv: RefCell<RecvStream>,
    timer: RefCell<Timer>,
    /// Bytes of the last piece, which is passed on when the next one is asked for.
    held: Cell<usize>,
    sent: Cell<u64>,
    received: Cell<u64>,
    lease: Lease,
}

impl Tunnel {
    pub(crate) fn new(send: SendStream<Bytes>, recv: RecvStream, lease: Lease) -> Self {
        Self {
            send: RefCell::new(send),
            recv: RefCell::new(recv),
            timer: RefCell::new(Timer::new()),
            held: Cell::new(0),
            sent: Cell::new(0),
            received: Cell::new(0),
            lease,
        }
    }
}

impl Duplex for Tunnel {
    fn poll_read(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes>> {
        let mut recv = self.recv.borrow_mut();
        let held = self.held.take();
        if held > 0 {
            // The stream may be over; then there is no window.
            let _ = recv.flow_control().release_capacity(held);
        }
        // Bounded: every turn takes a frame, and the `h2` crate bounds empty ones.
        loop {
            return match recv.poll_data(cx) {
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => continue,
                Poll::Ready(Some(Ok(piece))) => {
                    self.held.set(piece.len());
                    self.received.set(self.received.get() + piece.len() as u64);
                    self.lease.link.meter.earn_data(piece.len());
                    Poll::Ready(Ok(piece))
                }
                Poll::Ready(Some(Err(err))) => Poll::Ready(Err(crate::failure(&err, false))),
                Poll::Ready(None) => Poll::Ready(Ok(Bytes::new())),
                Poll::Pending => Poll::Pending,
            };
        }
    }

    fn poll_room(&self, cx: &mut Context<'_>, want: usize, limit: Duration) -> Poll<Result<usize>> {
        poll_room(&mut self.send.borrow_mut(), &mut self.timer.borrow_mut(), (want, limit), cx)
    }

    fn send(&self, bytes: Bytes, is_last: bool) -> Result<()> {
        self.sent.set(self.sent.get() + bytes.len() as u64);
        self.lease.link.meter.earn_data(bytes.len());
        self.send.borrow_mut().send_data(bytes, is_last).map_err(|err| crate::failure(&err, false))
    }

    fn sent(&self) -> u64 {
        self.sent.get()
    }

    fn received(&self) -> u64 {
        self.received.get()
    }
}
