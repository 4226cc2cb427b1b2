//! Content codings, piece by piece: bytes in, bytes out, no IO. An [`Encoder`] makes them, a [`Decoder`] undoes
//! them; windows are bounded, so that a stream holds what it says here and no more.
//!
//! | coding | an encoder holds | a decoder holds |
//! |---|---|---|
//! | gzip | some 300 KiB, whatever the level | some 40 KiB |
//! | br | twice the window, and tables of some 100 KiB up to 10 MiB at level 11 | the window, up to 16 MiB |
//! | zstd | the window, and tables of up to 16 times as much at the upper levels | the window, up to 8 MiB |
//!
//! brotli and zstd are features of this crate, since they take long to build; [`is_built`] says whether they
//! are there.

mod decoder;
mod encoder;

pub use decoder::Decoder;
pub use encoder::Encoder;

use bifrons_http::Encoding;

/// What an encoder is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// The coding.
    pub encoding: Encoding,
    /// How hard it tries, within [`levels`].
    pub level: u8,
    /// The window as a power of two, within [`WINDOW_BITS`]; gzip never looks back further than 32 KiB (2^15).
    pub window_bits: u8,
}

/// Windows, as powers of two: 1 KiB to 8 MiB, which is what clients must be able to keep of zstd (RFC 9659).
pub const WINDOW_BITS: std::ops::RangeInclusive<u8> = 10..=23;

/// The levels a coding has.
pub fn levels(encoding: Encoding) -> std::ops::RangeInclusive<u8> {
    match encoding {
        Encoding::Brotli => 0..=11,
        Encoding::Zstd => 1..=19,
        Encoding::Gzip => 1..=9,
    }
}

/// Whether this build has the coding.
pub fn is_built(encoding: Encoding) -> bool {
    match encoding {
        Encoding::Brotli => cfg!(feature = "brotli"),
        Encoding::Zstd => cfg!(feature = "zstd"),
        Encoding::Gzip => true,
    }
}

/// Why a body could not be coded or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The encoder gave up: out of memory, or a length that was promised and not kept.
    #[error("{} could not be made", .0.name())]
    Encode(Encoding),
    /// The bytes are not of that coding.
    #[error("malformed {}", .0.name())]
    Malformed(Encoding),
    /// The bytes end in the middle.
    #[error("truncated {}", .0.name())]
    Truncated(Encoding),
    /// This build has no such coding.
    #[error("{} is not in this build", .0.name())]
    NotBuilt(Encoding),
}

#[cfg(test)]
mod tests;
