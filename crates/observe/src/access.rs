//! The access log: records on their way from the workers to their destinations.
//!
//! A worker appends records to its own [`LogBuffer`] and hands full buffers to the one writer thread over a
//! bounded channel. It never waits: when too much is waiting, records are dropped and counted.

mod buffer;
mod writer;

use crate::CompiledFormat;
use crate::config::{AccessLog, Destination, GzipFile, Syslog};
use crate::metrics::Exposition;
use crate::metrics::text::Type;
use crate::sinks::{self, OpenError, Opener, Sink};
use bifrons_config::Template;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use buffer::LogBuffer;
use writer::Message;

/// 1,024 buffers of some 32 KiB; `queue` bounds the bytes of each worker and destination long before.
const CHANNEL_BUFFERS: usize = 1024;

/// 5 ms: no one sees it when the process ends, and a thread that ends needs no signal of its own.
const CLOSE_POLL: Duration = Duration::from_millis(5);

/// All destinations of access records, and the thread that writes to them. One a process; clones share it.
#[derive(Clone)]
pub struct AccessLogger {
    inner: Arc<Inner>,
}

struct Inner {
    queue: SyncSender<Message>,
    opener: Opener,
    outputs: Arc<Outputs>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The destinations that were ever opened.
#[derive(Default)]
struct Outputs {
    known: Mutex<Vec<Known>>,
    /// A [`AccessLogger::reopen`] that found the channel full.
    late_reopen: AtomicBool,
}

/// A destination. Its counts outlive it, so that they never run backwards.
struct Known {
    to: Destination,
    stats: Arc<Stats>,
    output: Weak<Output>,
}

/// A destination, open for as long as a [`Log`] or a record needs it.
struct Output {
    name: String,
    stats: Arc<Stats>,
    /// Only the writer thread locks it while serving.
    sink: Mutex<Box<dyn Sink>>,
}

/// Counts of one destination.
#[derive(Default)]
struct Stats {
    written: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    errors: AtomicU64,
}

/// Counts of all destinations together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogTotals {
    /// Records written.
    pub written: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Records that were not written, because too many were waiting or the destination failed.
    pub dropped: u64,
    /// Times a destination failed.
    pub errors: u64,
}

/// An access log as a host or route runs it.
pub struct Log {
    output: Arc<Output>,
    format: Arc<CompiledFormat>,
    /// Names the file, where each record has its own.
    path: Option<Template>,
    when: Option<Template>,
    queue_bytes: usize,
    flush: Duration,
}

impl AccessLogger {
    /// Starts the writer thread.
    ///
    /// # Errors
    /// Where the system refuses a thread.
    pub fn start() -> io::Result<Self> {
        Self::start_with(Arc::new(sinks::open_file))
    }

    /// The same; files whose names requests have a say in are opened by `opener`.
    ///
    /// # Errors
    /// As [`AccessLogger::start`].
    pub fn start_with(opener: Opener) -> io::Result<Self> {
        let (queue, messages) = sync_channel(CHANNEL_BUFFERS);
        let outputs = Arc::new(Outputs::default());
        let shared = Arc::clone(&outputs);
        let thread = thread::Builder::new()
            .name("access-log".into())
            .spawn(move || writer::run(&messages, &shared))?;
        let thread = Mutex::new(Some(thread));
        Ok(Self { inner: Arc::new(Inner { queue, opener, outputs, thread }) })
    }

    /// A log by its configuration. A destination that is open already, by a snapshot before or by another
    /// route, is shared and not opened again.
    ///
    /// # Errors
    /// As [`sinks::open`].
    pub fn open(&self, config: &AccessLog, format: Arc<CompiledFormat>) -> Result<Log, OpenError> {
        let output = self.output(&config.to, || sinks::open_with(&config.to, &self.inner.opener))?;
        Ok(Log {
            output,
            format,
            path: match &config.to {
                Destination::Files(path) => Some(path.clone()),
                _ => None,
            },
            when: config.when.clone(),
            queue_bytes: usize::try_from(config.queue.0).unwrap_or(usize::MAX),
            flush: config.flush.0,
        })
    }

    fn output(
        &self,
        to: &Destination,
        open: impl FnOnce() -> Result<Box<dyn Sink>, OpenError>,
    ) -> Result<Arc<Output>, OpenError> {
        let mut known = lock(&self.inner.outputs.known);
        let at = known.iter().position(|known| known.to == *to);
        let entry = at.and_then(|at| known.get_mut(at));
        if let Some(output) = entry.as_ref().and_then(|entry| entry.output.upgrade()) {
            return Ok(output);
        }
        let sink = Mutex::new(open()?);
        let stats = entry.as_ref().map(|entry| Arc::clone(&entry.stats)).unwrap_or_default();
        let output = Arc::new(Output { name: name(to), stats: Arc::clone(&stats), sink });
        match entry {
            Some(entry) => entry.output = Arc::downgrade(&output),
            None => known.push(Known { to: to.clone(), stats, output: Arc::downgrade(&output) }),
        }
        Ok(output)
    }

    /// A buffer for one worker.
    pub fn buffer(&self) -> LogBuffer {
        LogBuffer::new(self.inner.queue.clone())
    }

    /// Has the writer open all files again, after what has been handed to it; returns at once.
    pub fn reopen(&self) {
        if let Err(TrySendError::Full(_)) = self.inner.queue.try_send(Message::Reopen) {
            self.inner.outputs.late_reopen.store(true, Relaxed);
        }
    }

    /// Writes what has been handed over and ends the writer thread; `false` where it was not done within
    /// `limit`. Workers flush their buffers before. Blocks, so not for a worker's thread.
    pub fn close(&self, limit: Duration) -> bool {
        let until = Instant::now().checked_add(limit);
        let in_time = || until.is_none_or(|until| Instant::now() < until);
        while let Err(TrySendError::Full(_)) = self.inner.queue.try_send(Message::Close) {
            if !in_time() {
                return false;
            }
            thread::sleep(CLOSE_POLL);
        }
        let Some(handle) = lock(&self.inner.thread).take() else { return true };
        while !handle.is_finished() {
            if !in_time() {
                return false;
            }
            thread::sleep(CLOSE_POLL);
        }
        handle.join().is_ok()
    }

    /// Counts since the start.
    pub fn totals(&self) -> LogTotals {
        let known = lock(&self.inner.outputs.known);
        known.iter().fold(LogTotals::default(), |sum, known| {
            let one = known.stats.load();
            LogTotals {
                written: sum.written + one.written,
                bytes: sum.bytes + one.bytes,
                dropped: sum.dropped + one.dropped,
                errors: sum.errors + one.errors,
            }
        })
    }

    /// Writes the counts as metrics; meant for [`crate::Registry::on_render`].
    pub fn expose(&self, out: &mut Exposition) {
        /// A family's name, its help and its value.
        type Row = (&'static str, &'static str, fn(&LogTotals) -> u64);
        const ROWS: [Row; 4] = [
            ("bifrons_access_log_records_total", "Access records written.", |totals| totals.written),
            ("bifrons_access_log_bytes_total", "Bytes of access records written.", |totals| totals.bytes),
            (
                "bifrons_access_log_dropped_total",
                "Access records not written: too many were waiting, or the destination failed.",
                |totals| totals.dropped,
            ),
            ("bifrons_access_log_errors_total", "Failed writes of access records.", |totals| totals.errors),
        ];
        let known = lock(&self.inner.outputs.known);
        if known.is_empty() {
            return;
        }
        for (family, help, value) in ROWS {
            out.family(family, help, Type::Counter);
            for known in &*known {
                out.sample(family, &[("destination", &name(&known.to))], value(&known.stats.load()));
            }
        }
    }
}

impl Stats {
    fn load(&self) -> LogTotals {
        LogTotals {
            written: self.written.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            errors: self.errors.load(Relaxed),
        }
    }
}

/// What people call a destination.
fn name(to: &Destination) -> String {
    match to {
        Destination::File(path) | Destination::Gzip(GzipFile { file: path, .. }) => path.clone(),
        Destination::Files(path) => path.source().to_owned(),
        Destination::Stdout => "stdout".into(),
        Destination::Stderr => "stderr".into(),
        Destination::Syslog(Syslog { server, .. }) => format!("syslog:{server}"),
    }
}

/// A thread that panicked while it held the lock has left nothing half done that matters here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
