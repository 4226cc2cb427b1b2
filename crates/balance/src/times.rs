//! How long an endpoint's answers take, as all workers measure it together.

use crate::policies::least_time::Measure;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// An eighth of each new answer: TCP's smoothing of round-trip times (RFC 6298 2.3).
const SHARE: u64 = 8;
/// 10 s without an answer halve the average: after a minute an endpoint that was slow is tried again.
const HALF_LIFE_MS: u64 = 10_000;

/// Averages of one endpoint. Written once a request where the cluster's policy looks at them; a race between
/// two workers may lose one answer's share.
#[derive(Debug, Default)]
pub struct Times {
    header: Average,
    last_byte: Average,
}

#[derive(Debug, Default)]
struct Average {
    /// 0: nothing measured.
    us: AtomicU64,
    at_ms: AtomicU64,
}

impl Times {
    /// Notes an answer that took that long.
    pub fn note(&self, measure: Measure, us: u64, now_ms: u64) {
        let average = self.of(measure);
        let old = average.us.load(Relaxed);
        let new = if old == 0 { us } else { old - old / SHARE + us / SHARE };
        average.us.store(new.max(1), Relaxed);
        average.at_ms.store(now_ms, Relaxed);
    }

    /// The average in µs; `None` where nothing was measured yet.
    pub fn average_us(&self, measure: Measure, now_ms: u64) -> Option<u64> {
        let average = self.of(measure);
        let us = average.us.load(Relaxed);
        let age = now_ms.saturating_sub(average.at_ms.load(Relaxed));
        (us != 0).then(|| us.checked_shr(u32::try_from(age / HALF_LIFE_MS).unwrap_or(64)).unwrap_or(0))
    }

    fn of(&self, measure: Measure) -> &Average {
        match measure {
            Measure::Header => &self.header,
            Measure::LastByte => &self.last_byte,
        }
    }
}

#[cfg(test)]
mod tests;
