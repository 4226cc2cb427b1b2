//! gRPC-Web in front, gRPC behind.

use super::peers::Server;
use crate::http2::client::{Client, request};
use bifrons_http::base64;
use bifrons_testkit::{Message, Proxy, free_addr};
use std::net::SocketAddr;

fn front(addr: SocketAddr) -> Proxy {
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\" } }\n\
         hosts: [{ default: true, filters: [{ grpc_web: {} }], routes: [{ path: /*, proxy: { cluster: app, http_version: \"2\" } }] }]\n\
         clusters: { app: { endpoints: [\"@app@\"] } }\n",
    );
    proxy.with("app", addr).start()
}

/// A message with its prefix.
fn message(text: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// A call over HTTP/1.1.
fn asked(proxy: &Proxy, method: &str, media: &str, body: &[u8]) -> Message {
    let mut wire = proxy.client();
    let head = format!(
        "POST /test.Peer/{method} HTTP/1.1\r\nHost: test\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    wire.send([head.as_bytes(), body].concat());
    wire.read_response()
}

/// Frames: what marks them, and what is in them.
fn frames(mut body: &[u8]) -> Vec<(u8, String)> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = body.split_first_chunk::<5>() {
        let len = u32::from_be_bytes(*head.last_chunk().unwrap()) as usize;
        frames.push((head[0], String::from_utf8_lossy(&rest[..len]).into_owned()));
        body = &rest[len..];
    }
    assert!(body.is_empty());
    frames
}

/// Texts of base64 with padding of their own.
fn decoded(text: &[u8]) -> Vec<u8> {
    text.chunks(4).flat_map(|group| base64::decode(group).unwrap()).collect()
}

#[test]
fn trailers_come_in_the_body() {
    let Some(server) = Server::start() else { return };
    let proxy = front(server.addr);
    let res = asked(&proxy, "Count", "application/grpc-web+proto", &message("3"));
    assert_eq!((res.status(), res.field("content-type")), (200, Some("application/grpc-web")));
    let mut got = frames(&res.body);
    let (mark, trailers) = got.pop().unwrap();
    assert_eq!(got, ["0", "1", "2"].map(|text| (0, text.to_owned())));
    assert_eq!(mark, 0x80);
    assert!(trailers.contains("grpc-status: 0\r\n"), "{trailers}");
    assert!(res.trailer("grpc-status").is_none());
}

#[test]
fn text_goes_both_ways() {
    let Some(server) = Server::start() else { return };
    let proxy = front(server.addr);
    let body = message("hello");
    let (first, rest) = body.split_at(4);
    let text = base64::encode(first) + &base64::encode(rest);
    let res = asked(&proxy, "Unary", "application/grpc-web-text", text.as_bytes());
    assert_eq!(res.field("content-type"), Some("application/grpc-web-text"));
    let got = frames(&decoded(&res.body));
    assert_eq!(got[0], (0, "got hello".to_owned()));
    assert!(got[1].1.contains("grpc-status: 0\r\n"));
    let res = asked(&proxy, "Unary", "application/grpc-web-text", b"?!");
    assert_eq!((res.status(), res.field("grpc-status")), (200, Some("13")));
    // Over HTTP/2 as well.
    let mut client = Client::connect(proxy.addr("web"));
    let mut call = request("POST", "/test.Peer/Unary");
    call.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc-web"));
    let answer = client.post(call, &message("two"));
    assert_eq!(frames(&answer.body)[0], (0, "got two".to_owned()));
    assert!(answer.trailers.is_none());
}

#[test]
fn errors_end_with_the_head() {
    let proxy = front(free_addr());
    let res = asked(&proxy, "Unary", "application/grpc-web", &message("x"));
    assert_eq!((res.status(), res.field("content-type")), (200, Some("application/grpc-web")));
    assert_eq!((res.field("grpc-status"), res.field("grpc-message")), (Some("14"), Some("Bad Gateway")));
    let Some(server) = Server::start() else { return };
    let proxy = front(server.addr);
    let res = asked(&proxy, "Fail", "application/grpc-web", &message(""));
    assert_eq!(
        (res.status(), res.field("grpc-status"), res.field("x-why")),
        (200, Some("9"), Some("because"))
    );
}
