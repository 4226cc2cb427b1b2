//! The time, asked of the kernel as seldom as its use allows.
//!
//! A request needs the time in a dozen places and is over within microseconds. [`read`] asks the clock and
//! remembers; [`recent`] gives what was last read since the worker woke up. The runtime must call
//! [`forget`] whenever it wakes (`on_thread_unpark`), so that a worker that slept never sees old time.

use std::cell::Cell;
use tokio::time::Instant;

thread_local! {
    static RECENT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The time now.
pub fn read() -> Instant {
    let now = Instant::now();
    RECENT.set(Some(now));
    now
}

/// The time of the last reading since the worker woke up; for deadlines of seconds.
pub fn recent() -> Instant {
    RECENT.get().unwrap_or_else(read)
}

/// Forgets the last reading.
pub fn forget() {
    RECENT.set(None);
}
