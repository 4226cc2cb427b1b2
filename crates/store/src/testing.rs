//! What tests of several files need.

use crate::{Body, Found, Meta, Object, Zone, ZoneConfig};
use bifrons_config::units::Size;
use bytes::Bytes;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const FOREVER: u64 = 4_000_000_000;

pub(crate) fn meta(host: &str, path: &str, tags: &[&str]) -> Meta {
    Meta {
        key: format!("{host}{path}").into_bytes().into(),
        host: host.into(),
        path: path.into(),
        tags: tags.iter().map(|tag| crate::tag_hash(tag.as_bytes())).collect(),
        head: Bytes::from(format!("200 {path}")),
        keep_until_s: FOREVER,
        ..Meta::default()
    }
}

pub(crate) fn memory_zone() -> Zone {
    Zone::open("test", &ZoneConfig::default()).unwrap()
}

pub(crate) fn disk_config(dir: &Path) -> ZoneConfig {
    ZoneConfig {
        path: Some(dir.to_str().unwrap().to_owned()),
        memory_object: Size::kib(256),
        ..ZoneConfig::default()
    }
}

/// Opened, with its disk taking part.
pub(crate) fn disk_zone(config: &ZoneConfig) -> Zone {
    let zone = Zone::open("test", config).unwrap();
    eventually("ready", || zone.usage().disk_ready);
    zone
}

pub(crate) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < until, "{what} has not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Stores a body for `http://example.com` and that path.
pub(crate) fn store(zone: &Zone, path: &str, body: &[u8]) -> Arc<Object> {
    store_meta(zone, meta("example.com", path, &[]), body)
}

pub(crate) fn store_meta(zone: &Zone, meta: Meta, body: &[u8]) -> Arc<Object> {
    let key = meta.key.clone();
    let mut fill = zone.begin(zone.ticket(), &zone.key(&key), meta, Some(body.len() as u64));
    for piece in body.chunks(50_000) {
        fill.push(Bytes::copy_from_slice(piece));
    }
    fill.finish()
}

/// What is found for a path, read to its end.
pub(crate) fn find(zone: &Zone, path: &str) -> Option<Vec<u8>> {
    let object = find_object(zone, path)?;
    read(&object, 0..u64::MAX)
}

pub(crate) fn find_object(zone: &Zone, path: &str) -> Option<Arc<Object>> {
    let key = format!("example.com{path}");
    match zone.find(&zone.key(key.as_bytes()), zone.inner.now_s(), |_| true) {
        Found::Nothing => None,
        Found::Memory(object) => Some(object),
        Found::Disk(loading) => block_on(loading.wait()),
    }
}

/// The bytes of a range, or none if reading failed.
pub(crate) fn read(object: &Object, range: std::ops::Range<u64>) -> Option<Vec<u8>> {
    let mut reader = object.body().reader(range).ok()?;
    let mut all = Vec::new();
    block_on(async {
        while let Some(piece) = reader.next().await {
            all.extend_from_slice(&piece.ok()?);
        }
        Some(all)
    })
}

pub(crate) fn on_disk(body: &Body) -> bool {
    matches!(body, Body::Disk(_))
}

/// Waits for everything to be on disk.
pub(crate) fn flush(zone: &Zone) {
    block_on(zone.flush());
}

/// Closes a zone and waits until its directory is free.
pub(crate) fn close(zone: Zone) {
    let inner = Arc::clone(&zone.inner);
    drop(zone);
    eventually("the end of its threads", || Arc::strong_count(&inner) == 1);
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        std::thread::park_timeout(Duration::from_secs(10));
    }
}

/// A body that says which one it is, at every place.
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}
