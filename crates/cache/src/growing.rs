//! A body that is being fetched, read by everybody who waits for it while it arrives, on whichever worker.
//!
//! One writer appends; readers have a place of their own each. What lies in memory is at most what the writer lets
//! be there: once the bytes are in a file, those at the front may be let go, and readers that are not as far read
//! them from the file.

use bytes::Bytes;
use std::collections::VecDeque;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Pieces are joined up to 64 KiB, so that a body that came in small ones is not answered in small ones.
const PIECE_BYTES: usize = 64 * 1024;

/// A body that grows.
#[derive(Default)]
pub struct Growing(Mutex<State>);

#[derive(Default)]
struct State {
    /// Where `pieces` begins.
    start: u64,
    pieces: VecDeque<Bytes>,
    /// How many bytes there are.
    len: u64,
    /// Where the bytes also are, and the place of the first there.
    file: Option<(Arc<File>, u64)>,
    /// How many of them are there.
    filed: u64,
    end: Option<End>,
    /// Readers that wait, by their number.
    wakers: Vec<(u64, Waker)>,
    /// The next reader's number.
    next_reader: u64,
    /// Places of the readers there are.
    places: Vec<(u64, u64)>,
    /// The writer, waiting for readers to come closer.
    writer: Option<Waker>,
}

/// How a body has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All is there.
    Whole,
    /// It was cut off.
    Cut,
}

/// What a reader gets.
#[derive(Debug)]
pub enum Piece {
    /// The next bytes.
    Bytes(Bytes),
    /// They are no longer in memory: this many from this place of this file.
    Filed(Arc<File>, u64, u64),
    /// There are no more.
    End(End),
}

impl Growing {
    fn state(&self) -> MutexGuard<'_, State> {
        // What a panicking thread leaves is a length and a list, each whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds bytes.
    pub fn push(&self, bytes: Bytes) {
        let mut state = self.state();
        state.len += bytes.len() as u64;
        state.pieces.push_back(bytes);
        wake(state);
    }

    /// Says how it has ended; the first word counts.
    pub fn finish(&self, end: End) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        wake(state);
    }

    /// How it has ended.
    pub fn ended(&self) -> Option<End> {
        self.state().end
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.state().len
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes lie in memory.
    pub fn in_memory(&self) -> u64 {
        let state = self.state();
        state.len - state.start
    }

    /// The bytes up to `filed` are in `file` now, the first of them at `base`: those that no reader will soon ask for
    /// are let go, whole pieces of them.
    pub fn filed(&self, file: &Arc<File>, base: u64, filed: u64) {
        let mut state = self.state();
        state.file.get_or_insert_with(|| (file.clone(), base));
        state.filed = state.filed.max(filed);
        // Bounded: each turn removes a piece.
        while let Some(len) = state.pieces.front().map(|piece| piece.len() as u64)
            && state.start + len <= state.filed
        {
            state.start += len;
            state.pieces.pop_front();
        }
    }

    /// All bytes in one piece, if all of them lie in memory and it has ended well.
    pub fn whole(&self) -> Option<Bytes> {
        let mut state = self.state();
        if state.end != Some(End::Whole) || state.start != 0 {
            return None;
        }
        if state.pieces.len() > 1 {
            let mut all = Vec::with_capacity(usize::try_from(state.len).ok()?);
            state.pieces.iter().for_each(|piece| all.extend_from_slice(piece));
            state.pieces = VecDeque::from([Bytes::from(all)]);
        }
        Some(state.pieces.front().cloned().unwrap_or_default())
    }

    /// Lets go what lies before every reader. Nobody who comes later can read from the beginning.
    pub fn let_go(&self) {
        let mut state = self.state();
        let slowest = state.places.iter().map(|(_, place)| *place).min().unwrap_or(state.len);
        // Bounded: each turn removes a piece.
        while let Some(len) = state.pieces.front().map(|piece| piece.len() as u64)
            && state.start + len <= slowest
        {
            state.start += len;
            state.pieces.pop_front();
        }
    }

    /// How many read it.
    pub fn readers(&self) -> usize {
        self.state().places.len()
    }

    /// Ready once fewer than `most` bytes lie between the slowest reader and the end, or nobody reads.
    pub fn poll_room(&self, cx: &mut Context<'_>, most: u64) -> Poll<()> {
        let mut state = self.state();
        let slowest = state.places.iter().map(|(_, place)| *place).min().unwrap_or(state.len);
        if state.len - slowest.min(state.len) < most {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// A reader at `place`; `None` if the bytes there are gone.
    pub fn reader(self: &Arc<Self>, place: u64) -> Option<Reader> {
        let mut state = self.state();
        if place < state.start && state.file.is_none() {
            return None;
        }
        let number = state.next_reader;
        state.next_reader += 1;
        state.places.push((number, place));
        drop(state);
        Some(Reader { body: self.clone(), number, place })
    }
}

/// Wakes everybody, without the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    let wakers = std::mem::take(&mut state.wakers);
    drop(state);
    wakers.into_iter().for_each(|(_, waker)| waker.wake());
}

/// One who reads a growing body.
pub struct Reader {
    body: Arc<Growing>,
    number: u64,
    place: u64,
}

impl Reader {
    /// The body.
    pub fn body(&self) -> &Arc<Growing> {
        &self.body
    }

    /// Where it is.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// The next bytes, at most `most` of them.
    pub fn poll_next(&mut self, cx: &mut Context<'_>, most: u64) -> Poll<Piece> {
        let mut state = self.body.state();
        if self.place >= state.len {
            return match state.end {
                Some(end) => Poll::Ready(Piece::End(end)),
                None => {
                    let waker = cx.waker();
                    match state.wakers.iter_mut().find(|(number, _)| *number == self.number) {
                        Some((_, known)) => known.clone_from(waker),
                        None => state.wakers.push((self.number, waker.clone())),
                    }
                    Poll::Pending
                }
            };
        }
        let piece = if self.place < state.start {
            let most = most.min(state.start - self.place);
            match &state.file {
                Some((file, base)) => Piece::Filed(file.clone(), base + self.place, most),
                None => return Poll::Ready(Piece::End(End::Cut)),
            }
        } else {
            Piece::Bytes(state.from(self.place, usize::try_from(most).unwrap_or(usize::MAX)))
        };
        self.place += match &piece {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Filed(_, _, len) => *len,
            Piece::End(_) => 0,
        };
        if let Some((_, place)) = state.places.iter_mut().find(|(number, _)| *number == self.number) {
            *place = self.place;
        }
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        Poll::Ready(piece)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.body.state();
        state.places.retain(|(number, _)| *number != self.number);
        state.wakers.retain(|(number, _)| *number != self.number);
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

impl State {
    /// What lies in memory from `place` on: a piece, or several small ones joined.
    fn from(&self, place: u64, most: usize) -> Bytes {
        let mut skip = place - self.start;
        let mut pieces = self.pieces.iter();
        // Bounded by the pieces there are.
        let mut first = loop {
            let Some(piece) = pieces.next() else { return Bytes::new() };
            match piece.len() as u64 {
                len if skip >= len => skip -= len,
                _ => break piece.slice(usize::try_from(skip).unwrap_or(0)..),
            }
        };
        first.truncate(most);
        let Some(second) = pieces.next().filter(|next| first.len() + next.len() <= PIECE_BYTES.min(most)) else {
            return first;
        };
        let mut joined = Vec::with_capacity(PIECE_BYTES.min(most));
        joined.extend_from_slice(&first);
        joined.extend_from_slice(second);
        for piece in pieces {
            if joined.len() + piece.len() > PIECE_BYTES.min(most) {
                break;
            }
            joined.extend_from_slice(piece);
        }
        joined.into()
    }
}

#[cfg(test)]
mod tests;
