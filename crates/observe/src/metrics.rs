//! Counters, gauges and histograms, and their text for Prometheus.
//!
//! Each worker counts in a [`Shard`] of its own, which no other thread writes: an addition is a load and a
//! store, without contention. Reading sums the shards. What is counted is registered while a snapshot is
//! built: a family and its labels give an index, the same one again after a reload.

pub mod family;
pub mod shard;
pub mod stats;
pub mod text;

use indexmap::IndexMap;
use shard::{CHUNK_SLOTS, Slots};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

pub use family::{FAMILIES, Family, Metric};
pub use shard::{Counter, Gauge, Histogram, Shard};
pub use stats::{
    CacheResult, CacheStats, ClusterStats, DatagramStats, Dropped, Handshake, ListenerStats, Refusal,
    RouteLabels, RouteStats,
};
pub use text::{CONTENT_TYPE, Exposition, Type};

/// 100,000 series: what a Prometheus server takes from one target without complaint, and 16 MB of text. What
/// is registered beyond is counted in one series a family, whose labels say `other`.
pub const SERIES_MAX: usize = 100_000;

/// 256 bytes: a host name has at most 253 (RFC 1035 2.3.4); longer values are cut.
const LABEL_BYTES_MAX: usize = 256;

/// The value of every label of the series that counts what found no room.
const OTHER: &str = "other";

/// Everything that is counted. One a process.
pub struct Registry {
    state: Mutex<State>,
    /// By worker.
    shards: Mutex<Vec<Arc<Slots>>>,
    /// What threads other than the workers count.
    control: Arc<Slots>,
    collectors: Mutex<Vec<Collector>>,
    process: Process,
}

/// Writes families of its own.
type Collector = Box<dyn Fn(&mut Exposition) + Send + Sync>;

struct State {
    /// In the order of [`FAMILIES`]: labels as text to slot.
    series: Vec<IndexMap<Box<str>, u32>>,
    count: usize,
    next_slot: u32,
    config_hash: Option<String>,
}

/// Series that every process has.
struct Process {
    panics: Counter,
    reloads: Counter,
    failed_reloads: Counter,
    reload_time: Gauge,
    reload_successful: Gauge,
}

impl Registry {
    /// With the process's own series; `now` is its start.
    pub fn new(now: SystemTime) -> Arc<Self> {
        let series = FAMILIES.iter().map(|_| IndexMap::new()).collect();
        let mut state = State { series, count: 0, next_slot: 0, config_hash: None };
        let process = Process {
            panics: Counter(state.slot(Metric::Panics, &[])),
            reloads: Counter(state.slot(Metric::Reloads, &["ok"])),
            failed_reloads: Counter(state.slot(Metric::Reloads, &["failed"])),
            reload_time: Gauge(state.slot(Metric::ReloadTime, &[])),
            reload_successful: Gauge(state.slot(Metric::ReloadSuccessful, &[])),
        };
        let build = Gauge(state.slot(Metric::BuildInfo, &[env!("CARGO_PKG_VERSION")]));
        let started = Gauge(state.slot(Metric::StartTime, &[]));
        let registry = Self {
            state: Mutex::new(state),
            shards: Mutex::default(),
            control: Arc::new(Slots::new()),
            collectors: Mutex::default(),
            process,
        };
        registry.set(build, 1);
        registry.set(started, unix_seconds(now));
        Arc::new(registry)
    }

    /// The counter with these labels, in the order of the family's; the same one for the same labels.
    pub fn counter(&self, metric: Metric, labels: &[&str]) -> Counter {
        debug_assert_eq!(metric.family().kind, Type::Counter);
        Counter(lock(&self.state).slot(metric, labels))
    }

    /// As [`Registry::counter`]. Its value is the sum of what every worker has set.
    pub fn gauge(&self, metric: Metric, labels: &[&str]) -> Gauge {
        debug_assert_eq!(metric.family().kind, Type::Gauge);
        Gauge(lock(&self.state).slot(metric, labels))
    }

    /// As [`Registry::counter`].
    pub fn histogram(&self, metric: Metric, labels: &[&str]) -> Histogram {
        debug_assert_eq!(metric.family().kind, Type::Histogram);
        Histogram(lock(&self.state).slot(metric, labels))
    }

    /// The shard of a worker, also where a worker of that index ran before. Only one thread at a time may
    /// count in it.
    pub fn shard(&self, worker: usize) -> Shard {
        let mut shards = lock(&self.shards);
        while shards.len() <= worker {
            shards.push(Arc::new(Slots::new()));
        }
        Shard::new(shards.get(worker).map_or_else(|| Arc::clone(&self.control), Arc::clone))
    }

    /// Adds from any thread that is no worker.
    pub fn add(&self, counter: Counter, count: u64) {
        if let Some(slot) = self.control.slot(counter.0) {
            slot.fetch_add(count, Relaxed);
        }
    }

    /// Sets the share of a gauge that is no worker's.
    pub fn set(&self, gauge: Gauge, value: i64) {
        if let Some(slot) = self.control.slot(gauge.0) {
            slot.store(value.cast_unsigned(), Relaxed);
        }
    }

    /// Counts a panic that was caught.
    pub fn panicked(&self) {
        self.add(self.process.panics, 1);
    }

    /// Takes note of the configuration that now runs: the first one, or one after a reload.
    pub fn reloaded(&self, config_hash: &str, now: SystemTime) {
        lock(&self.state).config_hash = Some(config_hash.to_owned());
        self.add(self.process.reloads, 1);
        self.set(self.process.reload_time, unix_seconds(now));
        self.set(self.process.reload_successful, 1);
    }

    /// Counts a configuration that was refused.
    pub fn reload_failed(&self) {
        self.add(self.process.failed_reloads, 1);
        self.set(self.process.reload_successful, 0);
    }

    /// What all series of a family count together; of a counter or gauge.
    pub fn total(&self, metric: Metric) -> i64 {
        debug_assert_ne!(metric.family().kind, Type::Histogram);
        let slots: Vec<u32> = match lock(&self.state).series.get(metric as usize) {
            Some(series) => series.values().copied().collect(),
            None => Vec::new(),
        };
        let mut shards: Vec<Arc<Slots>> = lock(&self.shards).clone();
        shards.push(Arc::clone(&self.control));
        let values = shards.iter().flat_map(|shard| slots.iter().filter_map(|slot| shard.read(*slot)));
        values.fold(0_u64, u64::wrapping_add).cast_signed()
    }

    /// Has `collect` add families of its own to every [`Registry::render`].
    pub fn on_render(&self, collect: impl Fn(&mut Exposition) + Send + Sync + 'static) {
        lock(&self.collectors).push(Box::new(collect));
    }

    /// Everything in Prometheus's text format, of the type [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut shards: Vec<Arc<Slots>> = lock(&self.shards).clone();
        shards.push(Arc::clone(&self.control));
        let sum = |slot: u32| {
            let values = shards.iter().filter_map(|shard| shard.read(slot));
            values.fold(0_u64, u64::wrapping_add)
        };
        let mut out = Exposition::default();
        let state = lock(&self.state);
        for (family, series) in FAMILIES.iter().zip(&state.series) {
            render_family(family, series, &sum, &mut out);
        }
        if let Some(hash) = &state.config_hash {
            let name = "bifrons_config_info";
            out.family(name, "The running configuration, by a hash of it.", Type::Gauge);
            out.sample(name, &[("hash", hash)], 1);
        }
        drop(state);
        for collect in &*lock(&self.collectors) {
            collect(&mut out);
        }
        out.finish()
    }
}

impl State {
    /// The slot of a series, or of the family's series for all that found no room.
    fn slot(&mut self, metric: Metric, labels: &[&str]) -> u32 {
        let family = metric.family();
        debug_assert_eq!(family.labels.len(), labels.len(), "{}", family.name);
        let mut key = label_text(family, labels);
        let full = self.count >= SERIES_MAX;
        let Some(series) = self.series.get_mut(metric as usize) else { return 0 };
        if let Some(&slot) = series.get(key.as_str()) {
            return slot;
        }
        if full {
            key = label_text(family, &vec![OTHER; family.labels.len()]);
            if let Some(&slot) = series.get(key.as_str()) {
                return slot;
            }
        }
        let slots = family.kind.slots();
        // A series never lies across two chunks.
        let left = CHUNK_SLOTS - self.next_slot % CHUNK_SLOTS;
        let slot = if slots > left { self.next_slot + left } else { self.next_slot };
        self.next_slot = slot + slots;
        self.count += 1;
        series.insert(key.into(), slot);
        slot
    }
}

/// `name="value",…` of a series.
fn label_text(family: &Family, values: &[&str]) -> String {
    let pairs: Vec<(&str, &str)> = family
        .labels
        .iter()
        .zip(values)
        .map(|(name, value)| (*name, &value[..value.floor_char_boundary(LABEL_BYTES_MAX)]))
        .collect();
    text::labels(&pairs)
}

fn render_family(
    family: &Family,
    series: &IndexMap<Box<str>, u32>,
    sum: &impl Fn(u32) -> u64,
    out: &mut Exposition,
) {
    let mut begun = false;
    for (labels, &slot) in series {
        let slots: Vec<u64> = (slot..slot + family.kind.slots()).map(sum).collect();
        if family.sparse && slots.iter().all(|&value| value == 0) {
            continue;
        }
        if !std::mem::replace(&mut begun, true) {
            out.family(family.name, family.help, family.kind);
        }
        match family.kind {
            Type::Counter => out.line(family.name, "", labels, slots[0]),
            Type::Gauge => out.line(family.name, "", labels, slots[0].cast_signed()),
            Type::Histogram => out.histogram(family.name, labels, &slots),
        }
    }
}

fn unix_seconds(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs().cast_signed()
}

/// A thread that panicked while it held the lock has left nothing half done that matters here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
