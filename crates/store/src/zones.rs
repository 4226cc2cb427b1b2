//! The zones of a process by name: for purges, people and metrics.

use crate::config::ZoneConfig;
use crate::purge::{Purge, PurgeError};
use crate::stats::{Stats, Usage};
use crate::zone::{Inner, Listed, Zone};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// Tells other nodes of a purge.
type Publish = Box<dyn Fn(&Purge) + Send + Sync>;

/// The zones of a process. A zone belongs to who opened it; here it is known as long as it lives.
#[derive(Default)]
pub struct Zones {
    map: Mutex<BTreeMap<String, Weak<Inner>>>,
    publish: OnceLock<Publish>,
}

/// Why a request about zones failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZonesError {
    /// There is none of that name.
    #[error("there is no cache {0:?}; there is {1}")]
    Unknown(String, String),
    /// There is none at all.
    #[error("no cache is configured")]
    Nothing,
    /// The purge was not taken.
    #[error(transparent)]
    Purge(#[from] PurgeError),
}

impl Zones {
    /// Opens a zone; see [`Zone::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, name: &str, config: &ZoneConfig) -> io::Result<Zone> {
        let zone = Zone::open(name, config)?;
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        map.retain(|_, zone| zone.strong_count() > 0);
        map.insert(name.to_owned(), Arc::downgrade(&zone.inner));
        Ok(zone)
    }

    /// Who tells other nodes of purges made here; the first one stays.
    pub fn on_purge(&self, publish: impl Fn(&Purge) + Send + Sync + 'static) {
        let _ = self.publish.set(Box::new(publish));
    }

    /// Purges here and on all other nodes. Says how many zones of this one it concerned.
    ///
    /// # Errors
    /// When there is no such zone, or it took no purge.
    pub fn purge(&self, purge: &Purge) -> Result<usize, ZonesError> {
        let count = self.apply(purge)?;
        if let Some(publish) = self.publish.get() {
            publish(purge);
        }
        Ok(count)
    }

    /// Purges here only: what another node has told.
    ///
    /// # Errors
    /// As for [`Zones::purge`].
    pub fn apply(&self, purge: &Purge) -> Result<usize, ZonesError> {
        let zones = self.named(purge.zone.as_deref())?;
        for zone in &zones {
            zone.purge(&purge.what, purge.mode)?;
        }
        Ok(zones.len())
    }

    /// Waits until purges so far would survive a fall of the machine.
    pub async fn flush(&self) {
        for zone in self.all() {
            zone.flush().await;
        }
    }

    /// What is stored under a URL: the zone's name and each answer.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn list_url(&self, zone: Option<&str>, url: &str) -> Result<Vec<(String, Listed)>, ZonesError> {
        let mut out = Vec::new();
        for zone in self.named(zone)? {
            out.extend(zone.list_url(url).into_iter().map(|listed| (zone.name.to_string(), listed)));
        }
        Ok(out)
    }

    /// Shows every zone's name, counters and contents.
    pub fn each(&self, mut see: impl FnMut(&str, &Stats, Usage)) {
        for zone in self.all() {
            see(&zone.name, &zone.stats, zone.usage());
        }
    }

    /// Gives all directories up for another process, see [`Zone::release`].
    pub fn release(&self) {
        self.all().iter().for_each(|zone| zone.release());
    }

    fn named(&self, name: Option<&str>) -> Result<Vec<Arc<Inner>>, ZonesError> {
        let all = self.all();
        if all.is_empty() {
            return Err(ZonesError::Nothing);
        }
        let Some(name) = name else { return Ok(all) };
        let names: Vec<&str> = all.iter().map(|zone| &*zone.name).collect();
        match all.iter().find(|zone| &*zone.name == name) {
            Some(zone) => Ok(vec![Arc::clone(zone)]),
            None => Err(ZonesError::Unknown(name.to_owned(), names.join(", "))),
        }
    }

    fn all(&self) -> Vec<Arc<Inner>> {
        let map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        map.values().filter_map(Weak::upgrade).filter(|zone| !zone.is_stopped()).collect()
    }
}

impl std::fmt::Debug for Zones {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all().iter().map(|zone| &zone.name)).finish()
    }
}

#[cfg(test)]
mod tests;
