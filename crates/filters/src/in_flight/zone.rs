//! Counts by keys. They are the process's: all workers count together, and a reload goes on with them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// All zones that a filter of some snapshot counts in.
static ZONES: Mutex<Vec<Weak<Zone>>> = Mutex::new(Vec::new());

/// Counts that have a name.
pub(super) struct Zone {
    name: Arc<str>,
    keys_max: AtomicUsize,
    counts: Mutex<HashMap<Box<[u8]>, u32>>,
}

/// One that counts in a zone, for as long as it lives.
pub(super) struct Place {
    zone: Arc<Zone>,
    key: Box<[u8]>,
}

/// The zone of that name; it has room for so many keys from here on.
pub(super) fn of(name: &str, keys_max: usize) -> Arc<Zone> {
    let mut zones = ZONES.lock().unwrap_or_else(PoisonError::into_inner);
    zones.retain(|zone| zone.strong_count() > 0);
    if let Some(zone) = zones.iter().filter_map(Weak::upgrade).find(|zone| *zone.name == *name) {
        zone.keys_max.store(keys_max, Ordering::Relaxed);
        return zone;
    }
    let (keys_max, counts) = (AtomicUsize::new(keys_max), Mutex::default());
    let zone = Arc::new(Zone { name: name.into(), keys_max, counts });
    zones.push(Arc::downgrade(&zone));
    zone
}

impl Zone {
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A place, unless the key has `max` of them or is one too many.
    pub(super) fn enter(self: &Arc<Self>, key: &[u8], max: u32) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = counts.len() >= self.keys_max.load(Ordering::Relaxed);
        match counts.get_mut(key) {
            Some(count) if *count >= max => return None,
            Some(count) => *count += 1,
            None if is_full => return None,
            None => drop(counts.insert(key.into(), 1)),
        }
        Some(Place { zone: self.clone(), key: key.into() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.zone.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}
