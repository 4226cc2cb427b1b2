//! The endpoints of a cluster at one time: an immutable list over counters that outlive it.

use crate::address::EndpointAddr;
use crate::endpoint::{Endpoint, EndpointSpec, EndpointState};
use crate::health::HealthRule;
use crate::policies::ketama::Circle;
use crate::policy::PickCx;
use crate::ring::Ring;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// Which endpoints of a cluster are asked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Those that serve.
    Primary,
    /// Those that serve when no primary can.
    Backup,
}

/// A cluster's endpoints, primaries first, each group in configured order.
#[derive(Debug)]
pub struct EndpointSet {
    endpoints: Box<[Arc<Endpoint>]>,
    /// What a pick reads of each endpoint, side by side: no pointer to chase but the one to its health,
    /// and apart from the reference counts that every request writes.
    slots: Box<[Slot]>,
    /// How many are primaries.
    primaries: usize,
    generation: u64,
    /// Requests under way in the whole cluster, where its policy looks at that.
    active: Arc<AtomicU32>,
    /// Hash rings of primaries and backups, built by the first worker that needs one.
    rings: [OnceLock<Ring>; 2],
    /// The same of nginx's kind.
    circles: [OnceLock<Circle>; 2],
    /// Where endpoints are by their sticky ids, made by the first request that names one.
    by_id: OnceLock<HashMap<Box<[u8]>, usize>>,
}

#[derive(Debug)]
struct Slot {
    state: Arc<EndpointState>,
    rule: HealthRule,
    weight: u32,
    max_conns: u32,
    down: bool,
    drain: bool,
    slow_start_ms: u64,
}

/// Endpoints of the set before, by what makes them the same.
type Former = HashMap<(EndpointAddr, Box<str>), Vec<Arc<Endpoint>>>;

fn identity(spec: &EndpointSpec) -> (EndpointAddr, Box<str>) {
    (spec.address.clone(), spec.name.clone())
}

impl EndpointSet {
    /// The first set of a cluster; its generation is 1.
    pub fn new(specs: Vec<EndpointSpec>) -> Self {
        Self::build(specs, &mut Former::new(), 1, Arc::default())
    }

    /// The set that follows `old`, with generation one higher. Endpoints of the same address and name keep
    /// what was counted of them, whatever else changed; those that are as before in all are the same `Arc`.
    pub fn rebuild(old: &EndpointSet, specs: Vec<EndpointSpec>) -> Self {
        let mut former = Former::new();
        // Backwards, so that `pop` gives endpoints configured twice in their order.
        for endpoint in old.endpoints.iter().rev() {
            former.entry(identity(endpoint)).or_default().push(endpoint.clone());
        }
        Self::build(specs, &mut former, old.generation + 1, old.active.clone())
    }

    fn build(specs: Vec<EndpointSpec>, former: &mut Former, generation: u64, active: Arc<AtomicU32>) -> Self {
        let (primaries, backups): (Vec<_>, Vec<_>) = specs.into_iter().partition(|spec| !spec.backup);
        let primary_count = primaries.len();
        let endpoints: Box<[Arc<Endpoint>]> = primaries
            .into_iter()
            .chain(backups)
            .map(|spec| match former.get_mut(&identity(&spec)).and_then(Vec::pop) {
                Some(same) if *same.spec() == spec => same,
                Some(changed) => Endpoint::new(spec, changed.state().clone()),
                None => Endpoint::new(spec, Arc::default()),
            })
            .collect();
        let slots = endpoints.iter().map(Slot::of).collect();
        Self {
            endpoints,
            slots,
            primaries: primary_count,
            generation,
            active,
            rings: Default::default(),
            circles: Default::default(),
            by_id: OnceLock::new(),
        }
    }

    /// All endpoints, primaries first.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Their settings in the set's order.
    pub fn specs(&self) -> impl Iterator<Item = &EndpointSpec> {
        self.endpoints.iter().map(|endpoint| endpoint.spec())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty()
    }

    /// Counts the sets of a cluster, from 1. Indexes mean something within one generation only.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether there is one endpoint in all, which then is never out by its failures (nginx's `single`).
    /// One primary with a backup is not sole; one beside another that is `down` neither.
    pub fn is_sole(&self) -> bool {
        self.endpoints.len() == 1
    }

    /// The count of requests under way in the whole cluster; only kept for policies that want it.
    pub(crate) fn active(&self) -> &Arc<AtomicU32> {
        &self.active
    }

    /// The endpoint of that sticky id: its rank, and its place in the group.
    pub(crate) fn by_id(&self, id: &[u8]) -> Option<(Rank, usize)> {
        let by_id = self.by_id.get_or_init(|| {
            let id = |endpoint: &Arc<Endpoint>| endpoint.sticky_id().as_bytes().into();
            // Backwards, so that of several with one id the first stays.
            self.endpoints.iter().enumerate().rev().map(|(at, endpoint)| (id(endpoint), at)).collect()
        });
        let index = *by_id.get(id)?;
        Some(match index.checked_sub(self.primaries) {
            None => (Rank::Primary, index),
            Some(backup) => (Rank::Backup, backup),
        })
    }

    /// The endpoints of that rank.
    pub fn group(&self, rank: Rank) -> Group<'_> {
        let (start, end, (ring, circle)) = match rank {
            Rank::Primary => (0, self.primaries, (&self.rings[0], &self.circles[0])),
            Rank::Backup => (self.primaries, self.endpoints.len(), (&self.rings[1], &self.circles[1])),
        };
        Group {
            set: self,
            start,
            endpoints: &self.endpoints[start..end],
            slots: &self.slots[start..end],
            ring,
            circle,
        }
    }
}

impl Slot {
    fn of(endpoint: &Arc<Endpoint>) -> Self {
        Self {
            state: endpoint.state().clone(),
            rule: endpoint.health_rule(),
            weight: endpoint.weight.max(1),
            max_conns: endpoint.max_conns,
            down: endpoint.down,
            drain: endpoint.drain,
            slow_start_ms: u64::try_from(endpoint.slow_start.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The primaries or the backups of a set: what a policy picks from. Indexes count within the group.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    set: &'a EndpointSet,
    start: usize,
    endpoints: &'a [Arc<Endpoint>],
    slots: &'a [Slot],
    ring: &'a OnceLock<Ring>,
    circle: &'a OnceLock<Circle>,
}

impl<'a> Group<'a> {
    /// How many endpoints it has.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The endpoint at `index`.
    ///
    /// # Panics
    /// Where `index` is not below [`Group::len`]; so do the methods below.
    pub fn endpoint(&self, index: usize) -> &'a Arc<Endpoint> {
        &self.endpoints[index]
    }

    /// The place in the set of the endpoint at `index`.
    pub fn set_index(&self, index: usize) -> usize {
        self.start + index
    }

    /// Its weight, at least 1.
    pub fn weight(&self, index: usize) -> u32 {
        self.slots[index].weight
    }

    /// Requests it has under way.
    pub fn active(&self, index: usize) -> u32 {
        self.slots[index].state.active()
    }

    /// Requests under way in the whole cluster; counted only for a policy that wants it
    /// ([`crate::Policy::wants_total`]).
    pub fn active_total(&self) -> u32 {
        self.set.active.load(Relaxed)
    }

    /// The place on the hash ring, which is built once for all workers.
    pub(crate) fn ring(&self) -> &'a Ring {
        self.ring.get_or_init(|| Ring::build(self))
    }

    /// nginx's ring, which is built once for all workers too.
    pub(crate) fn circle(&self) -> &'a Circle {
        self.circle.get_or_init(|| Circle::build(self))
    }

    /// Whether the endpoint at `index` may take this request: not `down`, not out, not full, and not yet
    /// tried. Every policy picks only such.
    #[inline]
    pub fn takes(&self, index: usize, cx: &PickCx<'_>) -> bool {
        self.is_open(index, cx.now_ms) && !self.is_full(index) && !self.is_tried(index, cx)
    }

    /// Whether it takes requests of anybody: neither `down` nor draining nor out by failures or checks.
    #[inline]
    pub fn is_open(&self, index: usize, now_ms: u64) -> bool {
        !self.slots[index].drain && self.serves(index, now_ms)
    }

    /// Whether it takes requests that belong to it: neither `down` nor out by failures or checks.
    #[inline]
    pub fn serves(&self, index: usize, now_ms: u64) -> bool {
        let slot = &self.slots[index];
        let health = &slot.state.health.0;
        !slot.down && health.is_fit() && (health.is_live(slot.rule, now_ms) || self.set.is_sole())
    }

    /// Whether it has come back so lately that this request, drawn by lot, is not yet for it.
    pub(crate) fn is_cold(&self, index: usize, cx: &PickCx<'_>) -> bool {
        let slot = &self.slots[index];
        if slot.slow_start_ms == 0 {
            return false;
        }
        let back_for = slot.state.health.0.back_for_ms(cx.now_ms).filter(|time| *time < slot.slow_start_ms);
        back_for.is_some_and(|time| cx.rng.below(slot.slow_start_ms) >= time)
    }

    /// Whether it has `max_conns` under way.
    #[inline]
    pub fn is_full(&self, index: usize) -> bool {
        let slot = &self.slots[index];
        slot.max_conns != 0 && slot.state.active() >= slot.max_conns
    }

    /// Whether this request has been there.
    #[inline]
    pub fn is_tried(&self, index: usize, cx: &PickCx<'_>) -> bool {
        cx.tried.contains(self.set.generation, self.start + index)
    }

    /// Takes the right to send there, see [`crate::Health::claim`].
    pub(crate) fn claim(&self, index: usize, now_ms: u64) -> bool {
        let slot = &self.slots[index];
        slot.state.health.0.claim(slot.rule, now_ms) || self.set.is_sole()
    }

    /// The first endpoint from `start` on, around the end, that takes the request. What a policy does when
    /// its own way finds none: O(n), so only when much is out.
    pub fn scan_from(&self, start: usize, cx: &PickCx<'_>) -> Option<usize> {
        let len = self.len();
        let start = if start < len { start } else { 0 };
        (start..len).chain(0..start).find(|&index| self.takes(index, cx))
    }
}

#[cfg(test)]
mod tests;
