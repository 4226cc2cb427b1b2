//! Which route takes a request, and the one spelling a path has for matching and for forwarding.

use crate::support::{each, get, routes, routes_to, same};
use bifrons_testkit::{Origin, Proxy, Wire};

#[test]
fn the_most_specific_path_wins() {
    let proxy = routes(
        r#"
        - { path: /*, respond: root }
        - { path: "~ \\.php$", respond: regex }
        - { path: "~* \\.(PHP|html)$", respond: second }
        - { path: /a/*, respond: a }
        - { path: /a/b/*, respond: ab }
        - { path: "^~ /static/*", respond: static }
        - { path: /a/b/exact.php, respond: exact }
        "#,
    );
    let rows = [
        ("nothing else", ("/x", "root")),
        ("prefix", ("/a/x", "a")),
        ("longest prefix", ("/a/b/x", "ab")),
        ("prefix with slash is not the bare name", ("/a", "root")),
        ("regex before prefix", ("/a/b/x.php", "regex")),
        ("first regex", ("/x.php", "regex")),
        ("regex without case", ("/x.HTML", "second")),
        ("no regex below ^~", ("/static/x.php", "static")),
        ("exact before regex", ("/a/b/exact.php", "exact")),
        ("the query does not count", ("/a/b/x?y=.php", "ab")),
        ("case counts", ("/A/x", "root")),
    ];
    each(rows, |(path, want)| same(get(&proxy, path).text().to_owned(), want.to_owned()));
}

#[test]
fn conditions_choose_among_routes_of_one_path() {
    let proxy = routes(
        r#"
        - { path: /*, match: { method: [POST, PUT] }, respond: method }
        - { path: /*, match: { headers: { x-version: "2" } }, respond: header }
        - { path: /*, match: { headers: { user-agent: { contains: BOT, ignore_case: true } } }, respond: bot }
        - { path: /*, match: { query: { beta: { present: true } } }, respond: query }
        - { path: /*, match: { cookies: { lang: { regex: "^d[ea]$" } } }, respond: cookie }
        - { path: /*, match: { client: [127.0.0.9] }, respond: client }
        - { path: /*, match: { any: [{ query: { a: "1" } }, { query: { b: "1" } }], not: { query: { c: "1" } } }, respond: both }
        - { path: /*, respond: none }
        "#,
    );
    let ask = |request: &str| proxy.client().ask(request).text().to_owned();
    let with = |fields: &str| ask(&format!("GET / HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
    assert_eq!(ask("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"), "method");
    assert_eq!(with("X-Version: 2\r\n"), "header");
    assert_eq!(with("X-Version: 3\r\n"), "none");
    assert_eq!(with("User-Agent: a Robot\r\n"), "bot");
    assert_eq!(with("Cookie: a=b; lang=de\r\n"), "cookie");
    assert_eq!(with("Cookie: a=b; lang=den\r\n"), "none");
    for (path, want) in
        [("/?beta", "query"), ("/?a=1", "both"), ("/?b=1", "both"), ("/?b=1&c=1", "none"), ("/", "none")]
    {
        assert_eq!(get(&proxy, path).text(), want, "{path}");
    }
    let from_nine = Wire::connect_from("127.0.0.9".parse().unwrap(), proxy.addr("web")).get("/");
    assert_eq!(from_nine.text(), "client");
}

/// What the origin sees under a path policy, or the refusal.
fn seen(rules: &str, rows: &'static [(&'static str, &'static str)]) {
    let origin = Origin::echo();
    let yaml = format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\nclusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         hosts: [{{ default: true, path: {rules}, routes: [{{ path: /*, proxy: app }}] }}]\n"
    );
    let proxy = Proxy::yaml(&yaml).with("app", origin.addr()).start();
    each(rows.iter().map(|row| (row.0, *row)), |(path, want)| {
        let answer = get(&proxy, path);
        let got = if answer.status() == 200 {
            answer.echoed().target().to_owned()
        } else {
            answer.status().to_string()
        };
        same(got.as_str(), want)
    });
}

#[test]
fn paths_are_normalised_by_the_standard() {
    seen(
        "{}",
        &[
            ("/a/b", "/a/b"),
            ("/a/./b/../c?q=../x", "/a/c?q=../x"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/b/..", "/a/"),
            ("/%41%7e%2d", "/A~-"),
            ("/a%2fb", "/a%2Fb"),
            ("/a//b", "/a//b"),
            ("/a;x=1/b", "/a;x=1/b"),
            ("/..", "400"),
            ("/a/../..", "400"),
            ("/a/..%2f..%2fb", "400"),
            ("/a%2f..%2fb", "400"),
            ("/a%5c..%5cb", "400"),
            ("/a/..;/b", "400"),
            ("/a%00b", "400"),
            ("/a%zz", "400"),
            ("/a%4", "400"),
            ("/a%", "400"),
        ],
    );
}

#[test]
fn slashes_are_merged_where_asked_for() {
    seen("{ merge_slashes: true }", &[("//a///b", "/a/b"), ("/a//../b", "/b"), ("/a%2f/b", "/a%2F/b")]);
}

#[test]
fn the_strict_policy_refuses_what_servers_read_differently() {
    seen(
        "{ policy: strict }",
        &[("/a/../b", "/b"), ("/a%2Fb", "400"), ("/a%5Cb", "400"), ("/a//b", "400"), ("/a\\b", "400")],
    );
}

#[test]
fn nginxs_policy_compares_decoded_and_forwards_as_it_came() {
    seen(
        "{ policy: nginx, merge_slashes: true }",
        &[("/a/%2e%2e/b", "/a/%2e%2e/b"), ("/a%2Fb//c", "/a%2Fb//c"), ("/..", "400"), ("/a%zz", "400")],
    );
}

#[test]
fn the_policy_off_leaves_everything() {
    seen("{ policy: off }", &[("/a/../b", "/a/../b"), ("/a%zz//b", "/a%zz//b"), ("/../..", "/../..")]);
}

#[test]
fn no_spelling_walks_around_an_access_rule() {
    let spellings = [
        "/admin/x",
        "/a/../admin/x",
        "/./admin/x",
        "/%61dmin/x",
        "/a/%2e%2e/admin/x",
        "/admin%2fx",
        "/admin/../admin/x",
        "/x/..%2fadmin/x",
        "//admin/x",
        "/.//admin/x",
        "/admin//x",
        "/a/..;/admin/x",
        "/%2e/admin/x",
        "/x%2f..%2fadmin/x",
        "/%2fadmin/x",
        "/\\admin/x",
        "/a\\..\\admin/x",
        "/ADMIN/../admin/x",
        "/%2561dmin/x",
    ];
    for rules in ["{ merge_slashes: true }", "{ policy: strict }", "{ policy: nginx, merge_slashes: true }"] {
        let origin = Origin::echo();
        let yaml = format!(
            "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\nclusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
             hosts: [{{ default: true, path: {rules}, routes: [{{ path: /admin/*, respond: {{ status: 403 }} }}, \
             {{ path: /*, proxy: app }}] }}]\n"
        );
        let proxy = Proxy::yaml(&yaml).with("app", origin.addr()).start();
        // By the standard an escaped slash or a backslash is no slash (RFC 3986 2.2), and to nginx a `;` is
        // nothing special: servers that think otherwise need `strict`.
        let known: &[&str] = match rules {
            "{ merge_slashes: true }" => &["%2f", "\\"],
            "{ policy: strict }" => &[],
            _ => &[";", "\\"],
        };
        for path in spellings.into_iter().filter(|path| !known.iter().any(|mark| path.contains(mark))) {
            let answer = get(&proxy, path);
            if answer.status() == 200 {
                let target = answer.echoed().target().to_owned();
                let naive = lenient(&target);
                assert!(!naive.starts_with("/admin/"), "{rules}: {path} reached the origin as {target}");
            }
        }
    }
}

/// How a careless server reads a path: decoded once, slashes of both kinds merged, dots resolved.
fn lenient(target: &str) -> String {
    let mut decoded = String::new();
    let mut rest = target;
    while let Some(first) = rest.chars().next() {
        let code = rest.strip_prefix('%').and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
        decoded.push(code.map_or(first, char::from));
        rest = &rest[if code.is_some() { 3 } else { first.len_utf8() }..];
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in decoded.split(['/', '\\']).map(|part| part.split(';').next().unwrap_or_default()) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[test]
fn a_replaced_path_keeps_rest_and_query() {
    let origin = Origin::echo();
    let proxy = routes_to(
        &origin,
        r#"
        - { path: /api/*, proxy: { cluster: app, replace_path: /v2/ } }
        - { path: /one, proxy: { cluster: app, replace_path: /two } }
        - { path: "~ ^/re/", proxy: { cluster: app, replace_path: /whole } }
        "#,
    );
    let rows = [
        ("prefix", ("/api/users?id=1", "/v2/users?id=1")),
        ("escapes", ("/api/a%20b", "/v2/a%20b")),
        ("exact", ("/one?x", "/two?x")),
        ("regex", ("/re/anything", "/whole")),
    ];
    each(rows, |(path, want)| same(get(&proxy, path).echoed().target().to_owned(), want.to_owned()));
}

#[test]
fn ten_thousand_routes_are_all_found() {
    let many: String = (0..10_000).map(|n| format!("- {{ path: /r{n}/*, respond: \"{n}\" }}\n")).collect();
    let proxy = routes(&many);
    let mut client = proxy.client();
    for n in [0, 1, 4_999, 9_999] {
        assert_eq!(client.get(&format!("/r{n}/x")).text(), n.to_string());
    }
    assert_eq!(client.get("/r10000/x").status(), 404);
}
