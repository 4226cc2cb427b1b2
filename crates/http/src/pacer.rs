//! No faster than so many bytes a second.

use crate::message::Body;
use bifrons_net::{Timer, clock};
use bytes::Bytes;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// 8 steps a second: smooth for whoever waits, few enough wake-ups for whoever serves thousands.
const STEPS: u64 = 8;
/// A quarter of a second's worth goes at once, so that small answers don't wait. nginx, which counts in whole
/// seconds, lets a whole one go.
const HEAD_START: f64 = 0.25;
/// 64 KiB: a step is never more, so that fast limits are smooth too.
const STEP_BYTES_MAX: u64 = 64 * 1024;

/// How fast bytes may go.
pub struct Pacer {
    rate: u64,
    after: u64,
    passed: u64,
    began: Option<Instant>,
    timer: Timer,
}

impl Pacer {
    /// `rate` bytes a second (more than 0) once `after` bytes have passed.
    pub fn new(rate: u64, after: u64) -> Self {
        Self { rate: rate.max(1), after, passed: 0, began: None, timer: Timer::new() }
    }

    /// Whether a body of that many bytes would pass at once.
    pub fn is_free(&self, len: u64) -> bool {
        len <= self.after.saturating_add((self.rate as f64 * HEAD_START) as u64)
    }

    /// Ready when some of `want` bytes (more than 0) may pass, with their number.
    pub fn poll(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<usize> {
        // Bounded: after its wait enough is granted.
        loop {
            let now = clock::read();
            match self.grant(now, want) {
                Ok(len) => {
                    self.timer.clear();
                    return Poll::Ready(len);
                }
                Err(wait) => self.timer.set(now + wait),
            }
            ready!(self.timer.poll(cx, Duration::MAX));
        }
    }

    /// How many of `want` bytes may pass at that time, or how long to wait.
    fn grant(&mut self, now: Instant, want: usize) -> Result<usize, Duration> {
        let began = *self.began.get_or_insert(now);
        let step = (self.rate / STEPS).clamp(1, STEP_BYTES_MAX).min(want as u64);
        let earned = (self.rate as f64 * (HEAD_START + (now - began).as_secs_f64())) as u64;
        let allowed = self.after.saturating_add(earned).saturating_sub(self.passed);
        if allowed >= step {
            return Ok(usize::try_from(allowed).unwrap_or(usize::MAX).min(want));
        }
        let wait = Duration::from_secs_f64((step - allowed) as f64 / self.rate as f64);
        Err(wait.max(Duration::from_millis(1)))
    }

    /// Counts bytes that have passed.
    pub fn pass(&mut self, len: usize) {
        self.passed += len as u64;
    }
}

/// A body that is read no faster than its pacer allows.
pub struct Paced {
    pub(crate) inner: Body,
    ahead: Bytes,
    pacer: Pacer,
}

impl Paced {
    /// That body at that pace.
    pub fn new(inner: Body, pacer: Pacer) -> Self {
        Self { inner, ahead: Bytes::new(), pacer }
    }

    /// Bytes still to come, where that is known.
    pub fn length(&self) -> Option<u64> {
        Some(self.inner.length()? + self.ahead.len() as u64)
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The body's.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<bifrons_core::Result<Option<Bytes>>> {
        if self.ahead.is_empty() {
            match ready!(self.inner.poll_next(cx))? {
                Some(piece) => self.ahead = piece,
                None => return Poll::Ready(Ok(None)),
            }
        }
        let Poll::Ready(len) = self.pacer.poll(cx, self.ahead.len()) else {
            // The rest of the request must not wait for this.
            self.inner.poll_pump(cx)?;
            return Poll::Pending;
        };
        self.pacer.pass(len);
        Poll::Ready(Ok(Some(self.ahead.split_to(len.min(self.ahead.len())))))
    }
}

#[cfg(test)]
mod tests;
