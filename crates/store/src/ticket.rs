//! The order of things: which answer was asked for before which purge.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Gives numbers that grow, also over restarts: microseconds since 1970, or one more than the last.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    last: AtomicU64,
    /// Numbers of requests under way, and how many have each.
    open: Mutex<BTreeMap<u64, u32>>,
}

impl Numbers {
    /// A new number.
    pub(crate) fn next(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = since.as_micros() as u64;
        let next = |last: u64| Some(now.max(last + 1));
        self.last.fetch_update(Relaxed, Relaxed, next).map_or(now, |last| now.max(last + 1))
    }

    /// None below that from now on.
    pub(crate) fn at_least(&self, number: u64) {
        self.last.fetch_max(number, Relaxed);
    }

    /// The oldest number under way; of all that comes the next one, if there is none.
    pub(crate) fn oldest(&self) -> u64 {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.first_key_value().map_or(u64::MAX, |(number, _)| *number)
    }
}

/// When an answer was asked for. Taken before the request goes to the origin: a purge between that and the
/// end of its answer then meets it.
#[derive(Debug)]
pub struct Ticket {
    numbers: Arc<Numbers>,
    pub(crate) number: u64,
}

impl Ticket {
    pub(crate) fn take(numbers: &Arc<Numbers>) -> Self {
        let mut open = numbers.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: who asks for the oldest sees it, or comes before it.
        let number = numbers.next();
        *open.entry(number).or_default() += 1;
        drop(open);
        Self { numbers: Arc::clone(numbers), number }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = self.numbers.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.number);
            }
        }
    }
}
