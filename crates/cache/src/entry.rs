//! What is stored: a key, what is known about an answer, its body.

use bifrons_http::ResponseHead;
use bytes::Bytes;
use std::fmt;
use xxhash_rust::xxh3::Xxh3;

pub mod codec;

/// What an entry is found by: a hash of the text of its key. The text itself is in [`Meta::text`] and is compared, so
/// that two texts with one hash are never taken for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u128);

impl Key {
    /// The key of that text.
    pub fn of(text: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_128(text))
    }

    /// The key below this one that belongs to `values`, each with its length before it, so that no two lists of values
    /// give the same.
    #[must_use]
    pub fn below<'a>(self, series: u64, values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hash = Xxh3::new();
        hash.update(&self.0.to_le_bytes());
        hash.update(&series.to_le_bytes());
        for value in values {
            hash.update(&(value.len() as u64).to_le_bytes());
            hash.update(value);
        }
        Self(hash.digest128())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Everything about a stored answer but its body. Immutable once stored: what changes it (a 304, a HEAD) stores a new
/// one.
#[derive(Clone, Debug)]
pub struct Meta {
    /// The text of the key.
    pub text: Box<[u8]>,
    /// Scheme, host and path of the request's URI, `http://host/path?query`: what purges go by.
    pub url: Box<[u8]>,
    /// Status and fields as they are answered with: without those of one connection, `Age` and `Content-Length`.
    pub head: ResponseHead,
    /// When it came and how long it is good for.
    pub times: Times,
    /// What must not be done with it.
    pub terms: Terms,
    /// Which bytes of the whole are stored.
    pub span: Span,
    /// Its tags (`Surrogate-Key`, `Cache-Tag`, `xkey`).
    pub tags: Box<[Box<str>]>,
    /// Whether it is an answer or says which variants there are.
    pub role: Role,
}

/// Whether an entry is an answer or leads to some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// An answer.
    Answer,
    /// Answers differ by request fields (RFC 9111 4.1) and lie under keys below this one.
    Variants(Variants),
}

/// By which fields of requests the answers of a key differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variants {
    /// Lower-case names, sorted, without repetition.
    pub fields: Box<[Box<str>]>,
    /// A number of its own: with another one, everything below the key is out of reach. So removing this entry purges
    /// all variants.
    pub series: u64,
    /// Keys of the variants, the latest first; bounded.
    pub keys: Box<[Key]>,
}

/// When an answer came and how long it is good for. All in seconds, points since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When it was asked for.
    pub requested_s: u64,
    /// When its head had come.
    pub received_s: u64,
    /// How old it was then (`corrected_initial_age`, RFC 9111 4.2.3).
    pub initial_age_s: u64,
    /// How old it may become (RFC 9111 4.2.1).
    pub lifetime_s: u64,
    /// How long behind that it may be answered while it is fetched anew (RFC 5861 3).
    pub while_revalidate_s: u64,
    /// How long behind that it may be answered in place of an error (RFC 5861 4).
    pub if_error_s: u64,
}

/// What must not be done with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Not used without asking the origin (`no-cache`).
    pub no_cache: bool,
    /// Not used stale (`must-revalidate`, `proxy-revalidate`, and `s-maxage` as RFC 9111 5.2.2.10 says).
    pub must_revalidate: bool,
    /// Does not change while it is fresh (RFC 8246).
    pub immutable: bool,
    /// Its lifetime was guessed (RFC 9111 4.2.2).
    pub heuristic: bool,
}

/// Which bytes of a body there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub start: u64,
    /// The one behind the last.
    pub end: u64,
    /// Bytes of the whole.
    pub total: u64,
}

impl Span {
    /// All of a body.
    pub fn whole(len: u64) -> Self {
        Self { start: 0, end: len, total: len }
    }

    /// Whether all bytes are there.
    pub fn is_whole(&self) -> bool {
        self.start == 0 && self.end == self.total
    }

    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A stored answer whose body lies in memory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is known about it.
    pub meta: Meta,
    /// The bytes of [`Meta::span`].
    pub body: Bytes,
}
