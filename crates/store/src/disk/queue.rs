//! What waits to be written: bounded by bytes.

use super::format::FRAME;
use super::segment::Segment;
use crate::growing::Growing;
use crate::object::Object;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Something to be written.
pub(crate) enum Job {
    /// A whole answer.
    Store(Arc<Object>),
    /// What is newly known about one that is on disk.
    Update(Arc<Object>),
    /// The next bytes of a large one; `body` of its bytes are there then.
    Append { segment: Arc<Segment>, offset: u64, bytes: Vec<u8>, growing: Arc<Growing>, body: u64 },
    /// A large one is complete.
    Seal { segment: Arc<Segment>, object: Arc<Object>, head_len: u32, body_len: u64 },
    /// A large one will not be complete.
    Abandon(Arc<Segment>),
    /// Says when all before it is written.
    Flush(oneshot::Sender<()>),
    /// Writes the index and gives the directory up.
    Release,
}

impl Job {
    fn bytes(&self) -> u64 {
        match self {
            Self::Store(object) => object.weight() as u64,
            Self::Append { bytes, .. } => bytes.len() as u64,
            Self::Update(_) => FRAME / 16,
            Self::Seal { .. } | Self::Abandon(_) | Self::Flush(_) | Self::Release => 0,
        }
    }
}

/// What waits for the writer.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    bytes_max: AtomicU64,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: u64,
    stopped: bool,
}

impl Queue {
    pub(crate) fn new(bytes_max: u64) -> Self {
        let (state, wake) = (Mutex::default(), Condvar::new());
        Self { state, wake, bytes_max: AtomicU64::new(bytes_max) }
    }

    pub(crate) fn set_bytes_max(&self, bytes: u64) {
        self.bytes_max.store(bytes, Relaxed);
    }

    /// Takes a job, unless it is full.
    pub(crate) fn push(&self, job: Job) -> Result<(), Job> {
        let bytes = job.bytes();
        let mut state = self.lock();
        // One always fits, however large: else it could never be stored.
        let full = bytes > 0 && state.bytes > 0 && state.bytes + bytes > self.bytes_max.load(Relaxed);
        if state.stopped || full {
            return Err(job);
        }
        state.bytes += bytes;
        state.jobs.push_back(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// The next job; None after that time without one.
    pub(crate) fn next(&self, wait: Duration) -> Option<Job> {
        let mut state = self.lock();
        if state.jobs.is_empty() && !state.stopped {
            let idle = |state: &mut State| state.jobs.is_empty() && !state.stopped;
            let woken = self.wake.wait_timeout_while(state, wait, idle);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let job = state.jobs.pop_front()?;
        state.bytes = state.bytes.saturating_sub(job.bytes());
        Some(job)
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.wake.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
