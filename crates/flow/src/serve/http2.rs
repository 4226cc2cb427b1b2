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
use bifrons_http::h2::server::Arrived;
use bifrons_http::h2::{Config, Exchange, Fault, H2Body, Reason, Rules, Server, Turn};
use bifrons_http::{Body, Name, Request, RequestHead};
use bifrons_net::{Timer, clock};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// 500 streams that their clients gave up within their first second, as Envoy counts them
/// (`overload.premature_reset_total_stream_count`): if they are also more than half of all, somebody makes
/// us work for nothing (CVE-2023-44487).
const EARLY_RESETS_MAX: u32 = 500;
/// 5 s without a byte taken: how long a client may take to end what it has begun after the last frame of ours.
const CLOSING: Duration = Duration::from_secs(5);
/// 1,000 streams after we have said that there will be no more: a client that has not heard by then won't.
const LATE_STREAMS_MAX: u32 = 1000;

/// The snapshot and its listener.
type Plans = (Rc<Local>, Arc<ListenerPlan>);

/// Serves streams until the connection closes.
pub async fn serve(cx: ConnCx, mut plans: Plans) {
    let Some(plan) = plans.1.http2 else { return };
    cx.http.begin_send(plans.1.send_pace);
    let server = Server::new(cx.http.clone(), rules(&plan, &plans.1));
    let mut session = Session { cx: &cx, server, idle: Timer::new(), phase: Phase::Open, streams: 0 };
    session.run(&mut plans).await;
    // What still runs learns here that there is nobody to answer, and the client gets to see why.
    session.server.close();
    drop(session);
    linger(&cx.http, plans.1.linger).await;
}

fn rules(plan: &Http2Plan, listener: &ListenerPlan) -> Rules {
    Rules {
        config: Config {
            streams_max: plan.streams_max,
            stream_window: plan.stream_window,
            connection_window: plan.connection_window,
            head_bytes: u32::try_from(listener.limits.head_bytes).unwrap_or(u32::MAX),
        },
        send_buffer: plan.send_buffer,
        send_timeout: listener.send_timeout,
    }
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
enum Next {
    Stream(Arrived),
    /// It is to end: nobody has used it for too long, or we are going.
    End,
    /// The client keeps us busy for nothing, or breaks the rules.
    Abuse(Fault),
    Closed,
}

/// One connection.
struct Session<'a> {
    cx: &'a ConnCx,
    server: Rc<Server>,
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
                (Next::Stream(arrived), _) => self.take(plans, arrived),
                // A client that has not said its preface understands no farewell.
                (Next::End, Phase::Open) if self.server.has_begun() => self.end(),
                // What lies ready for a slow client still goes, as long as it goes.
                (Next::End, Phase::Ending { streams, sent }) if sent < self.cx.http.sent() => {
                    self.phase = Phase::Ending { streams, sent: self.cx.http.sent() };
                    self.idle.clear();
                }
                (Next::Abuse(fault), Phase::Open | Phase::Ending { .. }) if self.server.has_begun() => {
                    self.refuse(fault);
                }
                (Next::End | Next::Abuse(..) | Next::Closed, _) => return,
            }
        }
    }

    fn take(&mut self, plans: &mut Plans, arrived: Arrived) {
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
        self.begin(plans, arrived);
    }

    /// Says that there will be no more streams (RFC 9113 6.8); those there are come to their end.
    fn end(&mut self) {
        self.idle.clear();
        self.phase = Phase::Ending { streams: self.streams, sent: self.cx.http.sent() };
        self.server.go_away();
    }

    fn refuse(&mut self, fault: Fault) {
        let Fault { reason, why } = fault;
        tracing::debug!(
            peer = &*self.cx.facts.peer_text,
            why,
            ?reason,
            streams = self.streams,
            "client refused"
        );
        self.phase = Phase::Refused;
        self.idle.clear();
        self.server.refuse(reason);
    }

    fn poll_next(&mut self, context: &mut Context<'_>, plan: &ListenerPlan) -> Poll<Next> {
        let polled = self.server.poll(context, &plan.limits);
        if self.phase != Phase::Refused
            && let Some(why) = self.abuse()
        {
            return Poll::Ready(Next::Abuse(Fault::of(Reason::ENHANCE_YOUR_CALM, why)));
        }
        if let Poll::Ready(turn) = polled {
            self.idle.clear();
            return Poll::Ready(match turn {
                Turn::Request(arrived) => Next::Stream(arrived),
                Turn::Refuse(fault) => Next::Abuse(fault),
                Turn::Closed => Next::Closed,
            });
        }
        let is_idle = self.server.streams() == 0;
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
    fn abuse(&self) -> Option<&'static str> {
        let early = self.server.early_resets();
        if early >= EARLY_RESETS_MAX && early > self.streams / 2 {
            return Some("streams are reset too early");
        }
        if let Phase::Ending { streams, .. } = self.phase
            && self.streams - streams + self.server.passed_over() > LATE_STREAMS_MAX
        {
            return Some("streams go on coming after GOAWAY");
        }
        None
    }

    /// Starts a stream's task.
    fn begin(&self, plans: &Plans, arrived: Arrived) {
        let exchange = arrived.exchange(&self.server, plans.1.send_pace);
        let cx = self.cx.stream(exchange.clone());
        let has_body = arrived.has_body;
        let parsed = arrived.asked.map(|Asked { head, websocket, .. }| match websocket {
            Some(key) => {
                // What comes over the stream is no body, and waits for the tunnel.
                let body = H2Body::new(exchange.clone(), None, Pace::timeout(Duration::MAX));
                *cx.websocket.borrow_mut() = Some((key, Box::new(body)));
                Request { head, body: Body::Empty }
            }
            None if has_body => {
                let body = body_of(&head, &exchange, &plans.1);
                Request { head, body }
            }
            None => Request { head, body: Body::Empty },
        });
        let plans = plans.clone();
        // It ends with its stream at the latest, which ends with the connection; a panic ends it alone.
        // Boxed: a task that begins is moved some eight times, and this one has five kilobytes.
        tokio::task::spawn_local(Box::pin(async move { run(&cx, &plans, parsed, &exchange).await }));
    }
}

/// The body as it comes over the stream.
fn body_of(head: &RequestHead, exchange: &Rc<Exchange>, listener: &ListenerPlan) -> Body {
    let len = head.headers.get(Name::ContentLength).and_then(framing::parse_length);
    let body = H2Body::new(exchange.clone(), len, listener.body_pace);
    Body::H2(Box::new(if call::is_call(head) { body.of_call() } else { body }))
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
