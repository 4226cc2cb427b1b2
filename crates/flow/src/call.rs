//! Beside steps 5 and 8: calls of gRPC, whose time is bounded by their client and whose errors are no pages.

use crate::request::Task;
use bifrons_core::{Error, Kind, Result};
use bifrons_grpc::{Bounded, Code, deadline};
use bifrons_http::{Body, Headers, Name, RequestHead, Response};
use std::future::Future;
use tokio::time::Instant;

/// Whether the request is a call.
pub(crate) fn is_call(head: &RequestHead) -> bool {
    is_of_call(&head.headers)
}

/// Whether these are fields of a call, or of the answer to one.
pub(crate) fn is_of_call(fields: &Headers) -> bool {
    fields.get(Name::ContentType).is_some_and(bifrons_grpc::is_call)
}

/// When a request must be over that is a call and says so.
///
/// # Errors
/// `Malformed` for a `grpc-timeout` that is none.
pub(crate) fn deadline(task: &Task<'_>, head: &RequestHead) -> Result<Option<Instant>> {
    if !is_call(head) {
        return Ok(None);
    }
    let Some(text) = head.headers.get("grpc-timeout") else { return Ok(None) };
    let Some(time) = deadline::timeout(text) else {
        let text = String::from_utf8_lossy(text);
        let reason = format!("grpc-timeout \"{text}\" is not up to eight digits and one of H, M, S, m, u, n");
        return Err(Error::downstream(Kind::Malformed, reason));
    };
    // One beyond the end of the clock is none.
    Ok(task.cx.started.checked_add(time))
}

/// The outcome of attempts that end with the deadline; what is left of the answer ends with it, too.
pub(crate) async fn within(
    until: Instant,
    attempts: impl Future<Output = Result<Response>>,
) -> Result<Response> {
    let mut res = tokio::time::timeout_at(until, attempts).await.map_err(|_| deadline::over())??;
    if !res.body.is_empty() && !matches!(res.body, Body::Tunnel(_)) {
        let inner = std::mem::take(&mut res.body);
        res.body = Body::Source(Box::new(Bounded::new(inner, until)));
    }
    Ok(res)
}

/// Notes an attempt that the deadline has ended.
pub(crate) fn note_late(task: &mut Task<'_>, outcome: &Result<Response>) {
    if let (Err(err), Some(last)) = (outcome, task.cx.attempts.last_mut())
        && err.kind() == Kind::Deadline
        && last.status == 0
    {
        last.error.get_or_insert(Kind::Deadline);
    }
}

/// The text of an answer of our own that the configuration has written: the message of a call's status.
pub(crate) fn text_of(res: &Response) -> Vec<u8> {
    let is_text =
        res.head.headers.get(Name::ContentType).is_none_or(|media| media.starts_with(b"text/plain"));
    match &res.body {
        Body::Full(text) if is_text => text.trim_ascii_end().to_vec(),
        _ => Vec::new(),
    }
}

/// Ends a call with an answer of our own: by its status, and by that text or what the status says.
#[cold]
pub(crate) fn end(task: &Task<'_>, res: &mut Response, text: &[u8]) {
    let is_late = task.cx.error.as_ref().is_some_and(|err| err.kind() == Kind::Deadline);
    let code = if is_late { Code::DeadlineExceeded } else { Code::of_http(res.head.status) };
    let usual = if is_late { "Deadline Exceeded" } else { bifrons_http::status::reason(res.head.status) };
    bifrons_grpc::answer(res, code, if text.is_empty() { usual.as_bytes() } else { text });
}
