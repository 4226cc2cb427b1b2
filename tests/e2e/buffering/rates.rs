//! Answers no faster than so many bytes a second. Only that they are not faster is held to a time.

use crate::support::pattern;
use bifrons_testkit::{Origin, Proxy};
use std::time::{Duration, Instant};

fn nginx(origin: &Origin, directives: &str) -> Proxy {
    let config = format!(
        "http {{ server {{ listen @web@; root @dir@; location /app {{ proxy_pass http://@app@; {directives} }}\n\
         location /file {{ {directives} }} }} }}"
    );
    Proxy::nginx(&config).with("app", origin.addr()).file("file", pattern(90_000)).start()
}

/// 90,000 bytes, with the field that the query names.
fn origin() -> Origin {
    Origin::serve(|request| {
        let rate = request.target().split_once('?').map_or("", |(_, value)| value);
        let field = if rate.is_empty() { String::new() } else { format!("X-Accel-Limit-Rate: {rate}\r\n") };
        let head = format!("HTTP/1.1 200 OK\r\n{field}Content-Length: 90000\r\n\r\n");
        [head.as_bytes(), &pattern(90_000)].concat()
    })
}

/// How long the whole body took, which must be right.
fn time_of(proxy: &Proxy, path: &str) -> Duration {
    let began = Instant::now();
    let answer = proxy.client().get(path);
    assert!(answer.body == pattern(90_000), "{path}: {:?}", answer.start);
    assert!(!answer.has("X-Accel-Limit-Rate"));
    began.elapsed()
}

/// At 40 kB/s, the first of them at once, 90 kB take 1.25 s; 20 kB/s more and it would be half of that.
const SLOW: Duration = Duration::from_millis(1100);

#[test]
fn answers_keep_to_their_rate_wherever_they_come_from() {
    let origin = origin();
    let proxy = nginx(&origin, "limit_rate 40000;");
    for path in ["/app", "/file"] {
        let took = time_of(&proxy, path);
        assert!(took > SLOW, "{path}: {took:?}");
    }
    // An answer may take the limit away.
    assert!(time_of(&proxy, "/app?0") < SLOW);
}

#[test]
fn a_rate_may_come_with_the_answer_or_with_the_request() {
    let origin = origin();
    let proxy = nginx(&origin, "");
    assert!(time_of(&proxy, "/app?40000") > SLOW);
    assert!(time_of(&proxy, "/app") < SLOW);
    // What a rule sets goes before what the location says.
    let proxy = nginx(&origin, "limit_rate 1m; if ($arg_slow) { set $limit_rate 40000; }");
    assert!(time_of(&proxy, "/file?slow=1") > SLOW);
    assert!(time_of(&proxy, "/file") < SLOW);
    let proxy = nginx(&origin, "proxy_ignore_headers X-Accel-Limit-Rate; limit_rate $http_x_rate;");
    let mut client = proxy.client();
    let began = Instant::now();
    client.ask("GET /app?1 HTTP/1.1\r\nHost: test\r\nX-Rate: 40000\r\n\r\n");
    assert!(began.elapsed() > SLOW);
    let began = Instant::now();
    client.ask("GET /app?1 HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(began.elapsed() < SLOW);
}

#[test]
fn what_goes_before_the_limit_goes_at_once() {
    let origin = origin();
    let proxy = nginx(&origin, "limit_rate 1; limit_rate_after 90k;");
    assert!(time_of(&proxy, "/app") < SLOW && time_of(&proxy, "/file") < SLOW);
}

#[test]
fn an_answer_is_read_no_faster_than_its_rate() {
    let origin = origin();
    assert!(time_of(&nginx(&origin, "proxy_limit_rate 40000;"), "/app") > SLOW);
    assert!(time_of(&nginx(&origin, "proxy_limit_rate 40000; proxy_buffering off;"), "/app") < SLOW);
}

#[test]
fn a_route_of_our_own_has_a_bandwidth() {
    let origin = origin();
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\" } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n\
         hosts:\n  - default: true\n    routes:\n      - { path: /app, bandwidth: 40000b, proxy: app }\n      \
         - { path: /free, bandwidth: { rate: 1k, after: 1m }, proxy: app }\n",
    )
    .with("app", origin.addr())
    .start();
    assert!(time_of(&proxy, "/app") > SLOW);
    assert!(time_of(&proxy, "/free") < SLOW);
}
