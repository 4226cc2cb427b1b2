//! Clients that ask for much and take nothing: memory stays bounded, their time runs out.

use crate::support::front_with;
use bifrons_testkit::Origin;
use bifrons_testkit::frames::{Frames, code, kind, request};

/// 64 MiB: 128 streams with what lies ready for each of them, and as much again while it is read.
const MEMORY_MAX: u64 = 64 << 20;

fn big() -> Origin {
    Origin::script(|wire| {
        while let Some(request) = wire.read_request() {
            if request.target() == "/" {
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                continue;
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
            for _ in 0..1000 {
                if wire.try_send([b'x'; 100_000]).is_err() {
                    return;
                }
            }
        }
    })
}

#[test]
fn windows_of_zero() {
    let origin = big();
    let proxy = front_with(&origin, ", timeouts: { send: 1s }", "");
    assert_eq!(proxy.client().get("/").status(), 200);
    let before = proxy.memory();
    // SETTINGS_INITIAL_WINDOW_SIZE.
    let mut client = Frames::with_settings(proxy.addr("web"), &[(4, 0)]);
    let streams = (1..201).step_by(2);
    for stream in streams.clone() {
        client.get(stream, "/big");
    }
    let mut resets = 0;
    while resets < streams.len() {
        assert_eq!(proxy.client().get("/").status(), 200);
        let held = proxy.memory().saturating_sub(before);
        assert!(held < MEMORY_MAX, "{held} bytes held");
        let frame = client.read().unwrap();
        if frame.kind == kind::RST_STREAM {
            assert_eq!(frame.reset_code(), code::INTERNAL_ERROR);
            resets += 1;
        }
    }
    client.assert_alive();
}

/// A window that is opened by a byte now and then is no better than none.
#[test]
fn windows_of_a_byte() {
    let origin = big();
    let proxy = front_with(&origin, ", timeouts: { send: 1h, send_rate: 1MiB, send_grace: 200ms }", "");
    let mut client = Frames::with_settings(proxy.addr("web"), &[(4, 1)]);
    client.get(1, "/big");
    loop {
        match client.read().unwrap() {
            frame if frame.kind == kind::DATA => drop(client.open_window(1, 1)),
            frame if frame.kind == kind::RST_STREAM => break,
            _ => {}
        }
    }
    client.assert_alive();
}

/// A client that does not even read from its socket.
#[test]
fn a_socket_that_nobody_reads() {
    let origin = big();
    let proxy = front_with(&origin, ", timeouts: { send: 500ms }", "");
    assert_eq!(proxy.client().get("/").status(), 200);
    let before = proxy.memory();
    let mut client = Frames::with_settings(proxy.addr("web"), &[(4, u32::MAX >> 1)]);
    client.open_window(0, (u32::MAX >> 1) - 65_535);
    for stream in (1..201).step_by(2) {
        client.get(stream, "/big");
    }
    // All of them are given up.
    proxy.wait_records(101);
    let held = proxy.memory().saturating_sub(before);
    assert!(held < MEMORY_MAX, "{held} bytes held");
    assert_eq!(proxy.client().get("/").status(), 200);
}

/// Uploads that an endpoint does not take stop at their windows.
#[test]
fn uploads_stop_at_their_windows() {
    let origin = Origin::script(|wire| {
        match wire.try_read_exact(4).as_deref() {
            Ok(b"GET ") => drop(wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
            // It takes nothing of the body, for longer than the test lasts.
            Ok(_) => std::thread::park_timeout(std::time::Duration::from_secs(20)),
            Err(_) => {}
        }
    });
    let proxy = front_with(&origin, ", http2: { stream_window: 64KiB }", "");
    let before = proxy.memory();
    let mut client = Frames::connect(proxy.addr("web"));
    for stream in (1..17).step_by(2) {
        client.headers(stream, 0, &request("POST", "/stuck"));
        for _ in 0..3 {
            client.send(kind::DATA, 0, stream, &[b'x'; 16_384]);
        }
    }
    client.get(101, "/");
    assert_eq!(client.find_on(101, kind::HEADERS).status(), Some(200));
    // One byte more than the window has.
    client.headers(103, 0, &request("POST", "/stuck"));
    for _ in 0..40 {
        client.send(kind::DATA, 0, 103, &[b'x'; 16_384]);
    }
    let last = client.find_where(|frame| matches!(frame.kind, kind::RST_STREAM | kind::GOAWAY));
    let reason = if last.kind == kind::GOAWAY { last.goaway().1 } else { last.reset_code() };
    assert_eq!(reason, code::FLOW_CONTROL_ERROR);
    let held = proxy.memory().saturating_sub(before);
    assert!(held < MEMORY_MAX, "{held} bytes held");
}
