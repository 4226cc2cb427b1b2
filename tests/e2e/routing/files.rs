//! Files of a directory (RFC 9110 13, 14).

use crate::support::{each, get, pattern, same};
use bifrons_testkit::{Message, Proxy};

fn files() -> Proxy {
    Proxy::yaml(
        r#"
workers: 1
listeners: { web: { bind: "@web@" } }
hosts:
  - default: true
    routes:
      - { path: /*, static: "@dir@/www" }
      - { path: /alias/*, static: { alias: "@dir@/www/docs/", index: [none.html, start.txt], types: { abc: text/x-abc } } }
"#,
    )
    .file("www/index.html", "<h1>home</h1>")
    .file("www/a.txt", "0123456789")
    .file("www/style.css", "a{}")
    .file("www/docs/start.txt", "start")
    .file("www/docs/x.abc", "abc")
    .file("www/docs/noext", "?")
    .file("www/with space.txt", "space")
    .file("www/empty.txt", "")
    .file("www/big.bin", pattern(3 << 20))
    .file("secret.txt", "secret")
    .start()
}

fn with(proxy: &Proxy, method: &str, path: &str, fields: &str) -> Message {
    proxy.client().ask(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"))
}

#[test]
fn files_have_a_type_and_directories_an_index() {
    let proxy = files();
    let rows = [
        ("index", ("/", (200, "<h1>home</h1>", Some("text/html")))),
        ("text", ("/a.txt", (200, "0123456789", Some("text/plain")))),
        ("css", ("/style.css", (200, "a{}", Some("text/css")))),
        ("escaped name", ("/with%20space.txt", (200, "space", Some("text/plain")))),
        ("empty", ("/empty.txt", (200, "", Some("text/plain")))),
        ("alias", ("/alias/x.abc", (200, "abc", Some("text/x-abc")))),
        ("second index", ("/alias/", (200, "start", Some("text/plain")))),
        ("no extension", ("/docs/noext", (200, "?", Some("application/octet-stream")))),
    ];
    each(rows, |(path, (status, text, kind))| {
        let answer = get(&proxy, path);
        let got = answer.field("Content-Type").map(|kind| kind.split(';').next().unwrap().to_owned());
        same((answer.status(), answer.text(), got.as_deref()), (status, text, kind))
    });
    assert_eq!([get(&proxy, "/none").status(), get(&proxy, "/docs/").status()], [404, 403]);
}

#[test]
fn a_directory_without_slash_is_redirected() {
    let answer = get(&files(), "/docs?x=1");
    assert_eq!((answer.status(), answer.field("Location")), (301, Some("/docs/?x=1")));
}

#[test]
fn conditional_requests_save_the_body() {
    let proxy = files();
    let first = get(&proxy, "/a.txt");
    let (etag, modified) = (first.field("ETag").unwrap(), first.field("Last-Modified").unwrap());
    let old = "Thu, 01 Jan 1998 00:00:00 GMT";
    let rows = [
        ("same tag", (format!("If-None-Match: {etag}\r\n"), 304)),
        ("among others", (format!("If-None-Match: \"x\", W/{etag}\r\n"), 304)),
        ("any tag", ("If-None-Match: *\r\n".to_owned(), 304)),
        ("other tag", ("If-None-Match: \"x\"\r\n".to_owned(), 200)),
        ("not modified", (format!("If-Modified-Since: {modified}\r\n"), 304)),
        ("modified", (format!("If-Modified-Since: {old}\r\n"), 200)),
        ("the tag goes first", (format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {modified}\r\n"), 200)),
        ("match fails", ("If-Match: \"x\"\r\n".to_owned(), 412)),
        ("unmodified since fails", (format!("If-Unmodified-Since: {old}\r\n"), 412)),
    ];
    each(rows, |(fields, status)| {
        let answer = with(&proxy, "GET", "/a.txt", &fields);
        same((answer.status(), answer.text() == "0123456789"), (status, status == 200))?;
        if status == 304 { same(answer.field("ETag"), Some(etag)) } else { Ok(()) }
    });
}

#[test]
fn ranges_are_cut_out() {
    let proxy = files();
    let etag = get(&proxy, "/a.txt").field("ETag").unwrap().to_owned();
    let rows = [
        ("from to", ("bytes=2-4", String::new(), (206, "234", Some("bytes 2-4/10")))),
        ("from", ("bytes=7-", String::new(), (206, "789", Some("bytes 7-9/10")))),
        ("last", ("bytes=-2", String::new(), (206, "89", Some("bytes 8-9/10")))),
        ("beyond the end", ("bytes=8-99", String::new(), (206, "89", Some("bytes 8-9/10")))),
        ("behind the end", ("bytes=10-", String::new(), (416, "", Some("bytes */10")))),
        ("other unit", ("lines=1-2", String::new(), (200, "0123456789", None))),
        ("nonsense", ("bytes=b-a", String::new(), (200, "0123456789", None))),
        ("same file", ("bytes=0-0", format!("If-Range: {etag}\r\n"), (206, "0", Some("bytes 0-0/10")))),
        ("other file", ("bytes=0-0", "If-Range: \"x\"\r\n".to_owned(), (200, "0123456789", None))),
    ];
    each(rows, |(range, fields, (status, text, want))| {
        let answer = with(&proxy, "GET", "/a.txt", &format!("Range: {range}\r\n{fields}"));
        same((answer.status(), answer.field("Content-Range")), (status, want))?;
        if status == 416 { Ok(()) } else { same(answer.text(), text) }
    });
}

#[test]
fn head_is_get_without_the_body_and_the_rest_is_refused() {
    let proxy = files();
    let head = with(&proxy, "HEAD", "/a.txt", "");
    assert_eq!((head.status(), head.field("Content-Length")), (200, Some("10")));
    assert_eq!(head.field("ETag"), get(&proxy, "/a.txt").field("ETag"));
    let post = with(&proxy, "POST", "/a.txt", "Content-Length: 0\r\n");
    assert_eq!((post.status(), post.field("Allow").is_some_and(|allow| allow.contains("GET"))), (405, true));
}

#[test]
fn nothing_outside_the_directory_is_reached() {
    let proxy = files();
    std::os::unix::fs::symlink("a.txt", proxy.dir().path().join("www/link.txt")).unwrap();
    let paths = [
        "/../secret.txt",
        "/docs/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/docs/..%2f..%2fsecret.txt",
        "/alias/../secret.txt",
        "/alias/..%2f..%2f..%2fsecret.txt",
        "/alias../secret.txt",
        "/..\\secret.txt",
        "/%00/../secret.txt",
        "//secret.txt",
        "/a.txt%00.html",
        "/a.txt/",
    ];
    for path in paths {
        let answer = get(&proxy, path);
        assert!([400, 404].contains(&answer.status()), "{path}: {answer:?}");
        assert!(!answer.text().contains("secret"), "{path}");
    }
    assert_eq!(get(&proxy, "/link.txt").text(), "0123456789", "links inside are followed");
}

#[test]
fn a_big_file_comes_whole_and_the_connection_lives_on() {
    let proxy = files();
    let body = pattern(3 << 20);
    let mut client = proxy.client();
    assert!(client.get("/big.bin").body == body);
    let part = client.ask("GET /big.bin HTTP/1.1\r\nHost: test\r\nRange: bytes=1000000-2999999\r\n\r\n");
    assert!(part.body == body[1_000_000..3_000_000]);
    assert_eq!(client.get("/a.txt").text(), "0123456789");
}

#[test]
fn a_changed_file_is_seen() {
    let proxy = files();
    let mut client = proxy.client();
    let first = client.get("/a.txt");
    proxy.dir().write("www/a.txt", "changed and longer");
    bifrons_testkit::wait_until("the change is seen", || client.get("/a.txt").text() == "changed and longer");
    assert_ne!(client.get("/a.txt").field("ETag"), first.field("ETag"));
}

#[test]
fn other_methods_are_told_the_two_there_are() {
    let proxy = files();
    for method in ["POST", "DELETE", "PROPFIND"] {
        let answer = with(&proxy, method, "/a.txt", "");
        assert_eq!((answer.status(), answer.field("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
}
