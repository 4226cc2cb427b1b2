use super::*;
use crate::testing::{cx, head, read, response};

fn answer(line: &str, fields: &str, of: &str) -> (u16, String, String) {
    let mut res = Response { head: response("HTTP/1.1 200 OK", of), body: Body::Full("0123456789".into()) };
    let req = head(line, fields);
    Config {}.build().unwrap().whole(&mut cx(), &req, &mut res).unwrap();
    let field = |name: &str| {
        let value = res.head.headers.iter().find(|(_, known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        value.map_or(String::new(), |(_, _, value)| String::from_utf8_lossy(value).into_owned())
    };
    let range = field("Content-Range") + &field("Accept-Ranges");
    let length = res.body.length();
    let body = read(res.body);
    assert_eq!(length, Some(body.len() as u64));
    (res.head.status, range, String::from_utf8(body).unwrap())
}

#[test]
fn one_range_is_cut_out() {
    let of = "Content-Length: 10\r\nETag: \"a\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
    for (fields, status, range, body) in [
        ("Range: bytes=2-4\r\n", 206, "bytes 2-4/10", "234"),
        ("Range: bytes=0-0\r\n", 206, "bytes 0-0/10", "0"),
        ("Range: bytes=8-\r\n", 206, "bytes 8-9/10", "89"),
        ("Range: bytes=-3\r\n", 206, "bytes 7-9/10", "789"),
        ("Range: bytes=-99\r\n", 206, "bytes 0-9/10", "0123456789"),
        ("Range: bytes=4-99999999999999999999\r\n", 206, "bytes 4-9/10", "456789"),
        ("Range: bytes=10-\r\n", 416, "bytes */10", ""),
        ("Range: bytes=-0\r\n", 416, "bytes */10", ""),
        ("Range: bytes=4-2\r\n", 416, "bytes */10", ""),
        // What is none, or several, is passed over.
        ("Range: bytes=0-1,3-4\r\n", 200, "bytes", "0123456789"),
        ("Range: lines=1-2\r\n", 200, "bytes", "0123456789"),
        ("", 200, "bytes", "0123456789"),
        ("Range: bytes=1-1\r\nIf-Range: \"a\"\r\n", 206, "bytes 1-1/10", "1"),
        ("Range: bytes=1-1\r\nIf-Range: \"b\"\r\n", 200, "bytes", "0123456789"),
        ("Range: bytes=1-1\r\nIf-Range: Thu, 01 Jan 2026 00:00:00 GMT\r\n", 206, "bytes 1-1/10", "1"),
        ("Range: bytes=1-1\r\nIf-Range: Fri, 02 Jan 2026 00:00:00 GMT\r\n", 200, "bytes", "0123456789"),
    ] {
        let said = answer("GET /a HTTP/1.1", fields, of);
        assert_eq!(said, (status, range.to_owned(), body.to_owned()), "{fields}");
    }
}
