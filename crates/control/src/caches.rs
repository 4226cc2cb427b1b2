//! Caches seen from outside the way of requests: their metrics.

use bifrons_observe::Exposition;
use bifrons_observe::metrics::Type;
use bifrons_store::{Stats, Usage, Zones};

/// A zone at a moment.
struct Seen {
    name: String,
    usage: Usage,
    counts: [u64; COUNTERS.len()],
}

/// Name, meaning and value of a counter.
type Count = (&'static str, &'static str, fn(&Stats) -> u64);

#[rustfmt::skip]
const COUNTERS: [Count; 15] = [
    ("bifrons_cache_stored_total", "Answers stored.", |stats| stats.stored.value()),
    ("bifrons_cache_coded_hits_total", "Bodies found in the coding that a client wanted (`compress`).", |stats| stats.coded_hits.value()),
    ("bifrons_cache_memory_hits_total", "Answers found in memory.", |stats| stats.memory_hits.value()),
    ("bifrons_cache_disk_hits_total", "Answers read from disk.", |stats| stats.disk_hits.value()),
    ("bifrons_cache_memory_evictions_total", "Answers that memory gave up for others.", |stats| stats.memory_evictions.value()),
    ("bifrons_cache_disk_evictions_total", "Answers given up for room on disk or for their number.", |stats| stats.disk_evictions.value()),
    ("bifrons_cache_expired_total", "Answers removed because nobody asked for them or could use them.", |stats| stats.expired.value()),
    ("bifrons_cache_purged_total", "Answers removed by purges.", |stats| stats.purged.value()),
    ("bifrons_cache_dropped_total", "Answers not written to disk because too much waited.", |stats| stats.dropped.value()),
    ("bifrons_cache_reads_refused_total", "Reads not made because too many waited.", |stats| stats.reads_refused.value()),
    ("bifrons_cache_read_errors_total", "Errors of reading from disk.", |stats| stats.read_errors.value()),
    ("bifrons_cache_write_errors_total", "Errors of writing to disk, a full one included.", |stats| stats.write_errors.value()),
    ("bifrons_cache_corrupt_total", "Records on disk that were not what was written, and were dropped.", |stats| stats.corrupt.value()),
    ("bifrons_cache_written_bytes_total", "Bytes written to disk.", |stats| stats.written_bytes.value()),
    ("bifrons_cache_read_bytes_total", "Bytes read from disk.", |stats| stats.read_bytes.value()),
];

/// Name, meaning and value of a gauge.
type Level = (&'static str, &'static str, fn(&Usage) -> u64);

#[rustfmt::skip]
const GAUGES: [Level; 6] = [
    ("bifrons_cache_entries", "Stored answers.", |usage| usage.entries),
    ("bifrons_cache_memory_bytes", "Bytes of answers in memory.", |usage| usage.memory_bytes),
    ("bifrons_cache_disk_bytes", "Bytes of the cache's files.", |usage| usage.disk_bytes),
    ("bifrons_cache_waiting_bytes", "Bytes that wait to be written to disk.", |usage| usage.waiting_bytes),
    ("bifrons_cache_purges_pending", "Purges that are in force and not yet swept.", |usage| usage.purges),
    ("bifrons_cache_disk_ready", "1 where the disk takes part, 0 where there is none or its index is still read.", |usage| usage.disk_ready.into()),
];

/// Writes the families of all zones.
pub fn expose(zones: &Zones, out: &mut Exposition) {
    let mut seen = Vec::new();
    zones.each(|name, stats, usage| {
        let counts = COUNTERS.map(|(_, _, value)| value(stats));
        seen.push(Seen { name: name.to_owned(), usage, counts });
    });
    if seen.is_empty() {
        return;
    }
    for (at, (name, help, _)) in COUNTERS.iter().enumerate() {
        out.family(name, help, Type::Counter);
        for zone in &seen {
            out.sample(name, &[("zone", &zone.name)], zone.counts[at]);
        }
    }
    for (name, help, value) in &GAUGES {
        out.family(name, help, Type::Gauge);
        for zone in &seen {
            out.sample(name, &[("zone", &zone.name)], value(&zone.usage));
        }
    }
}
