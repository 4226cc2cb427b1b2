//! One endpoint: what is configured of it, and what all workers count together.

use crate::address::EndpointAddr;
use crate::health::{Change, Health, HealthRule, Outcome};
use crate::times::Times;
use md5::{Digest, Md5};
use std::ops::Deref;

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What is configured of an endpoint, its name resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSpec {
    /// What to connect to.
    pub address: EndpointAddr,
    /// As configured: `10.0.1.10:3000`, `app.local:3000`. Several endpoints share it where a name has
    /// several addresses.
    pub name: Box<str>,
    /// Share of the requests, relative to the others'. 0 counts as 1.
    pub weight: u32,
    /// Serves only when no primary can.
    pub backup: bool,
    /// Never serves.
    pub down: bool,
    /// Requests (HTTP) or connections (layer 4) at one time, all workers together; 0: any number.
    pub max_conns: u32,
    /// Failures that take it out; 0: none do.
    pub max_fails: u32,
    /// How long failures count, and how long it is out.
    pub fail_timeout: Duration,
    /// Takes only requests that belong to it (sticky sessions).
    pub drain: bool,
    /// How long it gets less than its share after it came back; zero: not at all.
    pub slow_start: Duration,
    /// What the policy `ketama` knows it by, where that is not `name`.
    pub hash_name: Option<Box<str>>,
    /// What sticky sessions know it by; a hash of the address where nothing is said.
    pub route: Option<Box<str>>,
}

impl EndpointSpec {
    /// nginx's default.
    pub const MAX_FAILS: u32 = 1;
    /// nginx's default.
    pub const FAIL_TIMEOUT: Duration = Duration::from_secs(10);

    /// An endpoint with all defaults, named by its address.
    pub fn new(address: EndpointAddr) -> Self {
        Self {
            name: address.to_string().into(),
            address,
            weight: 1,
            backup: false,
            down: false,
            max_conns: 0,
            max_fails: Self::MAX_FAILS,
            fail_timeout: Self::FAIL_TIMEOUT,
            drain: false,
            slow_start: Duration::ZERO,
            hash_name: None,
            route: None,
        }
    }

    /// When failures take it out.
    pub fn health_rule(&self) -> HealthRule {
        let fail_timeout_ms = u64::try_from(self.fail_timeout.as_millis()).unwrap_or(u64::MAX);
        HealthRule { max_fails: self.max_fails, fail_timeout_ms }
    }
}

/// One endpoint. Shared by all workers; its fields are those of [`EndpointSpec`].
#[derive(Debug)]
pub struct Endpoint {
    spec: EndpointSpec,
    label: Arc<str>,
    sticky_id: OnceLock<Box<str>>,
    /// Counters, which outlive this endpoint when a reload changes its settings.
    state: Arc<EndpointState>,
}

impl Endpoint {
    /// An endpoint that counts in `state`.
    pub(crate) fn new(spec: EndpointSpec, state: Arc<EndpointState>) -> Arc<Self> {
        let label = spec.address.to_string().into();
        Arc::new(Self { label, sticky_id: OnceLock::new(), spec, state })
    }

    /// What is configured.
    pub fn spec(&self) -> &EndpointSpec {
        &self.spec
    }

    /// Its address as logs name it, shared so that a record costs no copy.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// What sticky sessions know it by: `route`, else as nginx the MD5 of the address in hexadecimal.
    pub fn sticky_id(&self) -> &str {
        self.sticky_id.get_or_init(|| match &self.spec.route {
            Some(route) => route.clone(),
            None => {
                let digest = Md5::digest(self.label.as_bytes());
                digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
            }
        })
    }

    /// What the policy `ketama` knows it by.
    pub fn hash_name(&self) -> &str {
        self.spec.hash_name.as_deref().unwrap_or(&self.spec.name)
    }

    /// What is counted.
    pub fn state(&self) -> &Arc<EndpointState> {
        &self.state
    }

    /// Notes how an attempt ended. Use [`crate::Cluster::report`], which knows when the endpoint is the
    /// only one.
    pub(crate) fn report(&self, outcome: Outcome, now_ms: u64) -> Change {
        if outcome == Outcome::Failure {
            self.state.load.0.failures.fetch_add(1, Relaxed);
        }
        self.state.health.0.report(self.spec.health_rule(), outcome, now_ms)
    }

    /// As [`Endpoint::report`] for the only endpoint of a cluster: counted, but never out.
    pub(crate) fn report_sole(&self, outcome: Outcome) {
        if outcome == Outcome::Failure {
            self.state.load.0.failures.fetch_add(1, Relaxed);
        }
        self.state.health.0.forgive();
    }
}

impl Deref for Endpoint {
    type Target = EndpointSpec;

    fn deref(&self) -> &EndpointSpec {
        &self.spec
    }
}

/// What all workers count of an endpoint. Kept by (cluster, address, name) over reloads and DNS changes.
#[derive(Debug)]
pub struct EndpointState {
    /// Unlike its place in memory never used twice.
    id: u64,
    spoken: AtomicU8,
    /// Read on every pick, written on failures only: apart from the counters that every request writes.
    pub(crate) health: Line<Health>,
    pub(crate) load: Line<Load>,
    times: Line<Times>,
}

impl Default for EndpointState {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            spoken: AtomicU8::new(Spoken::Unknown as u8),
            health: Line::default(),
            load: Line::default(),
            times: Line::default(),
        }
    }
}

/// The version of HTTP that an endpoint speaks where it has the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// It was not asked yet.
    Unknown,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A cache line of its own: two of 64 bytes, which x86 fetches in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Line<T>(pub(crate) T);

/// Counters that every request writes.
#[derive(Debug, Default)]
pub(crate) struct Load {
    active: AtomicU32,
    requests: AtomicU64,
    failures: AtomicU64,
    /// Sum of the times at which what is under way began, in ms, and how much of it noted one.
    starts_ms: AtomicU64,
    started: AtomicU32,
}

impl EndpointState {
    /// A number that no other endpoint of this process has or will have: what is kept for this one
    /// (connections) never falls to another that comes in its place.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it has chosen by ALPN last.
    pub fn spoken(&self) -> Spoken {
        [Spoken::Http1, Spoken::Http2]
            .into_iter()
            .find(|spoken| *spoken as u8 == self.spoken.load(Relaxed))
            .unwrap_or(Spoken::Unknown)
    }

    /// Notes what it has chosen by ALPN.
    pub fn note_spoken(&self, spoken: Spoken) {
        self.spoken.store(spoken as u8, Relaxed);
    }

    /// Requests or connections under way.
    #[inline]
    pub fn active(&self) -> u32 {
        self.load.0.active.load(Relaxed)
    }

    /// Requests sent there so far, tries that failed included.
    pub fn requests(&self) -> u64 {
        self.load.0.requests.load(Relaxed)
    }

    /// Failures reported so far.
    pub fn failures(&self) -> u64 {
        self.load.0.failures.load(Relaxed)
    }

    /// How long its answers take; noted where [`crate::Balance::measures`] says so.
    pub fn times(&self) -> &Times {
        &self.times.0
    }

    /// How long what is under way has taken so far on average, in µs; `None` where nothing is, or where the
    /// policy does not want to know ([`crate::Policy::wants_starts`]).
    pub fn under_way_us(&self, now_ms: u64) -> Option<u64> {
        let began =
            self.load.0.starts_ms.load(Relaxed).checked_div(u64::from(self.load.0.started.load(Relaxed)))?;
        Some(now_ms.saturating_sub(began).saturating_mul(1_000))
    }

    /// Health by traffic and by checks.
    pub fn health(&self) -> &Health {
        &self.health.0
    }
}

/// One request or connection under way to an endpoint, counted from creation to drop.
#[derive(Debug)]
pub struct Active {
    endpoint: Arc<Endpoint>,
    /// The cluster's count too, where its policy looks at that.
    total: Option<Arc<AtomicU32>>,
    /// When it began, where the policy looks at that.
    started_ms: Option<u64>,
}

impl Active {
    /// Counts one more at `endpoint`; `None` where that would be more than its `max_conns`. `total`, if
    /// given, counts it too.
    #[inline]
    pub fn begin(endpoint: &Arc<Endpoint>, total: Option<&Arc<AtomicU32>>) -> Option<Self> {
        let active = &endpoint.state.load.0.active;
        let before = active.fetch_add(1, Relaxed);
        if endpoint.max_conns != 0 && before >= endpoint.max_conns {
            active.fetch_sub(1, Relaxed);
            return None;
        }
        if let Some(total) = total {
            total.fetch_add(1, Relaxed);
        }
        Some(Self { endpoint: endpoint.clone(), total: total.cloned(), started_ms: None })
    }

    /// Where it goes.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Notes when it began, for [`EndpointState::under_way_us`].
    pub(crate) fn start_at(&mut self, now_ms: u64) {
        self.endpoint.state.load.0.starts_ms.fetch_add(now_ms, Relaxed);
        self.endpoint.state.load.0.started.fetch_add(1, Relaxed);
        self.started_ms = Some(now_ms);
    }

    /// Counts a request of the endpoint's total.
    pub(crate) fn count(&self) {
        self.endpoint.state.load.0.requests.fetch_add(1, Relaxed);
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let load = &self.endpoint.state.load.0;
        load.active.fetch_sub(1, Relaxed);
        if let Some(started) = self.started_ms {
            load.starts_ms.fetch_sub(started, Relaxed);
            load.started.fetch_sub(1, Relaxed);
        }
        if let Some(total) = &self.total {
            total.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
