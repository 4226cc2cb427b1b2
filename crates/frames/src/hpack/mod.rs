//! Compression of fields (RFC 7541).

pub mod decode;
pub mod encode;
mod huffman;
mod number;
mod table;

pub use decode::Decoder;
pub use encode::Encoder;

/// 4,096: what both sides' tables may take unless they say otherwise (RFC 9113 6.5.2), and we never do.
pub const TABLE_BYTES: usize = 4096;

/// Why a block can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is none: tables are no longer the same on both sides.
    Broken(&'static str),
    /// Its fields are far more than anybody sends.
    Bomb,
}

#[cfg(test)]
mod tests;
