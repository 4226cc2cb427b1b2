use super::{Bounded, timeout};
use bifrons_core::Result;
use bifrons_http::message::Source;
use bifrons_http::{Body, Headers};
use bytes::Bytes;
use proptest::prelude::*;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

#[test]
fn times_have_up_to_eight_digits_and_a_unit() {
    let rows = [
        ("1H", Some(Duration::from_secs(3600))),
        ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
        ("2M", Some(Duration::from_secs(120))),
        ("30S", Some(Duration::from_secs(30))),
        ("250m", Some(Duration::from_millis(250))),
        ("7u", Some(Duration::from_micros(7))),
        ("00000001n", Some(Duration::from_nanos(1))),
        ("0S", Some(Duration::ZERO)),
        ("100000000n", None),
        ("H", None),
        ("", None),
        ("10", None),
        ("10s", None),
        ("-1S", None),
        ("1 S", None),
        ("1.5S", None),
    ];
    for (text, time) in rows {
        assert_eq!(timeout(text.as_bytes()), time, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(text in prop::collection::vec(any::<u8>(), 0..20)) {
        let _ = timeout(&text);
    }
}

/// A piece, and then nothing for ever.
struct Stuck(Option<Bytes>, Option<u64>);

impl Source for Stuck {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.0.take().map_or(Poll::Pending, |piece| Poll::Ready(Ok(Some(piece))))
    }

    fn length(&self) -> Option<u64> {
        self.1
    }

    fn take_trailers(&mut self) -> Option<Headers> {
        None
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(work)
}

#[test]
fn an_answer_ends_with_its_deadline() {
    run(async {
        let stuck = Body::Source(Box::new(Stuck(Some(Bytes::from_static(b"one")), None)));
        let mut body = Bounded::new(stuck, Instant::now());
        // What is there goes first.
        assert_eq!(poll_fn(|cx| body.poll_next(cx)).await.unwrap().unwrap(), "one");
        assert!(poll_fn(|cx| body.poll_next(cx)).await.unwrap().is_none());
        let trailers = body.take_trailers().unwrap();
        assert_eq!(trailers.get("grpc-status").unwrap(), b"4");
        assert!(body.take_trailers().is_none());
    });
}

#[test]
fn an_answer_of_a_length_is_cut_off() {
    run(async {
        let mut body = Bounded::new(Body::Source(Box::new(Stuck(None, Some(3)))), Instant::now());
        assert!(poll_fn(|cx| body.poll_next(cx)).await.is_err());
    });
}
