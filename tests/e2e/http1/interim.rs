//! Interim answers: `100 Continue`, `103 Early Hints` (RFC 9110 15.2, 10.1.1).

use crate::support::{front, front_setup, routes};
use bifrons_testkit::{End, Origin, Proxy, Wire};

const EXPECTING: &str = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";

#[test]
fn continue_is_the_origins_to_say() {
    let origin = Origin::script(|wire: &mut Wire| {
        assert_eq!(wire.read_head().field("Expect"), Some("100-continue"));
        wire.set_patience(std::time::Duration::from_millis(50));
        assert!(wire.is_quiet(), "the body waits for the 100");
        wire.set_patience(bifrons_testkit::wait::DEADLINE);
        wire.send("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(wire.read_exact(5), b"hello");
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        assert_eq!(wire.read_request(), None);
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(EXPECTING);
    assert_eq!(client.read_head().status(), 100);
    client.send("hello");
    assert_eq!(client.read_response().text(), "ok");
}

#[test]
fn a_refused_expectation_sends_no_body() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_head();
        wire.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
        wire.read_to_end();
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(EXPECTING);
    let answer = client.read_response();
    // Whether the body comes after all is not known, so the connection can't be used any more.
    assert_eq!((answer.status(), answer.field("Connection")), (401, Some("close")));
    assert_eq!(client.read_end(), End::Closed);
    assert!(!String::from_utf8(origin.received_all()).unwrap().contains("hello"));
}

#[test]
fn early_hints_are_relayed() {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
    let origin = Origin::answering(format!("{hint}{hint}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    for _ in 0..2 {
        let hint = client.read_response();
        assert_eq!((hint.status(), hint.field("Link")), (103, Some("</a.css>; rel=preload")));
    }
    assert_eq!(client.read_response().text(), "ok");
    assert_eq!(client.ask("GET / HTTP/1.0\r\n\r\n").status(), 200, "HTTP/1.0 knows no interim answers");
}

/// An endpoint that would not understand the field: who reads the body says that it may come.
#[test]
fn an_endpoint_of_http10_is_not_waited_for() {
    let origin = Origin::echo();
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, http_version: \"1.0\" }").start();
    let mut client = proxy.client();
    for framing in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        client.send(format!("POST / HTTP/1.1\r\nHost: test\r\n{framing}\r\nExpect: 100-continue\r\n\r\n"));
        assert_eq!(client.read_head().start, "HTTP/1.1 100 Continue", "{framing}");
        client.send(if framing.starts_with('C') { "hello" } else { "5\r\nhello\r\n0\r\n\r\n" });
        let request = client.read_response().echoed();
        assert_eq!((request.text(), request.field("Expect")), ("hello", None));
        if framing.starts_with('C') {
            client = proxy.client();
        }
    }
}

#[test]
fn a_body_that_has_come_already_needs_no_100() {
    let origin = Origin::echo();
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, http_version: \"1.0\" }").start();
    assert_eq!(proxy.client().ask(&format!("{EXPECTING}hello")).echoed().text(), "hello");
    let mut client = proxy.client();
    client.send(format!("{EXPECTING}he")).send("llo");
    assert_eq!(client.read_response().echoed().text(), "hello");
}

#[test]
fn nginx_says_100_itself() {
    let origin = Origin::echo();
    let conf = "http { server { listen @web@; \
                location /old { proxy_pass http://@app@; } \
                location / { proxy_pass http://@app@; proxy_http_version 1.1; } } }";
    let proxy = Proxy::nginx(conf).with("app", origin.addr()).start();
    for path in ["/old", "/new"] {
        let mut client = proxy.client();
        client.send(EXPECTING.replace("/ ", &format!("{path} ")));
        assert_eq!(client.read_head().status(), 100, "{path}");
        client.send("hello");
        let request = client.read_response().echoed();
        assert_eq!((request.text(), request.field("Expect")), ("hello", None), "{path}");
    }
}

#[test]
fn an_answer_that_needs_no_body_is_final_at_once() {
    let proxy = routes("- { path: /*, respond: { status: 200, body: no } }");
    let mut client = proxy.client();
    let answer = client.ask(EXPECTING);
    assert_eq!((answer.status(), answer.field("Connection")), (200, Some("close")));
    assert_eq!(client.read_end(), End::Closed);
}

/// A server that works for long says so again and again (102): it may, but not for ever.
#[test]
fn interim_answers_are_bounded_by_far_more_than_work_needs() {
    let working = "HTTP/1.1 102 Processing\r\n\r\n";
    for (count, status) in [(1_000, 502), (999, 200), (17, 200)] {
        let answer = format!("{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", working.repeat(count));
        let origin = Origin::answering(answer);
        let proxy = front(&origin);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        for _ in 0..count {
            assert_eq!(client.read_head().status(), 102);
        }
        assert_eq!(client.read_response().status(), status, "{count}");
    }
}
