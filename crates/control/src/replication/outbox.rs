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
    waiting: Mutex<VecDeque<Purge>>,
    news: Notify,
    is_open: AtomicBool,
}

impl Outbox {
    /// Whether purges are told at all.
    pub(crate) fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Relaxed);
        if !is_open {
            self.lock().clear();
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Relaxed)
    }

    pub(crate) fn push(&self, purge: &Purge) {
        if !self.is_open() {
            return;
        }
        let mut waiting = self.lock();
        if waiting.len() >= WAITING_MAX {
            waiting.clear();
            waiting.push_back(Purge { zone: None, what: Scope::All, mode: Mode::Hard });
        } else {
            waiting.push_back(purge.clone());
        }
        self.news.notify_one();
    }

    /// The next one, which stays until [`Outbox::sent`].
    pub(crate) async fn next(&self) -> Purge {
        loop {
            let first = self.lock().front().cloned();
            match first {
                Some(purge) => return purge,
                None => self.news.notified().await,
            }
        }
    }

    /// The first one was told.
    pub(crate) fn sent(&self, purge: &Purge) {
        let mut waiting = self.lock();
        if waiting.front() == Some(purge) {
            waiting.pop_front();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Purge>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
}
