//! Answers from a directory, as nginx's static and index modules give them (RFC 9110 8, 13, 14).
//!
//! A request passes the files from top to bottom:
//! 1. [`Files::answer`]: method, what is looked up, file or directory.
//! 2. `name`: directory and path to a file name that stays below the directory.
//! 3. `negotiate`: whether a compressed file beside the plain one is sent instead.
//! 4. `open`: the file, or what `cache` keeps of it; `links` where symbolic links are restricted.
//! 5. `respond`: `conditions` and `range` decide between 200, 206, 304, 412 and 416; `redirect` leads to
//!    directories, `listing` lists them.
//!
//! Symbolic links are followed unless `links` says otherwise, as nginx does by default: who may write below
//! the directory decides what is shown. The calls block on the disk, as nginx's do without `aio`.

// A test may unwrap: a panic is how it fails.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
mod clock;
mod conditions;
mod etag;
mod files;
mod links;
mod listing;
mod name;
mod negotiate;
mod open;
mod options;
mod redirect;
mod respond;
#[cfg(test)]
mod testing;
mod types;

pub use bifrons_http::Encoding as Coding;
pub use cache::{FileCache, OpenFiles};
pub use files::{Answer, Files, Lookup};
pub use links::Links;
pub use listing::{LISTING_ENTRIES_MAX, Listing, ListingFormat};
pub use negotiate::{Offer, Precompressed, Vary};
pub use open::SMALL_BYTES_MAX;
pub use options::{IfModifiedSince, Options};
pub use types::{Types, well_known};
