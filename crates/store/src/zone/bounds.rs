//! Bounds of a zone.

use crate::config::ZoneConfig;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};

/// Bounds that a reload may change.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    whole_max: AtomicU64,
    entries_max: AtomicUsize,
    variants_max: AtomicUsize,
    tags_max: AtomicUsize,
    inactive_s: AtomicU64,
}

impl Bounds {
    pub(super) fn set(&self, config: &ZoneConfig) {
        self.whole_max.store(config.whole_max() as u64, Relaxed);
        self.entries_max.store(config.entries_max(), Relaxed);
        self.variants_max.store(config.variants as usize, Relaxed);
        self.tags_max.store(config.tags as usize, Relaxed);
        self.inactive_s.store(config.inactive.0.as_secs(), Relaxed);
    }

    /// The largest body that is whole in memory.
    pub(crate) fn whole_max(&self) -> u64 {
        self.whole_max.load(Relaxed)
    }

    pub(super) fn entries_max(&self) -> usize {
        self.entries_max.load(Relaxed)
    }

    pub(crate) fn variants_max(&self) -> usize {
        self.variants_max.load(Relaxed)
    }

    pub(crate) fn tags_max(&self) -> usize {
        self.tags_max.load(Relaxed)
    }

    pub(crate) fn inactive_s(&self) -> u64 {
        self.inactive_s.load(Relaxed)
    }
}
