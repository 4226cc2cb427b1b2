//! A deadline that costs no timer operation in the steady state.
//!
//! A connection waits thousands of times and hardly ever too long. Arming and disarming a timer for
//! each wait would cost more than the wait itself, so the timer underneath stays armed for the earliest
//! deadline it was ever given; when it fires too early it is armed again for the real one.

use crate::clock;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// One waiting place's deadline.
#[derive(Default)]
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
    /// Whom `sleep` wakes; while that stays the same, it need not be told again.
    waker: Option<Waker>,
}

impl Timer {
    /// No deadline yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the wait; the next [`Timer::poll`] begins a new one.
    pub fn clear(&mut self) {
        self.deadline = None;
    }

    /// When the current wait ends, if there is one.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Sets the end of the current wait.
    pub fn set(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Ready when the wait, begun by the first call since the last `clear`, has lasted `limit`.
    /// `Duration::MAX` never ends.
    pub fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let deadline = match self.deadline {
            Some(deadline) => deadline,
            None => {
                let Some(deadline) = clock::recent().checked_add(limit) else { return Poll::Pending };
                self.deadline = Some(deadline);
                deadline
            }
        };
        self.poll_deadline(cx, deadline)
    }

    /// The same for a wait that begins anew all the time, the last time at `since`: it is looked at when the timer
    /// fires, and after a `clear`.
    pub fn poll_since(&mut self, cx: &mut Context<'_>, since: Instant, limit: Duration) -> Poll<()> {
        let rests =
            |timer: &Self| timer.knows(cx) && !timer.sleep.as_ref().is_some_and(|sleep| sleep.is_elapsed());
        if self.deadline.is_some() && rests(self) {
            return Poll::Pending;
        }
        let Some(deadline) = since.checked_add(limit) else { return Poll::Pending };
        self.deadline = Some(deadline);
        self.poll_deadline(cx, deadline)
    }

    /// Whether the timer wakes this task.
    fn knows(&self, cx: &Context<'_>) -> bool {
        self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        let is_earlier = sleep.deadline() > deadline;
        if is_earlier {
            sleep.as_mut().reset(deadline);
        }
        let knows = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if knows && !is_earlier && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        // Bounded: the second turn has a deadline in the future or returns.
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if clock::read() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
