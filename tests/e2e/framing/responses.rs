//! What a hostile or broken origin sends becomes 502, or visibly no whole answer, and its connection is never
//! used again (RFC 9112 6.3, 8; RFC 9110 15.2.2).

use crate::support::{each, front, same};
use bifrons_testkit::{Origin, Wire};

/// An origin whose first connection answers with these bytes, and all others properly.
fn hostile(bytes: &'static [u8]) -> Origin {
    Origin::numbered(move |wire: &mut Wire, number| {
        while wire.read_request().is_some() {
            let _ = wire.try_send(if number == 0 { bytes } else { GOOD });
        }
    })
}

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";

#[test]
fn heads_that_become_502() {
    let rows: &'static [(&str, &[u8])] = &[
        (
            "length and coding",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        ("twice the same length", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
        ("list of lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello"),
        ("plus", b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"),
        ("minus", b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"),
        ("hexadecimal", b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello"),
        ("empty length", b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello"),
        ("gzip coding", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello"),
        ("gzip, chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (
            "two codings",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("coding in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("bad length of a 304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n"),
        (
            "101 nobody asked for",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        ),
        ("chunked before a comma", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
        ("identity", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello"),
        ("vertical tab", b"HTTP/1.1 200 OK\r\nContent-Length: \x0b5\r\n\r\nhello"),
        ("2^64", b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nhello"),
        ("101 of HTTP/1.0", b"HTTP/1.0 101 Switching Protocols\r\n\r\n"),
        ("two spaces", b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("NUL in the reason", b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"),
        ("control character in the reason", b"HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n"),
        ("version in small letters", b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("an empty line before", b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("bare CR before the end", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\rhello"),
        ("bare CR in Location", b"HTTP/1.1 302 Found\r\nLocation: /\rX: a\r\nContent-Length: 0\r\n\r\n"),
        ("bare CR", b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n"),
        ("lone LF", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
        ("obs-fold", b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
        ("space before the colon", b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
        ("space in a name", b"HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 0\r\n\r\n"),
        ("no colon", b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n"),
        ("NUL", b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n"),
        ("control character", b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n"),
        ("status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
        ("status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
        ("status of letters", b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"),
        ("status below 100", b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"),
        ("another version", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("no version", b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("nonsense", b"\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n"),
        ("nothing at all", b""),
    ];
    // The target says which row is answered; all other requests are answered properly.
    let origin = Origin::script(move |wire: &mut Wire| {
        while let Some(request) = wire.read_request() {
            let row = request.target()[1..].parse::<usize>().ok();
            let bytes = row.map_or(GOOD, |row| rows[row].1);
            if bytes.is_empty() || wire.try_send(bytes).is_err() {
                return;
            }
        }
    });
    let proxy = front(&origin);
    each(rows.iter().enumerate().map(|(number, (name, _))| (*name, number)), |number| {
        let answer = proxy.client().get(&format!("/{number}"));
        same(answer.status(), 502)?;
        if answer.has("X") || answer.text().contains("hello") {
            return Err(format!("parts of it were passed on: {answer:?}"));
        }
        let before = origin.connections();
        same(proxy.client().get("/next").text(), "good")?;
        // The next row may use this one's connection, but nobody the broken one.
        same(origin.connections(), before + 1)
    });
}

#[test]
fn endless_heads_become_502() {
    let field = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    let many_bytes = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(70_000));
    let many_fields = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", field.repeat(600));
    let long_line = format!("HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(70_000));
    let many_hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_001);
    for bytes in [many_bytes, many_fields, long_line, many_hints] {
        let origin = Origin::answering(&bytes);
        let proxy = front(&origin);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        let status = std::iter::repeat_with(|| client.read_response().status()).find(|status| *status != 103);
        assert_eq!(status, Some(502), "{}", &bytes[..40]);
    }
}

/// What an answer says that goes on: a length in one form, none with a 1xx (RFC 9110 8.6), no trailers that say
/// something of the message.
#[test]
fn answers_go_on_in_one_form() {
    let rows: &[(&str, (&[u8], &str))] = &[
        ("zeros", (b"HTTP/1.1 200 OK\r\nContent-Length: 010\r\n\r\n0123456789", "Content-Length: 10\r\n\r\n0123456789")),
        (
            "a length of a 103",
            (b"HTTP/1.1 103 E\r\nContent-Length: 5\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 103 E\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK"),
        ),
        (
            "a coding of a 204",
            (b"HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "HTTP/1.1 204 N\r\nDate: "),
        ),
        (
            "trailers",
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nContent-Length: 9\r\nSet-Cookie: a\r\nX-Sum: 1\r\n\r\n", "\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"),
        ),
    ];
    each(rows.iter().copied(), |(bytes, want)| {
        let origin = hostile(bytes);
        let proxy = front(&origin);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let (got, _) = client.read_to_end();
        let got = String::from_utf8_lossy(&got).into_owned();
        if got.contains(want) { Ok(()) } else { Err(format!("{got:?} has no {want:?}")) }
    });
}

#[test]
fn bodies_that_break_off_never_look_whole() {
    let rows: &[(&str, &[u8])] = &[
        ("too short for its length", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        ("chunks without an end", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        ("inside a chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello"),
        ("inside the end", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
        (
            "inside a trailer",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: a\r\n",
        ),
        (
            "bad chunk size",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n0\r\n\r\n",
        ),
        ("lone LF in chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\n\n"),
        (
            "2^64 in chunks",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
        ),
        (
            "CR in an extension",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n",
        ),
        (
            "a folded trailer",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n",
        ),
        (
            "chunk longer than said",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
        ),
    ];
    each(rows.iter().copied(), |bytes| {
        let origin = Origin::numbered(move |wire: &mut Wire, number| {
            wire.read_request();
            if number < 2 {
                wire.send(bytes);
            } else {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
            }
        });
        let proxy = front(&origin);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        let outcome = client.try_read(Some("GET"));
        if let Ok(whole) = &outcome
            && whole.status() != 502
        {
            return Err(format!("HTTP/1.1 took it for whole: {whole:?}"));
        }
        // An HTTP/1.0 client, whose only end may be the connection's, must see a reset.
        let mut client = proxy.client();
        client.send("GET / HTTP/1.0\r\n\r\n");
        let outcome = client.try_read(Some("GET"));
        if let Ok(whole) = &outcome
            && whole.status() != 502
        {
            return Err(format!("HTTP/1.0 took it for whole: {whole:?}"));
        }
        same(proxy.client().get("/").text(), "good")
    });
}

#[test]
fn what_follows_an_answer_is_never_the_next_one() {
    let rows: &[(&str, (&str, &[u8]))] = &[
        ("a second answer", ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")),
        ("a second answer after chunks", ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")),
        ("a body after HEAD", ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")),
        ("a body after 204", ("GET", b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")),
        ("a body after 304", ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")),
        ("one more byte", ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n")),
    ];
    each(rows.iter().copied(), |(method, bytes)| {
        let origin = hostile(bytes);
        let proxy = front(&origin);
        let mut client = proxy.client();
        let first = client.ask(&format!("{method} / HTTP/1.1\r\nHost: test\r\n\r\n"));
        if first.text().contains("evil") {
            return Err(format!("{first:?}"));
        }
        same(client.get("/next").text(), "good")
    });
}

#[test]
fn an_answer_nobody_asked_for_is_not_the_next_one() {
    let (said, heard) = std::sync::mpsc::channel();
    let said = std::sync::Mutex::new(said);
    let origin = Origin::numbered(move |wire: &mut Wire, number| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood");
        if number == 0 {
            // While the connection idles in the pool.
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            said.lock().unwrap().send(()).unwrap();
            wire.read_to_end();
        }
    });
    let proxy = front(&origin);
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "good");
    heard.recv().unwrap();
    assert_eq!(client.get("/").text(), "good");
}
