//! A directory to serve and requests to it.

use crate::clock::Now;
use crate::{Answer, Files, Lookup, Options};
use bifrons_core::{Kind, Result};
use bifrons_http::{Body, RequestHead, Response};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// `root` in a directory of its own, so that beside and above it lies something to be kept from.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
    pub(crate) files: Files,
    pub(crate) now: Now,
}

impl Site {
    /// An hour from now, so that what is written now has settled.
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("root")).unwrap();
        let now = Now { unix_s: Now::read().unix_s + 3600, monotonic: Duration::from_secs(1000) };
        Self { dir, files: Files::new(options), now }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Writes a file below the root, with the directories it needs.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Sets when a file was last written, in seconds since 1970.
    pub(crate) fn touch(&self, path: &str, unix_s: i64) {
        let at = rustix::fs::Timespec { tv_sec: unix_s, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: at, last_modification: at };
        let flags = rustix::fs::AtFlags::empty();
        rustix::fs::utimensat(rustix::fs::CWD, self.root().join(path), &times, flags).unwrap();
    }

    pub(crate) fn ask(&self, req: &RequestHead) -> Result<Answer> {
        self.ask_in(req, &self.root(), req.path(), req.path())
    }

    /// `path` below `dir`, which clients know as `uri`.
    pub(crate) fn ask_in(&self, req: &RequestHead, dir: &Path, path: &[u8], uri: &[u8]) -> Result<Answer> {
        let lookup = Lookup { dir, path, strip: 0, uri, trusted: b"" };
        self.files.answer_at(req, &lookup, self.now)
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.get_with(target, &[])
    }

    pub(crate) fn get_with(&self, target: &str, fields: &[(&str, &str)]) -> Response {
        self.ask(&request("GET", target, fields)).unwrap().response
    }

    pub(crate) fn head_with(&self, target: &str, fields: &[(&str, &str)]) -> Response {
        self.ask(&request("HEAD", target, fields)).unwrap().response
    }

    pub(crate) fn fails(&self, target: &str) -> Kind {
        self.ask(&request("GET", target, &[])).err().unwrap().kind()
    }
}

pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::new(method, target.as_bytes(), b"example.org");
    for (name, value) in fields {
        head.headers.append(*name, value.as_bytes());
    }
    head
}

/// A field's value, `""` where it is not there.
pub(crate) fn field<'a>(response: &'a Response, name: &str) -> &'a str {
    std::str::from_utf8(response.head.headers.get(name).unwrap_or_default()).unwrap()
}

/// The fields' names, in order.
pub(crate) fn names(response: &Response) -> Vec<String> {
    response.head.headers.iter().map(|(_, name, _)| String::from_utf8(name.to_vec()).unwrap()).collect()
}

fn bytes(body: &Body) -> Vec<u8> {
    match body {
        Body::Full(bytes) => bytes.to_vec(),
        Body::File(file) => {
            let mut content = vec![0; file.len as usize];
            file.file.read_exact_at(&mut content, file.offset).unwrap();
            content
        }
        _ => panic!("no body of a file"),
    }
}

pub(crate) fn content(response: &Response) -> Vec<u8> {
    match &response.body {
        Body::Empty => Vec::new(),
        Body::Full(bytes) => bytes.to_vec(),
        body @ Body::File(_) => bytes(body),
        Body::Parts(parts) => parts.iter().flat_map(bytes).collect(),
        _ => panic!("no body of a file"),
    }
}
