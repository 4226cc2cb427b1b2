//! HTTP/2 in nginx's dialect: where it is asked for, and as nginx 1.22 speaks it.

use super::client::{Client, get};
use bifrons_testkit::frames::{Frames, PREFACE, kind};
use bifrons_testkit::{Proxy, binary};

const SERVERS: &str = "events {}
http {
    access_log off;
    http2_max_concurrent_streams 7;
    server {
        listen @web@ http2;
        location / { return 200 \"$server_protocol $http2\"; }
    }
    server { listen @web@; server_name other; location / { return 200 \"$server_name $http2\"; } }
    server {
        listen @both@;
        http2 on;
        location / { return 200 \"$server_protocol $http2\"; }
    }
    server { listen @none@; location / { return 200 \"$server_protocol $http2\"; } }
}
";

#[test]
fn where_listen_asks_for_it_nothing_else_is_spoken() {
    let proxy = Proxy::nginx(SERVERS).start();
    let mut client = Client::connect(proxy.addr("web"));
    assert_eq!(client.ask(get("/")).text(), "HTTP/2.0 h2c");
    let other = http::Request::builder().uri("http://other/").body(()).unwrap();
    assert_eq!(client.ask(other).text(), "other h2c");
    // HTTP/1 is no preface.
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let (bytes, _) = client.read_to_end();
    assert!(!bytes.starts_with(b"HTTP/1"), "{}", bytes.escape_ascii());
}

#[test]
fn http2_on_is_beside_http1() {
    let proxy = Proxy::nginx(SERVERS).start();
    assert_eq!(Client::connect(proxy.addr("both")).ask(get("/")).text(), "HTTP/2.0 h2c");
    assert_eq!(proxy.client_to("both").get("/").text(), "HTTP/1.1 ");
}

#[test]
fn else_there_is_none() {
    let proxy = Proxy::nginx(SERVERS).start();
    let mut client = proxy.client_to("none");
    client.send(PREFACE);
    assert_eq!(client.read_response().status(), 505);
}

#[test]
fn the_number_of_streams_is_told() {
    let proxy = Proxy::nginx(SERVERS).start();
    let mut client = Frames { wire: proxy.client() };
    client.wire.send(PREFACE);
    client.send(kind::SETTINGS, 0, 0, b"");
    let settings = client.find(kind::SETTINGS).payload;
    // SETTINGS_MAX_CONCURRENT_STREAMS.
    assert!(settings.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 7]), "{settings:?}");
}

#[test]
fn what_nginx_has_given_up_is_accepted() {
    let config = "events {}
        http { http2_max_field_size 4k; http2_max_header_size 16k; http2_max_requests 1000; http2_idle_timeout 3m;
               http2_recv_timeout 30s; http2_push_preload on; http2_max_concurrent_pushes 10; http2_chunk_size 8k;
               http2_recv_buffer_size 256k; http2_body_preread_size 128k;
               server { listen 127.0.0.1:1; location / { http2_push /a.css; return 200; } } }";
    let dir = bifrons_testkit::TempDir::new();
    let file = dir.write("nginx.conf", config);
    let output = binary::run(&["check", &file.display().to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
