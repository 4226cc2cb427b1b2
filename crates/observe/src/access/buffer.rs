//! A worker's records until they are handed to the writer thread.

use super::writer::{Batch, Message};
use super::{Log, Output};
use crate::sinks::{BETWEEN, Records};
use bifrons_config::{Lookup, Template};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 32 KiB: some 150 records, so that neither the wake-up of the writer nor its system call counts.
const HAND_OVER_BYTES: usize = 32 * 1024;

/// 128 KiB: a buffer that a giant record made larger is not kept.
const KEEP_BYTES_MAX: usize = 128 * 1024;

/// 2: one is being written while another is on its way back.
const SPARE_MAX: usize = 2;

/// One worker's records, by destination.
pub struct LogBuffer {
    queue: SyncSender<Message>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Those of the destinations that had records since the flush before last: few, so a scan finds one.
    lanes: Vec<Lane>,
    /// Holds the value of `when`.
    scratch: Vec<u8>,
}

/// One worker's records for one destination.
struct Lane {
    output: Arc<Output>,
    shared: Arc<LaneShared>,
    records: Records,
    queue_bytes: usize,
    flush: Duration,
    /// How long its oldest record has waited, by the ticks of the worker.
    waited: Duration,
    /// A record came since the last flush.
    used: bool,
}

/// What a lane shares with the writer thread.
#[derive(Default)]
pub(super) struct LaneShared {
    /// Bytes handed over and not written yet.
    waiting: AtomicUsize,
    /// Buffers to use again.
    spare: Mutex<Vec<Records>>,
}

impl LogBuffer {
    pub(super) fn new(queue: SyncSender<Message>) -> Self {
        Self { queue, state: RefCell::default() }
    }

    /// Appends a record, unless the log's `when` says otherwise. Never blocks.
    pub fn record(&self, log: &Log, vars: &dyn Lookup) {
        // Taken already only if `vars` itself records while it is being asked: that record is not wanted.
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        let State { lanes, scratch } = &mut *state;
        if log.when.as_ref().is_some_and(|when| !holds(when, vars, scratch)) {
            return;
        }
        let lane = lane_of(lanes, log);
        lane.used = true;
        if lane.records.capacity() == 0 {
            lane.records = lane.shared.take_spare();
        }
        lane.records.push_with(|out| {
            if let Some(path) = &log.path {
                path.render(vars, out);
                out.push(BETWEEN);
            }
            log.format.write(vars, out);
        });
        if lane.records.bytes().len() >= HAND_OVER_BYTES {
            lane.hand_over(&self.queue);
        }
    }

    /// Hands over all records, before the worker ends. Never blocks.
    pub fn flush(&self) {
        self.tick(Duration::MAX);
    }

    /// Hands over the records that have waited as long as they may. For the worker's ticker, which tells how much
    /// time has passed since it last did. Never blocks.
    pub fn tick(&self, passed: Duration) {
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        state.lanes.retain_mut(|lane| {
            lane.waited = lane.waited.saturating_add(passed);
            if lane.waited < lane.flush && !lane.records.is_empty() {
                return true;
            }
            lane.hand_over(&self.queue);
            // An unused lane goes, or it would keep a file open that no snapshot names any more.
            std::mem::take(&mut lane.used) || lane.shared.waiting.load(Relaxed) != 0
        });
    }
}

impl Drop for LogBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Whether a record is wanted: `when` renders as neither empty nor `0` (as nginx's `if=`).
fn holds(when: &Template, vars: &dyn Lookup, scratch: &mut Vec<u8>) -> bool {
    scratch.clear();
    when.render(vars, scratch);
    !matches!(scratch.as_slice(), b"" | b"0")
}

/// The lane of the log's destination.
fn lane_of<'a>(lanes: &'a mut Vec<Lane>, log: &Log) -> &'a mut Lane {
    let at = lanes.iter().position(|lane| Arc::ptr_eq(&lane.output, &log.output)).unwrap_or_else(|| {
        lanes.push(Lane {
            output: Arc::clone(&log.output),
            shared: Arc::default(),
            records: Records::default(),
            queue_bytes: log.queue_bytes,
            flush: log.flush,
            waited: Duration::ZERO,
            used: true,
        });
        lanes.len() - 1
    });
    let lane = &mut lanes[at];
    (lane.queue_bytes, lane.flush) = (log.queue_bytes, log.flush);
    lane
}

impl Lane {
    /// Sends the records off, or drops them where too many are waiting.
    fn hand_over(&mut self, queue: &SyncSender<Message>) {
        self.waited = Duration::ZERO;
        if self.records.is_empty() {
            return;
        }
        let bytes = self.records.bytes().len();
        let waiting = self.shared.waiting.load(Relaxed);
        // A buffer is taken whatever its size where none is waiting: a small `queue` must not stop all.
        if waiting != 0 && waiting.saturating_add(bytes) > self.queue_bytes {
            self.output.stats.dropped.fetch_add(self.records.count(), Relaxed);
            self.records.clear();
            return;
        }
        self.shared.waiting.fetch_add(bytes, Relaxed);
        let batch = Batch {
            output: Arc::clone(&self.output),
            lane: Arc::clone(&self.shared),
            records: std::mem::take(&mut self.records),
        };
        if let Err(unsent) = queue.try_send(Message::Batch(batch)) {
            let (std::sync::mpsc::TrySendError::Full(message)
            | std::sync::mpsc::TrySendError::Disconnected(message)) = unsent;
            if let Message::Batch(batch) = message {
                self.output.stats.dropped.fetch_add(batch.records.count(), Relaxed);
            }
        }
    }
}

impl LaneShared {
    /// An empty buffer, used before where the writer has brought one back.
    fn take_spare(&self) -> Records {
        self.spare.try_lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default()
    }

    /// Takes note that records have left, and keeps their buffer.
    pub(super) fn give_back(&self, mut records: Records) {
        self.waiting.fetch_sub(records.bytes().len(), Relaxed);
        if records.capacity() > KEEP_BYTES_MAX {
            return;
        }
        records.clear();
        if let Ok(mut spare) = self.spare.try_lock()
            && spare.len() < SPARE_MAX
        {
            spare.push(records);
        }
    }
}
