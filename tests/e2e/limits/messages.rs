//! Bounds of one message, each tested from both sides of its edge.

use crate::support::{chunked, front_with, routes_to};
use bifrons_testkit::{End, Origin, Proxy, Wire};

/// The status of the answer to a request; `Err` carries it when the connection closes after it.
fn status_and_life(proxy: &Proxy, bytes: impl AsRef<[u8]>) -> (u16, bool) {
    let mut client: Wire = proxy.client();
    let _ = client.try_send(bytes);
    let answer = client.read_response();
    let closes = answer.field("Connection") == Some("close");
    if closes {
        let (rest, _) = client.read_to_end();
        assert!(rest.is_empty(), "{}", rest.escape_ascii());
    }
    (answer.status(), !closes)
}

#[test]
fn request_lines_have_a_length() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", limits: { request_line: 100 }", "");
    let of_length = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "a".repeat(len - 14));
    assert_eq!(status_and_life(&proxy, of_length(100)), (200, true));
    assert_eq!(status_and_life(&proxy, of_length(101)), (414, false));
    assert_eq!(
        status_and_life(&proxy, format!("GET /{}", "a".repeat(10_000))),
        (414, false),
        "without an end"
    );
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn heads_have_a_number_of_fields() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", limits: { fields: 5 }", "");
    let with_fields =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: test\r\n{}\r\n", "X: a\r\n".repeat(count - 1));
    assert_eq!(status_and_life(&proxy, with_fields(5)), (200, true));
    assert_eq!(status_and_life(&proxy, with_fields(6)), (431, false));
}

#[test]
fn heads_have_a_size() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", limits: { head: 1000 }", "");
    let of_size = |size: usize| {
        let frame = "GET / HTTP/1.1\r\nHost: test\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "a".repeat(size - frame))
    };
    assert_eq!(status_and_life(&proxy, of_size(1000)), (200, true));
    assert_eq!(status_and_life(&proxy, of_size(1001)), (431, false));
    let endless = format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}", "a".repeat(100_000));
    assert_eq!(status_and_life(&proxy, endless), (431, false), "without an end");
}

#[test]
fn bodies_have_a_size() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", limits: { body: 10 }", "");
    let announced = |len: usize| {
        format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {len}\r\n\r\n{}", "x".repeat(len))
    };
    assert_eq!(status_and_life(&proxy, announced(10)).0, 200);
    assert_eq!(status_and_life(&proxy, announced(11)).0, 413);
    let head = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(status_and_life(&proxy, chunked(head, &[b'x'; 10], 4, "0\r\n\r\n")).0, 200);
    assert_eq!(origin.requests().len(), 2, "no too large body arrived whole");
}

#[test]
fn a_chunked_body_that_grows_too_large_is_cut() {
    let origin = Origin::script(|wire| {
        wire.read_to_end();
    });
    let proxy = front_with(&origin, ", limits: { body: 10 }, timeouts: { linger: 1s }", "");
    let head = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(status_and_life(&proxy, chunked(head, &[b'x'; 11], 4, "0\r\n\r\n")), (413, false));
    assert!(!origin.received_all().ends_with(b"0\r\n\r\n"), "the origin must not take it for whole");
}

#[test]
fn a_body_that_is_announced_too_large_is_refused_unread() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", limits: { body: 1k }", "");
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n");
    let answer = client.read_response();
    assert_eq!((answer.status(), answer.field("Connection")), (413, Some("close")));
    assert_eq!(client.read_end(), End::Closed);
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_route_has_a_body_limit_of_its_own() {
    let origin = Origin::saying("ok");
    let proxy = routes_to(
        &origin,
        r#"
        - { path: /*, proxy: app, max_body: 5 }
        - { path: /upload/*, proxy: app, max_body: 20 }
        "#,
    );
    let post = |path: &str, len: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len}\r\n\r\n");
        status_and_life(&proxy, head + &"x".repeat(len)).0
    };
    assert_eq!(
        [post("/", 5), post("/", 6), post("/upload/", 20), post("/upload/", 21)],
        [200, 413, 200, 413]
    );
}
