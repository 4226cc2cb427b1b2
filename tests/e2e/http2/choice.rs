//! Which version of HTTP endpoints are spoken to in, and over how many connections.

use super::client::{Client, get};
use crate::support::front_setup;
use crate::tls::support::{with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Origin, Proxy};

const AUTO: &str = ", http_version: auto, tls: { ca: ca.crt, name: app.test }";
const ECHO: &str = "$server_protocol $ssl_alpn_protocol $connection_requests";

/// An endpoint with TLS whose listener has these keys more.
fn back(ca: &Authority, listener: &str) -> Proxy {
    let config = format!(
        "workers: 1\n\
         listeners: {{ web: {{ bind: \"@web@\", tls: {{ certificates: [{{ cert: app.crt, key: app.key }}] }}{listener} }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, respond: {{ body: \"{ECHO}\" }} }}] }}]\n"
    );
    with_pair(Proxy::yaml(&config), "app", &ca.issue(&["app.test"], KeyKind::Ecdsa)).start()
}

fn front(ca: &Authority, back: &Proxy, route: &str) -> Proxy {
    with_ca(front_setup(&[back.addr("web")], "", AUTO, route), ca).start()
}

#[test]
fn the_endpoint_chooses() {
    let ca = Authority::new("Test CA");
    let new = back(&ca, "");
    let proxy = front(&ca, &new, "app");
    assert_eq!(proxy.client().get("/").text(), "HTTP/2.0 h2 1");
    assert_eq!(proxy.client().get("/").text(), "HTTP/2.0 h2 2");
    // The first handshake was not in vain: its connection serves both requests.
    let old = back(&ca, ", http2: { enabled: false }");
    let proxy = front(&ca, &old, "app");
    assert_eq!(proxy.client().get("/").text(), "HTTP/1.1 http/1.1 1");
    assert_eq!(proxy.client().get("/").text(), "HTTP/1.1 http/1.1 2");
    // A route has the last word.
    let proxy = front(&ca, &new, "{ cluster: app, http_version: \"1.1\" }");
    assert_eq!(proxy.client().get("/").text(), "HTTP/1.1  1");
    let proxy = front(&ca, &old, "{ cluster: app, http_version: \"2\" }");
    assert_eq!(proxy.client().get("/").status(), 502);
}

/// Those that wait for a connection to an endpoint that nobody knows go on over HTTP/1.1.
#[test]
fn a_burst_to_an_endpoint_of_http1() {
    let ca = Authority::new("Test CA");
    let old = back(&ca, ", http2: { enabled: false }");
    let proxy = front(&ca, &old, "app");
    let mut client = Client::connect(proxy.addr("web"));
    let running: Vec<_> = (0..10).map(|_| client.begin(get("/"), true)).collect();
    for running in running {
        let answer = client.finish(running).unwrap();
        assert!(answer.text().starts_with("HTTP/1.1 http/1.1 "), "{}", answer.text());
    }
}

#[test]
fn a_cold_burst_shares_one_connection() {
    let ca = Authority::new("Test CA");
    let new = back(&ca, "");
    let proxy = front(&ca, &new, "app");
    let mut client = Client::connect(proxy.addr("web"));
    let running: Vec<_> = (0..50).map(|_| client.begin(get("/"), true)).collect();
    let mut numbers: Vec<u32> = running
        .into_iter()
        .map(|running| {
            let answer = client.finish(running).unwrap();
            answer.text().rsplit(' ').next().unwrap().parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers.last(), Some(&50), "it has carried all: {numbers:?}");
}

#[test]
fn without_tls_nobody_chooses() {
    let setup = |cluster, route| {
        Proxy::yaml(&format!(
            "listeners: {{ web: {{ bind: \"@web@\" }} }}\n\
             hosts: [{{ default: true, routes: [{{ path: /*, proxy: {route} }}] }}]\n\
             clusters: {{ app: {{ endpoints: [\"127.0.0.1:9\"]{cluster} }} }}\n"
        ))
    };
    for (cluster, route) in [(", http_version: auto", "app"), ("", "{ cluster: app, http_version: auto }")] {
        let (_, said) = setup(cluster, route).fail();
        assert!(said.contains("has no `tls`: ALPN is what chooses"), "{said}");
    }
}

/// Each route has its own bound of heads, whichever of them a connection was made for.
#[test]
fn bounds_of_heads_are_the_route_s() {
    let back = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\", http2: { plain: only } } }\n\
         hosts: [{ default: true, routes: [{ path: /*, respond: { headers: { X-Long: \"$arg_x$arg_x$arg_x$arg_x\" } } }] }]\n",
    )
    .start();
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\" } }\n\
         hosts:\n- default: true\n  routes:\n  \
         - { path: /small/*, proxy: { cluster: app, max_head: 2KiB } }\n  \
         - { path: /large/*, proxy: { cluster: app, max_head: 16KiB } }\n\
         clusters: { app: { endpoints: [\"@app@\"], http_version: \"2\", head: 4KiB } }\n",
    )
    .with("app", back.addr("web"))
    .start();
    let long = "x".repeat(2000);
    let mut client = proxy.client();
    for (path, status) in [("/small/", 502), ("/large/", 200), ("/small/", 502), ("/large/", 200)] {
        assert_eq!(client.get(&format!("{path}?x={long}")).status(), status, "{path}");
    }
}

/// What the log says of an endpoint's bytes are those that it has sent.
#[test]
fn bytes_of_the_endpoint_are_counted_where_they_come() {
    let origin = Origin::serve(|_| {
        let body = "hello ".repeat(1000);
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .into()
    });
    let back = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\", http2: { plain: accept } } }\n\
         hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\nclusters: { app: { endpoints: [\"@app@\"] } }\n",
    );
    let back = back.with("app", origin.addr()).start();
    for version in ["1.1", "2"] {
        let proxy = Proxy::yaml(&format!(
            "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
             hosts: [{{ default: true, routes: [{{ path: /*, filters: [{{ compress: {{}} }}], proxy: app }}] }}]\n\
             clusters: {{ app: {{ endpoints: [\"@app@\"], http_version: \"{version}\" }} }}\n\
             log_formats: {{ bytes: {{ text: {{ template: \"$upstream_response_length $upstream_bytes_received $body_bytes_sent\" }} }} }}\n\
             access_log: {{ to: stdout, format: bytes }}\n"
        ))
        .with("app", back.addr("web"))
        .start();
        let request = "GET / HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n";
        assert_eq!(proxy.client().ask(request).field("content-encoding"), Some("gzip"));
        let log = &proxy.wait_records(1)[0];
        let numbers: Vec<u64> = log.split_whitespace().map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers[0], 6000, "{log}");
        assert!((6050..6500).contains(&numbers[1]), "{log}");
        assert!(numbers[2] < 1000, "{log}");
    }
}
