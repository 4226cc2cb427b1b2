//! What is to be written to a client: frames one behind the other, so that one write takes those of many streams.

use crate::buffers::Scratch;
use crate::h1::write::SMALL_BYTES;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// 16 pieces a call, each with what stands before it.
const SLICES: usize = 32;

/// Bytes in order: small ones are copied together, large pieces of bodies stay where they are.
#[derive(Default)]
pub(super) struct Output {
    /// Nothing is held while nothing waits.
    text: Option<Scratch>,
    /// How much of the text was written.
    written: usize,
    /// Pieces, and how much of the text stands before each.
    pieces: VecDeque<(usize, Bytes)>,
    /// Bytes of all pieces.
    held: usize,
}

impl Output {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.len()) - self.written + self.held
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where frames go to.
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        self.text.get_or_insert_with(Scratch::new)
    }

    /// Adds a piece of a body.
    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.len() <= SMALL_BYTES {
            self.text().extend_from_slice(&piece);
            return;
        }
        self.held += piece.len();
        let at = self.text().len();
        self.pieces.push_back((at, piece));
    }

    /// Calls `write` with the next slices, and takes off what it has written.
    pub(super) fn write<T>(&mut self, write: impl FnOnce(&[IoSlice<'_>]) -> (usize, T)) -> T {
        let text = self.text.as_deref().map_or(&[][..], |text| &text[..]);
        let mut slices = [IoSlice::new(&[]); SLICES];
        let (mut count, mut from) = (0, self.written);
        for (slot, (at, piece)) in slices.as_chunks_mut::<2>().0.iter_mut().zip(&self.pieces) {
            *slot = [IoSlice::new(text.get(from..*at).unwrap_or_default()), IoSlice::new(piece)];
            from = *at;
            count += 2;
        }
        if let Some(slot) = slices.get_mut(count) {
            *slot = IoSlice::new(text.get(from..).unwrap_or_default());
            count += 1;
        }
        let (len, outcome) = write(slices.get(..count).unwrap_or_default());
        self.advance(len);
        outcome
    }

    fn advance(&mut self, mut len: usize) {
        // Bounded: every turn takes a piece off, or all of `len`.
        while let Some((at, piece)) = self.pieces.front_mut() {
            let before = at.saturating_sub(self.written).min(len);
            self.written += before;
            len -= before;
            let of_piece = piece.len().min(len);
            self.held -= of_piece;
            len -= of_piece;
            piece.advance(of_piece);
            if self.written < *at || !piece.is_empty() {
                return;
            }
            self.pieces.pop_front();
        }
        self.written += len;
        self.rest();
    }

    /// Holds nothing while nothing waits.
    pub(super) fn rest(&mut self) {
        if self.is_empty() {
            self.text = None;
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// However little is taken at a time, all comes in order, and nothing is held at the end.
        #[test]
        fn everything_comes_in_order(
            parts in vec((0usize..6000, any::<bool>()), 0..60),
            sizes in vec(1usize..20_000, 1..10),
        ) {
            let mut output = Output::default();
            let mut expected = Vec::new();
            for (at, (len, is_text)) in parts.into_iter().enumerate() {
                let bytes = vec![at as u8; len];
                expected.extend_from_slice(&bytes);
                match is_text {
                    true => output.text().extend_from_slice(&bytes),
                    false => output.push(bytes.into()),
                }
            }
            prop_assert_eq!(output.len(), expected.len());
            let (mut found, mut sizes) = (Vec::new(), sizes.into_iter().cycle());
            while !output.is_empty() {
                let size = sizes.next().unwrap_or(1);
                output.write(|slices| {
                    let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(size).collect();
                    found.extend_from_slice(&all);
                    (all.len(), ())
                });
            }
            prop_assert!(found == expected);
            output.write(|_| (0, ()));
            prop_assert!(output.text.is_none() && output.pieces.is_empty());
        }
    }
}
