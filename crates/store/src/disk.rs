//! The disk tier: segments, an index that survives, threads that read and write.
//!
//! Small answers are appended to a shared segment, a large one has a file of its own. What is in them the
//! index in memory knows; its journal and its snapshots make it known after a start. Nothing that was read
//! is believed unless its sum is right.

mod format;
mod journal;
mod pool;
mod queue;
mod reclaim;
mod recover;
mod segment;
mod spill;
mod writer;

pub(crate) use journal::{encode_purged, encode_removed};
pub(crate) use pool::{DiskReader, Load};
pub(crate) use queue::Job;
pub(crate) use recover::{is_due, snapshot};
pub(crate) use segment::Place;
pub(crate) use spill::Spill;

pub use pool::DiskBody;

use crate::config::ZoneConfig;
use crate::growing::Growing;
use crate::index::{Entry, Placed};
use crate::object::Object;
use crate::zone::Inner;
use journal::Journal;
use pool::Pool;
use queue::Queue;
use segment::Segments;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

/// Threads that read: what a disk can have under way is more, but what a page cache serves needs no more.
const READERS: usize = 4;

/// The smallest store: with less, a segment would be no more than a few answers.
pub(crate) const SIZE_MIN: u64 = 8 * 1024 * 1024;

/// A store in a directory.
pub(crate) struct Disk {
    pub(crate) dir: PathBuf,
    pub(crate) segments: Segments,
    pub(crate) queue: Queue,
    pub(crate) pool: Arc<Pool>,
    pub(crate) journal: Journal,
    /// Whether the index was read and it takes part.
    pub(crate) ready: AtomicBool,
    /// Whether a purge waits to be synced.
    pub(crate) urgent: AtomicBool,
    pub(crate) size_max: AtomicU64,
    /// Bytes of the file system that stay free.
    pub(crate) min_free: AtomicU64,
    /// Held while another process must not.
    lock: Mutex<Option<File>>,
    /// One snapshot at a time.
    snapshot: Mutex<()>,
}

impl Disk {
    /// The store in a directory, which is made if it is missing; and the secret of its keys' hashes.
    pub(crate) fn new(path: &str, config: &ZoneConfig) -> io::Result<(Self, u64)> {
        let dir = PathBuf::from(path);
        std::fs::create_dir_all(&dir).map_err(|error| named(&dir, &error))?;
        let seed = seed(&dir).map_err(|error| named(&dir, &error))?;
        let disk = Self {
            segments: Segments::new(&dir),
            queue: Queue::new(config.write_queue.0),
            pool: Arc::default(),
            journal: Journal::new(&dir),
            ready: AtomicBool::new(false),
            urgent: AtomicBool::new(false),
            size_max: AtomicU64::new(config.max_size.0.max(SIZE_MIN)),
            min_free: AtomicU64::new(config.min_free.0),
            lock: Mutex::default(),
            snapshot: Mutex::default(),
            dir,
        };
        Ok((disk, seed))
    }

    /// Starts its threads.
    pub(crate) fn start(&self, zone: &Arc<Inner>) -> io::Result<()> {
        let named = |what: &str| std::thread::Builder::new().name(format!("cache-{what}"));
        let writer = Arc::clone(zone);
        named("writer").spawn(move || writer::run(&writer))?;
        for _ in 0..READERS {
            let (zone, pool) = (Arc::clone(zone), Arc::clone(&self.pool));
            named("reader").spawn(move || pool::run(&zone, &pool))?;
        }
        Ok(())
    }

    /// Ends its threads, once what waits is written.
    pub(crate) fn stop(&self) {
        self.queue.stop();
        self.pool.stop();
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Relaxed)
    }

    /// Whether the file system has less room left than is to stay free. What it does not say is no reason to give
    /// anything up.
    fn is_short(&self) -> bool {
        let min_free = self.min_free.load(Relaxed);
        let free = || rustix::fs::statvfs(&self.dir).map(|said| said.f_bavail.saturating_mul(said.f_frsize));
        min_free > 0 && free().is_ok_and(|free| free < min_free)
    }

    /// Bytes of a segment that small answers share: a store has some 64 of them, so that giving one up is no
    /// more than 2 %, and at most some thousand files.
    pub(crate) fn segment_size(&self) -> u64 {
        (self.size_max.load(Relaxed) / 64).clamp(1 << 20, 256 << 20)
    }

    /// Begins to write a large answer; None where that cannot be.
    pub(crate) fn spill(
        &self,
        zone: &Arc<Inner>,
        object: &Arc<Object>,
        growing: &Arc<Growing>,
        length: Option<u64>,
    ) -> Option<Spill> {
        // Half of the store for one answer is more than it is worth.
        let max = self.size_max.load(Relaxed) / 2;
        if !self.is_ready() || length.is_some_and(|length| length > max) {
            return None;
        }
        Some(Spill::begin(zone, self, object, growing, max))
    }

    /// Reads an answer.
    pub(crate) fn load(&self, entry: &Arc<Entry>, placed: Placed, key: &[u8]) -> Option<Load> {
        if !self.is_ready() {
            return None;
        }
        self.pool.load(entry, placed, key)
    }

    /// An answer that is on disk is in the index no more.
    pub(crate) fn forget(&self, entry: &Entry) {
        if let Some(placed) = entry.placed() {
            self.uncount(placed);
            self.journal.note(|out| encode_removed(entry.id, out));
        }
    }

    /// What is known of an answer that is on disk has changed.
    pub(crate) fn note_put(&self, entry: &Entry, placed: Placed) {
        self.journal.note(|out| journal::encode_put(entry, placed, out));
    }

    /// A record of it is in the index.
    fn count(&self, placed: Placed) {
        self.change(placed, |segment, len| segment.count(len, 0));
    }

    /// A record of it is in the index no more.
    fn uncount(&self, placed: Placed) {
        self.change(placed, |segment, len| segment.count(0, len));
    }

    fn change(&self, placed: Placed, change: impl Fn(&segment::Segment, u64)) {
        for place in [Some(placed.record), placed.update].into_iter().flatten() {
            if let Some(segment) = self.segments.find(place.segment) {
                change(&segment, place.len());
            }
        }
    }
}

/// The file with the secret of a store, and the form it has.
const SEED_FILE: &str = "store";
const SEED_FORM: &str = "bifrons store 1 ";

fn seed(dir: &Path) -> io::Result<u64> {
    let path = dir.join(SEED_FILE);
    for _ in 0..2 {
        match File::open(&path) {
            Ok(file) => {
                let mut text = String::new();
                let read = file.take(256).read_to_string(&mut text);
                let seed = text.trim_end().strip_prefix(SEED_FORM).filter(|_| read.is_ok());
                if let Some(seed) = seed.and_then(|seed| u64::from_str_radix(seed, 16).ok()) {
                    return Ok(seed);
                }
                tracing::warn!(path = %path.display(), "not the secret of a cache: it begins anew");
                std::fs::remove_file(&path)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let seed = random();
        let temporary = dir.join(format!("{SEED_FILE}.{:016x}", random()));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        writeln!(file, "{SEED_FORM}{seed:016x}")?;
        file.sync_data()?;
        // Whoever is first gives it: another process may be at the same place.
        let linked = std::fs::hard_link(&temporary, &path);
        std::fs::remove_file(&temporary)?;
        match linked {
            Ok(()) => return Ok(seed),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("the secret of the cache changes while it is read"))
}

/// A number that nobody outside can guess: the standard library's maps have the same need.
pub(crate) fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

fn named(dir: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cache in {}: {error}", dir.display()))
}

#[cfg(test)]
mod tests;
