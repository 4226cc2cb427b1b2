//! Requests that two parsers could read differently are refused, the connection closes, and nothing of them
//! reaches the origin (RFC 9112 2.2, 3, 5, 6, 7.1; RFC 9110 5.5, 7.2, 8.6).

use crate::support::{each, front_with, same};
use bifrons_testkit::message::find;
use bifrons_testkit::{Origin, Proxy};

/// What a client that smuggles hopes to get through.
const SMUGGLED: &[u8] = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n";

/// Sends the bytes and what they try to smuggle; the status of the only answer.
fn only_status(proxy: &Proxy, bytes: &[u8]) -> Result<u16, String> {
    let mut client = proxy.client();
    // The proxy may have closed before the second part.
    let _ = client.try_send([bytes, SMUGGLED].concat());
    let answer = client.read_response();
    let close = answer.field("Connection").map(str::to_owned);
    let (rest, _) = client.read_to_end();
    if !rest.is_empty() {
        return Err(format!("a second answer: {}", rest.escape_ascii()));
    }
    if close.as_deref() != Some("close") {
        return Err(format!("{} without Connection: close", answer.status()));
    }
    Ok(answer.status())
}

fn refused(proxy: &Proxy, origin: &Origin, want: u16, bytes: &[u8]) -> Result<(), String> {
    let before = origin.received_all().len();
    let status = only_status(proxy, bytes)?;
    if status != want {
        return Err(format!("status {status}, wanted {want}"));
    }
    match &origin.received_all()[before..] {
        [] => Ok(()),
        seen => Err(format!("reached the origin: {}", seen.escape_ascii())),
    }
}

fn all_refused(want: u16, rows: &'static [(&'static str, &'static [u8])]) {
    let origin = Origin::echo();
    let proxy = front_with(&origin, ", timeouts: { linger: 1s }", "");
    each(rows.iter().copied(), |bytes| refused(&proxy, &origin, want, bytes));
}

#[test]
fn lengths_and_codings() {
    all_refused(400, &[
        ("length and coding", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("coding and length", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ("two lengths", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        ("twice the same length", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        ("a list of lengths", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5, 5\r\n\r\nhello"),
        ("a list without space", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5,5\r\n\r\nhello"),
        ("plus", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: +5\r\n\r\nhello"),
        ("minus", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: -5\r\n\r\nhello"),
        ("hexadecimal", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0x5\r\n\r\nhello"),
        ("fraction", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5.0\r\n\r\nhello"),
        ("letters", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: five\r\n\r\nhello"),
        ("space inside", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5 5\r\n\r\nhello"),
        ("empty length", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length:\r\n\r\nhello"),
        ("more than 64 bits", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 18446744073709551621\r\n\r\nhello"),
        ("not ASCII", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: \xc2\xb25\r\n\r\nhello"),
        ("chunked, gzip", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        ("chunked, chunked", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        ("identity", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: identity\r\n\r\n"),
        ("xchunked", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("quoted", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
        ("with parameter", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
        ("empty coding", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n"),
        ("vertical tab", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
        ("two codings", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("coding and identity", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        ("coding in HTTP/1.0", b"POST / HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("chunked behind a comma", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
        ("chunked before a comma", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
        ("chunked, identity", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ("in single quotes", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\n"),
        ("form feed", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n"),
        ("NUL behind it", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"),
        ("a letter that looks like k", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chun\xe2\x84\xaaed\r\n\r\n0\r\n\r\n"),
        ("space before the colon of a coding", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("vertical tab before its colon", b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding\x0b: chunked\r\n\r\n0\r\n\r\n"),
        ("a coding behind a space", b"POST / HTTP/1.1\r\nHost: test\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("2^64", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 18446744073709551616\r\n\r\nhello"),
        ("2^63", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9223372036854775808\r\n\r\nhello"),
        ("a length with a comma behind", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5,\r\n\r\nhello"),
        ("a length with an underscore", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5_0\r\n\r\nhello"),
        ("a length with an exponent", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5e0\r\n\r\nhello"),
        ("more zeros than digits", b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 00000000000000000000005\r\n\r\nhello"),
        ("bad length of a GET", b"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n"),
    ]);
}

#[test]
fn lines_and_fields() {
    all_refused(
        400,
        &[
            ("bare CR in a value", b"GET / HTTP/1.1\r\nHost: test\r\nX: a\rb\r\n\r\n"),
            ("bare CR as line end", b"GET / HTTP/1.1\r\nHost: test\rX: a\r\n\r\n"),
            ("CR CR LF", b"GET / HTTP/1.1\r\nHost: test\r\r\n\r\n"),
            ("lone LF after the request line", b"GET / HTTP/1.1\nHost: test\r\n\r\n"),
            ("lone LF after a field", b"GET / HTTP/1.1\r\nHost: test\nX: a\r\n\r\n"),
            ("lone LF as the end", b"GET / HTTP/1.1\r\nHost: test\r\n\n"),
            ("only LF", b"GET / HTTP/1.1\nHost: test\n\n"),
            ("obs-fold", b"GET / HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n"),
            ("obs-fold with a tab", b"GET / HTTP/1.1\r\nHost: test\r\nX: a\r\n\tb\r\n\r\n"),
            ("a fold before the first field", b"GET / HTTP/1.1\r\n Host: test\r\n\r\n"),
            ("space before the colon", b"GET / HTTP/1.1\r\nHost : test\r\n\r\n"),
            ("tab before the colon", b"GET / HTTP/1.1\r\nHost: test\r\nX\t: a\r\n\r\n"),
            (
                "space before the colon of a length",
                b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length : 5\r\n\r\nhello",
            ),
            ("space in a name", b"GET / HTTP/1.1\r\nHost: test\r\nX Y: a\r\n\r\n"),
            ("no colon", b"GET / HTTP/1.1\r\nHost: test\r\nnonsense\r\n\r\n"),
            ("no name", b"GET / HTTP/1.1\r\nHost: test\r\n: a\r\n\r\n"),
            ("control character in a value", b"GET / HTTP/1.1\r\nHost: test\r\nX: a\x01b\r\n\r\n"),
            ("DEL in a value", b"GET / HTTP/1.1\r\nHost: test\r\nX: a\x7fb\r\n\r\n"),
            ("NUL in a value", b"GET / HTTP/1.1\r\nHost: test\r\nX: a\0b\r\n\r\n"),
            ("NUL in a name", b"GET / HTTP/1.1\r\nHost: test\r\nX\0: a\r\n\r\n"),
            ("not ASCII in a name", b"GET / HTTP/1.1\r\nHost: test\r\nX\xff: a\r\n\r\n"),
            ("parenthesis in a name", b"GET / HTTP/1.1\r\nHost: test\r\nX(y): a\r\n\r\n"),
        ],
    );
}

#[test]
fn request_lines() {
    all_refused(
        400,
        &[
            ("method with a parenthesis", b"GE(T / HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("method with NUL", b"G\0T / HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("no method", b" / HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("two spaces", b"GET  / HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("tab", b"GET\t/ HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("space in the target", b"GET /a b HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("control character in the target", b"GET /a\x01b HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("NUL in the target", b"GET /a\0b HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("not ASCII in the target", b"GET /\xc3\xa4 HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("fragment in the target", b"GET /a#b HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("an authority without a scheme", b"GET @test HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("one slash behind the scheme", b"GET http:/test HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("only a query", b"GET ?a HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("a preface of HTTP/2", b"PRI * HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("target without a slash", b"GET a HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("* of a GET", b"GET * HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("target of another scheme", b"GET ftp://test/ HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("absolute target without host", b"GET http:///a HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("absolute target with user", b"GET http://a@test/ HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("CONNECT without port", b"CONNECT test HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("no target", b"GET HTTP/1.1\r\nHost: test\r\n\r\n"),
            ("HTTP/0.9", b"GET /\r\n\r\n"),
            ("version in small letters", b"GET / http/1.1\r\nHost: test\r\n\r\n"),
            ("version without a dot", b"GET / HTTP/11\r\nHost: test\r\n\r\n"),
            ("version with two digits", b"GET / HTTP/1.11\r\nHost: test\r\n\r\n"),
            ("version with a plus", b"GET / HTTP/1.+1\r\nHost: test\r\n\r\n"),
            ("space behind the version", b"GET / HTTP/1.1 \r\nHost: test\r\n\r\n"),
            ("nonsense", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        ],
    );
}

/// A client may send what is meant for its tunnel before it knows that there is none.
#[test]
fn what_comes_behind_a_connect_is_no_request() {
    all_refused(405, &[("CONNECT", b"CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n")]);
}

/// Another protocol's first bytes have no line that would end, and nobody waits for one.
#[test]
fn what_can_not_become_a_request_is_refused_at_its_first_bytes() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, ", timeouts: { head: 1h }", "");
    let rows: &[(&str, &[u8])] = &[
        ("a handshake of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("a startup of PostgreSQL", b"\x00\x00\x00\x08\x04\xd2\x16\x2f"),
    ];
    each(rows.iter().copied(), |bytes| {
        let mut client = proxy.client();
        client.send(bytes);
        same(client.read_response().status(), 400)
    });
    // What may become one is waited for.
    let mut client = proxy.client();
    client.send("GE").send("T / HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.read_response().status(), 200);
}

#[test]
fn versions_that_we_do_not_speak() {
    all_refused(
        505,
        &[
            ("HTTP/2.0", b"GET / HTTP/2.0\r\nHost: test\r\n\r\n"),
            ("HTTP/3.0", b"GET / HTTP/3.0\r\nHost: test\r\n\r\n"),
            ("HTTP/0.9", b"GET / HTTP/0.9\r\nHost: test\r\n\r\n"),
        ],
    );
}

#[test]
fn hosts() {
    all_refused(
        400,
        &[
            ("none", b"GET / HTTP/1.1\r\n\r\n"),
            ("two", b"GET / HTTP/1.1\r\nHost: test\r\nHost: other\r\n\r\n"),
            ("twice the same", b"GET / HTTP/1.1\r\nHost: test\r\nHost: test\r\n\r\n"),
            ("list", b"GET / HTTP/1.1\r\nHost: test, other\r\n\r\n"),
            ("space", b"GET / HTTP/1.1\r\nHost: te st\r\n\r\n"),
            ("slash", b"GET / HTTP/1.1\r\nHost: test/a\r\n\r\n"),
            ("user", b"GET / HTTP/1.1\r\nHost: user@test\r\n\r\n"),
            ("port of letters", b"GET / HTTP/1.1\r\nHost: test:http\r\n\r\n"),
            ("port too large", b"GET / HTTP/1.1\r\nHost: test:65536\r\n\r\n"),
            ("two ports", b"GET / HTTP/1.1\r\nHost: test:80:80\r\n\r\n"),
            ("a second one with a space", b"GET / HTTP/1.1\r\nHost: test\r\nHost : other\r\n\r\n"),
            ("backslash", b"GET / HTTP/1.1\r\nHost: test\\other\r\n\r\n"),
            ("query", b"GET / HTTP/1.1\r\nHost: test?other\r\n\r\n"),
            ("angle brackets", b"GET / HTTP/1.1\r\nHost: <test>\r\n\r\n"),
            ("none beside an absolute target", b"GET http://test/ HTTP/1.1\r\n\r\n"),
            ("open bracket", b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
            ("behind the bracket", b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
            ("not ASCII", b"GET / HTTP/1.1\r\nHost: t\xe4st\r\n\r\n"),
            ("another than the target's", b"GET http://test/ HTTP/1.1\r\nHost: other\r\n\r\n"),
            ("another port than the target's", b"GET http://test:81/ HTTP/1.1\r\nHost: test\r\n\r\n"),
            (
                "two beside an absolute target",
                b"GET http://test/ HTTP/1.1\r\nHost: test\r\nHost: test\r\n\r\n",
            ),
        ],
    );
}

/// A chunked body is on its way to the origin before its flaw shows. Then the origin never gets its end.
#[test]
fn chunked_framing() {
    let rows: &[(&str, &[u8])] = &[
        ("0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
        ("plus", b"+5\r\nhello\r\n0\r\n\r\n"),
        ("minus", b"-5\r\nhello\r\n0\r\n\r\n"),
        ("space before", b" 5\r\nhello\r\n0\r\n\r\n"),
        ("space behind", b"5 \r\nhello\r\n0\r\n\r\n"),
        ("tab behind", b"5\t\r\nhello\r\n0\r\n\r\n"),
        ("no digit", b"\r\nhello\r\n0\r\n\r\n"),
        ("only an extension", b";a=b\r\nhello\r\n0\r\n\r\n"),
        ("letter", b"g\r\nhello\r\n0\r\n\r\n"),
        ("digit that is none", b"5_0\r\nhello\r\n0\r\n\r\n"),
        ("17 digits", b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("2^64", b"10000000000000000\r\nhello\r\n0\r\n\r\n"),
        ("2^64 and 5", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("space before an extension", b"5 ;a=b\r\nhello\r\n0\r\n\r\n"),
        ("control character in an extension", b"5;a=\x01\r\nhello\r\n0\r\n\r\n"),
        ("a quote that is not closed", b"5;a=\"\r\nhello\r\n0\r\n\r\n"),
        ("CR CR LF behind the size", b"5\r\r\nhello\r\n0\r\n\r\n"),
        ("a fold before the first trailer", b"5\r\nhello\r\n0\r\n X: a\r\n\r\n"),
        ("a request in place of trailers", b"5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n"),
        ("nothing behind the data", b"5\r\nhello0\r\n\r\n"),
        ("overflow", b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
        ("63 bits", b"8000000000000000\r\nhello\r\n0\r\n\r\n"),
        ("lone LF behind the size", b"5\nhello\r\n0\r\n\r\n"),
        ("lone CR behind the size", b"5\rhello\r\n0\r\n\r\n"),
        ("lone LF behind the data", b"5\r\nhello\n0\r\n\r\n"),
        ("lone CR behind the data", b"5\r\nhello\r0\r\n\r\n"),
        ("more data than said", b"3\r\nhello\r\n0\r\n\r\n"),
        ("less data than said", b"7\r\nhello\r\n0\r\n\r\n"),
        ("LF in an extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("CR in an extension", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
        ("NUL in an extension", b"5;a\0b\r\nhello\r\n0\r\n\r\n"),
        ("lone LF behind the last chunk", b"5\r\nhello\r\n0\n\r\n"),
        ("lone LF as the end", b"5\r\nhello\r\n0\r\n\n"),
        ("space in a trailer's name", b"5\r\nhello\r\n0\r\nX : a\r\n\r\n"),
        ("folded trailer", b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n"),
        ("lone LF in trailers", b"5\r\nhello\r\n0\r\nX: a\nY: b\r\n\r\n"),
        ("bare CR in trailers", b"5\r\nhello\r\n0\r\nX: a\rY: b\r\n\r\n"),
        ("no colon in trailers", b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n"),
    ];
    let origin = Origin::script(|wire| {
        wire.read_to_end();
    });
    let proxy = front_with(&origin, ", timeouts: { linger: 1s }", "");
    each(rows.iter().copied(), |body| {
        let before = origin.connections();
        let head = b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
        let status = only_status(&proxy, &[head.as_slice(), body].concat())?;
        let seen: Vec<u8> =
            (before..origin.connections()).flat_map(|number| origin.received(number)).collect();
        if find(&seen, b"smuggled").is_some() || find(&seen, b"0\r\n\r\n").is_some() {
            return Err(format!("the origin took it for whole: {}", seen.escape_ascii()));
        }
        crate::support::same(status, 400)
    });
}

#[test]
fn endless_extensions_are_refused() {
    let origin = Origin::script(|wire| {
        wire.read_to_end();
    });
    let proxy = front_with(&origin, ", timeouts: { linger: 1s }", "");
    let body = format!("5;a={}\r\nhello\r\n0\r\n\r\n", "x".repeat(10_000));
    let request = format!("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    assert_eq!(only_status(&proxy, request.as_bytes()), Ok(400));
}

#[test]
fn a_listener_may_take_a_lone_lf_in_heads_only() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, ", lone_lf: accept, timeouts: { linger: 1s }", "");
    let mut client = proxy.client();
    client.send("POST /lf HTTP/1.1\nHost: test\r\nX: a\nContent-Length: 2\n\nhi");
    let request = client.read_response().echoed();
    assert_eq!((request.target(), request.field("X"), request.text()), ("/lf", Some("a"), "hi"));
    assert!(find(&origin.received(0), b"X: a\r\n").is_some(), "what goes on always has CRLF");
    for bare_cr in
        [b"GET / HTTP/1.1\nHost: test\nX: a\rb\n\n".as_slice(), b"GET / HTTP/1.1\nHost: test\nX: a\n b\n\n"]
    {
        assert_eq!(only_status(&proxy, bare_cr), Ok(400));
    }
}

#[test]
fn chunked_framing_takes_no_lone_lf_whatever_the_listener_says() {
    let origin = Origin::script(|wire| {
        wire.read_to_end();
    });
    let proxy = front_with(&origin, ", lone_lf: accept, timeouts: { linger: 1s }", "");
    for body in ["5\nhello\n0\n\n", "5\r\nhello\n0\r\n\r\n", "0\n\n", "0\r\nX: a\n\r\n", "0\r\n\n"] {
        let request = format!("POST / HTTP/1.1\nHost: test\nTransfer-Encoding: chunked\n\n{body}");
        assert_eq!(only_status(&proxy, request.as_bytes()), Ok(400), "{body:?}");
    }
}

/// What one parser reads as decimal is octal for another; with `_` for `-` CGI and its kin can't tell a coding from
/// the real one.
#[test]
fn lengths_go_on_in_one_form_and_nothing_passes_for_one() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, "", "");
    let seen = crate::support::echoed(
        &proxy,
        "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 010\r\n\r\n0123456789",
    );
    assert_eq!((seen.field("Content-Length"), seen.text()), (Some("10"), "0123456789"));
    for trust in ["", ", client: { trusted: [127.0.0.0/8] }"] {
        let proxy = front_with(&origin, trust, "");
        let request = "POST / HTTP/1.1\r\nHost: test\r\nTransfer_Encoding: chunked\r\nContent_Length: 99\r\n\
                       transfer_encoding: x\r\nX_Other: 1\r\nContent-Length: 2\r\n\r\nhi";
        let seen = crate::support::echoed(&proxy, request);
        let names: Vec<_> = seen.fields.iter().filter(|(name, _)| name.contains('_')).collect();
        assert_eq!(names, [&("X_Other".to_owned(), "1".to_owned())], "{trust}");
        assert_eq!(seen.text(), "hi");
    }
}

/// Trailers that frame, route, authenticate or claim are left out (RFC 9110 6.5.1).
#[test]
fn trailers_say_nothing_of_the_message() {
    let origin = Origin::script(|wire| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        wire.read_to_end();
    });
    let proxy = front_with(&origin, "", "");
    let trailers = "Content-Length: 9\r\nTransfer-Encoding: chunked\r\nHost: evil\r\nAuthorization: evil\r\n\
                    X-Forwarded-For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nContent_Length: 9\r\nX-Sum: 1\r\n";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n{trailers}\r\n"
    );
    assert_eq!(proxy.client().ask(&request).status(), 200);
    let seen = origin.received(0);
    let end = find(&seen, b"hello\r\n").unwrap();
    assert_eq!(&seen[end..], b"hello\r\n0\r\nX-Sum: 1\r\n\r\n", "{}", seen.escape_ascii());
}

#[test]
fn what_is_legal_though_odd_passes() {
    let origin = Origin::echo();
    let proxy = front_with(&origin, "", "");
    let rows: &[(&str, &str)] = &[
        ("spaces around a length", "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: \t 2 \t\r\n\r\nhi"),
        ("zeros before a length", "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 002\r\n\r\nhi"),
        (
            "coding in capitals",
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        ),
        (
            "chunk size in capitals",
            "POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0002;A=\"b\"\r\nhi\r\n000\r\n\r\n",
        ),
        ("method of our own", "BREW_it / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi"),
        ("newer minor version", "POST / HTTP/1.2\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi"),
        ("IPv6 host", "POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 2\r\n\r\nhi"),
        ("no space behind a colon", "POST / HTTP/1.1\r\nHost:test\r\nContent-Length:2\r\n\r\nhi"),
        ("body of a GET", "GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi"),
    ];
    each(rows.iter().copied(), |request| {
        let mut client = proxy.client();
        let answer = client.ask(request);
        crate::support::same(answer.status(), 200)?;
        crate::support::same(answer.echoed().text(), "hi")?;
        crate::support::same(client.get("/next").echoed().target(), "/next")
    });
}

/// RFC 9112 6.1 wants 501 for a coding that is not understood, 6.3 wants 400 where the last one is not chunked.
#[test]
fn a_coding_that_is_not_known() {
    all_refused(
        501,
        &[
            (
                "gzip, chunked",
                b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            ),
            (
                "an unknown one",
                b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: foo,\tCHUNKED\r\n\r\n0\r\n\r\n",
            ),
        ],
    );
}

/// RFC 9110 7.4: what was asked for by https must not be answered as if it had come by it.
#[test]
fn a_target_with_https_needs_tls_or_a_proxy_that_had_it() {
    let origin = Origin::saying("ok");
    let request = "GET https://test/a HTTP/1.1\r\nHost: test\r\n\r\n";
    let proxy = front_with(&origin, ", timeouts: { linger: 1s }", "");
    assert_eq!(proxy.client().ask(request).status(), 400);
    assert_eq!(proxy.client().ask(&request.replace("https", "http")).status(), 200);
    let trusting = front_with(&origin, ", client: { trusted: [127.0.0.0/8] }", "");
    assert_eq!(trusting.client().ask(request).status(), 200);
}

#[test]
fn a_redirect_to_https_needs_a_host() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", redirect: https, timeouts: { linger: 1s }", "");
    for head in ["GET /a HTTP/1.0\r\n", "GET /a HTTP/1.1\r\nHost:\r\n"] {
        let answer = proxy.client().ask(&format!("{head}\r\n"));
        assert_eq!((answer.status(), answer.has("Location")), (400, false), "{head}");
    }
    let answer = proxy.client().ask("GET /a HTTP/1.0\r\nHost: test:80\r\n\r\n");
    assert_eq!((answer.status(), answer.field("Location")), (308, Some("https://test/a")));
}

/// What nginx takes and what it refuses, each by a key of its own.
#[test]
fn raw_targets_and_empty_hosts() {
    let origin = Origin::echo();
    let raw = "GET /\u{e4}?\u{e4} HTTP/1.1\r\nHost: test\r\n\r\n";
    let nameless = "GET / HTTP/1.1\r\nHost:\r\n\r\n";
    let strict = front_with(&origin, ", timeouts: { linger: 1s }", "");
    let lax = front_with(&origin, ", raw_targets: accept, empty_host: refuse, timeouts: { linger: 1s }", "");
    let status = |proxy: &Proxy, request: &str| proxy.client().ask(request).status();
    assert_eq!([status(&strict, raw), status(&lax, raw)], [400, 200]);
    assert_eq!([status(&strict, nameless), status(&lax, nameless)], [200, 400]);
    let no_host = "GET / HTTP/1.0\r\n\r\n";
    assert_eq!(status(&lax, no_host), 200, "none is another matter");
    for text in ["/a b", "/a\u{7f}", "/a#b", "/a\tb"] {
        assert_eq!(status(&lax, &format!("GET {text} HTTP/1.1\r\nHost: test\r\n\r\n")), 400);
    }
}
