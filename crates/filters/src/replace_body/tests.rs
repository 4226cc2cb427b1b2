use super::*;
use crate::chain::Chain;
use crate::testing::{cx, get, read, response};
use bifrons_http::{Body, Response};
use proptest::collection::vec;
use proptest::prelude::*;

fn config(from: &str, to: &str) -> Config {
    Config { from: from.into(), to: to.into(), types: html() }
}

/// What becomes of a body that comes in these pieces.
fn replaced(from: &str, to: &str, pieces: &[&[u8]]) -> Vec<u8> {
    let mut replace = Replace { words: Arc::new(Words::new(from.as_bytes(), to.as_bytes())), held: 0 };
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&replace.piece(Bytes::copy_from_slice(piece)).unwrap());
        assert!(replace.held < from.len());
    }
    out.extend_from_slice(&replace.end().unwrap());
    out
}

proptest! {
    /// However the body comes, it is the whole body with the text replaced.
    #[test]
    fn pieces_give_what_the_whole_gives(from in "[ab]{1,5}", to in "[abc]{0,4}", body in "[abc]{0,80}", sizes in vec(0..6usize, 1..10)) {
        let mut pieces = Vec::new();
        let mut rest = body.as_bytes();
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            // Pieces are never empty.
            let (piece, after) = rest.split_at((sizes.next().unwrap() + 1).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let expected = body.replace(&from, &to);
        prop_assert_eq!(replaced(&from, &to, &pieces), expected.as_bytes());
        prop_assert_eq!(replaced(&from, &to, &[body.as_bytes()]), expected.as_bytes());
    }
}

#[test]
fn across_the_border_of_pieces() {
    assert_eq!(replaced("old", "new", &[b"an o", b"l", b"d ol", b"l old"]), b"an new oll new");
    assert_eq!(replaced("aab", "x", &[b"aa", b"aab", b"a"]), b"aaxa");
    assert_eq!(replaced("x", "", &[b"xxaxx"]), b"a");
    assert_eq!(replaced("a", "aa", &[b"aa"]), b"aaaa");
    assert_eq!(replaced("\u{e9}", "e", &["caf\u{e9}".as_bytes().split_at(4).0, &[0xa9]]), b"cafe");
}

/// A piece without a match is passed on, not copied.
#[test]
fn nothing_is_copied_without_need() {
    let mut replace = Replace { words: Arc::new(Words::new(b"old", b"new")), held: 0 };
    let piece = Bytes::from_static(b"nothing of it, o");
    let out = replace.piece(piece.clone()).unwrap();
    assert_eq!((out.as_ptr(), out.len()), (piece.as_ptr(), piece.len() - 1));
}

/// Runs the filter on an answer and reads its body.
fn through(req: &RequestHead, fields: &str, body: &'static str) -> (Response, Vec<u8>) {
    let chain = Chain::new(vec![config("old", "newer").build().unwrap()]);
    let mut res = Response { head: response("HTTP/1.1 200 OK", fields), body: Body::Full(body.into()) };
    chain.response(&mut cx(), req, &mut res).unwrap();
    let body = read(std::mem::take(&mut res.body));
    (res, body)
}

#[test]
fn the_length_goes_and_the_rest_stays() {
    let fields = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 7\r\nAccept-Ranges: bytes\r\nETag: \"a\"\r\n";
    let (res, body) = through(&get(""), fields, "an old1");
    assert_eq!(body, b"an newer1");
    assert!(!res.head.headers.has(Name::ContentLength) && !res.head.headers.has(Name::AcceptRanges));
    assert_eq!(res.head.headers.get(Name::Etag), Some(&b"\"a\""[..]));
}

#[test]
fn what_is_left_as_it_is() {
    for fields in [
        "",
        "Content-Type: image/png\r\n",
        "Content-Type: text/htmlx\r\n",
        "Content-Type: text/html\r\nContent-Encoding: gzip\r\n",
        "Content-Type: text/html\r\nContent-Range: bytes 0-6/9\r\n",
        "Content-Type: text/html\r\nCache-Control: public, no-transform\r\n",
    ] {
        let (res, body) = through(&get(""), &format!("{fields}Content-Length: 7\r\n"), "an old1");
        assert_eq!(body, b"an old1", "{fields}");
        assert!(res.head.headers.has(Name::ContentLength), "{fields}");
    }
    for fields in ["Content-Type: TEXT/HTML\r\n", "Content-Type: text/html\r\nContent-Encoding: identity\r\n"]
    {
        assert_eq!(through(&get(""), fields, "old").1, b"newer", "{fields}");
    }
}

/// RFC 9110 8.6: a HEAD must not tell the length of the body that a GET doesn't give.
#[test]
fn no_length_without_a_body_either() {
    let head = crate::testing::head("HEAD / HTTP/1.1", "");
    let (res, _) = through(&head, "Content-Type: text/html\r\nContent-Length: 7\r\n", "");
    assert!(!res.head.headers.has(Name::ContentLength));
    let (res, _) = through(&head, "Content-Type: image/png\r\nContent-Length: 7\r\n", "");
    assert!(res.head.headers.has(Name::ContentLength));
}

#[test]
fn types_by_pattern() {
    let types = |kind: &str| Config { types: vec![kind.into()], ..config("a", "b") };
    assert!(types("text/*").build().is_ok());
    for wrong in ["", "text", "text/", "/html", "text/html; x", "text /html"] {
        assert!(types(wrong).build().is_err(), "{wrong}");
    }
    let filter = ReplaceBody { words: Arc::new(Words::new(b"a", b"b")), types: vec!["text/*".into()] };
    let has = |kind: &str| {
        filter.has_type(&response("HTTP/1.1 200 OK", &format!("Content-Type: {kind}\r\n")).headers)
    };
    assert!(
        has("text/css") && has("Text/Plain;x") && !has("texts/x") && !has("text") && !has("application/json")
    );
}

#[test]
fn texts_have_bounds() {
    let fits = |from: usize, to: usize| config(&"a".repeat(from), &"b".repeat(to)).build().is_ok();
    assert!(fits(1, 0) && fits(1024, 1024));
    assert!(!fits(0, 1) && !fits(1025, 1) && !fits(1, 1025));
    assert!(Config { types: Vec::new(), ..config("a", "b") }.build().is_err());
}
