use super::*;
use std::io::Write;
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
