//! Requests for the same that share one request to the origin, across workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// 16 Ki: keys that are known not to be stored; of more, each costs its requests a wait now and then.
const PASSES_MAX: usize = 16 * 1024;

/// Where a request to the origin is.
#[derive(Debug)]
pub enum State<T> {
    /// No head has come yet.
    Waiting,
    /// Its answer, which may still arrive.
    Serving(Arc<T>),
    /// Its answer is nobody else's.
    Pass,
    /// Its answer is its own for what it said of itself; another's may be for all.
    Own,
    /// There was none.
    Failed,
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Waiting => Self::Waiting,
            Self::Serving(object) => Self::Serving(object.clone()),
            Self::Pass => Self::Pass,
            Self::Own => Self::Own,
            Self::Failed => Self::Failed,
        }
    }
}

/// The requests of a zone that are under way, and keys whose answers are not stored.
#[derive(Debug)]
pub struct Flights<T>(Mutex<HashMap<u128, Slot<T>>>);

#[derive(Debug)]
enum Slot<T> {
    Flying { news: watch::Receiver<State<T>>, since: Instant, number: u64 },
    Pass { until: Instant },
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// What a request is for its key.
#[derive(Debug)]
pub enum Joined<T> {
    /// The one that goes to the origin.
    First(Flight<T>),
    /// One that waits for it.
    Other(watch::Receiver<State<T>>),
    /// On its own, since the answer is not stored.
    Alone,
}

impl<T> Flights<T> {
    fn map(&self) -> MutexGuard<'_, HashMap<u128, Slot<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the request under way, if there is one that is no older than `age`; else is the first.
    pub fn join(self: &Arc<Self>, key: u128, now: Instant, age: Duration) -> Joined<T> {
        let mut map = self.map();
        match map.get(&key) {
            Some(Slot::Pass { until }) if now < *until => return Joined::Alone,
            Some(Slot::Flying { news, since, .. })
                if is_alive(news) && now.saturating_duration_since(*since) < age =>
            {
                return Joined::Other(news.clone());
            }
            _ => {}
        }
        let (say, news) = watch::channel(State::Waiting);
        let number = fastrand::u64(..);
        map.insert(key, Slot::Flying { news, since: now, number });
        Joined::First(Flight { flights: self.clone(), key, number, say })
    }

    /// Whether a request is under way.
    pub fn is_under_way(&self, key: u128) -> bool {
        matches!(self.map().get(&key), Some(Slot::Flying { news, .. }) if is_alive(news))
    }

    /// What comes for that key, if its beginning is there.
    pub fn serving(&self, key: u128) -> Option<Arc<T>> {
        match self.map().get(&key) {
            Some(Slot::Flying { news, .. }) if is_alive(news) => match &*news.borrow() {
                State::Serving(object) => Some(object.clone()),
                State::Waiting | State::Pass | State::Own | State::Failed => None,
            },
            _ => None,
        }
    }

    /// Nobody waits for that key until then.
    fn pass(&self, key: u128, until: Instant, now: Instant) {
        let mut map = self.map();
        if map.len() >= PASSES_MAX {
            map.retain(|_, slot| !matches!(slot, Slot::Pass { until } if *until <= now));
        }
        if map.len() < PASSES_MAX {
            map.insert(key, Slot::Pass { until });
        }
    }
}

/// A dropped sender whose last word was no answer has nothing more to say.
fn is_alive<T>(news: &watch::Receiver<State<T>>) -> bool {
    matches!(*news.borrow(), State::Waiting | State::Serving(_)) && news.has_changed().is_ok()
}

/// A request under way. Dropped without a word it has failed.
#[derive(Debug)]
pub struct Flight<T> {
    flights: Arc<Flights<T>>,
    key: u128,
    number: u64,
    say: watch::Sender<State<T>>,
}

impl<T> Flight<T> {
    /// The answer begins.
    pub fn serve(&self, object: Arc<T>) {
        self.say.send_replace(State::Serving(object));
    }

    /// The answer is nobody else's for what its request said of itself: those that wait may try for another.
    pub fn own(self) {
        self.say.send_replace(State::Own);
    }

    /// The answer is nobody else's, and neither will those be that come within `within`.
    pub fn pass(self, now: Instant, within: Duration) {
        self.say.send_replace(State::Pass);
        if !within.is_zero() {
            self.flights.pass(self.key, now + within, now);
        }
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.say.send_if_modified(|state| {
            let is_waiting = matches!(state, State::Waiting);
            if is_waiting {
                *state = State::Failed;
            }
            is_waiting
        });
        let mut map = self.flights.map();
        if matches!(map.get(&self.key), Some(Slot::Flying { number, .. }) if *number == self.number) {
            map.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests;
