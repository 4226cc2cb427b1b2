//! A whole request body before it is sent on: in memory while it is small, in a file beyond.

use super::{Keep, SpoolDir, TempFile, blocking};
use crate::message::{Body, FileBody};
use bifrons_core::{Error, Kind, Result};
use bytes::{Bytes, BytesMut};
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// 128 KiB: what is written at a time, as much as one big read of a body brings.
const WRITE_BYTES: usize = 128 * 1024;
/// 16 KiB: memory that is taken before anything has come; what a client only announces costs no more.
const FIRST_BYTES: usize = 16 * 1024;

/// How bodies are collected.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Bytes kept in memory; larger bodies go to a file.
    pub memory: usize,
    /// What becomes of files. With a name, every body goes to one.
    pub keep: Keep,
    /// Where files are made.
    pub dir: Arc<SpoolDir>,
}

/// A body that has come to its end.
pub struct Collected {
    /// The body: [`Body::Empty`], [`Body::Full`] or [`Body::File`].
    pub body: Body,
    /// The file it is in.
    pub file: Option<Arc<TempFile>>,
}

/// Reads the body to its end.
///
/// # Errors
/// The body's own (too large, truncated, too slow); `Internal` where the file can't be written.
pub async fn collect(rules: &Rules, mut body: Body) -> Result<Collected> {
    let mut sink = Sink { rules, held: BytesMut::new(), file: None, written: 0 };
    let wants_file = rules.keep != Keep::Anonymous;
    // What is in hand stays there.
    let first = match body {
        Body::Full(bytes) if !wants_file => {
            return Ok(Collected { body: Body::Full(bytes), file: None });
        }
        _ => body.length().unwrap_or(0),
    };
    sink.held.reserve(usize::try_from(first).unwrap_or(usize::MAX).min(FIRST_BYTES).min(rules.memory));
    while let Some(piece) = body.next().await? {
        sink.take(piece).await.map_err(failed)?;
    }
    if wants_file && !sink.held.is_empty() {
        sink.flush().await.map_err(failed)?;
    }
    sink.end().await.map_err(failed)
}

fn failed(err: io::Error) -> Error {
    tracing::error!(%err, "a request's body could not be buffered");
    Error::local(Kind::Internal, format!("buffering a request's body: {err}"))
}

struct Sink<'a> {
    rules: &'a Rules,
    /// What is in memory: all, or what is not written yet.
    held: BytesMut,
    file: Option<Arc<TempFile>>,
    written: u64,
}

impl Sink<'_> {
    async fn take(&mut self, piece: Bytes) -> io::Result<()> {
        let fits = self.file.is_none() && self.held.len() + piece.len() <= self.rules.memory;
        self.held.extend_from_slice(&piece);
        crate::buffers::give_bytes(piece);
        if fits || self.file.is_some() && self.held.len() < WRITE_BYTES {
            return Ok(());
        }
        self.flush().await
    }

    /// Writes what is held to the file, which is made if there is none.
    async fn flush(&mut self) -> io::Result<()> {
        let (dir, keep, file) = (self.rules.dir.clone(), self.rules.keep, self.file.take());
        let (held, at) = (std::mem::take(&mut self.held), self.written);
        let written = blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(dir.create(keep)?),
            };
            file.file().write_all_at(&held, at)?;
            Ok((file, held))
        });
        let (file, mut held) = written.await?;
        self.written += held.len() as u64;
        held.clear();
        (self.file, self.held) = (Some(file), held);
        Ok(())
    }

    async fn end(mut self) -> io::Result<Collected> {
        if self.file.is_some() && !self.held.is_empty() {
            self.flush().await?;
        }
        let Some(file) = self.file else {
            let body = if self.held.is_empty() { Body::Empty } else { Body::Full(self.held.freeze()) };
            return Ok(Collected { body, file: None });
        };
        let body = FileBody { file: file.file().clone(), offset: 0, len: self.written };
        Ok(Collected { body: Body::File(body), file: Some(file) })
    }
}
