//! Answers that are held back for a slow client, so that the endpoint is free.

use crate::support::{chunked, pattern};
use bifrons_testkit::{Origin, Proxy, Wire, wait_until};

const LEN: usize = 24 << 20;

/// Two endpoints' worth of work for one that takes one request at a time.
fn nginx(origin: &Origin, directives: &str) -> Proxy {
    let config = format!(
        "worker_processes 1; http {{ upstream app {{ server @app@ max_conns=1; keepalive 4; }}\n\
         server {{ listen @web@; location / {{ proxy_pass http://app; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_temp_path @dir@/spool; {directives} }} }} }}"
    );
    Proxy::nginx(&config).with("app", origin.addr()).file("spool/.keep", "").start()
}

/// `/long` is a body of 24 MiB in the form that its path says, everything else is short.
fn origin(body: &[u8]) -> Origin {
    let body = body.to_vec();
    Origin::serve(move |request| {
        let accel = match request.target().split_once('?') {
            Some((_, value)) => format!("X-Accel-Buffering: {value}\r\nX-Accel-Expires: 1\r\n"),
            None => String::new(),
        };
        match request.target() {
            at if at.starts_with("/length") => {
                let head = format!("HTTP/1.1 200 OK\r\n{accel}Content-Length: {}\r\n\r\n", body.len());
                [head.as_bytes(), &body].concat()
            }
            at if at.starts_with("/chunks") => {
                let head = format!("HTTP/1.1 200 OK\r\n{accel}Transfer-Encoding: chunked\r\n\r\n");
                chunked(&head, &body, 30_011, "0\r\nX-Sum: 1\r\n\r\n")
            }
            _ => bifrons_testkit::origin::ok("short"),
        }
    })
}

/// A client that asks and then reads nothing.
fn slow(proxy: &Proxy, path: &str) -> Wire {
    let mut client = Wire::connect_narrow(proxy.addr("web"));
    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
    client
}

fn status(proxy: &Proxy) -> u16 {
    proxy.client().get("/short").status()
}

/// Bytes of memory the proxy has, without files.
fn resident(proxy: &Proxy) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let line = text.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Temporary files that the proxy has open.
fn open_files(proxy: &Proxy) -> usize {
    let spool = proxy.dir().path().join("spool");
    let fds = std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).unwrap();
    fds.filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok()).filter(|at| at.starts_with(&spool)).count()
}

#[test]
fn a_slow_client_does_not_hold_the_endpoint() {
    let body = pattern(4 * LEN);
    let origin = origin(&body);
    let proxy = nginx(&origin, "");
    let before = resident(&proxy);
    for path in ["/length", "/chunks"] {
        let mut client = slow(&proxy, path);
        // It takes one request at a time: that it takes another shows that it is done with the first.
        wait_until("the endpoint is free", || status(&proxy) == 200);
        assert_eq!((origin.connections(), open_files(&proxy)), (1, 1), "{path}");
        let grown = resident(&proxy).saturating_sub(before);
        // What allocators keep, some 35 MiB at times, does not grow with the body: three quarters of it are more.
        assert!(grown < body.len() * 3 / 4, "{path}: {grown} bytes in memory");
        let answer = client.read_response();
        assert!(answer.body == body, "{path}: {} bytes", answer.body.len());
        // nginx passes trailer fields on only when told to.
        assert_eq!(answer.trailers, []);
        wait_until("the file is gone", || open_files(&proxy) == 0);
        assert_eq!(client.get("/short").text(), "short");
    }
}

#[test]
fn beyond_memory_and_file_the_endpoint_waits() {
    let body = pattern(LEN);
    let rows = [
        ("proxy_max_temp_file_size 0;", "/length", 0),
        ("proxy_max_temp_file_size 1m;", "/chunks", 1),
        ("proxy_buffering off;", "/length", 0),
        ("", "/length?no", 0),
        ("proxy_buffering off;", "/chunks?maybe", 0),
    ];
    for (directives, path, files) in rows {
        let origin = origin(&body);
        let proxy = nginx(&origin, directives);
        let mut client = slow(&proxy, path);
        wait_until("the request is on its way", || origin.connections() == 1);
        wait_until("what may be held is held", || open_files(&proxy) == files);
        for _ in 0..3 {
            assert_eq!(status(&proxy), 502, "{directives} {path}: the endpoint is still busy");
        }
        assert!(client.read_response().body == body, "{directives} {path}");
    }
}

#[test]
fn an_answer_may_ask_to_be_held_unless_that_is_ignored() {
    let body = pattern(LEN);
    let origin = origin(&body);
    let proxy = nginx(&origin, "proxy_buffering off;");
    let mut client = slow(&proxy, "/length?yes");
    wait_until("the endpoint is free", || status(&proxy) == 200);
    let head = client.read_head();
    assert!(!head.has("X-Accel-Buffering") && !head.has("X-Accel-Expires"), "{head:?}");
    let proxy = nginx(&origin, "proxy_buffering off; proxy_ignore_headers X-Accel-Buffering;");
    let mut client = slow(&proxy, "/length?yes");
    assert_eq!(client.read_head().status(), 200);
    assert_eq!(status(&proxy), 502);
}

#[test]
fn where_nothing_can_be_written_the_answer_still_comes_whole() {
    let body = pattern(LEN);
    let origin = origin(&body);
    let proxy = nginx(&origin, "");
    std::fs::remove_dir_all(proxy.dir().path().join("spool")).unwrap();
    let mut client = slow(&proxy, "/chunks");
    proxy.wait_log("an answer is held in memory only");
    assert!(client.read_response().body == body);
}

#[test]
fn a_client_that_leaves_takes_what_was_held_with_it() {
    let body = pattern(LEN);
    let origin = origin(&body);
    let proxy = nginx(&origin, "");
    let mut client = slow(&proxy, "/chunks");
    wait_until("the endpoint is free", || status(&proxy) == 200);
    assert_eq!(open_files(&proxy), 1);
    client.reset();
    drop(client);
    wait_until("the file is gone", || open_files(&proxy) == 0);
}

#[test]
fn an_answer_that_breaks_off_reaches_a_slow_client_as_broken() {
    let body = pattern(4 << 20);
    let origin = Origin::script(move |wire| {
        wire.read_head();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n").send(&body);
    });
    let proxy = nginx(&origin, "");
    let mut client = slow(&proxy, "/");
    wait_until("it is over for the endpoint", || open_files(&proxy) == 1);
    let cut = client.read_cut_response();
    assert!(cut.message.is_some_and(|message| message.body == pattern(4 << 20)), "{:?}", cut.end);
}

#[test]
fn our_own_dialect_streams_unless_told_otherwise() {
    let body = pattern(LEN);
    let origin = origin(&body);
    let config = |proxy: &str| {
        Proxy::yaml(&format!(
            "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
             hosts: [{{ default: true, routes: [{{ path: /*, proxy: {proxy} }}] }}]\n\
             clusters: {{ app: {{ endpoints: [{{ address: \"@app@\", max_conns: 1 }}] }} }}\n"
        ))
        .with("app", origin.addr())
        .file("spool/.keep", "")
        .start()
    };
    let proxy = config("app");
    let mut client = slow(&proxy, "/chunks?yes");
    let head = client.read_head();
    assert_eq!((head.field("X-Accel-Buffering"), status(&proxy)), (Some("yes"), 503));
    let proxy = config("{ cluster: app, response_buffering: { memory: 32k, path: \"@dir@/spool\" } }");
    let mut client = slow(&proxy, "/chunks");
    wait_until("the endpoint is free", || status(&proxy) == 200);
    let answer = client.read_response();
    assert!(answer.body == body);
    assert_eq!(answer.trailer("X-Sum"), Some("1"));
}

#[test]
fn the_head_of_an_answer_must_fit_its_buffer() {
    let origin = Origin::serve(|request| {
        let len: usize = request.target().trim_start_matches('/').parse().unwrap();
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: ";
        let filler = "a".repeat(len - start.len() - 4);
        format!("{start}{filler}\r\n\r\n").into_bytes()
    });
    let proxy = nginx(&origin, "");
    assert_eq!(proxy.client().get("/4096").status(), 200);
    assert_eq!(proxy.client().get("/4097").status(), 502);
    let proxy = nginx(&origin, "proxy_buffer_size 8k;");
    assert_eq!(proxy.client().get("/8192").status(), 200);
    assert_eq!(proxy.client().get("/8193").status(), 502);
}
