//! Waiting for something to become true, with a deadline; never a bare sleep.

use std::time::{Duration, Instant};

/// 20 s: far more than anything here takes on a loaded machine, little enough to see which test hangs.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Waits until `holds`; panics with `what` after [`DEADLINE`].
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    wait_for(what, || holds().then_some(()));
}

/// Waits until `look` gives something; panics with `what` after [`DEADLINE`].
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain: {what}");
        std::thread::sleep(STEP);
    }
}
