//! Whether the client is still there while an endpoint is waited for.

use crate::conn::ConnCx;
use bifrons_core::{Error, Kind, Result};
use bifrons_model::ClientAbort;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for `work` as long as the client is there, in the sense of the policy.
///
/// # Errors
/// The client's leaving.
pub(super) async fn unless_left<T>(
    policy: ClientAbort,
    client: &ConnCx,
    mut work: Pin<Box<impl Future<Output = T>>>,
) -> Result<T> {
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Pending => match client_left(cx, policy, client) {
            Some(err) => Poll::Ready(Err(err)),
            None => Poll::Pending,
        },
        Poll::Ready(done) => Poll::Ready(Ok(done)),
    })
    .await
}

/// An error once the client is gone in the sense of the policy.
pub(crate) fn client_left(cx: &mut Context<'_>, policy: ClientAbort, client: &ConnCx) -> Option<Error> {
    if client.is_alone() {
        return None;
    }
    if let Some(exchange) = &client.exchange {
        let is_gone = policy != ClientAbort::Ignore && exchange.poll_reset(cx).is_ready();
        return is_gone.then(|| Error::downstream(Kind::Closed, "the client gave the stream up"));
    }
    let http = &client.http;
    let stream = http.stream();
    // Registers for news of the client.
    if policy == ClientAbort::Ignore || stream.poll_news(cx).is_pending() {
        return None;
    }
    let is_ended = stream.is_read_closed();
    // A connection whose first bytes were read without the reactor counts as readable until somebody looks:
    // nothing is there, so the next news is waited for.
    if !is_ended && !http.body_open() && stream.is_alive() {
        stream.clear_readable();
        if stream.poll_readable(cx).is_pending() {
            return None;
        }
    }
    // A pipelined request, a body that nobody reads now and a half-close stay where they are and keep the
    // stream readable: news shows on its other side.
    let is_gone = stream.poll_hung_up(cx).is_ready() || is_ended && policy == ClientAbort::CancelOnHalfClose;
    is_gone.then(|| Error::downstream(Kind::Closed, "the client left before the answer"))
}
