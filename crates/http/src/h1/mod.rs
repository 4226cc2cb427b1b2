//! HTTP/1: the codec (pure), and one connection of either side.

pub mod body;
pub mod chunked;
pub mod conn;
pub mod framing;
pub mod parse;
pub(crate) mod scan;
pub mod write;

pub use body::H1Body;
pub use conn::{Conn, Pace};
