//! Appending records to a descriptor: what files and standard streams share.

use super::{Lost, Records};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Write};

/// An open descriptor that takes whole records.
pub(super) struct Appender {
    file: File,
    /// The last write stopped inside a record, whose rest is lost: a line end must come first.
    torn: bool,
}

/// 1 s: how long one batch waits for a full pipe. Longer, and the other destinations' queues run over.
#[cfg(not(test))]
const WAIT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// Tests fill a pipe on purpose.
#[cfg(test)]
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

impl Appender {
    pub(super) fn new(file: File) -> Self {
        Self { file, torn: false }
    }

    /// Writes records.
    ///
    /// # Errors
    /// The descriptor's error, or `TimedOut` where a pipe stayed full.
    pub(super) fn append(&mut self, records: &Records) -> Result<(), Lost> {
        if self.torn {
            self.put(b"\n").map_err(|(_, error)| Lost { records: records.count(), error })?;
            self.torn = false;
        }
        self.put(records.bytes()).map_err(|(written, error)| {
            self.torn = records.is_torn_at(written);
            Lost { records: records.count_after(written), error }
        })
    }

    /// Writes all bytes or says how many it wrote. Ends: each turn writes, was interrupted, or uses up the wait.
    fn put(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut rest = bytes;
        let mut waited = false;
        while !rest.is_empty() {
            let written = bytes.len() - rest.len();
            match self.file.write(rest) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if waited || !self.wait() {
                        return Err((written, io::ErrorKind::TimedOut.into()));
                    }
                    waited = true;
                }
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }

    /// Whether the descriptor took bytes again in time.
    fn wait(&self) -> bool {
        poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], Some(&WAIT)).is_ok_and(|ready| ready > 0)
    }
}
