//! Requests whose body goes wrong when the answer has begun already (RFC 9112 9.5).

use crate::support::front_setup;
use bifrons_testkit::{End, Origin, Proxy, Wire};
use std::time::Duration;

const HEAD: &str = "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
const BEGUN: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";

/// An endpoint that answers the first bytes, and waits for the last before it ends its answer.
fn begins() -> Origin {
    Origin::script(|wire: &mut Wire| {
        wire.read_to(b"hello\r\n");
        wire.send(BEGUN);
        if wire.read_to_end().0.ends_with(b"0\r\n\r\n") {
            wire.send("0\r\n\r\n");
        }
    })
}

fn front(origin: &Origin) -> Proxy {
    let listener = ", limits: { body: 1000 }, timeouts: { body: 1s, linger: 100ms }";
    front_setup(&[origin.addr()], listener, ", timeouts: { read: 60s }", "app").start()
}

/// The client gets what came, and then no clean end; the endpoint's connection closes; the client is blamed.
#[test]
fn the_answer_is_cut_off_and_the_client_is_blamed() {
    let rows: [(&str, &[u8], &str); 4] = [
        ("a malformed chunk", b"zz\r\n", "client_malformed"),
        ("more than allowed", &[b"400\r\n", [b'x'; 1024].as_slice()].concat(), "body_too_large"),
        ("no more bytes", b"", "client_timeout"),
        ("half a chunk", b"10\r\nhalf", "client_timeout"),
    ];
    for (name, bytes, word) in rows {
        let origin = begins();
        let proxy = front(&origin);
        let mut client = proxy.client();
        client.send(HEAD);
        assert_eq!(client.read_head().status(), 200, "{name}");
        assert_eq!(client.read_exact(7), b"2\r\nhi\r\n", "{name}");
        client.send(bytes);
        let (rest, _) = client.read_to_end();
        assert!(rest.is_empty(), "{name}: {}", rest.escape_ascii());
        let record = &proxy.wait_records(1)[0];
        assert!(record.contains(&format!("\"termination\":\"{word}\"")), "{name}: {record}");
        // The endpoint saw the end, or its script would wait for it and fail.
    }
}

#[test]
fn a_client_that_ends_in_the_middle_of_its_body_ends_the_answer() {
    let origin = begins();
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(HEAD);
    client.read_to(b"hi\r\n");
    client.half_close();
    client.read_end();
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("\"termination\":\"client_closed\""), "{record}");
}

/// An endpoint that answers and reads no more is within its rights: its answer counts.
#[test]
fn an_endpoint_that_reads_no_more_is_heard_to_its_end() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_to(b"hello\r\n");
        wire.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmu");
        std::thread::sleep(Duration::from_millis(100));
        wire.send("ch");
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(HEAD);
    assert_eq!(client.read_response().text(), "much");
}

/// A client that holds a conversation may be silent for longer than a body's rate allows.
#[test]
fn a_quiet_conversation_goes_on() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_to(b"hello\r\n");
        wire.send(BEGUN);
        wire.read_to(b"3\r\nand\r\n");
        wire.send("3\r\nyes\r\n");
        wire.read_to(b"0\r\n\r\n");
        wire.send("0\r\n\r\n");
        assert_eq!(wire.read_end(), End::Closed);
    });
    let listener = ", timeouts: { body: 30s, body_rate: 1m, body_grace: 50ms }";
    let proxy = front_setup(&[origin.addr()], listener, "", "app").start();
    let mut client = proxy.client();
    client.send(HEAD);
    client.read_to(b"hi\r\n");
    std::thread::sleep(Duration::from_millis(300));
    client.send("3\r\nand\r\n");
    assert_eq!(client.read_exact(8), b"3\r\nyes\r\n");
    client.send("0\r\n\r\n");
    assert_eq!(client.read_exact(5), b"0\r\n\r\n");
}

/// Both sides wait for each other unless the upload goes on while the answer is slowed down.
#[test]
fn an_upload_goes_on_under_an_answer_at_a_pace() {
    const BYTES: usize = 40 << 20;
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_head();
        let mut writer = wire.twin();
        let writes = std::thread::spawn(move || {
            writer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BYTES}\r\n\r\n"));
            writer.send(vec![b'a'; BYTES]);
        });
        wire.read_exact(BYTES);
        writes.join().unwrap();
    });
    let buffering = "{ mode: \"on\", memory: 64k, file: 0, rate: 2g }";
    let route = format!("{{ cluster: app, response_buffering: {buffering} }}");
    let proxy = front_setup(&[origin.addr()], ", limits: { body: 1g }", "", &route).start();
    let mut client = Wire::connect_narrow(proxy.addr("web"));
    client.send(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {BYTES}\r\n\r\n"));
    client.send(vec![b'x'; BYTES]);
    assert_eq!(client.read_response().body.len(), BYTES);
}

/// The time in which an endpoint does not read is not the client's.
#[test]
fn an_endpoint_that_takes_its_time_costs_the_client_nothing() {
    const UPLOAD: usize = 16 << 20;
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_head();
        std::thread::sleep(Duration::from_millis(1500));
        wire.read_exact(UPLOAD);
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    // 100 MB/s after 500 ms: the whole upload has 660 ms, of which the client takes next to none.
    let listener = ", limits: { body: 1g }, timeouts: { body: 30s, body_rate: 100m, body_grace: 500ms }";
    let proxy = front_setup(&[origin.addr()], listener, "", "app").start();
    let mut client = proxy.client();
    client.send(format!("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: {UPLOAD}\r\n\r\n"));
    client.send(vec![b'x'; UPLOAD]);
    assert_eq!(client.read_response().text(), "ok");
}
