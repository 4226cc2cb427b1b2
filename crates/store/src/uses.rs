//! How often keys were asked for of late, in a fixed piece of memory.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// 64 Ki keys, 512 KiB: what is asked for often enough to matter comes again before as many others.
const SLOTS: usize = 64 * 1024;

/// A slot has the upper bits of a hash and a count: a key that finds another's takes it over.
pub(crate) struct Uses(Box<[AtomicU64]>);

const COUNT_BITS: u32 = 16;

impl Uses {
    pub(crate) fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Counts a use; says how many there were with it.
    pub(crate) fn count(&self, hash: u128) -> u32 {
        let name = (hash >> 64) as u64 >> COUNT_BITS << COUNT_BITS;
        let slot = &self.0[hash as usize % SLOTS];
        let seen = slot.load(Relaxed);
        let count = match seen >> COUNT_BITS << COUNT_BITS == name {
            true => (seen & ((1 << COUNT_BITS) - 1)).saturating_add(1).min((1 << COUNT_BITS) - 1),
            false => 1,
        };
        slot.store(name | count, Relaxed);
        count as u32
    }
}
