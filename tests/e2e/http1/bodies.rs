//! Bodies of every framing, in both directions (RFC 9112 6, 7).

use crate::support::{answer, chunked, front, front_setup, pattern};
use bifrons_testkit::{Origin, Wire};

const CHUNKED: &str = "POST /up HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n";

#[test]
fn a_chunked_request_arrives_chunked_with_its_trailers() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let end = "0\r\nX-Sum: 42\r\nX-Two: b\r\n\r\n";
    let mut client = proxy.client();
    client.send(chunked(&format!("{CHUNKED}Trailer: X-Sum\r\n\r\n"), b"hello world", 4, end));
    assert_eq!(client.read_response().status(), 200);
    let request = &origin.requests()[0];
    assert_eq!((request.text(), request.field("Transfer-Encoding")), ("hello world", Some("chunked")));
    assert_eq!((request.trailer("X-Sum"), request.trailer("X-Two")), (Some("42"), Some("b")));
    assert!(!request.has("Content-Length"));
}

#[test]
fn a_chunked_answer_arrives_chunked_with_its_trailers() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         6;ext=1\r\nhello \r\n5\r\nworld\r\n0\r\nX-Sum: 7\r\n\r\n",
    );
    let proxy = front(&origin);
    let answer = proxy.client().ask("GET / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\n\r\n");
    assert_eq!((answer.text(), answer.trailer("X-Sum")), ("hello world", Some("7")));
    assert_eq!((answer.field("Trailer"), answer.has("Content-Length")), (Some("X-Sum"), false));
    assert_eq!(origin.requests()[0].field("TE"), Some("trailers"));
}

#[test]
fn trailers_that_would_change_the_message_are_dropped() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let end = "0\r\nHost: evil\r\nContent-Length: 99\r\nX-Forwarded-For: 6.6.6.6\r\nX-Fine: 1\r\n\r\n";
    proxy.client().send(chunked(&format!("{CHUNKED}\r\n"), b"x", 1, end)).read_response();
    let names: Vec<_> = origin.requests()[0].trailers.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["X-Fine"]);
}

#[test]
fn megabytes_go_up_and_come_down_unchanged() {
    let body = pattern(3 << 20);
    let origin = Origin::mirror();
    let proxy = front(&origin);
    let mut client = proxy.client();
    // Twice: with a length and in chunks.
    let head = format!("POST /up HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send(head).send(&body);
    assert!(client.read_response().body == body);
    client.send(chunked(&format!("{CHUNKED}\r\n"), &body, 100_001, "0\r\n\r\n"));
    assert!(client.read_response().body == body);
    assert!(origin.requests().iter().all(|request| request.body == body));
}

#[test]
fn a_long_chunked_answer_comes_down_unchanged() {
    let body = pattern(2 << 20);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let origin = Origin::answering(chunked(head, &body, 65_537, "0\r\n\r\n"));
    let proxy = front(&origin);
    let mut client = proxy.client();
    for _ in 0..2 {
        assert!(client.get("/").body == body);
    }
}

#[test]
fn an_answer_without_length_ends_with_the_origins_connection() {
    let body = pattern(300_000);
    let sent = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &body].concat();
    let origin = Origin::script(move |wire| answer(wire, &sent));
    let proxy = front(&origin);
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!((answer.body == body, answer.field("Transfer-Encoding")), (true, Some("chunked")));
    }
}

#[test]
fn head_answers_have_a_length_and_no_body() {
    let origin = Origin::serve(|request| {
        let body = if request.method() == "HEAD" { "" } else { "hello" };
        format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{body}").into_bytes()
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    let answer = client.ask("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!((answer.field("Content-Length"), answer.text()), (Some("5"), ""));
    assert_eq!(client.get("/").text(), "hello", "what follows a HEAD is the next answer");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn statuses_without_a_body_keep_the_connection() {
    let origin = Origin::serve(|request| match request.target() {
        "/204" => b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n".to_vec(),
        "/304" => b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    let no_content = client.get("/204");
    assert_eq!(no_content.status(), 204);
    assert!(!no_content.has("Content-Length") && !no_content.has("Transfer-Encoding"), "{no_content:?}");
    let not_modified = client.get("/304");
    assert_eq!((not_modified.status(), not_modified.field("ETag")), (304, Some("\"x\"")));
    assert_eq!(client.get("/200").field("Content-Length"), Some("0"));
    assert_eq!(origin.connections(), 1);
}

#[test]
fn pieces_of_a_slow_answer_are_passed_on_as_they_come() {
    // Each side waits for the other: an answer held back anywhere would hang the test.
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_head();
        wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in ["one", "two", "six"] {
            wire.send(format!("3\r\n{piece}\r\n"));
            assert_eq!(wire.read_exact(8), format!("3\r\n{piece}\r\n").into_bytes());
        }
        wire.send("0\r\n\r\n");
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(format!("{CHUNKED}\r\n"));
    assert_eq!(client.read_head().status(), 200);
    for piece in ["one", "two", "six"] {
        assert_eq!(client.read_exact(8), format!("3\r\n{piece}\r\n").into_bytes());
        client.send(format!("3\r\n{piece}\r\n"));
    }
    assert_eq!(client.read_exact(5), b"0\r\n\r\n");
}

#[test]
fn an_early_answer_ends_an_upload() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_head();
        wire.send("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\nfirst bytes");
    let answer = client.read_response();
    assert_eq!((answer.status(), answer.text()), (403, "no"));
    assert_eq!(answer.field("Connection"), Some("close"), "99 MB that nobody wants are not read over");
}

#[test]
fn an_http10_origin_gets_a_length_instead_of_chunks() {
    let origin = Origin::echo();
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, http_version: \"1.0\" }").start();
    let mut client = proxy.client();
    client.send(chunked(&format!("{CHUNKED}\r\n"), b"hello world", 4, "0\r\n\r\n"));
    let request = client.read_response().echoed();
    assert_eq!(request.start, "POST /up HTTP/1.0");
    assert_eq!((request.field("Content-Length"), request.text()), (Some("11"), "hello world"));
}

/// What says who the client is must not come behind what was checked (RFC 9110 6.5.1).
#[test]
fn trailers_that_would_claim_what_only_the_proxy_says_are_dropped() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let end = "0\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: https\r\nX_Real_IP: 6.6.6.6\r\n\
               X-Real-IP: 6.6.6.6\r\nX-Request-Id: evil\r\ntraceparent: evil\r\nX-Fine: 1\r\n\r\n";
    proxy.client().send(chunked(&format!("{CHUNKED}\r\n"), b"x", 1, end)).read_response();
    let names: Vec<_> = origin.requests()[0].trailers.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["X-Fine"]);
}
