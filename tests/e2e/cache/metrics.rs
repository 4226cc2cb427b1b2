//! What a zone counts.

use super::support::{answering, cached, cached_in, metric, results};
use bifrons_testkit::{Origin, TempDir, wait_until};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn every_request_is_counted_by_what_became_of_it() {
    let calls = AtomicUsize::new(0);
    let origin = Origin::serve(move |request| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        let fields = match request.target() {
            _ if request.has("If-None-Match") => {
                return b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nCache-Control: max-age=60\r\n\r\n"
                    .to_vec();
            }
            "/error" if number > 0 && request.has("X-Fail") => {
                return b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_vec();
            }
            "/error" => "Cache-Control: max-age=60, stale-if-error=600\r\nAge: 120\r\n",
            "/valid" => "Cache-Control: max-age=60\r\nETag: \"a\"\r\nAge: 120\r\n",
            "/lasting" => "Cache-Control: max-age=60, stale-if-error=600\r\nAge: 120\r\n",
            _ => "Cache-Control: max-age=60\r\n",
        };
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok").into_bytes()
    });
    let proxy = cached(&origin, ", bypass: [$http_x_bypass]");
    let ask = |path: &str, field: &str| {
        proxy.client().ask(&format!("GET {path} HTTP/1.1\r\nHost: test\r\n{field}\r\n\r\n"));
    };
    for (path, field) in [
        ("/a", "A: miss"),
        ("/a", "A: hit"),
        ("/a", "X-Bypass: 1"),
        ("/valid", "A: miss"),
        ("/valid", "A: revalidated"),
        ("/error", "A: miss"),
        ("/error", "X-Fail: stale"),
        ("/lasting", "A: miss"),
        ("/lasting", "A: expired"),
    ] {
        ask(path, field);
    }
    let counted: Vec<(&str, u64)> = ["miss", "hit", "bypass", "revalidated", "stale", "expired"]
        .into_iter()
        .map(|result| (result, results(&proxy, result)))
        .collect();
    let expected = [("miss", 4), ("hit", 1), ("bypass", 1), ("revalidated", 1), ("stale", 1), ("expired", 1)];
    assert_eq!(counted, expected);
    let zone = |name: &str| metric(&proxy, &format!("bifrons_cache_{name}{{zone=\"main\"}}"));
    assert_eq!(zone("entries"), 4);
    assert!(zone("memory_bytes") > 4 * 100 && zone("stored_total") >= 4 && zone("memory_hits_total") >= 4);
    proxy
        .client_to("admin")
        .ask("POST /cache/purge HTTP/1.1\r\nHost: test\r\nContent-Length: 14\r\n\r\n{\"what\":\"all\"}");
    wait_until("they are swept", || zone("entries") == 0 && zone("purged_total") == 4);
}

#[test]
fn what_has_to_go_for_others_and_what_goes_through_the_disk_is_counted() {
    let body = "x".repeat(100_000);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (origin, dir) = (Origin::answering(answer), TempDir::new());
    let path = dir.path().join("zone");
    let zone = format!("{{ path: \"{}\", memory: 2m, memory_object: 200k, max_size: 8m }}", path.display());
    let proxy = cached_in(origin.addr(), &zone, "").start();
    let zone = |name: &str| metric(&proxy, &format!("bifrons_cache_{name}{{zone=\"main\"}}"));
    wait_until("the disk takes part", || zone("disk_ready") == 1);
    for number in 0..200 {
        proxy.client().get(&format!("/{number}"));
    }
    wait_until("the disk gave some up", || zone("disk_evictions_total") > 0);
    wait_until("all is written", || zone("waiting_bytes") == 0);
    assert!(zone("memory_evictions_total") > 100);
    assert!(zone("written_bytes_total") > 8 << 20 && zone("disk_bytes") <= 9 << 20, "{}", zone("disk_bytes"));
    for number in (0..200).rev() {
        proxy.client().get(&format!("/{number}"));
    }
    assert!(zone("disk_hits_total") > 0 && zone("read_bytes_total") > 100_000);
    assert_eq!((zone("read_errors_total"), zone("write_errors_total"), zone("corrupt_total")), (0, 0, 0));
}

#[test]
fn zones_are_counted_apart_and_one_that_nobody_uses_too() {
    let origin = answering("Cache-Control: max-age=60\r\n");
    let proxy = cached_in(origin.addr(), "{}, other: {}", "").start();
    proxy.client().get("/");
    let entries = |zone: &str| metric(&proxy, &format!("bifrons_cache_entries{{zone=\"{zone}\"}}"));
    assert_eq!((entries("main"), entries("other")), (1, 0));
}
