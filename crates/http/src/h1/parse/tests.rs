use super::*;
use crate::testing::{TOKEN, fields, listed, sent, spaces};
use proptest::prelude::*;

fn limits() -> Limits {
    Limits::default()
}

fn whole<T>(parsed: Result<Parsed<T>>) -> (T, usize) {
    match parsed.unwrap() {
        Parsed::Head(head, len) => (head, len),
        Parsed::Partial => panic!("partial"),
    }
}

/// What was read, as something to compare; errors count as one.
fn gist_of_request(parsed: Result<Parsed<RequestHead>>) -> Option<(Vec<u8>, Vec<u8>, String, usize)> {
    match parsed {
        Ok(Parsed::Head(head, len)) => {
            let mut line = Vec::new();
            head.line(&mut line);
            Some((line, head.authority().to_vec(), format!("{:?}", listed(&head.headers)), len))
        }
        Ok(Parsed::Partial) => None,
        Err(_) => Some((Vec::new(), Vec::new(), "refused".into(), 0)),
    }
}

/// What comes of `bytes` when each byte is looked at as it comes.
fn grown<T>(bytes: &[u8], parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    (1..=bytes.len()).find_map(|len| parse(&bytes[..len]))
}

proptest! {
    /// RFC 9112 3, 5: method, target and fields are what was sent, and no prefix of a head is a head.
    #[test]
    fn a_request_is_read_as_it_was_sent(
        method in TOKEN, target in "/[!-\"$-~]{0,30}", fields in fields(), spaces in spaces(), behind in any::<[u8; 3]>(),
    ) {
        prop_assume!(method != "CONNECT");
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n").into_bytes();
        bytes.extend(sent(&fields, &spaces));
        bytes.extend_from_slice(b"\r\n");
        let len = bytes.len();
        bytes.extend_from_slice(&behind);
        let (head, found) = whole(request(&bytes, &limits()));
        prop_assert_eq!(found, len);
        prop_assert_eq!(head.method_text(), method.as_bytes());
        prop_assert_eq!(head.target(), target.as_bytes());
        prop_assert_eq!(head.original_target(), target.as_bytes());
        prop_assert_eq!(head.authority(), b"a");
        prop_assert_eq!(&listed(&head.headers)[1..], &fields[..]);
        for cut in 0..len {
            prop_assert!(matches!(request(&bytes[..cut], &limits()), Ok(Parsed::Partial)), "at {}", cut);
        }
    }

    /// RFC 9112 4, 5.
    #[test]
    fn a_response_is_read_as_it_was_sent(
        status in 100u16..1000, reason in "[ -~]{0,20}", fields in fields(), spaces in spaces(), behind in any::<[u8; 3]>(),
    ) {
        let mut bytes = format!("HTTP/1.1 {status} {reason}\r\n").into_bytes();
        bytes.extend(sent(&fields, &spaces));
        bytes.extend_from_slice(b"\r\n");
        let len = bytes.len();
        bytes.extend_from_slice(&behind);
        let (head, found) = whole(response(&bytes, &limits()));
        prop_assert_eq!(found, len);
        prop_assert_eq!(head.status, status);
        if !reason.is_empty() {
            prop_assert_eq!(head.reason(), reason.as_bytes());
        }
        prop_assert_eq!(&listed(&head.headers), &fields);
        for cut in 0..len {
            prop_assert!(matches!(response(&bytes[..cut], &limits()), Ok(Parsed::Partial)), "at {}", cut);
        }
    }

    /// RFC 9112 7.1.2.
    #[test]
    fn trailers_are_read_as_they_were_sent(fields in fields(), spaces in spaces(), behind in any::<[u8; 3]>()) {
        let mut bytes = sent(&fields, &spaces);
        bytes.extend_from_slice(b"\r\n");
        let len = bytes.len();
        bytes.extend_from_slice(&behind);
        let (headers, found) = whole(trailers(&bytes, &limits(), Side::Upstream));
        prop_assert_eq!(found, len);
        prop_assert_eq!(&listed(&headers), &fields);
        for cut in 0..len {
            prop_assert!(matches!(trailers(&bytes[..cut], &limits(), Side::Upstream), Ok(Parsed::Partial)));
        }
    }

    /// Nothing that comes makes the parser panic or read more than there is.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Parsed::Head(_, len)) = request(&bytes, &limits()) {
            prop_assert!(len <= bytes.len());
        }
        if let Ok(Parsed::Head(_, len)) = response(&bytes, &limits()) {
            prop_assert!(len <= bytes.len());
        }
        if let Ok(Parsed::Head(_, len)) = trailers(&bytes, &limits(), Side::Downstream) {
            prop_assert!(len <= bytes.len());
        }
    }

    /// A head with mistakes in it is read, or refused, in the same way however its bytes come.
    #[test]
    fn splits_change_nothing_about_broken_heads(
        target in "[ -~]{0,8}", fields in fields(), lone_lf: bool,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\r\n\0 \t:,a\x80/".to_vec())), 0..4),
    ) {
        let limits = Limits { lone_lf, ..limits() };
        let mut bytes = format!("GET /{target} HTTP/1.1\r\nHost: a\r\n").into_bytes();
        bytes.extend(sent(&fields, &[]));
        bytes.extend_from_slice(b"\r\n");
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let at_once = gist_of_request(request(&bytes, &limits));
        let slowly = grown(&bytes, |prefix| gist_of_request(request(prefix, &limits)));
        prop_assert_eq!(at_once, slowly);
    }
}

/// The limits hold when the head comes in pieces too; the corpus has the exact edges.
#[test]
fn limits_of_the_configuration_count() {
    let small = Limits { line_bytes: 20, fields: 3, head_bytes: 60, ..limits() };
    let kind = |bytes: &[u8]| request(bytes, &small).err().map(|err| err.kind());
    assert_eq!(kind(b"GET /45678 HTTP/1.1\r\nHost: a\r\n\r\n"), None);
    assert_eq!(kind(b"GET /456789 HTTP/1.1\r\nHost: a\r\n\r\n"), None);
    assert_eq!(kind(b"GET /4567890 HTTP/1.1\r\nHost: a\r\n\r\n"), Some(Kind::UriTooLong));
    assert_eq!(kind(b"GET /456789012345678901234"), Some(Kind::UriTooLong));
    assert_eq!(kind(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\n\r\n"), None);
    assert_eq!(kind(b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n"), Some(Kind::HeadTooLarge));
    assert_eq!(
        kind(b"GET / HTTP/1.1\r\nHost: a\r\nA: 5678901234567890123456789012345678"),
        Some(Kind::HeadTooLarge)
    );
}

/// A line's end is no part of it, be it CRLF or a lone LF.
#[test]
fn a_field_has_a_bound_of_its_own() {
    let small = Limits { field_bytes: 8, lone_lf: true, ..limits() };
    for end in ["\r\n", "\n"] {
        let kind = |field: &str| {
            let head = format!("GET / HTTP/1.1{end}Host: a{end}{field}{end}Via: b{end}{end}");
            request(head.as_bytes(), &small).err().map(|err| err.kind())
        };
        assert_eq!(kind("A: 45678"), None, "{end:?}");
        assert_eq!(kind("A: 456789"), Some(Kind::HeadTooLarge), "{end:?}");
        assert_eq!(kind("A:   6  9"), Some(Kind::HeadTooLarge), "{end:?}");
    }
}

/// A configuration may allow heads beyond 64 KiB; a name beyond 65535 bytes would be cut to another one.
#[test]
fn a_name_is_never_cut() {
    let wide = Limits { head_bytes: 1 << 20, ..limits() };
    let name = |len| format!("Transfer-Encoding{}", "x".repeat(len - 17));
    let head = |len| format!("GET / HTTP/1.1\r\nHost: a\r\n{}: chunked\r\n\r\n", name(len)).into_bytes();
    let (read, _) = whole(request(&head(65_535), &wide));
    assert_eq!(listed(&read.headers)[1].0, name(65_535));
    let long_by = usize::from(u16::MAX) + 1;
    assert_eq!(request(&head(long_by + 17), &wide).unwrap_err().kind(), Kind::HeadTooLarge);
    let section = format!("{}: x\r\n\r\n", name(long_by + 17)).into_bytes();
    assert_eq!(trailers(&section, &wide, Side::Downstream).unwrap_err().kind(), Kind::HeadTooLarge);
}

/// RFC 9110 2.5: a higher minor version is processed as the highest one known.
#[test]
fn newer_minor_versions_are_ours() {
    let (head, len) = whole(request(b"\r\nGET /x HTTP/1.7\r\nHost: a\r\n\r\nrest", &limits()));
    assert_eq!((head.version, head.target(), len), (Version::Http11, &b"/x"[..], 30));
    let (head, _) = whole(response(b"HTTP/1.3 204 x\r\n\r\n", &limits()));
    assert_eq!(head.version, Version::Http11);
    assert!(matches!(request(b"GET / HTTP/1.2", &limits()), Ok(Parsed::Partial)));
    assert!(matches!(request(b"GET / HTTP/2", &limits()), Ok(Parsed::Partial)));
}

/// RFC 9110 7.6.1: what `Connection` of an answer names goes no further.
#[test]
fn fields_named_by_connection_of_an_answer_are_gone() {
    let (head, _) =
        whole(response(b"HTTP/1.1 200 OK\r\nConnection: X-A, close\r\nX-A: 1\r\nX-B: 2\r\n\r\n", &limits()));
    assert_eq!(head.headers.get("x-a"), None);
    assert_eq!(head.headers.get("x-b"), Some(&b"2"[..]));
    assert!(head.headers.lists(crate::Name::Connection, "close"));
}
