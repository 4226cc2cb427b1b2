//! HTTP/1 downstream: request after request on one connection (RFC 9112 9).

use crate::conn::{ConnCx, Lease};
use crate::request::{self, After};
use crate::snapshot::ListenerPlan;
use crate::worker::Local;
use bifrons_core::Kind;
use bifrons_http::h1::Conn;
use bifrons_http::h1::conn::HeadPace;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// 256 KiB: what is read over of an unwanted body to save the connection, or of a refused one so that
/// the client gets to see the answer. More than that costs more than a new connection.
const DISCARD_BYTES_MAX: u64 = 256 * 1024;

/// Serves requests until the connection closes.
pub async fn serve(cx: ConnCx, mut plans: (Rc<Local>, Arc<ListenerPlan>)) {
    // The first bytes have mostly come with the connection.
    cx.http.prefetch();
    let mut is_first = true;
    loop {
        let listener = &plans.1;
        let pace = match is_first {
            // A connection that says nothing at first gets no longer than a head.
            true => HeadPace { idle: listener.head_pace.head, ..listener.head_pace },
            false => listener.head_pace,
        };
        cx.pipelined.set(!is_first && cx.http.has_buffered());
        is_first = false;
        let head = match cx.http.read_request(&listener.limits, pace).await {
            Ok(Some(head)) => head,
            Ok(None) => return,
            Err(err) => {
                // Boxed: an idle connection must not hold room for what it may never need.
                Box::pin(request::refuse(&cx, &plans, err)).await;
                return linger(&cx.http, plans.1.linger).await;
            }
        };
        let lease = cx.refresh(&mut plans);
        let requests = cx.facts.requests.get() + 1;
        cx.facts.requests.set(requests);
        let lease = if requests >= plans.1.requests_max { Lease::Last } else { lease };
        match Box::pin(request::handle(&cx, &plans, lease, head)).await {
            After::KeepAlive if cx.http.body_open() => {
                if !discard(&cx.http, plans.1.linger).await {
                    return;
                }
            }
            After::KeepAlive => {}
            After::Close if cx.http.body_open() || cx.http.has_buffered() => {
                return linger(&cx.http, plans.1.linger).await;
            }
            After::Close => return close(&cx.http).await,
            After::Abort => return,
        }
    }
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

/// A last close without unread bytes: the client has our end of the stream before the socket goes.
async fn close(conn: &Conn) {
    conn.stream().shutdown_write();
}

/// Closes so that the answer arrives although unread bytes are on their way: end our direction, read
/// over theirs for a while (RFC 9112 9.6).
async fn linger(conn: &Conn, limit: Duration) {
    conn.stream().shutdown_write();
    let deadline = Instant::now() + limit;
    let mut left = DISCARD_BYTES_MAX;
    let read = async {
        loop {
            match poll_fn(|cx| conn.poll_raw(cx, limit)).await {
                Ok(bytes) if bytes.is_empty() => return,
                Ok(bytes) => match left.checked_sub(bytes.len() as u64) {
                    Some(rest) => left = rest,
                    None => return,
                },
                Err(err) if err.kind() == Kind::Timeout => return,
                Err(_) => return,
            }
        }
    };
    // Out of time: the socket closes as it is.
    let _ = tokio::time::timeout_at(deadline, read).await;
}
