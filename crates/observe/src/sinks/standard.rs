//! `stdout` and `stderr`.

use super::append::Appender;
use super::{Lost, OpenError, Records, Sink};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A standard stream, by a descriptor of its own: std's `Stdout` would look for line ends in every record.
pub(super) struct StandardSink(Appender);

impl StandardSink {
    /// # Errors
    /// Where standard output is closed.
    pub(super) fn stdout() -> Result<Self, OpenError> {
        Self::of(io::stdout().as_fd(), "stdout")
    }

    /// # Errors
    /// Where standard error is closed.
    pub(super) fn stderr() -> Result<Self, OpenError> {
        Self::of(io::stderr().as_fd(), "stderr")
    }

    fn of(fd: BorrowedFd<'_>, name: &str) -> Result<Self, OpenError> {
        let owned = fd
            .try_clone_to_owned()
            .map_err(|error| OpenError::new(format!("cannot write the access log to {name}: {error}")))?;
        Ok(Self(Appender::new(File::from(owned))))
    }
}

impl Sink for StandardSink {
    fn write(&mut self, records: &Records) -> Result<(), Lost> {
        self.0.append(records)
    }

    /// A stream has no name to open again.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}
