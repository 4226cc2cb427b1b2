//! Active checks by the standard health service.

use super::peers::{Server, call};
use crate::tls::support::{with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Proxy, TempDir, wait_until};

/// A proxy whose cluster has these further keys.
fn front(server: &Server, cluster: &str) -> bifrons_testkit::proxy::Setup {
    let proxy = Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: {{ cluster: app, http_version: \"2\" }} }}] }}]\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"]{cluster} }} }}\n"
    ));
    proxy.with("app", server.addr)
}

#[test]
fn an_endpoint_serves_while_its_service_does() {
    let dir = TempDir::new();
    let state = dir.path().join("state");
    let Some(server) = Server::with(&[&format!("health={}", state.display())]) else { return };
    let proxy =
        front(&server, ", health_check: { interval: 50ms, mandatory: true, grpc: { service: shop } }");
    let proxy = proxy.start();
    // Field 1: "shop".
    server.wait_line("check 0a0473686f70");
    let says = |what: &str| call("error", proxy.addr("web"), None).starts_with(what);
    wait_until("it serves", || says("b'got x'"));
    for wrong in ["2", "0", "unknown"] {
        dir.replace("state", wrong);
        wait_until(&format!("state {wrong} takes it out"), || says("UNAVAILABLE"));
        dir.replace("state", "1");
        wait_until("it serves again", || says("b'got x'"));
    }
    proxy.wait_log("NOT_SERVING");
    proxy.wait_log("grpc-status 5");
}

#[test]
fn over_tls_and_without_a_health_service() {
    let (ca, dir) = (Authority::new("Test CA"), TempDir::new());
    let pair = ca.issue(&["app.test"], KeyKind::Ecdsa);
    let (cert, key) = (dir.write("app.crt", &pair.cert), dir.write("app.key", &pair.key));
    let args = [cert, key].map(|path| path.display().to_string());
    let Some(server) = Server::with(&[&args[0], &args[1]]) else { return };
    let answer = |keys: &str, log: &str| {
        let check = format!("health_check: {{ interval: 50ms, {keys} }}");
        let setup = front(&server, &format!(", tls: {{ ca: ca.crt, name: app.test }}, {check}"));
        let proxy = with_pair(with_ca(setup, &ca), "web", &pair).start();
        proxy.wait_log(log);
        call("error", proxy.addr("web"), None)
    };
    assert_eq!(answer("mandatory: true, grpc: { status: 12 }", "endpoint healthy"), "b'got x'\n");
    assert!(answer("grpc: {}", "grpc-status 12").starts_with("UNAVAILABLE"));
}

#[test]
fn nginx_asks_it_by_type() {
    let dir = TempDir::new();
    let state = dir.path().join("state");
    let Some(server) = Server::with(&[&format!("health={}", state.display())]) else { return };
    dir.replace("state", "2");
    let proxy = Proxy::nginx(
        "events { }\nhttp { upstream app { server @app@; }\n\
         server { listen @web@ http2; location / { grpc_pass app;\n\
         health_check mandatory interval=100ms type=grpc grpc_service=shop; } } }\n",
    );
    let proxy = proxy.with("app", server.addr).start();
    server.wait_line("check 0a0473686f70");
    assert!(call("error", proxy.addr("web"), None).starts_with("UNAVAILABLE"));
    dir.replace("state", "1");
    wait_until("it serves", || call("error", proxy.addr("web"), None) == "b'got x'\n");
}
