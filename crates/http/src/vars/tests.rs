use super::*;
use crate::cx::ConnFacts;
use crate::testing::{get, request, response};
use bifrons_config::Template;
use bifrons_core::{Error, Kind};
use std::cell::{Cell, OnceCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

fn facts(peer: Option<&str>) -> Rc<ConnFacts> {
    Rc::new(ConnFacts {
        listener: "web".into(),
        peer: peer.map(|addr| addr.parse().unwrap()),
        peer_text: peer_text(peer),
        local: OnceCell::from(Some("192.0.2.1:80".parse().unwrap())),
        socket: Weak::new(),
        told: None,
        layer4: None,
        tls: None,
        serial: 7,
        accepted: Instant::now(),
        requests: Cell::new(3),
    })
}

fn peer_text(peer: Option<&str>) -> Box<str> {
    let Some(peer) = peer else { return "unix:".into() };
    let addr: std::net::SocketAddr = peer.parse().unwrap();
    addr.ip().to_canonical().to_string().into()
}

fn cx() -> ReqCx {
    ReqCx::new(facts(Some("203.0.113.5:4711")), Instant::now())
}

fn attempt(endpoint: &str, status: u16, error: Option<Kind>) -> Attempt {
    Attempt {
        endpoint: endpoint.into(),
        status,
        began: Instant::now(),
        connect_us: None,
        header_us: Some(12_345),
        response_us: Some(22_000),
        sent: 10,
        body_received: 5,
        received: 20,
        error,
    }
}

/// A template for the request; answers and context as given.
fn rendered(template: &str, cx: &ReqCx, req: &RequestHead, res: Option<&ResponseHead>) -> String {
    let mut out = Vec::new();
    Template::parse(template).unwrap().render(&Scope { cx, req, res }, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn of_request(template: &str, req: &RequestHead) -> String {
    rendered(template, &cx(), req, None)
}

#[test]
fn parts_of_the_request() {
    let req = get("X-A: 1\r\nX-A: 2\r\nCookie: a=1; B=2\r\nCookie: c=3\r\nContent-Type: t\r\n");
    for (template, value) in [
        ("$host $request_method $request_uri", "a.example GET /a?b=c"),
        ("$uri$is_args$args", "/a?b=c"),
        ("$request", "GET /a?b=c HTTP/1.1"),
        ("$server_protocol", "HTTP/1.1"),
        ("$http_x_a", "1, 2"),
        ("$http_cookie", "a=1; B=2; c=3"),
        ("$cookie_a $cookie_b $cookie_c $cookie_d", "1 2 3 "),
        ("$arg_b$arg_x", "c"),
        ("$content_type", "t"),
        ("$http_none", ""),
    ] {
        assert_eq!(of_request(template, &req), value, "{template}");
    }
}

/// Variables mean what the client sent, whatever was changed on the way.
#[test]
fn fields_are_those_that_came() {
    let mut req = get("X-A: 1\r\n");
    req.headers.set("X-A", b"2");
    req.headers.append("X-B", b"3");
    req.set_target(b"/other");
    assert_eq!(of_request("$http_x_a$http_x_b $request_uri $uri", &req), "1 /a?b=c /other");
}

#[test]
fn hosts_without_port_in_lower_case() {
    let host = |host: &str| of_request("$host", &request("GET / HTTP/1.1", &format!("Host: {host}\r\n")));
    assert_eq!(host("A.Example:8080"), "a.example");
    assert_eq!(host("a.example."), "a.example");
    assert_eq!(host("[2001:DB8::1]:80"), "[2001:db8::1]");
    let mut named = cx();
    named.server_name = Some("first.example".into());
    let old = request("GET / HTTP/1.0", "");
    assert_eq!(rendered("$host", &named, &old, None), "first.example");
}

#[test]
fn ends_of_the_connection() {
    let template = "$remote_addr:$remote_port $server_addr:$server_port $scheme$https $connection $connection_requests $listener";
    assert_eq!(of_request(template, &get("")), "203.0.113.5:4711 192.0.2.1:80 http 7 3 web");
    let unix = ReqCx::new(facts(None), Instant::now());
    assert_eq!(rendered("$remote_addr$remote_port", &unix, &get(""), None), "unix:");
    let mapped = ReqCx::new(facts(Some("[::ffff:192.0.2.9]:1")), Instant::now());
    assert_eq!(rendered("$remote_addr", &mapped, &get(""), None), "192.0.2.9");
    let mut behind = cx();
    behind.client = Some("198.51.100.7:0".parse().unwrap());
    assert_eq!(
        rendered("$remote_addr $realip_remote_addr", &behind, &get(""), None),
        "198.51.100.7 203.0.113.5"
    );
}

#[test]
fn the_chain_of_proxies() {
    assert_eq!(of_request("$proxy_add_x_forwarded_for", &get("")), "203.0.113.5");
    let req = get("X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\n");
    assert_eq!(of_request("$proxy_add_x_forwarded_for", &req), "1.1.1.1, 2.2.2.2, 203.0.113.5");
}

/// RFC 7617 2.
#[test]
fn users_of_basic_authentication() {
    let user = |value: &str| of_request("$remote_user", &get(&format!("Authorization: {value}\r\n")));
    assert_eq!(user("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "Aladdin");
    assert_eq!(user("basic   QWxhZGRpbjo="), "Aladdin");
    assert_eq!(user("Basic !"), "");
    assert_eq!(user("Bearer QWxhZGRpbjpv"), "");
    assert_eq!(user("Basi"), "");
    // Without a colon, and without a name: none, as in nginx.
    assert_eq!(user("Basic QWxhZGRpbg=="), "");
    assert_eq!(user("Basic OnNlc2FtZQ=="), "");
}

#[test]
fn the_answer() {
    let mut res = response("HTTP/1.1 206 x", "X-A: 1\r\nX-B: 2\r\n");
    res.headers.set("X-A", b"3");
    let template = "$status $sent_http_x_a $upstream_http_x_a $sent_http_x_b";
    assert_eq!(rendered(template, &cx(), &get(""), Some(&res)), "206 3 1 2");
    let mut sent = cx();
    (sent.status, sent.sent, sent.body_sent, sent.received, sent.head_bytes) = (404, 9, 4, 2, 30);
    let template = "$status $bytes_sent $body_bytes_sent $request_length";
    assert_eq!(rendered(template, &sent, &get(""), Some(&res)), "404 9 4 30");
    assert_eq!(rendered("$status", &cx(), &get(""), None), "000");
}

#[test]
fn cookies_that_the_endpoint_sets() {
    let res =
        response("HTTP/1.1 200 x", "Set-Cookie: a=1; Path=/\r\nSet-Cookie: B=two=2\r\nSet-Cookie: c\r\n");
    let template = "$upstream_cookie_a|$upstream_cookie_b|$upstream_cookie_c|$upstream_cookie_path";
    assert_eq!(rendered(template, &cx(), &get(""), Some(&res)), "1|two=2||");
}

/// What is there and empty, and what is not there, differ in a log.
#[test]
fn what_has_no_value_is_told_from_what_is_empty() {
    let has = |name: &str, req: &RequestHead| {
        let template = Template::parse(name).unwrap();
        let cx = cx();
        let scope = Scope { cx: &cx, req, res: None };
        template.vars().all(|var| scope.lookup(var, &mut Vec::new()))
    };
    let plain = get("");
    for name in ["$https", "$is_args", "$request_completion", "$pipe"] {
        assert!(has(name, &request("GET / HTTP/1.1", "Host: a\r\n")), "{name}");
    }
    for name in
        ["$http_none", "$remote_user", "$content_length", "$proxy_port", "$upstream_addr", "$arg_none"]
    {
        assert!(!has(name, &plain), "{name}");
    }
    assert!(
        !has("$args", &request("GET /? HTTP/1.1", "Host: a\r\n"))
            && has("$args", &request("GET /?a HTTP/1.1", "Host: a\r\n"))
    );
}

#[test]
fn how_it_ended() {
    let mut cx = cx();
    assert_eq!(rendered("$request_completion", &cx, &get(""), None), "");
    cx.finished = Some(cx.started + Duration::from_millis(1_234));
    assert_eq!(rendered("$request_completion $request_time$termination", &cx, &get(""), None), "OK 1.234");
    cx.note_error(Error::upstream(Kind::Timeout, "x"));
    cx.note_error(Error::downstream(Kind::Closed, "only the first counts"));
    assert_eq!(rendered("$request_completion$termination", &cx, &get(""), None), "OKupstream_timeout");
    cx.is_cut = true;
    assert_eq!(rendered("$request_completion$termination", &cx, &get(""), None), "upstream_timeout");
}

#[test]
fn attempts_one_after_the_other() {
    let mut cx = cx();
    assert_eq!(rendered("$upstream_addr", &cx, &get(""), None), "");
    cx.attempts.push(attempt("10.0.0.1:80", 0, Some(Kind::Timeout)));
    cx.attempts.push(attempt("10.0.0.2:80", 200, None));
    for (template, value) in [
        ("$upstream_addr", "10.0.0.1:80, 10.0.0.2:80"),
        ("$upstream_status", "504, 200"),
        ("$upstream_header_time", "0.012, 0.012"),
        ("$upstream_connect_time", "0.000, 0.000"),
        ("$upstream_response_time", "0.022, 0.022"),
        ("$upstream_response_length $upstream_bytes_received", "5, 5 20, 20"),
        ("$attempts", "2"),
    ] {
        assert_eq!(rendered(template, &cx, &get(""), None), value, "{template}");
    }
    cx.begin_attempts();
    cx.attempts.push(attempt("10.0.0.3:80", 404, None));
    assert_eq!(rendered("$upstream_status", &cx, &get(""), None), "504, 200 : 404");
    cx.attempts.pop();
    cx.attempts[0].error = Some(Kind::Connect);
    cx.attempts[0].header_us = None;
    assert_eq!(rendered("$upstream_status $upstream_header_time", &cx, &get(""), None), "502, 200 -, 0.012");
}

/// An attempt without an answer lasted until the next one.
#[test]
fn times_in_milliseconds() {
    let mut cx = cx();
    assert_eq!(rendered("$upstream_ms", &cx, &get(""), None), "", "none was asked");
    let after = |ms| cx.started + Duration::from_millis(ms);
    let (failed, answered) = (after(1), after(6));
    cx.finished = Some(after(20));
    assert_eq!(rendered("$elapsed_ms", &cx, &get(""), None), "20.000");
    let mut first = attempt("10.0.0.1:80", 0, Some(Kind::Connect));
    (first.began, first.header_us) = (failed, None);
    let mut second = attempt("10.0.0.2:80", 200, None);
    (second.began, second.header_us) = (answered, Some(2_005));
    cx.attempts.extend([first, second]);
    assert_eq!(rendered("$elapsed_ms $upstream_ms", &cx, &get(""), None), "20.000 7.005");
    cx.attempts.pop();
    assert_eq!(rendered("$elapsed_ms $upstream_ms", &cx, &get(""), None), "20.000 19.000", "it lasts still");
}

#[test]
fn what_the_configuration_declares() {
    let mut cx = cx();
    cx.captures.push(b"one".to_vec());
    cx.variables.push(("name".into(), b"old".to_vec()));
    cx.variables.push(("name".into(), b"new".to_vec()));
    let template = Template::parse_with("$1-$2-$name", &|name| name == "name").unwrap();
    let mut out = Vec::new();
    template.render(&Scope { cx: &cx, req: &get(""), res: None }, &mut out);
    assert_eq!(out, b"one--new");
}

#[test]
fn ids_are_made_once() {
    let cx = cx();
    let id = rendered("$request_id", &cx, &get(""), None);
    assert_eq!(id.len(), 32);
    assert!(id.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(rendered("$request_id", &cx, &get(""), None), id);
    cx.traceparent.set(*b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
    assert_eq!(rendered("$trace_id", &cx, &get(""), None), "0af7651916cd43dd8448eb211c80319c");
}

#[test]
fn places_of_the_route() {
    let mut cx = cx();
    cx.cluster = Some(Arc::from("app:8080"));
    cx.route = Some(Arc::from("/api/*"));
    cx.document_root = Some(b"/srv".to_vec());
    cx.path = Some(b"/decoded path".to_vec());
    let template = "$route $cluster $proxy_port $document_root $uri";
    assert_eq!(rendered(template, &cx, &get(""), None), "/api/* app:8080 8080 /srv /decoded path");
    cx.cluster = Some(Arc::from("app"));
    assert_eq!(rendered("$proxy_port", &cx, &get(""), None), "80");
}
