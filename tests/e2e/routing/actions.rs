//! What a route does besides proxying: redirects, fixed answers, routing again; and what errors look like.

use crate::support::{each, get, routes, same};
use bifrons_testkit::Proxy;

#[test]
fn a_redirect_leads_where_its_template_says() {
    let proxy = routes(
        r#"
        - { path: /short, redirect: "https://$host$request_uri" }
        - { path: /moved/*, redirect: { to: "/new$uri?$args", status: 308 } }
        - { path: "~ ^/user/(\\d+)$", redirect: { to: "/u?id=$1", status: 301 } }
        "#,
    );
    let rows = [
        ("short form", ("/short?a=b", (302, "https://test/short?a=b"))),
        ("with status", ("/moved/x?q=1", (308, "/new/moved/x?q=1"))),
        ("with a group", ("/user/42", (301, "/u?id=42"))),
    ];
    each(rows, |(path, (status, to))| {
        let answer = get(&proxy, path);
        same((answer.status(), answer.field("Location")), (status, Some(to)))
    });
}

#[test]
fn a_redirect_can_not_be_split() {
    let proxy = routes(r#"- { path: "~ ^/(.*)$", redirect: "https://test/$1" }"#);
    let answer = get(&proxy, "/x%0d%0aSet-Cookie:%20a=b");
    assert!(!answer.has("Set-Cookie"), "{answer:?}");
}

#[test]
fn a_fixed_answer_says_what_it_was_told() {
    let proxy = routes(
        r#"
        - { path: /plain, respond: "hello $remote_addr" }
        - { path: /json, respond: { status: 418, body: '{"uri":"$uri"}', content_type: application/json, headers: { X-A: "$arg_a" } } }
        - { path: /empty, respond: { status: 204 } }
        "#,
    );
    let plain = get(&proxy, "/plain");
    assert_eq!(
        (plain.text(), plain.field("Content-Type")),
        ("hello 127.0.0.1", Some("text/plain; charset=utf-8"))
    );
    let json = get(&proxy, "/json?a=5");
    assert_eq!((json.status(), json.text(), json.field("X-A")), (418, r#"{"uri":"/json"}"#, Some("5")));
    let empty = get(&proxy, "/empty");
    assert_eq!((empty.status(), empty.has("Content-Length"), empty.text()), (204, false, ""));
    let head = proxy.client().ask("HEAD /plain HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(head.field("Content-Length"), Some("15"));
}

#[test]
fn a_route_may_lead_to_another() {
    let proxy = routes(
        r#"
        - { path: /old/*, reroute: "/new/page?from=$uri" }
        - { path: /new/*, respond: "$uri $args" }
        "#,
    );
    assert_eq!(get(&proxy, "/old/x").text(), "/new/page from=/old/x");
}

#[test]
fn routes_that_lead_in_circles_end() {
    let proxy = routes("- { path: /a, reroute: /b }\n- { path: /b, reroute: /a }");
    let mut client = proxy.client();
    assert_eq!(client.get("/a").status(), 500);
    assert_eq!(client.get("/b").status(), 500, "the connection goes on");
    assert!(proxy.wait_records(2)[0].contains("too_many_reroutes"));
}

#[test]
fn a_listener_may_redirect_everything_to_https() {
    let yaml = r#"listeners: { web: { bind: "@web@", redirect: https } }"#;
    let proxy = Proxy::yaml(yaml).start();
    let answer = proxy.client().ask("GET /a?b=c HTTP/1.1\r\nHost: Test:8080\r\n\r\n");
    assert_eq!(answer.status(), 308);
    assert!(
        answer.field("Location").is_some_and(|to| to.eq_ignore_ascii_case("https://test/a?b=c")),
        "{answer:?}"
    );
}

#[test]
fn errors_are_html_or_json_and_tell_no_causes() {
    let yaml = "listeners: { web: { bind: \"@web@\" } }\nhosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n\
                clusters: { app: { endpoints: [\"@dead@\"] } }\n";
    let proxy = Proxy::yaml(yaml).start();
    let ask = |accept: &str| proxy.client().ask(&format!("GET / HTTP/1.1\r\nHost: test\r\n{accept}\r\n"));
    let html = ask("Accept: text/html,application/json\r\n");
    assert_eq!((html.status(), html.field("Content-Type")), (502, Some("text/html")));
    let json = ask("Accept: application/json\r\n");
    assert_eq!((json.status(), json.field("Content-Type")), (502, Some("application/json")));
    let value: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(value["status"], 502);
    for answer in [html, json] {
        let dead = proxy.value("dead");
        assert!(!answer.text().contains(dead) && !answer.text().contains("refused"), "{answer:?}");
    }
    assert!(proxy.wait_records(2)[0].contains("upstream_connect"));
}
