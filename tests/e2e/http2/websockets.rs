//! WebSockets over a stream (RFC 8441), to endpoints that know them by HTTP/1.1.

use super::client::{Client, get, request};
use crate::support::{front, front_setup, front_with, routes};
use crate::websocket::accept;
use bifrons_testkit::{End, Message, Origin, Proxy, Wire, wait_until};
use bytes::Bytes;
use h2::ext::Protocol;

fn opening(protocol: &'static str) -> http::Request<()> {
    let mut ask = request("CONNECT", "/chat");
    ask.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
    ask.headers_mut().insert("sec-websocket-protocol", "chat".parse().unwrap());
    ask.extensions_mut().insert(Protocol::from_static(protocol));
    ask
}

fn switched(head: &Message) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        accept(head.field("sec-websocket-key").unwrap())
    )
}

/// The next so many bytes of a stream.
fn take(client: &Client, stream: &mut h2::RecvStream, len: usize) -> Vec<u8> {
    client.wait(async {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let piece = stream.data().await.unwrap().unwrap();
            stream.flow_control().release_capacity(piece.len()).unwrap();
            bytes.extend_from_slice(&piece);
        }
        bytes
    })
}

#[test]
fn a_tunnel_carries_both_directions_and_their_ends() {
    let origin = Origin::script(|wire| {
        let head = wire.read_head();
        assert_eq!((head.method(), head.target()), ("GET", "/chat"));
        assert_eq!(head.field("upgrade"), Some("websocket"));
        assert!(head.field("connection").unwrap().eq_ignore_ascii_case("upgrade"), "{head:?}");
        assert_eq!(head.field("sec-websocket-version"), Some("13"));
        wire.send(switched(&head)).send("welcome");
        let said = wire.read_exact(100_000);
        wire.send(said);
        assert_eq!(wire.read_end(), End::Closed, "the end of the client's direction arrives");
        wire.send("bye");
    });
    // What bounds bodies does not bound tunnels.
    let proxy = front_with(&origin, ", limits: { body: 1000 }, timeouts: { body: 100ms }", "");
    let mut client = Client::connect(proxy.addr("web"));
    let mut running = client.begin(opening("websocket"), false);
    let head = client.wait(async { running.answer().await.unwrap() });
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["sec-websocket-protocol"], "chat");
    for field in ["upgrade", "connection", "sec-websocket-accept", "transfer-encoding", "content-length"] {
        assert!(!head.headers().contains_key(field), "{head:?}");
    }
    let mut stream = head.into_body();
    assert_eq!(take(&client, &mut stream, 7), b"welcome");
    let body = crate::support::pattern(100_000);
    running.body.send_data(body.clone().into(), false).unwrap();
    assert!(take(&client, &mut stream, body.len()) == body);
    running.body.send_data(Bytes::new(), true).unwrap();
    assert_eq!(take(&client, &mut stream, 3), b"bye");
    let last = client.wait(stream.data());
    assert!(last.is_none_or(|last| last.unwrap().is_empty()) && stream.is_end_stream());
    let record = &proxy.wait_records(1)[0];
    assert!(record.contains("\"status\":200"), "{record}");
}

#[test]
fn other_streams_live_beside_it() {
    let origin = Origin::script(|wire| {
        let head = wire.read_head();
        if head.target() == "/chat" {
            wire.send(switched(&head));
            wire.read_to_end();
        } else {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let mut running = client.begin(opening("websocket"), false);
    let head = client.wait(async { running.answer().await.unwrap() });
    assert_eq!(head.status(), 200);
    assert_eq!(client.ask(get("/")).text(), "ok");
    // A reset ends it.
    running.body.send_reset(h2::Reason::CANCEL);
    drop(head);
    wait_until("the tunnel is recorded", || proxy.stdout().contains("/chat"));
}

#[test]
fn what_is_no_websocket_is_not_taken_for_one() {
    // An endpoint that answers as if it were any request, and one that proves nothing.
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    ];
    for answer in answers {
        let origin = Origin::script(move |wire| {
            wire.read_head();
            wire.send(answer);
        });
        let proxy = front(&origin);
        let mut client = Client::connect(proxy.addr("web"));
        let running = client.begin(opening("websocket"), false);
        assert_eq!(client.head(running).unwrap().status(), 502, "{answer}");
    }
    // Refusals are passed on.
    let origin = Origin::answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let running = client.begin(opening("websocket"), false);
    assert_eq!(client.head(running).unwrap().status(), 403);
    // Where upgrades are off there are none, and none with other protocols or with us.
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, upgrade: false }").start();
    let mut client = Client::connect(proxy.addr("web"));
    let running = client.begin(opening("websocket"), false);
    assert_eq!(client.head(running).unwrap().status(), 403);
    let running = client.begin(opening("connect-udp"), false);
    assert_eq!(client.head(running).unwrap().status(), 405);
    let proxy = routes("- path: /*\n  respond: { body: hello }\n");
    let mut client = Client::connect(proxy.addr("web"));
    let running = client.begin(opening("websocket"), false);
    assert_eq!(client.head(running).unwrap().status(), 502);
}

#[test]
fn a_plain_connect_opens_nothing() {
    let origin = Origin::saying("ok");
    let proxy = front(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let ask = http::Request::builder().method("CONNECT").uri("test:443").body(()).unwrap();
    let running = client.begin(ask, false);
    assert_eq!(client.head(running).unwrap().status(), 405);
    assert_eq!(client.ask(get("/")).text(), "ok");
}

/// A proxy before that origin that speaks nothing but HTTP/2, and one before it that speaks HTTP/2 with it.
fn two_hops(origin: &Origin) -> (Proxy, Proxy) {
    let back = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\", http2: { plain: only } } }\n\
         hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\nclusters: { app: { endpoints: [\"@app@\"] } }\n",
    );
    let back = back.with("app", origin.addr()).start();
    let front = front_setup(&[back.addr("web")], "", ", http_version: \"2\"", "app").start();
    (back, front)
}

/// Echoes, and says goodbye when the client's direction has ended.
fn echoing() -> Origin {
    Origin::script(|wire| {
        let head = wire.read_head();
        if head.target() != "/chat" {
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            return;
        }
        assert_eq!(head.field("upgrade"), Some("websocket"));
        wire.send(switched(&head)).send("welcome");
        let said = wire.read_exact(100_000);
        wire.send(said);
        assert_eq!(wire.read_end(), End::Closed, "the end of the client's direction arrives");
        wire.send("bye");
    })
}

#[test]
fn over_http2_behind_too() {
    let origin = echoing();
    let (back, proxy) = two_hops(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    let mut running = client.begin(opening("websocket"), false);
    let head = client.wait(async { running.answer().await.unwrap() });
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["sec-websocket-protocol"], "chat");
    assert!(!head.headers().contains_key("sec-websocket-accept"), "{head:?}");
    let mut stream = head.into_body();
    assert_eq!(take(&client, &mut stream, 7), b"welcome");
    let body = crate::support::pattern(100_000);
    running.body.send_data(body.clone().into(), false).unwrap();
    assert!(take(&client, &mut stream, body.len()) == body);
    assert_eq!(client.ask(get("/")).text(), "ok", "others share the connection");
    running.body.send_data(Bytes::new(), true).unwrap();
    assert_eq!(take(&client, &mut stream, 3), b"bye");
    let record = back.wait_records(2).into_iter().find(|record| record.contains("/chat")).unwrap();
    assert!(record.contains("\"protocol\":\"HTTP/2.0\""), "{record}");
}

#[test]
fn from_http1_to_http2() {
    let origin = echoing();
    let (_back, proxy) = two_hops(&origin);
    let mut client = proxy.client();
    client.send(
        "GET /chat HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let head = client.read_head();
    assert_eq!(head.status(), 101);
    // RFC 6455 1.3.
    assert_eq!(head.field("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(head.field("upgrade"), Some("websocket"));
    assert_eq!(head.field("sec-websocket-protocol"), Some("chat"));
    assert_eq!(client.read_exact(7), b"welcome");
    let body = crate::support::pattern(100_000);
    client.send(&body);
    assert!(client.read_exact(body.len()) == body);
    client.half_close();
    assert_eq!(client.read_exact(3), b"bye");
    assert_eq!(client.read_end(), End::Closed);
}

#[test]
fn refusals_of_endpoints_of_http2_are_answers() {
    let origin = Origin::saying("no");
    let (_back, proxy) = two_hops(&origin);
    let mut client = Client::connect(proxy.addr("web"));
    // The second hop got 200 where it had asked for an upgrade.
    let running = client.begin(opening("websocket"), false);
    assert_eq!(client.finish(running).unwrap().status(), 502);
}

/// An endpoint that knows no WebSockets over streams is asked over a connection of HTTP/1.1.
#[test]
fn endpoints_without_them_are_asked_by_http1() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let endpoint = std::thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        first.set_nonblocking(true).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let first = tokio::net::TcpStream::from_std(first).unwrap();
            let mut conn = h2::server::handshake(first).await.unwrap();
            assert!(conn.accept().await.is_none(), "no request comes over HTTP/2");
        });
        let (second, _) = listener.accept().unwrap();
        let mut wire = Wire::over(second);
        let head = wire.read_head();
        assert_eq!((head.method(), head.field("upgrade")), ("GET", Some("websocket")));
        wire.send(switched(&head)).send("welcome");
        assert_eq!(wire.read_exact(5), b"hello");
    });
    let proxy = front_setup(&[addr], "", ", http_version: \"2\"", "app").start();
    let mut client = Client::connect(proxy.addr("web"));
    let mut running = client.begin(opening("websocket"), false);
    let head = client.wait(async { running.answer().await.unwrap() });
    assert_eq!(head.status(), 200);
    let mut stream = head.into_body();
    assert_eq!(take(&client, &mut stream, 7), b"welcome");
    running.body.send_data("hello".into(), false).unwrap();
    endpoint.join().unwrap();
}
