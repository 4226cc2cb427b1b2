//! What one client says of itself must never become another's answer: fields beside the key, hosts, schemes, targets.

use super::support::{cached, routed, status};
use bifrons_testkit::{Message, Origin, Proxy, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// An origin that answers with all that it was told, good for a minute, with these fields.
fn telling(fields: &'static str) -> Origin {
    Origin::serve(move |request| {
        let told = format!("{request:?}");
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n";
        format!("{head}{fields}Content-Length: {}\r\n\r\n{told}", told.len()).into_bytes()
    })
}

fn ask(proxy: &Proxy, target: &str, fields: &str) -> Message {
    proxy.client().ask(&format!("GET {target} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"))
}

/// What the cache does with a request that says something bad, and with the one behind it that does not.
fn poisoned(proxy: &Proxy, target: &str, fields: &str) -> bool {
    ask(proxy, target, fields);
    ask(proxy, target, "").text().contains("evil")
}

#[test]
fn fields_that_name_another_method_or_path_keep_an_answer_from_being_stored() {
    let origin = telling("");
    let proxy = cached(&origin, "");
    for (at, name) in
        ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"]
            .into_iter()
            .enumerate()
    {
        let (target, field) = (format!("/{at}"), format!("{name}: evil\r\n"));
        assert!(!poisoned(&proxy, &target, &field), "{name}");
        let said = ask(&proxy, &format!("/new{at}"), &field);
        assert!(said.field("Cache-Status").is_some_and(|said| said.ends_with("detail=override")), "{said:?}");
    }
    // What is stored is given to whoever says such things.
    assert_eq!(status(&ask(&proxy, "/0", "X-HTTP-Method: evil\r\n")), "HIT");
}

#[test]
fn such_fields_may_be_in_the_key_or_in_vary_or_left_out_on_the_way() {
    let field = "X-Original-URL: evil\r\n";
    let twice = |proxy: &Proxy| [0, 1].map(|_| status(&ask(proxy, "/", field)).to_owned());
    let origin = telling("");
    let keyed = cached(&origin, ", key: { headers: [X-Original-URL] }");
    assert_eq!(twice(&keyed), ["MISS", "HIT"]);
    assert!(!poisoned(&keyed, "/", field));
    assert_eq!(twice(&cached(&origin, ", guard_overrides: false")), ["MISS", "HIT"]);
    let varies = telling("Vary: X-Original-URL\r\n");
    let proxy = cached(&varies, "");
    assert_eq!(twice(&proxy), ["MISS", "HIT"]);
    assert!(!poisoned(&proxy, "/", field));
}

#[test]
fn forwarding_fields_of_clients_are_in_no_stored_answer() {
    let fields = ["X-Forwarded-Host: evil\r\n", "X-Forwarded-Proto: evil\r\n", "Forwarded: host=evil\r\n"];
    for forwarded in ["", "proxy: { cluster: app, forwarded: [] }"] {
        let origin = telling("");
        let proxy = match forwarded {
            "" => cached(&origin, ""),
            _ => Proxy::yaml(
                "listeners: { web: { bind: \"@web@\" } }\n\
                 hosts: [{ routes: [{ path: /*, proxy: { cluster: app, forwarded: [] }, cache: { zone: main } }] }]\n\
                 clusters: { app: { endpoints: [\"@app@\"] } }\ncaches: { main: {} }\n",
            )
            .with("app", origin.addr())
            .start(),
        };
        for (at, field) in fields.into_iter().enumerate() {
            assert!(!poisoned(&proxy, &format!("/{at}"), field), "{forwarded:?} {field:?}");
        }
    }
}

/// A proxy that trusts whoever connects.
fn trusting(origin: &Origin) -> Proxy {
    Proxy::yaml(
        "listeners: { web: { bind: \"@web@\", client: { trusted: [127.0.0.1] } } }\n\
         hosts: [{ routes: [{ path: /*, proxy: app, cache: { zone: main, x_cache_status: true } }] }]\n\
         clusters: { app: { endpoints: [\"@app@\"] } }\ncaches: { main: {} }\n",
    )
    .with("app", origin.addr())
    .start()
}

#[test]
fn what_a_trusted_proxy_says_of_scheme_and_host_belongs_to_the_key() {
    let origin = telling("");
    let proxy = trusting(&origin);
    let get = |fields: &str| status(&ask(&proxy, "/", fields)).to_owned();
    assert_eq!(get("X-Forwarded-Proto: https\r\n"), "MISS");
    assert_eq!(get("X-Forwarded-Proto: http\r\n"), "MISS", "a redirect to https would be one for https too");
    assert_eq!(get(""), "HIT", "the connection is http");
    assert_eq!(get("X-Forwarded-Proto: HTTPS\r\n"), "HIT");
    assert_eq!(get("X-Forwarded-Host: a\r\n"), "MISS");
    assert_eq!(get("X-Forwarded-Host: b\r\n"), "MISS");
    assert_eq!(get("X-Forwarded-Host: A\r\n"), "HIT");
}

#[test]
fn rfc9111_4_1_an_answer_that_varies_by_what_the_proxy_says_of_clients_is_nobody_elses() {
    let origin = telling("Vary: X-Forwarded-For\r\n");
    let proxy = cached(&origin, "");
    assert_eq!([0, 1].map(|_| status(&ask(&proxy, "/", "")).to_owned()), ["MISS", "MISS"]);
    let origin = telling("Vary: X-Forwarded-Proto\r\n");
    let proxy = cached(&origin, "");
    assert_eq!([0, 1].map(|_| status(&ask(&proxy, "/", "")).to_owned()), ["MISS", "HIT"]);
}

#[test]
fn rfc9112_3_2_2_an_absolute_target_is_the_same_as_its_host_and_path() {
    let origin = telling("");
    let proxy = cached(&origin, "");
    assert_eq!(ask(&proxy, "http://evil/a", "").status(), 400, "Host says another");
    assert_eq!(status(&ask(&proxy, "http://test/a", "")), "MISS");
    let own = ask(&proxy, "/a", "");
    assert_eq!(status(&own), "HIT");
    assert!(!own.text().contains("evil"), "{own:?}");
}

#[test]
fn arguments_behind_a_semicolon_are_a_part_of_the_key() {
    let origin = telling("");
    let proxy = cached(&origin, ", key: { query: { deny: [utm_*] } }");
    assert!(!poisoned(&proxy, "/?a=1&utm_x=1", ""), "nothing bad");
    ask(&proxy, "/?a=1&utm_x=1;a=evil", "");
    assert!(!ask(&proxy, "/?a=1", "").text().contains("evil"));
    assert_eq!(status(&ask(&proxy, "/?a=1&utm_x=2", "")), "HIT");
}

#[test]
fn the_same_bytes_of_another_type_are_another_post() {
    let origin = telling("");
    let proxy = cached(&origin, ", post: true");
    let post = |kind: &str| {
        let answer = proxy.client().ask(&format!(
            "POST / HTTP/1.1\r\nHost: test\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\nhi"
        ));
        status(&answer).to_owned()
    };
    assert_eq!(["text/evil", "text/plain", "text/plain"].map(post), ["MISS", "MISS", "HIT"]);
}

#[test]
fn rfc9111_3_5_what_credentials_confirm_stays_for_others_as_it_was() {
    let origin = Origin::serve(|request| match request.has("If-None-Match") {
        true => b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\n\r\n".to_vec(),
        false => b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nCache-Control: max-age=0\r\nContent-Length: 2\r\n\r\nok"
            .to_vec(),
    });
    let proxy = cached(&origin, "");
    assert_eq!(status(&ask(&proxy, "/", "")), "MISS");
    let mine = ask(&proxy, "/", "Authorization: Basic eDp5\r\n");
    assert_eq!((status(&mine), mine.text()), ("REVALIDATED", "ok"));
    assert_eq!(status(&ask(&proxy, "/", "Cache-Control: no-store\r\n")), "REVALIDATED");
    // Neither renewed by them nor gone.
    assert_eq!(status(&ask(&proxy, "/", "")), "REVALIDATED");
    assert_eq!(status(&ask(&proxy, "/", "")), "HIT");
}

#[test]
fn ranges_of_what_is_not_stored_are_the_origins_to_answer() {
    let origin = Origin::serve(|request| {
        match request.field("Range") {
        Some(_) => b"HTTP/1.1 206 Partial Content\r\nCache-Control: no-store\r\nContent-Range: bytes 1-2/4\r\nContent-Length: 2\r\n\r\nbc".to_vec(),
        None => b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 4\r\n\r\nabcd".to_vec(),
    }
    });
    let proxy = cached(&origin, "");
    assert_eq!(ask(&proxy, "/", "").text(), "abcd");
    let part = ask(&proxy, "/", "Range: bytes=1-2\r\n");
    assert_eq!((part.status(), part.text()), (206, "bc"));
}

#[test]
fn a_client_that_wants_nothing_stored_does_not_send_all_that_wait_to_the_origin() {
    const OTHERS: usize = 6;
    let asked = Arc::new(AtomicUsize::new(0));
    let waiting = Arc::new(AtomicUsize::new(0));
    let origin = {
        let (asked, waiting) = (asked.clone(), waiting.clone());
        Origin::script(move |wire| {
            while wire.read_request().is_some() {
                if asked.fetch_add(1, SeqCst) == 0 {
                    wait_until("the others wait", || waiting.load(SeqCst) == OTHERS);
                }
                wire.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok");
            }
        })
    };
    let proxy = routed(origin.addr(), "{}", ", collapse_timeout: 60s, collapse_age: 60s", "").start();
    let mut first = proxy.client();
    first.send("GET / HTTP/1.1\r\nHost: test\r\nCache-Control: no-store\r\n\r\n");
    wait_until("the first is there", || asked.load(SeqCst) == 1);
    let mut others: Vec<_> = (0..OTHERS).map(|_| proxy.client()).collect();
    for other in &mut others {
        other.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    // Each has sent its request; whether it waits already or comes a moment later makes no difference to the count.
    waiting.store(OTHERS, SeqCst);
    assert_eq!(first.read_response().text(), "ok");
    for other in &mut others {
        assert_eq!(other.read_response().text(), "ok");
    }
    assert_eq!(asked.load(SeqCst), 2);
}
