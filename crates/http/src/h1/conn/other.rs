//! A connection on which another protocol than HTTP/1 runs: what that one says and hears here.

use super::{Conn, take_front};
use crate::buffers;
use bifrons_core::{Error, Result};
use bifrons_net::Waiting;
use bytes::Bytes;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Whether the connection is to end in its protocol's own way.
#[derive(Default)]
pub(super) enum Ending {
    /// Nobody would know how.
    #[default]
    Unheard,
    /// Whom to wake when it is.
    Heard(Waker),
    /// It is.
    Asked,
}

impl Conn {
    /// Whether what was read ahead begins so.
    pub fn starts_with(&self, text: &[u8]) -> bool {
        self.buf.borrow().starts_with(text)
    }

    /// What was read ahead, which is the caller's from here on.
    pub fn take_ahead(&self) -> Bytes {
        let buf = std::mem::take(&mut *self.buf.borrow_mut());
        if buf.is_empty() {
            // Its room is of use to others.
            buffers::give(buf);
            return Bytes::new();
        }
        buf.freeze()
    }

    /// Reads past any framing into room that is lent, where nothing was read ahead and nothing is encrypted; 0 is
    /// the end.
    ///
    /// # Errors
    /// `Reset`. Nothing limits the wait: that is the caller's.
    pub fn poll_copy(
        &self,
        cx: &mut Context<'_>,
        room: &mut [u8],
        waiting: &mut Waiting,
    ) -> Poll<Result<usize>> {
        self.stream.poll_copy(cx, room, waiting).map(|read| {
            let len = read.map_err(|err| Error::io(self.side, &err))?;
            self.count_received(len as u64);
            Ok(len)
        })
    }

    /// Counts bytes that came in beside the buffer.
    pub fn count_received(&self, len: u64) {
        self.received.set(self.received.get() + len);
    }

    /// Reads more bytes behind those that were read ahead; 0 is the end. How long that may take is for the caller to
    /// say.
    ///
    /// # Errors
    /// `Reset`.
    pub fn poll_more(&self, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        self.poll_fill(cx, self.room.get(), (&self.read_timer, Duration::MAX))
    }

    /// Shows what was read ahead to `take`, which says how many bytes of it are done with.
    pub fn look<T>(&self, take: impl FnOnce(&[u8]) -> (usize, T)) -> T {
        let mut buf = self.buf.borrow_mut();
        let (len, taken) = take(&buf);
        if len > 0 {
            take_front(&mut buf, len);
        }
        taken
    }

    /// Says whether it rests between two messages, where another protocol than HTTP/1 runs on it.
    pub fn set_idle(&self, idle: bool) {
        self.idle.set(idle);
    }

    /// Counts a message that was read by another protocol than HTTP/1.
    pub fn count_message(&self) {
        self.messages.set(self.messages.get() + 1);
    }

    /// Asks whoever serves it to bring it to an end in its protocol's own way; false where nobody listens.
    pub fn ask_end(&self) -> bool {
        match self.ending.replace(Ending::Asked) {
            Ending::Unheard => {
                self.ending.set(Ending::Unheard);
                false
            }
            Ending::Heard(waker) => {
                waker.wake();
                true
            }
            Ending::Asked => true,
        }
    }

    /// Listens for such a request: whoever waits is woken by it. Ready once it was asked.
    pub fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.ending.take() {
            Ending::Asked => {
                self.ending.set(Ending::Asked);
                return Poll::Ready(());
            }
            Ending::Heard(waker) if waker.will_wake(cx.waker()) => self.ending.set(Ending::Heard(waker)),
            _ => self.ending.set(Ending::Heard(cx.waker().clone())),
        }
        Poll::Pending
    }
}
