//! What origins are told about the client, and whom the proxy believes.

use crate::support::{each, front_setup, same};
use bifrons_testkit::{Message, Origin, Proxy};

const ALL: &str = "{ cluster: app, forwarded: [x_forwarded_for, x_forwarded_proto, x_forwarded_host, \
                   x_forwarded_port, x_real_ip, forwarded, x_request_id, traceparent] }";
const CLAIMS: &str = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
                      X-Forwarded-Port: 443\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Request-Id: mine\r\n\
                      traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

fn told(listener: &str, proxy: &str, fields: &str) -> (Message, Proxy) {
    let origin = Origin::echo();
    let proxy = front_setup(&[origin.addr()], listener, "", proxy).start();
    let answer = proxy.client().ask(&format!("GET / HTTP/1.1\r\nHost: test:81\r\n{fields}\r\n"));
    (answer.echoed(), proxy)
}

#[test]
fn what_a_client_claims_is_replaced() {
    let (request, proxy) = told("", ALL, CLAIMS);
    let port = proxy.addr("web").port().to_string();
    let rows = [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "test:81"),
        ("X-Forwarded-Port", port.as_str()),
        ("X-Real-IP", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1;host=\"test:81\";proto=http"),
    ];
    for (name, want) in rows {
        assert_eq!(request.field(name), Some(want), "{name}");
    }
    let id = request.field("X-Request-Id").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    let trace = request.field("traceparent").unwrap();
    assert!(trace.len() == 55 && !trace.contains("0af7651916cd43dd8448eb211c80319c"), "{trace}");
}

#[test]
fn what_a_trusted_proxy_says_is_kept_and_appended_to() {
    let (request, _proxy) = told(", client: { trusted: [127.0.0.0/8] }", ALL, CLAIMS);
    let rows = [
        ("X-Forwarded-For", "6.6.6.6, 127.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil"),
        ("X-Forwarded-Port", "443"),
        ("X-Real-IP", "6.6.6.6"),
        ("Forwarded", "for=6.6.6.6, for=127.0.0.1;host=\"test:81\";proto=http"),
        ("X-Request-Id", "mine"),
    ];
    for (name, want) in rows {
        assert_eq!(request.field(name), Some(want), "{name}");
    }
    let trace = request.field("traceparent").unwrap();
    assert!(trace.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && trace.ends_with("-01"), "{trace}");
    assert!(!trace.contains("b7ad6b7169203331"), "the span is ours: {trace}");
}

#[test]
fn by_default_the_usual_three_are_told() {
    let (request, _proxy) = told("", "app", "X-Real-IP: 6.6.6.6\r\n");
    let names = [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Real-IP",
        "Forwarded",
        "X-Request-Id",
    ];
    assert_eq!(names.map(|name| request.has(name)), [true, true, true, false, false, false]);
}

#[test]
fn an_empty_list_leaves_all_as_it_came() {
    let (request, _proxy) = told("", "{ cluster: app, forwarded: [] }", CLAIMS);
    let got: Vec<_> = ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Request-Id"]
        .map(|name| request.field(name))
        .into();
    assert_eq!(got, [Some("6.6.6.6"), Some("https"), Some("for=6.6.6.6"), Some("mine")]);
}

#[test]
fn several_fields_are_one_chain() {
    let fields = "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2, 3.3.3.3\r\n";
    let (request, _proxy) = told(", client: { trusted: [127.0.0.0/8] }", "app", fields);
    assert_eq!(request.field("X-Forwarded-For"), Some("1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1"));
}

#[test]
fn the_clients_address_is_found_behind_trusted_proxies_only() {
    let rows = [
        ("nobody trusted", ("{}", "X-Forwarded-For: 9.9.9.9", "127.0.0.1")),
        ("another trusted", ("{ trusted: [10.0.0.0/8] }", "X-Forwarded-For: 9.9.9.9", "127.0.0.1")),
        ("trusted", ("{ trusted: [127.0.0.1] }", "X-Forwarded-For: 9.9.9.9", "9.9.9.9")),
        (
            "the last one that is no proxy",
            (
                "{ trusted: [127.0.0.1, 10.0.0.0/8] }",
                "X-Forwarded-For: 1.1.1.1, 9.9.9.9, 10.0.0.1",
                "9.9.9.9",
            ),
        ),
        (
            "only the last",
            (
                "{ trusted: [127.0.0.1, 10.0.0.0/8], recursive: false }",
                "X-Forwarded-For: 9.9.9.9, 10.0.0.1",
                "10.0.0.1",
            ),
        ),
        (
            "all are proxies",
            ("{ trusted: [127.0.0.1, 10.0.0.0/8] }", "X-Forwarded-For: 10.0.0.2, 10.0.0.1", "10.0.0.2"),
        ),
        ("garbage", ("{ trusted: [127.0.0.1] }", "X-Forwarded-For: evil", "127.0.0.1")),
        ("behind garbage", ("{ trusted: [127.0.0.1] }", "X-Forwarded-For: evil, 9.9.9.9", "9.9.9.9")),
        ("one hop", ("{ trusted_hops: 1 }", "X-Forwarded-For: 6.6.6.6, 9.9.9.9", "9.9.9.9")),
        ("two hops", ("{ trusted_hops: 2 }", "X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.0.0.1", "9.9.9.9")),
        ("with a port", ("{ trusted: [127.0.0.1] }", "X-Forwarded-For: 9.9.9.9:1234", "9.9.9.9")),
        ("IPv6", ("{ trusted: [127.0.0.1] }", "X-Forwarded-For: 2001:db8::1", "2001:db8::1")),
        ("another field", ("{ trusted: [127.0.0.1], field: X-Client }", "X-Client: 9.9.9.9", "9.9.9.9")),
        (
            "Forwarded",
            (
                "{ trusted: [127.0.0.1], field: Forwarded }",
                "Forwarded: for=\"[2001:db8::1]:80\";proto=https",
                "2001:db8::1",
            ),
        ),
        ("no field", ("{ trusted: [127.0.0.1] }", "X: y", "127.0.0.1")),
    ];
    each(rows, |(client, field, want)| {
        let yaml = format!(
            "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\", client: {client} }} }}\n\
             hosts: [{{ default: true, routes: [{{ path: /*, respond: \"$remote_addr\" }}] }}]\n"
        );
        let proxy = Proxy::yaml(&yaml).start();
        let answer = proxy.client().ask(&format!("GET / HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n"));
        same(answer.text(), want)
    });
}

/// HTTP/1.0 clients need name no host: the endpoint is asked for its own then, not for none.
#[test]
fn a_request_without_host_goes_on_with_one() {
    let origin = Origin::echo();
    let proxy = crate::support::front(&origin);
    for head in
        ["GET / HTTP/1.0\r\n", "GET / HTTP/1.0\r\nX-Forwarded-Host: evil\r\n", "GET / HTTP/1.1\r\nHost:\r\n"]
    {
        let request = crate::support::echoed(&proxy, &format!("{head}\r\n"));
        assert_eq!(request.field("Host"), Some(&*origin.addr().to_string()), "{head}");
        assert!(!request.has("X-Forwarded-Host"), "{head}: {request:?}");
    }
}
