//! A stored answer.

use crate::body::Body;
use crate::index::Entry;
use bytes::Bytes;
use std::any::Any;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

/// What is known about an answer beside its body. The store keeps it and looks at little of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The whole key.
    pub key: Box<[u8]>,
    /// Host of the URL in lower case, as purges name it.
    pub host: Box<str>,
    /// Path and query of the URL.
    pub path: Box<str>,
    /// What of the request selects this variant, in a form of the cache's own; empty without `Vary`. Of two
    /// answers with one key and the same bytes here the newer one replaces the older.
    pub vary: Box<[u8]>,
    /// Hashes of its tags ([`crate::tag_hash`]).
    pub tags: Box<[u64]>,
    /// Status, fields and times, in a form of the cache's own.
    pub head: Bytes,
    /// Unix seconds from which on nobody could use it any more, neither fresh nor stale: it may be removed.
    pub keep_until_s: u64,
}

/// A stored answer, or one that is being stored. Shared by all that read it.
pub struct Object {
    pub(crate) meta: Meta,
    pub(crate) body: Body,
    pub(crate) entry: Arc<Entry>,
    decoded: OnceLock<Option<Box<dyn Any + Send + Sync>>>,
}

/// An allocator's own, the entry of the index, the slot in the memory tier.
const OVERHEAD: usize = 384;

/// An object whose body is in a file of its own keeps that file open: it weighs as if it had this many bytes
/// more, so that 64 MiB of memory hold at most a thousand descriptors.
const OPEN_FILE: usize = 64 * 1024;

impl Object {
    pub(crate) fn new(meta: Meta, body: Body, entry: Arc<Entry>) -> Self {
        Self { meta, body, entry, decoded: OnceLock::new() }
    }

    /// What is known about it.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Its body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Number of this stored answer, never used twice in a zone.
    pub fn id(&self) -> u64 {
        self.entry.id
    }

    /// Whether a soft purge has met it: it counts as stale, whatever its age.
    pub fn is_marked_stale(&self) -> bool {
        self.entry.soft.load(Relaxed)
    }

    /// What the cache makes of `head`; made once, then shared. None where `decode` gave none, or a `T` of
    /// another type was made before.
    pub fn decoded<T: Any + Send + Sync>(&self, decode: impl FnOnce(&Bytes) -> Option<T>) -> Option<&T> {
        let make = || decode(&self.meta.head).map(|made| Box::new(made) as Box<dyn Any + Send + Sync>);
        self.decoded.get_or_init(make).as_deref()?.downcast_ref()
    }

    /// Bytes it counts for in memory.
    pub(crate) fn weight(&self) -> usize {
        let meta = &self.meta;
        // Twice the head: it is there decoded as well.
        let known =
            meta.key.len() + meta.host.len() + meta.path.len() + meta.vary.len() + 2 * meta.head.len();
        let body = match &self.body {
            Body::Whole(bytes) => bytes.len(),
            Body::Disk(_) | Body::Growing(_) => OPEN_FILE,
        };
        OVERHEAD + known + meta.tags.len() * 8 + body
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").field("id", &self.entry.id).field("body", &self.body).finish_non_exhaustive()
    }
}
