//! Bodies, and how they are read: in pieces, a range of them, whole where they are in memory.

use crate::disk::{DiskBody, DiskReader};
use crate::growing::{Growing, GrowingReader};
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Where the body of a stored answer is.
#[derive(Clone, Debug)]
pub enum Body {
    /// In memory, in one piece.
    Whole(Bytes),
    /// On disk, in a file of its own.
    Disk(DiskBody),
    /// Still arriving.
    Growing(Arc<Growing>),
}

/// Why a body could not be read to its end. The answer must be cut off, so that its client sees that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// What was being stored ended before its time.
    #[error("the answer that was being stored broke off")]
    Aborted,
    /// The pieces asked for are no longer kept.
    #[error("the piece of a growing answer is no longer kept")]
    Gone,
    /// It is not what was written.
    #[error("a stored answer is damaged")]
    Corrupt,
    /// The disk failed.
    #[error("reading a stored answer failed")]
    Io,
    /// Too much waits for the disk.
    #[error("too many reads wait for the disk")]
    Busy,
}

impl Body {
    /// The whole of it, where it is in memory.
    pub fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Disk(_) | Self::Growing(_) => None,
        }
    }

    /// How many bytes it has; None while it grows and nobody has said.
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Disk(body) => Some(body.len()),
            Self::Growing(growing) => growing.len(),
        }
    }

    /// Whether it is known to have none.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Reads a range; what of it lies behind the end is left out. `0..u64::MAX` is all.
    ///
    /// # Errors
    /// [`ReadError::Gone`] where the beginning of a growing body that is too large to be stored has passed.
    pub fn reader(&self, range: Range<u64>) -> Result<Reader, ReadError> {
        let source = match self {
            Self::Whole(bytes) => {
                let end = range.end.min(bytes.len() as u64) as usize;
                let start = range.start.min(end as u64) as usize;
                Source::Whole(bytes.slice(start..end))
            }
            Self::Disk(body) => Source::Disk(body.reader(range)),
            Self::Growing(growing) => Source::Growing(GrowingReader::new(growing, range)?),
        };
        Ok(Reader { source })
    }
}

/// Reads a body piece by piece.
#[derive(Debug)]
pub struct Reader {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Whole(Bytes),
    Disk(DiskReader),
    Growing(GrowingReader),
}

impl Reader {
    /// The next piece, never empty; None at the end. May be called again after `Pending` from another task.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ReadError>>> {
        match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Source::Disk(reader) => reader.poll_next(cx),
            Source::Growing(reader) => reader.poll_next(cx),
        }
    }

    /// The same as a future; nothing is lost when it is dropped.
    pub async fn next(&mut self) -> Option<Result<Bytes, ReadError>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}
