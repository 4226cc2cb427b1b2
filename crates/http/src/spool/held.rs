//! A body that is read on, at its own speed, while whoever takes it makes it wait.

use super::{Backlog, Front, HoldRules};
use crate::message::{Body, FileBody};
use bifrons_core::{Error, Result, Side};
use bifrons_net::Timer;
use bytes::Bytes;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// 20 ms: who takes a piece within that time keeps up, and copying bytes aside would only cost. That is 6 MB/s
/// and more, and no endpoint minds waiting so long.
pub const GRACE: Duration = Duration::from_millis(20);
/// 64: reads in a row before other connections of the worker get their turn.
const TURNS_MAX: u32 = 64;
/// 64 KiB: what is given of a backlog at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Such a body. It is read on by [`Held::poll_pump`], which is asked for while its last piece finds no room: not
/// before that has lasted [`GRACE`], and then until all that was read ahead has been taken.
pub struct Held {
    pub(crate) inner: Body,
    backlog: Backlog,
    grace: Timer,
    /// What broke off the inner body; told when all that came before is taken.
    failed: Option<Error>,
    is_ended: bool,
    /// Bytes of the body that came from an endpoint since somebody asked.
    taken: u64,
}

impl Held {
    /// That body, of which so much may be held.
    pub fn new(inner: Body, rules: Arc<HoldRules>) -> Self {
        Self {
            inner,
            backlog: Backlog::new(rules),
            grace: Timer::new(),
            failed: None,
            is_ended: false,
            taken: 0,
        }
    }

    /// Whether all of it has come from where it comes from, taken or not.
    pub(crate) fn has_come(&self) -> bool {
        self.is_ended || self.inner.is_empty()
    }

    /// Bytes still to come, where that is known and nothing else follows them.
    pub(crate) fn length(&self) -> Option<u64> {
        match self.is_ended {
            false => Some(self.inner.length()? + self.backlog.len()),
            // Trailers may follow, or what broke it off.
            true => None,
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The inner body's, behind what came before; `Internal` where what is held can't be read.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.grace.clear();
        // Also where it is not waited for: its end wakes us.
        let _ = self.backlog.poll_written(cx);
        if !self.backlog.is_empty() {
            return self.poll_held(cx);
        }
        if let Some(failed) = self.failed.take() {
            return Poll::Ready(Err(failed));
        }
        if self.is_ended {
            return Poll::Ready(Ok(None));
        }
        let piece = ready!(self.inner.poll_next(cx))?;
        self.count(piece.as_ref());
        Poll::Ready(Ok(piece))
    }

    /// The next piece of what was read ahead.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let piece = match self.backlog.front() {
            Front::Memory(bytes) => Bytes::copy_from_slice(bytes.get(..PIECE_BYTES).unwrap_or(bytes)),
            Front::File { file, offset, len } => {
                let len = len.min(PIECE_BYTES as u64);
                FileBody { file: file.clone(), offset, len }.next()?.unwrap_or_default()
            }
            // Meanwhile more may come.
            Front::Empty | Front::Writing => {
                self.read_on(cx)?;
                return Poll::Pending;
            }
        };
        self.backlog.advance(piece.len());
        Poll::Ready(Ok(Some(piece)))
    }

    fn count(&mut self, piece: Option<&Bytes>) {
        self.taken += self.inner.taken(piece.map_or(0, Bytes::len));
        if piece.is_none() {
            self.end();
        }
    }

    /// Nothing more comes.
    fn end(&mut self) {
        self.is_ended = true;
        self.backlog.seal();
    }

    /// Reads on while the last piece finds no room, once that has lasted too long.
    ///
    /// # Errors
    /// What a request says that is still being sent.
    pub(crate) fn poll_pump(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if self.is_ended {
            let _ = self.backlog.poll_written(cx);
            return self.inner.poll_pump(cx);
        }
        if self.backlog.is_empty() && self.grace.poll(cx, GRACE).is_pending() {
            return self.inner.poll_pump(cx);
        }
        self.read_on(cx)
    }

    fn read_on(&mut self, cx: &mut Context<'_>) -> Result<()> {
        for _ in 0..TURNS_MAX {
            let _ = self.backlog.poll_written(cx);
            if self.is_ended || !self.backlog.has_room() {
                return self.inner.poll_pump(cx);
            }
            match self.inner.poll_next(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(piece)) => {
                    self.count(piece.as_ref());
                    if let Some(piece) = piece {
                        self.backlog.push(&piece);
                        crate::buffers::give_bytes(piece);
                    }
                }
                Poll::Ready(Err(err)) if err.side() == Side::Downstream => return Err(err),
                Poll::Ready(Err(err)) => {
                    self.end();
                    self.failed = Some(err);
                }
            }
        }
        cx.waker().wake_by_ref();
        Ok(())
    }

    /// As [`Body::taken`].
    pub(crate) fn take_taken(&mut self) -> u64 {
        std::mem::take(&mut self.taken)
    }
}

#[cfg(test)]
mod tests;
