use super::{Code, answer};
use bifrons_http::{Body, Response};

#[test]
fn statuses_of_http_have_their_codes() {
    let codes = [400, 401, 403, 404, 429, 500, 502, 503, 504, 413].map(|status| Code::of_http(status) as u8);
    assert_eq!(codes, [13, 16, 7, 12, 14, 2, 14, 14, 14, 2]);
}

#[test]
fn an_answer_ends_with_its_head() {
    let mut res = Response::full(502, "text/html", "a page");
    res.head.headers.append_as("Retry-After", b"1");
    answer(&mut res, Code::Unavailable, "50 % grün\n".as_bytes());
    let field = |name: &'static str| res.head.headers.get(name).map(String::from_utf8_lossy);
    assert_eq!(res.head.status, 200);
    assert_eq!(field("content-type").unwrap(), "application/grpc");
    assert_eq!(field("grpc-status").unwrap(), "14");
    assert_eq!(field("grpc-message").unwrap(), "50 %25 gr%C3%BCn%0A");
    assert_eq!(field("retry-after").unwrap(), "1");
    assert!(matches!(res.body, Body::Empty));
}

#[test]
fn a_message_is_cut() {
    let mut res = Response::empty(500);
    answer(&mut res, Code::Unknown, &[b'x'; 5000]);
    assert_eq!(res.head.headers.get("grpc-message").unwrap().len(), 1024);
}
