//! Endpoints that fail are left out for a while and come back.

use crate::support::front_setup;
use bifrons_testkit::{Origin, Proxy, free_addr, wait_until};
use std::net::SocketAddr;

fn two(first: SocketAddr, second: SocketAddr, keys: &str) -> Proxy {
    Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}] }}]\n\
         clusters: {{ app: {{ endpoints: [{{ address: \"{first}\"{keys} }}, {{ address: \"{second}\"{keys} }}] }} }}\n"
    ))
    .start()
}

fn attempts(records: &[String]) -> Vec<u64> {
    let values = records.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    values.map(|record| record["attempts"].as_u64().unwrap_or(0)).collect()
}

#[test]
fn a_dead_endpoint_costs_no_request_and_is_left_out() {
    let alive = Origin::saying("alive");
    let proxy = two(free_addr(), alive.addr(), ", fail_timeout: 1h");
    let mut client = proxy.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "alive");
    }
    let attempts = attempts(&proxy.wait_records(20));
    assert_eq!(
        attempts.iter().filter(|made| **made == 2).count(),
        1,
        "tried once, then left out: {attempts:?}"
    );
    proxy.wait_log("ejected");
}

#[test]
fn an_endpoint_that_recovers_comes_back() {
    let (alive, addr) = (Origin::saying("alive"), free_addr());
    let proxy = two(addr, alive.addr(), ", fail_timeout: 300ms");
    let mut client = proxy.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "alive");
    }
    let _back = Origin::serve_at(addr, |_| bifrons_testkit::origin::ok("back"));
    wait_until("it serves again", || client.get("/").text() == "back");
}

#[test]
fn so_many_failures_are_forgiven() {
    let alive = Origin::saying("alive");
    let proxy = two(free_addr(), alive.addr(), ", max_fails: 3, fail_timeout: 1h");
    let mut client = proxy.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "alive");
    }
    let attempts = attempts(&proxy.wait_records(20));
    assert_eq!(attempts.iter().filter(|made| **made == 2).count(), 3, "{attempts:?}");
}

#[test]
fn the_only_endpoint_is_never_left_out() {
    let addr = free_addr();
    let proxy = front_setup(&[addr], "", "", "app").start();
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").status(), 502);
    }
    let _back = Origin::serve_at(addr, |_| bifrons_testkit::origin::ok("back"));
    assert_eq!(client.get("/").text(), "back", "at once");
}

#[test]
fn with_all_endpoints_dead_it_is_502() {
    let proxy = two(free_addr(), free_addr(), "");
    let mut client = proxy.client();
    for _ in 0..4 {
        assert_eq!(client.get("/").status(), 502);
    }
}

/// A proxy whose endpoint is a listener of its own, and which sends requests there only once a check went well.
fn checked(listener: &str, cluster: &str) -> Proxy {
    let back = free_addr();
    Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }}, back: {{ bind: \"{back}\", {listener} }} }}\n\
         hosts:\n  - {{ default: true, listeners: [web], routes: [{{ path: /*, proxy: app }}] }}\n\
         \x20 - {{ default: true, listeners: [back], routes: [{{ path: /*, respond: well }}] }}\n\
         clusters: {{ app: {{ endpoints: [\"{back}\"], {cluster},\n\
         \x20 health_check: {{ path: /healthz, interval: 50ms, mandatory: true, expect: {{ body: well }} }} }} }}\n"
    ))
    .start()
}

/// What an endpoint demands of requests it demands of checks as well.
#[test]
fn checks_go_as_requests_go() {
    let rows = [
        ("via: true", "http_version: \"1.1\""),
        ("http2: { plain: only }", "http_version: \"2\""),
        ("proxy_protocol: required", "proxy_protocol: v1"),
        ("proxy_protocol: required", "proxy_protocol: v2"),
        ("proxy_protocol: required, http2: { plain: only }", "proxy_protocol: v2, http_version: \"2\""),
    ];
    for (listener, cluster) in rows {
        let proxy = checked(listener, cluster);
        wait_until(cluster, || proxy.client().get("/").text() == "well");
    }
}
