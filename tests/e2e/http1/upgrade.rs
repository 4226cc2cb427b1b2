//! `Upgrade`: WebSocket and others become tunnels (RFC 9110 7.8).

use crate::support::{front, front_setup, front_with};
use bifrons_testkit::{End, Origin, Proxy, Wire};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn echo_until_end(wire: &mut Wire) {
    let head = wire.read_head();
    assert_eq!(head.field("Upgrade"), Some("websocket"));
    assert!(head.field("Connection").unwrap().eq_ignore_ascii_case("upgrade"), "{head:?}");
    assert_eq!(head.field("Sec-WebSocket-Key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    wire.send(SWITCHED);
    loop {
        let len = wire.read_exact(1)[0];
        if len == 0 {
            break;
        }
        let message = wire.read_exact(usize::from(len));
        wire.send([&[len], message.as_slice()].concat());
    }
    assert_eq!(wire.read_end(), End::Closed, "the client's half-close arrives");
    wire.send("bye");
}

#[test]
fn a_tunnel_carries_both_directions_and_their_ends() {
    let origin = Origin::script(echo_until_end);
    let proxy = front(&origin);
    let mut client = proxy.client();
    // The first message comes with the request, before the 101.
    client.send(format!("{UPGRADE}\x05first"));
    let head = client.read_head();
    assert_eq!((head.status(), head.field("Upgrade")), (101, Some("websocket")));
    assert_eq!(head.field("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.read_exact(6), b"\x05first");
    client.send("\x03two");
    assert_eq!(client.read_exact(4), b"\x03two");
    client.send("\0").half_close();
    assert_eq!(client.read_to_end(), (b"bye".to_vec(), End::Closed));
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut client = proxy.client();
    assert_eq!(client.ask(UPGRADE).status(), 200);
    assert_eq!(client.get("/next").echoed().target(), "/next");
}

#[test]
fn upgrades_can_be_switched_off() {
    let origin = Origin::echo();
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, upgrade: false }").start();
    let request = proxy.client().ask(UPGRADE).echoed();
    assert!(!request.has("Upgrade") && !request.has("Connection"), "{request:?}");
}

#[test]
fn h2c_is_never_passed_on() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let request = proxy.client().ask(
        "GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    );
    let request = request.echoed();
    assert!(!request.has("Upgrade") && !request.has("HTTP2-Settings"), "{request:?}");
}

/// Switches and says nothing more.
fn switches_and_waits(wire: &mut Wire) {
    wire.read_head();
    wire.send(SWITCHED);
    wire.read_to_end();
}

#[test]
fn a_tunnel_in_which_nothing_moves_ends_and_says_so() {
    let origin = Origin::script(switches_and_waits);
    let proxy = front_with(&origin, "", ", timeouts: { tunnel: 300ms }");
    let mut client = proxy.client();
    client.send(UPGRADE);
    assert_eq!(client.read_head().status(), 101);
    assert_eq!(client.read_end(), End::Closed);
    let record = &proxy.wait_records(1)[0];
    assert!(
        record.contains("\"status\":101") && record.contains("\"termination\":\"tunnel_idle\""),
        "{record}"
    );
}

#[test]
fn each_byte_of_either_side_begins_a_new_wait() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_head();
        wire.send(SWITCHED);
        for _ in 0..20 {
            wire.read_exact(1);
        }
        wire.send("bye");
    });
    let proxy = front_with(&origin, "", ", timeouts: { tunnel: 2s, read: 300ms }");
    let mut client = proxy.client();
    client.send(UPGRADE);
    client.read_head();
    // Four seconds in all, of which the client alone speaks.
    assert!(client.drip([b'x'; 20], 1, std::time::Duration::from_millis(200)));
    assert_eq!(client.read_exact(3), b"bye");
}

#[test]
fn nginxs_tunnels_keep_to_its_read_timeout() {
    let origin = Origin::script(switches_and_waits);
    let conf = "http { server { listen @web@; location / { proxy_pass http://@app@; proxy_http_version 1.1; \
                proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; \
                proxy_read_timeout 300ms; } } }";
    let proxy = Proxy::nginx(conf).with("app", origin.addr()).start();
    let mut client = proxy.client();
    client.send(UPGRADE);
    assert_eq!(client.read_head().status(), 101);
    assert_eq!(client.read_end(), End::Closed);
}

#[test]
fn a_client_that_resets_a_tunnel_is_in_the_record() {
    let origin = Origin::script(switches_and_waits);
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(UPGRADE);
    assert_eq!(client.read_head().status(), 101);
    client.reset();
    drop(client);
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("\"status\":101") && record.contains("client_reset"), "{record}");
}

#[test]
fn a_client_that_leaves_while_the_endpoint_speaks() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_head();
        wire.send(SWITCHED);
        while wire.try_send([b'x'; 65536]).is_ok() {}
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send(UPGRADE);
    client.read_head();
    client.read_exact(100);
    drop(client);
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("\"status\":101") && record.contains("\"termination\":\"client_"), "{record}");
}

#[test]
fn half_a_tunnel_ends_in_its_time_too() {
    let origin = Origin::script(switches_and_waits);
    let proxy = front_with(&origin, "", ", timeouts: { tunnel: 300ms }");
    let mut client = proxy.client();
    client.send(UPGRADE);
    client.read_head();
    client.half_close();
    // The endpoint takes it for the end.
    assert_eq!(client.read_end(), End::Closed);
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_head();
        wire.send(SWITCHED);
        wire.half_close();
        wire.read_to_end();
    });
    let proxy = front_with(&origin, "", ", timeouts: { tunnel: 300ms }");
    let mut client = proxy.client();
    client.send(UPGRADE);
    client.read_head();
    client.read_end();
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("tunnel_idle"), "{record}");
}

/// RFC 9110 7.8: nobody switches to what was not asked for, and 8.6: a 101 has no length.
#[test]
fn only_what_was_asked_for_is_switched_to() {
    let switched = |fields: &str| {
        format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{fields}\r\nhello")
    };
    for fields in
        ["Upgrade: h2c\r\n", "", "Upgrade: websocket, other\r\n", "Upgrade: websocket\r\nUpgrade: other\r\n"]
    {
        let origin = Origin::answering(switched(fields));
        let answer = front(&origin).client().ask(UPGRADE);
        assert_eq!((answer.status(), answer.text().contains("hello")), (502, false), "{fields:?}");
    }
    for fields in ["Upgrade: WebSocket\r\n", "Upgrade: websocket\r\nContent-Length: 5\r\n"] {
        let origin = Origin::answering(switched(fields));
        let proxy = front(&origin);
        let mut client = proxy.client();
        client.send(UPGRADE);
        let head = client.read_head();
        assert_eq!((head.status(), head.has("Content-Length")), (101, false), "{fields:?}");
        assert_eq!(client.read_exact(5), b"hello");
    }
}
