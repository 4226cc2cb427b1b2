//! A body that is arriving: one writes, any number read what is there and wait for more.
//!
//! What is needed of it stays in memory: all, while it may still become an object of the memory tier;
//! else a window at its end, and what lies before is read from the file that it goes to. One that is
//! stored nowhere waits for the slowest of its readers.

use crate::body::ReadError;
use crate::disk::{DiskBody, DiskReader};
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What is kept of a body that goes to a file, beside what is not written yet: readers that keep up are
/// served from here.
const WINDOW: u64 = 512 * 1024;

/// What may be in memory of a body that is not stored: then it waits for its slowest reader.
const WINDOW_MAX: u64 = 4 * 1024 * 1024;

/// What may wait to be written of one body: a second of a slow disk. Then it is not stored.
pub(crate) const UNWRITTEN_MAX: u64 = 16 * 1024 * 1024;

/// A body that is arriving.
#[derive(Debug)]
pub struct Growing {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    length: Option<u64>,
    /// Pieces in memory with their offsets.
    pieces: VecDeque<(u64, Bytes)>,
    /// Offset of the first of them.
    start: u64,
    received: u64,
    end: Option<End>,
    keep: Keep,
    readers: Vec<Option<Waiting>>,
    writer: Option<Waker>,
}

/// What must stay in memory.
#[derive(Debug, Default)]
enum Keep {
    /// All.
    #[default]
    All,
    /// What is not yet in the file, and a window. The body's length is how much is.
    Spilled(DiskBody),
    /// What readers still need.
    Readers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Complete,
    Aborted,
}

#[derive(Debug)]
struct Waiting {
    at: u64,
    waker: Option<Waker>,
}

impl Growing {
    /// Of a length, if it is known.
    pub(crate) fn new(length: Option<u64>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { length, ..State::default() }) })
    }

    /// Its length, once that is known.
    pub fn len(&self) -> Option<u64> {
        self.lock().length
    }

    /// Whether it is known to have no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Bytes so far.
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// Whether nothing more comes.
    pub fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Adds a piece, and wakes who waits for it.
    pub(crate) fn push(&self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        let mut state = self.lock();
        let at = state.received;
        state.received += piece.len() as u64;
        state.pieces.push_back((at, piece));
        state.release();
        state.wake_readers();
    }

    /// Whether there is room for another piece.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        state.release();
        if state.received - state.start < WINDOW_MAX || !matches!(state.keep, Keep::Readers) {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Bytes that are in memory.
    pub(crate) fn held(&self) -> u64 {
        let state = self.lock();
        state.received - state.start
    }

    /// All so far in one piece, where all is kept.
    pub(crate) fn gather(&self) -> Option<Bytes> {
        let state = self.lock();
        if !matches!(state.keep, Keep::All) {
            return None;
        }
        // Copied: pieces are slices of larger buffers, which would stay.
        let mut whole = Vec::with_capacity(state.received as usize);
        state.pieces.iter().for_each(|(_, piece)| whole.extend_from_slice(piece));
        Some(whole.into())
    }

    /// From here on it goes to a file.
    pub(crate) fn spill(&self, body: DiskBody) {
        self.lock().keep = Keep::Spilled(body);
    }

    /// So much of it is in the file.
    pub(crate) fn written(&self, bytes: u64) {
        let mut state = self.lock();
        if let Keep::Spilled(body) = &mut state.keep {
            body.set_len(bytes);
        }
        state.release();
        state.wake_writer();
    }

    /// It will not be stored: only readers need it. Those that are behind what is in memory get no more.
    pub(crate) fn forsake(&self) {
        let mut state = self.lock();
        state.keep = Keep::Readers;
        state.release();
        state.wake_readers();
        state.wake_writer();
    }

    /// Nothing more comes.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        state.length = Some(state.received);
        state.end.get_or_insert(End::Complete);
        state.wake_readers();
    }

    /// It ends before its time.
    pub(crate) fn abort(&self) {
        let mut state = self.lock();
        state.end.get_or_insert(End::Aborted);
        state.wake_readers();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets go of pieces that nobody needs.
    fn release(&mut self) {
        let before = match &self.keep {
            Keep::All => return,
            Keep::Spilled(body) => body.len().min(self.received.saturating_sub(WINDOW)),
            Keep::Readers => {
                let slowest = self.readers.iter().flatten().map(|reader| reader.at).min();
                slowest.unwrap_or(self.received)
            }
        };
        while let Some((at, piece)) = self.pieces.front() {
            let end = at + piece.len() as u64;
            if end > before {
                break;
            }
            self.start = end;
            self.pieces.pop_front();
        }
    }

    fn wake_readers(&mut self) {
        for reader in self.readers.iter_mut().flatten() {
            if let Some(waker) = reader.waker.take() {
                waker.wake();
            }
        }
    }

    fn wake_writer(&mut self) {
        if self.received - self.start < WINDOW_MAX
            && let Some(waker) = self.writer.take()
        {
            waker.wake();
        }
    }

    /// The piece in memory at an offset, cut to `max` bytes.
    fn piece(&self, at: u64, max: u64) -> Option<Bytes> {
        let next = self.pieces.partition_point(|(start, _)| *start <= at);
        let (start, piece) = self.pieces.get(next.checked_sub(1)?)?;
        let skip = usize::try_from(at - start).ok()?;
        let left = piece.len().checked_sub(skip).filter(|left| *left > 0)?;
        let take = left.min(usize::try_from(max).unwrap_or(usize::MAX));
        Some(piece.slice(skip..skip + take))
    }
}

/// Reads a growing body.
#[derive(Debug)]
pub(crate) struct GrowingReader {
    growing: Arc<Growing>,
    slot: usize,
    at: u64,
    end: u64,
    /// Reading what is only in the file.
    behind: Option<DiskReader>,
}

impl GrowingReader {
    pub(crate) fn new(growing: &Arc<Growing>, range: Range<u64>) -> Result<Self, ReadError> {
        let mut state = growing.lock();
        if range.start < state.start && !matches!(state.keep, Keep::Spilled(_)) {
            return Err(ReadError::Gone);
        }
        let waiting = Some(Waiting { at: range.start, waker: None });
        let slot = match state.readers.iter().position(Option::is_none) {
            Some(slot) => slot,
            None => {
                state.readers.push(None);
                state.readers.len() - 1
            }
        };
        state.readers[slot] = waiting;
        drop(state);
        Ok(Self { growing: Arc::clone(growing), slot, at: range.start, end: range.end, behind: None })
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReadError>>> {
        loop {
            if let Some(behind) = &mut self.behind {
                match behind.poll_next(cx) {
                    Poll::Ready(None) => self.behind = None,
                    Poll::Ready(Some(Ok(piece))) => {
                        self.advance(piece.len());
                        return Poll::Ready(Some(Ok(piece)));
                    }
                    other => return other,
                }
            }
            if self.at >= self.end {
                return Poll::Ready(None);
            }
            let growing = Arc::clone(&self.growing);
            let mut state = growing.lock();
            if self.at < state.start {
                let Keep::Spilled(body) = &state.keep else {
                    return Poll::Ready(Some(Err(ReadError::Gone)));
                };
                self.behind = Some(body.reader(self.at..state.start.min(self.end)));
                continue;
            }
            if let Some(piece) = state.piece(self.at, self.end - self.at) {
                drop(state);
                self.advance(piece.len());
                return Poll::Ready(Some(Ok(piece)));
            }
            match state.end {
                Some(End::Complete) => return Poll::Ready(None),
                Some(End::Aborted) => return Poll::Ready(Some(Err(ReadError::Aborted))),
                None => {}
            }
            if let Some(Some(waiting)) = state.readers.get_mut(self.slot) {
                waiting.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
    }

    fn advance(&mut self, count: usize) {
        self.at += count as u64;
        let mut state = self.growing.lock();
        if let Some(Some(waiting)) = state.readers.get_mut(self.slot) {
            waiting.at = self.at;
        }
        if matches!(state.keep, Keep::Readers) {
            state.release();
            state.wake_writer();
        }
    }
}

impl Drop for GrowingReader {
    fn drop(&mut self) {
        let mut state = self.growing.lock();
        if let Some(slot) = state.readers.get_mut(self.slot) {
            *slot = None;
        }
        state.release();
        state.wake_writer();
    }
}
