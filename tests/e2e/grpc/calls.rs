//! Calls of all four kinds through the proxy, with grpcio in front and behind: what a case sees through the proxy
//! is what it sees without.

use super::peers::{Server, call};
use crate::support::front_setup;
use crate::tls::support::{CA, with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Proxy, TempDir};
use std::net::SocketAddr;

const ROUTE: &str = "{ cluster: app, http_version: \"2\" }";
/// Bodies of any size.
const LISTENER: &str = ", limits: { body: 1GiB }";

/// Each case, and a line of what it must see at the least, so that none passes by seeing nothing.
const CASES: [(&str, &str); 8] = [
    ("unary", "b'got 2'"),
    ("streams", "[b'0', b'1', b'2', b'3']"),
    ("chat", "[] OK"),
    ("metadata", "[('x-last', 'one'), ('x-last', 'two'), ('x-echo-bin', b'\\x01\\x02\\xfe')]"),
    ("failures", "FAILED_PRECONDITION: 'not 100 % ready: Müller\\n' [('x-why', 'because')]"),
    ("large", "5000000 [('x-received', '10')]"),
    ("many", "300"),
    ("cancel", "b'got after'"),
];

/// A proxy that speaks HTTP/2 in plain text on both sides.
fn plain(addr: SocketAddr) -> Proxy {
    front_setup(&[addr], LISTENER, "", ROUTE).start()
}

#[track_caller]
fn compare(server: &Server, through: (SocketAddr, Option<(&str, &str)>), own: Option<(&str, &str)>) {
    for (case, least) in CASES {
        let direct = call(case, server.addr, own);
        assert!(direct.lines().any(|line| line == least), "{case}: {direct}");
        assert_eq!(call(case, through.0, through.1), direct, "{case}");
    }
}

#[test]
fn in_plain_text() {
    let Some(server) = Server::start() else { return };
    let proxy = plain(server.addr);
    compare(&server, (proxy.addr("web"), None), None);
}

#[test]
fn over_tls_on_both_sides() {
    let (ca, dir) = (Authority::new("Test CA"), TempDir::new());
    let pair = ca.issue(&["app.test"], KeyKind::Ecdsa);
    let (cert, key) = (dir.write("app.crt", &pair.cert), dir.write("app.key", &pair.key));
    let args = [cert, key].map(|path| path.display().to_string());
    let Some(server) = Server::with(&[&args[0], &args[1]]) else { return };
    let listener = format!("{LISTENER}, tls: {{ certificates: [{{ cert: web.crt, key: web.key }}] }}");
    let cluster = ", tls: { ca: ca.crt, name: app.test }";
    let setup = with_ca(front_setup(&[server.addr], &listener, cluster, ROUTE), &ca);
    let proxy = with_pair(setup, "web", &ca.issue(&["web.test"], KeyKind::Ecdsa)).start();
    let file = proxy.dir().path().join(CA).display().to_string();
    compare(&server, (proxy.addr("web"), Some((&file, "web.test"))), Some((&file, "app.test")));
}

#[test]
fn a_call_that_is_given_up_ends_at_the_server() {
    let Some(server) = Server::start() else { return };
    let proxy = plain(server.addr);
    assert!(call("cancel", proxy.addr("web"), None).starts_with("CANCELLED\n"));
    for call in ["begun", "stream", "chat"] {
        server.wait_line(&format!("gone {call}"));
    }
    assert_eq!(call("deadline", proxy.addr("web"), None), "DEADLINE_EXCEEDED\n");
    server.wait_line("gone deadline");
}
