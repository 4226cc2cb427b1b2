//! The parser of requests. The first byte chooses the policy on lone LF.

use super::{agree, cuts, fields, passed_on};
use bifrons_core::Limits;
use bifrons_http::h1::framing::{self, Framing};
use bifrons_http::h1::parse::{self, Parsed};
use bifrons_http::h1::write::{self, Delimit, Persist, ToUpstream};
use bifrons_http::{RequestHead, Version};

/// Runs once.
pub fn run(data: &[u8]) {
    let Some((&policy, bytes)) = data.split_first() else { return };
    let limits = Limits { lone_lf: policy & 1 == 1, ..Limits::default() };
    let whole = parse::request(bytes, &limits);
    grow(bytes, &limits, &whole);
    let Ok(Parsed::Head(head, len)) = whole else { return };
    assert!(len <= bytes.len() && len <= limits.head_bytes);
    check(&head);
    compare(bytes, &head, len);
    let Ok(framing) = framing::request(&head) else { return };
    assert!(!matches!(framing, Framing::UntilClose | Framing::Tunnel), "a request ends by itself");
    let _ = (framing::request_keeps_alive(&head), framing::asks_upgrade(&head));
    forward(head, framing);
}

/// What is read of the beginning of the bytes is nothing yet, or what is read of all of them.
fn grow(bytes: &[u8], limits: &Limits, whole: &bifrons_core::Result<Parsed<RequestHead>>) {
    for cut in cuts(bytes) {
        match (parse::request(&bytes[..cut], limits), whole) {
            (Ok(Parsed::Partial), _) => {}
            (Ok(Parsed::Head(head, len)), Ok(Parsed::Head(whole, whole_len))) => {
                assert_eq!(
                    (len, head.target(), fields(&head.headers)),
                    (*whole_len, whole.target(), fields(&whole.headers))
                );
                return;
            }
            (Err(_), Err(_)) => return,
            (early, _) => panic!("{early:?} of {cut} bytes, {whole:?} of all"),
        }
    }
}

/// What another parser reads. It knows no newer minor versions.
fn compare(bytes: &[u8], head: &RequestHead, len: usize) {
    let mut room = [httparse::EMPTY_HEADER; Limits::FIELDS];
    let mut theirs = httparse::Request::new(&mut room);
    let parsed = theirs.parse(bytes);
    if parsed == Err(httparse::Error::Version) {
        return;
    }
    agree(&head.headers, len, parsed, theirs.headers);
    assert_eq!(theirs.method.map(str::as_bytes), Some(head.method_text()));
    assert_eq!(theirs.version == Some(0), head.version == Version::Http10);
    let path = theirs.path.unwrap().as_bytes();
    assert!(path == head.target() || path.contains(&b':'), "another target");
}

fn check(head: &RequestHead) {
    assert!(bifrons_http::name::is_token(head.method_text()));
    assert!(!head.target().is_empty());
    for text in [head.target(), head.original_target(), head.authority()] {
        assert!(text.iter().all(|byte| (0x21..0x7f).contains(byte)), "{:?}", String::from_utf8_lossy(text));
    }
    assert!(!head.authority().contains(&b'@') && !head.authority().contains(&b'/'));
    fields(&head.headers);
}

/// What goes upstream is read there as the same request, with the same framing.
fn forward(mut head: RequestHead, framing: Framing) {
    let delimit = match framing {
        Framing::Length(len) => Delimit::Length(len),
        Framing::Chunked => Delimit::Chunked,
        _ => Delimit::Nothing,
    };
    // What is sent to an origin has a host of ours; the authority-form is for proxies only.
    if head.method() == bifrons_http::Method::Connect {
        return;
    }
    write::strip_connection_named(&mut head.headers);
    let mut out = Vec::new();
    let to = ToUpstream {
        version: Version::Http11,
        host: b"up.example",
        delimit,
        persist: Persist::Implied,
        expect: true,
    };
    write::request(&mut out, &head, &to);
    let Ok(Parsed::Head(read, len)) =
        parse::request(&out, &Limits { head_bytes: usize::MAX, line_bytes: usize::MAX, ..Limits::default() })
    else {
        panic!("what we write is no request: {:?}", String::from_utf8_lossy(&out));
    };
    assert_eq!(len, out.len(), "more than one request");
    assert_eq!(
        (read.method_text(), read.target(), read.authority()),
        (head.method_text(), head.target(), &b"up.example"[..])
    );
    assert_eq!(framing::request(&read).unwrap(), framing);
    assert_eq!(passed_on(&read.headers), passed_on(&head.headers));
}
