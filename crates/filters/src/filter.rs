//! The trait every filter implements, and what it answers.

use bifrons_core::Result;
use bifrons_http::message::forget_length;
use bifrons_http::{Body, ReqCx, Request, RequestHead, Response, ResponseHead, Transform};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What a filter says to a request.
pub enum Step<'a> {
    /// Go on.
    Next,
    /// Answer with this at once; the response filters still run.
    Reply(Box<Response>),
    /// Leave the route.
    Turn(Turn),
    /// Go on when this future says so. Only a filter that waits pays for an allocation.
    Wait(Waiting<'a>),
}

/// Where a request goes that leaves its route.
pub enum Turn {
    /// To the route of the path it has now.
    Route,
    /// To that named route, in place of this one.
    Use(Arc<str>),
    /// Nowhere: this is the answer, given as that named route's.
    Reply(Arc<str>, Box<Response>),
}

/// What a filter waits for: `Some` answers at once, `None` goes on.
pub type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Option<Response>>> + 'a>>;

/// A running filter: immutable, shared by all workers. Each method has a default that does nothing.
pub trait Filter: Send + Sync {
    /// Whether it looks at requests at all: a chain of filters that only change answers is not run for them.
    fn takes_requests(&self) -> bool {
        true
    }

    /// Runs when a route has been found, in the order of the configuration.
    fn request<'a>(&'a self, _cx: &'a mut ReqCx, _req: &'a mut Request) -> Step<'a> {
        Step::Next
    }

    /// Whether the filter has a say about this request: one that decides who may pass, and has no rule for it,
    /// neither refuses it nor grants anything.
    fn has_say(&self, _cx: &ReqCx, _req: &Request) -> bool {
        true
    }

    /// Runs when there is a response, in the reverse order, also for answers the proxy made itself.
    ///
    /// # Errors
    /// When the response can't be sent as it is; the client gets an error answer instead.
    fn response(&self, _cx: &mut ReqCx, _req: &RequestHead, _res: &mut ResponseHead) -> Result<()> {
        Ok(())
    }

    /// Asked once a message: what changes the request's body, if anything does.
    fn request_body(&self, _cx: &ReqCx, _req: &mut RequestHead) -> Option<Box<dyn Transform>> {
        None
    }

    /// Asked once a message: what changes the response's body, if anything does.
    fn response_body(
        &self,
        _cx: &ReqCx,
        _req: &RequestHead,
        _res: &mut ResponseHead,
    ) -> Option<Box<dyn Transform>> {
        None
    }

    /// Runs behind `response` and sees the answer as a whole: for filters whose changes to the head hang on the
    /// body. The others' changed bodies come from here, too.
    ///
    /// # Errors
    /// As `response`.
    fn whole(&self, cx: &mut ReqCx, req: &RequestHead, res: &mut Response) -> Result<()> {
        if res.body.is_empty() || matches!(res.body, Body::Tunnel(_)) {
            return Ok(());
        }
        if let Some(transform) = self.response_body(cx, req, &mut res.head) {
            forget_length(&mut res.head.headers);
            res.body = std::mem::take(&mut res.body).changed_by(transform);
        }
        Ok(())
    }

    /// Whether it compresses bodies, and would keep what comes of it.
    fn codes(&self) -> bool {
        false
    }

    /// Runs when everything was sent or given up.
    fn finish(&self, _cx: &ReqCx) {}
}
