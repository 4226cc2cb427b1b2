//! How often a head that comes in pieces is looked at.

use crate::buffers::ROOM_MIN;

/// 1 KiB: a pass over a head that is no longer costs less than the packet whose bytes it looks at.
const CHEAP_BYTES: usize = 1024;

/// What of a head was looked at while the rest of it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Bytes that were parsed in vain.
    pub(super) parsed: usize,
    /// Bytes that were searched for line ends.
    searched: usize,
}

impl Progress {
    /// Whether nothing of the head has been looked at.
    pub fn is_none(&self) -> bool {
        self.searched == 0
    }

    /// Whether another pass over the head is worth its cost: at its first bytes, which may be of another protocol,
    /// at its end, at each line while it is short, and then whenever it has grown by a quarter, so that mistakes
    /// show early and a head that drips costs no more than some passes in all.
    pub(super) fn is_due(&mut self, buf: &[u8]) -> bool {
        let fresh = buf.get(self.searched..).unwrap_or_default();
        if fresh.is_empty() {
            return false;
        }
        let has_line = memchr::memchr(b'\n', fresh).is_some();
        let from = self.searched.saturating_sub(3);
        let is_first = self.is_none();
        self.searched = buf.len();
        if !has_line {
            // An endless line has no end to look for.
            return is_first || buf.len() - self.parsed >= ROOM_MIN / 2;
        }
        let new = buf.get(from..).unwrap_or_default();
        let is_end = || [&b"\n\r\n"[..], b"\n\n"].iter().any(|end| memchr::memmem::find(new, end).is_some());
        let has_grown = buf.len() - self.parsed > self.parsed / 4;
        buf.len() <= CHEAP_BYTES || self.parsed == 0 || has_grown || is_end()
    }
}
