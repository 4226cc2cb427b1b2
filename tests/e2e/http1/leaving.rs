//! Clients that go away: while an endpoint thinks, while its answer comes, while theirs is still on its way.

use crate::support::{front, front_setup};
use bifrons_testkit::{End, Origin, Proxy, Wire, wait_until};

/// A client's reset once the request has arrived, and what the record says.
#[track_caller]
fn resets(proxy: &Proxy, origin: &Origin, mut client: Wire) -> String {
    wait_until("the request arrives", || !origin.received_all().is_empty());
    client.reset();
    drop(client);
    proxy.wait_records(1)[0].clone()
}

/// An endpoint that reads whatever comes until the end of the connection: of a client that leaves at once, not
/// even a head.
fn silent() -> Origin {
    Origin::script(|wire| {
        wire.read_to_end();
    })
}

#[test]
fn a_half_closed_clients_reset_is_noticed() {
    let origin = silent();
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n").half_close();
    let record = resets(&proxy, &origin, client);
    assert!(record.contains("client_closed"), "{record}");
}

#[test]
fn a_pipelining_clients_reset_is_noticed() {
    let origin = silent();
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    wait_until("the request arrives", || !origin.received_all().is_empty());
    client.send("GET /next HTTP/1.1\r\nHost: test\r\n\r\n");
    let record = resets(&proxy, &origin, client);
    assert!(record.contains("client_closed"), "{record}");
}

#[test]
fn a_reset_is_noticed_while_the_endpoint_takes_no_body() {
    let (holds, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let origin = Origin::script(move |wire| {
        wire.read_head();
        // Until the test is over.
        let _ = held.lock().unwrap().recv();
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 100000000\r\n\r\n");
    client.set_write_patience(std::time::Duration::from_millis(500));
    while client.try_send([b'x'; 65536]).is_ok() {}
    let record = resets(&proxy, &origin, client);
    assert!(record.contains("client_"), "{record}");
    drop(holds);
}

/// The head of an answer, and nothing behind it for as long as the connection lives.
fn begins(head: &'static str) -> Origin {
    Origin::script(move |wire| {
        wire.read_head();
        wire.send(head);
        wire.read_to_end();
    })
}

#[test]
fn a_reset_is_noticed_while_an_answer_rests() {
    let heads = [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhi",
    ];
    for head in heads {
        for rest in ["", "GET /next HTTP/1.1\r\nHost: test\r\n\r\n"] {
            let origin = begins(head);
            let proxy = front(&origin);
            let mut client = proxy.client();
            client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
            assert_eq!(client.read_head().status(), 200);
            client.send(rest);
            let record = resets(&proxy, &origin, client);
            assert!(record.contains("client_"), "{head} {rest}: {record}");
        }
    }
}

#[test]
fn an_open_upload_is_no_cover() {
    let origin = begins("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n12345");
    assert_eq!(client.read_head().status(), 200);
    let record = resets(&proxy, &origin, client);
    assert!(record.contains("client_"), "{record}");
}

#[test]
fn nobody_is_told_what_nobody_reads() {
    let origin = silent();
    let proxy =
        front_setup(&[origin.addr()], "", "", "{ cluster: app, client_abort: cancel_on_half_close }").start();
    let mut client = proxy.client();
    client.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n").half_close();
    assert_eq!(client.read_end(), End::Closed);
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("\"status\":499") && record.contains("client_closed"), "{record}");
}

#[test]
fn a_client_that_leaves_its_body_unfinished() {
    let origin = silent();
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhel").half_close();
    // It said ten bytes and ended after three: nothing that could be answered.
    assert_eq!(client.read_to_end().0, b"");
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("\"status\":499"), "{record}");
}
