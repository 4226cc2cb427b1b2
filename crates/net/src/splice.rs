//! Bytes from descriptor to descriptor inside the kernel: `splice(2)` through a pipe, `sendfile(2)`.

use crate::Stream;
use rustix::pipe::{PipeFlags, SpliceFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

/// 256 KiB: fewer turns for a big body than the kernel's default of 64 KiB, and below the default
/// `pipe-max-size` of 1 MiB. Where the user's pipe pages are used up the kernel keeps 64 KiB.
const PIPE_BYTES: usize = 256 * 1024;

/// A pipe whose one purpose is to carry bytes from one socket to another.
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    held: usize,
}

impl Pipe {
    /// A new, empty pipe.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        // Refused beyond the user's share of pipe pages: the default size works as well, only slower.
        let _ = rustix::pipe::fcntl_setpipe_size(&write, PIPE_BYTES);
        Ok(Self { read, write, held: 0 })
    }

    /// Whether no byte is in it, so that it may serve another pair of sockets.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Moves up to `len` bytes from `from` into the pipe, which must be empty. 0 is the end of the stream.
    pub fn poll_fill(&mut self, cx: &mut Context<'_>, from: &Stream, len: usize) -> Poll<io::Result<usize>> {
        loop {
            ready!(from.poll_readable(cx))?;
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            match rustix::pipe::splice(from.as_fd(), None, &self.write, None, len.min(PIPE_BYTES), flags) {
                Ok(moved) => {
                    self.held += moved;
                    return Poll::Ready(Ok(moved));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => from.clear_readable(),
                Err(rustix::io::Errno::INTR) => {}
                Err(err) => return Poll::Ready(Err(err.into())),
            }
        }
    }

    /// Moves what the pipe holds to `to`; ready with the count once some of it went.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, to: &Stream, more: bool) -> Poll<io::Result<usize>> {
        let mut flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        if more {
            flags |= SpliceFlags::MORE;
        }
        let (read, held) = (&self.read, self.held);
        let moved = ready!(
            to.poll_write_with(cx, |fd| { Ok(rustix::pipe::splice(read, None, fd, None, held, flags)?) })
        )?;
        self.held -= moved;
        Poll::Ready(Ok(moved))
    }
}

/// Sends up to `len` bytes of `file` from `offset` to `to`; ready with the count (0: the file ended).
pub fn poll_sendfile(
    cx: &mut Context<'_>,
    to: &Stream,
    file: impl AsFd,
    offset: u64,
    len: usize,
) -> Poll<io::Result<usize>> {
    let mut at = offset;
    to.poll_write_with(cx, |fd| Ok(rustix::fs::sendfile(fd, file.as_fd(), Some(&mut at), len)?))
}
