//! One cluster: the endpoints all workers share, and one worker's way to pick among them.

use crate::endpoint::{Active, Endpoint, EndpointSpec};
use crate::health::{Change, Outcome};
use crate::policies::Balance;
use crate::policy::{BuildCx, PickCx, Policy};
use crate::set::{EndpointSet, Group, Rank};
use arc_swap::ArcSwap;
use std::cell::{Ref, RefCell};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The current endpoints of a cluster, shared by all workers and replaced as a whole.
#[derive(Debug)]
pub struct SharedEndpoints {
    set: ArcSwap<EndpointSet>,
    /// That of `set`, or for a moment the one before: what workers read per request, instead of `set`.
    generation: AtomicU64,
    /// Updates come from several tasks (a cluster may have several names to resolve): one at a time.
    updating: Mutex<()>,
}

impl SharedEndpoints {
    /// Begins with a set: [`EndpointSet::new`], or at a reload [`EndpointSet::rebuild`] of the cluster of
    /// the same name.
    pub fn new(set: EndpointSet) -> Self {
        let generation = AtomicU64::new(set.generation());
        Self { set: ArcSwap::from_pointee(set), generation, updating: Mutex::new(()) }
    }

    /// The endpoints as they are now.
    pub fn load(&self) -> Arc<EndpointSet> {
        self.set.load_full()
    }

    /// Replaces the endpoints, keeping what was counted of those that stay; `false` where nothing differs,
    /// which costs the workers nothing. For the control side: it locks, and it allocates.
    pub fn update(&self, specs: Vec<EndpointSpec>) -> bool {
        self.update_with(|_| specs)
    }

    /// As [`SharedEndpoints::update`], with endpoints that depend on the present ones: for one of several
    /// names of a cluster that resolved anew.
    pub fn update_with(&self, specs: impl FnOnce(&EndpointSet) -> Vec<EndpointSpec>) -> bool {
        let _one_at_a_time = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.set.load_full();
        let new = EndpointSet::rebuild(&old, specs(&old));
        if new.specs().eq(old.specs()) {
            return false;
        }
        let generation = new.generation();
        self.set.store(Arc::new(new));
        self.generation.store(generation, Ordering::Release);
        true
    }

    /// Counts the updates.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

/// A cluster on one worker: its policy's turn, and the set it last saw. Not shared.
pub struct Cluster {
    shared: Arc<SharedEndpoints>,
    balance: Arc<Balance>,
    cx: BuildCx,
    view: RefCell<View>,
}

/// A set with the policies built for it.
struct View {
    set: Arc<EndpointSet>,
    primary: Box<dyn Policy>,
    backup: Box<dyn Policy>,
}

/// Where a request goes; counted as under way there until dropped.
#[derive(Debug)]
pub struct Picked {
    active: Active,
    index: usize,
    generation: u64,
}

/// Why no endpoint takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEndpoint {
    /// The cluster has none (its names have not resolved).
    Empty,
    /// All are `down` or out by their failures or by checks.
    AllDown,
    /// Of those that are not out, one at least has its `max_conns` under way.
    AllBusy,
    /// The request has been at all that are not out.
    AllTried,
}

/// Endpoints that a pick may lose, between choosing and taking, to another worker that took the last
/// connection or the one try of an endpoint that was out. Losing four in a row means that nothing is free.
const LOST_MAX: usize = 4;

impl Cluster {
    /// The cluster on that worker (counted from 0).
    pub fn new(shared: Arc<SharedEndpoints>, balance: Arc<Balance>, worker: usize) -> Self {
        let cx = BuildCx { worker };
        let view = RefCell::new(View::new(shared.load(), &balance, cx));
        Self { shared, balance, cx, view }
    }

    /// What all workers share.
    pub fn shared(&self) -> &Arc<SharedEndpoints> {
        &self.shared
    }

    /// How it balances; its [`Balance::key`] must be evaluated for [`PickCx::key`].
    pub fn balance(&self) -> &Balance {
        &self.balance
    }

    /// The endpoint that takes the next attempt of a request: a primary by the policy, a backup by the same
    /// policy where no primary can. Note it in the request's [`crate::TriedSet`] when it fails.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn pick(&self, cx: &PickCx<'_>) -> Result<Picked, NoEndpoint> {
        let view = self.view();
        if let Some(picked) = cx.preferred.and_then(|id| take_preferred(&view, id, cx)) {
            return Ok(picked);
        }
        let primary = take(&view.set, Rank::Primary, &*view.primary, cx);
        let picked = primary.or_else(|| take(&view.set, Rank::Backup, &*view.backup, cx));
        picked.ok_or_else(|| reason(&view.set, cx))
    }

    /// Notes how an attempt at an endpoint ended. Report each attempt once; none where it says nothing of
    /// the endpoint (the client left).
    pub fn report(&self, endpoint: &Endpoint, outcome: Outcome, now_ms: u64) -> Change {
        if self.view().set.is_sole() {
            endpoint.report_sole(outcome);
            return Change::None;
        }
        endpoint.report(outcome, now_ms)
    }

    /// The present set with its policies. One load where nothing changed.
    fn view(&self) -> Ref<'_, View> {
        if self.shared.generation() != self.view.borrow().set.generation() {
            self.view.replace(View::new(self.shared.load(), &self.balance, self.cx));
        }
        self.view.borrow()
    }
}

impl View {
    fn new(set: Arc<EndpointSet>, balance: &Balance, cx: BuildCx) -> Self {
        let primary = balance.build(&set.group(Rank::Primary), &cx);
        let backup = balance.build(&set.group(Rank::Backup), &cx);
        Self { set, primary, backup }
    }
}

/// Picks from one group and takes what was picked.
fn take(set: &EndpointSet, rank: Rank, policy: &dyn Policy, cx: &PickCx<'_>) -> Option<Picked> {
    let group = set.group(rank);
    if group.is_empty() {
        return None;
    }
    let mut cold = None;
    for _ in 0..LOST_MAX {
        let index = match &cold {
            None => policy.pick(&group, cx)?,
            // Where only those are left that warm up, one of them takes it.
            Some(tried) => match policy.pick(&group, &PickCx { tried, ..*cx }) {
                Some(index) => index,
                None => policy.pick(&group, cx)?,
            },
        };
        if cold.is_none() && group.is_cold(index, cx) {
            let mut tried = cx.tried.clone();
            tried.insert(set.generation(), group.set_index(index));
            cold = Some(tried);
            continue;
        }
        if let Some(picked) = take_at(set, &group, index, (policy, cx.now_ms)) {
            return Some(picked);
        }
    }
    None
}

/// The endpoint that the request should go to, if it serves; also one that drains.
fn take_preferred(view: &View, id: &[u8], cx: &PickCx<'_>) -> Option<Picked> {
    let (rank, index) = view.set.by_id(id)?;
    let policy = match rank {
        Rank::Primary => &*view.primary,
        Rank::Backup => &*view.backup,
    };
    let group = view.set.group(rank);
    let serves = group.serves(index, cx.now_ms) && !group.is_full(index) && !group.is_tried(index, cx);
    serves.then(|| take_at(&view.set, &group, index, (policy, cx.now_ms))).flatten()
}

/// Takes an endpoint; `None` where another worker was first.
fn take_at(
    set: &EndpointSet,
    group: &Group<'_>,
    index: usize,
    (policy, now_ms): (&dyn Policy, u64),
) -> Option<Picked> {
    let total = policy.wants_total().then(|| set.active());
    let mut active = Active::begin(group.endpoint(index), total)?;
    if !group.claim(index, now_ms) {
        return None;
    }
    if policy.wants_starts() {
        active.start_at(now_ms);
    }
    active.count();
    Some(Picked { active, index: group.set_index(index), generation: set.generation() })
}

/// Why nobody takes it. O(n), on the way to an error.
fn reason(set: &EndpointSet, cx: &PickCx<'_>) -> NoEndpoint {
    if set.is_empty() {
        return NoEndpoint::Empty;
    }
    let open = |group: &Group<'_>, is: &dyn Fn(&Group<'_>, usize) -> bool| {
        (0..group.len()).any(|index| group.is_open(index, cx.now_ms) && is(group, index))
    };
    let groups = [set.group(Rank::Primary), set.group(Rank::Backup)];
    let any = |is: &dyn Fn(&Group<'_>, usize) -> bool| groups.iter().any(|group| open(group, is));
    if any(&|group, index| group.is_full(index) && !group.is_tried(index, cx)) {
        return NoEndpoint::AllBusy;
    }
    if any(&|group, index| group.is_tried(index, cx)) {
        return NoEndpoint::AllTried;
    }
    NoEndpoint::AllDown
}

impl Picked {
    /// Where it goes.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        self.active.endpoint()
    }

    /// Its place in the set of [`Picked::generation`].
    pub fn index(&self) -> usize {
        self.index
    }

    /// The generation of the set it was picked from.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The count alone, for what lives longer than the attempt (a tunnel).
    pub fn into_active(self) -> Active {
        self.active
    }
}

impl fmt::Display for NoEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the cluster has no endpoints",
            Self::AllDown => "all endpoints are down or out by their failures",
            Self::AllBusy => "all endpoints have max_conns requests under way",
            Self::AllTried => "all endpoints have been tried",
        })
    }
}

impl std::error::Error for NoEndpoint {}

#[cfg(test)]
mod tests;
