//! A request to a file, to the index of a directory, or to a redirect.

use crate::cache::SmallFileCache;
use crate::clock::Now;
use crate::open::{Opened, Representation, open};
use crate::types::Types;
use crate::{name, redirect, respond};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{Method, RequestHead, Response};
use std::io;
use std::path::Path;
use std::rc::Rc;

/// What files are answered with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names tried in a directory, in order; one that begins with `/` is looked up below the root instead.
    pub index: Vec<String>,
    /// File name extension (without the dot, in any case) to media type, besides the well-known ones. A
    /// media type that could not stand in a field is left out.
    pub types: Vec<(String, String)>,
    /// Whether only `types` count, and not the well-known ones (nginx's `types` block).
    pub only_types: bool,
    /// Media type of other files: `application/octet-stream` where nothing is said, no `Content-Type` where
    /// it is empty.
    pub default_type: Option<String>,
    /// Contents of small files that each thread keeps; `None` reads them anew each time.
    pub cache: Option<SmallFileCache>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            index: vec!["index.html".to_owned()],
            types: Vec::new(),
            only_types: false,
            default_type: None,
            cache: Some(SmallFileCache::default()),
        }
    }
}

/// Answers with files. Built once, shared by all threads.
#[derive(Debug)]
pub struct Files {
    index: Vec<String>,
    types: Types,
    cache: Option<SmallFileCache>,
}

/// What the client gets.
pub struct Answer {
    /// 200, 206, 301, 304, 412 or 416; only 200 and 206 to a GET have a body.
    pub response: Response,
    /// The file or directory that was found (`$request_filename`).
    pub filename: Vec<u8>,
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
        }
    }

    /// Looks `path` up below `dir` and answers with what is there.
    ///
    /// - `dir`: the root, or the alias. An alias may be a file, when `path` is empty.
    /// - `path`: decoded and normalised. It begins with `/`; below an alias it is what stands behind the
    ///   matched prefix, maybe nothing. It is joined to `dir` with exactly one `/`, so that an alias without
    ///   a slash at its end does not open its neighbours (as it does in nginx).
    /// - `uri`: the request's path as the client wrote it, escapes and all: where a directory is meant
    ///   without a `/` at its end, `Location` is this path with the `/`, relative (RFC 9110 10.2.2).
    ///
    /// # Errors
    /// [`Kind::Method`] for all but GET and HEAD (see [`Files::ALLOW`]). [`Kind::NotFound`] for what is not
    /// there, is neither file nor directory, is a file with a `/` behind it, or a path with `..` or NUL.
    /// [`Kind::Forbidden`] where the system refuses, for loops of links, and for a directory without index.
    /// [`Kind::Internal`] for errors of the disk, too many open files, or an empty `dir`.
    pub fn answer(&self, req: &RequestHead, dir: &Path, path: &[u8], uri: &[u8]) -> Result<Answer> {
        self.answer_at(req, dir, path, uri, Now::read())
    }

    pub(crate) fn answer_at(
        &self,
        req: &RequestHead,
        dir: &Path,
        path: &[u8],
        uri: &[u8],
        now: Now,
    ) -> Result<Answer> {
        let method = req.method();
        if !matches!(method, Method::Get | Method::Head) {
            return Err(Error::downstream(Kind::Method, "files are read with GET and HEAD only"));
        }
        let filename = name::join(dir, path)?;
        let means_directory = path.ends_with(b"/") || (path.is_empty() && uri.ends_with(b"/"));
        if means_directory {
            let (filename, found) = self.index(dir, filename, method, now)?;
            return Ok(self.found(req, filename, &found));
        }
        match open(&filename, method, self.cache, now).map_err(|err| refusal(&filename, &err))? {
            Opened::File(found) => Ok(self.found(req, filename, &found)),
            Opened::Directory => {
                let response = redirect::to_directory(uri, req.query());
                Ok(Answer { response, filename })
            }
            Opened::Special => Err(not_found(&filename, "is no regular file")),
        }
    }

    fn found(&self, req: &RequestHead, filename: Vec<u8>, found: &Representation) -> Answer {
        let response = respond::with(req, found, self.types.of(&filename));
        Answer { response, filename }
    }

    /// The first index file of a directory. Whatever is no regular file is passed over.
    fn index(
        &self,
        root: &Path,
        mut directory: Vec<u8>,
        method: Method,
        now: Now,
    ) -> Result<(Vec<u8>, Rc<Representation>)> {
        if !directory.ends_with(b"/") {
            directory.push(b'/');
        }
        for index in &self.index {
            let candidate = match index.strip_prefix('/') {
                Some(_) => name::join(root, index.as_bytes())?,
                None => [directory.as_slice(), index.as_bytes()].concat(),
            };
            match open(&candidate, method, self.cache, now) {
                Ok(Opened::File(found)) => return Ok((candidate, found)),
                Ok(Opened::Directory | Opened::Special) => {}
                Err(err) if is_missing(&err) => {}
                Err(err) => return Err(refusal(&candidate, &err)),
            }
        }
        // Missing, a file after all, or a directory that is not to be listed.
        std::fs::metadata(name::as_path(&directory)).map_err(|err| refusal(&directory, &err))?;
        let reason = format!("{} has no index file", name::shown(&directory));
        Err(Error::downstream(Kind::Forbidden, reason))
    }
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
