//! What leads a request from one route to another: rewriting, error pages, named routes, files that are
//! tried, and answers of endpoints that say where to go.

use crate::support::{each, get, same};
use bifrons_testkit::origin::ok;
use bifrons_testkit::{Message, Origin, Proxy};

fn asked(proxy: &Proxy, method: &str, path: &str, more: &str) -> Message {
    proxy.client().ask(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{more}\r\n"))
}

const REWRITES: &str = r#"
workers: 1
listeners: { web: { bind: "@web@" } }
hosts:
  - default: true
    rewrite:
      - { set: { area: public } }
      - { path: { matches: "^/m/(.*)", to: "/$1" } }
      - { if: { value: $http_x_block, then: [{ return: { status: 403, body: "no\n" } }] } }
    routes:
      - path: /old/*
        filters: [{ rewrite: [{ path: { matches: "^/old/(?<rest>.*)$", to: "/new/$rest?from=old" } }] }]
        respond: never
      - { path: /new/*, respond: "$uri $args $area $request_uri" }
      - path: /stay/*
        filters: [{ rewrite: [{ path: { matches: "^/stay/(.*)", to: "/stayed/$1", then: stay } }] }]
        respond: "$uri"
      - path: /loop/*
        filters: [{ rewrite: [{ path: { matches: "^/loop/", to: "/loop/x" } }] }]
        respond: never
      - path: /agent/*
        filters:
          - rewrite:
              - if: { value: $http_user_agent, matches: "(?i)^curl/(\\d+)", then: [{ use: curl }] }
        respond: other
    named_routes:
      curl:
        filters: [{ response_headers: { set: { X-Curl: "$1" } } }]
        respond: curl
"#;

#[test]
fn rewriting_leads_to_another_route() {
    let proxy = Proxy::yaml(REWRITES).start();
    let rows = [
        ("in a route", ("/old/a?x=1", (200, "/new/a from=old&x=1 public /old/a?x=1"))),
        ("in the host", ("/m/new/b", (200, "/new/b  public /m/new/b"))),
        ("in both", ("/m/old/c", (200, "/new/c from=old public /m/old/c"))),
        ("without another look", ("/stay/d", (200, "/stayed/d"))),
    ];
    each(rows, |(path, want)| {
        let answer = get(&proxy, path);
        same((answer.status(), answer.text()), want)
    });
    assert_eq!(asked(&proxy, "GET", "/new/x", "X-Block: 1\r\n").text(), "no\n");
    let curl = asked(&proxy, "GET", "/agent/x", "User-Agent: curl/8.5\r\n");
    assert_eq!((curl.text(), curl.field("X-Curl")), ("curl", Some("8")));
    assert_eq!(get(&proxy, "/agent/x").text(), "other");
    assert_eq!(get(&proxy, "/loop/").status(), 500);
    proxy.wait_log("rewrite or internal redirection cycle");
}

#[test]
fn error_pages_take_the_place_of_errors() {
    let origin = Origin::serve(|request| match request.target() {
        "/teapot" => b"HTTP/1.1 418 T\r\nContent-Length: 3\r\n\r\npot".to_vec(),
        target => {
            format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{target}", target.len()).into()
        }
    });
    let yaml = r#"
workers: 1
listeners: { web: { bind: "@web@" } }
hosts:
  - default: true
    error_pages:
      - { on: [404], to: /pages/404.html }
      - { on: [502, 503], to: "@down" }
      - { on: [403], to: "https://login.test/?from=$uri" }
      - { on: [405], to: /pages/405, status: 200 }
    access_log: { to: stdout, format: mine }
    routes:
      - { path: /pages/*, internal: true, static: "@dir@/www" }
      - { path: /files/*, static: "@dir@/www" }
      - { path: /down, proxy: { cluster: nobody, headers: { set: { X-A: b } } } }
      - { path: /denied, respond: { status: 403 } }
      - { path: /told, respond: { status: 404, body: "told\n" } }
      - { path: /app/*, proxy: { cluster: app, intercept_errors: true } }
      - { path: /raw/*, proxy: app }
      - { path: /plain, error_pages: [], respond: { status: 404 } }
      - { path: /own, error_pages: [{ on: [404], to: /pages/own, status: answer }], respond: { status: 404 } }
    named_routes:
      down: { respond: { status: 200, body: "$request_method $uri down\n" } }
clusters:
  app: { endpoints: ["@app@"] }
  nobody: { endpoints: ["127.0.0.1:1"] }
log_formats: { mine: { text: { template: "$request $status $uri" } } }
"#;
    let proxy = Proxy::yaml(yaml)
        .with("app", origin.addr())
        .file("www/pages/404.html", "none")
        .file("www/pages/405", "read only")
        .file("www/pages/own", "own")
        .file("www/files/here", "here")
        .start();
    let rows = [
        ("a file that is not there", (("GET", "/files/x"), (404, "none"))),
        ("the page itself is internal", (("GET", "/pages/404.html"), (404, "none"))),
        ("a named route keeps path and method", (("POST", "/down"), (502, "POST /down down\n"))),
        ("a method that files don't have", (("POST", "/files/here"), (200, "read only"))),
        ("a method that what is not there has not either", (("POST", "/files/x"), (404, "none"))),
        ("an answer with a text is no error", (("GET", "/told"), (404, "told\n"))),
        ("an endpoint's", (("GET", "/app/x"), (404, "none"))),
        ("an endpoint's that has no page", (("GET", "/raw/x"), (404, "/raw/x"))),
        ("the page's own status", (("GET", "/own"), (200, "own"))),
    ];
    each(rows, |((method, path), want)| {
        let answer = asked(&proxy, method, path, "");
        same((answer.status(), answer.text()), want)
    });
    let to = get(&proxy, "/denied");
    assert_eq!((to.status(), to.field("Location")), (302, Some("https://login.test/?from=/denied")));
    assert!(get(&proxy, "/plain").text().contains("404 Not Found"));
    assert_eq!(asked(&proxy, "GET", "/files/x", "If-None-Match: *\r\nRange: bytes=0-1\r\n").text(), "none");
    let records = proxy.wait_records(12).join("\n");
    assert!(records.contains("GET /files/x HTTP/1.1 404 /pages/404.html"), "{records}");
    assert!(records.contains("POST /files/here HTTP/1.1 200 /pages/405"), "{records}");
    // What can't be read as a request is answered with the default host's page; none is set for 400.
    assert_eq!(proxy.client().ask("GET / HTTP/1.1\r\n\r\n").status(), 400);
}

#[test]
fn files_are_tried_in_order() {
    let origin = Origin::echo();
    let yaml = r#"
workers: 1
listeners: { web: { bind: "@web@" } }
hosts:
  - default: true
    routes:
      - { path: /*, try_files: { files: [$uri, $uri/], else: /index.html }, static: "@dir@/www" }
      - { path: /strict/*, try_files: { files: [$uri], else: "=404" }, static: "@dir@/www" }
      - { path: /app/*, root: "@dir@/www", try_files: { files: [$uri], else: "@app" }, static: "@dir@/www" }
      - { path: /alias/*, try_files: { files: [$uri, /x.txt], else: "=404" }, static: { alias: "@dir@/www/app/" } }
      - { path: /dyn/*, root: "@dir@/www", try_files: { files: [/x.txt], else: "=404" }, respond: "$uri $request_filename" }
    named_routes:
      app: { proxy: app }
clusters: { app: { endpoints: ["@app@"] } }
"#;
    let proxy = Proxy::yaml(yaml)
        .with("app", origin.addr())
        .file("www/index.html", "home")
        .file("www/x.txt", "x")
        .file("www/app/here.txt", "here")
        .file("www/app/x.txt", "x of app")
        .file("www/docs/index.html", "docs")
        .start();
    let rows = [
        ("a file", ("/x.txt", (200, "x"))),
        ("a directory", ("/docs/", (200, "docs"))),
        ("neither", ("/none/at/all", (200, "home"))),
        ("a status", ("/strict/none", (404, ""))),
        ("before a named route", ("/app/here.txt", (200, "here"))),
        ("below an alias", ("/alias/here.txt", (200, "here"))),
        ("a constant below an alias", ("/alias/none", (200, "x of app"))),
    ];
    each(rows, |(path, (status, text))| {
        let answer = get(&proxy, path);
        let found = if status == 404 { "" } else { answer.text() };
        same((answer.status(), found), (status, text))
    });
    assert_eq!(get(&proxy, "/app/none?q=1").echoed().target(), "/app/none?q=1");
    let dynamic = get(&proxy, "/dyn/a");
    assert_eq!(dynamic.text(), format!("/x.txt {}/www/x.txt", proxy.dir().path().display()));
}

#[test]
fn an_endpoint_may_say_where_to_go() {
    let origin = Origin::serve(|request| {
        match request.target() {
        "/file" => b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /private/a%20b.txt\r\nContent-Type: x/y\r\nX-Own: 1\r\nSet-Cookie: c=1\r\nContent-Length: 4\r\n\r\nbody".to_vec(),
        "/name" => b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: @other\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "/climb" => b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /private/../../etc/passwd\r\nContent-Length: 0\r\n\r\n".to_vec(),
        "/circle" => b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /circle\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => ok("plain"),
    }
    });
    let yaml = r#"
workers: 1
listeners: { web: { bind: "@web@" } }
hosts:
  - default: true
    routes:
      - { path: /*, proxy: { cluster: app, accel_redirect: true } }
      - { path: /ignored/*, proxy: { cluster: app, replace_path: / } }
      - { path: /private/*, internal: true, static: { alias: "@dir@/private/" } }
    named_routes:
      other: { respond: "$request_method $uri" }
clusters: { app: { endpoints: ["@app@"] } }
"#;
    let proxy = Proxy::yaml(yaml).with("app", origin.addr()).file("private/a b.txt", "secret").start();
    let file = asked(&proxy, "POST", "/file", "Content-Length: 4\r\n\r\nmore");
    assert_eq!((file.status(), file.text()), (200, "secret"), "{file:?}");
    let told = ["Content-Type", "Set-Cookie", "X-Own", "X-Accel-Redirect"].map(|name| file.field(name));
    assert_eq!(told, [Some("x/y"), Some("c=1"), None, None]);
    assert_eq!(asked(&proxy, "POST", "/name", "Content-Length: 0\r\n").text(), "POST /name");
    assert_eq!(get(&proxy, "/climb").status(), 404);
    assert_eq!(get(&proxy, "/circle").status(), 500);
    assert_eq!(get(&proxy, "/private/a%20b.txt").status(), 404);
    assert!(get(&proxy, "/ignored/file").has("X-Accel-Redirect"));
    assert_eq!(get(&proxy, "/other").text(), "plain");
}

#[test]
fn redirects_of_our_own_may_be_absolute() {
    let yaml = r#"
workers: 1
listeners: { web: { bind: "@web@" } }
hosts:
  - names: [main.test]
    default: true
    own_redirects: { absolute: true }
    routes:
      - { path: /to, redirect: /there }
      - { path: /name, redirect: /there, own_redirects: { absolute: true, server_name: true, port: false } }
      - { path: /relative, redirect: /there, own_redirects: {} }
      - { path: /*, static: "@dir@/www" }
"#;
    let proxy = Proxy::yaml(yaml).file("www/docs/x", "").start();
    let port = proxy.addr("web").port();
    let rows = [
        ("the client's host", ("/to", format!("http://test:{port}/there"))),
        ("our name", ("/name", "http://main.test/there".to_owned())),
        ("as it is", ("/relative", "/there".to_owned())),
        ("a directory", ("/docs?a=b", format!("http://test:{port}/docs/?a=b"))),
    ];
    each(rows, |(path, want)| same(get(&proxy, path).field("Location").map(str::to_owned), Some(want)));
}

#[test]
fn a_connection_goes_on_behind_errors_and_their_pages() {
    let origin = Origin::serve(|request| match request.target() {
        "/fail" => b"HTTP/1.1 500 Oops\r\nContent-Length: 100000\r\n\r\n"
            .iter()
            .copied()
            .chain([b'x'; 100_000])
            .collect(),
        "/lead" => b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /a.txt\r\nContent-Length: 4\r\n\r\nbody".to_vec(),
        _ => ok("plain"),
    });
    let yaml = r#"
workers: 1
listeners: { web: { bind: "@web@" } }
hosts:
  - default: true
    error_pages: [{ on: [404], to: /none.html }, { on: [500], to: /a.txt }]
    routes:
      - { path: /*, static: "@dir@/www" }
      - { path: /fail, proxy: { cluster: app, intercept_errors: true } }
      - { path: /lead, proxy: { cluster: app, accel_redirect: true } }
      - { path: /app, proxy: app }
      - { path: /again, error_pages: [{ on: [500], to: "@again" }], proxy: { cluster: app, intercept_errors: true, replace_path: /fail } }
    named_routes: { again: { filters: [{ response_headers: { set: { X-Tried: $upstream_status } } }], proxy: app } }
clusters: { app: { endpoints: ["@app@"] } }
"#;
    let proxy = Proxy::yaml(yaml)
        .with("app", origin.addr())
        .file("www/a.txt", "a")
        .file("www/none.html", "none")
        .start();
    let mut client = proxy.client();
    let body = "x".repeat(50_000);
    let post = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    for _ in 0..2 {
        let mut ask = |request: &str| {
            let answer = client.ask(request);
            (answer.status(), answer.text().to_owned())
        };
        assert_eq!(ask(&post("/fail")), (500, "a".to_owned()));
        assert_eq!(ask(&post("/lead")), (200, "a".to_owned()));
        assert_eq!(ask("GET /gone HTTP/1.1\r\nHost: test\r\n\r\n"), (404, "none".to_owned()));
        assert_eq!(ask(&post("/app")), (200, "plain".to_owned()));
        assert_eq!(ask("HEAD /gone HTTP/1.1\r\nHost: test\r\n\r\n"), (404, String::new()));
    }
    let again = client.get("/again");
    assert_eq!((again.status(), again.field("X-Tried")), (500, Some("500 : 200")));
    let page = client.get("/gone");
    assert_eq!((page.has("Last-Modified"), page.has("Accept-Ranges")), (false, false));
}
