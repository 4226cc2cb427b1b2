//! What is stored, by key: one entry a stored answer, in memory, sharded.
//!
//! An entry says all that a look-up, a purge and an eviction ask: so none of them reads a disk to decide.

use crate::disk::Place;
use crate::key::BuildHashed;
use crate::object::Meta;
use crate::purge::{Subject, Table, Verdict};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// 256: a sweep holds the lock of a shard for a 256th of the entries; 4,000 of a million, some 100 µs.
const SHARDS: usize = 256;

/// A stored answer, as the index knows it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: u64,
    pub(crate) hash: u128,
    /// Its place in the memory tier: the same one again for whatever is stored under the key and variant, so
    /// that the tier knows what was popular.
    pub(crate) slot: u64,
    pub(crate) host: Box<str>,
    pub(crate) path: Box<str>,
    pub(crate) vary: Box<[u8]>,
    pub(crate) tags: Box<[u64]>,
    pub(crate) keep_until_s: u64,
    /// Number of the newest purge it has been compared with: at first the moment its request was made.
    pub(crate) checked: AtomicU64,
    /// Whether a soft purge has met it.
    pub(crate) soft: AtomicBool,
    /// Unix seconds, which fit until 2106.
    pub(crate) used_s: AtomicU32,
    /// Whether it was used since reclaiming last came by.
    pub(crate) used: AtomicBool,
    /// Whether it is out of the index: what is still being written of it is in vain.
    pub(crate) dead: AtomicBool,
    /// Whether it waits to be written: it stays in the index though memory may have given it up.
    pub(crate) pending: AtomicBool,
    /// Where it is on disk, once it is.
    pub(crate) place: Mutex<Option<Placed>>,
}

/// Where an answer is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) record: Place,
    /// The newest record of what is known about it, if it was renewed.
    pub(crate) update: Option<Place>,
}

impl Entry {
    /// Of an answer whose request was made at the number `born`.
    pub(crate) fn new(id: u64, hash: u128, meta: &Meta, born: u64, now_s: u64) -> Self {
        Self {
            id,
            hash,
            slot: slot(hash, &meta.vary),
            host: meta.host.clone(),
            path: meta.path.clone(),
            vary: meta.vary.clone(),
            tags: meta.tags.clone(),
            keep_until_s: meta.keep_until_s,
            checked: AtomicU64::new(born),
            soft: AtomicBool::new(false),
            used_s: AtomicU32::new(u32::try_from(now_s).unwrap_or(u32::MAX)),
            used: AtomicBool::new(false),
            dead: AtomicBool::new(false),
            pending: AtomicBool::new(false),
            place: Mutex::new(None),
        }
    }

    pub(crate) fn placed(&self) -> Option<Placed> {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_placed(&self, placed: Option<Placed>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = placed;
    }

    /// Takes note of a use.
    pub(crate) fn touch(&self, now_s: u64) {
        let now = u32::try_from(now_s).unwrap_or(u32::MAX);
        if self.used_s.load(Relaxed) != now {
            self.used_s.store(now, Relaxed);
        }
        if !self.used.load(Relaxed) {
            self.used.store(true, Relaxed);
        }
    }

    /// What purges say of it; a stale one is marked.
    pub(crate) fn judge(&self, purges: &Table) -> Verdict {
        let newest = purges.newest();
        let born = self.checked.load(Relaxed);
        if born >= newest {
            return if self.soft.load(Relaxed) { Verdict::Stale } else { Verdict::Live };
        }
        let subject = Subject { host: &self.host, path: &self.path, tags: &self.tags };
        let verdict = purges.verdict(born, subject);
        match verdict {
            Verdict::Gone => return verdict,
            Verdict::Stale => self.soft.store(true, Relaxed),
            Verdict::Live => {}
        }
        self.checked.fetch_max(newest, Relaxed);
        if self.soft.load(Relaxed) { Verdict::Stale } else { Verdict::Live }
    }
}

/// Place in the memory tier of a variant of a key.
pub(crate) fn slot(hash: u128, vary: &[u8]) -> u64 {
    xxh3_64_with_seed(vary, hash as u64 ^ (hash >> 64) as u64)
}

/// Newest first.
type Variants = SmallVec<[Arc<Entry>; 1]>;

type Shard = HashMap<u128, Variants, BuildHashed>;

/// The entries of a zone.
pub(crate) struct Index {
    shards: Box<[RwLock<Shard>]>,
    count: AtomicUsize,
}

impl Index {
    pub(crate) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, count: AtomicUsize::new(0) }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Does something with the variants under a key, newest first, while they cannot change.
    pub(crate) fn with<T>(&self, hash: u128, look: impl FnOnce(&[Arc<Entry>]) -> T) -> T {
        let shard = self.shard(hash).read().unwrap_or_else(PoisonError::into_inner);
        look(shard.get(&hash).map_or(&[], |variants| variants))
    }

    /// Puts in an entry; gives back those that it replaces: the same variant, and the longest unused ones
    /// where there are more than `variants_max`.
    pub(crate) fn insert(&self, entry: Arc<Entry>, variants_max: usize) -> Vec<Arc<Entry>> {
        let mut shard = self.shard(entry.hash).write().unwrap_or_else(PoisonError::into_inner);
        let variants = shard.entry(entry.hash).or_default();
        let mut out = Vec::new();
        variants.retain(|old| {
            let same = old.vary == entry.vary;
            if same {
                out.push(Arc::clone(old));
            }
            !same
        });
        while variants.len() >= variants_max.max(1) {
            let oldest = (0..variants.len()).min_by_key(|&at| variants[at].used_s.load(Relaxed));
            let Some(oldest) = oldest else { break };
            out.push(variants.remove(oldest));
        }
        variants.insert(0, entry);
        for old in &out {
            old.dead.store(true, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
        self.count.fetch_sub(out.len(), Relaxed);
        out
    }

    /// Puts an entry in the place of another, if that is still there.
    pub(crate) fn replace(&self, old: &Arc<Entry>, new: &Arc<Entry>) -> bool {
        let mut shard = self.shard(old.hash).write().unwrap_or_else(PoisonError::into_inner);
        let Some(variants) = shard.get_mut(&old.hash) else { return false };
        let Some(slot) = variants.iter_mut().find(|entry| Arc::ptr_eq(entry, old)) else { return false };
        *slot = Arc::clone(new);
        old.dead.store(true, Relaxed);
        true
    }

    /// Takes out an entry, if it is the one that is there.
    pub(crate) fn remove(&self, entry: &Arc<Entry>) -> bool {
        let mut shard = self.shard(entry.hash).write().unwrap_or_else(PoisonError::into_inner);
        let Some(variants) = shard.get_mut(&entry.hash) else { return false };
        let before = variants.len();
        variants.retain(|other| !Arc::ptr_eq(other, entry));
        let removed = before - variants.len();
        if variants.is_empty() {
            shard.remove(&entry.hash);
        }
        if removed > 0 {
            entry.dead.store(true, Relaxed);
            self.count.fetch_sub(removed, Relaxed);
        }
        removed > 0
    }

    /// Takes out all variants of a key.
    pub(crate) fn remove_key(&self, hash: u128) -> Vec<Arc<Entry>> {
        let mut shard = self.shard(hash).write().unwrap_or_else(PoisonError::into_inner);
        let out: Vec<Arc<Entry>> = shard.remove(&hash).into_iter().flatten().collect();
        for entry in &out {
            entry.dead.store(true, Relaxed);
        }
        self.count.fetch_sub(out.len(), Relaxed);
        out
    }

    /// Puts in an entry that was there before the start, unless something newer is.
    pub(crate) fn restore(&self, entry: &Arc<Entry>, variants_max: usize) -> bool {
        let mut shard = self.shard(entry.hash).write().unwrap_or_else(PoisonError::into_inner);
        let variants = shard.entry(entry.hash).or_default();
        let known = variants.iter().any(|other| other.vary == entry.vary);
        if known || variants.len() >= variants_max.max(1) {
            return false;
        }
        let at = variants.partition_point(|other| other.id > entry.id);
        variants.insert(at, Arc::clone(entry));
        self.count.fetch_add(1, Relaxed);
        true
    }

    /// How many shards there are.
    pub(crate) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Shows the entries of a shard to `see`, while it is shut against changes.
    pub(crate) fn each_of(&self, shard: usize, see: impl FnMut(&Arc<Entry>)) {
        if let Some(shard) = self.shards.get(shard) {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.values().flatten().for_each(see);
        }
    }

    /// Shows every entry to `see`, one shard after the other.
    pub(crate) fn each(&self, mut see: impl FnMut(&Arc<Entry>)) {
        (0..self.shards()).for_each(|shard| self.each_of(shard, &mut see));
    }

    /// Up to `count` entries of a shard that has some, from the one picked by `random` on: what an eviction
    /// chooses from.
    pub(crate) fn sample(&self, random: usize, count: usize) -> Vec<Arc<Entry>> {
        for turn in 0..SHARDS {
            let Some(shard) = self.shards.get(random.wrapping_add(turn) % SHARDS) else { break };
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            if shard.is_empty() {
                continue;
            }
            let skip = (random / SHARDS % shard.len()).min(shard.len().saturating_sub(count));
            return shard.values().flatten().skip(skip).take(count).cloned().collect();
        }
        Vec::new()
    }

    fn shard(&self, hash: u128) -> &RwLock<Shard> {
        // The upper bits: the lower ones choose the place within the shard.
        &self.shards[(hash >> 120) as usize % SHARDS]
    }
}
