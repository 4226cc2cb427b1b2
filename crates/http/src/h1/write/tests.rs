use super::*;
use crate::h1::framing::{self, Framing};
use crate::h1::parse::{self, Parsed};
use crate::testing::{Field, TOKEN, fields, get, listed, request as head_of, response as answer, sent};
use bifrons_core::Limits;
use proptest::prelude::*;

fn to_upstream(head: &RequestHead, delimit: Delimit, persist: Persist<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    request(
        &mut out,
        head,
        &ToUpstream { version: Version::Http11, host: b"up", delimit, persist, expect: true },
    );
    out
}

fn to_downstream(head: &ResponseHead, delimit: Delimit, persist: Persist<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    response(&mut out, head, &ToDownstream { delimit, persist, server: Server::Pass });
    out
}

fn read_request(bytes: &[u8]) -> RequestHead {
    match parse::request(bytes, &Limits::default()).unwrap() {
        Parsed::Head(head, len) if len == bytes.len() => head,
        _ => panic!("not a whole head: {:?}", String::from_utf8_lossy(bytes)),
    }
}

fn read_response(bytes: &[u8]) -> ResponseHead {
    match parse::response(bytes, &Limits::default()).unwrap() {
        Parsed::Head(head, len) if len == bytes.len() => head,
        _ => panic!("not a whole head: {:?}", String::from_utf8_lossy(bytes)),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn delimits() -> impl Strategy<Value = (Delimit, Framing)> {
    prop_oneof![
        Just((Delimit::Nothing, Framing::None)),
        (1u64..i64::MAX as u64).prop_map(|len| (Delimit::Length(len), Framing::Length(len))),
        Just((Delimit::Chunked, Framing::Chunked)),
    ]
}

/// Fields about one connection, as peers send them.
fn connection_fields() -> impl Strategy<Value = String> {
    prop::sample::subsequence(
        vec![
            "Connection: close",
            "Connection: x-a, keep-alive",
            "Keep-Alive: timeout=5",
            "Proxy-Connection: close",
            "Content-Length: 7",
            "Content-Length: 9",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: x",
            "Upgrade: h2c",
            "TE: gzip",
        ],
        0..6,
    )
    .prop_map(|lines| lines.iter().map(|line| format!("{line}\r\n")).collect())
}

proptest! {
    /// What goes upstream is read there as what came, with our framing and nothing else about it.
    #[test]
    fn a_request_goes_on_as_it_came(
        method in TOKEN, target in "/[!-\"$-~]{0,20}", fields in fields(), hop in connection_fields(), (delimit, framing) in delimits(),
    ) {
        prop_assume!(method != "CONNECT");
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{hop}").into_bytes();
        bytes.extend(sent(&fields, &[]));
        bytes.extend_from_slice(b"\r\n");
        let read = read_request(&to_upstream(&read_request(&bytes), delimit, Persist::Implied));
        prop_assert_eq!(read.method_text(), method.as_bytes());
        prop_assert_eq!(read.target(), target.as_bytes());
        prop_assert_eq!(read.authority(), b"up");
        prop_assert_eq!(framing::request(&read).unwrap(), framing);
        prop_assert_eq!(ours_left_out(&listed(&read.headers)), fields);
    }

    #[test]
    fn an_answer_goes_on_as_it_came(
        status in 200u16..1000, reason in "[!-~][ -~]{0,20}", fields in fields(), hop in connection_fields(), (delimit, framing) in delimits(),
    ) {
        prop_assume!(!is_bodiless(status));
        let mut bytes = format!("HTTP/1.1 {status} {reason}\r\n{hop}").into_bytes();
        bytes.extend(sent(&fields, &[]));
        bytes.extend_from_slice(b"\r\n");
        let came = read_response(&bytes);
        let kept = listed(&came.headers).into_iter().filter(|field| fields.contains(field)).collect::<Vec<_>>();
        let read = read_response(&to_downstream(&came, delimit, Persist::Implied));
        prop_assert_eq!((read.status, read.reason()), (status, reason.as_bytes()));
        let framing = if framing == Framing::None { Framing::UntilClose } else { framing };
        prop_assert_eq!(framing::response(&read, Method::Get, false).unwrap(), framing);
        prop_assert!(read.headers.has(Name::Date));
        prop_assert_eq!(ours_left_out(&listed(&read.headers)), kept);
    }
}

/// The fields without those that the writer is there for.
fn ours_left_out(fields: &[Field]) -> Vec<Field> {
    let is_ours = |name: &str| matches!(name, "Host" | "Date" | "Content-Length" | "Transfer-Encoding");
    fields.iter().filter(|(name, _)| !is_ours(name)).cloned().collect()
}

#[test]
fn a_request_word_for_word() {
    let head = get("accept: */*\r\nCookie:a=b\r\nExpect: 100-continue\r\n");
    let out = text(to_upstream(&head, Delimit::Nothing, Persist::Implied));
    assert_eq!(
        out,
        "GET /a?b=c HTTP/1.1\r\nHost: up\r\naccept: */*\r\nCookie: a=b\r\nExpect: 100-continue\r\n\r\n"
    );
    let mut out = Vec::new();
    let to = ToUpstream {
        version: Version::Http10,
        host: b"",
        delimit: Delimit::Length(3),
        persist: Persist::KeepAlive,
        expect: false,
    };
    request(&mut out, &head, &to);
    assert_eq!(
        text(out),
        "GET /a?b=c HTTP/1.0\r\naccept: */*\r\nCookie: a=b\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n"
    );
}

/// RFC 9110 10.1.4: trailers are asked for hop by hop.
#[test]
fn te_trailers_is_said_anew() {
    let out = |fields| text(to_upstream(&get(fields), Delimit::Nothing, Persist::Implied));
    assert!(out("TE: gzip, trailers\r\n").ends_with("Connection: TE\r\nTE: trailers\r\n\r\n"));
    assert!(!out("TE: gzip\r\n").contains("TE"));
}

/// RFC 9110 7.8.
#[test]
fn an_upgrade_is_said_anew() {
    let head = get("Connection: x, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n");
    let out = text(to_upstream(&head, Delimit::Nothing, Persist::Upgrade));
    assert!(
        out.ends_with("Sec-WebSocket-Key: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        "{out}"
    );
    let head = answer("HTTP/1.1 101 x", "Connection: Upgrade\r\nUpgrade: websocket\r\n");
    let out = text(to_downstream(&head, Delimit::Nothing, Persist::Upgrade));
    assert_eq!(out, "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
}

#[test]
fn an_answer_word_for_word() {
    let head =
        answer("HTTP/1.0 404 Gone fishing", "Server: x\r\nDate: d\r\nDate: e\r\nContent-Length: 3\r\n");
    let out = text(to_downstream(&head, Delimit::AsIs, Persist::Close));
    assert_eq!(
        out,
        "HTTP/1.1 404 Gone fishing\r\nServer: x\r\nDate: d\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"
    );
    let mut out = Vec::new();
    response(
        &mut out,
        &head,
        &ToDownstream { delimit: Delimit::Close, persist: Persist::Close, server: Server::Set("b") },
    );
    assert_eq!(text(out), "HTTP/1.1 404 Gone fishing\r\nDate: d\r\nServer: b\r\nConnection: close\r\n\r\n");
    let mut out = Vec::new();
    response(
        &mut out,
        &head,
        &ToDownstream { delimit: Delimit::Nothing, persist: Persist::Implied, server: Server::Off },
    );
    assert_eq!(text(out), "HTTP/1.1 404 Gone fishing\r\nDate: d\r\n\r\n");
}

/// RFC 9110 15.2, 8.6: an interim answer has no framing and no date.
#[test]
fn interim_answers_have_no_framing() {
    let head = answer("HTTP/1.1 103 x", "Link: </a>\r\nContent-Length: 5\r\nConnection: close\r\n");
    let mut out = Vec::new();
    interim(&mut out, &head);
    assert_eq!(text(out), "HTTP/1.1 103 x\r\nLink: </a>\r\n\r\n");
}

/// RFC 9112 6.1-6.3, RFC 9110 8.6.
#[test]
fn how_an_answer_is_delimited() {
    use Delimit as D;
    let with = |status: u16, fields| answer(&format!("HTTP/1.1 {status} x"), fields);
    let length = "Content-Length: 5\r\n";
    for (status, fields, method, len, client, expected) in [
        (200, length, Method::Get, Some(5), Version::Http11, D::AsIs),
        (200, "", Method::Get, Some(5), Version::Http11, D::Length(5)),
        (200, "", Method::Get, Some(0), Version::Http11, D::Length(0)),
        (200, "", Method::Get, None, Version::Http11, D::Chunked),
        (200, "", Method::Get, None, Version::Http10, D::Close),
        (200, length, Method::Head, Some(0), Version::Http11, D::AsIs),
        (200, "", Method::Head, Some(0), Version::Http11, D::Nothing),
        (204, length, Method::Get, Some(0), Version::Http11, D::Nothing),
        (304, length, Method::Get, Some(0), Version::Http11, D::AsIs),
        (304, "", Method::Get, Some(0), Version::Http11, D::Nothing),
        (101, length, Method::Get, Some(0), Version::Http11, D::Nothing),
    ] {
        let found = response_delimit(&with(status, fields), method, len, client);
        assert_eq!(found, expected, "{status} {fields:?} {method:?} {len:?}");
    }
}

/// RFC 9110 7.6.1.
#[test]
fn fields_named_by_connection_go_no_further() {
    let strip = |fields: &str| {
        let mut head = get(fields);
        strip_connection_named(&mut head.headers);
        head.headers
    };
    let headers = strip(
        "Connection: X-A , x-b\r\nconnection: X-C\r\nX-A: 1\r\nX-a: 2\r\nX-B: 3\r\nX-C: 4\r\nX-D: 5\r\n",
    );
    assert_eq!(["x-a", "x-b", "x-c", "x-d"].map(|name| headers.has(name)), [false, false, false, true]);
    for name in ["Host", "Content-Length", "X-Forwarded-For", "Cookie", "Authorization", "Via", "X-Real-IP"] {
        let headers = strip(&format!("Connection: {name}\r\n{name}: a\r\n").replace("Host: a\r\n", ""));
        assert!(headers.has(name), "{name}");
    }
}

/// A client must not strip what the proxy has set since.
#[test]
fn fields_added_since_stay() {
    let mut head = get("Connection: X-User\r\nX-User: mallory\r\n");
    head.headers.set("X-User", b"alice");
    head.headers.set(Name::Connection, b"");
    strip_connection_named(&mut head.headers);
    assert_eq!(head.headers.get_all("x-user").collect::<Vec<_>>(), [b"alice"]);
}

/// RFC 9112 3.2: what was decoded from a path can't become another line.
#[test]
fn a_target_never_ends_its_line() {
    let mut head = head_of("GET / HTTP/1.1", "Host: a\r\n");
    head.set_target(b"/a b\r\nX: y#\x80");
    let out = text(to_upstream(&head, Delimit::Nothing, Persist::Implied));
    assert_eq!(out, "GET /a%20b%0D%0AX:%20y%23%80 HTTP/1.1\r\nHost: up\r\n\r\n");
}

#[test]
fn the_end_of_a_chunked_body() {
    let mut out = Vec::new();
    chunked_end(&mut out, None);
    assert_eq!(out, b"0\r\n\r\n");
    let mut trailers = Headers::new();
    trailers.append("X-Sum", b"1");
    out.clear();
    chunked_end(&mut out, Some(&trailers));
    assert_eq!(out, b"0\r\nX-Sum: 1\r\n\r\n");
}
