use super::*;
use std::io::Write;

fn next(reader: &mut Reader) -> Option<Piece> {
    match reader.poll_next(&mut Context::from_waker(Waker::noop()), u64::MAX) {
        Poll::Ready(piece) => Some(piece),
        Poll::Pending => None,
    }
}

fn bytes(piece: Option<Piece>) -> Bytes {
    match piece {
        Some(Piece::Bytes(bytes)) => bytes,
        other => panic!("bytes expected, not {other:?}"),
    }
}

#[test]
fn readers_get_what_is_there_and_then_what_comes() {
    let body = Arc::new(Growing::default());
    body.push(Bytes::from_static(b"one"));
    let mut early = body.reader(0).expect("from the beginning");
    assert_eq!(bytes(next(&mut early)), "one");
    assert!(next(&mut early).is_none());

    body.push(Bytes::from_static(b"two"));
    body.finish(End::Whole);

    let mut late = body.reader(0).expect("from the beginning");
    assert_eq!(bytes(next(&mut early)), "two");
    assert_eq!(bytes(next(&mut late)), "onetwo");
    assert!(matches!(next(&mut late), Some(Piece::End(End::Whole))));
    assert_eq!(body.whole().expect("all of it"), "onetwo");
}

#[test]
fn a_body_that_was_cut_off_has_no_whole() {
    let body = Arc::new(Growing::default());
    body.push(Bytes::from_static(b"one"));
    body.finish(End::Cut);
    body.finish(End::Whole);
    assert!(body.whole().is_none());
    assert_eq!(body.ended(), Some(End::Cut));
}

#[test]
fn what_is_in_a_file_is_read_from_there() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"..onetwo").expect("written");
    let file = Arc::new(file);
    let body = Arc::new(Growing::default());
    body.push(Bytes::from_static(b"one"));
    body.push(Bytes::from_static(b"two"));

    body.filed(&file, 2, 4);

    let mut reader = body.reader(1).expect("from the file");
    assert!(matches!(next(&mut reader), Some(Piece::Filed(_, 3, 2))));
    assert_eq!(bytes(next(&mut reader)), "two");
    assert_eq!(body.in_memory(), 3);
}

#[test]
fn what_nobody_needs_is_let_go_and_late_readers_are_refused() {
    let body = Arc::new(Growing::default());
    let mut reader = body.reader(0).expect("from the beginning");
    body.push(Bytes::from_static(b"one"));
    body.push(Bytes::from_static(b"two"));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(body.poll_room(&mut cx, 6).is_pending());
    assert_eq!(bytes(match reader.poll_next(&mut cx, 3) {
        Poll::Ready(piece) => Some(piece),
        Poll::Pending => None,
    }), "one");
    assert!(body.poll_room(&mut cx, 6).is_ready());

    body.let_go();

    assert!(body.reader(0).is_none());
    assert_eq!(bytes(next(&mut reader)), "two");
}
