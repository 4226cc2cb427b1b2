//! HTTP/2 (RFC 9113): what joins it to our messages and connections. Clients are served by our own engine, whose
//! pure half is `bifrons-frames`; towards endpoints framing, HPACK and flow control are the `h2` crate's.

pub mod body;
pub mod exchange;
pub mod head;
pub mod io;
pub mod meter;
mod output;
pub mod server;
pub mod upstream;
pub mod websocket;

pub use bifrons_frames::{Config, Fault, Reason};
pub use body::H2Body;
pub use exchange::Exchange;
pub use head::ToClient;
pub use io::Io;
pub use meter::{Meter, Offence};
pub use server::{Rules, Server, Turn};

use bifrons_core::{Error, Kind, Side};

/// What a client of HTTP/2 sends first (RFC 9113 3.4), as far as it looks like a request line.
pub const PREFACE_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// A failure of a stream or its connection.
pub fn error(side: Side, err: &h2::Error) -> Error {
    let kind = if err.is_reset() || err.is_go_away() || err.is_io() { Kind::Closed } else { Kind::Malformed };
    Error::of(side, kind, err.to_string())
}
