//! Opens files without following symbolic links, or only those that belong to the owner of what they lead
//! to (nginx's `disable_symlinks`).

use rustix::fs::{AtFlags, CWD, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

/// Whether symbolic links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// Always; what they lead to may lie anywhere.
    #[default]
    Follow,
    /// Only where link and target belong to the same user.
    SameOwner,
    /// Never: a path with one in it is forbidden.
    Refuse,
}

/// Opens `name`, an absolute path, by `flags`; what of it is `trusted` may be reached over links.
///
/// # Errors
/// `ELOOP` at a link that is not to be followed, and what the system says.
pub(crate) fn open(name: &[u8], trusted: &[u8], links: Links, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
    if links == Links::Follow {
        return Ok(openat(CWD, name, flags, Mode::empty())?.into());
    }
    let (start, rest) = split(name, trusted);
    let mut segments = rest.split(|&b| b == b'/').filter(|segment| !segment.is_empty()).peekable();
    if segments.peek().is_none() {
        return Ok(openat(CWD, name, flags, Mode::empty())?.into());
    }
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let last = if name.ends_with(b"/") { flags | OFlags::DIRECTORY } else { flags };
    let mut at = openat(CWD, if start.is_empty() { b"/" } else { start }, directory, Mode::empty())?;
    // Bounded by the length of the name, which the kernel bounds to 4096 bytes.
    while let Some(segment) = segments.next() {
        at = step(&at, segment, links, if segments.peek().is_none() { last } else { directory })?;
    }
    Ok(at.into())
}

/// One segment below `at`.
fn step(at: &OwnedFd, segment: &[u8], links: Links, flags: OFlags) -> io::Result<OwnedFd> {
    if links == Links::Refuse {
        // A link to a file is `ELOOP`, one to a directory on the way `ENOTDIR`: 403 and 404, as in nginx.
        return Ok(openat(at, segment, flags | OFlags::NOFOLLOW, Mode::empty())?);
    }
    let link = statat(at, segment, AtFlags::SYMLINK_NOFOLLOW)?;
    let found = openat(at, segment, flags, Mode::empty())?;
    // Also where no link was seen: one may have been put there in between.
    if fstat(&found)?.st_uid != link.st_uid {
        return Err(Errno::LOOP.into());
    }
    Ok(found)
}

/// What of `name` is trusted, where that ends at a segment's end, and the rest.
fn split<'a>(name: &'a [u8], trusted: &[u8]) -> (&'a [u8], &'a [u8]) {
    let trusted = trusted.strip_suffix(b"/").unwrap_or(trusted);
    match name.strip_prefix(trusted) {
        Some(rest) if !trusted.is_empty() && (rest.is_empty() || rest.starts_with(b"/")) => {
            (name.get(..trusted.len()).unwrap_or_default(), rest)
        }
        _ => (b"", name),
    }
}

#[cfg(test)]
mod tests;
