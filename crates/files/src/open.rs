//! Opens a file without being held up by it, and says what stands for it in HTTP.

use crate::cache::{self, FileCache};
use crate::clock::Now;
use crate::etag;
use crate::links::{self, Links};
use bifrons_http::{Method, date};
use bytes::Bytes;
use rustix::fs::OFlags;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// 16 KiB: up to here a file is read and sent in one write with the head; beyond, `sendfile` spares more by
/// not copying than its call costs. Also bounds what a thread keeps: with 1024 entries 16 MiB.
pub const SMALL_BYTES_MAX: u64 = 16 * 1024;

/// Two: a file cut short between `fstat` and `read` is asked for its length once more. One that is cut
/// again is being written in place, and whoever does that shows half-written files anyhow.
const READ_ATTEMPTS: usize = 2;

/// What a name leads to.
pub(crate) enum Opened {
    /// A regular file.
    File(Rc<Representation>),
    /// A directory.
    Directory,
    /// A pipe, device or socket.
    Special,
}

/// A regular file as it was when it was opened.
#[derive(Debug)]
pub(crate) struct Representation {
    pub(crate) facts: Facts,
    /// With its quotes.
    pub(crate) etag: String,
    pub(crate) modified: Option<Modified>,
    pub(crate) content: Content,
}

/// `Last-Modified`.
#[derive(Debug)]
pub(crate) struct Modified {
    /// Seconds since 1970, never negative.
    pub(crate) unix_s: i64,
    /// As HTTP writes it.
    pub(crate) text: String,
}

/// The bytes of a file.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of them, in hand.
    Bytes(Bytes),
    /// The open file.
    File(Arc<File>),
}

/// What tells one state of a file from another. `ctime` changes with each write, rename, change of times or
/// mode, and no program can set it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) len: u64,
    pub(crate) modified_s: i64,
    pub(crate) changed_s: i64,
    changed_ns: i64,
    device: u64,
    inode: u64,
}

impl Facts {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            len: metadata.len(),
            modified_s: metadata.mtime(),
            changed_s: metadata.ctime(),
            changed_ns: metadata.ctime_nsec(),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// How files are opened.
#[derive(Clone, Copy)]
pub(crate) struct Opener<'a> {
    pub(crate) cache: Option<FileCache>,
    pub(crate) links: Links,
    /// What of names may be reached over links whatever `links` says.
    pub(crate) trusted: &'a [u8],
    pub(crate) now: Now,
}

impl Opener<'_> {
    /// Opens what `name` leads to, for a request of that method; what the thread keeps of it comes from there.
    pub(crate) fn open(&self, name: &[u8], method: Method) -> io::Result<Opened> {
        // What is kept was maybe reached over links, or would be asked about over links.
        let Some(rules) = self.cache.filter(|_| self.links == Links::Follow) else {
            return self.open_anew(name, method);
        };
        if let Some(hit) = cache::find(name, rules, self.now) {
            return hit;
        }
        let found = self.open_anew(name, method);
        cache::keep(name, &found, rules, self.now);
        found
    }

    fn open_anew(&self, name: &[u8], method: Method) -> io::Result<Opened> {
        // O_NONBLOCK: a pipe without a writer must not hang the worker; on files it has no effect.
        // O_NOCTTY: nor may a terminal become ours.
        let file = links::open(name, self.trusted, self.links, OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Ok(Opened::Directory);
        }
        if !metadata.is_file() {
            return Ok(Opened::Special);
        }
        let facts = Facts::of(&metadata);
        let (facts, content) = if method == Method::Head || facts.len > SMALL_BYTES_MAX {
            (facts, Content::File(Arc::new(file)))
        } else {
            let (facts, bytes) = read(&file, facts)?;
            (facts, Content::Bytes(bytes))
        };
        Ok(Opened::File(Rc::new(represent(facts, content, self.now))))
    }
}

fn read(file: &File, mut facts: Facts) -> io::Result<(Facts, Bytes)> {
    let mut attempts = READ_ATTEMPTS;
    loop {
        let mut bytes = vec![0; facts.len as usize];
        attempts -= 1;
        match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => return Ok((facts, bytes.into())),
            Err(err) if attempts > 0 && err.kind() == io::ErrorKind::UnexpectedEof => {
                // Shorter than it was; the old length bounds the next read.
                let len_max = facts.len;
                facts = Facts::of(&file.metadata()?);
                facts.len = facts.len.min(len_max);
            }
            Err(err) => return Err(err),
        }
    }
}

fn represent(facts: Facts, content: Content, now: Now) -> Representation {
    Representation { facts, etag: etag::of(&facts), modified: Modified::of(facts.modified_s, now), content }
}

impl Modified {
    /// A time to come is replaced by the present (RFC 9110 8.8.2.1). A time before 1970, or beyond the year
    /// 9999, has no form in HTTP.
    fn of(modified_s: i64, now: Now) -> Option<Self> {
        /// 9999-12-31 23:59:59, the last second with a four-digit year.
        const LAST_S: u64 = 253_402_300_799;
        let unix_s = modified_s.min(now.unix_s);
        let since = u64::try_from(unix_s).ok().filter(|&since| since <= LAST_S)?;
        Some(Self { unix_s, text: date::format(UNIX_EPOCH + Duration::from_secs(since)) })
    }
}

#[cfg(test)]
mod tests;
