//! Idle connections to endpoints, kept by one worker for its own requests.
//!
//! The last one put back is the first one taken, so that what is not needed grows old and is swept.
//! Whether an idle connection still lives is asked of the reactor, which costs no system call.

use crate::h1::Conn;
use bifrons_net::clock;
use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Which endpoint a connection leads to: a number that is never used twice in the process.
pub type EndpointKey = u64;

/// How idle connections are kept (nginx's `keepalive` family).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Idle connections to one endpoint, per worker.
    pub idle_max: usize,
    /// How long one may be idle.
    pub idle_timeout: Duration,
    /// Requests after which one is closed.
    pub requests_max: u32,
    /// Age after which one is closed.
    pub age_max: Duration,
}

struct Idle {
    conn: Rc<Conn>,
    until: Instant,
}

/// A worker's number, and how many idle connections it keeps to an endpoint.
type Count = (usize, Arc<AtomicUsize>);

/// How many idle connections each worker keeps to each endpoint, for siblings to see.
#[derive(Debug, Default)]
pub struct Board {
    counts: Mutex<HashMap<EndpointKey, Vec<Count>>>,
}

impl Board {
    /// The worker other than `except` that keeps most idle connections to the endpoint.
    pub fn richest(&self, key: EndpointKey, except: usize) -> Option<usize> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (worker, count) = counts
            .get(&key)?
            .iter()
            .filter(|(worker, _)| *worker != except)
            .map(|(worker, count)| (*worker, count.load(Ordering::Relaxed)))
            .max_by_key(|(_, count)| *count)?;
        (count > 0).then_some(worker)
    }

    fn enter(&self, key: EndpointKey, worker: usize) -> Arc<AtomicUsize> {
        let count = Arc::new(AtomicUsize::new(0));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.entry(key).or_default().push((worker, count.clone()));
        count
    }

    fn leave(&self, key: EndpointKey, worker: usize) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workers) = counts.get_mut(&key) {
            workers.retain(|(entered, _)| *entered != worker);
            if workers.is_empty() {
                counts.remove(&key);
            }
        }
    }
}

/// Idle connections to one endpoint.
struct List {
    idle: Vec<Idle>,
    count: Arc<AtomicUsize>,
}

impl List {
    /// Shows siblings how many there are: a plain store, which costs next to nothing.
    fn show(&self) {
        // An encrypted connection can't be handed over; those to one endpoint are all alike.
        let is_plain = self.idle.first().is_none_or(|idle| !idle.conn.is_tls());
        self.count.store(if is_plain { self.idle.len() } else { 0 }, Ordering::Relaxed);
    }
}

/// A worker's idle connections.
pub struct Pool {
    lists: RefCell<HashMap<EndpointKey, List, foldhash::fast::RandomState>>,
    board: Arc<Board>,
    worker: usize,
}

impl Pool {
    /// None yet; `board` shows siblings what there is.
    pub fn new(board: Arc<Board>, worker: usize) -> Self {
        Self { lists: RefCell::default(), board, worker }
    }

    /// An idle connection to the endpoint that still lives.
    pub fn take(&self, key: EndpointKey) -> Option<Rc<Conn>> {
        let mut lists = self.lists.borrow_mut();
        let list = lists.get_mut(&key)?;
        let mut found = None;
        // Bounded: every turn takes one off the list.
        while let Some(Idle { conn, .. }) = list.idle.pop() {
            if conn.is_quiet() {
                found = Some(conn);
                break;
            }
        }
        list.show();
        found
    }

    /// Keeps a connection for later, if it may be kept; else it closes when its last holder drops it.
    pub fn put(&self, key: EndpointKey, conn: Rc<Conn>, keep: &Keep) {
        if conn.messages() >= keep.requests_max || conn.is_sending() || conn.body_open() || !conn.settle() {
            return;
        }
        let now = clock::recent();
        if now - conn.born() >= keep.age_max {
            return;
        }
        let mut lists = self.lists.borrow_mut();
        let enter = || List { idle: Vec::new(), count: self.board.enter(key, self.worker) };
        let list = lists.entry(key).or_insert_with(enter);
        if list.idle.len() < keep.idle_max {
            list.idle.push(Idle { conn, until: now + keep.idle_timeout });
            list.show();
        }
    }

    /// Closes what has been idle too long or was closed by the endpoint.
    pub fn sweep(&self, now: Instant) {
        self.lists.borrow_mut().retain(|&key, list| {
            list.idle.retain(|idle| idle.until > now && idle.conn.is_quiet());
            list.show();
            let used = !list.idle.is_empty();
            if !used {
                self.board.leave(key, self.worker);
            }
            used
        });
    }

    /// Idle connections to the endpoint.
    pub fn len(&self, key: EndpointKey) -> usize {
        self.lists.borrow().get(&key).map_or(0, |list| list.idle.len())
    }

    /// Whether no connection is idle.
    pub fn is_empty(&self) -> bool {
        self.lists.borrow().is_empty()
    }

    /// Gives an idle connection away to another worker, no longer registered here.
    pub fn give(&self, key: EndpointKey) -> Option<OwnedFd> {
        if self.lists.borrow().get(&key)?.idle.first()?.conn.is_tls() {
            return None;
        }
        let conn = Rc::try_unwrap(self.take(key)?).ok()?;
        let (stream, _) = conn.into_parts();
        Some(stream.into_fd())
    }
}

/// Where a connection goes when its answer has come.
pub struct Home {
    pool: Rc<Pool>,
    key: EndpointKey,
    keep: Keep,
}

impl Home {
    /// The pool's list for the endpoint.
    pub fn new(pool: Rc<Pool>, key: EndpointKey, keep: Keep) -> Self {
        Self { pool, key, keep }
    }

    /// Puts the connection back.
    pub fn send(self, conn: Rc<Conn>) {
        self.pool.put(self.key, conn, &self.keep);
    }
}

#[cfg(test)]
mod tests;
