//! How long a connection lives, and in which order it is answered (RFC 9112 9).

use crate::support::{answer, front};
use bifrons_testkit::{End, Origin, wait_until};

#[test]
fn one_connection_carries_many_requests_on_both_sides() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut client = proxy.client();
    for path in ["/a", "/b", "/c"] {
        assert_eq!(client.get(path).echoed().target(), path);
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(
        "GET /1 HTTP/1.1\r\nHost: test\r\n\r\n\
         POST /2 HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello\
         POST /3 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
         GET /4 HTTP/1.1\r\nHost: test\r\n\r\n",
    );
    let seen: Vec<_> = (0..4).map(|_| client.read_response().echoed()).collect();
    let seen: Vec<_> = seen.iter().map(|request| (request.target(), request.text())).collect();
    assert_eq!(seen, [("/1", ""), ("/2", "hello"), ("/3", "abc"), ("/4", "")]);
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut client = proxy.client();
    let request = "POST /x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\nX-T: 1\r\n\r\n";
    client.drip(request, 1, std::time::Duration::from_micros(200));
    assert_eq!(client.read_response().echoed().text(), "wiki");
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("\r\nGET /x HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_response().echoed().target(), "/x");
}

#[test]
fn connection_close_closes_after_the_answer() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut client = proxy.client();
    let answer = client.ask("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.field("Connection"), Some("close"));
    assert_eq!(client.read_end(), End::Closed);
    client = proxy.client();
    client.get("/");
    assert_eq!(origin.connections(), 1, "the client's wish says nothing about our connection to the origin");
}

#[test]
fn http10_closes_unless_asked_to_stay() {
    let origin = Origin::saying("hi");
    let proxy = front(&origin);
    let mut client = proxy.client();
    let answer = client.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((answer.text(), answer.field("Connection")), ("hi", Some("close")));
    assert_eq!(client.read_end(), End::Closed);

    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!((answer.text(), answer.field("Connection")), ("hi", Some("keep-alive")));
    }
}

#[test]
fn an_http10_client_gets_a_body_without_length_until_the_close() {
    let origin =
        Origin::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    let proxy = front(&origin);
    let mut client = proxy.client();
    let answer = client.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!((answer.text(), answer.has("Transfer-Encoding")), ("hi", false));
    assert_eq!(answer.field("Connection"), Some("close"));
}

#[test]
fn an_http10_origin_is_understood() {
    let origin = Origin::script(|wire| answer(wire, "HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\nold style"));
    let proxy = front(&origin);
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!(answer.start, "HTTP/1.1 200 OK");
        assert_eq!((answer.text(), answer.field("Transfer-Encoding")), ("old style", Some("chunked")));
    }
    assert_eq!(origin.connections(), 2);
}

#[test]
fn the_origins_close_does_not_close_the_clients_connection() {
    let origin = Origin::script(|wire| {
        answer(wire, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    for _ in 0..3 {
        let answer = client.get("/");
        assert_eq!((answer.text(), answer.field("Connection")), ("ok", None));
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("GET /half HTTP/1.1\r\nHost: test\r\n\r\n").half_close();
    assert_eq!(client.read_response().echoed().target(), "/half");
    assert_eq!(client.read_end(), End::Closed);
}

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let origin = Origin::script(|wire| {
        wire.read_request();
        assert_eq!(wire.read_request(), None, "the proxy gives the request up");
        wire.send("x");
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    wait_until("the request arrives", || !origin.received_all().is_empty());
    client.reset();
    drop(client);
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("client_"), "{record}");
}

#[test]
fn methods_that_no_reverse_proxy_serves() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    for request in
        ["CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n", "TRACE / HTTP/1.1\r\nHost: test\r\n\r\n"]
    {
        let answer = proxy.client().ask(request);
        assert_eq!((answer.status(), answer.has("Allow")), (405, true), "{request}");
    }
    let answer = proxy.client().ask("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!((answer.status(), answer.has("Allow")), (200, true));
    assert_eq!(origin.connections(), 0);
}
