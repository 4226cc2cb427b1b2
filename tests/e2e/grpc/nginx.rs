//! `grpc_pass` and its family, as in nginx.

use super::peers::{Server, call};
use crate::tls::support::with_pair;
use bifrons_testkit::{Authority, KeyKind, Proxy, TempDir, free_addr};

/// The server of that `http` block.
fn front(http: &str) -> bifrons_testkit::proxy::Setup {
    Proxy::nginx(&format!("events {{ }}\nhttp {{\n client_max_body_size 0;\n{http}\n}}\n"))
}

#[test]
fn calls_are_passed_by_upstream_address_and_variable() {
    let Some(server) = Server::start() else { return };
    let rows = [
        ("grpc_pass grpc://app;", ""),
        ("grpc_pass app;", ""),
        ("grpc_pass @app@;", ""),
        ("grpc_pass grpc://$backend;", "set $backend @app@;"),
        ("grpc_pass $backend;", "set $backend grpc://@app@;"),
        (
            "proxy_pass http://app; proxy_http_version 2; proxy_pass_trailers on; proxy_request_buffering off; \
          proxy_buffering off;",
            "",
        ),
    ];
    for (pass, set) in rows {
        let proxy = front(&format!(
            "upstream app {{ server @app@; keepalive 4; }}\n\
             server {{ listen @web@ http2; location / {{ {set} {pass} }} }}"
        ));
        let proxy = proxy.with("app", server.addr).start();
        for case in ["unary", "chat", "metadata", "failures", "large"] {
            assert_eq!(call(case, proxy.addr("web"), None), call(case, server.addr, None), "{pass} {case}");
        }
    }
}

#[test]
fn servers_are_verified_over_tls() {
    let (ca, dir) = (Authority::new("Test CA"), TempDir::new());
    let pair = ca.issue(&["app.test"], KeyKind::Ecdsa);
    let (cert, key) = (dir.write("app.crt", &pair.cert), dir.write("app.key", &pair.key));
    let args = [cert, key].map(|path| path.display().to_string());
    let Some(server) = Server::with(&[&args[0], &args[1]]) else { return };
    let answer = |name: &str| {
        let proxy = front(&format!(
            "grpc_ssl_verify on; grpc_ssl_trusted_certificate ca.crt; grpc_ssl_server_name on;\n\
             # Those of proxy_pass are other ones.\n\
             proxy_ssl_name none.test;\n\
             server {{ listen @web@ http2; location / {{ grpc_pass grpcs://@app@; grpc_ssl_name {name}; }} }}"
        ));
        let proxy = with_pair(proxy.file("ca.crt", &ca.pem), "web", &pair).with("app", server.addr).start();
        call("error", proxy.addr("web"), None)
    };
    assert_eq!(answer("app.test"), "b'got x'\n");
    assert!(answer("other.test").starts_with("UNAVAILABLE"));
}

#[test]
fn what_nginx_s_documentation_does_about_errors() {
    let Some(server) = Server::start() else { return };
    // An answer of one's own for calls, as it is done with nginx.
    let proxy = front(
        "server { listen @web@ http2;\n\
         location / { grpc_pass grpc://@none@; error_page 502 = /unavailable; }\n\
         location = /unavailable { internal; default_type application/grpc; add_header grpc-status 14;\n\
         add_header grpc-message \"on holiday\"; return 204; } }",
    );
    let proxy = proxy.with("none", free_addr()).start();
    assert_eq!(call("error", proxy.addr("web"), None), "UNAVAILABLE: 'on holiday'\n");
    // Fields to servers and to clients.
    let proxy = front(
        "server { listen @web@ http2; location / { grpc_pass grpc://@app@; grpc_read_timeout 1s;\n\
         grpc_set_header X-From-Client set; grpc_hide_header X-Bin-Bin; } }",
    );
    let proxy = proxy.with("app", server.addr).start();
    let seen = call("metadata", proxy.addr("web"), None);
    assert!(seen.contains("[('x-first', 'set')]\n"), "{seen}");
    assert_eq!(call("deadline", proxy.addr("web"), None), "UNAVAILABLE\n");
}
