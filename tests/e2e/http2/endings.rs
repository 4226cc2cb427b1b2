//! How streams and connections end: broken answers, clients that leave, idleness, limits, a stop.

use super::client::{Client, get, request};
use crate::support::{front, front_setup, front_with, routes};
use bifrons_testkit::frames::{Frames, code, flag, kind, request as fields};
use bifrons_testkit::{End, Origin, wait_until};
use h2::Reason;

#[test]
fn a_broken_answer_is_reset() {
    let heads = [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ];
    for head in heads {
        let origin = Origin::script(move |wire| match wire.read_head().target() {
            "/" => drop(wire.send(head)),
            _ => drop(wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
        });
        let proxy = front(&origin);
        let mut client = Client::connect(proxy.addr("web"));
        let running = client.begin(get("/"), true);
        let err = client.finish(running).unwrap_err();
        assert_eq!(err.reason(), Some(Reason::INTERNAL_ERROR), "{head}: {err}");
        // The connection is none the worse for it.
        assert_eq!(client.ask(get("/well")).text(), "ok");
    }
}

#[test]
fn a_request_that_cannot_be_read_costs_its_stream_only() {
    let origin = Origin::saying("ok");
    let proxy = front(&origin);
    let mut client = Frames::connect(proxy.addr("web"));
    let mut different = fields("GET", "/");
    different.push(("host", "other"));
    let mut user = fields("GET", "/");
    user[3] = (":authority", "me@test");
    let none = [(":method", "GET"), (":scheme", "http"), (":path", "/")];
    for (stream, fields) in [(1, &different[..]), (3, &user), (5, &none)] {
        client.headers(stream, flag::END_STREAM, fields);
        assert_eq!(client.find_on(stream, kind::HEADERS).status(), Some(400), "{fields:?}");
    }
    client.get(7, "/");
    assert_eq!(client.find_on(7, kind::HEADERS).status(), Some(200));
}

#[test]
fn no_answer_at_all_is_a_reset() {
    let proxy = routes("- path: /drop\n  respond: { status: 444 }\n- path: /*\n  respond: { body: ok }\n");
    let mut client = Client::connect(proxy.addr("web"));
    let running = client.begin(get("/drop"), true);
    assert!(client.finish(running).unwrap_err().is_reset());
    assert_eq!(client.ask(get("/")).text(), "ok");
}

#[test]
fn a_client_that_gives_up_is_noticed() {
    let origin = Origin::script(|wire| {
        wire.read_head();
        wire.read_to_end();
    });
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let mut running = client.begin(get("/slow"), true);
    wait_until("the request arrives", || !origin.received_all().is_empty());
    running.body.send_reset(Reason::CANCEL);
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("\"status\":499") && record.contains("client_closed"), "{record}");
    // So is one that is gone altogether.
    drop(client);
    let mut client = Frames::connect(proxy.addr("web"));
    client.get(1, "/slow");
    wait_until("the request arrives", || origin.connections() == 2);
    client.wire.reset();
    drop(client);
    let record = &proxy.wait_records(2)[1];
    assert!(record.contains("client_closed"), "{record}");
}

#[test]
fn an_idle_connection_is_ended_in_order() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", timeouts: { keep_alive: 100ms }", "");
    let mut client = Frames::connect(proxy.addr("web"));
    client.get(1, "/");
    assert_eq!(client.find_on(1, kind::HEADERS).status(), Some(200));
    assert_eq!(client.goaway_code(), code::NO_ERROR);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", timeouts: { head: 200ms, keep_alive: 1h }", "");
    let mut client = Frames::connect(proxy.addr("web"));
    assert_eq!(client.goaway_code(), code::NO_ERROR);
    // Half a preface is a head that does not come.
    let mut client = proxy.client();
    client.send("PRI * HTTP/2.0\r\n\r\nS");
    client.read_to_end();
}

#[test]
fn the_last_request_is_said_to_be_the_last() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", connections: { requests: 3 }", "");
    let mut client = Frames::connect(proxy.addr("web"));
    for stream in [1, 3] {
        client.get(stream, "/");
        assert_eq!(client.find_on(stream, kind::HEADERS).status(), Some(200));
    }
    client.get(5, "/");
    let (frames, end) = client.rest();
    assert_eq!(end, End::Closed);
    let goaways: Vec<_> = frames.iter().filter(|frame| frame.kind == kind::GOAWAY).collect();
    // First that there will be no more, then which was the last (RFC 9113 6.8).
    assert_eq!(goaways[0].goaway(), (u32::MAX >> 1, code::NO_ERROR));
    assert_eq!(goaways[1].goaway(), (5, code::NO_ERROR));
    assert!(frames.iter().any(|frame| frame.stream == 5 && frame.is_last()), "{frames:?}");
}

#[test]
fn a_stop_lets_streams_finish() {
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let origin = Origin::script(move |wire| {
        wire.read_head();
        gone.lock().unwrap().recv().unwrap();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let mut proxy = front(&origin);
    let mut idle = Frames::connect(proxy.addr("web"));
    let mut client = Frames::connect(proxy.addr("web"));
    client.get(1, "/");
    wait_until("the request arrives", || !origin.received_all().is_empty());
    proxy.signal("TERM");
    assert_eq!(client.find(kind::GOAWAY).goaway().1, code::NO_ERROR);
    assert_eq!(idle.goaway_code(), code::NO_ERROR);
    go.send(()).unwrap();
    assert_eq!(client.find_on(1, kind::HEADERS).status(), Some(200));
    assert_eq!(client.find_on(1, kind::DATA).payload, b"ok");
    assert!(proxy.wait_exit().success());
}

#[test]
fn a_reload_that_takes_the_listener_away_ends_its_connections_after_a_request() {
    let origin = Origin::saying("ok");
    let mut proxy = front(&origin);
    let mut client = Frames::connect(proxy.addr("web"));
    client.get(1, "/");
    assert_eq!(client.find_on(1, kind::HEADERS).status(), Some(200));
    let config = std::fs::read_to_string(proxy.file()).unwrap();
    let other = bifrons_testkit::free_addr();
    proxy.rewrite(&config.replace(&proxy.addr("web").to_string(), &other.to_string()));
    // It comes back when the new configuration is in force.
    let pid_file = proxy.dir().path().join("pid").display().to_string();
    let output = bifrons_testkit::binary::run(&["reload", "--pid-file", &pid_file]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    client.get(3, "/");
    let (frames, _) = client.rest();
    assert!(frames.iter().any(|frame| frame.stream == 3 && frame.is_last()), "{frames:?}");
    assert!(frames.iter().any(|frame| frame.kind == kind::GOAWAY), "{frames:?}");
}

#[test]
fn a_body_that_does_not_come_times_out() {
    let origin = Origin::script(|wire| {
        wire.read_head();
        wire.read_to_end();
    });
    let proxy = front_with(&origin, ", timeouts: { body: 200ms }", "");
    let mut client = Client::connect(proxy.addr("web"));
    let running = client.begin(request("POST", "/"), false);
    assert_eq!(client.head(running).unwrap().status(), 408);
}

#[test]
fn a_client_that_takes_nothing_holds_up_itself_only() {
    let origin = Origin::serve(|request| match request.target() {
        "/big" => {
            let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n".to_vec();
            bytes.resize(bytes.len() + 10_000_000, b'x');
            bytes
        }
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
    });
    let proxy = front_setup(&[origin.addr()], ", timeouts: { send: 500ms }", "", "app").start();
    let mut client = Frames::connect(proxy.addr("web"));
    // The window of the connection is wide, that of the stream stays as it is.
    client.open_window(0, 1 << 24);
    client.get(1, "/big");
    assert_eq!(client.find_on(1, kind::HEADERS).status(), Some(200));
    client.get(3, "/small");
    assert_eq!(client.find_on(3, kind::DATA).payload, b"ok");
    assert_eq!(client.find_on(1, kind::RST_STREAM).reset_code(), code::INTERNAL_ERROR);
    client.get(5, "/small");
    assert_eq!(client.find_on(5, kind::DATA).payload, b"ok");
}
