//! Which host takes a request: nginx's order of precedence.

use crate::support::{each, same, text_of};
use bifrons_testkit::Proxy;

fn host(names: &str, text: &str) -> String {
    format!("  - {{ names: [{names}], routes: [{{ path: /*, respond: \"{text}\" }}] }}\n")
}

fn proxy(hosts: &[(&str, &str)], default: &str) -> Proxy {
    let hosts: String = hosts.iter().map(|(names, text)| host(names, text)).collect();
    let yaml = format!("workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\nhosts:\n{hosts}{default}");
    Proxy::yaml(&yaml).start()
}

#[test]
fn exact_then_leading_then_trailing_wildcard_then_regex_then_default() {
    let hosts = [
        ("\"~^(?<name>www|api)\\\\d*\\\\.example\\\\.org$\"", "regex $1"),
        ("\"www.*\"", "trailing"),
        ("\"www.example.*\"", "longer trailing"),
        ("\"*.org\"", "shorter leading"),
        ("\"*.example.org\"", "leading"),
        ("www.example.org", "exact"),
        (".dot.net", "dot"),
        ("\"~^api\"", "second regex"),
    ];
    let default = "  - { default: true, routes: [{ path: /*, respond: default }] }\n";
    let proxy = proxy(&hosts, default);
    let rows = [
        ("exact", ("www.example.org", "exact")),
        ("letter case does not count", ("WWW.Example.ORG", "exact")),
        ("port does not count", ("www.example.org:8080", "exact")),
        ("dot at the end does not count", ("www.example.org.", "exact")),
        ("longest leading", ("a.b.example.org", "leading")),
        ("leading before regex", ("api7.example.org", "leading")),
        ("leading is not the name itself", ("example.org", "shorter leading")),
        ("longest trailing", ("www.example.com", "longer trailing")),
        ("trailing", ("www.other.com", "trailing")),
        ("dot is the name itself", ("dot.net", "dot")),
        ("dot is also below", ("x.dot.net", "dot")),
        ("dot is no suffix", ("xdot.net", "default")),
        ("regex", ("api.example.net", "second regex")),
        ("none", ("nobody.example", "default")),
        ("address", ("127.0.0.1", "default")),
    ];
    each(rows, |(host, want)| same(text_of(&proxy, host, "/"), want.to_owned()));
}

#[test]
fn regex_groups_are_variables() {
    let proxy = proxy(&[("\"~^(?<user>[a-z]+)\\\\.users\\\\.test$\"", "user $user")], "");
    assert_eq!(text_of(&proxy, "anna.users.test", "/"), "user anna");
}

#[test]
fn a_host_nobody_has_is_not_found() {
    let proxy = proxy(&[("a.test", "a")], "");
    let answer = proxy.client().ask("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n");
    assert_eq!(answer.status(), 404);
}

#[test]
fn a_host_is_reached_by_its_listeners_only() {
    let proxy = Proxy::yaml(
        r#"
workers: 1
listeners: { web: { bind: "@web@" }, inner: { bind: "@inner@" } }
hosts:
  - { names: [a.test], listeners: [inner], routes: [{ path: /*, respond: inner }] }
  - { names: [a.test], listeners: [web], routes: [{ path: /*, respond: web }] }
"#,
    )
    .start();
    let ask =
        |name: &str| proxy.client_to(name).ask("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").text().to_owned();
    assert_eq!((ask("web"), ask("inner")), ("web".into(), "inner".into()));
}

#[test]
fn an_http10_request_without_host_goes_to_the_default() {
    let default = "  - { default: true, routes: [{ path: /*, respond: default }] }\n";
    let proxy = proxy(&[("a.test", "a")], default);
    assert_eq!(proxy.client().ask("GET / HTTP/1.0\r\n\r\n").text(), "default");
}
