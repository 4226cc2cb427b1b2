//! What stored bodies were compressed to, stored beside them.

use bifrons_cache::config::Standard;
use bifrons_cache::{CacheZone, answer};
use bifrons_core::Result;
use bifrons_http::coded::{CodedSink, CodedStore};
use bifrons_http::{Body, Source};
use bifrons_store::{Fill, Found, Meta, Object};
use bytes::Bytes;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a stored answer's body was compressed to.
pub(super) struct Coded {
    zone: Arc<CacheZone>,
    object: Arc<Object>,
    now_s: u64,
    /// nginx never tells the length of what it has compressed.
    tells_length: bool,
}

impl Coded {
    pub(super) fn new(
        zone: &Arc<CacheZone>,
        object: &Arc<Object>,
        (standard, now_s): (Standard, u64),
    ) -> Self {
        let tells_length = standard == Standard::Rfc9111;
        Self { zone: zone.clone(), object: object.clone(), now_s, tells_length }
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
                Some(if self.tells_length { body } else { Body::Source(Box::new(Unmeasured(body))) })
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
            // For people who look into the store: the key says it too.
            vary: format!("coded: {how}").into_bytes().into(),
            head: Bytes::copy_from_slice(&self.object.id().to_le_bytes()),
            ..self.object.meta().clone()
        };
        let store = &self.zone.store;
        Some(Box::new(Sink(store.begin(store.ticket(), &store.key(&key), meta, None))))
    }
}

/// A body that does not say how long it is.
struct Unmeasured(Body);

impl Source for Unmeasured {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.0.poll_next(cx)
    }

    fn length(&self) -> Option<u64> {
        None
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
