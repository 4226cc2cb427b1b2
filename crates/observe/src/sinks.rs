//! Where records end up. One file per kind of destination, and one line in [`open`].
//!
//! Sinks run on the writer's thread only: what blocks here delays records, never a request.

mod append;
mod file;
mod files;
mod gzip;
mod standard;
mod syslog;

use crate::config::Destination;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) use files::BETWEEN;

/// A destination, open.
pub trait Sink: Send {
    /// Writes records in order.
    ///
    /// # Errors
    /// How many were not written, and why. The sink stays usable.
    fn write(&mut self, records: &Records) -> Result<(), Lost>;

    /// Opens the destination anew, so that a renamed file is let go.
    ///
    /// # Errors
    /// Why it could not be opened; the old one stays in use.
    fn reopen(&mut self) -> io::Result<()>;
}

/// Records that could not be written.
#[derive(Debug)]
pub struct Lost {
    /// How many.
    pub records: u64,
    /// Why.
    pub error: io::Error,
}

/// Why a destination cannot be used; the message names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OpenError {
    /// What is wrong.
    pub message: String,
}

impl OpenError {
    pub(crate) fn new(message: String) -> Self {
        Self { message }
    }
}

/// Opens a destination.
///
/// # Errors
/// A file that cannot be opened; a syslog server, facility, severity or tag that is none. A syslog server
/// that does not listen (yet) is no error: it is tried again with every batch.
pub fn open(to: &Destination) -> Result<Box<dyn Sink>, OpenError> {
    open_with(to, &(Arc::new(open_file) as Opener))
}

/// Opens a file whose name requests have a say in.
pub type Opener = Arc<dyn Fn(&Path) -> io::Result<File> + Send + Sync>;

/// Opens or creates a file for appending.
///
/// # Errors
/// What the system says.
pub fn open_file(path: &Path) -> io::Result<File> {
    file::open(path)
}

/// As [`open`]; files whose names requests have a say in are opened by `opener`.
///
/// # Errors
/// As [`open`].
pub fn open_with(to: &Destination, opener: &Opener) -> Result<Box<dyn Sink>, OpenError> {
    Ok(match to {
        Destination::File(path) => Box::new(file::FileSink::open(path)?),
        Destination::Files(_) => Box::new(files::FilesSink::new(opener.clone())),
        Destination::Gzip(config) => Box::new(gzip::GzipSink::open(config)?),
        Destination::Stdout => Box::new(standard::StandardSink::stdout()?),
        Destination::Stderr => Box::new(standard::StandardSink::stderr()?),
        Destination::Syslog(config) => Box::new(syslog::SyslogSink::open(config)?),
    })
}

/// Records in one buffer, each with its line end.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    /// Where each record ends in `bytes`.
    ends: Vec<usize>,
}

impl Records {
    /// Appends the record that `write` writes.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// All records in a row.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many records there are.
    pub fn count(&self) -> u64 {
        self.ends.len() as u64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One after the other, each without its line end.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| {
            let record = self.bytes.get(start..end).unwrap_or_default();
            record.strip_suffix(b"\n").unwrap_or(record)
        })
    }

    /// How many records are not whole in the first `written` bytes.
    pub fn count_after(&self, written: usize) -> u64 {
        self.ends.iter().filter(|&&end| end > written).count() as u64
    }

    /// Whether the first `written` bytes end inside a record.
    pub fn is_torn_at(&self, written: usize) -> bool {
        written != 0 && self.ends.binary_search(&written).is_err()
    }

    /// Takes all records out; the room stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Bytes of room.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests;
