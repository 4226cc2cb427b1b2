use super::*;
use crate::h1::write::{Persist, Server, ToDownstream};

fn asked(text: &str) -> RequestHead {
    match crate::h1::parse::request(text.as_bytes(), &Limits::default()) {
        Ok(crate::h1::parse::Parsed::Head(head, _)) => head,
        _ => panic!("no head: {text}"),
    }
}

fn to(host: &str) -> ToEndpoint<'_> {
    ToEndpoint {
        host: host.as_bytes(),
        is_secure: false,
        delimit: Delimit::AsIs,
        expect: false,
        opens_websocket: false,
    }
}

#[test]
fn what_concerns_a_connection_stays_behind() {
    let head = asked(
        "POST /a?b=c HTTP/1.1\r\nHost: own.test\r\nConnection: TE, upgrade\r\nTE: trailers, deflate\r\n\
         Keep-Alive: 5\r\nUpgrade: x\r\nProxy-Connection: close\r\nTransfer-Encoding: chunked\r\nX-Own: 1\r\n\
         Expect: 100-continue\r\nTrailer: x-sum\r\n\r\n",
    );
    let (sent, _) = request(&head, &ToEndpoint { delimit: Delimit::Chunked, ..to("other.test:81") }).unwrap();
    assert_eq!(sent.uri(), "http://other.test:81/a?b=c");
    let names: Vec<_> = sent.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["x-own", "trailer", "te"]);
    assert_eq!(sent.headers()["te"], "trailers");
}

#[test]
fn lengths_are_said_once() {
    let head = asked("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    let as_is = request(&head, &to("a")).unwrap().0;
    assert_eq!(as_is.headers().get_all("content-length").iter().count(), 1);
    let other = request(&head, &ToEndpoint { delimit: Delimit::Length(7), ..to("a") }).unwrap().0;
    assert_eq!(other.headers().get_all("content-length").iter().collect::<Vec<_>>(), ["7"]);
}

#[test]
fn hosts_that_are_none() {
    let head = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(request(&head, &to("unix:/run/a.sock")).unwrap().0.uri().host(), Some("localhost"));
    assert!(request(&head, &to("a b")).is_err());
    let secure = ToEndpoint { is_secure: true, ..to("a") };
    assert_eq!(request(&head, &secure).unwrap().0.uri().scheme_str(), Some("https"));
}

#[test]
fn an_answer_is_as_if_it_had_been_parsed() {
    let mut fields = HeaderMap::new();
    fields.append("content-type", HeaderValue::from_static("text/plain"));
    fields.append("set-cookie", HeaderValue::from_static("a=1"));
    fields.append("set-cookie", HeaderValue::from_static("b=2"));
    let head = response(404, &fields, &Limits::default()).unwrap();
    assert_eq!((head.status, head.reason()), (404, &b"Not Found"[..]));
    assert_eq!(head.headers.originals(Name::SetCookie).count(), 2);
    let mut out = Vec::new();
    let to = ToDownstream { delimit: Delimit::Length(0), persist: Persist::Implied, server: Server::Off };
    crate::h1::write::response(&mut out, &head, &to);
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\nset-cookie: a=1\r\n"),
        "{text}"
    );
}

#[test]
fn limits_hold() {
    let mut fields = HeaderMap::new();
    for at in 0..5 {
        fields.append(http::HeaderName::try_from(format!("x-{at}")).unwrap(), HeaderValue::from(at));
    }
    assert!(response(200, &fields, &Limits { fields: 5, ..Limits::default() }).is_ok());
    let err = response(200, &fields, &Limits { fields: 4, ..Limits::default() }).unwrap_err();
    assert_eq!(err.kind(), Kind::HeadTooLarge);
    assert!(response(200, &fields, &Limits { head_bytes: 40, ..Limits::default() }).is_err());
}

#[test]
fn targets_that_clients_send_as_they_are() {
    let head = asked("GET /<a>?f={\"b\":`1`} HTTP/1.1\r\nHost: a\r\n\r\n");
    let (sent, _) = request(&head, &to("a")).unwrap();
    assert_eq!(sent.uri().path(), "/%3Ca%3E");
    assert_eq!(sent.uri().query(), Some("f={%22b%22:%601%60}"));
}
