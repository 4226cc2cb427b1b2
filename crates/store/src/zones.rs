//! The zones of a process by name: for purges, people and metrics.

use crate::config::ZoneConfig;
use crate::purge::{KeyInputs, Purge, PurgeError, Scope};
use crate::stats::{Stats, Usage};
use crate::zone::{Inner, Listed, Zone};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// Tells other nodes of a purge.
type Publish = Box<dyn Fn(&Purge) + Send + Sync>;

/// Purges what is under the keys that routes make of a request. Says how many zones it concerned.
type ByRequest = Box<dyn Fn(&Purge, &KeyInputs) -> Result<usize, ZonesError> + Send + Sync>;

/// The zones of a process. A zone belongs to who opened it; here it is known as long as it lives.
#[derive(Default)]
pub struct Zones {
    known: Mutex<Known>,
    publish: OnceLock<Publish>,
    by_request: OnceLock<ByRequest>,
}

#[derive(Default)]
struct Known {
    /// Those of the configuration in force, by name.
    current: BTreeMap<String, Weak<Inner>>,
    /// Those that an earlier one had and somebody still uses: purges must reach them too.
    former: Vec<Weak<Inner>>,
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
    /// Opens a zone that is known by its name at once; see [`Zone::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, name: &str, config: &ZoneConfig) -> io::Result<Zone> {
        let zone = Zone::open(name, config)?;
        self.known().current.insert(name.to_owned(), Arc::downgrade(&zone.inner));
        Ok(zone)
    }

    /// Makes these the zones of the configuration in force. Others are met by purges as long as they live.
    pub fn set<'a>(&self, zones: impl Iterator<Item = (&'a str, &'a Zone)>) {
        let mut known = self.known();
        let new = zones.map(|(name, zone)| (name.to_owned(), Arc::downgrade(&zone.inner))).collect();
        let before = std::mem::replace(&mut known.current, new);
        let Known { current, former } = &mut *known;
        former.extend(before.into_values());
        former.retain(|zone| {
            zone.strong_count() > 0 && !current.values().any(|other| Weak::ptr_eq(other, zone))
        });
    }

    /// Who tells other nodes of purges made here; the first one stays.
    pub fn on_purge(&self, publish: impl Fn(&Purge) + Send + Sync + 'static) {
        let _ = self.publish.set(Box::new(publish));
    }

    /// Who knows how keys are made of requests; the first one stays.
    pub fn on_request(
        &self,
        purge: impl Fn(&Purge, &KeyInputs) -> Result<usize, ZonesError> + Send + Sync + 'static,
    ) {
        let _ = self.by_request.set(Box::new(purge));
    }

    /// Purges here and on all other nodes. Says how many zones of this one it concerned.
    ///
    /// # Errors
    /// When there is no such zone, or it took no purge.
    pub fn purge(&self, purge: &Purge) -> Result<usize, ZonesError> {
        let count = self.apply(purge)?;
        self.tell(purge);
        Ok(count)
    }

    /// Tells other nodes only: here it is done.
    pub fn tell(&self, purge: &Purge) {
        if let Some(publish) = self.publish.get() {
            publish(purge);
        }
    }

    /// Purges here only: what another node has told.
    ///
    /// # Errors
    /// As for [`Zones::purge`].
    pub fn apply(&self, purge: &Purge) -> Result<usize, ZonesError> {
        if let Scope::Request(inputs) = &purge.what {
            return self.by_request.get().map_or(Ok(0), |by_request| by_request(purge, inputs));
        }
        let zones = self.named(purge.zone.as_deref())?;
        for (_, zone) in &zones {
            zone.purge(&purge.what, purge.mode)?;
        }
        let former: Vec<_> = self.known().former.iter().filter_map(Weak::upgrade).collect();
        let is_meant = |zone: &Arc<Inner>| purge.zone.as_deref().is_none_or(|name| *zone.name() == *name);
        for zone in former.iter().filter(|zone| is_meant(zone) && !zone.is_stopped()) {
            zone.purge(&purge.what, purge.mode)?;
        }
        Ok(zones.len())
    }

    /// Waits until purges so far would survive a fall of the machine.
    pub async fn flush(&self) {
        for (_, zone) in self.all() {
            zone.flush().await;
        }
    }

    /// What is stored under a URL: the zone's name and each answer.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn list_url(&self, zone: Option<&str>, url: &str) -> Result<Vec<(String, Listed)>, ZonesError> {
        let mut out = Vec::new();
        for (name, zone) in self.named(zone)? {
            out.extend(zone.list_url(url).into_iter().map(|listed| (name.clone(), listed)));
        }
        Ok(out)
    }

    /// Shows every zone's name, counters and contents.
    pub fn each(&self, mut see: impl FnMut(&str, &Stats, Usage)) {
        for (name, zone) in self.all() {
            see(&name, &zone.stats, zone.usage());
        }
    }

    /// Gives all directories up for another process, see [`Zone::release`].
    pub fn release(&self) {
        self.all().iter().for_each(|(_, zone)| zone.release());
    }

    fn named(&self, name: Option<&str>) -> Result<Vec<(String, Arc<Inner>)>, ZonesError> {
        let mut all = self.all();
        if all.is_empty() {
            return Err(ZonesError::Nothing);
        }
        let Some(name) = name else { return Ok(all) };
        match all.iter().position(|(other, _)| other == name) {
            Some(at) => Ok(vec![all.swap_remove(at)]),
            None => {
                let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
                Err(ZonesError::Unknown(name.to_owned(), names.join(", ")))
            }
        }
    }

    fn all(&self) -> Vec<(String, Arc<Inner>)> {
        let living = |(name, zone): (&String, &Weak<Inner>)| zone.upgrade().map(|zone| (name.clone(), zone));
        let known = self.known();
        known.current.iter().filter_map(living).filter(|(_, zone)| !zone.is_stopped()).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Zones {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all().iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests;
