use super::*;
use crate::testing::{cx, get, read, request, response, run};
use bifrons_core::{Error, Kind};
use bifrons_http::{Body, Name, ResponseHead, Transform};
use bytes::Bytes;
use std::sync::Mutex;

/// Notes what it is asked, and does what it is told.
struct Probe {
    name: &'static str,
    does: Does,
    seen: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Does {
    Nothing,
    Reply,
    WaitThenGoOn,
    WaitThenReply,
    WaitThenFail,
    Mark,
}

impl Probe {
    fn note(&self, what: &str) {
        self.seen.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

/// Puts a name behind a body.
struct Mark(&'static str);

impl Transform for Mark {
    fn piece(&mut self, piece: Bytes) -> Result<Bytes> {
        Ok(piece)
    }

    fn end(&mut self) -> Result<Bytes> {
        Ok(Bytes::from_static(self.0.as_bytes()))
    }
}

impl Filter for Probe {
    fn request<'a>(&'a self, _cx: &'a mut ReqCx, _req: &'a mut Request) -> Step<'a> {
        self.note("request");
        match self.does {
            Does::Nothing | Does::Mark => Step::Next,
            Does::Reply => Step::Reply(Box::new(Response::empty(403))),
            does => Step::Wait(Box::pin(async move {
                tokio::task::yield_now().await;
                match does {
                    Does::WaitThenReply => Ok(Some(Response::empty(429))),
                    Does::WaitThenFail => Err(Error::local(Kind::Internal, "as told")),
                    _ => Ok(None),
                }
            })),
        }
    }

    fn response(&self, _cx: &mut ReqCx, _req: &RequestHead, _res: &mut ResponseHead) -> Result<()> {
        self.note("response");
        Ok(())
    }

    fn request_body(&self, _cx: &ReqCx, _req: &mut RequestHead) -> Option<Box<dyn Transform>> {
        (self.does == Does::Mark).then(|| Box::new(Mark(self.name)) as Box<dyn Transform>)
    }

    fn response_body(
        &self,
        _cx: &ReqCx,
        _req: &RequestHead,
        _res: &mut ResponseHead,
    ) -> Option<Box<dyn Transform>> {
        (self.does == Does::Mark).then(|| Box::new(Mark(self.name)) as Box<dyn Transform>)
    }

    fn finish(&self, _cx: &ReqCx) {
        self.note("finish");
    }
}

type Seen = Arc<Mutex<Vec<String>>>;

/// A chain of `a`, `b`, … that do these things.
fn chain(does: &[Does]) -> (Chain, Seen) {
    let seen = Seen::default();
    let probe = |(name, does): (&'static str, &Does)| {
        Arc::new(Probe { name, does: *does, seen: seen.clone() }) as Arc<dyn Filter>
    };
    let filters = ["a", "b", "c"].into_iter().zip(does).map(probe).collect();
    (Chain::new(filters), seen)
}

fn ask(chain: &Chain) -> Result<Option<u16>> {
    let (mut cx, mut req) = (cx(), request(""));
    run(async || chain.request(&mut cx, &mut req).await).map(|passed| match passed {
        Passed::On => None,
        Passed::Reply(res) => Some(res.head.status),
        Passed::Turn(_) => Some(0),
    })
}

fn take(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut seen.lock().unwrap())
}

#[test]
fn requests_in_order_and_answers_in_reverse() {
    let (chain, seen) = chain(&[Does::Nothing, Does::WaitThenGoOn, Does::Nothing]);
    assert_eq!(ask(&chain).unwrap(), None);
    assert_eq!(take(&seen), ["a request", "b request", "c request"]);
    chain.response(&mut cx(), &get(""), &mut Response::empty(200)).unwrap();
    assert_eq!(take(&seen), ["c response", "b response", "a response"]);
    chain.finish(&cx());
    assert_eq!(take(&seen), ["a finish", "b finish", "c finish"]);
}

#[test]
fn an_early_answer_ends_the_request_side() {
    for (does, status) in [(Does::Reply, 403), (Does::WaitThenReply, 429)] {
        let (chain, seen) = chain(&[Does::Nothing, does, Does::Nothing]);
        assert_eq!(ask(&chain).unwrap(), Some(status));
        assert_eq!(take(&seen), ["a request", "b request"]);
    }
    let (chain, _) = chain(&[Does::WaitThenFail, Does::Nothing]);
    assert_eq!(ask(&chain).unwrap_err().kind(), Kind::Internal);
}

#[test]
fn bodies_pass_all_transforms() {
    let (chain, _) = chain(&[Does::Mark, Does::Nothing, Does::Mark]);
    let (mut cx, mut req) = (cx(), request("Content-Length: 4\r\n"));
    req.body = Body::Full("body".into());
    run(async || chain.request(&mut cx, &mut req).await.map(|_| ())).unwrap();
    assert!(!req.head.headers.has(Name::ContentLength));
    assert_eq!(read(req.body), b"bodyac");
    let mut res = Response {
        head: response("HTTP/1.1 200 x", "Content-Length: 4\r\n"),
        body: Body::Full("body".into()),
    };
    chain.response(&mut cx, &get(""), &mut res).unwrap();
    assert!(!res.head.headers.has(Name::ContentLength));
    assert_eq!(read(res.body), b"bodyca");
}

#[test]
fn what_has_no_body_gets_none() {
    let (chain, _) = chain(&[Does::Mark]);
    let mut res = Response { head: response("HTTP/1.1 304 x", "Content-Length: 4\r\n"), body: Body::Empty };
    chain.response(&mut cx(), &get(""), &mut res).unwrap();
    assert!(res.body.is_empty() && res.head.headers.has(Name::ContentLength));
    let mut cx = cx();
    let mut req = request("");
    run(async || chain.request(&mut cx, &mut req).await.map(|_| ())).unwrap();
    assert!(req.body.is_empty(), "a GET without a body stays one");
}

#[test]
fn no_filters_do_nothing() {
    let chain = Chain::default();
    assert!(chain.is_empty() && !chain.takes_requests());
    assert_eq!(ask(&chain).unwrap(), None);
}
