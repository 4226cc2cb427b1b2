//! Where the files of a route lie.

use crate::vars::Scope;
use bifrons_config::Template;
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The directory of a route, and what of the path is looked up below it.
#[derive(Debug)]
pub struct DocumentRoot {
    /// The directory; it must not name `$document_root` or what follows from it.
    pub dir: Template,
    /// What of the path the directory stands for.
    pub strip: Strip,
}

/// What of a path a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip {
    /// Nothing: the whole path is looked up (`root`).
    Nothing,
    /// So many bytes at its beginning (`alias` of a prefix or an exact path).
    Prefix(usize),
    /// All: the directory is the file itself (`alias` of a regex).
    All,
}

impl Strip {
    /// How many bytes of that path; `None` where it is shorter.
    pub fn of(self, path: &[u8]) -> Option<usize> {
        match self {
            Self::Nothing => Some(0),
            Self::Prefix(len) => (len <= path.len()).then_some(len),
            Self::All => Some(path.len()),
        }
    }
}

impl DocumentRoot {
    /// The directory.
    pub fn dir(&self, scope: &Scope<'_>, out: &mut Vec<u8>) {
        self.dir.render(scope, out);
    }

    /// The path of the request, decoded.
    pub fn path<'p>(scope: &Scope<'p>) -> Cow<'p, [u8]> {
        match &scope.cx.path {
            // A path that was decoded for matching is looked up as it is; any other is decoded here, once.
            Some(path) if scope.cx.is_decoded => Cow::Borrowed(path),
            Some(path) => percent_decode(path).into(),
            None => percent_decode(scope.req.path()).into(),
        }
    }

    /// What is looked up below the directory, decoded; `None` where the path is shorter than what it stands
    /// for.
    pub fn below<'p>(&self, scope: &Scope<'p>) -> Option<Cow<'p, [u8]>> {
        let path = Self::path(scope);
        let skip = self.strip.of(&path)?;
        match path {
            path if skip == 0 => Some(path),
            Cow::Borrowed(path) => Some(Cow::Borrowed(path.get(skip..)?)),
            Cow::Owned(path) => Some(Cow::Owned(path.get(skip..)?.to_vec())),
        }
    }

    /// The file that the path leads to (`$request_filename`).
    pub fn filename(&self, scope: &Scope<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        self.dir(scope, out);
        let below = self.below(scope).unwrap_or_default();
        match (out.len() > start && out.ends_with(b"/"), below.first()) {
            (true, Some(b'/')) => out.truncate(out.len() - 1),
            (false, Some(first)) if *first != b'/' => out.push(b'/'),
            _ => {}
        }
        out.extend_from_slice(&below);
    }
}
