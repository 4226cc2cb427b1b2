//! What stored bodies were compressed to, stored beside them.

use super::fetch::bring;
use bifrons_cache::config::Standard;
use bifrons_cache::flight::Joined;
use bifrons_cache::{CacheZone, answer};
use bifrons_core::Result;
use bifrons_http::coded::CodedStore;
use bifrons_http::{Body, Source};
use bifrons_net::clock;
use bifrons_store::{Found, Meta, Object};
use bytes::Bytes;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// An hour: a body that takes longer to be made is begun anew for who comes then.
const MAKING_MAX: Duration = Duration::from_secs(3600);

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

    /// Key of what `how` made. No key of a request begins with a zero byte.
    fn key(&self, how: &str) -> Vec<u8> {
        let meta = self.object.meta();
        let parts: [&[u8]; 4] = [b"\0coded ", how.as_bytes(), &meta.vary, &meta.key];
        parts.join(&0)
    }

    /// A body for one client.
    fn body(&self, object: &Arc<Object>) -> Option<Body> {
        let body = answer::body(object, 0..object.body().len().unwrap_or(u64::MAX)).ok()?;
        Some(if self.tells_length { body } else { Body::Source(Box::new(Unmeasured(body))) })
    }

    /// Whether it was made of the body that is stored now.
    fn is_current(&self, object: &Object) -> bool {
        *object.meta().head == self.object.id().to_le_bytes()
    }

    /// One that was found, counted.
    fn found(&self, object: &Arc<Object>) -> Option<Body> {
        let body = self.is_current(object).then(|| self.body(object)).flatten()?;
        self.zone.store.stats().coded_hits.one();
        Some(body)
    }
}

impl CodedStore for Coded {
    fn is_of(&self, body: &Body) -> bool {
        match body {
            Body::Full(bytes) => self.object.body().whole().is_some_and(|whole| {
                whole.len() == bytes.len() && std::ptr::eq(whole.as_ptr(), bytes.as_ptr())
            }),
            Body::Source(source) => source.stored_id() == Some(self.object.id()),
            _ => false,
        }
    }

    fn find(&self, how: &str) -> Option<Body> {
        let text = self.key(how);
        let key = self.zone.store.key(&text);
        match self.zone.store.find(&key, self.now_s, |_| true) {
            Found::Memory(object) => self.found(&object),
            Found::Disk(loading) => {
                // For the next one: this one is compressed meanwhile.
                tokio::task::spawn_local(async move { drop(loading.wait().await) });
                None
            }
            Found::Nothing => self.found(&self.zone.flights.serving(key.hash())?),
        }
    }

    fn keep(&self, how: &str, coded: Body) -> Body {
        let text = self.key(how);
        let meta = Meta {
            key: text.as_slice().into(),
            // For people who look into the store: the key says it too.
            vary: format!("coded: {how}").into_bytes().into(),
            head: Bytes::copy_from_slice(&self.object.id().to_le_bytes()),
            ..self.object.meta().clone()
        };
        let store = &self.zone.store;
        let key = store.key(&text);
        let flight = match self.zone.flights.join(key.hash(), clock::recent(), MAKING_MAX) {
            Joined::First(flight) => flight,
            // Another worker was faster by a moment.
            Joined::Other(_) | Joined::Alone => {
                let other = self.zone.flights.serving(key.hash());
                return other.and_then(|object| self.found(&object)).unwrap_or(coded);
            }
        };
        let fill = store.begin(store.ticket(), &key, meta, None);
        let object = fill.object().clone();
        let Some(body) = self.body(&object) else { return coded };
        flight.serve(object);
        // Owned by the flight, which ends with it.
        tokio::task::spawn_local(async move {
            let mut coded = coded;
            bring(fill, &mut coded, Some(flight), |_| {}).await;
        });
        body
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
