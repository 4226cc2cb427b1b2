//! Requests that take stored answers away, and further settings of a route's cache.

use bifrons_testkit::{Message, Origin, Proxy, TempDir};

fn origin() -> Origin {
    Origin::serve(|request| {
        let body = if request.body.is_empty() { b"hello".to_vec() } else { request.body.clone() };
        let head =
            format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), &body].concat()
    })
}

fn yaml(origin: &Origin, cache: &str) -> Proxy {
    Proxy::yaml(&format!(
        "listeners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ routes: [{{ path: /*, proxy: app, cache: {{ zone: main, x_cache_status: true, {cache} }} }}] }}]\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         caches: {{ main: {{}} }}\n"
    ))
    .with("app", origin.addr())
    .start()
}

fn ask(proxy: &Proxy, method: &str, path: &str) -> Message {
    proxy.client().ask(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n"))
}

fn get(proxy: &Proxy, path: &str) -> String {
    ask(proxy, "GET", path).field("X-Cache-Status").unwrap_or("none").to_owned()
}

#[test]
fn the_method_purge_takes_away_what_is_under_its_key() {
    let origin = origin();
    let proxy = yaml(&origin, "purge: { allow: [127.0.0.0/8] }");
    for path in ["/a", "/a?x", "/static/a", "/static/b", "/other"] {
        get(&proxy, path);
    }
    assert_eq!(ask(&proxy, "PURGE", "/a").status(), 204);
    assert_eq!(ask(&proxy, "PURGE", "/a").status(), 404, "it is gone");
    assert_eq!(["/a", "/a?x", "/other"].map(|path| get(&proxy, path)), ["MISS", "HIT", "HIT"]);
    assert_eq!(ask(&proxy, "PURGE", "/static/*").status(), 204);
    assert_eq!(["/static/a", "/static/b", "/other"].map(|path| get(&proxy, path)), ["MISS", "MISS", "HIT"]);
    assert!(origin.requests().iter().all(|request| request.method() == "GET"), "none goes to the origin");
}

#[test]
fn a_purge_may_leave_what_is_outdated() {
    let origin = origin();
    let proxy = yaml(&origin, "use_stale: [updating], purge: { allow: [127.0.0.0/8], soft: true }");
    get(&proxy, "/a");
    assert_eq!(ask(&proxy, "PURGE", "/a").status(), 204);
    assert_eq!(get(&proxy, "/a"), "STALE");
}

#[test]
fn who_may_not_purge_is_refused() {
    let origin = origin();
    let proxy = yaml(&origin, "purge: { allow: [192.0.2.0/24] }");
    get(&proxy, "/a");
    assert_eq!(ask(&proxy, "PURGE", "/a").status(), 403);
    assert_eq!(get(&proxy, "/a"), "HIT");
    let (status, said) = Proxy::yaml(
        "listeners: { web: { bind: \"@web@\" } }\n\
         hosts: [{ routes: [{ path: /*, proxy: app, cache: { zone: main, purge: {} } }] }]\n\
         clusters: { app: { endpoints: [\"127.0.0.1:1\"] } }\ncaches: { main: {} }\n",
    )
    .fail();
    assert!(!status.success() && said.contains("nobody may purge"), "{said}");
}

#[test]
fn a_post_is_stored_where_it_is_asked_for_by_its_body() {
    let origin = origin();
    let proxy = yaml(&origin, "post: true");
    let post = |body: &str| {
        let head = format!("POST /q HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answer = proxy.client().ask(&head);
        assert_eq!(answer.text(), body);
        answer.field("X-Cache-Status").unwrap_or("none").to_owned()
    };
    assert_eq!([post("one"), post("two"), post("one"), post("two")], ["MISS", "MISS", "HIT", "HIT"]);
    assert_eq!(get(&proxy, "/q"), "MISS", "a GET is another request");
    let large = "x".repeat(20_000);
    assert_eq!([post(&large), post(&large)], ["none", "none"], "too large to be a key");
}

#[test]
fn conditions_of_nginx_purge_and_methods_store() {
    let (origin, dir) = (origin(), TempDir::new());
    let conf = "http {
        proxy_cache_path @dir@ keys_zone=z:1m purger=on purger_files=10 purger_sleep=50ms purger_threshold=50ms;
        map $request_method $purge_method { PURGE 1; default 0; }
        add_header X-Cache-Status $upstream_cache_status;
        server {
            listen @web@;
            proxy_cache z;
            proxy_cache_valid 1h;
            proxy_cache_purge $purge_method;
            location / { proxy_pass http://@app@; proxy_cache_key $host$uri$is_args$args; }
            location /q { proxy_pass http://@app@; proxy_cache_methods POST; proxy_cache_key $uri$request_body; }
        }
    }";
    let proxy =
        Proxy::nginx(conf).with("app", origin.addr()).with("dir", dir.path().join("cache").display()).start();
    for path in ["/a/1", "/a/2", "/b"] {
        assert_eq!([get(&proxy, path), get(&proxy, path)], ["MISS", "HIT"]);
    }
    assert_eq!(ask(&proxy, "PURGE", "/b").status(), 204);
    assert_eq!(ask(&proxy, "PURGE", "/none").status(), 404);
    assert_eq!(ask(&proxy, "PURGE", "/a/*").status(), 204);
    assert_eq!(["/a/1", "/a/2", "/b"].map(|path| get(&proxy, path)), ["MISS", "MISS", "MISS"]);
    let post = |body: &str| {
        let head = format!("POST /q HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        proxy.client().ask(&head).field("X-Cache-Status").unwrap_or("none").to_owned()
    };
    assert_eq!([post("one"), post("two"), post("one")], ["MISS", "MISS", "HIT"]);
}
