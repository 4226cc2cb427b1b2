use super::{Answer, Decoder, Form, frame};
use bifrons_http::message::Source;
use bifrons_http::{Body, Headers, Transform, base64};
use bytes::Bytes;
use proptest::prelude::*;
use std::task::{Context, Poll, Waker};

#[test]
fn forms_are_known_by_their_media_types() {
    assert_eq!(Form::of(b"application/grpc-web"), Some((Form::Binary, b"".as_slice())));
    assert_eq!(Form::of(b"application/grpc-web+proto"), Some((Form::Binary, b"+proto".as_slice())));
    assert_eq!(Form::of(b"Application/grpc-web-text;x"), Some((Form::Text, b";x".as_slice())));
    assert_eq!(Form::of(b"application/grpc-web-text+proto"), Some((Form::Text, b"+proto".as_slice())));
    for other in ["application/grpc", "application/grpc+proto", "application/grpc-website", ""] {
        assert_eq!(Form::of(other.as_bytes()), None, "{other}");
    }
}

/// A body with trailers.
struct Two(Vec<Bytes>);

impl Source for Two {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<bifrons_core::Result<Option<Bytes>>> {
        Poll::Ready(Ok(if self.0.is_empty() { None } else { Some(self.0.remove(0)) }))
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn take_trailers(&mut self) -> Option<Headers> {
        let mut trailers = Headers::new();
        trailers.append_as("Grpc-Status", b"0");
        trailers.append_as("x-a", b"b");
        Some(trailers)
    }
}

fn read(form: Form) -> Vec<Bytes> {
    let inner = Two(vec![Bytes::from_static(b"\0\0\0\0\x01x"), Bytes::from_static(b"y")]);
    let mut answer = Answer::new(Body::Source(Box::new(inner)), form);
    let mut pieces = Vec::new();
    while let Poll::Ready(Ok(Some(piece))) = answer.poll_next(&mut Context::from_waker(Waker::noop())) {
        pieces.push(piece);
    }
    assert_eq!(answer.length(), Some(0));
    pieces
}

#[test]
fn trailers_are_the_last_frame() {
    let last: &[u8] = b"\x80\0\0\0\x18grpc-status: 0\r\nx-a: b\r\n";
    assert_eq!(read(Form::Binary), [b"\0\0\0\0\x01x".as_slice(), b"y", last]);
    let text: Vec<_> = read(Form::Text).iter().map(|piece| base64::decode(piece).unwrap()).collect();
    assert_eq!(text, [b"\0\0\0\0\x01x".to_vec(), b"y".to_vec(), last.to_vec()]);
    assert_eq!(frame(&Headers::new()), b"\x80\0\0\0\0");
}

proptest! {
    #[test]
    fn texts_are_read_however_they_are_cut(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 1..5),
        size in 1..9usize,
    ) {
        let text: String = parts.iter().map(|part| base64::encode(part)).collect();
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            out.extend_from_slice(&decoder.piece(Bytes::copy_from_slice(piece)).unwrap());
        }
        out.extend_from_slice(&decoder.end().unwrap());
        prop_assert_eq!(out, parts.concat());
    }

    #[test]
    fn no_bytes_are_too_much(text in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut decoder = Decoder::default();
        let _ = decoder.piece(Bytes::from(text)).and_then(|_| decoder.end());
    }
}

#[test]
fn what_is_no_base64_is_refused() {
    assert!(Decoder::default().piece(Bytes::from_static(b"!!!!")).is_err());
    let mut decoder = Decoder::default();
    decoder.piece(Bytes::from_static(b"AAAAA")).unwrap();
    assert!(decoder.end().is_err());
}
