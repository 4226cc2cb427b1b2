//! What stored bodies were compressed to, stored beside them.

use bifrons_cache::{CacheZone, answer};
use bifrons_http::Body;
use bifrons_http::coded::{CodedSink, CodedStore};
use bifrons_store::{Fill, Found, Meta, Object};
use bytes::Bytes;
use std::sync::Arc;

/// What a stored answer's body was compressed to.
pub(super) struct Coded {
    zone: Arc<CacheZone>,
    object: Arc<Object>,
    now_s: u64,
}

impl Coded {
    pub(super) fn new(zone: &Arc<CacheZone>, object: &Arc<Object>, now_s: u64) -> Self {
        Self { zone: zone.clone(), object: object.clone(), now_s }
    }

    /// Whether it is the stored body as a whole, and nobody has changed it.
    fn is_stored(&self, body: &Body) -> bool {
        match body {
            Body::Full(bytes) => self.object.body().whole().is_some_and(|whole| {
                whole.len() == bytes.len() && std::ptr::eq(whole.as_ptr(), bytes.as_ptr())
            }),
            Body::Source(source) => source.stored_id() == Some(self.object.id()),
            _ => false,
        }
    }

    /// Key of what `how` made. No key of a request begins with a zero byte.
    fn key(&self, how: &str) -> Vec<u8> {
        let meta = self.object.meta();
        let parts: [&[u8]; 4] = [b"\0coded ", how.as_bytes(), &meta.vary, &meta.key];
        parts.join(&0)
    }
}

impl CodedStore for Coded {
    fn find(&self, plain: &Body, how: &str) -> Option<Body> {
        if !self.is_stored(plain) {
            return None;
        }
        let key = self.key(how);
        match self.zone.store.find(&self.zone.store.key(&key), self.now_s, |_| true) {
            Found::Memory(object) if *object.meta().head == self.object.id().to_le_bytes() => {
                let body = answer::body(&object, 0..object.body().len()?).ok()?;
                self.zone.store.stats().coded_hits.one();
                Some(body)
            }
            Found::Disk(loading) => {
                // For the next one: this one is compressed meanwhile.
                tokio::task::spawn_local(async move { drop(loading.wait().await) });
                None
            }
            Found::Memory(_) | Found::Nothing => None,
        }
    }

    fn keep(&self, plain: &Body, how: &str) -> Option<Box<dyn CodedSink>> {
        if !self.is_stored(plain) {
            return None;
        }
        let key = self.key(how);
        let meta = Meta {
            key: key.as_slice().into(),
            vary: Box::default(),
            head: Bytes::copy_from_slice(&self.object.id().to_le_bytes()),
            ..self.object.meta().clone()
        };
        let store = &self.zone.store;
        Some(Box::new(Sink(store.begin(store.ticket(), &store.key(&key), meta, None))))
    }
}

struct Sink(Fill);

impl CodedSink for Sink {
    fn push(&mut self, piece: &Bytes) {
        self.0.push(piece.clone());
    }

    fn finish(self: Box<Self>) {
        self.0.finish();
    }
}
