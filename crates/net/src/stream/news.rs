//! Streams that nobody has registered yet, and of whose peers somebody wants to hear soon.
//!
//! Most answers are there sooner than a stream would be registered for a watch alone. So whoever watches is put
//! on a list here, and woken to register when the worker looks after the list.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

thread_local! {
    static WATCHING: RefCell<Watching> = RefCell::default();
}

/// Who watches on this thread: one for each open stream at most.
#[derive(Default)]
struct Watching {
    wakers: HashMap<RawFd, (Waker, u32), foldhash::fast::RandomState>,
    /// How often the list was looked after.
    turn: u32,
}

/// A stream's place on the list of its thread.
pub(super) struct News {
    fd: RawFd,
    is_listed: AtomicBool,
}

impl News {
    /// On no list yet.
    pub(super) fn of(fd: RawFd) -> Self {
        Self { fd, is_listed: AtomicBool::new(false) }
    }

    /// Whether the list was looked after since this was asked first; the task is woken when it is.
    pub(super) fn is_due(&self, cx: &Context<'_>) -> bool {
        WATCHING.with_borrow_mut(|watching| {
            let Watching { wakers, turn } = watching;
            let (waker, since) = wakers.entry(self.fd).or_insert_with(|| (cx.waker().clone(), *turn));
            if !waker.will_wake(cx.waker()) {
                waker.clone_from(cx.waker());
            }
            self.is_listed.store(true, Ordering::Relaxed);
            *since != *turn
        })
    }

    /// Leaves the list.
    pub(super) fn leave(&self) {
        if self.is_listed.swap(false, Ordering::Relaxed) {
            // Where the thread is going, its list may be gone already.
            let _ = WATCHING.try_with(|watching| {
                if let Ok(mut watching) = watching.try_borrow_mut() {
                    watching.wakers.remove(&self.fd);
                }
            });
        }
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Wakes who watches a stream of this thread that is not registered yet, so that it is. To be called a few times a
/// second.
pub fn look_after() {
    WATCHING.with_borrow_mut(|watching| {
        watching.turn = watching.turn.wrapping_add(1);
        watching.wakers.values().for_each(|(waker, _)| waker.wake_by_ref());
    });
}
