//! Lists a directory, byte for byte as nginx's `autoindex` does.

use crate::links::{self, Links};
use bifrons_core::time;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::vars::argument;
use bifrons_http::{RequestHead, Response};
use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat, statat};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

mod write;

/// How a directory is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The form.
    pub format: ListingFormat,
    /// Whether a page for people shows sizes to the byte, and not as `12K`.
    pub exact_size: bool,
    /// Whether a page for people shows times in the zone of the machine, and not in UTC.
    pub local_time: bool,
    /// Whether names are taken for UTF-8: columns are then counted in characters.
    pub utf8: bool,
    /// The media type of a page for people.
    pub page_type: &'static str,
}

/// The form of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListingFormat {
    /// A page for people.
    #[default]
    Html,
    /// An array of objects with `name`, `type`, `mtime` and `size`.
    Json,
    /// The same as the argument of the function that the query names by `callback=`.
    Jsonp,
    /// The same in elements.
    Xml,
}

/// 100,000: of more entries no reader makes anything, and as many take some 20 MiB and a good part of a
/// second, in which the thread serves nobody else. A directory that has more is an error (500).
pub const LISTING_ENTRIES_MAX: usize = 100_000;

/// One entry of a directory.
struct Entry {
    name: Vec<u8>,
    kind: EntryKind,
    /// Seconds since 1970.
    modified_s: i64,
    len: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    Directory,
    File,
    Other,
}

/// What is listed.
pub(crate) struct Listed<'a> {
    /// The directory's name, and what of it may be reached over links.
    pub(crate) directory: &'a [u8],
    pub(crate) trusted: &'a [u8],
    pub(crate) links: Links,
    /// Its path as clients see it, decoded.
    pub(crate) shown: &'a [u8],
}

/// The answer that lists a directory.
///
/// # Errors
/// What the system says; an `io::Error` inside.
pub(crate) fn answer(
    listing: &Listing,
    req: &RequestHead,
    listed: &Listed<'_>,
) -> io::Result<Result<Response>> {
    let callback = match listing.format {
        ListingFormat::Jsonp => req.query().and_then(|query| argument(query, "callback")).unwrap_or_default(),
        _ => b"",
    };
    if !callback.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.') {
        let err = Error::downstream(Kind::Malformed, "the name of the callback is no identifier");
        return Ok(Err(err));
    }
    let Some(entries) = entries(listed)? else {
        let message = format!("a directory with more than {LISTING_ENTRIES_MAX} entries is not listed");
        return Ok(Err(Error::local(Kind::Internal, message)));
    };
    let mut out = Vec::with_capacity(512 + 160 * entries.len());
    let media_type = match listing.format {
        ListingFormat::Html => {
            let offset = if listing.local_time { time::local_offset(SystemTime::now()) } else { 0 };
            write::html(&mut out, listed.shown, &entries, listing, offset);
            listing.page_type
        }
        ListingFormat::Jsonp if !callback.is_empty() => {
            write::json(&mut out, callback, &entries);
            "application/javascript"
        }
        ListingFormat::Json | ListingFormat::Jsonp => {
            write::json(&mut out, b"", &entries);
            "application/json"
        }
        ListingFormat::Xml => {
            write::xml(&mut out, &entries);
            "text/xml; charset=utf-8"
        }
    };
    Ok(Ok(Response::full(200, media_type, out)))
}

/// What lies in the directory, directories first, by the bytes of their names; `None` where it is too much.
/// As in nginx names that begin with a dot are left out, and so is what may not be looked at.
fn entries(listed: &Listed<'_>) -> io::Result<Option<Vec<Entry>>> {
    let flags = OFlags::NONBLOCK | OFlags::DIRECTORY;
    let directory: OwnedFd = links::open(listed.directory, listed.trusted, listed.links, flags)?.into();
    let mut entries = Vec::new();
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name.starts_with(b".") {
            continue;
        }
        let Ok(stat) = state(&directory, name) else { continue };
        if entries.len() == LISTING_ENTRIES_MAX {
            return Ok(None);
        }
        entries.push(Entry::of(name, &stat));
    }
    entries.sort_by(|a, b| {
        (a.kind != EntryKind::Directory, &a.name).cmp(&(b.kind != EntryKind::Directory, &b.name))
    });
    Ok(Some(entries))
}

/// The state of what a name leads to, or of the link itself where it leads nowhere.
fn state(directory: &OwnedFd, name: &[u8]) -> rustix::io::Result<Stat> {
    match statat(directory, name, AtFlags::empty()) {
        Err(Errno::NOENT | Errno::LOOP) => statat(directory, name, AtFlags::SYMLINK_NOFOLLOW),
        state => state,
    }
}

impl Entry {
    fn of(name: &[u8], stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => EntryKind::Directory,
            FileType::RegularFile => EntryKind::File,
            _ => EntryKind::Other,
        };
        let len = u64::try_from(stat.st_size).unwrap_or(0);
        Self { name: name.to_vec(), kind, modified_s: stat.st_mtime, len }
    }

    /// When it was last changed, moved by `offset` seconds.
    fn modified(&self, offset: i32) -> SystemTime {
        let since = u64::try_from(self.modified_s.saturating_add(i64::from(offset))).unwrap_or(0);
        // Beyond what a clock can show lies only a mistake of the file system.
        UNIX_EPOCH.checked_add(Duration::from_secs(since)).unwrap_or(UNIX_EPOCH)
    }
}

#[cfg(test)]
pub(crate) mod tests;
