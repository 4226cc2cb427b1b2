//! What of gRPC a proxy must understand (gRPC over HTTP2, PROTOCOL-HTTP2.md): which requests are calls, the status
//! that a call ends with, its deadline, the service that tells whether a server is well, and the form that browsers
//! speak. The messages themselves are bytes that pass.

pub mod deadline;
pub mod health;
pub mod status;
pub mod web;

pub use deadline::{Bounded, timeout};
pub use status::{Code, answer};

/// What the media type of a call begins with.
const MEDIA: &[u8] = b"application/grpc";

/// Whether a message with that `Content-Type` is part of a call: `application/grpc`, with what it is written in
/// (`+proto`) or parameters. Not gRPC-Web, which is another protocol.
pub fn is_call(content_type: &[u8]) -> bool {
    let Some((start, rest)) = content_type.split_at_checked(MEDIA.len()) else { return false };
    start.eq_ignore_ascii_case(MEDIA) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

#[cfg(test)]
mod tests;
