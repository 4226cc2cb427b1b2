//! What a zone counts.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// Counters of a zone since its start. Written by threads of the store, and by workers on a miss.
#[derive(Debug, Default)]
pub struct Stats {
    /// Answers stored, in memory or on disk; bodies in another coding are one each.
    pub stored: Counter,
    /// Bodies that were found in the coding that a client wanted.
    pub coded_hits: Counter,
    /// Answers found in memory.
    pub memory_hits: Counter,
    /// Answers read from disk.
    pub disk_hits: Counter,
    /// Answers that memory gave up; those on disk stay there.
    pub memory_evictions: Counter,
    /// Answers that the disk gave up for room.
    pub disk_evictions: Counter,
    /// Answers removed because nobody had asked for them, or nobody could use them any more.
    pub expired: Counter,
    /// Answers removed by purges.
    pub purged: Counter,
    /// Answers not written to disk because too much waited.
    pub dropped: Counter,
    /// Reads not made because too many waited.
    pub reads_refused: Counter,
    /// Errors of reading from disk.
    pub read_errors: Counter,
    /// Errors of writing to disk, a full one included.
    pub write_errors: Counter,
    /// Records that were not what was written.
    pub corrupt: Counter,
    /// Bytes written to disk.
    pub written_bytes: Counter,
    /// Bytes read from disk.
    pub read_bytes: Counter,
}

/// A number that grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// So far.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    /// One more.
    pub fn one(&self) {
        self.add(1);
    }
}

/// What is in a zone at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Stored answers.
    pub entries: u64,
    /// Bytes in memory.
    pub memory_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Bytes that wait to be written.
    pub waiting_bytes: u64,
    /// Purges that wait for the sweep.
    pub purges: u64,
    /// Whether the disk tier takes part.
    pub disk_ready: bool,
}
