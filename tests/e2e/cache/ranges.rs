//! Ranges of stored answers, of those that still arrive, and large files in slices.

use super::support::{cached, status};
use bifrons_testkit::{Message, Origin, Proxy, wait_until};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// 10,000 bytes, of which each place is known.
fn whole() -> Vec<u8> {
    (0..10_000u32).map(|at| (at % 251) as u8).collect()
}

fn ask(proxy: &Proxy, fields: &str) -> Message {
    proxy.client().ask(&format!("GET /file HTTP/1.1\r\nHost: test\r\n{fields}\r\n"))
}

/// Answers ranges of a file as servers do; `version` is its tag. Ranges that were asked for are written down.
fn ranged(version: Arc<AtomicUsize>, asked: Arc<Mutex<Vec<String>>>) -> Origin {
    Origin::serve(move |request| {
        let body = whole();
        let tag = format!("ETag: \"{}\"\r\nCache-Control: max-age=60\r\n", version.load(Relaxed));
        let range = request.field("Range").unwrap_or("none").to_owned();
        asked.lock().unwrap().push(range.clone());
        let ends = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        let Some((first, last)) = ends else {
            let head = format!("HTTP/1.1 200 OK\r\n{tag}Content-Length: {}\r\n\r\n", body.len());
            return [head.as_bytes(), &body].concat();
        };
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        if first >= body.len() {
            return b"HTTP/1.1 416 No\r\nContent-Range: bytes */10000\r\nContent-Length: 0\r\n\r\n".to_vec();
        }
        let part = &body[first..(last + 1).min(body.len())];
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\n{tag}Content-Range: bytes {first}-{}/{}\r\nContent-Length: {}\r\n\r\n",
            first + part.len() - 1,
            body.len(),
            part.len()
        );
        [head.as_bytes(), part].concat()
    })
}

fn sliced(cache: &str) -> (Origin, Proxy, Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>) {
    let (version, asked) = (Arc::new(AtomicUsize::new(1)), Arc::default());
    let origin = ranged(version.clone(), Arc::clone(&asked));
    let proxy = cached(&origin, &format!(", slice: 4k{cache}"));
    (origin, proxy, version, asked)
}

#[test]
fn rfc9110_15_3_7_2_several_ranges_come_as_multipart() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\n0123456789",
    );
    let proxy = cached(&origin, "");
    ask(&proxy, "");
    let answer = ask(&proxy, "Range: bytes=0-1,-2\r\n");
    assert_eq!((answer.status(), status(&answer)), (206, "HIT"));
    let media_type = answer.field("Content-Type").unwrap();
    let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert_eq!(
        answer.text(),
        format!(
            "\r\n--{boundary}\r\nContent-Type: text/x\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
             \r\n--{boundary}\r\nContent-Type: text/x\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--{boundary}--\r\n"
        )
    );
    // More than the whole: the whole.
    assert_eq!(ask(&proxy, "Range: bytes=0-9,0-9\r\n").status(), 200);
    assert_eq!(ask(&proxy, "Range: bytes=10-,20-\r\n").status(), 416);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_range_of_an_answer_that_still_arrives_does_not_wait_for_its_end() {
    let gate = Arc::new(AtomicUsize::new(0));
    let opened = gate.clone();
    let origin = Origin::script(move |wire| {
        while wire.read_request().is_some() {
            wire.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\n01234");
            wait_until("the first part was read", || opened.load(Relaxed) > 0);
            wire.send("56789");
        }
    });
    let proxy = cached(&origin, "");
    let mut whole = proxy.client();
    whole.send("GET /file HTTP/1.1\r\nHost: test\r\n\r\n").read_to(b"\r\n\r\n01234");
    let early = ask(&proxy, "Range: bytes=1-3\r\n");
    assert_eq!((early.status(), &*early.body), (206, &b"123"[..]));
    let mut several = proxy.client();
    several
        .send("GET /file HTTP/1.1\r\nHost: test\r\nRange: bytes=0-0,9-9\r\n\r\n")
        .read_to(b"\r\n\r\n0\r\n");
    gate.store(1, Relaxed);
    several.read_to(b"bytes 9-9/10\r\n\r\n9\r\n");
    assert_eq!(whole.read_exact(5), b"56789");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn rfc9111_3_4_a_large_answer_is_asked_for_and_stored_in_slices() {
    let (_origin, proxy, _, asked) = sliced("");
    let said = || std::mem::take(&mut *asked.lock().unwrap());
    // A part of the second slice.
    let part = ask(&proxy, "Range: bytes=5000-5009\r\n");
    assert_eq!((part.status(), status(&part), &*part.body), (206, "MISS", &whole()[5000..5010]));
    assert_eq!(part.field("Content-Range"), Some("bytes 5000-5009/10000"));
    assert_eq!(said(), ["bytes=4096-8191"]);
    // The whole of it is there by one more for each of the others.
    let all = ask(&proxy, "");
    assert_eq!((all.status(), all.body == whole(), all.has("Content-Range")), (200, true, false));
    assert_eq!(all.field("Content-Length"), Some("10000"));
    assert_eq!(said(), ["bytes=0-4095", "bytes=8192-12287"]);
    // All of these come from the store.
    for (fields, expected) in [
        ("Range: bytes=-5\r\n", Some(9995..10_000)),
        ("Range: bytes=4000-8200\r\n", Some(4000..8201)),
        ("Range: bytes=9000-\r\nIf-Range: \"1\"\r\n", Some(9000..10_000)),
        ("Range: bytes=9000-\r\nIf-Range: \"2\"\r\n", None),
        ("Range: bytes=0-1,9000-9001\r\n", None),
        ("", None),
    ] {
        let answer = ask(&proxy, fields);
        let part = expected.clone().unwrap_or(0..10_000);
        assert_eq!(answer.status(), if expected.is_some() { 206 } else { 200 }, "{fields}");
        assert!(answer.body == whole()[part], "{fields}");
    }
    assert_eq!(ask(&proxy, "If-None-Match: \"1\"\r\n").status(), 304);
    assert_eq!(said(), [""; 0]);
    assert_eq!(ask(&proxy, "Range: bytes=20000-\r\n").status(), 416);
}

#[test]
fn slices_of_two_versions_are_not_put_together() {
    let (_origin, proxy, version, asked) = sliced("");
    assert_eq!(ask(&proxy, "Range: bytes=0-9\r\n").status(), 206);
    version.store(2, Relaxed);
    // The second slice is of another version than the first one, which is stored.
    let mut client = proxy.client();
    client.send("GET /file HTTP/1.1\r\nHost: test\r\n\r\n");
    let cut = client.read_cut_response();
    assert!(
        cut.message.is_some_and(|message| message.body.len() <= 4096),
        "it ends before the other version"
    );
    // Both were forgotten.
    asked.lock().unwrap().clear();
    let all = ask(&proxy, "");
    assert!(
        all.status() == 200 && all.body == whole() && all.field("ETag") == Some("\"2\""),
        "{:?}",
        all.start
    );
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[test]
fn an_origin_without_ranges_is_stored_whole() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\n0123456789",
    );
    let proxy = cached(&origin, ", slice: 4k");
    assert_eq!([status(&ask(&proxy, "")), status(&ask(&proxy, ""))], ["MISS", "HIT"]);
    let part = ask(&proxy, "Range: bytes=2-3\r\n");
    assert_eq!((part.status(), status(&part), &*part.body), (206, "HIT", &b"23"[..]));
}

#[test]
fn a_change_and_a_purge_take_all_slices_away() {
    let (origin, proxy, _, _) = sliced(", purge: { allow: [127.0.0.0/8] }");
    let count = || origin.requests().len();
    let fill = || assert!(ask(&proxy, "").body == whole());
    fill();
    fill();
    assert_eq!(count(), 3);
    let purge = proxy.client().ask("PURGE /file HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(purge.status(), 204);
    fill();
    assert_eq!(count(), 6);
    proxy.client().ask("DELETE /file HTTP/1.1\r\nHost: test\r\n\r\n");
    fill();
    assert_eq!(count(), 10);
}
