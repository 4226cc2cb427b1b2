use super::*;
use crate::h1::body::Pump;
use crate::pacer::Pacer;
use crate::spool::{HoldRules, SpoolDir};
use bifrons_core::Side;
use bifrons_net::Stream;
use std::cell::Cell;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::task::Waker;

/// Takes a body that is ready to its end.
fn read(mut body: Body) -> Result<Vec<Bytes>> {
    let mut pieces = Vec::new();
    loop {
        match body.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Some(piece))) => pieces.push(piece),
            Poll::Ready(Ok(None)) => return Ok(pieces),
            Poll::Ready(Err(err)) => return Err(err),
            Poll::Pending => panic!("pending"),
        }
    }
}

/// Doubles every piece, swallows `x`, and says `.` at the end.
struct Double;

impl Transform for Double {
    fn piece(&mut self, piece: Bytes) -> Result<Bytes> {
        if piece == "x" { Ok(Bytes::new()) } else { Ok([&piece[..], &piece[..]].concat().into()) }
    }

    fn end(&mut self) -> Result<Bytes> {
        Ok(Bytes::from_static(b"."))
    }
}

fn file(content: &[u8]) -> Arc<std::fs::File> {
    let path = std::env::temp_dir().join(format!("bifrons-message-{}", fastrand::u64(..)));
    let mut file = std::fs::OpenOptions::new().create_new(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file.write_all(content).unwrap();
    Arc::new(file)
}

#[test]
fn bodies_in_hand() {
    assert!(read(Body::Empty).unwrap().is_empty());
    assert!(read(Body::Full(Bytes::new())).unwrap().is_empty());
    assert_eq!(read(Body::Full("abc".into())).unwrap(), ["abc"]);
    assert_eq!(Body::Full("abc".into()).length(), Some(3));
    assert!(Body::Empty.is_empty() && Body::Spent.is_empty());
}

#[test]
fn a_transform_changes_every_piece_and_has_the_last_word() {
    let body = Body::Full("ab".into()).changed_by(Box::new(Double));
    assert_eq!((body.length(), body.is_empty()), (None, false));
    assert_eq!(read(body).unwrap(), ["abab", "."]);
    assert_eq!(read(Body::Full("x".into()).changed_by(Box::new(Double))).unwrap(), ["."]);
    let twice = Body::Full("a".into()).changed_by(Box::new(Double)).changed_by(Box::new(Double));
    assert_eq!(read(twice).unwrap(), ["aaaa", "..", "."]);
}

#[test]
fn a_range_of_a_file() {
    let content: Vec<u8> = (0..200_000u32).map(|at| at as u8).collect();
    let body = FileBody { file: file(&content), offset: 5, len: 150_000 };
    assert_eq!(Body::File(body.clone()).length(), Some(150_000));
    assert_eq!(read(Body::File(body)).unwrap().concat(), &content[5..150_005]);
}

/// A file that shrinks while it is sent can't be brought to the announced end.
#[test]
fn a_file_that_became_shorter_is_an_error() {
    let body = FileBody { file: file(b"abc"), offset: 0, len: 4 };
    assert_eq!(read(Body::File(body)).unwrap_err().kind(), Kind::Closed);
}

#[test]
fn answers_of_our_own() {
    let res = Response::full(404, "text/plain", "gone");
    assert_eq!(res.head.headers.get(Name::ContentType), Some(&b"text/plain"[..]));
    assert_eq!((res.head.reason(), res.body.length()), (&b"Not Found"[..], Some(4)));
}

#[test]
fn a_changed_body_has_no_known_length() {
    let mut headers = Headers::new();
    headers.append("Content-Length", b"5");
    headers.append("Accept-Ranges", b"bytes");
    forget_length(&mut headers);
    assert!(headers.is_empty());
}

fn run(test: impl AsyncFnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test());
}

/// An answer of which nothing has come, how often the request behind it was polled, and its peer's end.
fn answering(outcome: impl Fn() -> Poll<Result<()>> + 'static) -> (Body, Rc<Cell<u32>>, UnixStream) {
    let (peer, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let conn = Rc::new(Conn::new(Stream::new(ours.into()).unwrap(), Side::Upstream));
    let framing = crate::h1::framing::Framing::UntilClose;
    let pace = crate::h1::Pace::timeout(std::time::Duration::MAX);
    conn.begin_body(framing, &bifrons_core::Limits::default(), pace, u64::MAX);
    let polls = Rc::new(Cell::new(0));
    let counted = polls.clone();
    let pump: Pump = Box::pin(poll_fn(move |_| {
        counted.set(counted.get() + 1);
        outcome()
    }));
    (Body::H1(Box::new(H1Body::with_pump(conn, None, Some(pump)))), polls, peer)
}

/// Every kind of body that can have another inside, and the one that all of them begin with.
fn wrapped(body: Body, kind: usize) -> Body {
    match kind {
        0 => body,
        1 => body.changed_by(Box::new(Double)),
        2 => Body::Paced(Box::new(Paced::new(body, Pacer::new(1, 0)))),
        3 => Body::Parts(Box::new(VecDeque::from([Body::Empty, body]))),
        4 => {
            let dir = Arc::new(SpoolDir { path: "".into(), levels: Vec::new() });
            let rules = HoldRules { memory: 1, file: 0, write: 1, dir };
            Body::Held(Box::new(Held::new(body, Arc::new(rules))))
        }
        _ => wrapped(wrapped(wrapped(body, 4), 2), 1),
    }
}

#[test]
fn a_request_goes_on_whatever_is_done_with_its_answer() {
    run(async || {
        let cx = &mut Context::from_waker(Waker::noop());
        for kind in 0..6 {
            let (body, polls, _peer) = answering(|| Poll::Pending);
            let mut body = wrapped(body, kind);
            assert!(body.is_pumping(), "{kind}");
            body.poll_pump(cx).unwrap();
            assert_eq!(polls.get(), 1, "{kind}");
            assert!(body.poll_next(cx).is_pending(), "{kind}");
            assert_eq!(polls.get(), 2, "{kind}");
        }
        for mut body in [Body::Empty, Body::Full("a".into()), Body::Spent] {
            assert!(!body.is_pumping() && body.poll_pump(cx).is_ok());
        }
    });
}

#[test]
fn a_request_goes_on_while_its_answer_waits_for_its_pace() {
    run(async || {
        let cx = &mut Context::from_waker(Waker::noop());
        let (body, polls, mut peer) = answering(|| Poll::Pending);
        peer.write_all(&[b'x'; 1000]).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let mut body = wrapped(body, 2);
        // One byte a second: what came waits inside.
        assert!(body.poll_next(cx).is_pending());
        let before = polls.get();
        assert!(body.poll_next(cx).is_pending());
        assert!(polls.get() > before);
    });
}

#[test]
fn a_request_that_fails_is_the_clients_fault_unless_the_endpoint_stopped_reading() {
    run(async || {
        let cx = &mut Context::from_waker(Waker::noop());
        for kind in 0..6 {
            let fails = || Poll::Ready(Err(Error::downstream(Kind::Malformed, "no chunk")));
            let (body, _, _peer) = answering(fails);
            assert_eq!(wrapped(body, kind).poll_pump(cx).unwrap_err().kind(), Kind::Malformed, "{kind}");
            let (body, _, _peer) = answering(fails);
            assert!(matches!(wrapped(body, kind).poll_next(cx), Poll::Ready(Err(_))), "{kind}");
            let (body, _, _peer) = answering(|| Poll::Ready(Err(Error::upstream(Kind::Reset, "gone"))));
            let mut body = wrapped(body, kind);
            assert!(body.poll_next(cx).is_pending() && !body.is_pumping(), "{kind}");
        }
    });
}

/// Holds all back until it must not, and then gives it in pieces of two bytes.
#[derive(Default)]
struct Holding {
    held: Vec<u8>,
    is_over: bool,
}

impl Transform for Holding {
    fn piece(&mut self, piece: Bytes) -> Result<Bytes> {
        self.held.extend_from_slice(&piece);
        Ok(Bytes::new())
    }

    fn end(&mut self) -> Result<Bytes> {
        self.is_over = true;
        Ok(Bytes::from_static(b"end:"))
    }

    fn more(&mut self) -> Result<Bytes> {
        let len = if self.is_over { self.held.len().min(2) } else { 0 };
        Ok(self.held.drain(..len).collect::<Vec<_>>().into())
    }

    fn flush(&mut self) -> Result<Bytes> {
        Ok(std::mem::take(&mut self.held).into())
    }
}

#[test]
fn what_a_transform_has_more_of_comes_before_the_end() {
    let mut body = Body::Full(Bytes::from_static(b"abcde")).changed_by(Box::<Holding>::default());
    let mut pieces = Vec::new();
    while let Poll::Ready(Ok(Some(piece))) =
        body.poll_next(&mut Context::from_waker(std::task::Waker::noop()))
    {
        pieces.push(piece);
    }
    assert_eq!(pieces, ["end:", "ab", "cd", "e"]);
}
