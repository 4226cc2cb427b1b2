use super::*;
use crate::Chain;
use crate::testing::{cx, get, head, read, response};
use bifrons_http::{Body, Response};

fn chain(statuses: &[u16]) -> Chain {
    let value = Template::parse("$request_method").unwrap();
    let config = Config { add: [("X-T".to_owned(), value)].into(), statuses: statuses.to_vec() };
    Chain::new(vec![config.build().unwrap()])
}

/// The trailers behind an answer to that request.
fn behind(chain: &Chain, req: &RequestHead, status: u16) -> Option<String> {
    let head = response(&format!("HTTP/1.1 {status} x"), "Content-Length: 4\r\n");
    let mut res = Response { head, body: Body::Full(Bytes::from_static(b"body")) };
    chain.response(&mut cx(), req, &mut res).unwrap();
    let mut body = std::mem::take(&mut res.body);
    let has_length = res.head.headers.has("Content-Length");
    let trailers = body.take_trailers();
    assert_eq!(read(body), b"body");
    assert_eq!(trailers.is_some(), !has_length);
    trailers.map(|trailers| String::from_utf8(trailers.get("x-t").unwrap().to_vec()).unwrap())
}

#[test]
fn good_answers_get_fields_behind_their_body() {
    let chain = chain(&[200]);
    assert_eq!(behind(&chain, &get(""), 200).as_deref(), Some("GET"));
    assert_eq!(behind(&chain, &get(""), 404), None);
    assert_eq!(behind(&chain, &head("HEAD / HTTP/1.1", ""), 200), None);
    assert_eq!(behind(&chain, &head("GET / HTTP/1.0", ""), 200), None);
}

#[test]
fn what_ends_a_message_is_no_trailer() {
    let config =
        |name: &str| Config { add: [(name.to_owned(), Template::text("1"))].into(), statuses: vec![] };
    assert!(config("Content-Length").build().is_err());
    assert!(config("Transfer-Encoding").build().is_err());
    assert!(Config { add: IndexMap::new(), statuses: vec![] }.build().is_err());
}
