//! Clients that mean to keep the proxy busy for nothing: each is sent away, others are served meanwhile, and
//! memory stays where it was.

use crate::support::front;
use bifrons_testkit::frames::{Frame, Frames, block, code, flag, kind, request};
use bifrons_testkit::{Origin, Proxy, wait_until};

/// 16 MiB: what a worker's buffers and the allocator's own ways may take, whatever is sent.
const MEMORY_MAX: u64 = 16 << 20;

/// An endpoint that answers `/` and is silent on everything else.
fn origin() -> Origin {
    Origin::script(|wire| {
        // What is reset on its way ends in the middle.
        while let Ok(request) = wire.try_read(None) {
            match request.target() {
                "/" => wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
                _ => return drop(wire.read_to_end()),
            };
        }
    })
}

/// Floods a connection with what `round` makes, up to so many rounds, and gives the code it was sent away
/// with. Others are served meanwhile, and memory stays bounded.
#[track_caller]
fn flood(
    settings: &[(u16, u32)],
    rounds: u32,
    round: impl Fn(u32) -> Vec<u8> + Send + 'static,
) -> Option<u32> {
    let origin = origin();
    let proxy = front(&origin);
    assert_eq!(proxy.client().get("/").status(), 200);
    let before = proxy.memory();
    let client = Frames::with_settings(proxy.addr("web"), settings);
    let mut reader = Frames { wire: client.wire.twin() };
    let mut writer = client.wire;
    let writing = std::thread::spawn(move || {
        for number in 0..rounds {
            if writer.try_send(round(number)).is_err() {
                return;
            }
        }
        writer.half_close();
    });
    let reading = std::thread::spawn(move || {
        let mut reason = None;
        while let Ok(frame) = reader.read() {
            if frame.kind == kind::GOAWAY {
                reason = Some(frame.goaway().1);
            }
        }
        reason
    });
    let mut most = 0;
    while !writing.is_finished() || !reading.is_finished() {
        assert_eq!(proxy.client().get("/").status(), 200);
        most = most.max(proxy.memory());
    }
    writing.join().unwrap();
    assert!(most.saturating_sub(before) < MEMORY_MAX, "memory went from {before} to {most}");
    reading.join().unwrap()
}

#[track_caller]
fn is_sent_away(rounds: u32, round: impl Fn(u32) -> Vec<u8> + Send + 'static) {
    assert_eq!(flood(&[], rounds, round), Some(code::ENHANCE_YOUR_CALM));
}

fn headers(stream: u32, flags: u8, path: &str) -> Vec<u8> {
    Frame::bytes(kind::HEADERS, flags | flag::END_HEADERS, stream, &block(&request("POST", path)))
}

fn reset(stream: u32) -> Vec<u8> {
    Frame::bytes(kind::RST_STREAM, 0, stream, &code::CANCEL.to_be_bytes())
}

#[test]
fn rapid_reset() {
    is_sent_away(1_000, |round| {
        let streams = (0..100).map(|number| round * 200 + number * 2 + 1);
        streams
            .flat_map(|stream| [headers(stream, flag::END_STREAM, "/slow"), reset(stream)].concat())
            .collect()
    });
}

#[test]
fn reset_one_by_one() {
    let origin = origin();
    let proxy = front(&origin);
    let mut client = Frames::connect(proxy.addr("web"));
    for stream in (1..4000).step_by(2) {
        client.wire.send(headers(stream, flag::END_STREAM, "/slow"));
        client.send(kind::PING, 0, 0, b"12345678");
        let frame = client.find_where(|frame| {
            frame.kind == kind::GOAWAY || frame.kind == kind::PING && frame.flags & flag::ACK != 0
        });
        if frame.kind == kind::GOAWAY {
            assert_eq!(frame.goaway().1, code::ENHANCE_YOUR_CALM);
            assert!(stream > 1000, "sent away after {} streams", stream / 2);
            assert_eq!(proxy.client().get("/").status(), 200);
            return;
        }
        client.wire.send(reset(stream));
    }
    panic!("never sent away");
}

/// CVE-2025-8671: the client makes the server reset streams.
#[test]
fn made_you_reset() {
    // A body behind its end.
    is_sent_away(10_000, |round| {
        let stream = round * 2 + 1;
        let mut fields = request("POST", "/slow");
        fields.push(("content-length", "1"));
        let head = Frame::bytes(kind::HEADERS, flag::END_HEADERS, stream, &block(&fields));
        [head, Frame::bytes(kind::DATA, 0, stream, b"xy")].concat()
    });
    // A window that grows by nothing.
    is_sent_away(10_000, |round| {
        let stream = round * 2 + 1;
        let update = Frame::bytes(kind::WINDOW_UPDATE, 0, stream, &0u32.to_be_bytes());
        [headers(stream, 0, "/slow"), update].concat()
    });
}

#[test]
fn made_you_reset_by_a_window_too_large() {
    is_sent_away(10_000, |round| {
        let stream = round * 2 + 1;
        let update = Frame::bytes(kind::WINDOW_UPDATE, 0, stream, &(u32::MAX >> 1).to_be_bytes());
        [headers(stream, 0, "/slow"), update].concat()
    });
}

#[test]
fn continuations_without_end() {
    is_sent_away(10_000, |round| match round {
        0 => Frame::bytes(kind::HEADERS, flag::END_STREAM, 1, &block(&request("GET", "/"))),
        _ => Frame::bytes(kind::CONTINUATION, 0, 1, &block(&[("a", "b")])).repeat(10),
    });
    is_sent_away(10_000, |round| match round {
        0 => Frame::bytes(kind::HEADERS, flag::END_STREAM, 1, b""),
        _ => Frame::bytes(kind::CONTINUATION, 0, 1, b"").repeat(10),
    });
}

#[test]
fn frames_that_carry_nothing() {
    let ping = Frame::bytes(kind::PING, 0, 0, b"12345678");
    is_sent_away(10_000, move |_| ping.repeat(100));
    let settings = Frame::bytes(kind::SETTINGS, 0, 0, b"");
    is_sent_away(10_000, move |_| settings.repeat(100));
    let update = Frame::bytes(kind::WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes());
    is_sent_away(10_000, move |_| update.repeat(100));
    let priority = Frame::bytes(kind::PRIORITY, 0, 3, &[0, 0, 0, 0, 16]);
    is_sent_away(10_000, move |_| priority.repeat(100));
    let unknown = Frame::bytes(0xfa, 0, 0, b"");
    is_sent_away(10_000, move |_| unknown.repeat(100));
}

/// More frames that cost their sender nothing.
#[test]
fn frames_about_streams_that_are_over() {
    let reset = reset(1);
    is_sent_away(10_000, move |round| match round {
        0 => headers(1, flag::END_STREAM, "/slow"),
        _ => reset.repeat(100),
    });
    let update = Frame::bytes(kind::WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes());
    is_sent_away(10_000, move |round| match round {
        0 => headers(1, 0, "/slow"),
        _ => update.repeat(100),
    });
}

#[test]
fn settings_that_change_something_each_time() {
    is_sent_away(10_000, |round| {
        // SETTINGS_HEADER_TABLE_SIZE and SETTINGS_INITIAL_WINDOW_SIZE.
        let payload =
            [&[0, 1][..], &(round % 4096).to_be_bytes(), &[0, 4], &(round % 65_536).to_be_bytes()].concat();
        Frame::bytes(kind::SETTINGS, 0, 0, &payload).repeat(100)
    });
}

#[test]
fn data_of_padding_only() {
    let padding = Frame::bytes(kind::DATA, flag::PADDED, 1, &[0]);
    is_sent_away(10_000, move |round| match round {
        0 => headers(1, 0, "/slow"),
        _ => padding.repeat(100),
    });
}

/// Heads that cannot be read: each resets its stream.
#[test]
fn made_you_reset_by_malformed_heads() {
    is_sent_away(10_000, |round| {
        let mut fields = request("GET", "/slow");
        fields.push(("connection", "close"));
        let flags = flag::END_HEADERS | flag::END_STREAM;
        Frame::bytes(kind::HEADERS, flags, round * 2 + 1, &block(&fields))
    });
}

/// A body behind the end of its stream (RFC 9113 5.1, half-closed).
#[test]
fn made_you_reset_by_data_behind_the_end() {
    is_sent_away(10_000, |round| {
        let stream = round * 2 + 1;
        [headers(stream, flag::END_STREAM, "/slow"), Frame::bytes(kind::DATA, 0, stream, b"x")].concat()
    });
}

#[test]
fn empty_data() {
    is_sent_away(10_000, |round| match round {
        0 => headers(1, 0, "/slow"),
        _ => Frame::bytes(kind::DATA, 0, 1, b"").repeat(100),
    });
}

#[test]
fn hpack_bomb() {
    // One field of 4,000 bytes goes into the table, and then each byte means it once more (RFC 7541 6.1).
    let mut first = vec![0x40, 1, b'a', 0x7f, 0xa1, 0x1e];
    first.extend([b'x'; 4000]);
    is_sent_away(1_000, move |round| {
        let mut block = block(&request("GET", "/"));
        if round == 0 {
            block.extend_from_slice(&first);
        }
        block.extend([0xbe; 8000]);
        Frame::bytes(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, round * 2 + 1, &block)
    });
}

/// Thousands of fields that are one byte each in the block: `cookie`, which takes them one by one (RFC 9113 8.2.3).
#[test]
fn cookie_crumbs() {
    is_sent_away(1_000, |round| {
        let mut block = block(&request("GET", "/"));
        // `cookie` with an empty value, by its place in HPACK's table (RFC 7541 A).
        block.extend([0x80 | 32; 15_000]);
        Frame::bytes(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, round * 2 + 1, &block)
    });
}

#[test]
fn streams_without_end() {
    is_sent_away(10_000, |round| {
        (0..10).flat_map(|number| headers(round * 20 + number * 2 + 1, flag::END_STREAM, "/slow")).collect()
    });
}

/// Streams that go on after we have said that there will be no more.
#[test]
fn a_goaway_that_is_not_heard() {
    let origin = origin();
    let proxy = crate::support::front_with(&origin, ", connections: { requests: 1 }", "");
    let mut client = Frames::connect(proxy.addr("web"));
    let mut reader = Frames { wire: client.wire.twin() };
    let reading = std::thread::spawn(move || {
        let mut reasons = Vec::new();
        while let Ok(frame) = reader.read() {
            if frame.kind == kind::GOAWAY {
                reasons.push(frame.goaway().1);
            }
        }
        reasons
    });
    for stream in (1..20_000).step_by(2) {
        let bytes = Frame::bytes(
            kind::HEADERS,
            flag::END_HEADERS | flag::END_STREAM,
            stream,
            &block(&request("GET", "/")),
        );
        if client.wire.try_send(bytes).is_err() {
            break;
        }
    }
    let reasons = reading.join().unwrap();
    assert_eq!(reasons.last(), Some(&code::ENHANCE_YOUR_CALM), "{reasons:?}");
}

/// A client that only looks like one of those: a browser that cancels what it no longer shows.
#[test]
fn some_cancels_are_no_abuse() {
    let origin = origin();
    let proxy: Proxy = front(&origin);
    let mut client = Frames::connect(proxy.addr("web"));
    for stream in (1..1200).step_by(4) {
        client.wire.send(headers(stream, flag::END_STREAM, "/slow"));
        client.assert_alive();
        client.wire.send(reset(stream));
        client.get(stream + 2, "/");
        assert_eq!(client.find_on(stream + 2, kind::HEADERS).status(), Some(200));
    }
    wait_until("all are recorded", || proxy.stdout().lines().count() >= 600);
    client.assert_alive();
}
