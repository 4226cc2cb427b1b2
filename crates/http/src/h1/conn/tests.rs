use super::*;
use crate::h1::framing::Framing;
use crate::name::Name;
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// Long enough never to matter.
const LONG: Duration = Duration::from_secs(60);
/// A timeout that a test waits for.
const SHORT: Duration = Duration::from_millis(20);

fn run<T>(test: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test())
}

/// A connection and the other end of its socket.
fn pair(side: Side) -> (Conn, UnixStream) {
    let (peer, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Conn::new(Stream::new(ours.into()).unwrap(), side), peer)
}

fn pace(idle: Duration, head: Duration) -> HeadPace {
    HeadPace { idle, head }
}

async fn next_request(conn: &Conn) -> Result<Option<RequestHead>> {
    conn.read_request(&Limits::default(), pace(LONG, LONG)).await
}

/// Reads a body to its end.
async fn body(conn: &Conn, framing: Framing, pace: Pace, max: u64) -> Result<Vec<u8>> {
    conn.begin_body(framing, &Limits::default(), pace, max);
    let mut all = Vec::new();
    while let Some(piece) = poll_fn(|cx| conn.poll_body(cx)).await? {
        assert!(!piece.is_empty(), "a piece is never empty");
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

async fn whole_body(conn: &Conn, framing: Framing) -> Result<Vec<u8>> {
    body(conn, framing, Pace::timeout(LONG), u64::MAX).await
}

/// RFC 9112 9.3.2: requests that come at once are read one after the other, each with its body.
#[test]
fn pipelined_requests_are_told_apart() {
    run(async || {
        let (conn, mut peer) = pair(Side::Downstream);
        peer.write_all(
            b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
              POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nX: 1\r\n\r\n\
              GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        .unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let head = next_request(&conn).await.unwrap().unwrap();
        assert_eq!(head.target(), b"/1");
        assert_eq!(whole_body(&conn, Framing::Length(3)).await.unwrap(), b"abc");
        assert!(conn.has_buffered() && !conn.body_open());
        let head = next_request(&conn).await.unwrap().unwrap();
        assert_eq!(head.target(), b"/2");
        assert_eq!(whole_body(&conn, Framing::Chunked).await.unwrap(), b"de");
        assert_eq!(conn.take_trailers().unwrap().get("x"), Some(&b"1"[..]));
        let head = next_request(&conn).await.unwrap().unwrap();
        assert_eq!(head.target(), b"/3");
        assert!(next_request(&conn).await.unwrap().is_none());
        assert_eq!(conn.messages(), 3);
    });
}

#[test]
fn a_body_in_hand_is_taken_whole() {
    run(async || {
        let (conn, mut peer) = pair(Side::Downstream);
        peer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET").unwrap();
        next_request(&conn).await.unwrap().unwrap();
        conn.begin_body(Framing::Length(3), &Limits::default(), Pace::timeout(LONG), 3);
        assert_eq!(conn.take_whole_body().unwrap(), &b"abc"[..]);
        assert!(!conn.body_open() && conn.has_buffered());
        conn.begin_body(Framing::Length(4), &Limits::default(), Pace::timeout(LONG), 4);
        assert_eq!(conn.take_whole_body(), None);
        conn.begin_body(Framing::Length(3), &Limits::default(), Pace::timeout(LONG), 2);
        assert_eq!(conn.take_whole_body(), None);
    });
}

/// RFC 9112 8: a message that ends before its end says so.
#[test]
fn what_is_cut_off_is_no_whole_message() {
    run(async || {
        for (bytes, framing) in [(&b"abc"[..], Framing::Length(4)), (b"3\r\nabc\r\n", Framing::Chunked)] {
            let (conn, mut peer) = pair(Side::Upstream);
            peer.write_all(bytes).unwrap();
            drop(peer);
            let err = whole_body(&conn, framing).await.unwrap_err();
            assert_eq!((err.kind(), err.side()), (Kind::Closed, Side::Upstream));
            // Broken for good.
            assert!(poll_fn(|cx| conn.poll_body(cx)).await.is_err() && conn.body_open());
        }
        let (conn, mut peer) = pair(Side::Downstream);
        peer.write_all(b"GET / HT").unwrap();
        drop(peer);
        assert_eq!(next_request(&conn).await.unwrap_err().kind(), Kind::Closed);
        let (conn, peer) = pair(Side::Upstream);
        drop(peer);
        assert_eq!(conn.read_response(&Limits::default(), LONG).await.unwrap_err().kind(), Kind::Closed);
    });
}

/// RFC 9112 6.3 item 8.
#[test]
fn a_body_may_end_with_its_connection() {
    run(async || {
        let (conn, mut peer) = pair(Side::Upstream);
        peer.write_all(b"HTTP/1.1 200 OK\r\n\r\nabc").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        conn.read_response(&Limits::default(), LONG).await.unwrap();
        assert_eq!(whole_body(&conn, Framing::UntilClose).await.unwrap(), b"abc");
    });
}

#[test]
fn bodies_keep_to_their_limit() {
    run(async || {
        for (bytes, framing) in
            [(&b"abcd"[..], Framing::Length(4)), (b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n", Framing::Chunked)]
        {
            for (max, fits) in [(4, true), (3, false)] {
                let (conn, mut peer) = pair(Side::Downstream);
                peer.write_all(bytes).unwrap();
                let read = body(&conn, framing, Pace::timeout(LONG), max).await;
                assert_eq!(
                    read.map_err(|err| err.kind()),
                    if fits { Ok(b"abcd".to_vec()) } else { Err(Kind::BodyTooLarge) }
                );
            }
        }
    });
}

/// Each wait has an end: for a first byte, for the rest of a head, for a body, for the least rate.
#[test]
fn waits_end() {
    run(async || {
        let limits = Limits::default();
        let (conn, mut peer) = pair(Side::Downstream);
        assert!(conn.read_request(&limits, pace(SHORT, LONG)).await.unwrap().is_none());
        peer.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        let err = conn.read_request(&limits, pace(LONG, SHORT)).await.unwrap_err();
        assert_eq!((err.kind(), err.side()), (Kind::Timeout, Side::Downstream));
        let (conn, _peer) = pair(Side::Upstream);
        assert_eq!(conn.read_response(&limits, SHORT).await.unwrap_err().kind(), Kind::Timeout);
        let stuck = body(&conn, Framing::Length(1), Pace::timeout(SHORT), 1).await;
        assert_eq!(stuck.unwrap_err().kind(), Kind::Timeout);
        let slow = Pace { timeout: LONG, rate_min: 1_000_000, grace: SHORT };
        let (conn, mut peer) = pair(Side::Downstream);
        peer.write_all(b"abc").unwrap();
        assert_eq!(body(&conn, Framing::Length(9), slow, 9).await.unwrap_err().kind(), Kind::Timeout);
        let (conn, _peer) = pair(Side::Downstream);
        let big = vec![0; 4 << 20];
        assert_eq!(conn.write([b"", &big, b""], SHORT).await.unwrap_err().kind(), Kind::Timeout);
    });
}

/// The time for a head runs from its first byte, not anew with each further one.
#[test]
fn a_dripping_head_is_given_up() {
    run(async || {
        let (conn, mut peer) = pair(Side::Downstream);
        let drip = async {
            loop {
                let _ = peer.write_all(b"GET"[..1].as_ref());
                tokio::time::sleep(SHORT / 5).await;
            }
        };
        let limits = Limits::default();
        let read = conn.read_request(&limits, pace(LONG, SHORT));
        tokio::select! {
            biased;
            read = read => assert_eq!(read.unwrap_err().kind(), Kind::Timeout),
            () = drip => {}
        }
    });
}

/// A head that comes in lines of their own is not read from its beginning with each of them.
#[test]
fn a_head_that_drips_is_read_a_few_times_only() {
    let line = b"X-A: 0123456789\r\n";
    let mut buf = b"GET / HTTP/1.1\r\n".to_vec();
    let (mut progress, mut passes, mut bytes) = (Progress::default(), 0, 0);
    while buf.len() < 60_000 {
        buf.extend_from_slice(line);
        if progress.is_due(&buf) {
            (passes, bytes) = (passes + 1, bytes + buf.len());
            progress.parsed = buf.len();
        }
    }
    assert!(passes < 100 && bytes < 8 * buf.len(), "{passes} passes over {bytes} bytes");
    buf.extend_from_slice(b"\r");
    assert!(!progress.is_due(&buf));
    buf.extend_from_slice(b"\n");
    assert!(progress.is_due(&buf), "the end of the head");
}

#[test]
fn empty_lines_are_no_request() {
    run(async || {
        let (conn, mut peer) = pair(Side::Downstream);
        peer.write_all(b"\r\n\r\n").unwrap();
        let wait = conn.read_request(&Limits::default(), pace(SHORT, LONG)).await;
        assert!(wait.unwrap().is_none(), "it is idle");
        peer.write_all(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n").unwrap();
        assert!(next_request(&conn).await.unwrap().is_some());
        drop(peer);
        assert!(next_request(&conn).await.unwrap().is_none());
    });
}

#[test]
fn all_parts_are_written_however_slowly_they_are_read() {
    run(async || {
        let (conn, mut peer) = pair(Side::Downstream);
        let big: Vec<u8> = (0..3_000_000u32).map(|at| at as u8).collect();
        let (tail, expected) = (b"tail", [b"head", &big[..], b"tail"].concat());
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        conn.write([b"head", &big, tail], LONG).await.unwrap();
        conn.write([b"", b"", b""], LONG).await.unwrap();
        conn.end_write();
        assert!(conn.is_write_ended());
        assert_eq!(conn.sent(), expected.len() as u64);
        assert!(reader.join().unwrap() == expected);
    });
}

#[test]
fn raw_bytes_begin_with_what_was_read_ahead() {
    run(async || {
        let (conn, mut peer) = pair(Side::Downstream);
        peer.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nahead").unwrap();
        next_request(&conn).await.unwrap().unwrap();
        assert_eq!(poll_fn(|cx| conn.poll_raw(cx, LONG)).await.unwrap(), &b"ahead"[..]);
        peer.write_all(b"later").unwrap();
        drop(peer);
        assert_eq!(poll_fn(|cx| conn.poll_raw(cx, LONG)).await.unwrap(), &b"later"[..]);
        assert!(poll_fn(|cx| conn.poll_raw(cx, LONG)).await.unwrap().is_empty());
    });
}

/// An idle connection holds no buffer, whether it was used before or not.
#[test]
fn idle_connections_hold_no_buffer() {
    run(async || {
        let (conn, mut peer) = pair(Side::Downstream);
        peer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").unwrap();
        next_request(&conn).await.unwrap().unwrap();
        whole_body(&conn, Framing::Length(3)).await.unwrap();
        assert_eq!(conn.buf.borrow().capacity(), 0);
        let wait = conn.read_request(&Limits::default(), pace(SHORT, LONG)).await;
        assert!(wait.unwrap().is_none());
        assert_eq!(conn.buf.borrow().capacity(), 0);
    });
}

/// What is spliced past the connection counts as read.
#[test]
fn bytes_that_went_another_way_count() {
    run(async || {
        let (conn, _peer) = pair(Side::Upstream);
        conn.begin_body(Framing::Length(10), &Limits::default(), Pace::timeout(LONG), u64::MAX);
        conn.pass_body(4);
        assert_eq!((conn.body_left(), conn.body_open()), (Some(6), true));
        conn.pass_body(6);
        assert_eq!((conn.body_left(), conn.body_open(), conn.received()), (Some(0), false, 10));
    });
}

fn messages() -> impl Strategy<Value = Vec<(Vec<u8>, bool)>> {
    vec((vec(any::<u8>(), 0..300), any::<bool>()), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// RFC 9112 2.1: a stream of messages is the same stream however the network cuts it.
    #[test]
    fn any_split_over_a_socket_gives_the_same(messages in messages(), sizes in vec(1..200usize, 1..20)) {
        let mut bytes = Vec::new();
        for (at, (content, is_chunked)) in messages.iter().enumerate() {
            bytes.extend_from_slice(format!("POST /{at} HTTP/1.1\r\nHost: a\r\n").as_bytes());
            if *is_chunked {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in content.chunks(70) {
                    bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            } else {
                bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", content.len()).as_bytes());
                bytes.extend_from_slice(content);
            }
        }
        let read = run(async || {
            let (conn, mut peer) = pair(Side::Downstream);
            let send = async {
                let mut rest = &bytes[..];
                let mut sizes = sizes.iter().cycle();
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(sizes.next().copied().unwrap_or(1).min(rest.len()));
                    peer.write_all(piece).unwrap();
                    rest = after;
                    tokio::task::yield_now().await;
                }
                peer.shutdown(Shutdown::Write).unwrap();
            };
            let receive = async {
                let mut read = Vec::new();
                while let Some(head) = next_request(&conn).await.unwrap() {
                    let framing = crate::h1::framing::request(&head).unwrap();
                    assert_eq!(head.target(), format!("/{}", read.len()).as_bytes());
                    let is_chunked = head.headers.has(Name::TransferEncoding);
                    read.push((whole_body(&conn, framing).await.unwrap(), is_chunked));
                }
                read
            };
            tokio::join!(receive, send).0
        });
        prop_assert_eq!(read, messages);
    }
}

/// Chunks are split off a buffer that grows with the body, and an idle connection must not keep it.
#[test]
fn no_buffer_is_left_behind_a_body() {
    run(async || {
        for (framing, bytes) in [
            (Framing::Chunked, [b"20000\r\n", vec![b'x'; 0x20000].as_slice(), b"\r\n0\r\n\r\n"].concat()),
            (Framing::Chunked, b"2\r\nok\r\n0\r\n\r\n".to_vec()),
            (Framing::Length(2), b"ok".to_vec()),
        ] {
            let (conn, mut peer) = pair(Side::Upstream);
            let writer = std::thread::spawn(move || peer.write_all(&bytes).map(|()| peer));
            whole_body(&conn, framing).await.unwrap();
            let _peer = writer.join().unwrap().unwrap();
            assert_eq!(conn.buf.borrow().capacity(), 0, "{framing:?}");
        }
    });
}
