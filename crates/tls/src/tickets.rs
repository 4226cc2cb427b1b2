//! Tickets: sessions that clients keep for us, encrypted with keys that all workers have (RFC 5077, RFC 8446
//! 4.6.1).
//!
//! A ticket is bound to what its session's rights depend on (who may vouch for clients, and what is demanded of
//! them): where that has changed, it opens nothing, and the client goes through a full handshake.

use crate::store::Context;
use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use rustls::server::ProducesTickets;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

/// 6 hours: as the library's own tickets; who steals a key reads the sessions of that time.
const CHANGE: Duration = Duration::from_secs(6 * 3600);
/// 5 keys: a day and the one at hand.
const KEYS_MAX: usize = 5;
/// As long as a session may last: what the keys at hand cover.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);
const NAME_LEN: usize = 16;
const TIME_LEN: usize = 8;

struct Key {
    name: [u8; NAME_LEN],
    key: LessSafeKey,
    made: SystemTime,
}

impl Key {
    /// From 32 bytes that nobody can guess.
    fn of(name: [u8; NAME_LEN], secret: &[u8; 32]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret).ok()?);
        Some(Self { name, key, made: SystemTime::now() })
    }

    fn random() -> Option<Self> {
        let (mut name, mut secret) = ([0; NAME_LEN], [0; 32]);
        aws_lc_rs::rand::fill(&mut name).ok()?;
        aws_lc_rs::rand::fill(&mut secret).ok()?;
        Self::of(name, &secret)
    }

    /// From a file as nginx has it: 48 or 80 bytes, of which the first 16 are the name.
    fn from_file(bytes: &[u8]) -> Option<Self> {
        if !matches!(bytes.len(), 48 | 80) {
            return None;
        }
        let (name, secret) = bytes.split_first_chunk::<NAME_LEN>()?;
        let secret = digest(&SHA256, secret);
        Self::of(*name, secret.as_ref().try_into().ok()?)
    }
}

/// Keys, the one that encrypts first.
pub struct TicketKeys {
    keys: ArcSwap<Vec<Arc<Key>>>,
    /// Whether they are changed from time to time.
    changes: bool,
    is_changing: AtomicBool,
}

impl fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKeys").finish_non_exhaustive()
    }
}

impl TicketKeys {
    /// One that is made up, to be followed by others.
    pub fn made() -> Self {
        Self::of(Key::random().into_iter().collect(), true)
    }

    /// Those of files, which stay as they are.
    ///
    /// # Errors
    /// The place of the file that is of no use.
    pub fn from_files<'a>(files: impl Iterator<Item = &'a [u8]>) -> Result<Self, usize> {
        let mut keys = Vec::new();
        for (at, file) in files.enumerate() {
            keys.push(Key::from_file(file).ok_or(at)?);
        }
        Ok(Self::of(keys, false))
    }

    fn of(keys: Vec<Key>, changes: bool) -> Self {
        let keys = keys.into_iter().map(Arc::new).collect();
        Self { keys: ArcSwap::from_pointee(keys), changes, is_changing: AtomicBool::new(false) }
    }

    /// The key that encrypts; a new one where it has become old.
    fn newest(&self, now: SystemTime) -> Option<Arc<Key>> {
        let is_fresh = |key: &Arc<Key>| now.duration_since(key.made).is_ok_and(|age| age < CHANGE);
        let newest = self.keys.load().first().cloned();
        if !self.changes || newest.as_ref().is_some_and(is_fresh) {
            return newest;
        }
        // One of those who notice makes it; the others take the old one once more.
        if !self.is_changing.swap(true, Ordering::Acquire) {
            // Looked at once more: somebody may have been done just now.
            let keys = self.keys.load();
            if !keys.first().is_some_and(is_fresh)
                && let Some(key) = Key::random()
            {
                let older = keys.iter().take(KEYS_MAX - 1).cloned();
                self.keys.store(Arc::new(std::iter::once(Arc::new(key)).chain(older).collect()));
            }
            self.is_changing.store(false, Ordering::Release);
        }
        self.keys.load().first().cloned()
    }

    fn seal(&self, context: &Context, plain: &[u8], now: SystemTime) -> Option<Vec<u8>> {
        let key = self.newest(now)?;
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut sealed = Vec::with_capacity(TIME_LEN + plain.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(&seconds(now).to_be_bytes());
        sealed.extend_from_slice(plain);
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .ok()?;
        let mut ticket = Vec::with_capacity(NAME_LEN + NONCE_LEN + sealed.len());
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(&nonce);
        ticket.append(&mut sealed);
        Some(ticket)
    }

    fn open(
        &self,
        context: &Context,
        ticket: &[u8],
        (now, limit): (SystemTime, Duration),
    ) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_first_chunk::<NAME_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys.load();
        let key = keys.iter().find(|key| key.name == *name)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = key.key.open_in_place(nonce, Aad::from(context), &mut sealed).ok()?;
        let (made, plain) = plain.split_first_chunk::<TIME_LEN>()?;
        let age = seconds(now).checked_sub(u64::from_be_bytes(*made))?;
        (age <= limit.as_secs()).then(|| plain.to_vec())
    }
}

fn seconds(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Tickets of one kind of session.
#[derive(Debug)]
pub(crate) struct Ticketer {
    pub(crate) keys: Arc<TicketKeys>,
    pub(crate) context: Context,
    pub(crate) timeout: Duration,
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        u32::try_from(self.timeout.as_secs()).unwrap_or(u32::MAX)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.keys.seal(&self.context, plain, SystemTime::now())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.keys.open(&self.context, cipher, (SystemTime::now(), self.timeout))
    }
}

#[cfg(test)]
mod tests;
