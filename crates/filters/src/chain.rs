//! The filters of a route, in order.

use crate::filter::{Filter, Step, Turn};
use bifrons_core::Result;
use bifrons_http::message::forget_length;
use bifrons_http::{ReqCx, Request, RequestHead, Response};
use std::sync::Arc;

/// What became of a request that went through the filters.
pub enum Passed {
    /// It goes on.
    On,
    /// A filter has answered it.
    Reply(Response),
    /// A filter has sent it elsewhere.
    Turn(Turn),
}

/// The filters of a host and of a route.
#[derive(Clone, Default)]
pub struct Chain {
    filters: Box<[Arc<dyn Filter>]>,
    takes_requests: bool,
    codes: bool,
}

impl Chain {
    /// These filters, in this order.
    pub fn new(filters: Vec<Arc<dyn Filter>>) -> Self {
        let takes_requests = filters.iter().any(|filter| filter.takes_requests());
        let codes = filters.iter().any(|filter| filter.codes());
        Self { filters: filters.into(), takes_requests, codes }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// Whether any of them looks at requests.
    pub fn takes_requests(&self) -> bool {
        self.takes_requests
    }

    /// Whether any of them compresses bodies.
    pub fn codes(&self) -> bool {
        self.codes
    }

    /// Runs the request side in order.
    ///
    /// # Errors
    /// What a filter that waited says.
    pub async fn request(&self, cx: &mut ReqCx, req: &mut Request) -> Result<Passed> {
        for filter in &self.filters {
            let early = match filter.request(cx, req) {
                Step::Next => None,
                Step::Reply(response) => Some(*response),
                Step::Turn(turn) => return Ok(Passed::Turn(turn)),
                Step::Wait(waiting) => waiting.await?,
            };
            if let Some(response) = early {
                return Ok(Passed::Reply(response));
            }
            // A request without content stays one: a transform would make it chunked.
            if req.body.is_empty() {
                continue;
            }
            if let Some(transform) = filter.request_body(cx, &mut req.head) {
                forget_length(&mut req.head.headers);
                req.body = std::mem::take(&mut req.body).changed_by(transform);
            }
        }
        Ok(Passed::On)
    }

    /// Runs the response side in reverse order.
    ///
    /// # Errors
    /// What a filter says.
    pub fn response(&self, cx: &mut ReqCx, req: &RequestHead, res: &mut Response) -> Result<()> {
        for filter in self.filters.iter().rev() {
            filter.response(cx, req, &mut res.head)?;
            filter.whole(cx, req, res)?;
        }
        Ok(())
    }

    /// Tells all filters that the request is over.
    pub fn finish(&self, cx: &ReqCx) {
        for filter in &self.filters {
            filter.finish(cx);
        }
    }
}

#[cfg(test)]
mod tests;
