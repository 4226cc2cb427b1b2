use super::*;
use crate::testing::{config, cx, get, head as request, read, response};
use bifrons_codec::{Encoder, Quality};
use bifrons_http::{Headers, Name};
use std::task::{Context, Poll, Waker};

fn coded(encoding: Encoding, plain: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Quality { encoding, level: 5, window_bits: 19 }, None).unwrap();
    let mut out = Vec::new();
    encoder.write(plain, &mut out).unwrap();
    encoder.finish(&mut out).unwrap();
    out
}

fn answered(settings: &str, req: &RequestHead, fields: &str, body: Vec<u8>) -> Response {
    let filter = config::<Config>(settings).build().unwrap();
    let mut res = Response { head: response("HTTP/1.1 200 OK", fields), body: Body::Full(body.into()) };
    filter.whole(&mut cx(), req, &mut res).unwrap();
    res
}

fn values(headers: &Headers, name: Name) -> Vec<String> {
    headers.get_all(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

#[test]
fn a_client_that_accepts_the_coding_gets_it_as_it_is_and_another_gets_it_plain() {
    let plain = b"plain text ".repeat(30_000);
    for encoding in Encoding::ALL {
        let body = coded(encoding, &plain);
        let fields = format!("Content-Encoding: {}\r\nETag: \"1\"\r\n", encoding.name());
        let kept =
            answered("{}", &get(&format!("Accept-Encoding: {}\r\n", encoding.name())), &fields, body.clone());
        assert_eq!(values(&kept.head.headers, Name::ContentEncoding), [encoding.name()]);
        assert_eq!(values(&kept.head.headers, Name::Vary), ["Accept-Encoding"]);
        assert_eq!(read(kept.body), body);
        let res = answered("{}", &get("Accept-Encoding: deflate\r\n"), &fields, body);
        assert!(!res.head.headers.has(Name::ContentEncoding));
        assert_eq!(values(&res.head.headers, Name::Etag), ["W/\"1\""]);
        assert_eq!(read(res.body), plain);
    }
}

#[test]
fn always_is_for_all_clients() {
    let req = get("Accept-Encoding: gzip\r\n");
    let res =
        answered("{\"always\":true}", &req, "Content-Encoding: x-gzip\r\n", coded(Encoding::Gzip, b"x"));
    assert!(!res.head.headers.has(Name::Vary));
    assert_eq!(read(res.body), b"x");
}

#[test]
fn what_is_no_whole_body_of_one_coding_passes() {
    for fields in [
        "",
        "Content-Encoding: gzip, br\r\n",
        "Content-Encoding: deflate\r\n",
        "Content-Encoding: gzip\r\nContent-Range: bytes 0-1/9\r\n",
        "Content-Encoding: gzip\r\nCache-Control: no-transform\r\n",
    ] {
        let res = answered("{}", &get(""), fields, b"as it is".to_vec());
        assert_eq!(read(res.body), b"as it is", "{fields}");
    }
}

#[test]
fn a_head_is_answered_as_a_get_would_be() {
    let req = request("HEAD / HTTP/1.1", "");
    let res = answered("{}", &req, "Content-Encoding: gzip\r\nContent-Length: 3\r\n", Vec::new());
    assert!(!res.head.headers.has(Name::ContentEncoding) && !res.head.headers.has(Name::ContentLength));
}

fn error_of(settings: &str, body: Vec<u8>) -> Error {
    let mut body = answered(settings, &get(""), "Content-Encoding: gzip\r\n", body).body;
    loop {
        match body.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Some(piece))) => assert!(piece.len() <= 2 * PIECE_BYTES),
            Poll::Ready(Err(err)) => return err,
            Poll::Ready(Ok(None)) => panic!("it came to its end"),
            Poll::Pending => panic!("it waits"),
        }
    }
}

#[test]
fn a_bomb_is_cut_off() {
    let bomb = coded(Encoding::Gzip, &vec![0; 4 << 20]);
    assert!(error_of("{\"size_max\":\"2m\"}", bomb.clone()).reason().contains("size_max"));
    assert!(error_of("{\"ratio_max\":100}", bomb.clone()).reason().contains("ratio_max"));
    let res = answered("{}", &get(""), "Content-Encoding: gzip\r\n", bomb);
    assert_eq!(read(res.body).len(), 4 << 20);
}

#[test]
fn what_is_broken_is_cut_off() {
    let mut body = coded(Encoding::Gzip, &b"text ".repeat(100));
    body.truncate(body.len() - 1);
    assert_eq!(error_of("{}", body).kind(), Kind::Closed);
    assert_eq!(error_of("{}", b"no gzip".to_vec()).kind(), Kind::Malformed);
}
