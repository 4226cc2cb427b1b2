//! Purges that wait to be told to other nodes.

use bifrons_store::{Mode, Purge, Scope};
use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// 10,000: an outage of hours at the rate that sites purge. Of more, one that empties everything stands for all.
const WAITING_MAX: usize = 10_000;

/// A queue that never loses what a purge meant.
#[derive(Default)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    news: Notify,
    /// For what keeps a copy.
    changed: Notify,
    is_open: AtomicBool,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Purge>,
    /// How many have come; the number of the last one that waits.
    come: u64,
    /// How many had come when those that waited were given up for another.
    begun: u64,
}

/// What has come since a copy was made.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Since {
    /// What waits of it.
    pub(crate) purges: Vec<Purge>,
    /// Up to here it is known then.
    pub(crate) come: u64,
    /// Whether nothing else waits: what the copy has from before is done with.
    pub(crate) is_all: bool,
}

impl Outbox {
    /// Whether purges are told at all.
    pub(crate) fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Relaxed);
        if !is_open {
            let mut queue = self.lock();
            queue.waiting.clear();
            queue.begun = queue.come;
            drop(queue);
            self.changed.notify_one();
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    pub(crate) fn push(&self, purge: &Purge) {
        if !self.is_open() {
            return;
        }
        let mut queue = self.lock();
        if queue.waiting.len() >= WAITING_MAX {
            queue.waiting.clear();
            queue.begun = queue.come;
            queue.waiting.push_back(Purge { zone: None, what: Scope::All, mode: Mode::Hard });
        } else {
            queue.waiting.push_back(purge.clone());
        }
        queue.come += 1;
        drop(queue);
        self.news.notify_one();
        self.changed.notify_one();
    }

    /// Something has come or was told since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What has come since so many had.
    pub(crate) fn since(&self, known: u64) -> Since {
        let queue = self.lock();
        let gone = queue.come - queue.waiting.len() as u64;
        let is_all = known < queue.begun || known <= gone;
        let skip = if known < queue.begun { 0 } else { known.saturating_sub(gone) };
        let purges = queue.waiting.iter().skip(skip as usize).cloned().collect();
        Since { purges, come: queue.come, is_all }
    }

    /// The next one, which stays until [`Outbox::sent`].
    pub(crate) async fn next(&self) -> Purge {
        loop {
            let first = self.lock().waiting.front().cloned();
            match first {
                Some(purge) => return purge,
                None => self.news.notified().await,
            }
        }
    }

    /// The first one was told.
    pub(crate) fn sent(&self, purge: &Purge) {
        let mut queue = self.lock();
        if queue.waiting.front() == Some(purge) {
            queue.waiting.pop_front();
        }
        drop(queue);
        self.changed.notify_one();
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: usize) -> Purge {
        Purge { zone: None, what: Scope::Tag(number.to_string()), mode: Mode::Soft }
    }

    #[tokio::test]
    async fn what_was_not_sent_comes_again_and_too_many_become_one() {
        let outbox = Outbox::default();
        outbox.push(&tag(0));
        assert_eq!(outbox.len(), 0, "nobody is told where nothing is configured");
        outbox.set_open(true);
        (0..WAITING_MAX).for_each(|number| outbox.push(&tag(number)));
        assert_eq!((outbox.next().await, outbox.next().await), (tag(0), tag(0)));
        outbox.sent(&tag(0));
        assert_eq!((outbox.next().await, outbox.len()), (tag(1), WAITING_MAX - 1));
        outbox.push(&tag(0));
        outbox.push(&tag(0));
        let all = Purge { zone: None, what: Scope::All, mode: Mode::Hard };
        assert_eq!((outbox.next().await, outbox.len()), (all, 1));
    }

    #[test]
    fn a_copy_is_told_what_has_come_and_when_to_begin_anew() {
        let outbox = Outbox::default();
        outbox.set_open(true);
        let since = |known| outbox.since(known);
        assert_eq!(since(0), Since { purges: vec![], come: 0, is_all: true });
        [1, 2].iter().for_each(|number| outbox.push(&tag(*number)));
        assert_eq!(since(0), Since { purges: vec![tag(1), tag(2)], come: 2, is_all: true });
        outbox.push(&tag(3));
        assert_eq!(since(2), Since { purges: vec![tag(3)], come: 3, is_all: false });
        [1, 2].iter().for_each(|number| outbox.sent(&tag(*number)));
        assert_eq!(since(3), Since { purges: vec![], come: 3, is_all: false }, "the third still waits");
        outbox.sent(&tag(3));
        assert_eq!(since(3), Since { purges: vec![], come: 3, is_all: true });
        (0..=WAITING_MAX).for_each(|number| outbox.push(&tag(number)));
        let known = since(3 + WAITING_MAX as u64);
        assert_eq!((known.purges.len(), known.is_all), (1, true), "one stands for all");
    }
}
