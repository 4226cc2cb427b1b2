//! Files that TLS needs: read once, remembered with what the file system says of them, and looked at again.
//!
//! What was read while the process was still root serves on after it has become somebody else, as long as the
//! file does not change.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// 4 MiB: bundles of authorities have some 200 KiB, lists of revoked certificates rarely more than one MiB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    len: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self {
            device: meta.dev(),
            inode: meta.ino(),
            len: meta.len(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

#[derive(Clone)]
struct Known {
    stamp: Stamp,
    content: Arc<[u8]>,
}

/// Files by their paths.
#[derive(Default)]
pub struct FileCache {
    known: Mutex<HashMap<PathBuf, Known>>,
    /// States of files that were told of.
    told: Mutex<HashMap<PathBuf, Stamp>>,
}

impl fmt::Debug for FileCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileCache").finish_non_exhaustive()
    }
}

impl FileCache {
    /// The file's content, as it was when it was last seen to change.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn read(&self, path: &Path) -> Result<Arc<[u8]>, String> {
        let stamp = Stamp::of(path);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        match (stamp, known) {
            (Ok(stamp), Some(known)) if known.stamp == stamp => Ok(known.content),
            // Behind a directory that is no longer ours to look into.
            (Err(err), Some(known)) if err.kind() == io::ErrorKind::PermissionDenied => Ok(known.content),
            (Ok(stamp), _) => {
                let content: Arc<[u8]> = read(path).map_err(|err| cannot(path, &err))?.into();
                let known = Known { stamp, content: content.clone() };
                self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), known);
                Ok(content)
            }
            (Err(err), _) => Err(cannot(path, &err)),
        }
    }

    /// Whether the file is another one than when it was read. One that is not there has not changed: it may be
    /// about to be replaced.
    pub fn has_changed(&self, path: &Path) -> bool {
        let Ok(stamp) = Stamp::of(path) else { return false };
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(path).is_some_and(|known| known.stamp != stamp)
    }

    /// The same, said once for each state of the file.
    pub fn has_news(&self, path: &Path) -> bool {
        let Ok(stamp) = Stamp::of(path) else { return false };
        if !self.has_changed(path) {
            return false;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(path.to_owned(), stamp) != Some(stamp)
    }

    /// Forgets what nobody needs any more.
    pub fn retain(&self, is_used: impl Fn(&Path) -> bool) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|path, _| is_used(path));
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    match content.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other("it is larger than 4 MiB")),
        false => Ok(content),
    }
}

fn cannot(path: &Path, err: &io::Error) -> String {
    format!("cannot read \"{}\": {err}", path.display())
}

/// The certificates in a PEM file, in their order.
///
/// # Errors
/// Where there is none, or one is broken.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err("there is no certificate in it (PEM)".to_owned()),
        Ok(found) => Ok(found),
        Err(err) => Err(format!("it is no good PEM: {err}")),
    }
}

/// The lists of revoked certificates in a PEM file.
///
/// # Errors
/// Where there is none, or one is broken.
pub(crate) fn crls(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => {
            Err("there is no list of revoked certificates in it (PEM)".to_owned())
        }
        Ok(found) => Ok(found),
        Err(err) => Err(format!("it is no good PEM: {err}")),
    }
}

/// The private key in a PEM file.
///
/// # Errors
/// Where there is none, or it is encrypted; with the way out.
pub(crate) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let has = |text: &str| pem.windows(text.len()).any(|window| window == text.as_bytes());
    if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
        let help = "decrypt it with `openssl pkey -in key.pem -out plain.pem` and guard the file by its mode";
        return Err(format!("the key is encrypted{}{help}", bifrons_config::problem::HELP_MARK));
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|err| match err {
        rustls::pki_types::pem::Error::NoItemsFound => "there is no private key in it (PEM)".to_owned(),
        err => format!("it is no good PEM: {err}"),
    })
}
