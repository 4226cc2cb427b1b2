//! Idle connections to endpoints, kept by one worker for its own requests.
//!
//! The last one put back is the first one taken, so that what is not needed grows old and is swept.
//! Whether an idle connection still lives is asked of the reactor, which costs no system call.

use crate::h1::Conn;
use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::Instant;

/// Which endpoint a connection leads to; unique in the process while the endpoint is in use.
pub type EndpointKey = usize;

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

/// A worker's idle connections.
#[derive(Default)]
pub struct Pool {
    idle: RefCell<HashMap<EndpointKey, Vec<Idle>, foldhash::fast::RandomState>>,
}

impl Pool {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An idle connection to the endpoint that still lives.
    pub fn take(&self, key: EndpointKey) -> Option<Rc<Conn>> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&key)?;
        // Bounded: every turn takes one off the list.
        while let Some(Idle { conn, .. }) = list.pop() {
            if conn.is_quiet() {
                return Some(conn);
            }
        }
        None
    }

    /// Keeps a connection for later, if it may be kept; else it closes when its last holder drops it.
    pub fn put(&self, key: EndpointKey, conn: Rc<Conn>, keep: &Keep) {
        if conn.messages() >= keep.requests_max || conn.is_sending() || conn.body_open() || !conn.is_quiet() {
            return;
        }
        let now = Instant::now();
        if now - conn.born() >= keep.age_max {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(key).or_default();
        if list.len() < keep.idle_max {
            list.push(Idle { conn, until: now + keep.idle_timeout });
        }
    }

    /// Closes what has been idle too long or was closed by the endpoint.
    pub fn sweep(&self, now: Instant) {
        self.idle.borrow_mut().retain(|_, list| {
            list.retain(|idle| idle.until > now && idle.conn.is_quiet());
            !list.is_empty()
        });
    }

    /// Closes all connections to endpoints that `keep` doesn't name.
    pub fn retain(&self, mut keep: impl FnMut(EndpointKey) -> bool) {
        self.idle.borrow_mut().retain(|&key, _| keep(key));
    }

    /// Idle connections to the endpoint.
    pub fn len(&self, key: EndpointKey) -> usize {
        self.idle.borrow().get(&key).map_or(0, Vec::len)
    }

    /// Whether no connection is idle.
    pub fn is_empty(&self) -> bool {
        self.idle.borrow().is_empty()
    }

    /// Gives an idle connection away to another worker, no longer registered here.
    pub fn give(&self, key: EndpointKey) -> Option<OwnedFd> {
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
