//! What a zone does beside: sweeping what is purged, expired or unused; snapshots of the index.

use super::Inner;
use crate::disk::{is_due, snapshot};
use crate::index::Entry;
use crate::purge::Verdict;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// How often it looks for what is due without being asked: what is unused goes a few seconds late.
const EVERY: Duration = Duration::from_secs(5);

/// Until the zone ends.
pub(super) fn run(zone: &Inner) {
    while !zone.is_stopped() {
        let woken = zone.wake.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = zone.wake.1.wait_timeout_while(woken, EVERY, |woken| !*woken);
        let (mut woken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *woken = false;
        drop(woken);
        if zone.is_stopped() {
            return;
        }
        sweep(zone, zone.now_s());
        if let Some(disk) = zone.disk.as_ref().filter(|disk| is_due(disk))
            && let Err(error) = snapshot(zone, disk)
        {
            zone.stats.write_errors.one();
            zone.complain("the index of the cache could not be written", Some(&error));
        }
    }
}

/// Why an entry goes.
enum Why {
    Purged,
    Expired,
}

/// Removes what is purged or expired; purges that all entries were compared with are then forgotten.
pub(super) fn sweep(zone: &Inner, now_s: u64) {
    // Before the sweep: a purge that comes meanwhile is of the next.
    let newest = zone.purges.newest();
    let oldest = zone.numbers.oldest();
    let inactive_s = zone.bounds.inactive_s();
    for shard in 0..zone.index.shards() {
        let mut out: Vec<(Arc<Entry>, Why)> = Vec::new();
        zone.index.each_of(shard, |entry| {
            let unused = u64::from(entry.used_s.load(Relaxed)).saturating_add(inactive_s) < now_s;
            let useless = entry.keep_until_s < now_s;
            if entry.judge(&zone.purges) == Verdict::Gone {
                out.push((Arc::clone(entry), Why::Purged));
            } else if unused || useless {
                out.push((Arc::clone(entry), Why::Expired));
            }
        });
        for (entry, why) in out {
            match why {
                Why::Purged => zone.stats.purged.one(),
                Why::Expired => zone.stats.expired.one(),
            }
            zone.remove(&entry);
        }
    }
    // Answers that were asked for before a purge may still come.
    let restored = zone.disk.as_ref().is_none_or(|disk| disk.is_ready());
    if newest > 0 && restored {
        zone.swept(newest.min(oldest.saturating_sub(1)));
    }
}
