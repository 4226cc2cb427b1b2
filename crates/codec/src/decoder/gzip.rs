//! gzip (RFC 1952), by zlib-rs: members one behind the other (2.2) are one body.

use super::Stepped;
use flate2::{Decompress, FlushDecompress, Status};

/// The largest window there is, as a power of two.
const WINDOW_BITS: u8 = 15;

pub(super) struct Machine {
    member: Decompress,
    /// Whether the member has come to its end.
    is_over: bool,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self { member: Decompress::new_gzip(WINDOW_BITS), is_over: false }
    }

    pub(super) fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<Stepped> {
        if self.is_over {
            *self = Self::new();
        }
        let before = self.member.total_in();
        let status = self.member.decompress_vec(input, out, FlushDecompress::None).ok()?;
        self.is_over = status == Status::StreamEnd;
        let taken = usize::try_from(self.member.total_in() - before).ok()?;
        Some(Stepped { taken, is_whole: self.is_over })
    }
}
