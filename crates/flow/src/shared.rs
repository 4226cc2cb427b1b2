//! What outlives a snapshot and is shared by all workers, kept by name.

use crate::cache;
use crate::lookup::Lookups;
use crate::snapshot::Snapshot;
use crate::sticky::Sessions;
use arc_swap::ArcSwapOption;
use bifrons_balance::SharedEndpoints;
use bifrons_cache::CacheZones;
use bifrons_http::pool::Board;
use bifrons_observe::access::AccessLogger;
use bifrons_observe::errors::ErrorOutputs;
use bifrons_observe::metrics::Registry;
use bifrons_store::Zones;
use bifrons_tls::Store;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The process's state.
pub struct Shared {
    snapshot: ArcSwapOption<Snapshot>,
    generation: AtomicU64,
    /// Endpoints by cluster name.
    pub clusters: Mutex<HashMap<String, Arc<SharedEndpoints>>>,
    /// Counters by listener name.
    pub listeners: Mutex<HashMap<String, Arc<ListenerState>>>,
    /// Sessions that were learnt, by cluster name.
    pub sessions: Mutex<HashMap<String, Arc<Sessions>>>,
    /// Zones of stored answers.
    pub caches: CacheZones,
    /// Where workers ask for names.
    pub lookups: Lookups,
    /// Metrics.
    pub metrics: Arc<Registry>,
    /// Files, certificates, keys of tickets and sessions.
    pub tls: Arc<Store>,
    /// Caches' zones by name, as purges and people ask for them.
    pub zones: Arc<Zones>,
    /// Access log.
    pub access: AccessLogger,
    /// Error logs of hosts and routes.
    pub errors: ErrorOutputs,
    /// Serial number of the next connection.
    pub serial: AtomicU64,
    /// Whether the process is about to end: connections close after their request.
    pub draining: AtomicBool,
    /// Which worker keeps idle connections to which endpoint.
    pub idle: Arc<Board>,
    /// Random name of this process in `Via`.
    pub instance: String,
    epoch: Instant,
}

impl Shared {
    /// Without a snapshot yet.
    pub fn new(metrics: Arc<Registry>, access: AccessLogger, tls: Arc<Store>) -> Arc<Self> {
        let shared = Arc::new(Self {
            snapshot: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            clusters: Mutex::default(),
            listeners: Mutex::default(),
            sessions: Mutex::default(),
            caches: CacheZones::default(),
            lookups: Lookups::default(),
            metrics,
            tls,
            zones: Arc::default(),
            access,
            errors: ErrorOutputs::default(),
            serial: AtomicU64::new(1),
            draining: AtomicBool::new(false),
            idle: Arc::default(),
            instance: format!("bifrons-{:08x}", fastrand::u32(..)),
            epoch: Instant::now(),
        });
        let known = Arc::downgrade(&shared);
        shared.zones.on_request(move |purge, inputs| {
            known.upgrade().map_or(Ok(0), |shared| cache::purge_told(&shared, purge, inputs))
        });
        shared
    }

    /// Puts a snapshot in place; workers take it up with their next request.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.caches.take(&snapshot.caches, &self.zones);
        self.snapshot.store(Some(snapshot));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The current snapshot, if there is one yet.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Grows with every snapshot.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Milliseconds of the clock that all workers share.
    pub fn now_ms(&self) -> u64 {
        self.epoch.elapsed().as_millis() as u64
    }

    /// The same for an instant at hand.
    pub fn ms_at(&self, now: tokio::time::Instant) -> u64 {
        now.into_std().saturating_duration_since(self.epoch).as_millis() as u64
    }

    /// The counters of a listener, made when it first appears.
    pub fn listener_state(&self, name: &str) -> Arc<ListenerState> {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.entry(name.to_owned()).or_default().clone()
    }

    /// Whether the process is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Connections of a listener, over all workers.
#[derive(Debug, Default)]
pub struct ListenerState {
    active: AtomicU32,
    handshakes: AtomicU32,
    /// When the next handshake could begin at the listener's rate, in nanoseconds of the process's clock.
    next_handshake: AtomicU64,
    by_address: Mutex<HashMap<IpAddr, u32>>,
}

/// Why a connection was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The listener is full.
    Total,
    /// The address has too many.
    PerAddress,
}

impl ListenerState {
    /// Connections at this moment.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    /// Counts a connection for as long as the guard lives.
    ///
    /// # Errors
    /// Which limit is reached.
    pub fn enter(
        self: &Arc<Self>,
        ip: Option<IpAddr>,
        total_max: u32,
        per_address_max: u32,
    ) -> Result<Admitted, Refused> {
        if self.active.fetch_add(1, Ordering::Relaxed) >= total_max {
            self.active.fetch_sub(1, Ordering::Relaxed);
            return Err(Refused::Total);
        }
        let key = ip.filter(|_| per_address_max > 0).map(network_of);
        if let Some(key) = key {
            let mut addresses = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            let count = addresses.entry(key).or_default();
            if *count >= per_address_max {
                drop(addresses);
                self.active.fetch_sub(1, Ordering::Relaxed);
                return Err(Refused::PerAddress);
            }
            *count += 1;
        }
        Ok(Admitted { state: self.clone(), key })
    }
}

impl ListenerState {
    /// Counts a handshake for as long as the guard lives; `None` where there are too many at once, or in a
    /// second.
    pub fn begin_handshake(self: &Arc<Self>, max: u32, rate: u32) -> Option<HandshakeShare> {
        let before = self.handshakes.fetch_add(1, Ordering::Relaxed);
        let share = HandshakeShare(self.clone());
        let is_refused =
            max > 0 && before >= max || rate > 0 && !self.keeps_rate(rate, bifrons_net::clock::read());
        (!is_refused).then_some(share)
    }

    /// Whether one more keeps the rate, a second's worth at once (GCRA).
    fn keeps_rate(&self, rate: u32, now: tokio::time::Instant) -> bool {
        static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        let epoch = *EPOCH.get_or_init(|| now.into_std());
        let now = now.into_std().saturating_duration_since(epoch).as_nanos() as u64;
        let step = 1_000_000_000 / u64::from(rate);
        let next = |due: u64| {
            let due = due.max(now);
            (due < now + 1_000_000_000).then_some(due + step)
        };
        self.next_handshake.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// A counted handshake.
#[derive(Debug)]
pub struct HandshakeShare(Arc<ListenerState>);

impl Drop for HandshakeShare {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client is an IPv4 address or an IPv6 /64, which is what one customer gets at least.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let bits = u128::from(ip) & (u128::MAX << 64);
            IpAddr::V6(bits.into())
        }
        ip => ip,
    }
}

/// A counted connection.
#[derive(Debug)]
pub struct Admitted {
    state: Arc<ListenerState>,
    key: Option<IpAddr>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.state.active.fetch_sub(1, Ordering::Relaxed);
        if let Some(key) = self.key {
            let mut addresses = self.state.by_address.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = addresses.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    addresses.remove(&key);
                }
            }
        }
    }
}
