use super::*;
use crate::chain::Chain;
use crate::testing::{cx, get, read, response};
use bifrons_http::{Body, Response};
use proptest::collection::vec;
use proptest::prelude::*;

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn config(from: &str, to: &str) -> Config {
    Config {
        from: template(from),
        to: template(to),
        also: Vec::new(),
        types: html(),
        ignore_case: false,
        first_only: false,
        validators: Validators::Keep,
    }
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
    let search = Search::One(Arc::new(Words::new(b"a", b"b")));
    let filter = ReplaceBody { search, types: vec!["text/*".into()], validators: Validators::Keep };
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
    assert!(fits(1, 0) && fits(1024, 4096));
    assert!(!fits(0, 1) && !fits(1025, 1) && !fits(1, 4097));
    assert!(Config { types: Vec::new(), ..config("a", "b") }.build().is_err());
}

/// Runs a filter on an answer that comes in pieces.
fn in_pieces(config: &Config, pieces: &[&str]) -> String {
    let filter = config.build().unwrap();
    let mut head = response("HTTP/1.1 200 OK", "Content-Type: text/html\r\nETag: \"a\"\r\nX-A: v\r\n");
    let mut transform = filter.response_body(&cx(), &get(""), &mut head).unwrap();
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&transform.piece(Bytes::copy_from_slice(piece.as_bytes())).unwrap());
    }
    out.extend_from_slice(&transform.end().unwrap());
    String::from_utf8(out).unwrap()
}

fn several(texts: &[(&str, &str)]) -> Config {
    let (first, others) = texts.split_first().unwrap();
    let also = others.iter().map(|(from, to)| Text { from: template(from), to: template(to) }).collect();
    Config { also, ..config(first.0, first.1) }
}

#[test]
fn several_texts_at_once() {
    let both = several(&[("a", "b"), ("b", "a")]);
    assert_eq!(in_pieces(&both, &["ab", "ba"]), "baab", "none is looked for in another's place");
    let nested = several(&[("abcdX", "1"), ("bc", "2")]);
    assert_eq!(in_pieces(&nested, &["zabc", "d", "Xbc"]), "z12");
    assert_eq!(in_pieces(&nested, &["zabc", "d", "Y"]), "za2dY");
    assert_eq!(in_pieces(&nested, &["abcd"]), "a2d", "what could have begun one at the end");
}

proptest! {
    /// However the body comes, and in whatever case, what comes of it is the same.
    #[test]
    fn pieces_of_several_give_what_the_whole_gives(texts in vec(("[abAB]{1,4}", "[abc]{0,3}"), 2..4), body in "[abcAB]{0,60}", at in vec(0..60usize, 0..6), once: bool) {
        let texts: Vec<_> = texts.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
        let config = Config { ignore_case: true, first_only: once, ..several(&texts) };
        let mut cuts: Vec<_> = at.into_iter().filter(|at| *at < body.len()).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|cut| &body[cut[0]..cut[1]]).filter(|piece| !piece.is_empty()).collect();
        prop_assert_eq!(in_pieces(&config, &pieces), in_pieces(&config, &[&body]));
    }
}

#[test]
fn case_and_the_first_only() {
    let config = Config { ignore_case: true, ..config("</HEAD>", "x") };
    assert_eq!(in_pieces(&config, &["</head></He", "ad>"]), "xx");
    let once = Config { first_only: true, also: several(&[("b", "2"), ("c", "3")]).also, ..config };
    assert_eq!(in_pieces(&once, &["</head>c</head>cc"]), "x3</head>cc");
}

#[test]
fn texts_with_variables() {
    assert_eq!(in_pieces(&config("$host", "[$http_host]"), &["<a.example>"]), "<[a.example]>");
    assert_eq!(in_pieces(&config("x", "$sent_http_x_a"), &["axb"]), "avb");
    // What is empty is nowhere.
    let filter = config("$arg_none", "x").build().unwrap();
    let mut head = response("HTTP/1.1 200 OK", "Content-Type: text/html\r\n");
    assert!(filter.response_body(&cx(), &get(""), &mut head).is_none());
}

#[test]
fn what_tells_versions_apart() {
    let fields = "Content-Type: text/html\r\nETag: \"a\"\r\nLast-Modified: Tue, 01 Jul 2025 10:00:00 GMT\r\n";
    let tag = |validators| {
        let filter = Config { validators, ..config("a", "b") }.build().unwrap();
        let mut head = response("HTTP/1.1 200 OK", fields);
        filter.response_body(&cx(), &get(""), &mut head).unwrap();
        let has_time = head.headers.has(Name::LastModified);
        (head.headers.get(Name::Etag).map(<[u8]>::to_vec), has_time)
    };
    assert_eq!(tag(Validators::Keep), (Some(b"\"a\"".to_vec()), true));
    assert_eq!(tag(Validators::Weaken), (Some(b"W/\"a\"".to_vec()), true));
    assert_eq!(tag(Validators::Remove), (None, false));
}
