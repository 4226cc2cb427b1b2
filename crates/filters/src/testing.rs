//! What the tests of this crate share: requests and answers from text, and their context.

use bifrons_core::Limits;
use bifrons_http::h1::parse::{self, Parsed};
use bifrons_http::{Body, ConnFacts, ReqCx, Request, RequestHead, ResponseHead};
use std::cell::{Cell, OnceCell};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use tokio::time::Instant;

/// A request from 203.0.113.5 that has just come.
pub(crate) fn cx() -> ReqCx {
    let facts = ConnFacts {
        listener: "web".into(),
        peer: Some("203.0.113.5:4711".parse().unwrap()),
        peer_text: "203.0.113.5".into(),
        local: OnceCell::from(None),
        socket: Weak::new(),
        told: None,
        layer4: None,
        tls: None,
        serial: 1,
        accepted: Instant::now(),
        requests: Cell::new(1),
    };
    ReqCx::new(Rc::new(facts), Instant::now())
}

/// A request's head with these fields.
pub(crate) fn head(line: &str, fields: &str) -> RequestHead {
    let text = format!("{line}\r\nHost: a.example\r\n{fields}\r\n");
    match parse::request(text.as_bytes(), &Limits::default()).unwrap() {
        Parsed::Head(head, _) => head,
        Parsed::Partial => panic!("partial"),
    }
}

/// A GET with these fields.
pub(crate) fn get(fields: &str) -> RequestHead {
    head("GET /a?b=c HTTP/1.1", fields)
}

/// The same as a request without body.
pub(crate) fn request(fields: &str) -> Request {
    Request { head: get(fields), body: Body::Empty }
}

/// An answer's head with these fields.
pub(crate) fn response(line: &str, fields: &str) -> ResponseHead {
    let text = format!("{line}\r\n{fields}\r\n");
    match parse::response(text.as_bytes(), &Limits::default()).unwrap() {
        Parsed::Head(head, _) => head,
        Parsed::Partial => panic!("partial"),
    }
}

/// A body that waits for nothing, to its end.
pub(crate) fn read(mut body: Body) -> Vec<u8> {
    let mut all = Vec::new();
    while let Poll::Ready(piece) = body.poll_next(&mut Context::from_waker(Waker::noop())) {
        match piece.unwrap() {
            Some(piece) => all.extend_from_slice(&piece),
            None => return all,
        }
    }
    panic!("a body that waits");
}

/// Runs what waits.
pub(crate) fn run<T>(test: impl AsyncFnOnce() -> T) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test())
}

/// The settings of a filter, from JSON.
pub(crate) fn config<T: serde::de::DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}
