use super::*;

#[derive(Debug, PartialEq)]
enum Outcome {
    Reset,
    Refused(Kind),
    /// Method, target, authority, and all fields as HTTP/1 writes them.
    Head(String),
}

const BASE: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/a?b"), (":authority", "h:1")];

fn read_with(limits: &Limits, fields: &[(&str, &str)]) -> Outcome {
    let mut reader = Reader::new(limits);
    for (name, value) in fields {
        reader.field(name.as_bytes(), value.as_bytes());
    }
    match reader.finish() {
        Read::Malformed => Outcome::Reset,
        Read::Head(Err(err), _) => Outcome::Refused(err.kind()),
        Read::Head(Ok(asked), _) => {
            let head = asked.head;
            let mut text = Vec::new();
            head.line(&mut text);
            text.extend_from_slice(b"\n");
            text.extend_from_slice(head.authority());
            text.extend_from_slice(b"\n");
            head.headers.write(&mut text, |_, _| true);
            assert_eq!(head.version, Version::Http20);
            Outcome::Head(String::from_utf8(text).unwrap().replace("\r\n", "\n"))
        }
    }
}

fn read(fields: &[(&str, &str)]) -> Outcome {
    read_with(&Limits::default(), fields)
}

fn with(more: &[(&str, &str)]) -> Outcome {
    read(&[&BASE, more].concat())
}

fn head(text: &str) -> Outcome {
    Outcome::Head(text.to_owned())
}

#[test]
fn heads_are_those_of_http1() {
    let all = [("x-a", "1"), ("cookie", "a=1"), ("te", "trailers"), ("cookie", "b=2"), ("host", "H:1")];
    assert_eq!(
        with(&all),
        head("GET /a?b HTTP/2.0\nh:1\nhost: h:1\nx-a: 1\nte: trailers\ncookie: a=1; b=2\n")
    );
    let alone = [BASE[0], BASE[1], BASE[2], ("x-a", "1"), ("host", "h")];
    assert_eq!(read(&alone), head("GET /a?b HTTP/2.0\nh\nx-a: 1\nhost: h\n"));
    let star = [(":method", "OPTIONS"), BASE[1], (":path", "*"), BASE[3]];
    assert_eq!(read(&star), head("OPTIONS * HTTP/2.0\nh:1\nhost: h:1\n"));
    assert_eq!(read(&[(":method", "CONNECT"), BASE[3]]), head("CONNECT h:1 HTTP/2.0\nh:1\nhost: h:1\n"));
}

/// RFC 8441 5.
#[test]
fn a_websocket_is_an_upgrade() {
    let mut ask = BASE.to_vec();
    ask[0] = (":method", "CONNECT");
    ask.extend([(":protocol", "websocket"), ("sec-websocket-key", "theirs")]);
    let Outcome::Head(text) = read(&ask) else { panic!("no head") };
    assert!(
        text.starts_with("GET /a?b HTTP/2.0\nh:1\nhost: h:1\nconnection: upgrade\nupgrade: websocket\n"),
        "{text}"
    );
    assert!(text.contains("sec-websocket-key: ") && !text.contains("theirs"), "{text}");
    ask[4] = (":protocol", "other");
    assert_eq!(read(&ask), Outcome::Refused(Kind::Method));
    assert_eq!(read(&[&BASE[..], &[(":protocol", "websocket")]].concat()), Outcome::Reset);
}

/// RFC 9113 8.2, 8.3.
#[test]
fn what_breaks_the_rules_is_reset() {
    let more: [(&str, &str); 20] = [
        ("X-A", "1"),
        ("Content-Type", "1"),
        ("", "1"),
        ("x a", "1"),
        ("x:a", "1"),
        ("x-a", "1\r\nb: 2"),
        ("x-a", "\0"),
        ("x-a", " 1"),
        ("x-a", "1\t"),
        ("content-length", "x"),
        ("connection", "close"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        (":path", "/"),
        (":status", "200"),
        (":x", "1"),
        (":", "1"),
    ];
    for field in more {
        assert_eq!(with(&[field]), Outcome::Reset, "{field:?}");
    }
    assert_eq!(with(&[("x-a", "1"), (":protocol", "websocket")]), Outcome::Reset);
    for (at, values) in [(0, ["", "G T"]), (1, ["", "1"]), (2, ["", "a"]), (3, ["", "a b"])] {
        for value in values {
            let mut ask = BASE;
            ask[at].1 = value;
            assert_eq!(read(&ask), Outcome::Reset, "{:?}", ask[at]);
        }
        if at < 3 {
            let mut ask = BASE.to_vec();
            ask.remove(at);
            assert_eq!(read(&ask), Outcome::Reset, "without {:?}", BASE[at]);
        }
    }
    assert_eq!(read(&[(":method", "CONNECT"), BASE[2], BASE[3]]), Outcome::Reset);
}

/// What HTTP/1 would refuse gets the same answer.
#[test]
fn what_http1_refuses_is_refused() {
    let rows: [(&[(&str, &str)], Kind); 4] = [
        (&[("host", "other")], Kind::Malformed),
        (&[("host", "h:1"), ("host", "h:1")], Kind::Malformed),
        (&[("x", &"x".repeat(70_000))], Kind::HeadTooLarge),
        (&[("x", "x"); 101], Kind::HeadTooLarge),
    ];
    for (more, kind) in rows {
        assert_eq!(with(more), Outcome::Refused(kind), "{}", more.len());
    }
    assert_eq!(read(&BASE[..3]), Outcome::Refused(Kind::Malformed), "no host at all");
    let mut ask = BASE;
    let long = format!("/{}", "x".repeat(Limits::LINE_BYTES));
    ask[2].1 = &long;
    assert_eq!(read(&ask), Outcome::Refused(Kind::UriTooLong));
    let longer = format!("/{}", "x".repeat(Limits::HEAD_BYTES));
    ask[2].1 = &longer;
    assert_eq!(read(&ask), Outcome::Refused(Kind::HeadTooLarge));
    ask[2].1 = "/a#b";
    assert_eq!(read(&ask), Outcome::Refused(Kind::Malformed));
    ask = BASE;
    ask[3].1 = "me@h";
    assert_eq!(read(&ask), Outcome::Refused(Kind::Malformed));
}

/// Answers lose what concerns a connection, and get what an answer must have.
#[test]
fn answers() {
    let mut answer = ResponseHead::new(200);
    for (name, value) in [
        ("Content-Type", "text/plain"),
        ("Connection", "close"),
        ("X-Some", "Thing"),
        ("Date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("Date", "Mon, 21 Oct 2013 20:13:22 GMT"),
        ("Server", "theirs"),
        ("Content-Length", "7"),
    ] {
        answer.headers.append(name, value.as_bytes());
    }
    let mut encoder = Encoder::new();
    let to = ToClient { server: Server::Set("ours"), len: Some(5), keeps_length: false };
    let mut out = Vec::new();
    write(&answer, &to, &mut encoder, &mut out);
    let mut found = Vec::new();
    let mut decoder = bifrons_frames::hpack::Decoder::new(10_000);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    decoder.decode(&out, |name, value| found.push((text(name), text(value)))).unwrap();
    let expected = [
        (":status", "200"),
        ("content-type", "text/plain"),
        ("x-some", "Thing"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("server", "ours"),
        ("content-length", "5"),
    ];
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}
