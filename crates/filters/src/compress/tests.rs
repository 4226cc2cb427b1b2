use super::*;
use crate::testing::{config, cx, get, head, read, response};
use bifrons_codec::Decoder;
use bifrons_http::Name;
use bytes::Bytes;

const JSON: &[u8] = br#"{"items":[{"id":1,"name":"one"},{"id":2,"name":"two"},{"id":3,"name":"three"}]}"#;

/// The answer that a client gets.
fn answered(settings: &str, req: &RequestHead, fields: &str, body: &[u8]) -> Response {
    answered_with(settings, req, "HTTP/1.1 200 OK", fields, body)
}

fn answered_with(settings: &str, req: &RequestHead, line: &str, fields: &str, body: &[u8]) -> Response {
    let filter = config::<Config>(settings).build().unwrap();
    let body = if body.is_empty() { Body::Empty } else { Body::Full(Bytes::copy_from_slice(body)) };
    let mut res = Response { head: response(line, fields), body };
    filter.whole(&mut cx(), req, &mut res).unwrap();
    res
}

fn json(settings: &str, accept: &str) -> Response {
    let fields = "Content-Type: application/json\r\nETag: \"1\"\r\n";
    answered(settings, &get(&format!("Accept-Encoding: {accept}\r\n")), fields, JSON)
}

fn coding(res: &Response) -> Option<String> {
    res.head.headers.get(Name::ContentEncoding).map(|value| String::from_utf8_lossy(value).into_owned())
}

fn field(res: &Response, name: &str) -> Option<String> {
    let all: Vec<_> = res.head.headers.get_all(name).map(String::from_utf8_lossy).collect();
    (!all.is_empty()).then(|| all.join(" + "))
}

fn decoded(res: Response) -> Vec<u8> {
    let encoding = Encoding::named(coding(&res).unwrap().as_bytes()).unwrap();
    let mut plain = Vec::with_capacity(1 << 20);
    let coded = read(res.body);
    assert_eq!(Decoder::new(encoding).unwrap().read(&coded, &mut plain), Ok(coded.len()));
    plain
}

#[test]
fn a_client_gets_the_coding_it_wants_and_the_same_bytes() {
    for (accept, expected) in
        [("gzip", "gzip"), ("br, gzip", "br"), ("zstd;q=0.9, gzip", "gzip"), ("*", "zstd")]
    {
        let res = json("{\"size_min\":\"0\"}", accept);
        assert_eq!(coding(&res).as_deref(), Some(expected), "{accept}");
        assert_eq!(field(&res, "vary").as_deref(), Some("Accept-Encoding"));
        assert_eq!(field(&res, "etag").as_deref(), Some("W/\"1\""));
        assert_eq!(res.body.length(), None);
        assert_eq!(decoded(res), JSON);
    }
}

#[test]
fn a_client_that_accepts_none_is_told_that_others_might_get_another_body() {
    for accept in ["", "identity", "gzip;q=0", "deflate"] {
        let res = json("{\"size_min\":\"0\"}", accept);
        assert_eq!(
            (coding(&res), field(&res, "vary")),
            (None, Some("Accept-Encoding".to_owned())),
            "{accept}"
        );
        assert_eq!(field(&res, "etag").as_deref(), Some("\"1\""));
        assert_eq!(read(res.body), JSON);
    }
}

#[test]
fn what_is_short_or_of_another_type_or_status_passes() {
    let req = get("Accept-Encoding: gzip\r\n");
    let is_coded = |settings: &str, line: &str, fields: &str| {
        let res = answered_with(settings, &req, line, fields, JSON);
        assert_eq!(coding(&res).is_some(), field(&res, "vary").is_some());
        coding(&res).is_some()
    };
    let (ok, json) = ("HTTP/1.1 200 OK", "Content-Type: application/json\r\n");
    let len = JSON.len();
    assert!(is_coded(&format!("{{\"size_min\":\"{len}\"}}"), ok, json));
    assert!(!is_coded(&format!("{{\"size_min\":\"{}\"}}", len + 1), ok, json));
    let any_size = "{\"size_min\":\"0\"}";
    assert!(is_coded(any_size, ok, "Content-Type: Application/JSON ; charset=utf-8\r\n"));
    assert!(!is_coded(any_size, ok, "Content-Type: image/png\r\n"));
    assert!(!is_coded(any_size, ok, "Content-Type: application/jsonx\r\n"));
    assert!(!is_coded(any_size, ok, ""));
    assert!(is_coded("{\"size_min\":\"0\",\"types\":[\"image/*\"]}", ok, "Content-Type: image/png\r\n"));
    assert!(is_coded("{\"size_min\":\"0\",\"types\":[\"*\"]}", ok, "Content-Type: a/b\r\n"));
    assert!(is_coded(any_size, "HTTP/1.1 404 Not Found", json));
    let only_200 = "{\"size_min\":\"0\",\"statuses\":[200]}";
    assert!(!is_coded(only_200, "HTTP/1.1 404 Not Found", json));
    assert!(is_coded(only_200, ok, json));
}

#[test]
fn what_must_not_be_changed_passes_as_it_is() {
    let req = get("Accept-Encoding: gzip\r\n");
    for (line, fields) in [
        ("HTTP/1.1 200 OK", "Content-Encoding: br\r\n"),
        ("HTTP/1.1 200 OK", "Cache-Control: public, No-Transform\r\n"),
        ("HTTP/1.1 204 No Content", ""),
        ("HTTP/1.1 304 Not Modified", ""),
    ] {
        let fields = format!("Content-Type: text/css\r\nETag: \"1\"\r\n{fields}");
        let res = answered_with("{\"size_min\":\"0\"}", &req, line, &fields, JSON);
        assert_eq!(
            (field(&res, "etag").as_deref(), field(&res, "vary")),
            (Some("\"1\""), None),
            "{line} {fields}"
        );
        assert_eq!(read(res.body), JSON);
    }
}

/// RFC 9110 15.3.7: a part has the `Vary` of the whole.
#[test]
fn a_part_stays_and_varies() {
    let req = get("Accept-Encoding: gzip\r\n");
    let part = "HTTP/1.1 206 Partial Content";
    for (kind, varies) in [("text/css", true), ("image/png", false)] {
        let fields = format!("Content-Type: {kind}\r\nETag: \"1\"\r\nContent-Range: bytes 0-1/9\r\n");
        let res = answered_with("{\"size_min\":\"0\"}", &req, part, &fields, JSON);
        assert_eq!(field(&res, "vary").is_some(), varies, "{kind}");
        assert_eq!((field(&res, "etag").as_deref(), read(res.body)), (Some("\"1\""), JSON.to_vec()));
    }
}

#[test]
fn a_head_is_answered_as_a_get_would_be() {
    let req = head("HEAD /a HTTP/1.1", "Accept-Encoding: gzip\r\n");
    let fields = "Content-Type: text/css\r\nContent-Length: 5000\r\nAccept-Ranges: bytes\r\n";
    let res = answered("{}", &req, fields, b"");
    assert_eq!(coding(&res).as_deref(), Some("gzip"));
    assert_eq!((field(&res, "content-length"), field(&res, "accept-ranges")), (None, None));
    assert!(res.body.is_empty());
    let short = answered("{}", &req, "Content-Type: text/css\r\nContent-Length: 1023\r\n", b"");
    assert_eq!((coding(&short), field(&short, "content-length").as_deref()), (None, Some("1023")));
    // The answer is ours, and its body at hand.
    let ours = answered("{}", &req, "Content-Type: text/css\r\n", &[b'x'; 3000]);
    assert_eq!((coding(&ours).as_deref(), ours.body.length()), (Some("gzip"), Some(0)));
}

#[test]
fn fields_that_tell_of_the_body_are_those_of_the_new_one() {
    let req = get("Accept-Encoding: gzip\r\n");
    let res = |fields: &str| {
        answered("{\"size_min\":\"0\"}", &req, &format!("Content-Type: text/css\r\n{fields}"), JSON)
    };
    let digests = "Content-Digest: a\r\nRepr-Digest: b\r\nContent-MD5: c\r\nDigest: d\r\nX-Digest: e\r\n";
    let names: Vec<_> = res(digests).head.headers.iter().map(|(_, name, _)| name.to_vec()).collect();
    let names: Vec<_> = names.iter().map(|name| String::from_utf8_lossy(name)).collect();
    assert_eq!(names, ["Content-Type", "X-Digest", "Vary", "Content-Encoding"]);
    assert_eq!(field(&res("ETag: W/\"2\"\r\n"), "etag").as_deref(), Some("W/\"2\""));
    assert_eq!(field(&res("ETag: none\r\n"), "etag"), None);
    assert_eq!(field(&res("Vary: Origin\r\n"), "vary").as_deref(), Some("Origin + Accept-Encoding"));
    assert_eq!(
        field(&res("Vary: accept-encoding, Origin\r\n"), "vary").as_deref(),
        Some("accept-encoding, Origin")
    );
    assert_eq!(field(&res("Vary: *\r\n"), "vary").as_deref(), Some("*"));
}

#[test]
fn clients_may_be_left_out() {
    let is_coded = |clients: &str, line: &str, fields: &str, answer: &str| {
        let settings = format!("{{\"size_min\":\"0\",\"clients\":{{{clients}}}}}");
        let req = head(line, &format!("Accept-Encoding: gzip\r\n{fields}"));
        let answer = format!("Content-Type: text/css\r\n{answer}");
        coding(&answered(&settings, &req, &answer, JSON)).is_some()
    };
    let (new, old) = ("GET / HTTP/1.1", "GET / HTTP/1.0");
    assert!(is_coded("", old, "Via: 1.1 p\r\n", ""));
    assert!(!is_coded("\"http_1_0\":false", old, "", ""));
    assert!(is_coded("\"http_1_0\":false", new, "", ""));
    let agents = "\"except_user_agents\":[\"MSIE [4-6]\\\\.\"]";
    assert!(!is_coded(agents, new, "User-Agent: Mozilla (MSIE 6.0)\r\n", ""));
    assert!(is_coded(agents, new, "User-Agent: Mozilla (MSIE 9.0)\r\n", ""));
    let via = |list: &str, fields: &str, answer: &str| {
        is_coded(&format!("\"via\":[{list}]"), new, &format!("Via: 1.1 p\r\n{fields}"), answer)
    };
    assert!(!via("", "", ""));
    assert!(is_coded("\"via\":[]", new, "", ""));
    assert!(via("\"auth\"", "Authorization: Basic eDp5\r\n", "Expires: never\r\n"));
    assert!(via("\"auth\"", "", ""));
    let (old, soon) =
        ("Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\n", "Expires: Thu, 31 Dec 2037 23:55:55 GMT\r\n");
    assert!(via("\"expired\"", "", old) && !via("\"expired\"", "", soon) && !via("\"no_cache\"", "", old));
    assert!(!via("\"expired\"", "", "Expires: never\r\n"));
    for (name, value) in [("no_cache", "no-cache"), ("no_store", "No-Store"), ("private", "private=\"x\"")] {
        let answer = format!("Cache-Control: max-age=1, {value}\r\n");
        assert!(via(&format!("\"{name}\""), "", &answer), "{name}");
        assert!(!via("\"expired\"", "", &answer), "{name}");
    }
    assert!(via("\"no_etag\"", "", "Last-Modified: x\r\n") && !via("\"no_etag\"", "", "ETag: \"1\"\r\n"));
    assert!(!via("\"no_last_modified\"", "", "Last-Modified: x\r\n"));
}

#[test]
fn how_much_smaller_it_became_is_known() {
    let filter = config::<Config>("{}").build().unwrap();
    let mut cx = cx();
    let mut res = Response::full(200, "text/css", vec![b'x'; 100_000]);
    filter.whole(&mut cx, &get("Accept-Encoding: gzip\r\n"), &mut res).unwrap();
    assert_eq!(cx.coded.ratio(Encoding::Gzip), None);
    let len = read(res.body).len() as u64;
    assert_eq!(cx.coded.ratio(Encoding::Gzip), Some((100_000_000 / len + 5) / 10));
    assert_eq!(cx.coded.ratio(Encoding::Brotli), None);
}

#[test]
fn wrong_settings_are_told() {
    for (wrong, told) in [
        ("{\"codings\":[]}", "without `codings`"),
        ("{\"types\":[]}", "without `types`"),
        ("{\"types\":[\"text\"]}", "no media type"),
        ("{\"levels\":{\"gzip\":10}}", "level 10 of gzip must be 1 to 9"),
        ("{\"levels\":{\"zstd\":0}}", "level 0 of zstd must be 1 to 19"),
        ("{\"window\":\"16m\"}", "must be 1k to 8m"),
        ("{\"statuses\":[101]}", "status 101"),
    ] {
        let problem = config::<Config>(wrong).build().err().unwrap();
        assert!(problem.contains(told), "{wrong}: {problem}");
    }
}
