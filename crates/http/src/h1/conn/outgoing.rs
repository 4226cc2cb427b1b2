//! What is written to a connection: how long the peer may take for it, and how slow it may be.

use super::{Conn, Pace};
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_net::clock;
use std::cell::RefCell;
use std::fs::File;
use std::future::poll_fn;
use std::io::IoSlice;
use std::os::unix::fs::FileExt;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// RFC 9110 15.2.1.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// 64 KiB: four records, as much as is encrypted in one go.
const FILE_BYTES: usize = 64 * 1024;

thread_local! {
    /// Part of a file that is about to be encrypted; used within one call only.
    static FILE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How fast the peer takes the message that is being sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pace: Pace,
    /// What had been sent before the message.
    before: u64,
    /// For how long it had to wait so far; time in which there was nothing to send doesn't count.
    waited: Duration,
    /// Since when it waits now; set only where a rate is demanded.
    since: Option<Instant>,
}

impl Outgoing {
    /// No demand.
    pub(crate) fn new() -> Self {
        Self::begin(Pace::timeout(Duration::MAX), 0)
    }

    /// A message that must be taken at this pace's rate, after so many bytes of others.
    pub(crate) fn begin(pace: Pace, before: u64) -> Self {
        Self { pace, before, waited: Duration::ZERO, since: None }
    }

    /// How long the next wait may last by `limit` and the least rate; `None` where the peer is too slow.
    pub(crate) fn wait(&mut self, sent: u64, limit: Duration) -> Option<Duration> {
        let Pace { rate_min, grace, .. } = self.pace;
        if rate_min == 0 {
            return Some(limit);
        }
        self.since.get_or_insert_with(clock::recent);
        let taken = sent - self.before;
        let earned = grace + Duration::from_secs_f64(taken as f64 / rate_min as f64);
        let left = earned.saturating_sub(self.waited);
        (!left.is_zero()).then(|| left.min(limit))
    }

    /// Ends a wait.
    pub(crate) fn over(&mut self) {
        if let Some(since) = self.since.take() {
            self.waited += clock::recent() - since;
        }
    }
}

impl Conn {
    /// Begins a message that the peer must take at this pace's rate; its timeout is that of each write. From
    /// here on the peer's own message may be half of a conversation, and need keep no rate any more.
    pub fn begin_send(&self, pace: Pace) {
        if self.body.borrow_mut().forget_rate() {
            self.clear_read_timer();
        }
        *self.outgoing.borrow_mut() = Outgoing::begin(pace, self.sent());
    }

    /// Says whether the peer waits for `100 Continue` before it sends the body: whoever reads it first then
    /// lets it come (RFC 9110 10.1.1).
    pub fn set_expecting(&self, expecting: bool) {
        self.expecting.set(expecting);
    }

    /// Sends `100 Continue`, if the peer waits for it.
    pub(super) fn poll_continue(&self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.expecting.get() {
            return Poll::Ready(Ok(()));
        }
        let limit = self.body.borrow().timeout();
        if let Some(tls) = &self.tls {
            // Encrypted once: should the wait for room be given up, it stands before the answer.
            self.expecting.set(false);
            tls.queue(CONTINUE).map_err(|err| Error::io(self.side, &err))?;
            self.sent.set(self.sent.get() + CONTINUE.len() as u64);
            return self.poll_flush(cx, limit);
        }
        let len = ready!(self.poll_write(cx, &[IoSlice::new(CONTINUE)], limit))?;
        self.expecting.set(false);
        // Two dozen bytes behind answers that fill the socket's buffer to the last byte: no message can
        // follow a torn one.
        if len < CONTINUE.len() {
            return Poll::Ready(Err(Error::of(self.side, Kind::Reset, "no room for a 100")));
        }
        Poll::Ready(Ok(()))
    }

    /// How long the next wait may last by `limit` and the least rate.
    fn write_wait(&self, limit: Duration) -> Result<Duration> {
        let wait = self.outgoing.borrow_mut().wait(self.sent(), limit);
        wait.ok_or_else(|| self.timed_out("the peer takes bytes slower than their least rate"))
    }

    /// Runs a wait for the peer to take bytes around something that writes the socket itself.
    pub fn poll_write_timer(&self, cx: &mut Context<'_>, limit: Duration) -> Poll<Error> {
        let limit = match self.write_wait(limit) {
            Ok(limit) => limit,
            Err(err) => return Poll::Ready(err),
        };
        ready!(self.write_timer.borrow_mut().poll(cx, limit));
        Poll::Ready(self.timed_out("the peer takes no bytes"))
    }

    /// Ends such a wait.
    pub fn clear_write_timer(&self) {
        self.write_timer.borrow_mut().clear();
        self.outgoing.borrow_mut().over();
    }

    /// Writes all of `parts`, in as few calls as the socket allows.
    ///
    /// # Errors
    /// `Timeout` when the peer takes nothing for `limit`, `Reset` when it is gone.
    pub async fn write(&self, parts: [&[u8]; 3], limit: Duration) -> Result<()> {
        // Mostly there is one part, and the socket takes it at once.
        let first = match parts {
            [only, [], []] if self.tls.is_none() => match self.write_at_once(only)? {
                Some(len) if len == only.len() => return Ok(()),
                taken => taken.unwrap_or(0),
            },
            _ => 0,
        };
        let mut slices = parts.map(IoSlice::new);
        let mut left: &mut [IoSlice<'_>] = &mut slices;
        IoSlice::advance_slices(&mut left, first);
        poll_fn(|cx| {
            while !left.is_empty() {
                let len = ready!(self.poll_write(cx, left, limit))?;
                IoSlice::advance_slices(&mut left, len);
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Sends what is encrypted already.
    ///
    /// # Errors
    /// As [`Conn::write`].
    pub fn poll_flush(&self, cx: &mut Context<'_>, limit: Duration) -> Poll<Result<()>> {
        let Some(tls) = &self.tls else { return Poll::Ready(Ok(())) };
        match tls.poll_flush(&self.stream, cx) {
            Poll::Ready(Ok(())) => {
                self.clear_write_timer();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(self.side, &err))),
            Poll::Pending => self.poll_write_timer(cx, limit).map(Err),
        }
    }

    /// Writes bytes behind which more follow at once: the kernel may hold them back (`MSG_MORE`).
    ///
    /// # Errors
    /// As [`Conn::write`].
    pub async fn write_more(&self, mut data: &[u8], limit: Duration) -> Result<()> {
        if self.tls.is_some() {
            return self.write([data, b"", b""], limit).await;
        }
        poll_fn(|cx| {
            while !data.is_empty() {
                let len = match self.stream.poll_write_more(cx, data) {
                    Poll::Ready(Ok(len)) => len,
                    Poll::Ready(Err(err)) => return Poll::Ready(Err(Error::io(self.side, &err))),
                    Poll::Pending => return self.poll_write_timer(cx, limit).map(Err),
                };
                self.clear_write_timer();
                self.sent.set(self.sent.get() + len as u64);
                data = data.get(len..).unwrap_or_default();
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Ends our sending direction; what was written still arrives.
    pub fn end_write(&self) {
        self.write_ended.set(true);
        self.close_notify();
        self.stream.shutdown_write();
    }

    /// Whether our sending direction has ended.
    pub fn is_write_ended(&self) -> bool {
        self.write_ended.get()
    }

    /// What the socket of a plain connection takes of `data` at once; `None` where it takes nothing now.
    ///
    /// # Errors
    /// `Reset` when the peer is gone.
    pub fn write_at_once(&self, data: &[u8]) -> Result<Option<usize>> {
        match self.stream.try_write(data) {
            Ok(len) => {
                self.sent.set(self.sent.get() + len as u64);
                Ok(Some(len))
            }
            Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(err) => Err(Error::io(self.side, &err)),
        }
    }

    /// Writes some of `slices`, for callers that wait for several things at once.
    ///
    /// # Errors
    /// As [`Conn::write`].
    pub fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        limit: Duration,
    ) -> Poll<Result<usize>> {
        let filled = slices.iter().rposition(|slice| !slice.is_empty()).map_or(0, |at| at + 1);
        let slices = slices.get(..filled).unwrap_or(slices);
        let polled = match &self.tls {
            None => self.stream.poll_write_vectored(cx, slices),
            Some(tls) => tls.poll_write(&self.stream, cx, slices),
        };
        match polled {
            Poll::Ready(Ok(len)) => {
                self.clear_write_timer();
                self.sent.set(self.sent.get() + len as u64);
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(self.side, &err))),
            Poll::Pending => self.poll_write_timer(cx, limit).map(Err),
        }
    }

    /// Sends up to `most` bytes of `file` from `offset` on by `sendfile(2)`, at least one.
    ///
    /// # Errors
    /// As [`Conn::write`]; `Closed` of our own where the file ends before.
    pub fn poll_send_file(
        &self,
        cx: &mut Context<'_>,
        file: &File,
        (offset, most): (u64, usize),
        limit: Duration,
    ) -> Poll<Result<usize>> {
        if self.tls.is_some() {
            return self.poll_copy_file(cx, file, (offset, most), limit);
        }
        match bifrons_net::splice::poll_sendfile(cx, &self.stream, file, offset, most) {
            Poll::Ready(Ok(0)) => {
                Poll::Ready(Err(Error::local(Kind::Closed, "the file became shorter while it was sent")))
            }
            Poll::Ready(Ok(len)) => {
                self.clear_write_timer();
                self.count_sent(len as u64);
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(self.side, &err))),
            Poll::Pending => self.poll_write_timer(cx, limit).map(Err),
        }
    }

    /// The same over TLS, where the file's bytes are ours to encrypt.
    fn poll_copy_file(
        &self,
        cx: &mut Context<'_>,
        file: &File,
        (offset, most): (u64, usize),
        limit: Duration,
    ) -> Poll<Result<usize>> {
        FILE.with_borrow_mut(|room| {
            room.resize(FILE_BYTES, 0);
            let room = room.get_mut(..most.min(FILE_BYTES)).unwrap_or_default();
            let len = match file.read_at(room, offset) {
                Ok(0) => {
                    let reason = "the file became shorter while it was sent";
                    return Poll::Ready(Err(Error::local(Kind::Closed, reason)));
                }
                Ok(len) => len,
                Err(err) => return Poll::Ready(Err(Error::io(Side::Local, &err))),
            };
            self.poll_write(cx, &[IoSlice::new(room.get(..len).unwrap_or_default())], limit)
        })
    }
}
