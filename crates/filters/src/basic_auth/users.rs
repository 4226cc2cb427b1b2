//! Tables of users: from the configuration, or from files that are looked at once a second.

use super::scheme::Scheme;
use super::{Question, Verdict, known};
use indexmap::IndexMap;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// A second: who changes a file sees it hold at once, and a busy worker asks the disk once.
const FRESH: Duration = Duration::from_secs(1);

/// 4 MiB: some 50,000 users.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// 64 files a worker: a path with variables names one a tenant, say. More start over.
const FILES_MAX: usize = 64;

/// A table of users.
#[derive(Debug)]
pub(super) struct Users {
    state: State,
    /// What the file was when it was read.
    stamp: Option<Stamp>,
}

#[derive(Debug)]
enum State {
    /// Names to hashes.
    Table(HashMap<Vec<u8>, Box<str>>),
    /// There is no such file.
    Missing,
    /// It can't be read.
    Unreadable,
}

/// What tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

/// Tables by paths, and when the file was last looked at.
type Files = HashMap<Vec<u8>, (Instant, Arc<Users>)>;

/// 1 password is hashed at a time for a worker: its other threads are there for files.
const HASHING_MAX: usize = 1;

/// 256 requests a worker may wait for theirs to be hashed, half a minute's worth at bcrypt's usual cost; more are
/// told to come again (503).
const WAITING_MAX: usize = 256;

thread_local! {
    /// This worker's.
    static FILES: RefCell<Files> = RefCell::new(Files::new());
    static HASHING: Arc<Semaphore> = Arc::new(Semaphore::new(HASHING_MAX));
    static WAITING: Cell<usize> = const { Cell::new(0) };
}

/// One that waits, for as long as it lives; also where its client leaves.
struct Waiting;

impl Waiting {
    /// `None` where too many wait.
    fn begin() -> Option<Self> {
        let waiting = WAITING.get();
        (waiting < WAITING_MAX).then(|| {
            WAITING.set(waiting + 1);
            Self
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.set(WAITING.get().saturating_sub(1));
    }
}

/// The table of a file that was looked at within the last second.
pub(super) fn cached(path: &[u8]) -> Option<Arc<Users>> {
    FILES.with_borrow(|files| {
        let (looked, users) = files.get(path)?;
        (looked.elapsed() < FRESH).then(|| users.clone())
    })
}

/// The table of a file, read anew where it has changed.
pub(super) async fn load(path: Vec<u8>) -> Arc<Users> {
    let old = FILES.with_borrow(|files| files.get(&path).map(|(_, users)| users.clone()));
    let name = path.clone();
    // Fails only where the thread panicked.
    let users = spawn_blocking(move || read(Path::new(OsStr::from_bytes(&name)), old)).await;
    let users = users.unwrap_or_else(|_| Arc::new(Users { state: State::Unreadable, stamp: None }));
    FILES.with_borrow_mut(|files| {
        if files.len() >= FILES_MAX && !files.contains_key(&path) {
            files.clear();
        }
        files.insert(path, (Instant::now(), users.clone()));
    });
    users
}

/// Reads a file unless it is what it was.
fn read(path: &Path, old: Option<Arc<Users>>) -> Arc<Users> {
    let failed = |err: std::io::Error| {
        tracing::error!(file = %path.display(), %err, "the file of users can't be read");
        match err.kind() {
            ErrorKind::NotFound => State::Missing,
            _ => State::Unreadable,
        }
    };
    let stamp = match std::fs::metadata(path) {
        Ok(meta) => {
            Stamp { inode: meta.ino(), bytes: meta.len(), changed: (meta.mtime(), meta.mtime_nsec()) }
        }
        Err(err) => return Arc::new(Users { state: failed(err), stamp: None }),
    };
    if let Some(old) = old.filter(|old| old.stamp == Some(stamp)) {
        return old;
    }
    if stamp.bytes > FILE_BYTES_MAX {
        tracing::error!(file = %path.display(), max = FILE_BYTES_MAX, "the file of users is too large");
        return Arc::new(Users { state: State::Unreadable, stamp: Some(stamp) });
    }
    let state = match std::fs::read(path) {
        Ok(text) => State::Table(table(&text)),
        Err(err) => failed(err),
    };
    Arc::new(Users { state, stamp: Some(stamp) })
}

/// `name:hash` a line, with whatever else behind a further colon; `#` begins a comment. The first of a name
/// counts.
fn table(text: &[u8]) -> HashMap<Vec<u8>, Box<str>> {
    let mut table = HashMap::new();
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (Some(name), Some(hash)) = (parts.next(), parts.next()) else { continue };
        if !name.starts_with(b"#") && !name.is_empty() {
            let hash = String::from_utf8_lossy(hash).into_owned().into();
            table.entry(name.to_vec()).or_insert(hash);
        }
    }
    table
}

impl Users {
    /// Those of the configuration.
    pub(super) fn of(users: &IndexMap<String, String>) -> Self {
        let table = users.iter().map(|(name, hash)| (name.clone().into_bytes(), hash.as_str().into()));
        Self { state: State::Table(table.collect()), stamp: None }
    }

    /// Whether there is such a user.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        matches!(&self.state, State::Table(table) if table.contains_key(name))
    }

    /// What can be said without much work; `None` where the password must be hashed for it.
    pub(super) fn judge(&self, question: &Question) -> Option<Verdict> {
        let table = match &self.state {
            State::Table(table) => table,
            State::Missing => return Some(Verdict::Forbid),
            State::Unreadable => return Some(Verdict::Fail),
        };
        let Some(hash) = table.get(&question.name) else { return Some(Verdict::Refuse) };
        let Some(scheme) = Scheme::of(hash) else {
            tracing::error!("a hash in the file of users is of no known kind");
            return Some(Verdict::Fail);
        };
        if scheme.is_cheap() {
            let is_right = scheme.verify(hash, &question.password);
            return Some(if is_right { Verdict::Pass } else { Verdict::Refuse });
        }
        known::holds(hash, &question.password).then_some(Verdict::Pass)
    }

    /// Hashes the password on another thread, one at a time, and remembers it for a while where it is the right
    /// one.
    pub(super) async fn judge_by_work(&self, question: &Question) -> Verdict {
        let State::Table(table) = &self.state else { return Verdict::Refuse };
        let Some(hash) = table.get(&question.name).cloned() else { return Verdict::Refuse };
        let Some(scheme) = Scheme::of(&hash) else { return Verdict::Refuse };
        let Some(_waiting) = Waiting::begin() else { return Verdict::Busy };
        // Fails only where it was closed, which nobody does.
        let turn = HASHING.with(Arc::clone).acquire_owned().await;
        if known::holds(&hash, &question.password) {
            return Verdict::Pass;
        }
        let password = question.password.clone();
        let work = spawn_blocking(move || {
            let is_right = scheme.verify(&hash, &password);
            // Over only now, also where the client has left meanwhile.
            drop(turn);
            (is_right, hash, password)
        });
        match work.await {
            Ok((true, hash, password)) => {
                known::note(&hash, &password);
                Verdict::Pass
            }
            Ok(_) | Err(_) => Verdict::Refuse,
        }
    }
}

#[cfg(test)]
mod tests;
