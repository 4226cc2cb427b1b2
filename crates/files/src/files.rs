//! A request to a file, to the index of a directory, or to a redirect.

use crate::cache::FileCache;
use crate::clock::Now;
use crate::links::Links;
use crate::listing::{self, Listed, Listing};
use crate::negotiate::{Precompressed, Vary};
use crate::open::{Opened, Opener, Representation};
use crate::options::Options;
use crate::respond::{self, Rules, Sent};
use crate::types::Types;
use crate::{name, redirect};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{Method, RequestHead, Response};
use std::io;
use std::path::Path;
use std::rc::Rc;

/// Answers with files. Built once, shared by all threads.
#[derive(Debug)]
pub struct Files {
    index: Vec<String>,
    types: Types,
    cache: Option<FileCache>,
    rules: Rules,
    precompressed: Option<Precompressed>,
    listing: Option<Listing>,
    links: Links,
}

/// What is looked up, and how clients call it.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// The root, or the alias. An alias may be a file, when nothing is left of the path.
    pub dir: &'a Path,
    /// The request's path, decoded and normalised.
    pub path: &'a [u8],
    /// Bytes of the path that the directory takes the place of: an alias' prefix, 0 for a root. The rest is
    /// joined to `dir` with exactly one `/`, so that an alias without a slash at its end does not open its
    /// neighbours (as it does in nginx).
    pub strip: usize,
    /// The path as the client wrote it, escapes and all: where a directory is meant without a `/` at its end,
    /// `Location` is this path with the `/`, relative (RFC 9110 10.2.2).
    pub uri: &'a [u8],
    /// What of file names may be reached over links although links are restricted; mostly nothing.
    pub trusted: &'a [u8],
}

/// What the client gets.
pub struct Answer {
    /// 200, 206, 301, 304, 412 or 416; only 200 and 206 to a GET have a body.
    pub response: Response,
    /// The file or directory that was found (`$request_filename`).
    pub filename: Vec<u8>,
}

/// A request and what it is looked up with.
struct Ask<'a> {
    req: &'a RequestHead,
    lookup: Lookup<'a>,
    opener: Opener<'a>,
}

impl Files {
    /// The value of `Allow` that belongs to an answer 405 (RFC 9110 15.5.6).
    pub const ALLOW: &str = "GET, HEAD";

    /// Answers by those options.
    pub fn new(options: Options) -> Self {
        Self {
            index: options.index.into_iter().filter(|name| !name.is_empty()).collect(),
            types: Types::new(&options.types, options.only_types, options.default_type),
            cache: options.cache.filter(|cache| cache.max > 0),
            rules: Rules {
                etag: options.etag,
                if_modified_since: options.if_modified_since,
                ranges_max: options.ranges_max,
            },
            precompressed: options.precompressed.filter(|files| !files.codings.is_empty()),
            listing: options.listing,
            links: options.links,
        }
    }

    /// Looks the path up and answers with what is there.
    ///
    /// # Errors
    /// [`Kind::Method`] for all but GET and HEAD (see [`Files::ALLOW`]), where a POST finds a file.
    /// [`Kind::NotFound`] for what is not there, is neither file nor directory, is a file with a `/` behind
    /// it, or a path with `..` or NUL. [`Kind::Forbidden`] where the system refuses, for loops of links, and
    /// for a directory without index that is not listed. [`Kind::Internal`] for errors of the disk, too many
    /// open files, or an empty `dir`.
    pub fn answer(&self, req: &RequestHead, lookup: &Lookup<'_>) -> Result<Answer> {
        self.answer_at(req, lookup, Now::read())
    }

    /// Whether a directory has that index file: anything but a directory.
    pub fn has_index(&self, lookup: &Lookup<'_>, index: &str) -> bool {
        let Ok(mut name) = name::join(lookup.dir, lookup.path.get(lookup.strip..).unwrap_or_default()) else {
            return false;
        };
        if !name.ends_with(b"/") {
            name.push(b'/');
        }
        name.extend_from_slice(index.as_bytes());
        // What may be kept without asking the system is opened at once: it is about to be sent.
        if self.cache.is_some_and(|cache| cache.open.is_some()) {
            let (links, now) = (self.links, Now::read());
            let opener = Opener { cache: self.cache, links, trusted: lookup.trusted, now };
            return matches!(opener.open(&name, Method::Get), Ok(Opened::File(_) | Opened::Special));
        }
        std::fs::metadata(name::as_path(&name)).is_ok_and(|metadata| !metadata.is_dir())
    }

    pub(crate) fn answer_at(&self, req: &RequestHead, lookup: &Lookup<'_>, now: Now) -> Result<Answer> {
        // A POST learns first whether there is anything at all, as in nginx.
        if !matches!(req.method(), Method::Get | Method::Head | Method::Post) {
            return Err(refused_method());
        }
        let path = lookup.path.get(lookup.strip..).unwrap_or_default();
        let filename = name::join(lookup.dir, path)?;
        let opener = Opener { cache: self.cache, links: self.links, trusted: lookup.trusted, now };
        let ask = Ask { req, lookup: *lookup, opener };
        if path.ends_with(b"/") || (path.is_empty() && lookup.uri.ends_with(b"/")) {
            return self.directory(&ask, filename);
        }
        self.file(&ask, filename, None)
    }

    /// The file of that name, compressed if the client likes; `plain` where it was opened already.
    fn file(&self, ask: &Ask<'_>, filename: Vec<u8>, plain: Option<Rc<Representation>>) -> Result<Answer> {
        let mut sent = Sent { media_type: self.types.of(&filename), coding: None, vary: false };
        if let Some(precompressed) = &self.precompressed
            && ask.req.method() != Method::Post
            && let Some(found) = variant(precompressed, ask, &filename, &mut sent)
        {
            return Ok(self.answer_with(ask, filename, &found, &sent));
        }
        let found = match plain {
            Some(found) => found,
            None => match ask.open(&filename).map_err(|err| refusal(&filename, &err))? {
                Opened::File(found) => found,
                Opened::Special => return Err(not_found(&filename, "is no regular file")),
                Opened::Directory => {
                    let response = redirect::to_directory(ask.lookup.uri, ask.req.query());
                    return Ok(Answer { response, filename });
                }
            },
        };
        if ask.req.method() == Method::Post {
            return Err(refused_method());
        }
        Ok(self.answer_with(ask, filename, &found, &sent))
    }

    fn answer_with(
        &self,
        ask: &Ask<'_>,
        filename: Vec<u8>,
        found: &Representation,
        sent: &Sent<'_>,
    ) -> Answer {
        Answer { response: respond::with(ask.req, found, sent, self.rules), filename }
    }

    /// A directory's first index file, else what is in it. Whatever is no regular file is passed over.
    fn directory(&self, ask: &Ask<'_>, mut directory: Vec<u8>) -> Result<Answer> {
        if !directory.ends_with(b"/") {
            directory.push(b'/');
        }
        for index in &self.index {
            let candidate = match index.strip_prefix('/') {
                Some(_) => name::join(ask.lookup.dir, index.as_bytes())?,
                None => [directory.as_slice(), index.as_bytes()].concat(),
            };
            match ask.open(&candidate) {
                Ok(Opened::File(found)) => return self.file(ask, candidate, Some(found)),
                Ok(Opened::Directory | Opened::Special) => {}
                Err(err) if is_missing(&err) => {}
                Err(err) => return Err(refusal(&candidate, &err)),
            }
        }
        if let Some(listing) = self.listing.filter(|_| ask.req.method() != Method::Post) {
            return ask.list(&listing, directory);
        }
        // Missing, a file after all, or a directory that is not to be listed.
        ask.open(&directory).map_err(|err| refusal(&directory, &err))?;
        let reason = format!("{} has no index file", name::shown(&directory));
        Err(Error::downstream(Kind::Forbidden, reason))
    }
}

/// The compressed file beside `filename` that the client likes best.
fn variant(
    precompressed: &Precompressed,
    ask: &Ask<'_>,
    filename: &[u8],
    sent: &mut Sent<'_>,
) -> Option<Rc<Representation>> {
    sent.vary = precompressed.vary == Vary::Always;
    for (offer, is_accepted) in precompressed.order(ask.req) {
        if !is_accepted && precompressed.vary != Vary::IfThere {
            break;
        }
        let candidate = [filename, offer.coding.suffix().as_bytes()].concat();
        // What can't be opened is as if it were not there; the plain file may be.
        let Ok(Opened::File(found)) = ask.open(&candidate) else { continue };
        sent.vary |= precompressed.vary == Vary::IfThere && !offer.always;
        if is_accepted {
            sent.coding = Some(offer.coding);
            return Some(found);
        }
    }
    None
}

impl Ask<'_> {
    fn open(&self, filename: &[u8]) -> io::Result<Opened> {
        self.opener.open(filename, self.req.method())
    }

    fn list(&self, listing: &Listing, directory: Vec<u8>) -> Result<Answer> {
        let listed = Listed {
            directory: &directory,
            trusted: self.lookup.trusted,
            links: self.opener.links,
            shown: self.lookup.path,
        };
        let response =
            listing::answer(listing, self.req, &listed).map_err(|err| refusal(&directory, &err))??;
        Ok(Answer { response, filename: directory })
    }
}

#[cold]
fn refused_method() -> Error {
    Error::downstream(Kind::Method, "files are read with GET and HEAD only")
}

#[cold]
fn not_found(name: &[u8], why: &str) -> Error {
    Error::downstream(Kind::NotFound, format!("{} {why}", name::shown(name)))
}

fn is_missing(err: &io::Error) -> bool {
    use rustix::io::Errno;
    // NXIO and NODEV: a socket, or a device without a driver.
    matches!(
        Errno::from_io_error(err),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::NXIO | Errno::NODEV)
    )
}

#[cold]
fn refusal(name: &[u8], err: &io::Error) -> Error {
    use rustix::io::Errno;
    let reason = format!("{}: {err}", name::shown(name));
    match Errno::from_io_error(err) {
        _ if is_missing(err) => Error::downstream(Kind::NotFound, reason),
        Some(Errno::ACCESS | Errno::PERM | Errno::LOOP) => Error::downstream(Kind::Forbidden, reason),
        _ => Error::local(Kind::Internal, reason),
    }
}

#[cfg(test)]
mod tests;
