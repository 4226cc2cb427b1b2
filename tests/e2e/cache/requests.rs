//! A request's way through a route's cache, with an origin that counts.

use super::support::{answering, cached, status};
use bifrons_testkit::{Origin, Proxy, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[test]
fn rfc9111_4_what_is_fresh_is_answered_from_the_store_with_its_age() {
    let origin = answering("Cache-Control: max-age=60\r\n");
    let proxy = cached(&origin, "");
    let (first, second) = (proxy.client().get("/a"), proxy.client().get("/a"));
    assert_eq!((status(&first), status(&second)), ("MISS", "HIT"));
    assert_eq!(second.body, b"0123456789");
    assert!(
        second.has("Age") && second.field("Cache-Status").unwrap().starts_with("bifrons; hit; ttl="),
        "{second:?}"
    );
    assert_eq!(status(&proxy.client().get("/b")), "MISS");
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn rfc9111_3_what_must_not_be_stored_is_not() {
    for fields in [
        "Cache-Control: no-store\r\n",
        "Cache-Control: private, max-age=9\r\n",
        "Cache-Control: max-age=9\r\nSet-Cookie: a=b\r\n",
    ] {
        let origin = answering(fields);
        let proxy = cached(&origin, "");
        for _ in 0..2 {
            assert_eq!(status(&proxy.client().get("/")), "MISS", "{fields}");
        }
        assert_eq!(origin.requests().len(), 2, "{fields}");
    }
}

#[test]
fn rfc9111_4_3_4_a_304_renews_what_is_stored() {
    let origin = Origin::serve(|req| {
        match req.field("If-None-Match") {
        Some("\"a\"") => b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\nX: 2\r\n\r\n".to_vec(),
        _ => b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=0\r\nX: 1\r\nContent-Length: 2\r\n\r\nok".to_vec(),
    }
    });
    let proxy = cached(&origin, "");
    let answers: Vec<_> = (0..3).map(|_| proxy.client().get("/")).collect();
    assert_eq!(answers.iter().map(status).collect::<Vec<_>>(), ["MISS", "REVALIDATED", "HIT"]);
    assert_eq!((answers[1].field("X"), &*answers[2].body), (Some("2"), &b"ok"[..]));
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn rfc9111_4_3_2_and_rfc9110_14_conditions_and_ranges_are_answered_from_the_store() {
    let origin = answering("Cache-Control: max-age=60\r\nETag: \"a\"\r\n");
    let proxy = cached(&origin, "");
    proxy.client().get("/");
    let ask = |field: &str| proxy.client().ask(&format!("GET / HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n"));
    assert_eq!(ask("If-None-Match: W/\"a\"").status(), 304);
    let part = ask("Range: bytes=2-4");
    assert_eq!((part.status(), &*part.body), (206, &b"234"[..]));
    assert_eq!(part.field("Content-Range"), Some("bytes 2-4/10"));
    assert_eq!(ask("Range: bytes=10-").status(), 416);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn rfc9111_4_1_variants_are_told_apart() {
    let origin = answering("Cache-Control: max-age=60\r\nVary: Foo\r\n");
    let proxy = cached(&origin, "");
    let ask = |value: &str| {
        let answer = proxy.client().ask(&format!("GET / HTTP/1.1\r\nHost: test\r\nFoo: {value}\r\n\r\n"));
        status(&answer).to_owned()
    };
    assert_eq!([ask("1"), ask("2"), ask("1"), ask("2")], ["MISS", "MISS", "HIT", "HIT"]);
}

#[test]
fn rfc9111_4_4_unsafe_requests_forget_what_they_change() {
    let origin = Origin::serve(|req| {
        let location = if req.start.starts_with("POST") { "Location: /b\r\n" } else { "" };
        format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n{location}Content-Length: 2\r\n\r\nok")
            .into_bytes()
    });
    let proxy = cached(&origin, "");
    let get = |path: &str| status(&proxy.client().get(path)).to_owned();
    for path in ["/a", "/b", "/c"] {
        get(path);
    }
    proxy.client().ask("POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!([get("/a"), get("/b"), get("/c")], ["MISS", "MISS", "HIT"]);
}

#[test]
fn rfc9111_5_2_1_7_only_if_cached_is_answered_with_504() {
    let origin = answering("Cache-Control: max-age=60\r\n");
    let proxy = cached(&origin, "");
    let ask = || {
        proxy.client().ask("GET / HTTP/1.1\r\nHost: test\r\nCache-Control: only-if-cached\r\n\r\n").status()
    };
    assert_eq!(ask(), 504);
    proxy.client().get("/");
    assert_eq!(ask(), 200);
}

#[test]
fn rfc5861_4_a_stale_answer_stands_in_for_an_error() {
    let origin = Origin::numbered(|wire, number| {
        wire.read_request();
        let answer: &[u8] = match number {
            0 => b"HTTP/1.1 200 OK\r\nCache-Control: max-age=0, stale-if-error=60\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            _ => b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        };
        wire.send(answer);
    });
    let proxy = cached(&origin, "");
    assert_eq!(status(&proxy.client().get("/")), "MISS");
    let answer = proxy.client().get("/");
    assert_eq!((answer.status(), status(&answer), &*answer.body), (200, "STALE", &b"ok"[..]));
}

#[test]
fn requests_for_the_same_share_one() {
    const CLIENTS: usize = 8;
    let begun = Arc::new(AtomicUsize::new(0));
    let readers = begun.clone();
    // The second half comes when all have the first: nobody can have been late.
    let origin = Origin::script(move |wire| {
        while wire.read_request().is_some() {
            wire.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 4\r\n\r\nha");
            wait_until("all read", || readers.load(Relaxed) >= CLIENTS);
            wire.send("lf");
        }
    });
    let proxy = cached(&origin, "");
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = proxy.client();
                client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n").read_to(b"\r\n\r\nha");
                begun.fetch_add(1, Relaxed);
                assert_eq!(client.read_exact(2), b"lf");
            });
        }
    });
    let asked = origin.received_all();
    assert_eq!(asked.windows(6).filter(|six| six == b"GET / ").count(), 1);
}

#[test]
fn an_unknown_zone_is_a_mistake_with_its_place() {
    let (status, said) = Proxy::yaml(
        "listeners: { web: { bind: \"@web@\" } }\n\
         hosts: [{ routes: [{ path: /*, proxy: app, cache: { zone: mian } }] }]\n\
         clusters: { app: { endpoints: [\"127.0.0.1:1\"] } }\ncaches: { main: {} }\n",
    )
    .fail();
    assert!(
        !status.success()
            && said.contains("unknown cache \"mian\"")
            && said.contains("did you mean \"main\""),
        "{said}"
    );
}

#[test]
fn an_answer_too_large_to_be_stored_arrives_whole_for_all_who_ask() {
    let body: Vec<u8> = (0..3 << 20).map(|at: u32| (at % 251) as u8).collect();
    let head =
        format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {}\r\n\r\n", body.len());
    let whole = [head.into_bytes(), body.clone()].concat();
    let origin = Origin::serve(move |_| whole.clone());
    // Only in memory, where nothing has room that large.
    let proxy = cached(&origin, "");
    std::thread::scope(|scope| {
        let asking = || {
            let answer = proxy.client().get("/large");
            assert!(
                answer.status() == 200 && answer.body == body,
                "{} with {} bytes",
                answer.status(),
                answer.body.len()
            );
        };
        let all: Vec<_> = (0..8).map(|_| scope.spawn(asking)).collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn another_port_in_the_host_is_another_answer() {
    let origin = Origin::serve(|request| {
        let host = request.field("Host").unwrap_or("-").to_owned();
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {}\r\n\r\n{host}",
            host.len()
        )
        .into_bytes()
    });
    let proxy = cached(&origin, "");
    let ask = |host: &str| {
        let mut wire = proxy.client();
        wire.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).body
    };
    assert_eq!(ask("shop.example:1"), b"shop.example:1");
    assert_eq!(ask("shop.example"), b"shop.example");
    assert_eq!(ask("shop.example:80"), b"shop.example");
}
