//! HTTP/2 downstream: streams beside each other on one connection (RFC 9113). Each is a task with one
//! request, which takes the same way as one of HTTP/1.

use super::http1::linger;
use crate::call;
use crate::conn::{ConnCx, Lease};
use crate::request::{self, After};
use crate::snapshot::{Http2Plan, ListenerPlan};
use crate::worker::Local;
use bifrons_core::Error;
use bifrons_http::h1::{Pace, framing};
use bifrons_http::h2::head::Asked;
use bifrons_http::h2::{Exchange, H2Body, Io, Meter, Offence, head};
use bifrons_http::{Body, Name, Request, RequestHead};
use bifrons_net::{Timer, clock};
use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// 500 streams that their clients gave up within [`EARLY`], as Envoy counts them
/// (`overload.premature_reset_total_stream_count`): if they are also more than half of all, somebody makes
/// us work for nothing (CVE-2023-44487).
const EARLY_RESETS_MAX: u32 = 500;
/// 1 s: who gives up a stream sooner has hardly waited for an answer.
const EARLY: Duration = Duration::from_secs(1);
/// 5 s without a byte taken: how long a client may take to end what it has begun after the last frame of ours.
const CLOSING: Duration = Duration::from_secs(5);
/// 1,000 streams after we have said that there will be no more: a client that has not heard by then won't.
const LATE_STREAMS_MAX: u32 = 1000;

/// The snapshot and its listener.
type Plans = (Rc<Local>, Arc<ListenerPlan>);

/// Serves streams until the connection closes.
pub async fn serve(cx: ConnCx, mut plans: Plans) {
    let Some(plan) = plans.1.http2 else { return };
    let meter = Rc::new(Meter::new());
    cx.http.begin_send(plans.1.send_pace);
    let io = Io::new(cx.http.clone(), plans.1.send_timeout, meter.clone());
    let handshake = builder(&plan, &plans.1).handshake::<_, Bytes>(io);
    let conn = match tokio::time::timeout(plans.1.head_pace.head, handshake).await {
        Ok(Ok(conn)) => conn,
        Ok(Err(_)) | Err(_) => return,
    };
    let mut session = Session {
        cx: &cx,
        conn,
        meter,
        counts: Rc::default(),
        idle: Timer::new(),
        phase: Phase::Open,
        streams: 0,
    };
    session.run(&mut plans).await;
    // What still runs learns here that there is nobody to answer, and the client gets to see why.
    drop(session);
    linger(&cx.http, plans.1.linger).await;
}

fn builder(plan: &Http2Plan, listener: &ListenerPlan) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    let head_bytes = listener.limits.head_bytes;
    builder
        .max_concurrent_streams(plan.streams_max)
        .initial_window_size(plan.stream_window)
        .initial_connection_window_size(plan.connection_window)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(plan.send_buffer)
        // WebSockets (RFC 8441).
        .enable_connect_protocol();
    builder
}

/// What streams tell the connection.
#[derive(Default)]
struct Counts {
    active: Cell<u32>,
    early_resets: Cell<u32>,
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It takes streams.
    Open,
    /// It was told that there will be no more (GOAWAY): after so many streams, when so much had been sent.
    Ending { streams: u32, sent: u64 },
    /// It has been refused any further word.
    Refused,
}

/// What comes next of a connection.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
enum Next {
    Stream(http::Request<RecvStream>, SendResponse<Bytes>),
    /// It is to end: nobody has used it for too long, or we are going.
    End,
    /// The client keeps us busy for nothing, or breaks the rules.
    Abuse(Reason, &'static str),
    Closed,
}

/// One connection.
struct Session<'a> {
    cx: &'a ConnCx,
    conn: Connection<Io, Bytes>,
    meter: Rc<Meter>,
    counts: Rc<Counts>,
    idle: Timer,
    phase: Phase,
    streams: u32,
}

impl Session<'_> {
    async fn run(&mut self, plans: &mut Plans) {
        // Bounded: streams are counted; after the last one some more come at the most, and then time runs out.
        loop {
            let next = poll_fn(|context| self.poll_next(context, &plans.1)).await;
            match (next, self.phase) {
                (Next::Stream(request, respond), _) => self.take(plans, request, respond),
                (Next::End, Phase::Open) => self.end(),
                // What lies ready for a slow client still goes, as long as it goes.
                (Next::End, Phase::Ending { streams, sent }) if sent < self.cx.http.sent() => {
                    self.phase = Phase::Ending { streams, sent: self.cx.http.sent() };
                    self.idle.clear();
                }
                (Next::Abuse(reason, why), Phase::Open | Phase::Ending { .. }) => self.refuse(reason, why),
                (Next::End | Next::Abuse(..) | Next::Closed, _) => return,
            }
        }
    }

    fn take(&mut self, plans: &mut Plans, request: http::Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.streams = self.streams.saturating_add(1);
        let lease = self.cx.refresh(plans);
        let requests = self.cx.facts.requests.get() + 1;
        self.cx.facts.requests.set(requests);
        self.cx.http.count_message();
        let age = clock::recent().saturating_duration_since(self.cx.facts.accepted);
        let is_old = plans.1.age_max.is_some_and(|max| age >= max);
        let is_last = lease == Lease::Last || is_old || requests >= plans.1.requests_max;
        if self.phase == Phase::Open && is_last {
            self.end();
        }
        self.begin(plans, request, respond);
    }

    /// Says that there will be no more streams (RFC 9113 6.8); those there are come to their end.
    fn end(&mut self) {
        self.idle.clear();
        self.phase = Phase::Ending { streams: self.streams, sent: self.cx.http.sent() };
        self.conn.graceful_shutdown();
    }

    fn refuse(&mut self, reason: Reason, why: &'static str) {
        tracing::debug!(peer = &*self.cx.facts.peer_text, why, streams = self.streams, "client refused");
        self.phase = Phase::Refused;
        self.idle.clear();
        self.conn.abrupt_shutdown(reason);
    }

    fn poll_next(&mut self, context: &mut Context<'_>, plan: &ListenerPlan) -> Poll<Next> {
        let polled = self.conn.poll_accept(context);
        if self.phase != Phase::Refused
            && let Some((reason, why)) = self.abuse()
        {
            return Poll::Ready(Next::Abuse(reason, why));
        }
        if let Poll::Ready(stream) = polled {
            self.idle.clear();
            return Poll::Ready(match stream {
                Some(Ok((request, respond))) => Next::Stream(request, respond),
                // What was wrong with the connection, the client has been told.
                Some(Err(err)) => {
                    tracing::debug!(peer = &*self.cx.facts.peer_text, %err, "HTTP/2 connection failed");
                    Next::Closed
                }
                None => Next::Closed,
            });
        }
        let is_idle = self.counts.active.get() == 0;
        self.cx.http.set_idle(is_idle);
        if self.phase == Phase::Open && self.cx.http.poll_end(context).is_ready() {
            return Poll::Ready(Next::End);
        }
        if !is_idle {
            self.idle.clear();
            return Poll::Pending;
        }
        let limit = match self.phase {
            // A connection that says nothing at first gets no longer than a head.
            Phase::Open if self.streams == 0 => plan.head_pace.head,
            Phase::Open => plan.head_pace.idle,
            // Without streams nothing is waited for but the client's own end.
            Phase::Ending { .. } | Phase::Refused => CLOSING,
        };
        self.idle.poll(context, limit).map(|()| Next::End)
    }

    /// What the client does to keep us busy for nothing, if it does.
    fn abuse(&self) -> Option<(Reason, &'static str)> {
        const CALM: Reason = Reason::ENHANCE_YOUR_CALM;
        let early = self.counts.early_resets.get();
        if early >= EARLY_RESETS_MAX && early > self.streams / 2 {
            return Some((CALM, "streams are reset too early"));
        }
        if let Phase::Ending { streams, .. } = self.phase
            && self.streams - streams > LATE_STREAMS_MAX
        {
            return Some((CALM, "streams go on coming after GOAWAY"));
        }
        match self.meter.offence()? {
            Offence::Idling => Some((CALM, "too many frames that carry nothing")),
            Offence::NoSettings => Some((Reason::PROTOCOL_ERROR, "the first frame is not SETTINGS")),
        }
    }

    /// Starts a stream's task.
    fn begin(&self, plans: &Plans, request: http::Request<RecvStream>, respond: SendResponse<Bytes>) {
        let active = Active::of(&self.counts);
        let (parts, stream) = request.into_parts();
        let parsed = head::request(&parts, &plans.1.limits);
        let bytes = parsed.as_ref().map_or(0, |asked| asked.bytes);
        let exchange = Rc::new(Exchange::new(respond, bytes, plans.1.send_pace, self.meter.clone()));
        let cx = self.cx.stream(exchange.clone());
        let parsed = parsed.map(|Asked { head, websocket, .. }| match websocket {
            Some(key) => {
                // What comes over the stream is no body, and waits for the tunnel.
                let rules = (Pace::timeout(Duration::MAX), plans.1.limits);
                let body = H2Body::new(stream, exchange.clone(), None, rules);
                *cx.websocket.borrow_mut() = Some((key, Box::new(body)));
                Request { head, body: Body::Empty }
            }
            None => {
                let body = body_of(&head, stream, &exchange, &plans.1);
                Request { head, body }
            }
        });
        let plans = plans.clone();
        // It ends with its stream at the latest, which ends with the connection; a panic ends it alone.
        // Boxed: a task that begins is moved some eight times, and this one has five kilobytes.
        tokio::task::spawn_local(Box::pin(async move {
            let began = clock::recent();
            run(&cx, &plans, parsed, &exchange).await;
            note_reset(&active, &exchange, began);
        }));
    }
}

/// The body as it comes over the stream.
fn body_of(head: &RequestHead, stream: RecvStream, exchange: &Rc<Exchange>, listener: &ListenerPlan) -> Body {
    if stream.is_end_stream() {
        return Body::Empty;
    }
    let len = head.headers.get(Name::ContentLength).and_then(framing::parse_length);
    let rules = (listener.body_pace, listener.limits);
    let body = H2Body::new(stream, exchange.clone(), len, rules);
    Body::H2(Box::new(if call::is_call(head) { body.of_call() } else { body }))
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

async fn run(cx: &ConnCx, plans: &Plans, parsed: Result<Request, Error>, exchange: &Exchange) {
    let after = match parsed {
        Ok(req) => request::handle(cx, plans, Lease::On, req).await,
        Err(err) => request::refuse(cx, plans, err).await,
    };
    if after == After::Abort {
        exchange.abort();
    }
}

/// Counts a stream that its client gave up at once.
fn note_reset(active: &Active, exchange: &Exchange, began: Instant) {
    if exchange.was_reset() && clock::recent().saturating_duration_since(began) < EARLY {
        let counts = &active.0;
        counts.early_resets.set(counts.early_resets.get() + 1);
    }
}
