//! gzip (RFC 1952), by zlib-rs.

use crate::Quality;
use flate2::{Compress, Compression, FlushCompress, Status};

/// 1 KiB: room that is made for what comes out, at least.
const ROOM_MIN: usize = 1024;

pub(super) struct Machine(Compress);

impl Machine {
    pub(super) fn new(quality: Quality) -> Self {
        // What the library takes; a level or window beyond it is one from the configuration, checked there.
        let (level, window) = (quality.level.clamp(1, 9), quality.window_bits.clamp(9, 15));
        Self(Compress::new_gzip(Compression::new(u32::from(level)), window))
    }

    pub(super) fn write(&mut self, mut piece: &[u8], out: &mut Vec<u8>) -> Option<()> {
        while !piece.is_empty() {
            out.reserve(ROOM_MIN.max(piece.len() / 4));
            let before = self.0.total_in();
            self.0.compress_vec(piece, out, FlushCompress::None).ok()?;
            let taken = usize::try_from(self.0.total_in() - before).ok()?;
            if taken == 0 && out.len() < out.capacity() {
                return None;
            }
            piece = piece.get(taken..)?;
        }
        Some(())
    }

    pub(super) fn flush(&mut self, out: &mut Vec<u8>) -> Option<()> {
        loop {
            out.reserve(ROOM_MIN);
            self.0.compress_vec(&[], out, FlushCompress::Sync).ok()?;
            // Room that is left says that all is out (zlib.h, `deflate`).
            if out.len() < out.capacity() {
                return Some(());
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Option<()> {
        loop {
            out.reserve(ROOM_MIN);
            match self.0.compress_vec(&[], out, FlushCompress::Finish).ok()? {
                Status::StreamEnd => return Some(()),
                _ if out.len() < out.capacity() => return None,
                _ => {}
            }
        }
    }

    pub(super) fn reset(&mut self) {
        self.0.reset();
    }
}
