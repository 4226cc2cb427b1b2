//! What RFC 9113 says about frames that break its rules, case by case: which end the connection, which
//! their stream.

use crate::support::{each, front};
use bifrons_testkit::Origin;
use bifrons_testkit::frames::{Frame, Frames, PREFACE, block, code, flag, kind, request};

/// What is to come of it. PROTOCOL_ERROR does for every other code (5.4), and an error of the connection for
/// one of a stream (5.4.1).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// GOAWAY with that code.
    Goaway(u32),
    /// RST_STREAM with that code; the connection lives.
    Reset(u32),
    /// An answer of that status.
    Status(u16),
    /// The connection lives, and nothing else is said.
    Nothing,
}

const PROTOCOL: Fate = Fate::Goaway(code::PROTOCOL_ERROR);
const SIZE: Fate = Fate::Goaway(code::FRAME_SIZE_ERROR);
const MALFORMED: Fate = Fate::Reset(code::PROTOCOL_ERROR);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    Frame::bytes(kind, flags, stream, payload)
}

/// A request on stream 1 with these fields in place of, or behind, the usual ones.
fn asks(change: &[(&str, &str)]) -> Vec<u8> {
    let mut fields = request("GET", "/");
    for (name, value) in change {
        match fields.iter_mut().find(|(there, _)| there == name && name.starts_with(':')) {
            Some((_, old)) => *old = value,
            None => fields.push((name, value)),
        }
    }
    frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(&fields))
}

/// A request on stream 1 with exactly these fields.
fn asks_only(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &block(fields))
}

/// A request on stream 1 whose body is still to come.
fn opens(more: &[(&str, &str)]) -> Vec<u8> {
    let mut fields = request("POST", "/slow");
    fields.extend_from_slice(more);
    frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&fields))
}

#[track_caller]
fn check(rows: impl IntoIterator<Item = (&'static str, (Vec<u8>, Fate))>) {
    let origin = Origin::script(|wire| {
        // What is reset on its way ends in the middle.
        while let Ok(request) = wire.try_read(None) {
            if request.target() == "/slow" {
                return drop(wire.read_to_end());
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let proxy = front(&origin);
    each(rows, |(bytes, fate)| {
        let mut client = Frames::connect(proxy.addr("web"));
        client.wire.send(bytes).send(frame(kind::PING, 0, 0, b"and now?"));
        let mut seen = Fate::Nothing;
        // Bounded by the deadline of reads.
        loop {
            let (got, is_end) = match client.read() {
                Ok(frame) if frame.kind == kind::GOAWAY => {
                    let got = frame.goaway().1;
                    match fate {
                        Fate::Goaway(code) | Fate::Reset(code)
                            if got == code || got == code::PROTOCOL_ERROR =>
                        {
                            return Ok(());
                        }
                        _ => return Err(format!("GOAWAY {got}, wanted {fate:?}")),
                    }
                }
                Ok(frame) if frame.kind == kind::RST_STREAM => (Fate::Reset(frame.reset_code()), true),
                Ok(frame) if frame.kind == kind::HEADERS => (Fate::Status(frame.status().unwrap_or(0)), true),
                Ok(frame) if frame.kind == kind::PING => (Fate::Nothing, fate == Fate::Nothing),
                Ok(_) => continue,
                Err(end) => return Err(format!("the connection ended ({end:?}), wanted {fate:?}")),
            };
            if got != Fate::Nothing {
                seen = got;
            }
            if is_end {
                break;
            }
        }
        if seen != fate {
            return Err(format!("{seen:?}, wanted {fate:?}"));
        }
        client.assert_alive();
        Ok(())
    });
}

#[test]
fn frames_where_they_do_not_belong() {
    let long = vec![0; 16_385];
    check([
        ("5.1 DATA on an idle stream", (frame(kind::DATA, 0, 1, b"x"), PROTOCOL)),
        ("5.1 RST_STREAM on an idle stream", (frame(kind::RST_STREAM, 0, 1, &[0; 4]), PROTOCOL)),
        ("5.1 WINDOW_UPDATE on an idle stream", (frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), PROTOCOL)),
        ("5.1 CONTINUATION on an idle stream", (frame(kind::CONTINUATION, 4, 1, b""), PROTOCOL)),
        ("5.1 PRIORITY on an idle stream", (frame(kind::PRIORITY, 0, 1, &[0; 5]), Fate::Nothing)),
        ("5.1.1 an even stream", (frame(kind::HEADERS, 5, 2, &block(&request("GET", "/"))), PROTOCOL)),
        ("6.1 DATA on stream 0", (frame(kind::DATA, 0, 0, b"x"), PROTOCOL)),
        (
            "6.1 padding longer than the frame",
            ([opens(&[]), frame(kind::DATA, 8, 1, &[9, 0])].concat(), PROTOCOL),
        ),
        ("6.2 HEADERS on stream 0", (frame(kind::HEADERS, 5, 0, &block(&request("GET", "/"))), PROTOCOL)),
        ("6.2 padding longer than the frame", (frame(kind::HEADERS, 13, 1, &[200, 0]), PROTOCOL)),
        ("6.3 PRIORITY on stream 0", (frame(kind::PRIORITY, 0, 0, &[0; 5]), PROTOCOL)),
        ("6.4 RST_STREAM on stream 0", (frame(kind::RST_STREAM, 0, 0, &[0; 4]), PROTOCOL)),
        (
            "6.4 RST_STREAM of three bytes",
            ([opens(&[]), frame(kind::RST_STREAM, 0, 1, &[0; 3])].concat(), SIZE),
        ),
        ("6.5 SETTINGS with ACK and a payload", (frame(kind::SETTINGS, 1, 0, &[0; 6]), SIZE)),
        ("6.5 SETTINGS on a stream", (frame(kind::SETTINGS, 0, 1, b""), PROTOCOL)),
        ("6.5 SETTINGS of five bytes", (frame(kind::SETTINGS, 0, 0, &[0; 5]), SIZE)),
        ("6.5.2 ENABLE_PUSH of 2", (frame(kind::SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2]), PROTOCOL)),
        (
            "6.5.2 a first window too large",
            (frame(kind::SETTINGS, 0, 0, &[0, 4, 0x80, 0, 0, 0]), Fate::Goaway(code::FLOW_CONTROL_ERROR)),
        ),
        ("6.5.2 a frame size too small", (frame(kind::SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]), PROTOCOL)),
        ("6.5.2 an unknown setting", (frame(kind::SETTINGS, 0, 0, &[0xff, 0, 0, 0, 0, 1]), Fate::Nothing)),
        ("6.6 PUSH_PROMISE from a client", (frame(kind::PUSH_PROMISE, 4, 1, &[0, 0, 0, 2]), PROTOCOL)),
        ("6.7 PING on a stream", (frame(kind::PING, 0, 1, &[0; 8]), PROTOCOL)),
        ("6.7 PING of six bytes", (frame(kind::PING, 0, 0, &[0; 6]), SIZE)),
        ("6.8 GOAWAY on a stream", (frame(kind::GOAWAY, 0, 1, &[0; 8]), PROTOCOL)),
        ("6.9 a connection's window by 0", (frame(kind::WINDOW_UPDATE, 0, 0, &[0; 4]), PROTOCOL)),
        ("6.9 WINDOW_UPDATE of three bytes", (frame(kind::WINDOW_UPDATE, 0, 0, &[0; 3]), SIZE)),
        (
            "6.9.1 a connection's window too large",
            (
                frame(kind::WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]),
                Fate::Goaway(code::FLOW_CONTROL_ERROR),
            ),
        ),
        ("4.2 a frame too large", ([opens(&[]), frame(kind::DATA, 0, 1, &long)].concat(), SIZE)),
        (
            "4.3 a block that is none",
            (
                frame(kind::HEADERS, 5, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
                Fate::Goaway(code::COMPRESSION_ERROR),
            ),
        ),
        ("5.5 an unknown frame", (frame(0xee, 0, 0, b"what is this"), Fate::Nothing)),
        (
            "6.10 something between HEADERS and CONTINUATION",
            (
                [frame(kind::HEADERS, 1, 1, &block(&request("GET", "/"))), frame(kind::PING, 0, 0, &[0; 8])]
                    .concat(),
                PROTOCOL,
            ),
        ),
    ]);
}

#[test]
fn streams_in_the_wrong_state() {
    let closed = |kind: u8, flags: u8, payload: &[u8]| {
        [asks(&[(":path", "/slow")]), frame(kind, flags, 1, payload)].concat()
    };
    check([
        ("5.1 DATA behind the end", (closed(kind::DATA, 0, b"x"), Fate::Reset(code::STREAM_CLOSED))),
        (
            "5.1 HEADERS behind the end",
            (closed(kind::HEADERS, 5, &block(&[("a", "b")])), Fate::Reset(code::STREAM_CLOSED)),
        ),
        ("5.1.1 a stream that was passed over", {
            let later = frame(kind::HEADERS, 5, 5, &block(&request("GET", "/slow")));
            let earlier = frame(kind::HEADERS, 5, 3, &block(&request("GET", "/slow")));
            ([later, earlier].concat(), PROTOCOL)
        }),
        (
            "6.9 a stream's window by 0",
            ([opens(&[]), frame(kind::WINDOW_UPDATE, 0, 1, &[0; 4])].concat(), MALFORMED),
        ),
        (
            "6.9.1 a stream's window too large",
            (
                [opens(&[]), frame(kind::WINDOW_UPDATE, 0, 1, &[0x7f, 255, 255, 255])].concat(),
                Fate::Reset(code::FLOW_CONTROL_ERROR),
            ),
        ),
        (
            "8.1 trailers that do not end the stream",
            (
                [opens(&[]), frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&[("a", "b")]))].concat(),
                MALFORMED,
            ),
        ),
        (
            "8.1.1 a body longer than it says",
            ([opens(&[("content-length", "1")]), frame(kind::DATA, 1, 1, b"xy")].concat(), MALFORMED),
        ),
        (
            "8.1.1 a body shorter than it says",
            ([opens(&[("content-length", "3")]), frame(kind::DATA, 1, 1, b"xy")].concat(), MALFORMED),
        ),
    ]);
}

#[test]
fn heads_that_break_the_rules() {
    check([
        ("a good one", (asks(&[]), Fate::Status(200))),
        ("8.2.1 an upper-case name", (asks(&[("X-Upper", "1")]), MALFORMED)),
        ("8.2.1 a space in a name", (asks(&[("x y", "1")]), MALFORMED)),
        ("8.2.1 a line end in a value", (asks(&[("x-a", "1\r\nx-b: 2")]), MALFORMED)),
        ("8.2.1 NUL in a value", (asks(&[("x-a", "1\0")]), MALFORMED)),
        ("8.2.2 connection", (asks(&[("connection", "close")]), MALFORMED)),
        ("8.2.2 keep-alive", (asks(&[("keep-alive", "1")]), MALFORMED)),
        ("8.2.2 proxy-connection", (asks(&[("proxy-connection", "close")]), MALFORMED)),
        ("8.2.2 transfer-encoding", (asks(&[("transfer-encoding", "chunked")]), MALFORMED)),
        ("8.2.2 upgrade", (asks(&[("upgrade", "websocket")]), MALFORMED)),
        ("8.2.2 te other than trailers", (asks(&[("te", "gzip")]), MALFORMED)),
        ("8.2.2 te: trailers", (asks(&[("te", "trailers")]), Fate::Status(200))),
        ("8.3 an unknown pseudo-field", (asks(&[(":test", "1")]), MALFORMED)),
        ("8.3 a pseudo-field of answers", (asks(&[(":status", "200")]), MALFORMED)),
        ("8.3 a pseudo-field behind a field", {
            let fields = [(":method", "GET"), (":scheme", "http"), ("a", "b"), (":path", "/")];
            (asks_only(&fields), MALFORMED)
        }),
        ("8.3 a pseudo-field twice", {
            let fields = [(":method", "GET"), (":method", "GET"), (":scheme", "http"), (":path", "/")];
            (asks_only(&fields), MALFORMED)
        }),
        (
            "8.3.1 no method",
            (asks_only(&[(":scheme", "http"), (":path", "/"), (":authority", "a")]), MALFORMED),
        ),
        (
            "8.3.1 no scheme",
            (asks_only(&[(":method", "GET"), (":path", "/"), (":authority", "a")]), MALFORMED),
        ),
        (
            "8.3.1 no path",
            (asks_only(&[(":method", "GET"), (":scheme", "http"), (":authority", "a")]), MALFORMED),
        ),
        ("8.3.1 an empty path", (asks(&[(":path", "")]), MALFORMED)),
        ("8.3.1 a path without slash", (asks(&[(":path", "a")]), MALFORMED)),
        ("8.3.1 a space in a path", (asks(&[(":path", "/a b")]), MALFORMED)),
        ("8.3.1 Host alone", {
            let fields = [(":method", "GET"), (":scheme", "http"), (":path", "/"), ("host", "a")];
            (asks_only(&fields), Fate::Status(200))
        }),
        ("8.3.1 two that agree", (asks(&[("host", "test")]), Fate::Status(200))),
        ("8.3.1 two that differ", (asks(&[("host", "other")]), Fate::Status(400))),
        ("a content-length that is none", (asks(&[("content-length", "x")]), MALFORMED)),
        ("a content-length without body", (asks(&[("content-length", "3")]), MALFORMED)),
    ]);
}

/// A request on stream 1 whose block ends with these bytes.
fn asks_with(end: &[u8]) -> Vec<u8> {
    let bytes = [&block(&request("GET", "/")), end].concat();
    frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &bytes)
}

/// RFC 7541: an error in a block ends the connection (RFC 9113 4.3), since both tables are no longer the same.
#[test]
fn blocks_that_cannot_be_read() {
    const BROKEN: Fate = Fate::Goaway(code::COMPRESSION_ERROR);
    check([
        ("2.3.3 a place behind the table", (asks_with(&[0x80 | 70]), BROKEN)),
        ("2.3.3 a name's place behind the table", (asks_with(&[0x40 | 63, 1, b'x']), BROKEN)),
        ("6.1 place 0", (asks_with(&[0x80]), BROKEN)),
        ("4.2 a new size of the table behind a field", (asks_with(&[0x20]), BROKEN)),
        ("6.3 a table larger than allowed", {
            let bytes = [&[0x3f, 0xe2, 0x1f][..], &block(&request("GET", "/"))].concat();
            (frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &bytes), BROKEN)
        }),
        ("6.3 a smaller table", {
            let bytes = [&[0x20][..], &block(&request("GET", "/"))].concat();
            (frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, &bytes), Fate::Status(200))
        }),
        ("5.2 padding of Huffman's code that is no ones", (asks_with(&[0, 1, b'a', 0x81, 0x18]), BROKEN)),
        (
            "5.2 the end of a string in Huffman's code",
            (asks_with(&[0, 1, b'a', 0x84, 255, 255, 255, 255]), BROKEN),
        ),
        (
            "5.1 a number without end",
            (asks_with(&[0, 1, b'a', 0x7f, 255, 255, 255, 255, 255, 255, 255, 255, 1]), BROKEN),
        ),
        ("5.2 a string longer than the block", (asks_with(&[0, 1, b'a', 100, b'x']), BROKEN)),
    ]);
}

/// What h2spec looks at besides.
#[test]
fn frames_around_blocks_and_states() {
    let head = block(&request("GET", "/"));
    let split = |second: Vec<u8>| [frame(kind::HEADERS, flag::END_STREAM, 1, &head[..10]), second].concat();
    let slow = block(&request("GET", "/slow"));
    let over = |bytes: Vec<u8>| {
        [opens(&[]), frame(kind::RST_STREAM, 0, 1, &code::CANCEL.to_be_bytes()), bytes].concat()
    };
    check([
        ("4.1 flags that mean nothing", (frame(kind::PING, 0xfe, 0, &[0; 8]), Fate::Nothing)),
        ("4.1 the reserved bit", (frame(kind::PING, 0, 1 << 31, &[0; 8]), Fate::Nothing)),
        ("4.2 HEADERS too large", (frame(kind::HEADERS, 5, 1, &vec![0; 16_385]), SIZE)),
        (
            "5.1 DATA on a closed stream",
            (over(frame(kind::DATA, 0, 1, b"x")), Fate::Reset(code::STREAM_CLOSED)),
        ),
        (
            "5.1 WINDOW_UPDATE on a closed stream",
            (over(frame(kind::WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])), Fate::Nothing),
        ),
        ("5.1 RST_STREAM on a closed stream", (over(frame(kind::RST_STREAM, 0, 1, &[0; 4])), Fate::Nothing)),
        (
            "5.1 PRIORITY on a closed stream",
            (over(frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 3, 1])), Fate::Nothing),
        ),
        ("5.5 an unknown frame within a block", (split(frame(0xee, 0, 0, b"x")), PROTOCOL)),
        (
            "6.2 HEADERS of another stream within a block",
            (split(frame(kind::HEADERS, 5, 3, &head)), PROTOCOL),
        ),
        ("6.2 PRIORITY within a block", (split(frame(kind::PRIORITY, 0, 1, &[0; 5])), PROTOCOL)),
        ("6.2 DATA within a block", (split(frame(kind::DATA, 0, 1, b"x")), PROTOCOL)),
        ("6.2 padded HEADERS", {
            let bytes = [&[3][..], &head, &[0; 3]].concat();
            (frame(kind::HEADERS, 5 | flag::PADDED, 1, &bytes), Fate::Status(200))
        }),
        (
            "6.3 PRIORITY of four bytes",
            (
                [opens(&[]), frame(kind::PRIORITY, 0, 1, &[0; 4])].concat(),
                Fate::Reset(code::FRAME_SIZE_ERROR),
            ),
        ),
        (
            "6.10 a block in two parts",
            (split(frame(kind::CONTINUATION, flag::END_HEADERS, 1, &head[10..])), Fate::Status(200)),
        ),
        ("6.10 a block in three parts, one empty", {
            let rest = [
                frame(kind::CONTINUATION, 0, 1, b""),
                frame(kind::CONTINUATION, flag::END_HEADERS, 1, &head[10..]),
            ];
            (split(rest.concat()), Fate::Status(200))
        }),
        ("6.10 CONTINUATION on stream 0", (split(frame(kind::CONTINUATION, 4, 0, &head[10..])), PROTOCOL)),
        (
            "6.10 CONTINUATION of another stream",
            (split(frame(kind::CONTINUATION, 4, 3, &head[10..])), PROTOCOL),
        ),
        ("6.10 CONTINUATION behind a whole block", {
            ([frame(kind::HEADERS, 5, 1, &slow), frame(kind::CONTINUATION, 4, 1, b"")].concat(), PROTOCOL)
        }),
        (
            "6.10 CONTINUATION behind DATA",
            (
                [opens(&[]), frame(kind::DATA, 0, 1, b"x"), frame(kind::CONTINUATION, 4, 1, b"")].concat(),
                PROTOCOL,
            ),
        ),
        (
            "7 a code that nobody knows",
            ([opens(&[]), frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 0xff])].concat(), Fate::Nothing),
        ),
        ("8.1 a pseudo-field in trailers", {
            let head = frame(kind::HEADERS, flag::END_HEADERS, 1, &block(&request("POST", "/")));
            ([head, frame(kind::HEADERS, 5, 1, &block(&[(":method", "GET")]))].concat(), MALFORMED)
        }),
        ("8.1.1 a length in two DATA frames that differs", {
            let body = [frame(kind::DATA, 0, 1, b"x"), frame(kind::DATA, 1, 1, b"yz")].concat();
            ([opens(&[("content-length", "2")]), body].concat(), MALFORMED)
        }),
    ]);
}

/// RFC 9113 6.9.2: a smaller first window makes the windows of streams negative, and a larger one opens them.
#[test]
fn windows_follow_the_settings() {
    let origin = Origin::serve(|_| bifrons_testkit::origin::ok("0123456789"));
    let proxy = front(&origin);
    let window = |size: u32| [&[0, 4][..], &size.to_be_bytes()].concat();
    let mut client = Frames::with_settings(proxy.addr("web"), &[(4, 3)]);
    client.get(1, "/");
    assert_eq!(client.find_on(1, kind::DATA).payload, b"012");
    client.send(kind::SETTINGS, 0, 0, &window(1));
    client.find_where(|frame| frame.kind == kind::SETTINGS && frame.flags == flag::ACK);
    // Two below zero: this makes it zero, and nothing comes.
    client.open_window(1, 2).assert_alive();
    client.open_window(1, 1);
    assert_eq!(client.find_on(1, kind::DATA).payload, b"3");
    client.send(kind::SETTINGS, 0, 0, &window(100));
    let rest = client.find_on(1, kind::DATA);
    assert_eq!(rest.payload, b"456789");
}

#[test]
fn a_preface_that_is_none() {
    let origin = Origin::saying("ok");
    let proxy = front(&origin);
    let mut client = proxy.client();
    client.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").send(frame(kind::SETTINGS, 0, 0, b""));
    client.read_to_end();
    // Something else than SETTINGS behind it.
    let mut client = Frames { wire: proxy.client() };
    client.wire.send(PREFACE);
    client.send(kind::PING, 0, 0, &[0; 8]);
    assert_eq!(client.goaway_code(), code::PROTOCOL_ERROR);
}
