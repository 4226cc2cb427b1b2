use super::*;
use crate::testing::{get, request as head_of, response as answer};
use proptest::prelude::*;

proptest! {
    /// RFC 9110 8.6: digits and nothing else, as long as they fit.
    #[test]
    fn a_length_is_its_digits(length in 0..=i64::MAX as u64) {
        prop_assert_eq!(parse_length(length.to_string().as_bytes()), Some(length));
    }

    #[test]
    fn whatever_else_is_no_length(text in "[ -~]{0,21}") {
        let is_length = !text.is_empty() && text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
        let value = text.parse::<i64>().ok().filter(|_| is_length).map(|length| length as u64);
        prop_assert_eq!(parse_length(text.as_bytes()), value);
    }

    /// An authority never holds what ends it elsewhere.
    #[test]
    fn no_authority_holds_a_delimiter(text in "[!-~]{0,12}", delimiter in prop::sample::select(b"/?#@\\ \t\"<>".to_vec()), at: prop::sample::Index) {
        let mut bytes = text.into_bytes();
        bytes.insert(at.index(bytes.len() + 1), delimiter);
        prop_assert!(!is_authority(&bytes));
    }
}

/// RFC 9112 6.3, items 1, 2 and 8.
#[test]
fn a_response_ends_by_method_and_status() {
    let framing = |line: &str, fields: &str, method| response(&answer(line, fields), method, false).unwrap();
    let with = "Content-Length: 5\r\n";
    assert_eq!(framing("HTTP/1.1 200 x", with, Method::Get), Framing::Length(5));
    assert_eq!(framing("HTTP/1.1 200 x", with, Method::Head), Framing::None);
    for status in [100, 102, 103, 199, 204, 304] {
        assert_eq!(framing(&format!("HTTP/1.1 {status} x"), with, Method::Get), Framing::None, "{status}");
    }
    for status in [200, 205, 299] {
        assert_eq!(framing(&format!("HTTP/1.1 {status} x"), with, Method::Connect), Framing::Tunnel);
    }
    assert_eq!(framing("HTTP/1.1 300 x", with, Method::Connect), Framing::Length(5));
    assert_eq!(framing("HTTP/1.1 200 x", "", Method::Get), Framing::UntilClose);
    assert_eq!(framing("HTTP/1.1 304 x", "", Method::Get), Framing::None);
    assert_eq!(framing("HTTP/1.1 200 x", "Transfer-Encoding: chunked\r\n", Method::Head), Framing::None);
}

/// RFC 9112 9.3, in the order of its list.
#[test]
fn who_keeps_the_connection() {
    for (version, connection, keeps) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "Connection: x, close\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: \"close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: Keep-Alive, x\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Proxy-Connection: keep-alive\r\n", false),
    ] {
        let fields = format!("Host: a\r\n{connection}");
        let asks = request_keeps_alive(&head_of(&format!("GET / HTTP/{version}"), &fields));
        let answers = response_keeps_alive(&answer(&format!("HTTP/{version} 200 x"), &fields));
        assert_eq!((asks, answers), (keeps, keeps), "{version} {connection:?}");
    }
}

/// RFC 9112 6.1, RFC 9110 8.6: a 204 that announces a body may send it after all.
#[test]
fn a_204_with_a_body_ends_its_connection() {
    let keeps = |fields| response_keeps_alive(&answer("HTTP/1.1 204 x", fields));
    assert!(keeps(""));
    assert!(keeps("Content-Length: 0\r\n"));
    assert!(!keeps("Content-Length: 5\r\n"));
    assert!(!keeps("Transfer-Encoding: chunked\r\n"));
}

/// RFC 9110 7.8.
#[test]
fn who_asks_for_an_upgrade() {
    let asks = |fields| asks_upgrade(&get(fields));
    assert!(asks("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    assert!(asks("Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n"));
    assert!(!asks("Upgrade: websocket\r\n"));
    assert!(!asks("Connection: upgrade\r\n"));
    assert!(!asks("Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"));
    assert!(!asks("Connection: upgrade\r\nUpgrade: websocket, H2C\r\n"));
    let old = head_of("GET / HTTP/1.0", "Host: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n");
    assert!(!asks_upgrade(&old));
}

/// RFC 9112 3.2.2, 3.2.4, 3.3.
#[test]
fn targets_become_origin_form() {
    for (line, target, original, authority) in [
        ("GET /a?b HTTP/1.1", "/a?b", "/a?b", "h"),
        ("GET http://h/a?b HTTP/1.1", "/a?b", "/a?b", "h"),
        ("GET HTTP://H:80/a HTTP/1.1", "/a", "/a", "H:80"),
        ("GET http://h HTTP/1.1", "/", "/", "h"),
        ("GET http://h?b HTTP/1.1", "/?b", "/?b", "h"),
        ("GET http://h/http://x/ HTTP/1.1", "/http://x/", "/http://x/", "h"),
        ("OPTIONS * HTTP/1.1", "*", "*", "h"),
        ("OPTIONS http://h HTTP/1.1", "*", "*", "h"),
        ("OPTIONS http://h/ HTTP/1.1", "/", "/", "h"),
        ("OPTIONS http://h?b HTTP/1.1", "/?b", "/?b", "h"),
        ("CONNECT x:443 HTTP/1.1", "x:443", "x:443", "x:443"),
    ] {
        let head = head_of(line, "Host: h\r\n");
        assert_eq!(head.target(), target.as_bytes(), "{line}");
        assert_eq!(head.original_target(), original.as_bytes(), "{line}");
        assert_eq!(head.authority(), authority.as_bytes(), "{line}");
    }
    assert_eq!(head_of("GET / HTTP/1.0", "").authority(), b"");
}
