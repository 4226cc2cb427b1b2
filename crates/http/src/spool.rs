//! Bytes of bodies that lie on disk for a while: where temporary files are made, and how.
//!
//! Whatever may wait for the disk (opening, writing, cutting short) runs on the runtime's blocking threads:
//! a write to the page cache is mostly quick, but a worker with a thousand connections must not stand still
//! when the kernel makes writers wait for a slow disk. Pieces of 128 KiB make the way to another thread cheap.

mod backlog;
mod collect;
mod held;

pub use backlog::{Backlog, Front, HoldRules};
pub use collect::{Collected, Rules, collect};
pub use held::{GRACE, Held};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 100: names that may be taken already before we give up; they are counted up, so hardly ever one.
const NAMES_MAX: u32 = 100;
/// Ten digits, as nginx names its files.
const NUMBERS: u64 = 10_000_000_000;

/// A directory of temporary files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolDir {
    /// Where it is.
    pub path: PathBuf,
    /// Digits of a file's number that name the directories between (nginx's `level1 level2 level3`).
    pub levels: Vec<u8>,
}

/// What becomes of a temporary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It has no name and is gone with the last user.
    Anonymous,
    /// It has a name and is removed with the last user.
    Clean,
    /// It has a name and stays.
    Forever,
}

/// A temporary file, open for both directions.
#[derive(Debug)]
pub struct TempFile {
    file: Arc<File>,
    path: Option<PathBuf>,
    removes: bool,
}

impl TempFile {
    /// The open file.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Its name, if it has one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.as_ref().filter(|_| self.removes) {
            // Somebody else may have taken it away.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl SpoolDir {
    /// Makes a file. May wait for the disk.
    ///
    /// # Errors
    /// The system's, with the directory in the message.
    pub fn create(&self, keep: Keep) -> io::Result<TempFile> {
        let made = match keep {
            Keep::Anonymous => self.anonymous(),
            Keep::Clean | Keep::Forever => self.named().map(|(file, path)| TempFile {
                file,
                path: Some(path),
                removes: keep == Keep::Clean,
            }),
        };
        made.map_err(|err| {
            io::Error::new(err.kind(), format!("a temporary file in {}: {err}", self.path.display()))
        })
    }

    fn anonymous(&self) -> io::Result<TempFile> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(&self.path, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => Ok(TempFile { file: Arc::new(fd.into()), path: None, removes: false }),
            // File systems without O_TMPFILE: a name for a moment.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let (file, path) = self.named()?;
                std::fs::remove_file(path)?;
                Ok(TempFile { file, path: None, removes: false })
            }
            Err(err) => Err(err.into()),
        }
    }

    fn named(&self) -> io::Result<(Arc<File>, PathBuf)> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Another process may use the same directory: begin anywhere.
        let _ = NEXT.compare_exchange(0, fastrand::u64(1..NUMBERS), Ordering::Relaxed, Ordering::Relaxed);
        for _ in 0..NAMES_MAX {
            let path = self.path_of(NEXT.fetch_add(1, Ordering::Relaxed) % NUMBERS)?;
            let mut options = std::fs::OpenOptions::new();
            options.read(true).write(true).create_new(true).mode(0o600);
            match options.open(&path) {
                Ok(file) => return Ok((Arc::new(file), path)),
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
                Err(err) => return Err(err),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "all names that were tried are taken"))
    }

    /// `0123456789` with the levels 1 and 2: `9/78/0123456789`.
    fn path_of(&self, number: u64) -> io::Result<PathBuf> {
        let name = format!("{number:010}");
        let mut path = self.path.clone();
        let mut end = name.len();
        for &level in &self.levels {
            let start = end.saturating_sub(usize::from(level));
            path.push(name.get(start..end).unwrap_or_default());
            end = start;
            make_dir(&path)?;
        }
        path.push(name);
        Ok(path)
    }
}

/// Makes a directory for us alone; one that is there already is as good.
///
/// # Errors
/// The system's.
pub fn make_dir(path: &Path) -> io::Result<()> {
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done,
    }
}

/// Runs what may wait for the disk on a blocking thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|err| Err(io::Error::other(err)))
}

#[cfg(test)]
mod tests;
