//! brotli (RFC 7932), in pure Rust.

use crate::Quality;
use brotli::enc::StandardAlloc;
use brotli::enc::encode::BrotliEncoderStateStruct;
use brotli::enc::encode::{BrotliEncoderDestroyInstance, BrotliEncoderOperation, BrotliEncoderParameter};

pub(super) struct Machine(Box<BrotliEncoderStateStruct<StandardAlloc>>);

impl Machine {
    pub(super) fn new(quality: Quality) -> Self {
        use BrotliEncoderParameter::{BROTLI_PARAM_LGWIN, BROTLI_PARAM_QUALITY};
        let mut state = Box::new(BrotliEncoderStateStruct::new(StandardAlloc::default()));
        state.set_parameter(BROTLI_PARAM_QUALITY, u32::from(quality.level));
        state.set_parameter(BROTLI_PARAM_LGWIN, u32::from(quality.window_bits));
        Self(state)
    }

    /// With the length, its tables are no larger than the body wants.
    pub(super) fn begin(&mut self, len: Option<u64>) -> Option<()> {
        if let Some(len) = len {
            let hint = u32::try_from(len).unwrap_or(u32::MAX);
            self.0.set_parameter(BrotliEncoderParameter::BROTLI_PARAM_SIZE_HINT, hint);
        }
        Some(())
    }

    pub(super) fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Option<()> {
        self.run(BrotliEncoderOperation::BROTLI_OPERATION_PROCESS, piece, out)
    }

    pub(super) fn flush(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.run(BrotliEncoderOperation::BROTLI_OPERATION_FLUSH, &[], out)
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.run(BrotliEncoderOperation::BROTLI_OPERATION_FINISH, &[], out)?;
        self.0.is_finished().then_some(())
    }

    fn run(&mut self, operation: BrotliEncoderOperation, piece: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let (mut left, mut at) = (piece.len(), 0);
        loop {
            // It is given no room to write to: what comes out is taken from its own buffer.
            let (mut room, mut written) = (0, 0);
            let went = self.0.compress_stream(
                operation,
                &mut left,
                piece,
                &mut at,
                &mut room,
                &mut [],
                &mut written,
                &mut None,
                &mut |_, _, _, _| (),
            );
            if !went {
                return None;
            }
            let before = out.len();
            while self.0.has_more_output() {
                // 0 asks for all; how much that is stands there behind the call, not in the slice.
                let mut size = 0;
                let taken = self.0.take_output(&mut size);
                out.extend_from_slice(taken.get(..size)?);
            }
            // Bounded: a turn takes input or brings something out, or it is the last.
            if left == 0 && out.len() == before {
                return Some(());
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        BrotliEncoderDestroyInstance(&mut self.0);
    }
}
