//! `file`: records are appended to a file, which is opened again on SIGUSR1.

use super::append::Appender;
use super::{Lost, OpenError, Records, Sink};
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file, open for appending.
pub(super) struct FileSink {
    path: PathBuf,
    out: Appender,
}

impl FileSink {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// The system's, with the path; a missing directory is named.
    pub(super) fn open(path: &str) -> Result<Self, OpenError> {
        let path = PathBuf::from(path);
        match open(&path) {
            Ok(file) => Ok(Self { path, out: Appender::new(file) }),
            Err(error) => Err(OpenError::new(explain(&path, &error))),
        }
    }
}

impl Sink for FileSink {
    fn write(&mut self, records: &Records) -> Result<(), Lost> {
        self.out.append(records)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.out = Appender::new(open(&self.path)?);
        Ok(())
    }
}

/// `O_APPEND` lets several processes share the file through an upgrade; `O_NONBLOCK` keeps a named pipe
/// without a reader from stopping the start, and means nothing for a file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
}

pub(super) fn explain(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
        Some(parent) => {
            format!(
                "cannot open access log \"{shown}\": the directory \"{}\" does not exist",
                parent.display()
            )
        }
        None => format!("cannot open access log \"{shown}\": {error}"),
    }
}
