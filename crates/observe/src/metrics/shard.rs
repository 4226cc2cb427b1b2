//! One worker's values.

use super::SERIES_MAX;
use super::text::HISTOGRAM_SLOTS;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Index of a counter, the same in every shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter(pub(super) u32);

/// Index of a gauge, the same in every shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge(pub(super) u32);

/// Index of a histogram's first slot, the same in every shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram(pub(super) u32);

/// 1,024 slots, 8 KiB: the step by which a shard grows.
pub(super) const CHUNK_SLOTS: u32 = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 10;

/// Enough for [`SERIES_MAX`] histograms and the `other` series, with the end of every chunk unused.
const CHUNKS: usize = (SERIES_MAX + 64) / (CHUNK_SLOTS as usize / HISTOGRAM_SLOTS) + 1;

type Chunk = [AtomicU64; CHUNK_SLOTS as usize];

/// The values of all series. Chunks are made by the first thread that writes to them; readers take no lock.
pub(super) struct Slots {
    chunks: Box<[OnceLock<Box<Chunk>>]>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect() }
    }

    /// The slot of that index; `None` beyond what [`super::Registry`] gives out.
    pub(super) fn slot(&self, index: u32) -> Option<&AtomicU64> {
        let chunk = self.chunks.get((index >> CHUNK_BITS) as usize)?.get_or_init(new_chunk);
        chunk.get((index % CHUNK_SLOTS) as usize)
    }

    /// The value at that index, where something was ever written near it.
    pub(super) fn read(&self, index: u32) -> Option<u64> {
        let chunk = self.chunks.get((index >> CHUNK_BITS) as usize)?.get()?;
        Some(chunk.get((index % CHUNK_SLOTS) as usize)?.load(Relaxed))
    }
}

#[cold]
fn new_chunk() -> Box<Chunk> {
    Box::new([const { AtomicU64::new(0) }; CHUNK_SLOTS as usize])
}

/// One worker's hold on its values. It may move to a thread but is not shared by threads, so a load and a
/// store make an addition.
pub struct Shard {
    slots: Arc<Slots>,
    /// Takes `Sync` away.
    one_thread: PhantomData<Cell<()>>,
}

impl Shard {
    pub(super) fn new(slots: Arc<Slots>) -> Self {
        Self { slots, one_thread: PhantomData }
    }

    /// Counts.
    #[inline]
    pub fn add(&self, counter: Counter, count: u64) {
        self.bump(counter.0, count);
    }

    /// Counts one.
    #[inline]
    pub fn inc(&self, counter: Counter) {
        self.bump(counter.0, 1);
    }

    /// Moves this worker's share of a gauge up or down.
    #[inline]
    pub fn shift(&self, gauge: Gauge, by: i64) {
        self.bump(gauge.0, by.cast_unsigned());
    }

    /// Sets this worker's share of a gauge.
    #[inline]
    pub fn set(&self, gauge: Gauge, value: i64) {
        if let Some(slot) = self.slots.slot(gauge.0) {
            slot.store(value.cast_unsigned(), Relaxed);
        }
    }

    /// Counts a span in its bucket.
    #[inline]
    pub fn observe(&self, histogram: Histogram, span: Duration) {
        let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let bucket = super::text::BUCKETS_US.partition_point(|&bound| bound < us);
        self.bump(histogram.0 + bucket as u32, 1);
        self.bump(histogram.0 + HISTOGRAM_SLOTS as u32 - 1, us);
    }

    /// Wraps, as counters do; and a gauge's shift is a wrapping addition.
    #[inline]
    fn bump(&self, index: u32, by: u64) {
        if let Some(slot) = self.slots.slot(index) {
            slot.store(slot.load(Relaxed).wrapping_add(by), Relaxed);
        }
    }
}
