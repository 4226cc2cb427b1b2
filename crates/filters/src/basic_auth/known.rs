//! Passwords that were right lately, so that not every request costs a slow hash.

use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Duration;
use tokio::time::Instant;

/// A minute: a browser loads a page and all of its pictures for one hash.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// 1,024 a worker, of 48 bytes each. Only right passwords are kept, so nobody can push others out by guessing.
const KNOWN_MAX: usize = 1024;

/// A digest of hash and password, keyed: what is in memory tells nothing about a password.
type Key = [u8; 32];

static SECRET: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut secret = [0; 32];
    for part in secret.as_chunks_mut::<8>().0 {
        *part = RandomState::new().hash_one(0).to_le_bytes();
    }
    secret
});

thread_local! {
    /// When each was found to be right.
    static KNOWN: RefCell<HashMap<Key, Instant>> = RefCell::new(HashMap::new());
}

fn key(hash: &str, password: &[u8]) -> Key {
    let mut digest = Sha256::new();
    digest.update(*SECRET);
    digest.update(hash.len().to_le_bytes());
    digest.update(hash);
    digest.update(password);
    digest.finalize().into()
}

/// Whether the password was found to be that of the hash, not long ago.
pub(super) fn holds(hash: &str, password: &[u8]) -> bool {
    KNOWN.with_borrow(|known| {
        !known.is_empty() && known.get(&key(hash, password)).is_some_and(|since| since.elapsed() < KNOWN_FOR)
    })
}

/// Notes that the password is that of the hash.
pub(super) fn note(hash: &str, password: &[u8]) {
    let key = key(hash, password);
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= KNOWN_MAX {
            known.retain(|_, since| since.elapsed() < KNOWN_FOR);
        }
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key, Instant::now());
    });
}
