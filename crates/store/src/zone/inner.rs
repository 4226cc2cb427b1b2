//! What the threads of a zone share.

use super::bounds::Bounds;
use super::{Found, Listed, Loading, housekeeping};
use crate::body::Body;
use crate::config::ZoneConfig;
use crate::disk::{Disk, DiskBody, Job, encode_purged, random};
use crate::index::{Entry, Index};
use crate::key::Key;
use crate::memory::Memory;
use crate::object::{Meta, Object};
use crate::purge::{Mode, PurgeError, Scope, Table, Verdict, split_url};
use crate::stats::{Stats, Usage};
use crate::ticket::Numbers;
use crate::uses::Uses;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// Keys that were removed while answers were under way: these must not come in behind that.
const REMOVED_MAX: usize = 64 * 1024;

/// How many entries an eviction chooses the longest unused one from; what Redis's approximated LRU shows to
/// be near the real one.
const SAMPLE: usize = 16;

/// A line of complaint a second: a broken disk fails thousands of times.
const COMPLAIN_S: u64 = 1;

pub(crate) struct Inner {
    name: RwLock<Arc<str>>,
    pub(crate) seed: u64,
    pub(crate) bounds: Bounds,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) index: Index,
    pub(crate) memory: Memory,
    pub(crate) purges: Table,
    /// Purges as they were said, until they are swept: what a snapshot needs.
    pending: Mutex<Vec<(u64, Mode, Scope)>>,
    pub(crate) uses: Uses,
    pub(crate) stats: Stats,
    pub(crate) disk: Option<Disk>,
    removed: Mutex<HashMap<u128, u64>>,
    complained_s: AtomicU64,
    /// A random walk over shards.
    random: AtomicU32,
    stopped: AtomicBool,
    /// Wakes the housekeeping.
    pub(super) wake: (Mutex<bool>, Condvar),
}

impl Inner {
    pub(super) fn open(name: &str, config: &ZoneConfig) -> io::Result<Arc<Self>> {
        let (disk, seed) = match &config.path {
            Some(path) => {
                let (disk, seed) = Disk::new(path, config)?;
                (Some(disk), seed)
            }
            None => (None, random()),
        };
        let bounds = Bounds::default();
        bounds.set(config);
        let memory = Memory::new(config.memory.0, bounds.whole_max());
        let inner = Arc::new(Self {
            name: RwLock::new(name.into()),
            seed,
            bounds,
            numbers: Arc::default(),
            index: Index::new(),
            memory,
            purges: Table::default(),
            pending: Mutex::default(),
            uses: Uses::new(),
            stats: Stats::default(),
            disk,
            removed: Mutex::default(),
            complained_s: AtomicU64::new(0),
            random: AtomicU32::new(random() as u32),
            stopped: AtomicBool::new(false),
            wake: Default::default(),
        });
        let keeper = Arc::clone(&inner);
        std::thread::Builder::new().name("cache-keeper".into()).spawn(move || housekeeping::run(&keeper))?;
        if let Some(disk) = &inner.disk {
            disk.start(&inner)?;
        }
        Ok(inner)
    }

    pub(crate) fn name(&self) -> Arc<str> {
        self.name.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn rename(&self, name: &str) {
        if *self.name() != *name {
            *self.name.write().unwrap_or_else(PoisonError::into_inner) = name.into();
        }
    }

    pub(super) fn reconfigure(&self, config: &ZoneConfig) {
        self.bounds.set(config);
        self.memory.set_bytes(config.memory.0);
        if let Some(disk) = &self.disk {
            disk.size_max.store(config.max_size.0.max(crate::disk::SIZE_MIN), Relaxed);
            disk.min_free.store(config.min_free.0, Relaxed);
            disk.queue.set_bytes_max(config.write_queue.0);
        }
    }

    pub(super) fn find(
        self: &Arc<Self>,
        key: &Key<'_>,
        now_s: u64,
        mut choose: impl FnMut(&[u8]) -> bool,
    ) -> Found {
        let mut gone = None;
        let found = self.index.with(key.hash, |variants| {
            for entry in variants.iter().filter(|entry| choose(&entry.vary)) {
                if entry.judge(&self.purges) == Verdict::Gone {
                    gone = Some(Arc::clone(entry));
                    continue;
                }
                entry.touch(now_s);
                return match self.memory.find(entry) {
                    Some(object) => Ok(object),
                    None => Err(Some(Arc::clone(entry))),
                };
            }
            Err(None)
        });
        if let Some(entry) = gone {
            self.stats.purged.one();
            self.remove(&entry);
        }
        match found {
            Ok(object) if *object.meta.key == *key.bytes => {
                self.stats.memory_hits.one();
                Found::Memory(object)
            }
            Ok(_) | Err(None) => Found::Nothing,
            Err(Some(entry)) => {
                let load = entry.placed().and_then(|placed| {
                    let load = self.disk.as_ref()?.load(&entry, placed, key.bytes);
                    if load.is_none() {
                        self.stats.reads_refused.one();
                    }
                    load
                });
                load.map_or(Found::Nothing, |load| Found::Disk(Loading::new(load)))
            }
        }
    }

    /// Takes in a whole answer: memory, index, and the disk's queue.
    pub(crate) fn store(&self, object: &Arc<Object>, born: u64) {
        let disk = self.disk.as_ref().filter(|disk| disk.is_ready());
        object.entry.pending.store(disk.is_some(), Relaxed);
        if !self.put(object, born) {
            return;
        }
        if let Some(disk) = disk
            && disk.queue.push(Job::Store(Arc::clone(object))).is_err()
        {
            self.stats.dropped.one();
            self.unwritten(&object.entry);
        }
    }

    /// Takes in an answer: memory and index. False where it may not be.
    pub(crate) fn put(&self, object: &Arc<Object>, born: u64) -> bool {
        let entry = &object.entry;
        if self.was_removed_since(entry.hash, born) || entry.judge(&self.purges) == Verdict::Gone {
            return false;
        }
        let replaced = self.index.insert(Arc::clone(entry), self.bounds.variants_max());
        replaced.iter().for_each(|old| self.forget(old));
        self.stats.stored.one();
        self.to_memory(Arc::clone(object));
        self.keep_count();
        true
    }

    /// Puts an answer that was read from disk into memory.
    pub(crate) fn promote(&self, object: &Arc<Object>) {
        if !object.entry.dead.load(Relaxed) {
            self.to_memory(Arc::clone(object));
        }
        // Removed meanwhile: it must not stay.
        if object.entry.dead.load(Relaxed) {
            self.memory.remove(&object.entry);
        }
    }

    fn to_memory(&self, object: Arc<Object>) {
        for evicted in self.memory.insert(object) {
            self.stats.memory_evictions.one();
            self.left_memory(&evicted.entry);
        }
    }

    /// Memory gave it up: what is nowhere else is gone.
    fn left_memory(&self, entry: &Arc<Entry>) {
        if entry.placed().is_none() && !entry.pending.load(Relaxed) {
            self.index.remove(entry);
        }
    }

    /// A large answer is in its file: from now on it is read from there.
    pub(crate) fn sealed(&self, object: &Arc<Object>, body: DiskBody) {
        object.entry.pending.store(false, Relaxed);
        if !object.entry.dead.load(Relaxed) && self.memory.peek(&object.entry).is_some() {
            let sealed = Object::new(object.meta.clone(), Body::Disk(body), Arc::clone(&object.entry));
            self.promote(&Arc::new(sealed));
        }
    }

    /// An answer is on disk.
    pub(crate) fn written(&self, object: &Arc<Object>) {
        object.entry.pending.store(false, Relaxed);
    }

    /// An answer will not be on disk: it lives as long as in memory.
    pub(crate) fn unwritten(&self, entry: &Arc<Entry>) {
        entry.pending.store(false, Relaxed);
        match self.memory.peek(entry) {
            // A large one that could not be written is not whole in memory.
            Some(object) if object.body.whole().is_some() => {}
            _ => self.remove(entry),
        }
    }

    pub(super) fn renew(&self, born: u64, old: &Arc<Object>, meta: Meta) -> Arc<Object> {
        let before = &old.entry;
        let entry = Arc::new(Entry::new(before.id, before.hash, &meta, born, self.now_s()));
        let placed = before.placed();
        entry.set_placed(placed);
        let object = Arc::new(Object::new(meta, old.body.clone(), Arc::clone(&entry)));
        let growing = matches!(old.body, Body::Growing(_));
        let other_variant = before.slot != entry.slot;
        if growing || other_variant || entry.judge(&self.purges) == Verdict::Gone {
            return object;
        }
        let disk = self.disk.as_ref().filter(|disk| disk.is_ready());
        entry.pending.store(disk.is_some() && placed.is_none(), Relaxed);
        if !self.index.replace(before, &entry) {
            return object;
        }
        self.to_memory(Arc::clone(&object));
        let Some(disk) = disk else { return object };
        let job = match placed {
            Some(_) => Job::Update(Arc::clone(&object)),
            None => Job::Store(Arc::clone(&object)),
        };
        if disk.queue.push(job).is_err() {
            self.stats.dropped.one();
            if placed.is_none() {
                self.unwritten(&entry);
            }
        }
        object
    }

    /// Removes an entry.
    pub(crate) fn remove(&self, entry: &Arc<Entry>) {
        if self.index.remove(entry) {
            self.forget(entry);
        }
    }

    /// The disk gives it up: what memory has of it stays.
    pub(crate) fn evict(&self, entry: &Arc<Entry>) {
        let whole = self.memory.peek(entry).is_some_and(|object| object.body.whole().is_some());
        if whole {
            if let Some(disk) = &self.disk {
                disk.forget(entry);
            }
            entry.set_placed(None);
        } else {
            self.remove(entry);
        }
    }

    /// What was read of it is not what was written.
    pub(crate) fn lost(&self, entry: &Arc<Entry>, _why: &'static str) {
        self.remove(entry);
    }

    /// The same by its number, where nothing else is known.
    pub(crate) fn lost_id(&self, id: u64) {
        let mut found = None;
        self.index.each(|entry| {
            if entry.id == id {
                found = Some(Arc::clone(entry));
            }
        });
        if let Some(entry) = found {
            self.remove(&entry);
        }
    }

    /// An entry is out of the index.
    fn forget(&self, entry: &Arc<Entry>) {
        self.memory.remove(entry);
        if let Some(disk) = &self.disk {
            disk.forget(entry);
        }
    }

    pub(super) fn remove_key(&self, hash: u128) -> usize {
        let number = self.numbers.next();
        if self.numbers.oldest() < number {
            let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
            if removed.len() >= REMOVED_MAX {
                let oldest = self.numbers.oldest();
                removed.retain(|_, number| *number > oldest);
            }
            if removed.len() < REMOVED_MAX {
                removed.insert(hash, number);
            }
        }
        let out = self.index.remove_key(hash);
        out.iter().for_each(|entry| self.forget(entry));
        out.len()
    }

    /// Whether a key was removed after a number was taken.
    fn was_removed_since(&self, hash: u128, born: u64) -> bool {
        let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        if removed.is_empty() {
            return false;
        }
        let was = removed.get(&hash).is_some_and(|number| *number > born);
        let oldest = self.numbers.oldest();
        if removed.values().all(|number| *number < oldest) {
            removed.clear();
        }
        was
    }

    pub(super) fn mark_key(&self, hash: u128) -> usize {
        let entries = self.index.with(hash, <[Arc<Entry>]>::to_vec);
        for entry in &entries {
            entry.soft.store(true, Relaxed);
            if let (Some(disk), Some(placed)) = (&self.disk, entry.placed()) {
                disk.note_put(entry, placed);
            }
        }
        entries.len()
    }

    pub(crate) fn purge(&self, scope: &Scope, mode: Mode) -> Result<(), PurgeError> {
        let number = self.numbers.next();
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).push((number, mode, scope.clone()));
        if let Err(error) = self.purges.add(scope, mode, number) {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.retain(|(other, ..)| *other != number);
            return Err(error);
        }
        if let Some(disk) = &self.disk {
            disk.journal.note(|out| encode_purged(number, mode, scope, out));
            disk.urgent.store(true, Relaxed);
        }
        self.wake_keeper();
        Ok(())
    }

    /// Purges that a start must know of.
    pub(crate) fn pending_purges(&self) -> Vec<(u64, Mode, Scope)> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Purges up to that number are swept.
    pub(super) fn swept(&self, number: u64) {
        self.purges.forget(number);
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.retain(|(other, ..)| *other > number);
    }

    /// Keeps the number of entries within its bound.
    fn keep_count(&self) {
        let max = self.bounds.entries_max();
        // Twice: so a bound that was lowered is reached as well.
        for _ in 0..2 {
            if self.index.len() <= max {
                return;
            }
            let random = self.random.fetch_add(0x9E37_79B9, Relaxed) as usize;
            let sample = self.index.sample(random, SAMPLE);
            if let Some(entry) = sample.iter().min_by_key(|entry| entry.used_s.load(Relaxed)) {
                self.stats.disk_evictions.one();
                self.remove(entry);
            }
        }
    }

    pub(super) fn list(&self, hash: u128) -> Vec<Listed> {
        let entries = self.index.with(hash, <[Arc<Entry>]>::to_vec);
        let live = entries.iter().filter(|entry| entry.judge(&self.purges) != Verdict::Gone);
        live.map(|entry| self.listed(entry)).collect()
    }

    pub(crate) fn list_url(&self, url: &str) -> Vec<Listed> {
        let (host, path) = split_url(url);
        let path = if path.is_empty() { "/" } else { path };
        let mut out = Vec::new();
        self.index.each(|entry| {
            if *entry.host == *host && &*entry.path == path && entry.judge(&self.purges) != Verdict::Gone {
                out.push(Arc::clone(entry));
            }
        });
        out.iter().map(|entry| self.listed(entry)).collect()
    }

    fn listed(&self, entry: &Entry) -> Listed {
        Listed {
            id: entry.id,
            vary: entry.vary.clone(),
            host: entry.host.clone(),
            path: entry.path.clone(),
            tags: entry.tags.len(),
            in_memory: self.memory.peek(entry).is_some(),
            on_disk: entry.placed().is_some(),
            marked_stale: entry.soft.load(Relaxed),
            used_s: entry.used_s.load(Relaxed).into(),
            keep_until_s: entry.keep_until_s,
        }
    }

    pub(crate) async fn flush(&self) {
        let Some(disk) = &self.disk else { return };
        let (reply, done) = oneshot::channel();
        if disk.queue.push(Job::Flush(reply)).is_ok() {
            let _ = done.await;
        }
    }

    pub(crate) fn release(&self) {
        if let Some(disk) = &self.disk {
            let _ = disk.queue.push(Job::Release);
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        let disk = self.disk.as_ref();
        Usage {
            entries: self.index.len() as u64,
            memory_bytes: self.memory.bytes(),
            disk_bytes: disk.map_or(0, |disk| disk.segments.size()),
            waiting_bytes: disk.map_or(0, |disk| disk.queue.bytes()),
            purges: self.purges.len() as u64,
            disk_ready: disk.is_some_and(Disk::is_ready),
        }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Relaxed);
        self.wake_keeper();
        if let Some(disk) = &self.disk {
            disk.stop();
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    pub(super) fn wake_keeper(&self) {
        *self.wake.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.1.notify_one();
    }

    /// Unix seconds.
    pub(crate) fn now_s(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// A line in the log, one a second at most.
    pub(crate) fn complain(&self, message: &'static str, error: Option<&io::Error>) {
        let now = self.now_s();
        let last = self.complained_s.swap(now, Relaxed);
        if now.saturating_sub(last) < COMPLAIN_S {
            return;
        }
        let path = self.disk.as_ref().map(|disk| disk.dir.display().to_string()).unwrap_or_default();
        match error {
            Some(error) => tracing::warn!(zone = %self.name(), path, %error, "{message}"),
            None => tracing::warn!(zone = %self.name(), path, "{message}"),
        }
    }
}
