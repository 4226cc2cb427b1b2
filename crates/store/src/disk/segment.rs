//! The files that answers are in: many small ones share one, a large one has its own.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of the segment.
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Bytes of the header and what is known.
    pub(crate) head_len: u32,
    /// Bytes of the body itself.
    pub(crate) body_len: u64,
}

impl Place {
    /// Bytes of the whole record.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.head_len) + super::format::framed_len(self.body_len)
    }
}

/// A file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    path: PathBuf,
    file: OnceLock<File>,
    pub(crate) size: AtomicU64,
    /// Bytes of records that are in the index.
    pub(crate) live: AtomicU64,
    /// Whether more is written to it.
    pub(crate) open: AtomicBool,
    /// Whether writing to it failed.
    pub(crate) failed: AtomicBool,
    /// Whether it holds one answer only.
    pub(crate) own: bool,
}

impl Segment {
    /// Its file, once it has been made or opened.
    pub(crate) fn file(&self) -> io::Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = File::open(&self.path)?;
        Ok(self.file.get_or_init(|| file))
    }

    /// Its file, made if it is not there yet.
    pub(crate) fn create(&self) -> io::Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(&self.path)?;
        Ok(self.file.get_or_init(|| file))
    }

    /// A record more or less is in the index.
    pub(crate) fn count(&self, added: u64, removed: u64) {
        self.live.fetch_add(added, Relaxed);
        let less = |live: u64| Some(live.saturating_sub(removed));
        let _ = self.live.fetch_update(Relaxed, Relaxed, less);
    }
}

/// All files of a store.
pub(crate) struct Segments {
    dir: PathBuf,
    next: AtomicU32,
    map: RwLock<HashMap<u32, Arc<Segment>>>,
    /// Numbers from the first to be reclaimed on.
    order: Mutex<std::collections::VecDeque<u32>>,
    size: AtomicU64,
}

const PREFIX: &str = "segment-";
const PREFIX_OWN: &str = "object-";

impl Segments {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            next: AtomicU32::new(1),
            map: RwLock::default(),
            order: Mutex::default(),
            size: AtomicU64::new(0),
        }
    }

    /// Takes in the files of the directory.
    pub(crate) fn scan(&self) -> io::Result<()> {
        let mut found = Vec::new();
        for file in std::fs::read_dir(&self.dir)? {
            let file = file?;
            let name = file.file_name();
            let Some(name) = name.to_str() else { continue };
            let own = name.starts_with(PREFIX_OWN);
            let number = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(PREFIX_OWN));
            let Some(number) = number.and_then(|number| u32::from_str_radix(number, 16).ok()) else {
                continue;
            };
            found.push((number, own, file.metadata()?.len()));
        }
        found.sort_unstable();
        for (number, own, size) in found {
            self.skip_to(number);
            self.add(self.segment(number, own, size));
        }
        Ok(())
    }

    /// Numbers up to that one are not used for new files.
    pub(crate) fn skip_to(&self, number: u32) {
        self.next.fetch_max(number.saturating_add(1), Relaxed);
    }

    /// A new file, for one answer or many.
    pub(crate) fn make(&self, own: bool) -> Arc<Segment> {
        let segment = self.segment(self.next.fetch_add(1, Relaxed), own, 0);
        segment.open.store(true, Relaxed);
        self.add(segment)
    }

    pub(crate) fn find(&self, number: u32) -> Option<Arc<Segment>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Relaxed)
    }

    /// The file has so many bytes now.
    pub(crate) fn grown(&self, segment: &Segment, size: u64) {
        let before = segment.size.fetch_max(size, Relaxed);
        self.size.fetch_add(size.saturating_sub(before), Relaxed);
    }

    /// Deletes a file. Those that read it still can.
    pub(crate) fn delete(&self, segment: &Segment) {
        let known = self.map.write().unwrap_or_else(PoisonError::into_inner).remove(&segment.number);
        if known.is_none() {
            return;
        }
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.retain(|number| *number != segment.number);
        drop(order);
        let size = segment.size.load(Relaxed);
        let less = |total: u64| Some(total.saturating_sub(size));
        let _ = self.size.fetch_update(Relaxed, Relaxed, less);
        match std::fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %segment.path.display(), %error, "a file of the cache could not be removed");
            }
            _ => {}
        }
    }

    /// The first to be reclaimed.
    pub(crate) fn oldest(&self) -> Option<Arc<Segment>> {
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.iter().filter_map(|number| self.find(*number)).find(|segment| !segment.open.load(Relaxed))
    }

    /// Lets all others be reclaimed before it.
    pub(crate) fn spare(&self, segment: &Segment) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.retain(|number| *number != segment.number);
        order.push_back(segment.number);
    }

    /// Files that hold nothing any more.
    pub(crate) fn empty(&self) -> Vec<Arc<Segment>> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let empty = |segment: &&Arc<Segment>| !segment.open.load(Relaxed) && segment.live.load(Relaxed) == 0;
        map.values().filter(empty).cloned().collect()
    }

    fn segment(&self, number: u32, own: bool, size: u64) -> Segment {
        let prefix = if own { PREFIX_OWN } else { PREFIX };
        Segment {
            number,
            path: self.dir.join(format!("{prefix}{number:08x}")),
            file: OnceLock::new(),
            size: AtomicU64::new(size),
            live: AtomicU64::new(0),
            open: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            own,
        }
    }

    fn add(&self, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        self.size.fetch_add(segment.size.load(Relaxed), Relaxed);
        self.order.lock().unwrap_or_else(PoisonError::into_inner).push_back(segment.number);
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        map.insert(segment.number, Arc::clone(&segment));
        segment
    }
}
