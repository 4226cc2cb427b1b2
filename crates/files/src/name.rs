//! Directory and path to a file name below the directory.

use bifrons_core::{Error, Kind, Result};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Joins `path` to `dir` with exactly one `/`; an empty `path` means `dir` itself.
///
/// The result names nothing above or beside `dir`, but for symbolic links below it.
pub(crate) fn join(dir: &Path, path: &[u8]) -> Result<Vec<u8>> {
    let dir = dir.as_os_str().as_bytes();
    if dir.is_empty() {
        // `/etc/passwd` joined to nothing would be that file.
        return Err(Error::local(Kind::Internal, "the directory of the files is an empty name"));
    }
    if dir.contains(&0) || path.contains(&0) {
        return Err(Error::downstream(Kind::NotFound, "the path has a NUL byte"));
    }
    if path.split(|&b| b == b'/').any(|segment| segment == b"..") {
        return Err(Error::downstream(Kind::NotFound, "the path has the segment `..`"));
    }
    if path.is_empty() {
        return Ok(dir.to_vec());
    }
    let kept = dir.iter().rposition(|&b| b != b'/').map_or(0, |at| at + 1);
    let mut name = Vec::with_capacity(kept + 1 + path.len());
    name.extend_from_slice(dir.get(..kept).unwrap_or_default());
    if !path.starts_with(b"/") {
        name.push(b'/');
    }
    name.extend_from_slice(path);
    Ok(name)
}

/// The extension of a file name: what stands behind the last dot of its last segment, unless the name
/// begins with that dot (`.profile` has none, as in nginx).
pub(crate) fn extension(name: &[u8]) -> Option<&[u8]> {
    let last = name.rsplit(|&b| b == b'/').next()?;
    let dot = last.iter().rposition(|&b| b == b'.').filter(|&at| at > 0)?;
    last.get(dot + 1..)
}

/// The name as the standard library takes it.
pub(crate) fn as_path(name: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(name))
}

/// The name for the log.
pub(crate) fn shown(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}

#[cfg(test)]
mod tests;
