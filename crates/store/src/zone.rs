//! A zone: one store with its memory, its disk and its index.

mod bounds;
mod housekeeping;
mod inner;

pub(crate) use inner::Inner;

use crate::config::ZoneConfig;
use crate::disk::Load;
use crate::fill::Fill;
use crate::key::Key;
use crate::object::{Meta, Object};
use crate::purge::{Mode, Purge, PurgeError};
use crate::stats::{Stats, Usage};
use crate::ticket::Ticket;
use std::io;
use std::sync::Arc;

/// A store of answers, shared by all workers. It outlives snapshots; its threads end with it.
///
/// A look-up in memory takes no lock that another look-up holds alone, and makes no system call. Nothing here
/// waits for a disk but the futures that say so.
pub struct Zone {
    pub(crate) inner: Arc<Inner>,
}

/// What a look-up found.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// In memory: the answer.
    Memory(Arc<Object>),
    /// On disk: it must be read first.
    Disk(Loading),
}

/// An answer that is being read from disk.
#[derive(Debug)]
pub struct Loading(Load);

impl Loading {
    /// The answer; None where it could not be read or was not what was written, which counts as a miss. Its
    /// body is whole if it is small, and else read piece by piece.
    pub async fn wait(self) -> Option<Arc<Object>> {
        self.0.wait().await
    }
}

/// What is stored under a key, for those that look into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which stored answer.
    pub id: u64,
    /// What of a request selects it.
    pub vary: Box<[u8]>,
    /// Host of its URL.
    pub host: Box<str>,
    /// Path and query.
    pub path: Box<str>,
    /// How many tags it has.
    pub tags: usize,
    /// Whether it is in memory.
    pub in_memory: bool,
    /// Whether it is on disk.
    pub on_disk: bool,
    /// Whether a soft purge has met it.
    pub marked_stale: bool,
    /// Unix seconds of its last use.
    pub used_s: u64,
    /// Unix seconds from which on it is of no use.
    pub keep_until_s: u64,
}

impl Zone {
    /// Opens a zone and starts its threads. The disk tier takes part once its index is read; a directory that
    /// another process holds is tried again ten times a second.
    ///
    /// # Errors
    /// When the directory cannot be made or written to, or is no store's, or threads cannot be started.
    pub fn open(name: &str, config: &ZoneConfig) -> io::Result<Self> {
        Ok(Self { inner: Inner::open(name, config)? })
    }

    /// Waits until the disk tier takes part, for so long at most: a process that starts with what it had
    /// stored answers from it at once. Blocks its thread.
    pub fn wait_ready(&self, limit: std::time::Duration) {
        let begun = std::time::Instant::now();
        // Bounded by time.
        while self.inner.disk.as_ref().is_some_and(|disk| !disk.is_ready()) && begun.elapsed() < limit {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// Its name.
    pub fn name(&self) -> Arc<str> {
        self.inner.name()
    }

    /// Gives it another name, under which it is in the log from now on.
    pub fn rename(&self, name: &str) {
        self.inner.rename(name);
    }

    /// Takes over bounds from another configuration. The path is not one of them: another one is another zone.
    pub fn reconfigure(&self, config: &ZoneConfig) {
        self.inner.reconfigure(config);
    }

    /// The key of those bytes in this zone.
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key::new(bytes, self.inner.seed)
    }

    /// Looks for the newest variant that `choose` takes by its [`Meta::vary`].
    pub fn find(&self, key: &Key<'_>, now_s: u64, choose: impl FnMut(&[u8]) -> bool) -> Found {
        self.inner.find(key, now_s, choose)
    }

    /// Before a request whose answer may be stored goes to the origin.
    pub fn ticket(&self) -> Ticket {
        Ticket::take(&self.inner.numbers)
    }

    /// Begins to store an answer, of a length if it is known.
    pub fn begin(&self, ticket: Ticket, key: &Key<'_>, meta: Meta, length: Option<u64>) -> Fill {
        Fill::begin(&self.inner, ticket, key.hash, meta, length)
    }

    /// Renews what is known about a stored answer (a 304, a HEAD), its body stays. Gives the renewed answer,
    /// which is stored unless the old one was removed meanwhile.
    pub fn renew(&self, ticket: &Ticket, old: &Arc<Object>, meta: Meta) -> Arc<Object> {
        self.inner.renew(ticket.number, old, meta)
    }

    /// Removes all variants of a key, and those that are under way. Says how many were stored.
    pub fn remove(&self, key: &Key<'_>) -> usize {
        self.inner.remove_key(key.hash)
    }

    /// Removes one stored answer.
    pub fn remove_object(&self, object: &Arc<Object>) {
        self.inner.remove(&object.entry);
    }

    /// How often a key was asked for, this time included, of late and approximately: for a minimum of uses.
    pub fn count_use(&self, key: &Key<'_>) -> u32 {
        self.inner.uses.count(key.hash)
    }

    /// Purges: from now on no look-up finds what is meant. Written to disk soon; [`Zone::flush`] waits for it.
    ///
    /// # Errors
    /// When too many wait for the sweep, or it names nothing.
    pub fn purge(&self, purge: &Purge) -> Result<(), PurgeError> {
        self.inner.purge(&purge.what, purge.mode)
    }

    /// Purges a key with all its variants, also those that are under way. Says how many were stored.
    pub fn purge_key(&self, key: &Key<'_>, mode: Mode) -> usize {
        match mode {
            Mode::Hard => self.inner.remove_key(key.hash),
            Mode::Soft => self.inner.mark_key(key.hash),
        }
    }

    /// What is stored under a key.
    pub fn list(&self, key: &Key<'_>) -> Vec<Listed> {
        self.inner.list(key.hash)
    }

    /// What is stored under a URL, whatever its key. Looks at all entries: for people, not for requests.
    pub fn list_url(&self, url: &str) -> Vec<Listed> {
        self.inner.list_url(url)
    }

    /// Waits until what was stored and purged so far is on disk, as far as it will be.
    pub async fn flush(&self) {
        self.inner.flush().await;
    }

    /// Gives the directory up for another process: writes the index and takes no more part in it.
    pub fn release(&self) {
        self.inner.release();
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.inner.stats
    }

    /// What is in it.
    pub fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        self.inner.stop();
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zone").field("name", &self.inner.name()).finish_non_exhaustive()
    }
}

impl Loading {
    pub(crate) fn new(load: Load) -> Self {
        Self(load)
    }
}

#[cfg(test)]
mod tests;
