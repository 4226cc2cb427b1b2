//! How connections end, and that nothing is lost when they do (RFC 9112 9.6).

use crate::support::{chunked, front, pattern, routes};
use bifrons_testkit::{End, Origin, Proxy, Wire};

#[test]
fn an_empty_line_behind_a_request_is_no_request() {
    let origin = Origin::saying("ok");
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi\r\n");
    assert_eq!(client.read_response().text(), "ok");
    client.half_close();
    assert_eq!(client.read_end(), End::Closed);
    proxy.client().get("/last");
    let records = proxy.wait_records(2);
    assert!(records.iter().all(|record| record.contains("\"status\":200")), "{records:?}");
}

#[test]
fn what_comes_behind_the_last_request_costs_no_answer() {
    let body = pattern(300_000);
    let origin = Origin::answering(
        [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat(),
    );
    let proxy = front(&origin);
    for _ in 0..20 {
        let mut client = Wire::connect_narrow(proxy.addr("web"));
        client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        client.read_head();
        // The answer is on its way, and we say something nobody will read.
        client.send("GET /never HTTP/1.1\r\nHost: test\r\n\r\n");
        let (rest, end) = client.read_to_end();
        assert_eq!((rest.len(), end), (body.len(), End::Closed));
    }
}

#[test]
fn both_directions_move_at_once() {
    // The endpoint answers before the request is over and reads it all the same; the client reads nothing
    // until it has sent everything.
    let body = pattern(12 << 20);
    let answer = chunked("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &body, 65_536, "0\r\n\r\n");
    let origin = Origin::script(move |wire: &mut Wire| {
        wire.read_head();
        let mut writer = wire.twin();
        let answer = answer.clone();
        let writes = std::thread::spawn(move || {
            writer.send(answer);
        });
        wire.read_exact(12 << 20);
        writes.join().unwrap();
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len()));
    client.send(&body);
    assert!(client.read_response().body == body);
}

#[test]
fn closing_without_an_answer() {
    let proxy = routes(
        "- { path: /shut, respond: { status: 444 } }\n- { path: /*, respond: { status: 200, body: hi } }",
    );
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "hi");
    client.send("GET /shut HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_end(), End::Closed);
    let record = &proxy.wait_records(2)[1];
    assert!(record.contains("\"status\":444") && record.contains("\"termination\":\"dropped\""), "{record}");
}

#[test]
fn nginxs_444_and_keepalive_of_nothing() {
    let conf = "http { log_format short '$status $body_bytes_sent'; access_log @dir@/access.log short; \
                server { listen @web@; keepalive_timeout 0; \
                location /shut { return 444; } location / { return 200 hi; } } }";
    let proxy = Proxy::nginx(conf).start();
    let mut client = proxy.client();
    let answer = client.get("/");
    assert_eq!((answer.text(), answer.field("Connection")), ("hi", Some("close")));
    assert_eq!(client.read_end(), End::Closed);
    let mut client = proxy.client();
    client.send("GET /shut HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_end(), End::Closed);
    bifrons_testkit::wait_until("the records", || proxy.dir().read("access.log") == "200 2\n444 0\n");
}

/// Many clients send all of an upload before they look at the answer.
#[test]
fn a_refused_upload_is_read_over() {
    let origin = Origin::saying("ok");
    let proxy = crate::support::front_with(&origin, ", limits: { body: 10 }, timeouts: { linger: 15s }", "");
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 8000000\r\n\r\n");
    client.send(vec![b'x'; 8_000_000]);
    let answer = client.read_response();
    assert_eq!((answer.status(), answer.field("Connection")), (413, Some("close")));
    assert_eq!(client.read_end(), End::Closed);
}
