//! What a balancing policy is: the plug point that `policies/` fills.

use crate::cluster::Picked;
use crate::set::Group;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use smallvec::SmallVec;
use std::cell::Cell;
use std::net::IpAddr;

/// What a policy may look at besides the endpoints.
#[derive(Clone, Copy)]
pub struct PickCx<'a> {
    /// The key that the policy balances by, see [`crate::Balance::key`]; `None` for others.
    pub key: Option<&'a [u8]>,
    /// The endpoint the request should go to, by its [`crate::Endpoint::sticky_id`]; the policy is asked
    /// where there is no such or it cannot.
    pub preferred: Option<&'a [u8]>,
    /// The client; [`std::net::Ipv4Addr::UNSPECIFIED`] where it came by a Unix socket.
    pub client: IpAddr,
    /// Where this request has been.
    pub tried: &'a TriedSet,
    /// Milliseconds of the monotonic clock that all workers share.
    pub now_ms: u64,
    /// The worker's random numbers.
    pub rng: &'a Rng,
}

/// Picks from a group of endpoints. One instance per worker, set and group, so it may hold a turn in
/// `Cell`s; it is never shared.
pub trait Policy {
    /// The index in `group` of the endpoint that takes this request, or `None` where none does.
    ///
    /// `group` is the one it was built for. It answers only what [`Group::takes`], and answers something
    /// wherever there is such; who serves only as backup is not its concern.
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize>;

    /// Whether [`Group::active_total`] must be counted, which costs two writes to memory that all workers
    /// share per request.
    fn wants_total(&self) -> bool {
        false
    }

    /// Whether [`crate::EndpointState::under_way_us`] must be known, which costs as much.
    fn wants_starts(&self) -> bool {
        false
    }
}

/// What a policy is built with.
#[derive(Clone, Copy, Debug, Default)]
pub struct BuildCx {
    /// The worker's number, from 0. Policies that take turns begin so many turns on, so that the first
    /// requests of the workers do not all go to the first endpoint.
    pub worker: usize,
}

/// A policy's configuration: what its file declares.
pub trait Spec: Serialize + DeserializeOwned + JsonSchema {
    /// Its name in the configuration.
    const NAME: &'static str;
    /// What it does and when to choose it, in a sentence or two: the manual.
    const DOC: &'static str;
    /// The value of `balance:` in YAML.
    const EXAMPLE: &'static str;
    /// Whether the bare name is enough. Such a policy has no settings.
    const PLAIN: bool;

    /// The policy for one worker and group.
    fn build(&self, group: &Group<'_>, cx: &BuildCx) -> Box<dyn Policy>;
}

/// An entry of [`crate::POLICIES`]: what documentation, schema and contract tests need.
pub struct PolicyKind {
    /// [`Spec::NAME`].
    pub name: &'static str,
    /// [`Spec::DOC`].
    pub doc: &'static str,
    /// [`Spec::EXAMPLE`].
    pub example: &'static str,
    /// [`Spec::PLAIN`].
    pub plain: bool,
    /// The schema of its settings.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

impl PolicyKind {
    /// The entry of a policy.
    pub(crate) const fn of<S: Spec>() -> Self {
        Self {
            name: S::NAME,
            doc: S::DOC,
            example: S::EXAMPLE,
            plain: S::PLAIN,
            schema: SchemaGenerator::subschema_for::<S>,
        }
    }
}

/// The endpoints one request has been tried at.
///
/// It is bound to a generation of the set: when that changes between two attempts, the indexes mean other
/// endpoints, so it counts as empty. The bound on attempts is the caller's.
#[derive(Clone, Debug, Default)]
pub struct TriedSet {
    /// 0 while empty: generations begin at 1.
    generation: u64,
    /// A bit per endpoint; 128 of them without allocation.
    words: SmallVec<[u64; 2]>,
}

impl TriedSet {
    /// Notes that the request goes there.
    pub fn mark(&mut self, picked: &Picked) {
        self.insert(picked.generation(), picked.index());
    }

    /// Notes the endpoint at `index` of the set of that generation.
    pub fn insert(&mut self, generation: u64, index: usize) {
        if self.generation != generation {
            self.generation = generation;
            self.words.clear();
        }
        let word = index / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (index % 64);
    }

    /// Whether the request has been at the endpoint at `index` of the set of that generation.
    #[inline]
    pub fn contains(&self, generation: u64, index: usize) -> bool {
        self.generation == generation
            && self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// How many endpoints are noted.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is noted.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Random numbers for balancing, of one worker: fast, not secret.
#[derive(Debug)]
pub struct Rng(Cell<u64>);

impl Rng {
    /// Numbers that follow from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        let mut rng = fastrand::Rng::with_seed(self.0.get());
        let number = rng.u64(..bound);
        self.0.set(rng.get_seed());
        number
    }
}

#[cfg(test)]
mod tests;
