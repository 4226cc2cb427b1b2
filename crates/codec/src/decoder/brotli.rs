//! brotli (RFC 7932), in pure Rust, without its "large windows".

use super::Stepped;
use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};

pub(super) struct Machine {
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
    is_over: bool,
}

impl Machine {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self { state: Box::new(BrotliState::new_strict(alloc(), alloc(), alloc())), is_over: false }
    }

    pub(super) fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<Stepped> {
        if self.is_over {
            // Nothing may stand behind it.
            return None;
        }
        let before = out.len();
        // It writes to bytes, not to room.
        out.resize(out.capacity(), 0);
        let (mut left, mut at) = (input.len(), 0);
        let room = out.get_mut(before..)?;
        let (mut room_left, mut written, mut total) = (room.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut at,
            input,
            &mut room_left,
            &mut written,
            room,
            &mut total,
            &mut self.state,
        );
        out.truncate(before + written);
        self.is_over = matches!(result, BrotliResult::ResultSuccess);
        let failed = matches!(result, BrotliResult::ResultFailure);
        (!failed).then_some(Stepped { taken: at, is_whole: self.is_over })
    }
}
