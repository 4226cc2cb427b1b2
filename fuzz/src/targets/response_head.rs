//! The parser of responses. The first byte chooses what they answer.

use super::{agree, cuts, fields, passed_on};
use bifrons_core::Limits;
use bifrons_http::h1::framing::{self, Framing};
use bifrons_http::h1::parse::{self, Parsed};
use bifrons_http::h1::write::{self, Delimit, Persist, Server, ToDownstream};
use bifrons_http::status::is_bodiless;
use bifrons_http::{Method, ResponseHead};

/// Runs once.
pub fn run(data: &[u8]) {
    let Some((&asked, bytes)) = data.split_first() else { return };
    let method = [Method::Get, Method::Head, Method::Connect, Method::Post][usize::from(asked & 3)];
    let limits = Limits { lone_lf: asked & 8 != 0, ..Limits::default() };
    let whole = parse::response(bytes, &limits);
    grow(bytes, &limits, &whole);
    let Ok(Parsed::Head(head, len)) = whole else { return };
    assert!(len <= bytes.len() && len <= limits.head_bytes);
    assert!((100..1000).contains(&head.status));
    assert!(bifrons_http::name::is_field_value(head.reason()));
    fields(&head.headers);
    compare(bytes, &head, len);
    let Ok(framing) = framing::response(&head, method, asked & 4 != 0) else { return };
    let _ = framing::response_keeps_alive(&head);
    if is_bodiless(head.status) && head.status != 101 {
        assert!(matches!(framing, Framing::None | Framing::Tunnel));
    }
    relay(&head, framing, method);
}

/// What is read of the beginning of the bytes is nothing yet, or what is read of all of them.
fn grow(bytes: &[u8], limits: &Limits, whole: &bifrons_core::Result<Parsed<ResponseHead>>) {
    for cut in cuts(bytes) {
        match (parse::response(&bytes[..cut], limits), whole) {
            (Ok(Parsed::Partial), _) => {}
            (Ok(Parsed::Head(head, len)), Ok(Parsed::Head(whole, whole_len))) => {
                assert_eq!(
                    (len, head.status, fields(&head.headers)),
                    (*whole_len, whole.status, fields(&whole.headers))
                );
                return;
            }
            (Err(_), Err(_)) => return,
            (early, _) => panic!("{early:?} of {cut} bytes, {whole:?} of all"),
        }
    }
}

/// What another parser reads. It knows no newer minor versions.
fn compare(bytes: &[u8], head: &ResponseHead, len: usize) {
    let mut room = [httparse::EMPTY_HEADER; Limits::FIELDS];
    let mut theirs = httparse::Response::new(&mut room);
    let parsed = theirs.parse(bytes);
    if parsed == Err(httparse::Error::Version) {
        return;
    }
    agree(&head.headers, len, parsed, theirs.headers);
    assert_eq!(theirs.code, Some(head.status));
}

/// What goes to a client is read there as the same answer, with its framing.
fn relay(head: &ResponseHead, framing: Framing, method: Method) {
    let mut out = Vec::new();
    let (delimit, expected) = match framing {
        Framing::Length(len) => (Delimit::Length(len), framing),
        Framing::Chunked | Framing::UntilClose => (Delimit::Chunked, Framing::Chunked),
        Framing::None if is_bodiless(head.status) || method == Method::Head => {
            (Delimit::Nothing, Framing::None)
        }
        Framing::None => (Delimit::Length(0), Framing::None),
        Framing::Tunnel => return,
    };
    let to = ToDownstream { delimit, persist: Persist::Implied, server: Server::Set("bifrons") };
    write::response(&mut out, head, &to);
    let Ok(Parsed::Head(read, len)) = parse::response(
        &out,
        &Limits { head_bytes: usize::MAX, line_bytes: usize::MAX, ..Limits::default() },
    ) else {
        // Date and Server may make two fields more than we take ourselves.
        assert!(
            head.headers.len() > Limits::FIELDS - 4,
            "what we write is no answer: {:?}",
            String::from_utf8_lossy(&out)
        );
        return;
    };
    assert_eq!(len, out.len(), "more than one answer");
    assert_eq!(read.status, head.status);
    assert_eq!(framing::response(&read, method, false).unwrap(), expected);
    assert_eq!(passed_on(&read.headers), passed_on(&head.headers));
}
