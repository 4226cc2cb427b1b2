//! Request bodies that are collected before they are sent on.

use crate::support::{chunked, echoed, front_setup, pattern};
use bifrons_testkit::{Origin, Proxy};
use std::path::PathBuf;

const CHUNKED: &str = "POST /up HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A server of nginx.conf that proxies to that origin, with further directives.
fn nginx(origin: &Origin, directives: &str) -> Proxy {
    let config = format!(
        "http {{ server {{ listen @web@; location / {{ proxy_pass http://@app@; {directives} }} }} }}"
    );
    Proxy::nginx(&config).with("app", origin.addr()).file("spool/.keep", "").start()
}

/// Temporary files that the proxy has open, and the names in its directory.
fn files(proxy: &Proxy) -> (Vec<PathBuf>, Vec<String>) {
    let spool = proxy.dir().path().join("spool");
    let fds = std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).unwrap();
    let open =
        fds.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok()).filter(|at| at.starts_with(&spool));
    let names = std::fs::read_dir(&spool).unwrap().map(|file| file.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap()).filter(|name| name != ".keep");
    (open.collect(), names.collect())
}

#[test]
fn a_large_chunked_body_gets_a_length_for_an_http_1_0_endpoint() {
    let body = pattern(20 << 20);
    let origin = Origin::serve(|request| {
        let told = format!("{} {:?}", request.start, request.field("Content-Length"));
        format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{told}", told.len()).into_bytes()
    });
    let sent = chunked(CHUNKED, &body, 100_001, "0\r\n\r\n");
    let of_nginx = nginx(&origin, "client_max_body_size 0; client_body_temp_path @dir@/spool;");
    let own = front_setup(&[origin.addr()], "", "", "{ cluster: app, http_version: \"1.0\" }").start();
    for proxy in [&of_nginx, &own] {
        let mut client = proxy.client();
        let answer = client.send(&sent).read_response();
        assert_eq!(answer.text(), format!("POST /up HTTP/1.0 Some(\"{}\")", body.len()));
        // The connection is as good as before.
        assert_eq!(client.send(chunked(CHUNKED, b"short", 2, "0\r\n\r\n")).read_response().status(), 200);
    }
    let requests = origin.requests();
    assert!(requests[0].body == body && requests[2].body == body && !requests[0].has("Transfer-Encoding"));
    assert_eq!((requests[1].text(), requests.len()), ("short", 4));
    assert_eq!(files(&of_nginx), (vec![], vec![]), "the temporary file is gone");
}

#[test]
fn beyond_the_limit_a_body_is_refused_while_it_is_collected() {
    let origin = Origin::saying("never");
    let proxy = nginx(&origin, "client_max_body_size 1m; client_body_temp_path @dir@/spool;");
    let body = pattern(2 << 20);
    let mut client = proxy.client();
    // The answer comes before the body's end, and then the connection closes.
    let _ = client.try_send(chunked(CHUNKED, &body, 65_536, "0\r\n\r\n"));
    assert_eq!(client.read_response().status(), 413);
    assert_eq!((origin.connections(), files(&proxy)), (0, (vec![], vec![])));
}

#[test]
fn a_collected_body_goes_to_the_next_endpoint_when_the_first_breaks_off() {
    let body = pattern(5 << 20);
    // Takes a part of it and is gone.
    let broken = Origin::script(|wire| {
        wire.read_head();
        wire.read_exact(1 << 20);
        wire.reset();
    });
    let good = Origin::saying("got it");
    let refusing = bifrons_testkit::free_addr();
    for method in ["PUT", "POST"] {
        let proxy = Proxy::nginx(
            "http { upstream app { server @a@; server @b@; server @c@ backup; }\n\
             server { listen @web@; client_max_body_size 10m;\n\
             location / { proxy_pass http://app; proxy_next_upstream error timeout non_idempotent; } } }",
        )
        .with("a", refusing)
        .with("b", broken.addr())
        .with("c", good.addr())
        .start();
        let head = format!("{method} /up HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
        assert_eq!(proxy.client().send(head).send(&body).read_response().text(), "got it");
    }
    let requests = good.requests();
    assert!(requests.len() == 2 && requests.iter().all(|request| request.body == body));
    assert_eq!(broken.connections(), 2);
}

#[test]
fn no_endpoint_is_asked_before_the_body_is_whole() {
    let origin = Origin::echo();
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, request_buffering: on }").start();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_head().start, "HTTP/1.1 100 Continue");
    client.send("12345");
    assert_eq!(proxy.client().get("/other").status(), 200);
    assert_eq!(origin.requests().len(), 1);
    client.send("67890");
    let request = client.read_response().echoed();
    assert_eq!((request.text(), request.field("Content-Length")), ("1234567890", Some("10")));
    assert!(!request.has("Expect"));
}

#[test]
fn a_body_that_cannot_be_stored_is_an_error_of_ours_and_told_in_the_log() {
    let origin = Origin::echo();
    let proxy = nginx(&origin, "client_max_body_size 10m; client_body_temp_path @dir@/other;");
    std::fs::remove_dir(proxy.dir().path().join("other")).unwrap();
    let mut client = proxy.client();
    let large = pattern(1 << 20);
    let _ = client.try_send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", large.len()));
    let _ = client.try_send(&large);
    assert_eq!(client.read_response().status(), 500);
    proxy.wait_log("a request's body could not be buffered");
    assert!(proxy.stderr().contains("/other: No such file"), "{}", proxy.stderr());
    assert_eq!(origin.connections(), 0);
    // What needs no file goes on.
    echoed(&proxy, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
}

#[test]
fn a_file_with_a_name_is_there_for_the_endpoint_and_then_gone_or_kept() {
    for (mode, left) in [("clean", 0), ("on", 1)] {
        let origin = Origin::serve(|request| {
            let body = std::fs::read_to_string(request.field("X-File").unwrap()).unwrap();
            bifrons_testkit::origin::ok(&format!("{body} {:?}", request.text()))
        });
        let proxy = nginx(
            &origin,
            &format!(
                "client_body_in_file_only {mode}; client_body_temp_path @dir@/spool 1 2; \
                 proxy_set_header X-File $request_body_file; \
                 proxy_set_header Content-Length \"\"; proxy_pass_request_body off;"
            ),
        );
        let answer = proxy.client().ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(answer.text(), "hello \"\"", "{mode}");
        proxy.wait_records(1);
        let count = || {
            let found = std::process::Command::new("find")
                .args([proxy.dir().path().join("spool").to_str().unwrap(), "-name", "??????????"])
                .output();
            found.unwrap().stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty()).count()
        };
        bifrons_testkit::wait_until("the file is dealt with", || count() == left);
    }
}

#[test]
fn a_directory_of_no_use_is_told_at_the_start() {
    let config = "http { server { listen @web@; location / { proxy_pass http://127.0.0.1:1; \
                  client_body_temp_path @dir@/no/such; } } }";
    let (status, log) = Proxy::nginx(config).fail();
    assert!(!status.success() && log.contains("/no/such: No such file"), "{log}");
}
