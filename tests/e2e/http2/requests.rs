//! Requests over HTTP/2: what reaches the endpoint, what comes back.

use super::client::{Client, get, request};
use crate::support::{answer, front, front_setup, front_with, pattern, routes};
use bifrons_testkit::{Message, Origin, wait_until};
use bytes::Bytes;

#[test]
fn a_request_arrives_as_one_of_http1() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let mut ask = get("/a/b?c=d");
    ask.headers_mut().append("cookie", "a=1".parse().unwrap());
    ask.headers_mut().append("x-tag", "yes".parse().unwrap());
    ask.headers_mut().append("cookie", "b=2".parse().unwrap());
    let answer = client.ask(ask);
    assert_eq!((answer.status(), answer.field("server")), (200, Some("bifrons")));
    let echoed = Message::parse_head(answer.text().as_bytes());
    assert_eq!((echoed.method(), echoed.target()), ("GET", "/a/b?c=d"));
    assert_eq!(echoed.all("host"), ["test"]);
    assert_eq!(echoed.field("cookie"), Some("a=1; b=2"));
    assert_eq!(echoed.field("x-tag"), Some("yes"));
    assert!(echoed.field("via").unwrap().starts_with("2.0 bifrons"), "{echoed:?}");
}

#[test]
fn the_version_is_told_by_variables() {
    let proxy = routes("- path: /*\n  respond: { body: \"$server_protocol $http2 $scheme $request\" }\n");
    let answer = Client::connect(proxy.addr("web")).ask(get("/x"));
    assert_eq!(answer.text(), "HTTP/2.0 h2c http GET /x HTTP/2.0");
    // The same port speaks HTTP/1 with those who begin so.
    assert_eq!(proxy.client().get("/x").text(), "HTTP/1.1  http GET /x HTTP/1.1");
}

#[test]
fn streams_do_not_wait_for_each_other() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let origin = Origin::script(move |wire| {
        while let Some(request) = wire.read_request() {
            if request.target() == "/slow" {
                gone.lock().unwrap().recv().unwrap();
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let slow = client.begin(get("/slow"), true);
    wait_until("the slow one is there", || !origin.received_all().is_empty());
    assert_eq!(client.ask(get("/fast")).text(), "ok");
    go.send(()).unwrap();
    assert_eq!(client.finish(slow).unwrap().text(), "ok");
}

#[test]
fn bodies_go_both_ways_whatever_their_size() {
    let origin = Origin::mirror();
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    for len in [0, 1, 1000, 16_384, 65_535, 65_536, 300_000, 3_000_000] {
        let body = pattern(len);
        let answer = client.post(request("POST", "/"), &body);
        assert!(answer.body == body, "{len} bytes became {}", answer.body.len());
        assert_eq!(answer.field("content-length"), Some(&*len.to_string()));
    }
}

#[test]
fn trailers_go_both_ways() {
    let origin = Origin::serve(|request| {
        assert_eq!(request.trailer("x-sum"), Some("42"), "{request:?}");
        assert!(request.trailer("authorization").is_none(), "{request:?}");
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-State: well\r\n\r\n".into()
    });
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let mut running = client.begin(request("POST", "/"), false);
    running.body.send_data(Bytes::from_static(b"body"), false).unwrap();
    let trailers = [("x-sum", "42"), ("authorization", "no")];
    let trailers = trailers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    running.body.send_trailers(trailers.into_iter().collect()).unwrap();
    let answer = client.finish(running).unwrap();
    assert_eq!(answer.text(), "hi");
    assert_eq!(answer.trailers.unwrap().get("x-state").unwrap(), "well");
}

#[test]
fn answers_without_a_body_end_with_their_head() {
    let origin = Origin::serve(|request| {
        match (request.method(), request.target()) {
            ("HEAD", _) => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            (_, "/204") => "HTTP/1.1 204 No Content\r\n\r\n",
            (_, "/304") => "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\n",
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        }
        .into()
    });
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let rows = [
        ("HEAD", "/", 200, Some("5")),
        ("GET", "/204", 204, None),
        ("GET", "/304", 304, Some("5")),
        ("GET", "/0", 200, Some("0")),
    ];
    for (method, path, status, len) in rows {
        let running = client.begin(request(method, path), true);
        let head = client.head(running).unwrap();
        assert_eq!(head.status().as_u16(), status);
        assert_eq!(head.headers().get("content-length").map(|len| len.to_str().unwrap()), len, "{path}");
        assert!(head.body().is_end_stream(), "{method} {path}");
    }
}

#[test]
fn interim_answers_and_expectations() {
    let origin = Origin::script(|wire| {
        let head = wire.read_head();
        wire.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
        let body = wire.read_exact(head.field("content-length").unwrap().parse().unwrap());
        wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())).send(body);
    });
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let mut ask = request("POST", "/");
    ask.headers_mut().insert("expect", "100-continue".parse().unwrap());
    ask.headers_mut().insert("content-length", "5".parse().unwrap());
    let mut running = client.begin(ask, false);
    let seen = client.wait(std::future::poll_fn(|cx| {
        // 100 of ours, since the body is wanted; 103 of the endpoint.
        running.poll_informational(cx)
    }));
    assert!(matches!(seen, 100 | 103), "{seen}");
    running.body.send_data(Bytes::from_static(b"hello"), true).unwrap();
    assert_eq!(client.finish(running).unwrap().text(), "hello");
}

#[test]
fn a_body_too_large_is_refused_and_the_connection_lives() {
    // What is refused on its way ends in the middle.
    let origin = Origin::script(|wire| {
        while wire.try_read(None).is_ok() {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let proxy = front_with(&origin, ", limits: { body: 1000 }", "");
    let mut client = Client::connect(proxy.addr("web"));
    let mut ask = request("POST", "/");
    ask.headers_mut().insert("content-length", "2000".parse().unwrap());
    let running = client.begin(ask, false);
    assert_eq!(client.head(running).unwrap().status(), 413);
    // One that says nothing of its length.
    let mut running = client.begin(request("POST", "/"), false);
    running.body.send_data(pattern(1500).into(), false).unwrap();
    assert_eq!(client.head(running).unwrap().status(), 413);
    assert_eq!(client.ask(get("/")).text(), "ok");
}

#[test]
fn an_early_answer_ends_the_upload() {
    let origin = Origin::script(|wire| {
        wire.read_head();
        wire.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    });
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let mut running = client.begin(request("POST", "/"), false);
    running.body.send_data(pattern(10_000).into(), false).unwrap();
    let answer = client.wait(async {
        let (head, stream) = running.answer().await.unwrap().into_parts();
        super::client::read(head, stream).await.unwrap()
    });
    assert_eq!((answer.status(), answer.text()), (403, "no"));
    let reason = client.wait(std::future::poll_fn(|cx| running.body.poll_reset(cx))).unwrap();
    // RFC 9113 8.1: the rest is not wanted, and nothing was wrong.
    assert_eq!(reason, h2::Reason::NO_ERROR);
}

#[test]
fn a_small_body_is_sent_again_to_the_next_endpoint() {
    let good = Origin::serve(|request| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec();
        bytes.extend_from_slice(&request.body);
        bytes
    });
    let dead = bifrons_testkit::free_addr();
    let proxy = front_setup(&[dead, good.addr()], "", "", "app").start();
    let mut client = Client::connect(proxy.addr("web"));
    for _ in 0..4 {
        assert_eq!(client.post(request("POST", "/"), b"hello").text(), "hello");
    }
}

#[test]
fn the_record_counts_bytes() {
    let origin = Origin::script(|wire| answer(wire, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    let proxy = front(&origin);
    Client::connect(proxy.addr("web")).ask(get("/counted"));
    let record = &proxy.wait_records(1)[0];
    for part in ["\"HTTP/2.0\"", "/counted", "\"status\":200"] {
        assert!(record.contains(part), "{part} in {record}");
    }
}
