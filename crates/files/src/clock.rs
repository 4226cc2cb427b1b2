//! The time of a look-up, taken once.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The time of a look-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Seconds since 1970, by the clock that file systems stamp with.
    pub(crate) unix_s: i64,
    /// Since some point in the past; never goes back.
    pub(crate) monotonic: Duration,
}

impl Now {
    /// Reads the coarse clocks: a few ms behind, and no system call.
    pub(crate) fn read() -> Self {
        let monotonic = clock_gettime(ClockId::MonotonicCoarse);
        Self {
            unix_s: clock_gettime(ClockId::RealtimeCoarse).tv_sec,
            monotonic: Duration::new(
                u64::try_from(monotonic.tv_sec).unwrap_or_default(),
                u32::try_from(monotonic.tv_nsec).unwrap_or_default(),
            ),
        }
    }
}
