use super::super::tests::{Dir, run};
use super::*;
use crate::headers::Headers;
use crate::message::Source;
use bifrons_core::Kind;
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;

/// A body of these pieces, each there as soon as it is asked for, and how often that was.
struct Pieces {
    left: Vec<Bytes>,
    asked: Rc<Cell<usize>>,
    end: fn() -> Result<Option<Bytes>>,
}

impl Source for Pieces {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        self.asked.set(self.asked.get() + 1);
        Poll::Ready(self.left.pop().map_or_else(self.end, |piece| Ok(Some(piece))))
    }

    fn length(&self) -> Option<u64> {
        None
    }

    fn take_trailers(&mut self) -> Option<Headers> {
        let mut trailers = Headers::new();
        trailers.append("X-Sum", b"1");
        Some(trailers)
    }
}

/// Nine pieces of a thousand bytes of that digit.
fn held(dir: &Dir, file: u64, end: fn() -> Result<Option<Bytes>>) -> (Body, Rc<Cell<usize>>) {
    let asked = Rc::new(Cell::new(0));
    let left = (b'1'..=b'9').rev().map(|digit| Bytes::from(vec![digit; 1000])).collect();
    let inner = Body::Source(Box::new(Pieces { left, asked: asked.clone(), end }));
    let rules = Arc::new(HoldRules { memory: 1500, file, write: 2000, dir: dir.0.clone() });
    (Body::Held(Box::new(Held::new(inner, rules))), asked)
}

/// Lets the last piece find no room until `done`.
async fn wait(body: &mut Body, done: impl Fn(&Body) -> bool) {
    poll_fn(|cx| {
        body.poll_pump(cx).unwrap();
        if done(body) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn rest(body: &mut Body, got: &mut Vec<u8>) -> Result<()> {
    while let Some(piece) = body.next().await? {
        got.extend_from_slice(&piece);
    }
    Ok(())
}

fn whole() -> Vec<u8> {
    (b'1'..=b'9').flat_map(|digit| [digit; 1000]).collect()
}

#[test]
fn it_comes_to_its_end_while_its_taker_waits_and_out_as_it_went_in() {
    run(async || {
        let dir = Dir::new("held");
        let (mut body, asked) = held(&dir, 1 << 20, || Ok(None));
        let mut got = body.next().await.unwrap().unwrap().to_vec();
        assert!(!body.has_come() && asked.get() == 1);
        wait(&mut body, Body::has_come).await;
        // All that an endpoint has sent is counted, though not all was taken.
        assert_eq!((asked.get(), body.taken(0), body.length()), (10, 9000, None));
        rest(&mut body, &mut got).await.unwrap();
        assert!(got == whole(), "{} bytes", got.len());
        assert!(body.take_trailers().unwrap().get("X-Sum").is_some());
    });
}

#[test]
fn a_taker_that_keeps_up_is_given_each_piece_as_it_comes() {
    run(async || {
        let dir = Dir::new("kept-up");
        let (mut body, asked) = held(&dir, 1 << 20, || Ok(None));
        for at in 1..=9 {
            poll_fn(|cx| Poll::Ready(body.poll_pump(cx))).await.unwrap();
            body.next().await.unwrap().unwrap();
            assert_eq!(asked.get(), at);
        }
        assert_eq!((body.next().await.unwrap(), dir.files()), (None, 0));
    });
}

#[test]
fn beyond_its_bounds_it_waits_too() {
    run(async || {
        let dir = Dir::new("bounds");
        let (mut body, asked) = held(&dir, 0, || Ok(None));
        let mut got = body.next().await.unwrap().unwrap().to_vec();
        wait(&mut body, |_| asked.get() == 3).await;
        poll_fn(|cx| Poll::Ready(body.poll_pump(cx))).await.unwrap();
        assert!(asked.get() == 3 && !body.has_come());
        rest(&mut body, &mut got).await.unwrap();
        assert!(got == whole());
    });
}

#[test]
fn what_breaks_it_off_is_told_behind_what_came() {
    run(async || {
        let dir = Dir::new("broken");
        let fails = || Err(Error::upstream(Kind::Closed, "closed in the middle of a body"));
        let (mut body, _) = held(&dir, 1 << 20, fails);
        let mut got = body.next().await.unwrap().unwrap().to_vec();
        wait(&mut body, Body::has_come).await;
        assert_eq!(body.length(), None);
        assert_eq!(rest(&mut body, &mut got).await.unwrap_err().kind(), Kind::Closed);
        assert!(got == whole());
    });
}
