//! What files are answered with.

use crate::cache::FileCache;
use crate::links::Links;
use crate::listing::Listing;
use crate::negotiate::Precompressed;

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
    /// What each thread keeps of files; `None` opens and reads them anew each time.
    pub cache: Option<FileCache>,
    /// Whether answers have an `ETag`.
    pub etag: bool,
    /// How `If-Modified-Since` is compared.
    pub if_modified_since: IfModifiedSince,
    /// Ranges that one request may ask for; the whole file comes where it asks for more. Zero serves none
    /// and says so by leaving out `Accept-Ranges`.
    pub ranges_max: u32,
    /// Compressed files beside the plain ones.
    pub precompressed: Option<Precompressed>,
    /// How a directory without index is listed; without, it is forbidden.
    pub listing: Option<Listing>,
    /// Whether symbolic links are followed.
    pub links: Links,
}

impl Options {
    /// What one answer may have at most.
    pub const RANGES_MAX: u32 = bifrons_http::range::PARTS_MAX;
}

impl Default for Options {
    fn default() -> Self {
        Self {
            index: vec!["index.html".to_owned()],
            types: Vec::new(),
            only_types: false,
            default_type: None,
            cache: Some(FileCache::default()),
            etag: true,
            if_modified_since: IfModifiedSince::Before,
            ranges_max: Self::RANGES_MAX,
            precompressed: None,
            listing: None,
            links: Links::Follow,
        }
    }
}

/// How `If-Modified-Since` is compared with the time of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfModifiedSince {
    /// 304 where the file is as old as the date or older (RFC 9110 13.1.3).
    #[default]
    Before,
    /// 304 only where the file has that very date: a file that was put back from a backup is sent.
    Exact,
    /// It is passed over.
    Off,
}
