//! The contents of small files, kept by each thread.
//!
//! What is kept are bytes, not descriptors: their length is theirs, so an answer never promises a length
//! that the file no longer has, a deleted file takes no room on the disk, and no descriptors are used up.
//! Large files are opened for each request, as nginx does by default: what that costs vanishes beside
//! sending them.
//!
//! By default nothing stale is ever sent: each request asks for the file's state (one `stat`, a third of
//! `open`, `fstat`, `read`, `close`) and reads it again when that differs. `valid` skips the question for a
//! while. (Writes through a shared mapping show only once the kernel stamps the file, as for every program
//! that goes by times.)

use crate::clock::Now;
use crate::name;
use crate::open::{Facts, Representation};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// How a thread keeps the contents of small files ([`SMALL_BYTES_MAX`](crate::SMALL_BYTES_MAX)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmallFileCache {
    /// Files a thread keeps at most, whichever `Files` they were asked through. No less than two; zero keeps
    /// none.
    pub max: usize,
    /// How long a file is taken to be unchanged without asking the system. Zero asks each time.
    pub valid: Duration,
}

impl Default for SmallFileCache {
    /// 1024 files (16 MiB at most, a usual site's pages and icons), asked about each time.
    fn default() -> Self {
        Self { max: 1024, valid: Duration::ZERO }
    }
}

/// 2 s: a write in the same tick of the file system's clock as the read would leave no trace, so a file that
/// has just changed is not kept. Clocks tick every 1-10 ms, FAT's every 2 s.
const SETTLED_S: i64 = 2;

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// A kept file.
#[derive(Clone)]
pub(crate) struct Small {
    pub(crate) file: Rc<Representation>,
    /// When the system was last asked about it, by the monotonic clock.
    pub(crate) checked: Duration,
}

/// Two generations: who is asked for moves to the young one, and when that is half of what may be kept, it
/// becomes the old one and what was left there goes. Near to dropping the least recently used, without a list.
/// Names are the client's choice (`/a`, `/./a`), hence the standard library's seeded SipHash.
#[derive(Default)]
struct Cache {
    young: HashMap<Box<[u8]>, Small>,
    old: HashMap<Box<[u8]>, Small>,
}

/// The kept file of that name, if it is still the one on the disk.
pub(crate) fn find(name: &[u8], rules: SmallFileCache, now: Now) -> Option<Rc<Representation>> {
    CACHE.with_borrow_mut(|cache| {
        let small = cache.get(name, rules.max)?;
        if now.monotonic.saturating_sub(small.checked) < rules.valid {
            return Some(Rc::clone(&small.file));
        }
        // Also an error of `stat` sends the caller to `open`, which says what is wrong.
        let is_same = std::fs::metadata(name::as_path(name))
            .is_ok_and(|metadata| Facts::of(&metadata) == small.file.facts);
        if is_same {
            small.checked = now.monotonic;
            return Some(Rc::clone(&small.file));
        }
        cache.young.remove(name);
        None
    })
}

/// Keeps a file that was just read, unless it has just changed.
pub(crate) fn keep(name: &[u8], small: Small, rules: SmallFileCache, now: Now) {
    if small.file.facts.changed_s.saturating_add(SETTLED_S) < now.unix_s {
        CACHE.with_borrow_mut(|cache| cache.insert(name.into(), small, rules.max));
    }
}

impl Cache {
    fn get(&mut self, name: &[u8], max: usize) -> Option<&mut Small> {
        if let Some((name, small)) = self.old.remove_entry(name) {
            self.insert(name, small, max);
        }
        self.young.get_mut(name)
    }

    fn insert(&mut self, name: Box<[u8]>, small: Small, max: usize) {
        let half = (max / 2).max(1);
        if self.young.len() >= half && !self.young.contains_key(&name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, small);
    }
}

#[cfg(test)]
mod tests;
