//! The zones of a process: those of the configuration in force, and others that a request still uses.
//!
//! A configuration that is being built takes what it needs by [`CacheZones::plan`], which changes nothing of what runs;
//! once it is in force [`CacheZones::take`] makes it so. A store belongs to all that use it and ends with the last one.

use crate::plan::CacheZone;
use bifrons_observe::metrics::{CacheStats, Registry};
use bifrons_store::{Zone, ZoneConfig, Zones};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// 1 s: what a start waits for a zone's index. One that takes longer, or that another process holds, takes part
/// later.
const READY_WAIT: Duration = Duration::from_secs(1);

/// The zones of a process.
#[derive(Debug, Default)]
pub struct CacheZones(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    current: HashMap<String, Arc<CacheZone>>,
    former: Vec<Weak<CacheZone>>,
}

/// A zone of a configuration that may come into force.
#[derive(Debug)]
pub struct PlannedZone {
    name: String,
    zone: Arc<CacheZone>,
    config: ZoneConfig,
}

impl PlannedZone {
    /// For the routes that use it.
    pub fn zone(&self) -> &Arc<CacheZone> {
        &self.zone
    }
}

impl CacheZones {
    /// The zone for that name: the one that runs, the store that another name has had in the directory, or a new one.
    /// Running ones stay as they are.
    ///
    /// # Errors
    /// When a new one can't be opened.
    pub fn plan(&self, registry: &Registry, name: &str, config: &ZoneConfig) -> io::Result<PlannedZone> {
        let path = config.path.as_deref().map(place_of);
        let planned = |zone| PlannedZone { name: name.to_owned(), zone, config: config.clone() };
        let running = self.running(name, path.as_deref());
        if let Some(zone) = running.as_ref().filter(|zone| *zone.name == *name) {
            return Ok(planned(zone.clone()));
        }
        let (store, flights) = match running {
            Some(zone) => (zone.store.clone(), zone.flights.clone()),
            None => {
                let store = Zone::open(name, config)?;
                store.wait_ready(READY_WAIT);
                (Arc::new(store), Arc::default())
            }
        };
        let stats = CacheStats::register(registry, name);
        // By now it is there, so that its name is the one that it always has.
        let path = config.path.as_deref().map(place_of);
        Ok(planned(Arc::new(CacheZone { name: name.into(), path, store, stats, flights })))
    }

    /// Makes these the zones that run: they take their bounds and names; those that are not among them end with the
    /// last request that uses them. `names` is where purges find them.
    pub fn take(&self, planned: &[PlannedZone], names: &Zones) {
        for PlannedZone { name, zone, config } in planned {
            zone.store.reconfigure(config);
            zone.store.rename(name);
        }
        names.set(planned.iter().map(|planned| (planned.name.as_str(), &*planned.zone.store)));
        let new = planned.iter().map(|planned| (planned.name.clone(), planned.zone.clone())).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut known.current, new);
        known.former.extend(before.values().map(Arc::downgrade));
        known.former.retain(|zone| zone.strong_count() > 0);
        drop(known);
        // Behind the lock: the end of a store may take a moment.
        drop(before);
    }

    /// Directories of the zones that run.
    pub fn dirs(&self) -> Vec<PathBuf> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.current.values().filter_map(|zone| zone.path.clone()).collect()
    }

    /// The zone that has the directory; without one, the zone of that name that has none either.
    fn running(&self, name: &str, path: Option<&Path>) -> Option<Arc<CacheZone>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if path.is_none() {
            return known.current.get(name).filter(|zone| zone.path.is_none()).cloned();
        }
        let former = known.former.iter().filter_map(Weak::upgrade);
        let mut all: Vec<_> = known.current.values().cloned().chain(former).collect();
        drop(known);
        all.retain(|zone| zone.path.as_deref() == path);
        let own = all.iter().position(|zone| *zone.name == *name);
        (!all.is_empty()).then(|| all.swap_remove(own.unwrap_or(0)))
    }
}

/// One name for a directory, if it is there, whatever links lead to it.
pub fn place_of(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    std::fs::canonicalize(path).unwrap_or_else(|_| path.components().collect())
}

#[cfg(test)]
mod tests;
