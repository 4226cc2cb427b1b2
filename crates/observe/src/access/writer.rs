//! The thread that writes access records. It may block; the workers never notice.

use super::buffer::LaneShared;
use super::{Output, Outputs, lock};
use crate::sinks::Records;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// One minute: a full disk fails with every batch, and one line a minute says as much as thousands.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// What the writer thread is asked to do.
pub(super) enum Message {
    Batch(Batch),
    Reopen,
    Close,
}

/// Records for one destination.
pub(super) struct Batch {
    pub(super) output: Arc<Output>,
    pub(super) lane: Arc<LaneShared>,
    pub(super) records: Records,
}

impl Drop for Batch {
    /// However the records fared, their bytes wait no longer.
    fn drop(&mut self) {
        self.lane.give_back(std::mem::take(&mut self.records));
    }
}

/// Works until it is told to close or no one is left to tell it.
pub(super) fn run(messages: &Receiver<Message>, outputs: &Outputs) {
    let mut warnings = Warnings::default();
    while let Ok(message) = messages.recv() {
        match message {
            Message::Batch(batch) => write(&batch, &mut warnings),
            Message::Reopen => reopen(outputs),
            Message::Close => break,
        }
        if outputs.late_reopen.swap(false, Relaxed) {
            reopen(outputs);
        }
    }
    // What came behind the request to close.
    while let Ok(message) = messages.try_recv() {
        if let Message::Batch(batch) = message {
            write(&batch, &mut warnings);
        }
    }
}

fn write(batch: &Batch, warnings: &mut Warnings) {
    let Batch { output, records, .. } = batch;
    let stats = &output.stats;
    let result = lock(&output.sink).write(records);
    let (lost, error) = match result {
        Ok(()) => (0, None),
        Err(lost) => (lost.records.min(records.count()), Some(lost.error)),
    };
    stats.written.fetch_add(records.count() - lost, Relaxed);
    match error {
        None => drop(stats.bytes.fetch_add(records.bytes().len() as u64, Relaxed)),
        Some(_) => {
            stats.errors.fetch_add(1, Relaxed);
            stats.dropped.fetch_add(lost, Relaxed);
        }
    }
    warnings.look_at(output, error, Instant::now());
}

/// Opens all destinations again; one that fails goes on with what it has.
fn reopen(outputs: &Outputs) {
    let open: Vec<Arc<Output>> =
        lock(&outputs.known).iter().filter_map(|known| known.output.upgrade()).collect();
    for output in open {
        if let Err(error) = lock(&output.sink).reopen() {
            output.stats.errors.fetch_add(1, Relaxed);
            tracing::warn!(destination = output.name, %error, "access log could not be opened again");
        }
    }
}

/// When each destination was last complained about, and how many records it had lost by then.
#[derive(Default)]
struct Warnings(HashMap<String, (Instant, u64)>);

impl Warnings {
    /// Warns of new losses, once in [`WARN_INTERVAL`] for each destination.
    fn look_at(&mut self, output: &Output, error: Option<std::io::Error>, now: Instant) {
        let dropped = output.stats.dropped.load(Relaxed);
        let last = self.0.get(&output.name).copied();
        let known = last.map_or(0, |(_, dropped)| dropped);
        if dropped == known && error.is_none() {
            return;
        }
        if last.is_some_and(|(at, _)| now.duration_since(at) < WARN_INTERVAL) {
            return;
        }
        let lost = dropped.saturating_sub(known);
        let destination = &*output.name;
        match error {
            Some(error) => tracing::warn!(destination, lost, %error, "access records were lost"),
            None => tracing::warn!(destination, lost, "access records were lost: too many were waiting"),
        }
        self.0.insert(output.name.clone(), (now, dropped));
    }
}
