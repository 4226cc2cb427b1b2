//! Passive health: an endpoint is taken out by the failures of real requests, by nginx's rules.
//!
//! As in ngx_http_upstream_round_robin.c (1.27; fields `fails`, `accessed`, `checked`):
//! - A failure counts up, and notes its time as both last failure and last check.
//! - At `max_fails` failures the endpoint is out while `now - checked <= fail_timeout`.
//! - After that one request may try: the pick that finds the time passed sets `checked = now`, so others
//!   find it out again. Its success makes the count 0; its failure keeps the endpoint out as long again;
//!   where it reports neither (the client left), the next try comes after another `fail_timeout`.
//! - A success makes the count 0 only if a check was noted after the last failure, that is if
//!   `fail_timeout` passed without a failure. So failures add up over successes between them, and over
//!   a span longer than `fail_timeout` if no gap between two of them is.
//!
//! nginx 1.11.5 removed the "quick recovery" that forgave everybody once all were out; so do we: with all
//! out there is no endpoint until the first `fail_timeout` has passed. The sole endpoint of a cluster is
//! never out (the caller sees to that, see [`crate::set::EndpointSet::is_sole`]).
//!
//! Not taken over: nginx also lowers a failing peer's weight for some picks (`effective_weight`).

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// How an attempt ended, as far as the endpoint's health is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered.
    Success,
    /// It did not: refused, timed out, broke off, or sent what counts as failure.
    Failure,
}

/// What a report changed; worth a log line unless `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The endpoint is out as of now.
    Ejected,
    /// An endpoint that was out serves again.
    Restored,
}

/// When failures take an endpoint out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthRule {
    /// Failures that take it out; 0: none ever do.
    pub max_fails: u32,
    /// How long it stays out, and how long without failure makes a success forgive those before.
    pub fail_timeout_ms: u64,
}

/// The health of one endpoint, shared by all workers.
///
/// Three independent atomics: a race between two reports may cost or save one failure, never more.
#[derive(Debug, Default)]
pub struct Health {
    /// Failures not yet forgiven. Wraps after 2^32 of them, which would give one needless try.
    fails: AtomicU32,
    /// Time of the last failure.
    accessed_ms: AtomicU64,
    /// Time of the last failure, or of the last pick that came more than `fail_timeout` after this.
    checked_ms: AtomicU64,
    /// How often it was taken out.
    ejections: AtomicU64,
    /// Whether active checks have found it out of order. Side by side with `fails`, which is read with it.
    unfit: AtomicBool,
    /// When it came back last; 0: it never was away.
    back_ms: AtomicU64,
    /// Active checks so far.
    checks: AtomicU64,
}

impl Health {
    /// Whether a request may go there, as far as health is concerned. One load in the good case.
    #[inline]
    pub fn is_live(&self, rule: HealthRule, now_ms: u64) -> bool {
        let fails = self.fails.load(Acquire);
        if fails == 0 || !ejects(rule, fails) {
            return true;
        }
        self.is_unchecked(rule, now_ms)
    }

    /// Notes that a request is about to go there. `false`: another one has just taken the one try of an
    /// endpoint that is out; pick again.
    #[inline]
    pub fn claim(&self, rule: HealthRule, now_ms: u64) -> bool {
        let fails = self.fails.load(Acquire);
        if fails == 0 {
            return true;
        }
        let checked = self.checked_ms.load(Relaxed);
        if now_ms.saturating_sub(checked) <= rule.fail_timeout_ms {
            return !ejects(rule, fails);
        }
        let won = self.checked_ms.compare_exchange(checked, now_ms, Relaxed, Relaxed).is_ok();
        won || !ejects(rule, fails)
    }

    /// Notes how the request ended.
    pub fn report(&self, rule: HealthRule, outcome: Outcome, now_ms: u64) -> Change {
        match outcome {
            Outcome::Failure => self.fail(rule, now_ms),
            Outcome::Success => self.succeed(rule, now_ms),
        }
    }

    fn fail(&self, rule: HealthRule, now_ms: u64) -> Change {
        // Times first: a reader that sees the new count must not see an old check and try at once.
        self.accessed_ms.store(now_ms, Relaxed);
        self.checked_ms.store(now_ms, Relaxed);
        let before = self.fails.fetch_add(1, Release);
        // Only the failure that reaches the limit: those of requests still under way, and of tries, find it
        // out already.
        if rule.max_fails == 0 || before.wrapping_add(1) != rule.max_fails {
            return Change::None;
        }
        self.ejections.fetch_add(1, Relaxed);
        Change::Ejected
    }

    fn succeed(&self, rule: HealthRule, now_ms: u64) -> Change {
        let fails = self.fails.load(Relaxed);
        if fails == 0 || self.accessed_ms.load(Relaxed) >= self.checked_ms.load(Relaxed) {
            return Change::None;
        }
        self.fails.store(0, Relaxed);
        if !ejects(rule, fails) {
            return Change::None;
        }
        self.back_ms.store(now_ms, Relaxed);
        Change::Restored
    }

    /// Whether active checks let it serve. One that is never checked does.
    #[inline]
    pub fn is_fit(&self) -> bool {
        !self.unfit.load(Relaxed)
    }

    /// Notes what active checks have found; `true` where that is news. One that is fit again has its
    /// failures forgiven.
    pub fn set_fit(&self, fit: bool, now_ms: u64) -> bool {
        let is_news = self.unfit.swap(!fit, Relaxed) == fit;
        if is_news && fit {
            self.forgive();
            self.back_ms.store(now_ms, Relaxed);
        }
        is_news
    }

    /// Counts an active check.
    pub fn note_check(&self) {
        self.checks.fetch_add(1, Relaxed);
    }

    /// Active checks so far.
    pub fn checks(&self) -> u64 {
        self.checks.load(Relaxed)
    }

    /// How long it has been back for; `None` where it never was away.
    pub fn back_for_ms(&self, now_ms: u64) -> Option<u64> {
        match self.back_ms.load(Relaxed) {
            0 => None,
            back => Some(now_ms.saturating_sub(back)),
        }
    }

    /// Forgets the failures: the endpoint is the only one.
    pub fn forgive(&self) {
        if self.fails.load(Relaxed) != 0 {
            self.fails.store(0, Relaxed);
        }
    }

    /// Failures not yet forgiven.
    pub fn fails(&self) -> u32 {
        self.fails.load(Relaxed)
    }

    /// How often it was taken out.
    pub fn ejections(&self) -> u64 {
        self.ejections.load(Relaxed)
    }

    /// Whether it is out though a try may be due: what a status page shows.
    pub fn is_ejected(&self, rule: HealthRule) -> bool {
        ejects(rule, self.fails.load(Relaxed))
    }

    /// The first millisecond at which an endpoint that is out may be tried; `None` if it is not out.
    pub fn ejected_until_ms(&self, rule: HealthRule) -> Option<u64> {
        let until = self.checked_ms.load(Relaxed).saturating_add(rule.fail_timeout_ms).saturating_add(1);
        self.is_ejected(rule).then_some(until)
    }

    fn is_unchecked(&self, rule: HealthRule, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.checked_ms.load(Relaxed)) > rule.fail_timeout_ms
    }
}

/// Whether so many failures take an endpoint out.
fn ejects(rule: HealthRule, fails: u32) -> bool {
    rule.max_fails != 0 && fails >= rule.max_fails
}

#[cfg(test)]
mod tests;
