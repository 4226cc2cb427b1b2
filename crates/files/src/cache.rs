//! What each thread keeps of files.
//!
//! By default the contents of small files: bytes, not descriptors. Their length is theirs, so an answer never
//! promises a length that the file no longer has, a deleted file takes no room on the disk, and no descriptors
//! are used up. Large files are opened for each request, as nginx does by default: what that costs vanishes
//! beside sending them. Nothing stale is ever sent: each request asks for the file's state (one `stat`, a
//! third of `open`, `fstat`, `read`, `close`) and reads it again when that differs. (Writes through a shared
//! mapping show only once the kernel stamps the file, as for every program that goes by times.)
//!
//! `valid` skips the question for a while, and [`OpenFiles`] keeps also the descriptors of large files, what
//! is a directory, and what is not there: nginx's `open_file_cache`.

use crate::clock::Now;
use crate::name;
use crate::open::{Content, Facts, Opened, Representation, SMALL_BYTES_MAX};
use rustix::io::Errno;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// What a thread keeps of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCache {
    /// Names a thread keeps at most, whichever `Files` they were asked through. No less than two; zero keeps
    /// none.
    pub max: usize,
    /// How long a file is taken to be unchanged without asking the system. Zero asks each time.
    pub valid: Duration,
    /// Whether also descriptors are kept.
    pub open: Option<OpenFiles>,
}

/// How descriptors, directories and errors are kept besides the contents of small files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// How long what nobody asks for is kept: at most twice this while the thread looks up others.
    pub inactive: Duration,
    /// How often a file must have been asked for before it is kept.
    pub uses_min: u32,
    /// Whether what is not there, or may not be read, is kept too.
    pub errors: bool,
}

impl Default for FileCache {
    /// 1024 files (16 MiB at most, a usual site's pages and icons), asked about each time.
    fn default() -> Self {
        Self { max: 1024, valid: Duration::ZERO, open: None }
    }
}

/// 2 s: a write in the same tick of the file system's clock as the read would leave no trace, so a file that
/// has just changed is not kept. Clocks tick every 1-10 ms, FAT's every 2 s.
const SETTLED_S: i64 = 2;

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

/// A name that was asked for.
struct Entry {
    what: What,
    /// When the system was last asked about it, by the monotonic clock.
    checked: Duration,
    /// When it was last asked for.
    used: Duration,
    uses: u32,
}

/// What is known of a name.
enum What {
    File(Rc<Representation>),
    Directory,
    Error(Errno),
    /// That it was asked for, not often enough yet.
    Asked,
}

/// Two generations: who is asked for moves to the young one, and when that is half of what may be kept, it
/// becomes the old one and what was left there goes. Near to dropping the least recently used, without a list.
/// Names are the client's choice (`/a`, `/./a`), hence the standard library's seeded SipHash.
#[derive(Default)]
struct Cache {
    young: HashMap<Box<[u8]>, Entry>,
    old: HashMap<Box<[u8]>, Entry>,
    /// When the young generation began, by the monotonic clock.
    since: Duration,
}

/// What is known of that name, if it still holds.
pub(crate) fn find(name: &[u8], rules: FileCache, now: Now) -> Option<io::Result<Opened>> {
    CACHE.with_borrow_mut(|cache| {
        if let Some(open) = rules.open
            && now.monotonic.saturating_sub(cache.since) >= open.inactive
        {
            cache.turn(now);
        }
        let entry = cache.get(name, rules.max)?;
        let idle = now.monotonic.saturating_sub(std::mem::replace(&mut entry.used, now.monotonic));
        entry.uses = entry.uses.saturating_add(1);
        if rules.open.is_some_and(|open| idle >= open.inactive) {
            cache.young.remove(name);
            return None;
        }
        if !entry.what.is_kept_by(rules) {
            return None;
        }
        if now.monotonic.saturating_sub(entry.checked) >= rules.valid {
            if !entry.what.is_same(name) {
                cache.young.remove(name);
                return None;
            }
            entry.checked = now.monotonic;
        }
        entry.what.opened()
    })
}

/// Keeps what was just found, unless it has just changed.
pub(crate) fn keep(name: &[u8], found: &io::Result<Opened>, rules: FileCache, now: Now) {
    let Some(what) = What::of(found, rules, now) else { return };
    CACHE.with_borrow_mut(|cache| {
        let uses = cache.young.get(name).map_or(1, |entry| entry.uses);
        let is_used = rules.open.is_none_or(|open| uses >= open.uses_min);
        let what = if is_used { what } else { What::Asked };
        let entry = Entry { what, checked: now.monotonic, used: now.monotonic, uses };
        cache.insert(name.into(), entry, rules.max);
    });
}

impl What {
    /// What is kept of that; `None` where nothing is.
    fn of(found: &io::Result<Opened>, rules: FileCache, now: Now) -> Option<Self> {
        let what = match found {
            Ok(Opened::File(file)) => {
                let is_settled = file.facts.changed_s.saturating_add(SETTLED_S) < now.unix_s;
                return is_settled.then(|| Self::File(Rc::clone(file))).filter(|what| what.is_kept_by(rules));
            }
            Ok(Opened::Directory) => Self::Directory,
            Ok(Opened::Special) => return None,
            Err(err) => Self::Error(Errno::from_io_error(err)?),
        };
        what.is_kept_by(rules).then_some(what)
    }

    /// Whether those rules keep it. The contents of small files come from all rules, and go to all.
    fn is_kept_by(&self, rules: FileCache) -> bool {
        match self {
            Self::File(file) => match file.content {
                Content::Bytes(_) => true,
                // A HEAD opens small files without reading them.
                Content::File(_) => rules.open.is_some() && file.facts.len > SMALL_BYTES_MAX,
            },
            Self::Directory => rules.open.is_some(),
            Self::Error(_) => rules.open.is_some_and(|open| open.errors),
            Self::Asked => false,
        }
    }

    /// Whether the system still says the same. Where not, the caller opens and learns what is wrong.
    fn is_same(&self, name: &[u8]) -> bool {
        match (self, std::fs::metadata(name::as_path(name))) {
            (Self::File(file), Ok(now)) => Facts::of(&now) == file.facts,
            (Self::Directory, Ok(now)) => now.is_dir(),
            (Self::Error(errno), Err(now)) => Errno::from_io_error(&now) == Some(*errno),
            _ => false,
        }
    }

    fn opened(&self) -> Option<io::Result<Opened>> {
        match self {
            Self::File(file) => Some(Ok(Opened::File(Rc::clone(file)))),
            Self::Directory => Some(Ok(Opened::Directory)),
            Self::Error(errno) => Some(Err((*errno).into())),
            Self::Asked => None,
        }
    }
}

impl Cache {
    fn get(&mut self, name: &[u8], max: usize) -> Option<&mut Entry> {
        if let Some((name, entry)) = self.old.remove_entry(name) {
            self.insert(name, entry, max);
        }
        self.young.get_mut(name)
    }

    fn insert(&mut self, name: Box<[u8]>, entry: Entry, max: usize) {
        let half = (max / 2).max(1);
        if self.young.len() >= half && !self.young.contains_key(&name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, entry);
    }

    /// What was not asked for since the last turn goes.
    fn turn(&mut self, now: Now) {
        self.old = std::mem::take(&mut self.young);
        self.since = now.monotonic;
    }
}

#[cfg(test)]
mod tests;
