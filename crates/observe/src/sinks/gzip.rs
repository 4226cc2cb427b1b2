//! `gzip`: records are appended to a file, compressed (nginx's `access_log … gzip`).

use super::{Lost, OpenError, Records, Sink, file};
use crate::config::GzipFile;
use flate2::{Compression, write::GzEncoder};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// A file of gzip's members, open for appending.
pub(super) struct GzipSink {
    path: PathBuf,
    level: Compression,
    file: File,
}

impl GzipSink {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// A level that is none; the system's, with the path.
    pub(super) fn open(config: &GzipFile) -> Result<Self, OpenError> {
        let GzipFile { file, level } = config;
        if !(1..=9).contains(level) {
            let message = format!("`level` of \"{file}\" must be 1 to 9, not {level}");
            return Err(OpenError::new(message));
        }
        let path = PathBuf::from(file);
        match file::open(&path) {
            Ok(file) => Ok(Self { path, level: Compression::new(*level), file }),
            Err(error) => Err(OpenError::new(file::explain(&path, &error))),
        }
    }

    /// The records as a member of their own.
    fn member(&self, records: &Records) -> io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), self.level);
        encoder.write_all(records.bytes())?;
        encoder.finish()
    }

    /// Takes back the first half of a member that did not fit: nothing behind it could be read. Only where nobody
    /// else has written meanwhile, as the process before an upgrade may.
    fn take_back(&self, before: u64, written: usize) {
        let now = self.file.metadata().map_or(0, |file| file.len());
        if written > 0 && now.checked_sub(before) == u64::try_from(written).ok() {
            let _ = self.file.set_len(before);
        }
    }
}

impl Sink for GzipSink {
    fn write(&mut self, records: &Records) -> Result<(), Lost> {
        let lost = |error| Lost { records: records.count(), error };
        let member = self.member(records).map_err(lost)?;
        let before = self.file.metadata().map_err(lost)?.len();
        let mut rest = member.as_slice();
        while !rest.is_empty() {
            let error = match self.file.write(rest) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            self.take_back(before, member.len() - rest.len());
            return Err(lost(error));
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = file::open(&self.path)?;
        Ok(())
    }
}
