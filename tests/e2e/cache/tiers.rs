//! Tiers: edges that share a region's keys, a shield before the origin, requests that go round.

use super::support::{answering, metric, results};
use bifrons_testkit::{Origin, Proxy, free_addr};
use std::net::SocketAddr;

fn ok() -> Origin {
    Origin::serve(|request| {
        let target = request.target();
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: {}\r\n\r\n{target}",
            target.len()
        )
        .into_bytes()
    })
}

fn shield(origin: SocketAddr) -> Proxy {
    Proxy::yaml(
        "listeners: { web: { bind: \"@web@\", cdn_loop: { id: cdn.example, visits: 2 } } }\n\
         admin: { bind: \"@admin@\" }\n\
         hosts: [{ routes: [{ path: /*, proxy: app, cache: { zone: main } }] }]\n\
         clusters: { app: { endpoints: [\"@app@\"] } }\n\
         caches: { main: {} }\n",
    )
    .with("app", origin)
    .start()
}

/// Clients come by `web`, other edges by `peers`.
fn edge(peer: SocketAddr, peers: &[SocketAddr], shield: SocketAddr) -> Proxy {
    let peers: Vec<String> = peers.iter().map(|addr| format!("\"{addr}\"")).collect();
    Proxy::yaml(&format!(
        "listeners:\n  web: {{ bind: \"@web@\", cdn_loop: {{ id: cdn.example }} }}\n  \
         peers: {{ bind: \"@peer@\", cdn_loop: {{ id: cdn.example, visits: 1 }} }}\n\
         admin: {{ bind: \"@admin@\" }}\n\
         hosts:\n  - listeners: [web]\n    \
         routes: [{{ path: /*, proxy: region, cache: {{ zone: hot, min_uses: 100 }} }}]\n  - listeners: [peers]\n    \
         routes: [{{ path: /*, proxy: shield, cache: {{ zone: main }} }}]\n\
         clusters:\n  region: {{ balance: {{ hash: {{ key: $cache_key, load_factor: 0 }} }}, endpoints: [{}] }}\n  \
         shield: {{ endpoints: [\"@shield@\"] }}\n\
         caches: {{ hot: {{ memory: 16m }}, main: {{}} }}\n",
        peers.join(", ")
    ))
    .with("peer", peer)
    .with("shield", shield)
    .start()
}

#[test]
fn a_region_stores_each_answer_once_and_asks_the_shield_once() {
    let origin = ok();
    let shield = shield(origin.addr());
    let addrs: Vec<SocketAddr> = (0..3).map(|_| free_addr()).collect();
    let mut edges: Vec<Proxy> = addrs.iter().map(|addr| edge(*addr, &addrs, shield.addr("web"))).collect();
    let paths: Vec<String> = (0..60).map(|number| format!("/{number}")).collect();
    for edge in &edges {
        for path in &paths {
            assert_eq!(edge.client().get(path).text(), path);
        }
    }
    assert_eq!(origin.requests().len(), 60);
    assert_eq!(results(&shield, "miss"), 60);
    let stored: Vec<u64> =
        edges.iter().map(|edge| metric(edge, "bifrons_cache_entries{zone=\"main\"}")).collect();
    assert_eq!(stored.iter().sum::<u64>(), 60, "{stored:?}");
    assert!(stored.iter().all(|count| *count > 5), "one edge has most of the keys: {stored:?}");

    // The keys of one that is gone are the others', which find them at the shield.
    drop(edges.pop());
    for path in &paths {
        assert_eq!(edges[0].client().get(path).text(), path);
    }
    assert_eq!(origin.requests().len(), 60);
}

#[test]
fn rfc8586_2_each_node_adds_its_cdn_behind_the_others() {
    let origin = Origin::echo();
    let shield = shield(origin.addr());
    let addr = free_addr();
    let edge = edge(addr, &[addr], shield.addr("web"));
    let asked =
        edge.client().ask("GET /a HTTP/1.1\r\nHost: test\r\nCDN-Loop: other.example; v=1\r\n\r\n").echoed();
    assert_eq!(asked.all("CDN-Loop"), ["other.example; v=1", "cdn.example", "cdn.example", "cdn.example"]);
}

#[test]
fn rfc8586_2_1_what_comes_back_is_refused() {
    let origin = answering("");
    let shield = shield(origin.addr());
    let ask = |field: &str| {
        shield.client().ask(&format!("GET / HTTP/1.1\r\nHost: test\r\nCDN-Loop: {field}\r\n\r\n")).status()
    };
    assert_eq!(ask("cdn.example, CDN.example; a=\"x, cdn.example\""), 200);
    assert_eq!(ask("cdn.example, CDN.EXAMPLE; a=1, cdn.example"), 508);
    assert_eq!(ask("a.example, xcdn.example, cdn.example.org, cdn.example"), 200);
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_shield_that_asks_itself_stops() {
    let addr = free_addr();
    let proxy = Proxy::yaml(
        "listeners: { web: { bind: \"@web@\", via: false, cdn_loop: { id: cdn.example, visits: 2 } } }\n\
         hosts: [{ routes: [{ path: /*, proxy: app }] }]\n\
         clusters: { app: { endpoints: [\"@web@\"] } }\n",
    )
    .with("web", addr)
    .start();
    assert_eq!(proxy.client().get("/").status(), 508);
}

#[test]
fn a_name_that_is_none_is_a_mistake() {
    let (status, said) = Proxy::yaml(
        "listeners: { web: { bind: \"@web@\", cdn_loop: { id: \"a, b\" } } }\n\
         hosts: [{ routes: [{ path: /*, respond: ok }] }]\n",
    )
    .fail();
    assert!(!status.success() && said.contains("no name for `CDN-Loop`"), "{said}");
}
