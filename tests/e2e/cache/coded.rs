//! Compression beside a cache: what it makes is stored, and what comes slowly goes on at once.

use super::support::{Gate, metric, routed};
use bifrons_testkit::{Message, Origin, Proxy, TempDir, wait_until};
use std::io::Write;
use std::process::{Command, Stdio};

const HITS: &str = "bifrons_cache_coded_hits_total{zone=\"main\"}";

/// Text that can be compressed, and tells where it is from.
fn text(of: &str) -> String {
    (0..800).map(|line| format!("{of}: this is line {line} of it\n")).collect()
}

/// An origin whose text depends on the target, for a minute.
fn origin() -> Origin {
    Origin::serve(|request| {
        let body = text(request.target());
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/plain\r\nETag: \"a\"\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    })
}

/// A proxy with these filters before its cache.
fn compressing(origin: &Origin, zone: &str, filters: &str) -> Proxy {
    routed(origin.addr(), zone, "", &format!("filters: [{{ {filters} }}]")).start()
}

fn ask(proxy: &Proxy, path: &str, coding: &str) -> Message {
    proxy.client().ask(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nAccept-Encoding: {coding}\r\n\r\n"))
}

/// What a program that knows the coding makes of the body; `None` where it isn't installed.
fn decoded(answer: &Message) -> Option<Vec<u8>> {
    let program = match answer.field("Content-Encoding") {
        None => return Some(answer.body.clone()),
        Some("br") => "brotli",
        Some(other) => other,
    };
    let child = Command::new(program).arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("SKIPPED: {program} is not installed");
        return None;
    };
    let (mut stdin, body) = (child.stdin.take().unwrap(), answer.body.clone());
    let writer = std::thread::spawn(move || stdin.write_all(&body).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program} can't read {answer:?}");
    Some(output.stdout)
}

#[track_caller]
fn check(answer: &Message, coding: Option<&str>, body: &str) {
    assert_eq!((answer.status(), answer.field("Content-Encoding")), (200, coding), "{:?}", answer.fields);
    assert!(
        decoded(answer).is_none_or(|plain| plain == body.as_bytes()),
        "another body: {:?}",
        answer.fields
    );
}

#[test]
fn each_coding_is_made_once_and_stored() {
    let origin = origin();
    let proxy = compressing(&origin, "{}", "compress: {}");
    let mut hits = 0;
    for (coding, name) in [("gzip", "gzip"), ("br", "br"), ("zstd", "zstd")] {
        let first = ask(&proxy, "/", coding);
        check(&first, Some(name), &text("/"));
        assert_eq!((first.field("ETag"), first.field("Vary")), (Some("W/\"a\""), Some("Accept-Encoding")));
        assert_eq!(metric(&proxy, HITS), hits, "nothing is there yet");
        for _ in 0..2 {
            let next = ask(&proxy, "/", coding);
            check(&next, Some(name), &text("/"));
            assert!(next.body == first.body, "it was compressed again");
            assert_eq!((next.field("ETag"), next.field("Vary")), (Some("W/\"a\""), Some("Accept-Encoding")));
            assert_eq!(next.field("Content-Length"), Some(&*first.body.len().to_string()));
            hits += 1;
        }
        assert_eq!(metric(&proxy, HITS), hits);
    }
    check(&ask(&proxy, "/", "identity"), None, &text("/"));
    let stored = proxy.client_to("admin").get("/cache?url=test/").text().to_owned();
    for coding in ["gzip", "br", "zstd"] {
        assert!(stored.contains(&format!("coded: {coding} ")), "{stored}");
    }
    assert_eq!((origin.requests().len(), metric(&proxy, HITS)), (1, hits));
}

#[test]
fn it_belongs_to_the_answer_it_was_made_of() {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::serve(move |request| {
        let number = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if request.field("If-None-Match") == Some("\"1\"") {
            return b"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\n\r\n".to_vec();
        }
        let (body, age) = (text(&number.to_string()), if number == 1 { "Age: 120\r\n" } else { "" });
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/plain\r\nETag: \"{number}\"\r\n{age}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    });
    let proxy = compressing(&origin, "{}", "compress: {}");
    check(&ask(&proxy, "/", "gzip"), Some("gzip"), &text("0"));
    proxy.client().ask("DELETE / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    // A new body, which the origin confirms later.
    for _ in 0..2 {
        check(&ask(&proxy, "/", "gzip"), Some("gzip"), &text("2"));
    }
    assert_eq!(metric(&proxy, HITS), 1);
}

#[test]
fn a_body_that_a_filter_changes_is_compressed_as_it_becomes() {
    let origin = origin();
    let filters = "compress: {} }, { replace_body: { from: line, to: row, types: [text/plain] }";
    let proxy = compressing(&origin, "{}", filters);
    for _ in 0..2 {
        check(&ask(&proxy, "/", "gzip"), Some("gzip"), &text("/").replace("line", "row"));
    }
    assert_eq!(metric(&proxy, HITS), 0);
}

#[test]
fn it_is_read_from_disk_after_a_restart() {
    let (origin, dir) = (origin(), TempDir::new());
    let zone = format!("{{ path: \"{}\" }}", dir.path().join("zone").display());
    let mut proxy = compressing(&origin, &zone, "compress: {}");
    wait_until("the disk takes part", || metric(&proxy, "bifrons_cache_disk_ready{zone=\"main\"}") == 1);
    check(&ask(&proxy, "/", "gzip"), Some("gzip"), &text("/"));
    wait_until("it is written", || metric(&proxy, "bifrons_cache_waiting_bytes{zone=\"main\"}") == 0);
    proxy.signal("TERM");
    proxy.wait_exit();
    let proxy = compressing(&origin, &zone, "compress: {}");
    wait_until("it is found", || {
        check(&ask(&proxy, "/", "gzip"), Some("gzip"), &text("/"));
        metric(&proxy, HITS) > 0
    });
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn what_the_origin_has_compressed_is_stored_as_it_is() {
    let origin = Origin::serve(|request| {
        let coding =
            if request.field("Accept-Encoding") == Some("gzip") { "Content-Encoding: gzip\r\n" } else { "" };
        format!(
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Type: text/plain\r\nVary: Accept-Encoding\r\n{coding}\
             ETag: \"a{}\"\r\nContent-Length: 2\r\n\r\nok",
            coding.len()
        )
        .into_bytes()
    });
    let proxy = compressing(&origin, "{}", "compress: { size_min: 1 }");
    for _ in 0..2 {
        let answer = ask(&proxy, "/", "gzip");
        assert_eq!((answer.field("Content-Encoding"), answer.text()), (Some("gzip"), "ok"));
        assert_eq!((answer.field("ETag"), answer.field("Vary")), (Some("\"a24\""), Some("Accept-Encoding")));
        assert_eq!(ask(&proxy, "/", "identity").field("Content-Encoding"), None);
    }
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn an_event_stream_that_pauses_goes_on_compressed() {
    for coding in ["gzip", "br", "zstd"] {
        let gate = Gate::default();
        let origin = {
            let gate = gate.clone();
            Origin::script(move |wire| {
                wire.read_request();
                wire.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
                     d\r\ndata: first\n\n\r\n",
                );
                gate.pass();
                wire.send("e\r\ndata: second\n\n\r\n0\r\n\r\n");
            })
        };
        let proxy = compressing(&origin, "{}", "compress: { types: [text/event-stream] }");
        let mut client = proxy.client();
        client.send(format!("GET / HTTP/1.1\r\nHost: test\r\nAccept-Encoding: {coding}\r\n\r\n"));
        assert_eq!(client.read_head().field("Content-Encoding"), Some(coding));
        // The first event can be read while the second is not there.
        let encoding = bifrons_http::Encoding::named(coding.as_bytes()).unwrap();
        let mut decoder = bifrons_codec::Decoder::new(encoding).unwrap();
        let mut plain = Vec::with_capacity(1024);
        let mut coded = Vec::new();
        while plain != b"data: first\n\n" {
            let size = client.read_to(b"\r\n");
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
            let piece = client.read_exact(size);
            client.read_exact(2);
            decoder.read(&piece, &mut plain).unwrap();
            coded.extend(piece);
        }
        gate.open();
        loop {
            let size = client.read_to(b"\r\n");
            let size = usize::from_str_radix(std::str::from_utf8(&size).unwrap().trim(), 16).unwrap();
            coded.extend(client.read_exact(size));
            client.read_exact(2);
            if size == 0 {
                break;
            }
        }
        let whole = Message {
            fields: vec![("Content-Encoding".to_owned(), coding.to_owned())],
            body: coded,
            ..Message::default()
        };
        assert!(decoded(&whole).is_none_or(|plain| plain == b"data: first\n\ndata: second\n\n"));
    }
}
