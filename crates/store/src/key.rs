//! What an answer is found by: hashes of keys and tags.

use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

/// A key of a zone, as the request gives it: its bytes and their hash. Made by [`crate::Zone::key`].
///
/// The hash is seeded by a secret of the zone, so that nobody can look for two keys with one hash; the
/// bytes are compared all the same.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) hash: u128,
}

impl<'a> Key<'a> {
    pub(crate) fn new(bytes: &'a [u8], seed: u64) -> Self {
        Self { bytes, hash: xxh3_128_with_seed(bytes, seed) }
    }

    /// As given.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The hash, for a map of requests under way.
    pub fn hash(&self) -> u128 {
        self.hash
    }
}

/// Hash of a tag, compared as bytes.
pub fn tag_hash(tag: &[u8]) -> u64 {
    named(b't', tag)
}

/// Hash of a host, in lower case.
pub(crate) fn host_hash(host: &[u8]) -> u64 {
    named(b'h', host)
}

/// Hash of a whole URL: host and what follows.
pub(crate) fn url_hash(host: &[u8], path: &[u8]) -> u64 {
    named(b'u', host) ^ named(b'p', path).rotate_left(17)
}

/// Names of different kinds never share a hash by being the same text.
fn named(kind: u8, text: &[u8]) -> u64 {
    xxh3_64(text).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(kind).wrapping_mul(0xC2B2_AE3D_27D4_EB4F)
}

/// For maps whose keys are hashes already.
#[derive(Default)]
pub(crate) struct Hashed(u64);

pub(crate) type BuildHashed = BuildHasherDefault<Hashed>;

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}
