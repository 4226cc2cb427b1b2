use super::*;
use crate::Chain;
use crate::testing::{cx, head, read, response, run};
use bifrons_http::base64;
use bytes::Bytes;

fn chain() -> Chain {
    Chain::new(vec![Config {}.build().unwrap()])
}

/// A request with that media type and body, as it goes on.
fn sent(media: &str, body: &[u8]) -> Request {
    let mut req = Request {
        head: head(
            "POST /a.B/C HTTP/1.1",
            &format!("Content-Type: {media}\r\nContent-Length: {}\r\n", body.len()),
        ),
        body: Body::Full(Bytes::copy_from_slice(body)),
    };
    run(async || {
        chain().request(&mut cx(), &mut req).await.map(drop).unwrap();
    });
    req
}

#[test]
fn requests_become_calls() {
    let req = sent("application/grpc-web+proto", b"\0\0\0\0\x01x");
    assert_eq!(req.head.headers.get(Name::ContentType).unwrap(), b"application/grpc+proto");
    assert_eq!(req.head.headers.get(Name::Te).unwrap(), b"trailers");
    assert_eq!(read(req.body), b"\0\0\0\0\x01x");
    let text = [base64::encode(b"\0\0\0\0\x01"), base64::encode(b"x")].concat();
    let req = sent("application/grpc-web-text", text.as_bytes());
    assert_eq!(req.head.headers.get(Name::ContentType).unwrap(), b"application/grpc");
    assert!(!req.head.headers.has(Name::ContentLength));
    assert_eq!(read(req.body), b"\0\0\0\0\x01x");
    let req = sent("application/json", b"{}");
    assert_eq!(req.head.headers.get(Name::ContentType).unwrap(), b"application/json");
    assert!(!req.head.headers.has(Name::Te));
}

#[test]
fn answers_get_the_form_of_their_request() {
    let answer = |asked: &str, media: &str| {
        let req = head("POST /a.B/C HTTP/1.1", &format!("Content-Type: {asked}\r\n"));
        let head = response("HTTP/1.1 200 OK", &format!("Content-Type: {media}\r\nContent-Length: 1\r\n"));
        let mut res = Response { head, body: Body::Full(Bytes::from_static(b"x")) };
        chain().response(&mut cx(), &req, &mut res).unwrap();
        let media = String::from_utf8_lossy(res.head.headers.get(Name::ContentType).unwrap()).into_owned();
        (media, read(res.body))
    };
    let of = |media: &str, body: &[u8]| (media.to_owned(), body.to_vec());
    assert_eq!(answer("application/grpc-web", "application/grpc"), of("application/grpc-web", b"x"));
    let text = answer("application/grpc-web-text", "application/grpc+proto");
    assert_eq!(text, of("application/grpc-web-text+proto", b"eA=="));
    // What is no call's answer stays.
    assert_eq!(answer("application/grpc-web", "text/html"), of("text/html", b"x"));
    assert_eq!(answer("application/grpc", "application/grpc"), of("application/grpc", b"x"));
}
