//! HTTP/2 downstream: streams beside each other on one connection (RFC 9113). Each is a task with one
//! request, which takes the same way as one of HTTP/1.

use crate::conn::{ConnCx, Lease};
use crate::request;
use crate::snapshot::{Http2Plan, ListenerPlan};
use crate::worker::Local;
use bifrons_core::Error;
use bifrons_http::h1::framing;
use bifrons_http::h2::{Exchange, H2Body, Io, head};
use bifrons_http::{Body, Name};
use bifrons_net::{Timer, clock};
use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// 500 streams that their clients gave up within [`EARLY`], as Envoy counts them
/// (`overload.premature_reset_total_stream_count`): if they are also more than half of all, somebody makes
/// us work for nothing (CVE-2023-44487).
const EARLY_RESETS_MAX: u32 = 500;
/// 1 s: who gives up a stream sooner has hardly waited for an answer.
const EARLY: Duration = Duration::from_secs(1);
/// 5 s: how long a client may take to end what it has begun after the last frame of ours.
const CLOSING: Duration = Duration::from_secs(5);

/// What streams tell the connection.
#[derive(Default)]
struct Counts {
    active: Cell<u32>,
    early_resets: Cell<u32>,
}

/// Serves streams until the connection closes.
pub async fn serve(cx: ConnCx, mut plans: (Rc<Local>, Arc<ListenerPlan>)) {
    let Some(plan) = plans.1.http2 else { return };
    let io = Io::new(cx.http.clone(), plans.1.send_timeout);
    let handshake = builder(&plan, &plans.1).handshake::<_, Bytes>(io);
    let Ok(Ok(mut conn)) = tokio::time::timeout(plans.1.head_pace.head, handshake).await else { return };
    let counts = Rc::new(Counts::default());
    let mut idle = Timer::new();
    let mut is_ending = false;
    let mut streams = 0u32;
    // Bounded: streams are counted, and the connection ends after the last one.
    loop {
        match next(&cx, &mut conn, &counts, &mut idle, (plans.1.head_pace.idle, is_ending)).await {
            Next::Stream(request, respond) => {
                streams += 1;
                let lease = cx.refresh(&mut plans);
                let requests = cx.facts.requests.get() + 1;
                cx.facts.requests.set(requests);
                cx.http.count_message();
                if !is_ending && (lease == Lease::Last || requests >= plans.1.requests_max) {
                    is_ending = true;
                    conn.graceful_shutdown();
                }
                begin(&cx, &plans, &counts, request, respond);
                let early = counts.early_resets.get();
                if early >= EARLY_RESETS_MAX && early > streams / 2 {
                    tracing::debug!(
                        peer = &*cx.facts.peer_text,
                        early,
                        streams,
                        "streams are reset too early"
                    );
                    conn.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                }
            }
            Next::End if is_ending => return,
            Next::End => {
                is_ending = true;
                idle.clear();
                conn.graceful_shutdown();
            }
            Next::Closed => return,
        }
    }
}

fn builder(plan: &Http2Plan, listener: &ListenerPlan) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    let head_bytes = listener.limits.head_bytes;
    builder
        .max_concurrent_streams(plan.streams_max)
        .initial_window_size(plan.stream_window)
        .initial_connection_window_size(plan.connection_window)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(plan.send_buffer);
    builder
}

/// What comes next of a connection.
enum Next {
    Stream(http::Request<RecvStream>, SendResponse<Bytes>),
    /// It is to end: nobody has used it for too long, or we are going.
    End,
    Closed,
}

async fn next(
    cx: &ConnCx,
    conn: &mut Connection<Io, Bytes>,
    counts: &Counts,
    idle: &mut Timer,
    (limit, is_ending): (Duration, bool),
) -> Next {
    poll_fn(|context| {
        if let Poll::Ready(stream) = conn.poll_accept(context) {
            idle.clear();
            return Poll::Ready(match stream {
                Some(Ok((request, respond))) => Next::Stream(request, respond),
                // What was wrong with the connection, the client has been told.
                Some(Err(err)) => {
                    tracing::debug!(peer = &*cx.facts.peer_text, %err, "HTTP/2 connection failed");
                    Next::Closed
                }
                None => Next::Closed,
            });
        }
        let is_idle = counts.active.get() == 0;
        cx.http.set_idle(is_idle);
        if !is_ending && cx.http.poll_end(context).is_ready() {
            return Poll::Ready(Next::End);
        }
        if !is_idle {
            idle.clear();
            return Poll::Pending;
        }
        // An ending connection without streams waits for nothing but the client's own end.
        let limit = if is_ending { CLOSING } else { limit };
        match idle.poll(context, limit) {
            Poll::Ready(()) => Poll::Ready(Next::End),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// One more that is being served, as long as it lives.
struct Active(Rc<Counts>);

impl Active {
    fn of(counts: &Rc<Counts>) -> Self {
        counts.active.set(counts.active.get() + 1);
        Self(counts.clone())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get().saturating_sub(1));
    }
}

/// Starts a stream's task.
fn begin(
    conn: &ConnCx,
    plans: &(Rc<Local>, Arc<ListenerPlan>),
    counts: &Rc<Counts>,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let active = Active::of(counts);
    let (parts, stream) = request.into_parts();
    let parsed = head::request(&parts, &plans.1.limits);
    let bytes = parsed.as_ref().map_or(0, |(_, bytes)| *bytes);
    let exchange = Rc::new(Exchange::new(respond, bytes));
    let body = |head: &bifrons_http::RequestHead| {
        if stream.is_end_stream() {
            return Body::Empty;
        }
        let len = head.headers.get(Name::ContentLength).and_then(framing::parse_length);
        Body::H2(Box::new(H2Body::new(stream, exchange.clone(), len, plans.1.body_pace)))
    };
    let parsed = parsed.map(|(head, _)| {
        let body = body(&head);
        bifrons_http::Request { head, body }
    });
    let cx = conn.stream(exchange.clone());
    let plans = plans.clone();
    tokio::task::spawn_local(async move {
        let began = clock::recent();
        run(&cx, &plans, parsed).await;
        note_reset(&active, &exchange, began);
    });
}

async fn run(
    cx: &ConnCx,
    plans: &(Rc<Local>, Arc<ListenerPlan>),
    parsed: Result<bifrons_http::Request, Error>,
) {
    match parsed {
        Ok(req) => {
            request::handle(cx, plans, Lease::On, req).await;
        }
        Err(err) => request::refuse(cx, plans, err).await,
    }
}

/// Counts a stream that its client gave up at once.
fn note_reset(active: &Active, exchange: &Exchange, began: Instant) {
    if exchange.was_reset() && clock::recent().saturating_duration_since(began) < EARLY {
        let counts = &active.0;
        counts.early_resets.set(counts.early_resets.get() + 1);
    }
}
