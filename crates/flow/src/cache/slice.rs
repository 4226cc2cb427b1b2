//! Large answers in slices: a request for one is taken apart into requests for slices, each of which goes its way through
//! the cache; their bodies are sent one after the other.

use super::aside::Aside;
use super::{Looked, fetch, key_of, look};
use crate::outcome::Outcome;
use crate::record;
use crate::request::Task;
use bifrons_cache::CachePlan;
use bifrons_cache::answer::{Manner, Shape, shape};
use bifrons_cache::slice::{Version, first_slice, slice_at};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::vars::Scope;
use bifrons_http::{Body, Method, Name, Request, RequestHead, Source};
use bytes::Bytes;
use std::ops::Range;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// 2: pieces of a body that wait for the client, each no larger than a slice.
const PIECES_MAX: usize = 2;

/// Answers by slices of that size, as far as the origin gives any.
pub(super) async fn answer(
    plan: &CachePlan,
    task: &mut Task<'_>,
    req: &Request,
    size: u64,
) -> Result<Outcome> {
    let first = first_slice(&req.head, size);
    let mut res = match one(plan, task, &req.head, first.clone()).await? {
        Outcome::Answer(res) => res,
        other => return Ok(other),
    };
    if res.head.status == 416 && first.start == 0 {
        // Nothing is there, of which there is no part.
        drop(res);
        return one(plan, task, &req.head, 0..0).await;
    }
    if res.head.status != 206 || task.cx.slice.as_ref().is_none_or(Range::is_empty) {
        return Ok(Outcome::Answer(res));
    }
    let Some(version) = Version::of(&res.head, &first) else {
        return Err(wrong("the endpoint sent another range than the slice that was asked for"));
    };
    let len = version.len;
    res.head.set_status(200);
    for name in [Name::ContentRange, Name::ContentLength] {
        res.head.headers.remove(name);
    }
    let manner = Manner { parts_max: 1, forces_ranges: true, ..plan.manner(true) };
    let part = match shape(&req.head, &mut res.head, Some(len), &manner) {
        Shape::Whole => 0..len,
        Shape::Part(part) => part,
        Shape::Parts(_) | Shape::Nothing => {
            res.body = Body::Empty;
            return Ok(if res.head.status == 304 { Outcome::Answer(res) } else { Outcome::Own(res) });
        }
    };
    if req.head.method() == Method::Head {
        res.head.headers.append_as("Content-Length", len.to_string().as_bytes());
        res.body = Body::Empty;
        return Ok(Outcome::Answer(res));
    }
    let rest = Rest {
        aside: Aside::of(task)?,
        head: req.head.clone(),
        version,
        first: first.clone(),
        size,
        part: part.clone(),
    };
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    // Owned by the receiver: it ends when nobody takes what it sends.
    tokio::task::spawn_local(pump(rest, (first, std::mem::take(&mut res.body)), sender));
    res.body = Body::Source(Box::new(Sliced { pieces, left: part.end - part.start }));
    Ok(Outcome::Answer(res))
}

fn wrong(what: &'static str) -> Error {
    Error::upstream(Kind::Malformed, what)
}

/// One slice, by the ways of the cache. An empty one: the whole.
async fn one(
    plan: &CachePlan,
    task: &mut Task<'_>,
    head: &RequestHead,
    slice: Range<u64>,
) -> Result<Outcome> {
    task.cx.slice = Some(slice);
    let mut req = Request { head: head.clone(), body: Body::Empty };
    match look(plan, task, &req.head, &req.body)? {
        Looked::Done(outcome) => Ok(outcome),
        // Boxed: it may lead here again.
        looked => Box::pin(fetch(plan, task, &mut req, looked)).await,
    }
}

/// What the slices behind the first are asked by.
struct Rest {
    aside: Aside,
    head: RequestHead,
    version: Version,
    first: Range<u64>,
    size: u64,
    /// The bytes that the client gets.
    part: Range<u64>,
}

impl Rest {
    /// A slice of the same version.
    async fn ask(&self, task: &mut Task<'_>, slice: &Range<u64>) -> Result<Body> {
        let route = self.aside.route().clone();
        let Some(plan) = &route.cache else { return Ok(Body::Empty) };
        let Outcome::Answer(res) = one(plan, task, &self.head, slice.clone()).await? else {
            return Err(wrong("a slice is answered by no endpoint"));
        };
        if Version::of(&res.head, slice).is_some_and(|other| other.is_of(&self.version)) {
            return Ok(res.body);
        }
        // One of the two is outdated, and nobody knows which: the next request has both anew.
        for slice in [&self.first, slice] {
            self.forget(plan, task, slice);
        }
        Err(wrong("the endpoint sent a slice of another version than that of the first"))
    }

    fn forget(&self, plan: &CachePlan, task: &Task<'_>, slice: &Range<u64>) {
        let scope = Scope { cx: &task.cx, req: &self.head, res: None };
        let key = key_of(plan, &scope, self.head.target(), Some(slice));
        if let Some(zone) = &plan.zone {
            zone.store.remove(&zone.store.key(&key));
        }
    }
}

/// Sends what the client gets, slice after slice, until it has all or leaves.
async fn pump(rest: Rest, first: (Range<u64>, Body), sender: mpsc::Sender<Result<Bytes>>) {
    let mut in_hand = Some(first);
    let mut at = rest.part.start;
    // Bounded: each turn sends a slice, or ends.
    while at < rest.part.end {
        let slice = slice_at(at, rest.size);
        let end = slice.end.min(rest.part.end);
        let mut task = rest.aside.task();
        let body = match in_hand.take() {
            Some((first, body)) if first == slice => Ok(body),
            _ => rest.ask(&mut task, &slice).await,
        };
        let sent = match body {
            Ok(body) => send(body, slice.start, at..end, &sender).await,
            Err(err) => Err(Some(err)),
        };
        record::aside(&mut task);
        match sent {
            Ok(()) => at = end,
            Err(err) => {
                if let Some(err) = err {
                    // Whoever took it may have left.
                    let _ = sender.send(Err(err)).await;
                }
                return;
            }
        }
    }
}

/// Sends of a body that begins at `start` the bytes `part`. The error is `None` where nobody takes them.
async fn send(
    mut body: Body,
    start: u64,
    part: Range<u64>,
    sender: &mpsc::Sender<Result<Bytes>>,
) -> std::result::Result<(), Option<Error>> {
    let mut at = start;
    while at < part.end {
        let Some(piece) = body.next().await? else {
            return Err(Some(Error::upstream(Kind::Closed, "a slice is shorter than it said")));
        };
        let within = |place: u64| place.saturating_sub(at).min(piece.len() as u64) as usize;
        let wanted = piece.slice(within(part.start)..within(part.end));
        at += piece.len() as u64;
        if !wanted.is_empty() && sender.send(Ok(wanted)).await.is_err() {
            return Err(None);
        }
    }
    Ok(())
}

/// The body that is put together of slices.
struct Sliced {
    pieces: mpsc::Receiver<Result<Bytes>>,
    left: u64,
}

impl Source for Sliced {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(Ok(None));
        }
        self.pieces.poll_recv(cx).map(|piece| match piece {
            Some(Ok(piece)) => {
                self.left = self.left.saturating_sub(piece.len() as u64);
                Ok(Some(piece))
            }
            Some(Err(err)) => Err(err),
            None => Err(Error::local(Kind::Internal, "what puts slices together has ended without a word")),
        })
    }

    fn length(&self) -> Option<u64> {
        Some(self.left)
    }
}
