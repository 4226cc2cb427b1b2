//! zstd (RFC 8878), by its own library.

use crate::Quality;
use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

/// 1 KiB: room that is made for what comes out, at least.
const ROOM_MIN: usize = 1024;

/// From this level on tables grow far beyond the window.
const LARGE_LEVEL: u8 = 7;

pub(super) struct Machine(Encoder<'static>);

impl Machine {
    pub(super) fn new(quality: Quality) -> Option<Self> {
        let mut encoder = Encoder::new(i32::from(quality.level)).ok()?;
        encoder.set_parameter(CParameter::WindowLog(u32::from(quality.window_bits))).ok()?;
        // As long as no length is known, the library's tables of the upper levels have 24 to 80 MiB whatever the
        // window.
        if quality.level >= LARGE_LEVEL {
            let tables = u32::from(quality.window_bits + 1).min(22);
            encoder.set_parameter(CParameter::HashLog(tables)).ok()?;
            encoder.set_parameter(CParameter::ChainLog(tables)).ok()?;
        }
        // As gzip has it: who decodes is to notice what went wrong on the way.
        encoder.set_parameter(CParameter::ChecksumFlag(true)).ok()?;
        Some(Self(encoder))
    }

    pub(super) fn begin(&mut self, len: Option<u64>) -> Option<()> {
        self.0.set_pledged_src_size(len).ok()
    }

    pub(super) fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let mut input = InBuffer::around(piece);
        while input.pos() < piece.len() {
            let (pos, before) = (input.pos(), out.len());
            out.reserve(ROOM_MIN.max(piece.len() / 4));
            let mut room = OutBuffer::around_pos(out, before);
            self.0.run(&mut input, &mut room).ok()?;
            if input.pos() == pos && out.len() == before {
                return None;
            }
        }
        Some(())
    }

    pub(super) fn flush(&mut self, out: &mut Vec<u8>) -> Option<()> {
        loop {
            out.reserve(ROOM_MIN);
            let before = out.len();
            let left = self.0.flush(&mut OutBuffer::around_pos(out, before)).ok()?;
            match left {
                0 => return Some(()),
                _ if out.len() == before => return None,
                _ => {}
            }
        }
    }

    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Option<()> {
        loop {
            out.reserve(ROOM_MIN);
            let before = out.len();
            let left = self.0.finish(&mut OutBuffer::around_pos(out, before), true).ok()?;
            match left {
                0 => return Some(()),
                _ if out.len() == before => return None,
                _ => {}
            }
        }
    }

    pub(super) fn reset(&mut self) -> Option<()> {
        self.0.reinit().ok()
    }
}
