//! HTTP/1 downstream: request after request on one connection (RFC 9112 9).

use crate::conn::{ConnCx, Lease};
use crate::request::{self, After};
use crate::respond;
use crate::snapshot::ListenerPlan;
use crate::worker::Local;
use bifrons_core::{Error, Kind};
use bifrons_http::h1::Conn;
use bifrons_http::h1::conn::HeadPace;
use bifrons_http::h2::PREFACE_LINE;
use bifrons_http::{Body, Request};
use bifrons_model::PlainHttp2;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// 256 KiB: what is read over of an unwanted body to save the connection. More than that costs more than a
/// new one.
const DISCARD_BYTES_MAX: u64 = 256 * 1024;

/// 14 KiB: ten segments, what a new connection sends before the client acknowledges any of it (RFC 6928). Of
/// what is more, a part may still lie here when we close, and bytes that come then would cost the client that.
const AT_ONCE_BYTES: u64 = 14 * 1024;

/// Serves requests until the connection closes.
#[allow(
    clippy::manual_async_fn,
    reason = "an async fn would hold its arguments twice, in every idle connection"
)]
pub fn serve(cx: ConnCx, mut plans: (Rc<Local>, Arc<ListenerPlan>)) -> impl Future<Output = ()> {
    async move {
        // The first bytes have mostly come with the connection.
        cx.http.prefetch();
        let mut is_first = true;
        loop {
            let listener = &plans.1;
            let pace = match is_first {
                // A connection that says nothing at first gets no longer than a head.
                true => HeadPace { idle: listener.head_pace.head, ..listener.head_pace },
                false => {
                    let idle = cx.idle.get().unwrap_or(listener.head_pace.idle);
                    HeadPace { idle, ..listener.head_pace }
                }
            };
            cx.pipelined.set(!is_first && cx.http.has_buffered());
            is_first = false;
            let head = match cx.http.read_request(&listener.limits, pace).await {
                Ok(Some(head)) => head,
                Ok(None) => {
                    cx.http.close_notify();
                    return;
                }
                Err(err) if cx.http.messages() == 0 && is_preface(&cx, &plans, &err) => {
                    // Prior knowledge (RFC 9113 3.3).
                    tokio::task::spawn_local(Box::pin(super::http2::serve(cx, plans)));
                    return;
                }
                Err(err) => {
                    let is_silent = respond::is_silent(&err);
                    // Boxed: an idle connection must not hold room for what it may never need.
                    Box::pin(request::refuse(&cx, &plans, err)).await;
                    if !is_silent {
                        linger(&cx.http, plans.1.linger).await;
                    }
                    return;
                }
            };
            let lease = cx.refresh(&mut plans);
            let requests = cx.facts.requests.get() + 1;
            cx.facts.requests.set(requests);
            let lease = if requests >= plans.1.requests_max { Lease::Last } else { lease };
            let req = Request { head, body: Body::Empty };
            match Box::pin(request::handle(&cx, &plans, lease, req)).await {
                After::KeepAlive if cx.http.body_open() => {
                    if !discard(&cx.http, plans.1.linger).await {
                        return;
                    }
                }
                After::KeepAlive => {}
                After::Close => return close(&cx.http, plans.1.linger).await,
                After::Abort => return,
            }
        }
    }
}

/// Whether the client speaks HTTP/2 where that is allowed without encryption.
fn is_preface(cx: &ConnCx, plans: &(Rc<Local>, Arc<ListenerPlan>), err: &Error) -> bool {
    err.kind() == Kind::Version
        && cx.facts.tls.is_none()
        && !cx.is_misplaced
        && plans.1.http2.as_ref().is_some_and(|http2| http2.plain != PlainHttp2::Refuse)
        && cx.http.starts_with(PREFACE_LINE)
}

/// Whether what is left of the body is little enough to be read over.
pub fn is_discardable(conn: &Conn) -> bool {
    conn.body_left().is_some_and(|left| left <= DISCARD_BYTES_MAX)
}

/// Reads over the rest of a body nobody wanted; false when the connection is of no use any more.
async fn discard(conn: &Conn, limit: Duration) -> bool {
    let mut left = DISCARD_BYTES_MAX;
    let read = async {
        loop {
            match poll_fn(|cx| conn.poll_body(cx)).await {
                Ok(None) => return true,
                Ok(Some(piece)) => match left.checked_sub(piece.len() as u64) {
                    Some(rest) => left = rest,
                    None => return false,
                },
                Err(_) => return false,
            }
        }
    };
    tokio::time::timeout(limit, read).await.unwrap_or(false)
}

/// Closes so that the answer arrives: at once, or later where unread bytes, there or still to come, would make
/// the close a reset.
async fn close(conn: &Conn, limit: Duration) {
    conn.close_notify();
    let is_unread = || conn.body_open() || conn.has_buffered() || conn.stream().has_unread();
    if conn.sent() > AT_ONCE_BYTES || is_unread() {
        linger(conn, limit).await;
    }
}

/// Reads over what the client sends for a while after our direction has ended (RFC 9112 9.6): time bounds it
/// and not bytes, since many clients send a whole upload before they look at the answer.
pub(super) async fn linger(conn: &Conn, limit: Duration) {
    conn.close_notify();
    conn.stream().shutdown_write();
    let deadline = Instant::now() + limit;
    let read =
        async { while poll_fn(|cx| conn.poll_raw(cx, limit)).await.is_ok_and(|bytes| !bytes.is_empty()) {} };
    // Out of time: the socket closes as it is.
    let _ = tokio::time::timeout_at(deadline, read).await;
}
