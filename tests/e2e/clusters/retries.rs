//! When a request goes to another endpoint, and when it must not (RFC 9110 9.2.2; nginx's `proxy_next_upstream`).

use crate::support::{answer, front_setup};
use bifrons_testkit::{Message, Origin, Proxy, Wire, free_addr};
use std::net::SocketAddr;

const POST: &str = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi";
const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/// Takes the request and hangs up.
fn hangs_up() -> Origin {
    Origin::script(|wire: &mut Wire| {
        wire.read_request();
    })
}

fn ask(endpoints: &[SocketAddr], cluster: &str, request: &str) -> (Message, Proxy) {
    let proxy = front_setup(endpoints, "", cluster, "app").start();
    (proxy.client().ask(request), proxy)
}

#[test]
fn what_was_never_sent_goes_to_the_next() {
    let good = Origin::saying("good");
    for request in [GET, POST] {
        assert_eq!(ask(&[free_addr(), good.addr()], "", request).0.text(), "good");
    }
    assert_eq!(good.requests()[1].text(), "hi", "with its body");
}

#[test]
fn a_sent_get_goes_to_the_next_and_a_sent_post_does_not() {
    let (bad, good) = (hangs_up(), Origin::saying("good"));
    let endpoints = [bad.addr(), good.addr()];
    assert_eq!(ask(&endpoints, "", GET).0.text(), "good");
    assert_eq!(ask(&endpoints, "", POST).0.status(), 502);
    assert_eq!(good.requests().len(), 1);
    assert_eq!(ask(&endpoints, ", retry: { non_idempotent: true }", POST).0.text(), "good");
}

#[test]
fn nothing_is_tried_again_after_an_answer_began() {
    let bad = Origin::script(|wire| answer(wire, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"));
    let good = Origin::saying("good");
    let proxy = front_setup(&[bad.addr(), good.addr()], "", "", "app").start();
    let mut client = proxy.client();
    client.send(GET);
    let cut = client.read_cut_response();
    assert_eq!(cut.message.unwrap().text(), "part");
    assert_eq!(good.connections(), 0);
}

#[test]
fn statuses_are_tried_again_where_listed() {
    let bad = Origin::answering("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
    let good = Origin::saying("good");
    let endpoints = [bad.addr(), good.addr()];
    assert_eq!(ask(&endpoints, "", GET).0.text(), "busy");
    let listed = ", retry: { on: [error, http_503] }";
    assert_eq!(ask(&endpoints, listed, GET).0.text(), "good");
    assert_eq!(ask(&endpoints, listed, POST).0.text(), "busy");
    assert_eq!(ask(&[bad.addr(), bad.addr()], listed, GET).0.text(), "busy", "the last answer stands");
}

#[test]
fn retries_can_be_switched_off_and_bounded() {
    let good = Origin::saying("good");
    let (dead, dead_too) = (free_addr(), free_addr());
    assert_eq!(ask(&[dead, good.addr()], ", retry: { on: [] }", GET).0.status(), 502);
    assert_eq!(ask(&[dead, dead_too, good.addr()], ", retry: { attempts: 2 }", GET).0.status(), 502);
    assert_eq!(ask(&[dead, dead_too, good.addr()], ", retry: { attempts: 3 }", GET).0.text(), "good");
}

#[test]
fn a_malformed_answer_is_tried_again_only_where_listed() {
    let (bad, good) = (Origin::answering("nonsense\r\n\r\n"), Origin::saying("good"));
    let endpoints = [bad.addr(), good.addr()];
    assert_eq!(ask(&endpoints, "", GET).0.status(), 502);
    assert_eq!(ask(&endpoints, ", retry: { on: [invalid_header] }", GET).0.text(), "good");
}

#[test]
fn a_body_that_streams_is_not_sent_twice() {
    let (bad, good) = (hangs_up(), Origin::saying("good"));
    let proxy =
        front_setup(&[bad.addr(), good.addr()], "", ", retry: { non_idempotent: true }", "app").start();
    let mut client = proxy.client();
    // An idempotent request whose body was given away as it came.
    client.send("PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    bifrons_testkit::wait_until("it is on its way", || bad.received_all().ends_with(b"hi\r\n"));
    client.send("0\r\n\r\n");
    assert_eq!(client.read_response().status(), 502);
    assert_eq!(good.connections(), 0);
}

/// Answers the first request of a connection and hangs up at the second.
fn dies_when_reused() -> Origin {
    Origin::script(|wire: &mut Wire| {
        answer(wire, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        wire.read_request();
    })
}

#[test]
fn a_kept_connection_that_dies_is_replaced() {
    let origin = dies_when_reused();
    let proxy = front_setup(&[origin.addr()], "", "", "app").start();
    let mut client = proxy.client();
    for _ in 0..4 {
        assert_eq!(client.ask(GET).text(), "ok");
    }
}

#[test]
fn a_post_on_a_kept_connection_that_dies_is_not_repeated() {
    let origin = dies_when_reused();
    let proxy = front_setup(&[origin.addr()], "", "", "app").start();
    let mut client = proxy.client();
    assert_eq!(client.ask(GET).text(), "ok");
    assert_eq!(client.ask(POST).status(), 502);
    let posts = String::from_utf8(origin.received_all()).unwrap().matches("POST").count();
    assert_eq!(posts, 1);
}

#[test]
fn a_connection_the_origin_has_closed_is_never_used() {
    let origin = Origin::script(|wire| answer(wire, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    let proxy = front_setup(&[origin.addr()], "", "", "app").start();
    let mut client = proxy.client();
    for round in 0..20 {
        // Even a POST, which could not be repeated: the proxy sees the close before it sends.
        assert_eq!(client.ask(GET).text(), "ok", "round {round}");
    }
}

#[test]
fn a_slow_connect_is_504() {
    // A queue of length 0 that is full: the kernel lets further connections wait.
    let socket = full_socket();
    let (answer, proxy) = ask(&[socket.addr], ", timeouts: { connect: 200ms }", GET);
    assert_eq!(answer.status(), 504);
    assert!(proxy.wait_records(1)[0].contains("upstream_timeout"));
}

struct Full {
    addr: SocketAddr,
    _listener: socket2::Socket,
    _queued: Vec<socket2::Socket>,
}

fn full_socket() -> Full {
    let new = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let listener = new();
    let any = SocketAddr::from((bifrons_testkit::addr::own_ip(), 0));
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let queued = (0..8).map(|_| {
        let socket = new();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&addr.into());
        socket
    });
    Full { addr, _queued: queued.collect(), _listener: listener }
}

#[test]
fn an_answer_that_does_not_come_is_504() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_to_end();
    });
    let (answer, _proxy) = ask(&[origin.addr()], ", timeouts: { read: 200ms }", GET);
    assert_eq!(answer.status(), 504);
}

/// The time is for the whole head: an endpoint that sends a byte now and then holds nobody.
#[test]
fn a_head_that_drips_is_no_answer_that_comes() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nX-Drip: ");
        while wire.try_send("x").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    let (answer, _proxy) = ask(&[origin.addr()], ", timeouts: { read: 500ms }", GET);
    assert_eq!(answer.status(), 504);
}

#[test]
fn a_timeout_is_tried_again_elsewhere() {
    let stuck = Origin::script(|wire: &mut Wire| {
        wire.read_to_end();
    });
    let good = Origin::saying("good");
    let timeouts = ", timeouts: { read: 200ms }";
    assert_eq!(ask(&[stuck.addr(), good.addr()], timeouts, GET).0.text(), "good");
    assert_eq!(ask(&[stuck.addr(), good.addr()], timeouts, POST).0.status(), 504);
}

#[test]
fn an_answer_that_stops_half_way_is_cut() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        wire.read_to_end();
    });
    let proxy = front_setup(&[origin.addr()], "", ", timeouts: { read: 200ms }", "app").start();
    let mut client = proxy.client();
    client.send(GET);
    assert_eq!(client.read_cut_response().message.unwrap().text(), "hello");
    assert!(proxy.wait_records(1)[0].contains("upstream_timeout"));
}

/// An answer in hand is worth more than none: what another endpoint fails to better is the client's.
#[test]
fn a_listed_status_stands_where_no_other_endpoint_answers() {
    let bad = Origin::answering("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy");
    let hangs = hangs_up();
    let listed = ", retry: { on: [error, http_503] }";
    for second in [free_addr(), hangs.addr()] {
        let (answer, _) = ask(&[bad.addr(), second], listed, GET);
        let said = (answer.status(), answer.field("Retry-After"), answer.text());
        assert_eq!(said, (503, Some("7"), "busy"));
    }
}
