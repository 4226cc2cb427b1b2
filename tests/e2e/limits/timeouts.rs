//! How long a client may take. No test measures time: what is asserted is how the connection ends.

use crate::support::{front_with, pattern};
use bifrons_testkit::{End, Origin, Wire};
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(20);

#[test]
fn a_head_must_come_in_time() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", timeouts: { head: 200ms, linger: 200ms }", "");
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: te");
    let answer = client.read_response();
    assert_eq!((answer.status(), answer.field("Connection")), (408, Some("close")));
    client.read_to_end();
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_head_that_drips_is_no_faster() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", timeouts: { head: 200ms, linger: 200ms }", "");
    let mut client = proxy.client();
    let request = format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "a".repeat(5000));
    assert!(!client.drip(request, 1, PAUSE), "the proxy ends it");
    assert_eq!(origin.connections(), 0);
}

#[test]
fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", timeouts: { head: 200ms }", "");
    assert_eq!(proxy.client().read_end(), End::Closed);
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", timeouts: { keep_alive: 200ms }", "");
    let mut client = proxy.client();
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(client.read_end(), End::Closed);
}

#[test]
fn a_body_must_go_on() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_to_end();
    });
    let proxy = front_with(&origin, ", timeouts: { body: 200ms, linger: 200ms }", "");
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello");
    let answer = client.read_response();
    assert_eq!((answer.status(), answer.field("Connection")), (408, Some("close")));
}

#[test]
fn a_body_must_keep_its_rate() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_to_end();
    });
    let timeouts = ", timeouts: { body: 10s, body_rate: 1000, body_grace: 300ms, linger: 100ms }";
    let proxy = front_with(&origin, timeouts, "");
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n");
    // 50 bytes a second: each piece comes long before the timeout, all of them far below the rate.
    assert!(!client.drip([b'x'; 1000], 1, PAUSE), "the proxy ends it");
    let records = proxy.wait_records(1);
    assert!(records[0].contains("\"status\":408"), "{records:?}");
}

#[test]
fn a_body_at_its_rate_passes() {
    let origin = Origin::saying("ok");
    let timeouts = ", timeouts: { body: 10s, body_rate: 100, body_grace: 300ms }";
    let proxy = front_with(&origin, timeouts, "");
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 4000\r\n\r\n");
    assert!(client.drip([b'x'; 4000], 100, PAUSE));
    assert_eq!(client.read_response().status(), 200);
}

#[test]
fn a_client_that_takes_no_answer_is_given_up() {
    let body = pattern(8 << 20);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let origin = Origin::answering([head.as_bytes(), &body].concat());
    let proxy = front_with(&origin, ", timeouts: { send: 300ms }", "");
    let mut client = Wire::connect_narrow(proxy.addr("web"));
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let records = proxy.wait_records(1);
    assert!(records[0].contains("client_timeout"), "{records:?}");
}

#[test]
fn a_client_that_takes_its_time_gets_everything() {
    let body = pattern(1 << 20);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let origin = Origin::answering([head.as_bytes(), &body].concat());
    let proxy = front_with(&origin, "", "");
    let mut client = Wire::connect_narrow(proxy.addr("web"));
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    let mut got = Vec::new();
    while got.len() < body.len() {
        got.extend(client.read_exact(64 * 1024));
        std::thread::sleep(PAUSE);
    }
    assert!(got == body);
}

#[test]
fn no_keep_alive_closes_after_each_answer() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", timeouts: { keep_alive: 0s }", "");
    let mut client = proxy.client();
    let answer = client.get("/");
    assert_eq!((answer.text(), answer.field("Connection")), ("ok", Some("close")));
    assert_eq!(client.read_end(), End::Closed);
}

#[test]
fn an_answer_must_be_taken_at_its_rate() {
    let body = pattern(64 << 20);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n";
    let files = [[head.as_bytes(), &body].concat(), [chunked, body.as_slice()].concat()];
    for answer in files {
        let origin = Origin::answering(answer);
        // Between two writes there is time enough; the rate is what no reader on a trickle keeps.
        let proxy = front_with(&origin, ", timeouts: { send: 30s, send_rate: 1g, send_grace: 300ms }", "");
        let mut client = Wire::connect_narrow(proxy.addr("web"));
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        let (given_up, is_given_up) = std::sync::mpsc::channel::<()>();
        let reader = std::thread::spawn(move || {
            while is_given_up.try_recv() == Err(TryRecvError::Empty) && client.read_some(2048).is_ok() {
                std::thread::sleep(PAUSE);
            }
        });
        let records = proxy.wait_records(1);
        assert!(records[0].contains("client_timeout"), "{records:?}");
        drop(given_up);
        reader.join().unwrap();
    }
}

/// RFC 9112 2.2: an empty line before a request is nothing, and so is half of one.
#[test]
fn half_an_empty_line_is_answered_by_nothing() {
    let origin = Origin::saying("ok");
    for (policy, lines) in
        [("refuse", ["\r", "\r\n\r", "\r\n\r\n\r\n"]), ("accept", ["\n", "\n\r", "\n\r\n\n"])]
    {
        let keys = format!(", lone_lf: {policy}, timeouts: {{ head: 200ms, keep_alive: 200ms }}");
        let proxy = front_with(&origin, &keys, "");
        for line in lines {
            let mut client = proxy.client();
            client.send(line);
            assert_eq!(client.read_end(), End::Closed, "{}", line.escape_debug());
            let mut client = proxy.client();
            assert_eq!(client.get("/").text(), "ok");
            client.send(line);
            assert_eq!(client.read_end(), End::Closed, "{}", line.escape_debug());
        }
        let mut client = proxy.client();
        for _ in 0..2 {
            client.send("\r");
            std::thread::sleep(PAUSE);
            client.send("\n");
            assert_eq!(client.get("/").text(), "ok", "the other half may follow");
        }
    }
}
