//! What tests of caches start from.

use bifrons_testkit::proxy::Setup;
use bifrons_testkit::{Message, Origin, Proxy, wait_until};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A proxy with a cache before that origin; `cache` are further settings of the route's, each `, key: value`.
#[track_caller]
pub(super) fn cached(origin: &Origin, cache: &str) -> Proxy {
    cached_at(origin.addr(), cache)
}

/// As [`cached`], before whatever is at that address.
#[track_caller]
pub(super) fn cached_at(addr: SocketAddr, cache: &str) -> Proxy {
    cached_in(addr, "{}", cache).start()
}

/// As [`cached_at`], with the zone's settings, still to be started.
pub(super) fn cached_in(addr: SocketAddr, zone: &str, cache: &str) -> Setup {
    routed(addr, zone, cache, "")
}

/// As [`cached_in`], with another line of the route's.
pub(super) fn routed(addr: SocketAddr, zone: &str, cache: &str, route: &str) -> Setup {
    Proxy::yaml(&format!(
        "listeners: {{ web: {{ bind: \"@web@\" }} }}\n\
         admin: {{ bind: \"@admin@\" }}\n\
         hosts:\n  - routes:\n      - path: /*\n        proxy: app\n        \
         cache: {{ zone: main, x_cache_status: true{cache} }}\n        {route}\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         caches: {{ main: {zone} }}\n"
    ))
    .with("app", addr)
}

/// An origin that answers everything with these fields and ten bytes.
pub(super) fn answering(fields: &'static str) -> Origin {
    Origin::serve(move |_| {
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 10\r\n\r\n0123456789").into_bytes()
    })
}

/// What an answer says that the cache did.
pub(super) fn status(answer: &Message) -> &str {
    answer.field("X-Cache-Status").unwrap_or("none")
}

/// What an origin waits for before it goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Lets all through, from now on.
    pub(super) fn open(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Waits until it is open.
    #[track_caller]
    pub(super) fn pass(&self) {
        wait_until("the gate opens", || self.0.load(Ordering::SeqCst));
    }
}

/// A number of the zone's in the metrics.
#[track_caller]
pub(super) fn metric(proxy: &Proxy, name: &str) -> u64 {
    let text = proxy.client_to("admin").get("/metrics").text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse::<f64>().unwrap_or_else(|_| panic!("{name}: {value:?}")) as u64)
}

/// The same of requests by their result.
#[track_caller]
pub(super) fn results(proxy: &Proxy, result: &str) -> u64 {
    metric(proxy, &format!("bifrons_cache_requests_total{{zone=\"main\",result=\"{result}\"}}"))
}
