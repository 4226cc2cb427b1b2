//! A worker's connections, by endpoint: which one a request gets, who dials, who waits for that.

use crate::link::{Lease, Link};
use bifrons_core::{Error, Kind, Result, Retry};
use bifrons_http::pool::EndpointKey;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use tokio::sync::Notify;
use tokio::time::Instant;

/// 100: what endpoints allow at the least if they keep to RFC 9113 6.5.2; until they say, it is assumed.
const STREAMS_ASSUMED: usize = 100;

/// Connections to all endpoints.
#[derive(Default)]
pub struct Links {
    groups: RefCell<HashMap<EndpointKey, Rc<Group>, foldhash::fast::RandomState>>,
}

/// What a request that needs a stream does next.
pub enum Turn {
    /// It has one.
    Go(Lease),
    /// It makes a connection.
    Dial(Ticket),
    /// It waits for one that is being made, and then asks again.
    Wait(Waiter),
}

/// Connections to one endpoint.
pub struct Group {
    links: RefCell<Vec<Rc<Link>>>,
    /// Connections that are being made.
    dials: Cell<usize>,
    /// Requests that wait for them.
    waiting: Cell<usize>,
    /// Dials that have failed, and why the last one did.
    failures: Cell<u64>,
    failure: RefCell<Option<(Kind, String)>>,
    /// Streams of a connection, as the endpoint has said last.
    streams: Cell<usize>,
    news: Notify,
}

impl Links {
    /// What a request to the endpoint does. `is_fresh`: no connection from before is good enough. `head_bytes`:
    /// what one must take of an answer's fields, which a reload may have raised.
    pub fn turn(&self, key: EndpointKey, is_fresh: bool, head_bytes: u32) -> Turn {
        let group = self.groups.borrow_mut().entry(key).or_default().clone();
        if !is_fresh && let Some(lease) = group.take(head_bytes) {
            return Turn::Go(lease);
        }
        // Who dials takes a stream too; and who waits does so until the endpoint has said how many it takes.
        let coming = group.dials.get() + group.unsettled(head_bytes);
        let places = coming * group.streams.get().saturating_sub(1);
        if !is_fresh && group.waiting.get() < places {
            group.waiting.set(group.waiting.get() + 1);
            return Turn::Wait(Waiter { since: group.failures.get(), group });
        }
        Turn::Dial(Ticket::of(group))
    }

    /// The right to enter a connection to the endpoint that was made, without a turn.
    pub fn ticket(&self, key: EndpointKey) -> Ticket {
        Ticket::of(self.groups.borrow_mut().entry(key).or_default().clone())
    }

    /// Closes what has been idle for too long or has lived too long.
    pub fn sweep(&self, now: Instant) {
        self.groups.borrow_mut().retain(|_, group| {
            group.links.borrow_mut().retain(|link| {
                if link.is_due(now) {
                    link.retire();
                }
                !link.is_retired()
            });
            !group.links.borrow().is_empty() || group.dials.get() > 0 || group.waiting.get() > 0
        });
    }

    /// Connections to the endpoint that no request uses.
    pub fn idle(&self, key: EndpointKey) -> usize {
        let groups = self.groups.borrow();
        groups.get(&key).map_or(0, |group| group.links.borrow().iter().filter(|link| link.is_idle()).count())
    }
}

impl Default for Group {
    fn default() -> Self {
        Self {
            links: RefCell::default(),
            dials: Cell::new(0),
            waiting: Cell::new(0),
            failures: Cell::new(0),
            failure: RefCell::default(),
            streams: Cell::new(STREAMS_ASSUMED),
            news: Notify::new(),
        }
    }
}

impl Group {
    /// A stream of the oldest connection that has one: younger ones fall idle first, and go.
    fn take(&self, head_bytes: u32) -> Option<Lease> {
        let is_good = |link: &&Rc<Link>| link.head_bytes >= head_bytes && link.has_room();
        let found = self.links.borrow().iter().find(is_good).cloned()?;
        if let Some(capacity) = found.capacity() {
            self.streams.set(capacity);
        }
        Some(found.lease())
    }

    /// Connections of which it is not known how many streams they have.
    fn unsettled(&self, head_bytes: u32) -> usize {
        let is_coming = |link: &&Rc<Link>| link.head_bytes >= head_bytes && link.is_coming();
        self.links.borrow().iter().filter(is_coming).count()
    }

    /// Forgets a connection that is not to be found any more.
    pub(crate) fn forget(&self, link: &Link) {
        self.links.borrow_mut().retain(|known| !std::ptr::eq(&**known, link));
    }

    /// Whether a connection on which a request has ended stays; one that falls idle may be one too many.
    pub(crate) fn keeps(&self, link: &Link) -> bool {
        let mut links = self.links.borrow_mut();
        if !links.iter().any(|known| std::ptr::eq(&**known, link)) {
            return false;
        }
        let idle = links.iter().filter(|known| known.is_idle()).count();
        if link.is_idle() && idle > link.idle_max() {
            links.retain(|known| !std::ptr::eq(&**known, link));
            return false;
        }
        true
    }

    pub(crate) fn tell_one(&self) {
        self.news.notify_one();
    }

    pub(crate) fn tell_all(&self) {
        self.news.notify_waiters();
    }
}

/// The right to make a connection; who waits for it looks again when it is given up.
pub struct Ticket(Rc<Group>);

impl Ticket {
    fn of(group: Rc<Group>) -> Self {
        group.dials.set(group.dials.get() + 1);
        Self(group)
    }

    /// It is there: its first stream.
    pub fn opened(self, link: &Rc<Link>) -> Lease {
        link.enter(&self.0);
        self.0.links.borrow_mut().push(link.clone());
        link.lease()
    }

    /// It did not come about, for who waits for it neither.
    pub fn failed(self, err: &Error) {
        self.0.failures.set(self.0.failures.get() + 1);
        *self.0.failure.borrow_mut() = Some((err.kind(), err.reason().to_owned()));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.dials.set(self.0.dials.get().saturating_sub(1));
        self.0.tell_all();
    }
}

/// A place among those that wait for a connection.
pub struct Waiter {
    group: Rc<Group>,
    /// Dials that had failed before.
    since: u64,
}

impl Waiter {
    /// Waits for news of the endpoint's connections.
    ///
    /// # Errors
    /// Why a connection did not come about meanwhile.
    pub async fn news(self) -> Result<()> {
        self.group.news.notified().await;
        let failure = self.group.failure.borrow();
        match &*failure {
            Some((kind, reason)) if self.group.failures.get() > self.since => {
                Err(Error::upstream(*kind, reason.clone()).retry(Retry::Safe))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.group.waiting.set(self.group.waiting.get().saturating_sub(1));
    }
}
