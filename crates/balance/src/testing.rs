//! What the tests of this crate share.

use crate::endpoint::EndpointSpec;
use crate::policies::Balance;
use crate::policy::{BuildCx, PickCx, Policy, Rng, TriedSet};
use crate::set::{EndpointSet, Rank};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

/// `10.0.x.y:80` for each number, all defaults.
pub(crate) fn spec(number: u32) -> EndpointSpec {
    let ip = Ipv4Addr::from(0x0a00_0000 + number);
    EndpointSpec::new(std::net::SocketAddr::from((ip, 80)).into())
}

/// So many endpoints with all defaults.
pub(crate) fn group_of(len: u32) -> EndpointSet {
    EndpointSet::new((0..len).map(spec).collect())
}

/// Endpoints of these weights.
pub(crate) fn weighted(weights: &[u32]) -> EndpointSet {
    let specs = weights.iter().enumerate();
    EndpointSet::new(specs.map(|(at, &weight)| EndpointSpec { weight, ..spec(at as u32) }).collect())
}

/// A policy over the primaries of a set, with what it looks at.
pub(crate) struct Table {
    pub(crate) set: EndpointSet,
    pub(crate) policy: Box<dyn Policy>,
    pub(crate) tried: TriedSet,
    pub(crate) rng: Rng,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) client: IpAddr,
    pub(crate) now_ms: u64,
}

impl Table {
    pub(crate) fn new(balance: &Balance, set: EndpointSet) -> Self {
        Self::on_worker(balance, set, 0)
    }

    pub(crate) fn on_worker(balance: &Balance, set: EndpointSet, worker: usize) -> Self {
        let policy = balance.build(&set.group(Rank::Primary), &BuildCx { worker });
        Self {
            set,
            policy,
            tried: TriedSet::default(),
            rng: Rng::seeded(42),
            key: None,
            client: Ipv4Addr::LOCALHOST.into(),
            now_ms: 1,
        }
    }

    pub(crate) fn cx(&self) -> PickCx<'_> {
        let Self { client, now_ms, .. } = *self;
        PickCx {
            key: self.key.as_deref(),
            preferred: None,
            client,
            tried: &self.tried,
            now_ms,
            rng: &self.rng,
        }
    }

    pub(crate) fn pick(&self) -> Option<usize> {
        self.policy.pick(&self.set.group(Rank::Primary), &self.cx())
    }

    /// The next picks, which must all find one.
    pub(crate) fn picks(&self, count: usize) -> Vec<usize> {
        (0..count).map(|_| self.pick().expect("an endpoint")).collect()
    }
}

/// How often each index occurs.
pub(crate) fn counts(picks: &[usize]) -> HashMap<usize, usize> {
    let mut counts = HashMap::new();
    for &pick in picks {
        *counts.entry(pick).or_default() += 1;
    }
    counts
}
