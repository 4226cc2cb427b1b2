//! What a slow client has not taken yet: memory first, then a file, then no more is read.
//!
//! Order: `front`, the file, what is being written to it, `back`. While nothing lies in the file, bytes go to
//! `front` as long as it has room. What lies in the file leaves it by `sendfile`; once it is empty, `back`
//! becomes `front`.

use super::{Keep, SpoolDir, TempFile};
use bytes::{Buf, BytesMut};
use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::JoinHandle;

/// How much is held back for a client that is slower than the endpoint.
#[derive(Clone, Debug)]
pub struct HoldRules {
    /// Bytes in memory.
    pub memory: usize,
    /// Bytes in a file; 0: none.
    pub file: u64,
    /// Bytes gathered for one write to the file, at least one.
    pub write: usize,
    /// Where the file is made.
    pub dir: Arc<SpoolDir>,
}

/// What comes next.
pub enum Front<'a> {
    /// Nothing is held.
    Empty,
    /// These bytes.
    Memory(&'a [u8]),
    /// That part of the file.
    File {
        /// The file.
        file: &'a Arc<File>,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        len: u64,
    },
    /// What comes next is still being written.
    Writing,
}

/// The buffer and what became of writing it.
type Write = JoinHandle<(BytesMut, io::Result<Arc<TempFile>>)>;

/// Bytes on their way to a slow client.
pub struct Backlog {
    rules: Arc<HoldRules>,
    front: BytesMut,
    back: BytesMut,
    file: Option<Arc<TempFile>>,
    /// What of the file has been taken, and where it ends.
    taken: u64,
    end: u64,
    writing: Option<(Write, usize)>,
    /// The disk has failed, or there is to be no file.
    is_memory_only: bool,
    /// Nothing more comes.
    is_sealed: bool,
}

impl Backlog {
    /// Nothing held yet.
    pub fn new(rules: Arc<HoldRules>) -> Self {
        let is_memory_only = rules.file == 0;
        Self {
            rules,
            front: BytesMut::new(),
            back: BytesMut::new(),
            file: None,
            taken: 0,
            end: 0,
            writing: None,
            is_memory_only,
            is_sealed: false,
        }
    }

    /// Bytes held.
    pub fn len(&self) -> u64 {
        let writing = self.writing.as_ref().map_or(0, |(_, len)| *len);
        (self.front.len() + self.back.len() + writing) as u64 + (self.end - self.taken)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether more may be read from the endpoint. A piece that is larger than the room is taken all the same.
    pub fn has_room(&self) -> bool {
        let in_memory = self.front.len() + self.back.len();
        if self.is_memory_only {
            return in_memory < self.rules.memory.max(1);
        }
        if self.appends_to_front() {
            return true;
        }
        self.writing.is_none()
            && self.back.len() < self.rules.write
            && self.end + (self.back.len() as u64) < self.rules.file
    }

    /// Takes more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let to_front = match self.is_memory_only {
            true => self.back.is_empty() && self.end == self.taken && self.writing.is_none(),
            false => self.appends_to_front() && self.front.len() < self.rules.memory,
        };
        if to_front {
            self.front.extend_from_slice(bytes);
            return;
        }
        self.back.extend_from_slice(bytes);
        if !self.is_memory_only && self.writing.is_none() && self.back.len() >= self.rules.write {
            self.begin_write();
        }
    }

    /// Says that nothing more comes: while the client takes its time, only the file and `front` are held.
    pub fn seal(&mut self) {
        self.is_sealed = true;
        self.write_last();
    }

    fn write_last(&mut self) {
        if !self.is_sealed || self.is_memory_only || self.writing.is_some() {
            return;
        }
        match self.back.is_empty() {
            true => self.back = BytesMut::new(),
            false if self.taken < self.end => self.begin_write(),
            false => {}
        }
    }

    /// What goes to the client next.
    pub fn front(&self) -> Front<'_> {
        if !self.front.is_empty() {
            return Front::Memory(&self.front);
        }
        match &self.file {
            Some(file) if self.taken < self.end => {
                Front::File { file: file.file(), offset: self.taken, len: self.end - self.taken }
            }
            _ if self.writing.is_some() => Front::Writing,
            _ => Front::Empty,
        }
    }

    /// Drops the first `len` bytes of what [`Backlog::front`] has shown.
    pub fn advance(&mut self, len: usize) {
        if self.front.is_empty() {
            self.taken = self.end.min(self.taken + len as u64);
        } else {
            self.front.advance(len.min(self.front.len()));
        }
        self.settle();
    }

    /// Goes on with the write under way, if there is one; ready once there is none.
    pub fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some((write, len)) = &mut self.writing else { return Poll::Ready(()) };
        let len = *len;
        let Poll::Ready(outcome) = Pin::new(write).poll(cx) else { return Poll::Pending };
        self.writing = None;
        match outcome {
            Ok((mut buf, Ok(file))) => {
                self.end += len as u64;
                self.file = Some(file);
                buf.clear();
                if self.back.is_empty() {
                    self.back = buf;
                }
            }
            Ok((mut buf, Err(err))) => {
                tracing::error!(%err, "an answer is held in memory only, since it could not be written");
                self.is_memory_only = true;
                buf.extend_from_slice(&self.back);
                self.back = buf;
            }
            // The runtime ends, and this connection with it.
            Err(_) => self.is_memory_only = true,
        }
        self.settle();
        self.write_last();
        if self.writing.is_some() { self.poll_written(cx) } else { Poll::Ready(()) }
    }

    /// Whether nothing lies behind `front`.
    fn appends_to_front(&self) -> bool {
        self.end == self.taken && self.writing.is_none() && self.back.is_empty()
    }

    /// Once everything before `back` is gone, it comes next; the file begins anew.
    fn settle(&mut self) {
        if self.front.is_empty() && self.taken == self.end && self.writing.is_none() {
            (self.taken, self.end) = (0, 0);
            std::mem::swap(&mut self.front, &mut self.back);
        }
    }

    fn begin_write(&mut self) {
        let buf = std::mem::take(&mut self.back);
        let (dir, file, at, len) = (self.rules.dir.clone(), self.file.clone(), self.end, buf.len());
        let write = tokio::task::spawn_blocking(move || {
            let outcome = write(&dir, file, &buf, at);
            (buf, outcome)
        });
        self.writing = Some((write, len));
    }
}

fn write(dir: &SpoolDir, file: Option<Arc<TempFile>>, buf: &[u8], at: u64) -> io::Result<Arc<TempFile>> {
    let file = match file {
        Some(file) => file,
        None => Arc::new(dir.create(Keep::Anonymous)?),
    };
    if at == 0 {
        // What was there has been taken: its pages need not go to the disk any more.
        file.file().set_len(0)?;
    }
    file.file().write_all_at(buf, at)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
