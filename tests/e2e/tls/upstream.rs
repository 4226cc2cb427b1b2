//! TLS to endpoints: a second proxy of ours is the endpoint, and `openssl s_server` where more must be seen.

use super::support::{with_ca, with_pair};
use crate::support::get;
use bifrons_testkit::{Authority, KeyKind, Proxy};

struct Chain {
    front: Proxy,
    _back: Proxy,
}

/// A front that asks a back over TLS, by the name `app.test` if `tls` says so.
fn chain(server: &str, tls: &str) -> Chain {
    let (ca, strangers) = (Authority::new("Test CA"), Authority::new("Strangers"));
    let client = ca.issue(&["front.test"], KeyKind::Ecdsa);
    let back = format!(
        "listeners: {{ web: {{ bind: \"@web@\", tls: {{ certificates: [{{ cert: app.crt, key: app.key }}]{server} }} }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, respond: {{ status: 200, body: \"$ssl_server_name $ssl_client_verify $ssl_protocol $ssl_session_reused $connection_requests\" }} }}] }}]\n"
    );
    let back = with_pair(
        with_ca(Proxy::yaml(&back), &ca),
        "app",
        &ca.issue(&["app.test", "uri:spiffe://app"], KeyKind::Ecdsa),
    )
    .start();
    let front = format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}] }}]\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"], tls: {tls} }} }}\n"
    );
    let setup = with_ca(Proxy::yaml(&front), &ca).file("strangers.crt", &strangers.pem);
    let front = with_pair(setup, "front", &client).with("app", back.addr("web")).start();
    Chain { front, _back: back }
}

#[test]
fn endpoints_are_verified() {
    let good = chain("", "{ ca: ca.crt, name: app.test }");
    assert_eq!(get(&good.front, "/").text(), "app.test NONE TLSv1.3 . 1");
    assert_eq!(get(&good.front, "/").text(), "app.test NONE TLSv1.3 . 2", "the connection is kept");
    for (why, tls) in [
        ("another authority", "{ ca: strangers.crt, name: app.test }"),
        ("another name", "{ ca: ca.crt, name: other.test }"),
        ("its address", "{ ca: ca.crt }"),
        ("the system's authorities", "{ name: app.test }"),
        ("a name besides", "{ ca: ca.crt, name: app.test, names: [\"uri:spiffe://other\"] }"),
    ] {
        let bad = chain("", tls);
        assert_eq!(get(&bad.front, "/").status(), 502, "{why}");
        let record = bad.front.wait_records(1).pop().unwrap();
        assert!(record.contains("upstream_connect"), "{why}: {record}");
    }
}

#[test]
fn verification_can_be_turned_off_which_is_said_loudly() {
    let chain = chain("", "{ verify: off }");
    assert_eq!(get(&chain.front, "/").status(), 200);
    chain.front.wait_log("is not verified: anybody on the way");
}

#[test]
fn endpoints_may_want_our_certificate() {
    let server = ", client: { ca: ca.crt }";
    let with =
        chain(server, "{ ca: ca.crt, name: app.test, certificate: { cert: front.crt, key: front.key } }");
    assert_eq!(get(&with.front, "/").text(), "app.test SUCCESS TLSv1.3 . 1");
    let without = chain(server, "{ ca: ca.crt, name: app.test }");
    assert_eq!(get(&without.front, "/").status(), 502);
}

#[test]
fn versions_are_bounded_and_sessions_taken_up() {
    let tls = "{ ca: ca.crt, name: app.test, max_version: \"1.2\" }, keep_alive: { idle: 0 }";
    let chain = chain("", tls);
    assert_eq!(get(&chain.front, "/").text(), "app.test NONE TLSv1.2 . 1");
    assert_eq!(get(&chain.front, "/").text(), "app.test NONE TLSv1.2 r 1");
    let never = self::chain("", "{ ca: ca.crt, name: app.test, resume: false }, keep_alive: { idle: 0 }");
    get(&never.front, "/");
    assert_eq!(get(&never.front, "/").text(), "app.test NONE TLSv1.3 . 1");
}
