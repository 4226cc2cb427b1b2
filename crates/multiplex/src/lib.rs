//! HTTP/2 towards endpoints (RFC 9113): connections that the requests of a worker share, each on a stream of its
//! own. Frames, HPACK and flow control are the `h2` crate's; here is who gets which connection, what becomes of
//! one that ends, and how a request and its answer go over a stream.
//!
//! A connection is a [`Link`], with a task of its own that reads and writes it. A worker's [`Links`] know those to
//! every endpoint; a request takes a [`Lease`] of one and makes a [`Call`] on it.

pub mod answer;
pub mod call;
pub mod link;
pub mod links;
pub mod tunnel;
pub mod upload;

pub use answer::{Answer, Rest};
pub use call::{Call, Head};
pub use link::{Lease, Link, Rules};
pub use links::{Links, Ticket, Turn};
pub use tunnel::Tunnel;

use bifrons_core::{Error, Kind, Retry};
use h2::Reason;

/// What a failure of a stream or its connection means for a request that has heard nothing of its answer yet.
fn failure(err: &h2::Error, is_reused: bool) -> Error {
    let refused = err.is_reset() && err.reason() == Some(Reason::REFUSED_STREAM);
    if err.is_remote() && (err.is_go_away() || refused) {
        // Streams beyond the last one that GOAWAY names, and refused ones, were not processed (RFC 9113 6.8, 8.7).
        return Error::upstream(Kind::Closed, format!("not processed: {err}")).retry(Retry::Unprocessed);
    }
    let kind = match err.get_io().map(std::io::Error::kind) {
        Some(std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::UnexpectedEof) => Kind::Closed,
        Some(_) => Kind::Reset,
        None if err.is_remote() => Kind::Reset,
        // What the endpoint sent made no sense.
        None => Kind::Malformed,
    };
    let failed = Error::upstream(kind, err.to_string());
    if err.is_io() && is_reused { failed.retry(Retry::Reused) } else { failed }
}
