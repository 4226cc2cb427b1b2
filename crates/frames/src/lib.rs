//! The server's half of HTTP/2 (RFC 9113, RFC 7541) without IO: bytes in, events and bytes out.
//!
//! `frame` knows the layout of frames, `hpack` the compression of fields, `connection` what of it all a client may
//! say when, and what is then to be said back. Nothing here reads a socket, looks at a clock or knows what a
//! request is; whoever owns a [`Connection`] does.

pub mod connection;
pub mod frame;
pub mod hpack;

pub use connection::{Block, Config, Connection, Event, Key, Reset};
pub use frame::{Fault, Reason};
