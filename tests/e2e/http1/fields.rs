//! Which fields pass and which concern one connection only (RFC 9110 7.6).

use crate::support::{echoed, front, front_with, get};
use bifrons_testkit::{Origin, Wire};

#[test]
fn hop_by_hop_fields_of_a_request_stay_behind() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let request = echoed(
        &proxy,
        "GET / HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, X-Secret, x-other\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: foo\r\nX-Secret: 1\r\nX-OTHER: 2\r\nX-Stays: 3\r\n\r\n",
    );
    for gone in ["Connection", "Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "X-Secret", "X-Other"] {
        assert!(!request.has(gone), "{gone} in {request:?}");
    }
    assert_eq!(request.field("X-Stays"), Some("3"));
}

#[test]
fn connection_can_not_strip_what_the_proxy_depends_on() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, ", client: { trusted: [127.0.0.0/8] }", "");
    let request = echoed(
        &proxy,
        "POST / HTTP/1.1\r\nHost: test\r\nConnection: Host, Content-Length, X-Forwarded-For, X-Forwarded-Proto, \
         X-Forwarded-Host, Via, Forwarded, X-Real-IP, Cookie, Authorization\r\nContent-Length: 2\r\n\
         X-Forwarded-For: 10.1.1.1\r\nVia: 1.1 front\r\nCookie: a=b\r\nAuthorization: Basic eDp5\r\n\r\nhi",
    );
    assert_eq!((request.field("Host"), request.text()), (Some("test"), "hi"));
    assert_eq!(request.field("X-Forwarded-For"), Some("10.1.1.1, 127.0.0.1"));
    assert_eq!((request.field("Cookie"), request.has("Authorization")), (Some("a=b"), true));
    assert!(request.field("Via").is_some_and(|via| via.starts_with("1.1 front, 1.1 ")), "{request:?}");
    assert!(request.has("X-Forwarded-Proto") && request.has("X-Forwarded-Host"), "{request:?}");
}

#[test]
fn hop_by_hop_fields_of_an_answer_stay_behind() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Internal\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\n\
         X-Internal: secret\r\nX-Stays: 1\r\nContent-Length: 0\r\n\r\n",
    );
    let answer = get(&front(&origin), "/");
    for gone in ["Connection", "Keep-Alive", "Proxy-Connection", "X-Internal"] {
        assert!(!answer.has(gone), "{gone} in {answer:?}");
    }
    assert_eq!(answer.field("X-Stays"), Some("1"));
}

#[test]
fn order_and_spelling_of_fields_are_kept() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, ", via: false", "");
    let request =
        echoed(&proxy, "GET / HTTP/1.1\r\nHost: test\r\nx-B: 1\r\nX-a: 2\r\nx-B:  3 \r\nEMPTY:\r\n\r\n");
    let names: Vec<_> = request.fields.iter().filter(|(name, _)| !name.starts_with("X-Forwarded")).collect();
    let want = [("Host", "test"), ("x-B", "1"), ("X-a", "2"), ("x-B", "3"), ("EMPTY", "")];
    let want: Vec<_> = want.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(names, want.iter().collect::<Vec<_>>());
}

#[test]
fn via_is_appended_unless_switched_off() {
    let origin = Origin::echo();
    let request = echoed(&front(&origin), "GET / HTTP/1.1\r\nHost: test\r\nVia: 1.0 fred\r\n\r\n");
    assert!(request.field("Via").is_some_and(|via| via.starts_with("1.0 fred, 1.1 ")), "{request:?}");
    let quiet = front_with(&origin, ", via: false", "");
    assert!(!echoed(&quiet, "GET / HTTP/1.1\r\nHost: test\r\n\r\n").has("Via"));
}

#[test]
fn date_is_added_where_the_origin_sent_none() {
    let origin = Origin::serve(|request| {
        let date = if request.target() == "/dated" { "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n" } else { "" };
        format!("HTTP/1.1 200 OK\r\n{date}Content-Length: 0\r\n\r\n").into_bytes()
    });
    let proxy = front(&origin);
    assert_eq!(get(&proxy, "/dated").field("Date"), Some("Tue, 15 Nov 1994 08:12:31 GMT"));
    let added = get(&proxy, "/").field("Date").map(str::to_owned);
    assert!(added.is_some_and(|date| date.len() == 29 && date.ends_with(" GMT")));
}

#[test]
fn the_server_field_follows_its_policy() {
    let named = Origin::answering("HTTP/1.1 200 OK\r\nServer: app/1\r\nContent-Length: 0\r\n\r\n");
    let server = |listener: &str, path: &str| {
        get(&front_with(&named, listener, ""), path).field("Server").map(str::to_owned)
    };
    assert_eq!(server("", "/").as_deref(), Some("app/1"));
    assert_eq!(server(", server: off", "/"), None);
    assert_eq!(server(", server: { set: edge }", "/").as_deref(), Some("edge"));
}

#[test]
fn an_absolute_target_becomes_origin_form_and_names_the_host() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let cases = [
        ("http://Test.example/a/b?c=d", "Test.example", "/a/b?c=d"),
        ("http://test.example:8080", "test.example:8080", "/"),
        ("http://test.example?x", "test.example", "/?x"),
    ];
    for (target, host, want) in cases {
        let request = echoed(&proxy, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!((request.target(), request.field("Host")), (want, Some(host)));
    }
}

#[test]
fn what_the_proxy_writes_has_one_host_and_one_length() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    proxy.client().ask("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
    proxy.client().ask("DELETE / HTTP/1.1\r\nHost: test\r\n\r\n");
    proxy.client().ask("POST / HTTP/1.1\r\nHost: test\r\n\r\n");
    let requests = origin.requests();
    for request in &requests {
        assert_eq!(request.all("Host").len(), 1, "{request:?}");
        assert_eq!(request.start.split(' ').next_back(), Some("HTTP/1.1"));
    }
    let lengths: Vec<_> = requests.iter().map(|request| request.field("Content-Length")).collect();
    assert_eq!(lengths, [Some("3"), None, Some("0")]);
}

/// RFC 9110 7.6.3: the version is that of the message as it was received.
#[test]
fn via_tells_the_version_a_request_came_by() {
    let origin = Origin::echo();
    let request = echoed(&front(&origin), "GET / HTTP/1.0\r\nHost: test\r\n\r\n");
    assert!(request.field("Via").is_some_and(|via| via.starts_with("1.0 ")), "{request:?}");
}

/// RFC 9110 7.6.2: an OPTIONS goes no further than it may, and is answered where it ends.
#[test]
fn an_options_goes_so_far_and_no_further() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let options =
        |value: &str| format!("OPTIONS /a HTTP/1.1\r\nHost: test\r\nMax-Forwards: {value}\r\nX-A: 1\r\n\r\n");
    let answer = proxy.client().ask(&options("0"));
    assert_eq!((answer.status(), answer.has("Allow")), (200, true));
    assert!(origin.requests().is_empty());
    for (sent, passed) in [("1", "0"), ("70", "69"), ("many", "many")] {
        assert_eq!(echoed(&proxy, &options(sent)).field("Max-Forwards"), Some(passed));
    }
    let get = options("0").replace("OPTIONS", "GET");
    assert_eq!(echoed(&proxy, &get).field("Max-Forwards"), Some("0"), "it means nothing to others");
}

#[test]
fn what_becomes_of_server_holds_for_every_answer() {
    let origin = Origin::script(|wire: &mut Wire| {
        let Some(request) = wire.read_request() else { return };
        let interim = "HTTP/1.1 103 Early Hints\r\nServer: leaky/1\r\nLink: x\r\n\r\n";
        wire.send(match request.target() {
            "/ws" => "HTTP/1.1 101 Switching Protocols\r\nServer: leaky/1\r\nUpgrade: x\r\n\
                      Connection: upgrade\r\n\r\n"
                .to_owned(),
            _ => format!("{interim}HTTP/1.1 200 OK\r\nServer: leaky/1\r\nContent-Length: 0\r\n\r\n"),
        });
    });
    for (policy, said) in [("pass", Some("leaky/1")), ("\"off\"", None), ("{ set: us }", Some("us"))] {
        let proxy = front_with(&origin, &format!(", server: {policy}"), "");
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        let (interim, last) = (client.read_head(), client.read_head());
        assert_eq!((interim.status(), interim.field("Server")), (103, said), "{policy}");
        assert_eq!((last.status(), last.field("Server")), (200, said), "{policy}");
        let mut client = proxy.client();
        client.send("GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
        let switched = client.read_head();
        assert_eq!((switched.status(), switched.field("Server")), (101, said), "{policy}");
    }
}
