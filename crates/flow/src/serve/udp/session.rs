//! One session: an endpoint is picked and connected to, datagrams go both ways, a record is written.

use super::{Pair, Port};
use crate::destination::{self, Destination, Target};
use crate::record::{self, Share};
use crate::respond;
use crate::serve::tcp;
use crate::shared::Admitted;
use crate::snapshot::{Action, ListenerPlan, ProxyPlan, UdpRoutePlan};
use crate::worker::{Local, Worker};
use bifrons_balance::{Active, EndpointAddr, NoEndpoint, Outcome, PickCx, TriedSet};
use bifrons_config::Template;
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_http::vars::Scope;
use bifrons_http::{Attempt, Body, ConnFacts, Layer4, ReqCx, Request, RequestHead};
use bifrons_net::udp::{self, AT_ONCE, Piece, To};
use bifrons_net::{Udp, clock};
use bifrons_observe::metrics::Dropped;
use smallvec::SmallVec;
use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// 16: datagrams that wait until the endpoint is known; a client that sends more before an answer has to bear
/// losses anyway.
const WAITING_MAX: u64 = 16;
/// 64 KiB of them: the longest one there is passes.
const WAITING_BYTES_MAX: usize = 64 * 1024;
/// 1,000: endpoints that are tried where the kernel knows no way to them.
const ATTEMPTS_MAX: u32 = 1000;
/// 1 s: a session in which nothing has moved for so long has nothing to wait for when the process ends, unless
/// answers are owed: Linux and most resolvers repeat a question only after several.
const QUIET: Duration = Duration::from_secs(1);

/// Datagrams that wait.
#[derive(Default)]
struct Waiting {
    /// Each, or a bundle with the length of each in it.
    pieces: Vec<(Box<[u8]>, Option<u16>)>,
    datagrams: u64,
    bytes: usize,
}

impl Waiting {
    /// Keeps it if there is room.
    fn keep(&mut self, piece: &Piece<'_>) -> bool {
        let (datagrams, bytes) = (self.datagrams + piece.count(), self.bytes + piece.bytes.len());
        let has_room = datagrams <= WAITING_MAX && bytes <= WAITING_BYTES_MAX;
        if has_room {
            (self.datagrams, self.bytes) = (datagrams, bytes);
            self.pieces.push((piece.bytes.into(), piece.segment));
        }
        has_room
    }
}

/// What the listener's side and the endpoint's side of a session share.
pub(super) struct Session {
    client: To,
    plan: Arc<UdpRoutePlan>,
    /// Towards the endpoint, once it is known.
    socket: OnceCell<Udp>,
    /// What came before that.
    waiting: RefCell<Waiting>,
    /// Datagrams of the client, and their bytes.
    requests: Cell<u64>,
    received: Cell<u64>,
    /// Datagrams of the endpoint, and their bytes that went to the client.
    responses: Cell<u64>,
    sent: Cell<u64>,
    /// Bytes that went to the endpoint.
    passed: Cell<u64>,
    /// When something came last.
    moved: Cell<Instant>,
    /// Why it ends now, if it does.
    over: RefCell<Option<Result<()>>>,
    news: Notify,
}

impl Session {
    pub(super) fn new(client: To, plan: Arc<UdpRoutePlan>, now: Instant) -> Self {
        Self {
            client,
            plan,
            socket: OnceCell::new(),
            waiting: RefCell::default(),
            requests: Cell::new(0),
            received: Cell::new(0),
            responses: Cell::new(0),
            sent: Cell::new(0),
            passed: Cell::new(0),
            moved: Cell::new(now),
            over: RefCell::default(),
            news: Notify::new(),
        }
    }

    /// Counts a datagram of the client; true where it is the last one of this session.
    pub(super) fn count(&self, piece: &Piece<'_>) -> bool {
        self.requests.set(self.requests.get() + piece.count());
        self.received.set(self.received.get() + piece.bytes.len() as u64);
        self.plan.requests != 0 && self.requests.get() >= u64::from(self.plan.requests)
    }

    /// Passes the client's datagrams on, or keeps them until the endpoint is known. Says how many were lost, and
    /// to what.
    pub(super) fn give(&self, pieces: &[Piece<'_>], now: Instant) -> (Dropped, u64) {
        self.moved.set(now);
        let Some(socket) = self.socket.get() else {
            let mut waiting = self.waiting.borrow_mut();
            let lost = pieces.iter().filter(|piece| !waiting.keep(piece)).map(Piece::count).sum();
            return (Dropped::Waiting, lost);
        };
        let sent = socket.send(None, pieces);
        if let Some(err) = sent.failed.as_ref().and_then(of_endpoint) {
            self.set_over(Err(err));
        }
        self.passed.set(self.passed.get() + sent.bytes);
        if self.is_answered() {
            self.set_over(Ok(()));
        }
        (Dropped::Send, count(pieces).saturating_sub(sent.datagrams))
    }

    /// Ends it, as if it had been idle for too long.
    pub(super) fn end(&self) {
        self.set_over(Ok(()));
    }

    fn set_over(&self, how: Result<()>) {
        self.over.borrow_mut().get_or_insert(how);
        self.news.notify_one();
    }

    /// Whether nothing is owed and nothing moves.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        !self.owes() && now.saturating_duration_since(self.moved.get()) >= QUIET
    }

    /// Whether there are fewer answers than are expected.
    fn owes(&self) -> bool {
        let expected = |each: u32| u64::from(each).saturating_mul(self.requests.get());
        self.plan.responses.is_some_and(|each| self.responses.get() < expected(each))
    }

    /// Whether all has been said: no datagram of the client can follow that belongs here, and every one has its
    /// answers.
    fn is_answered(&self) -> bool {
        let is_full = self.plan.requests == 0 || self.requests.get() >= u64::from(self.plan.requests);
        self.plan.responses.is_some() && is_full && !self.owes()
    }
}

fn count(pieces: &[Piece<'_>]) -> u64 {
    pieces.iter().map(Piece::count).sum()
}

/// A session's place among those of its port, for as long as its task lives; also where a panic ends it.
pub(super) struct Entry {
    pub(super) port: Rc<Port>,
    pub(super) pair: Pair,
    pub(super) serial: u64,
    pub(super) session: Rc<Session>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.port.forget(&self.pair, &self.session);
        self.port.live.borrow_mut().remove(&self.serial);
    }
}

/// What a session's task works with.
struct Run<'a> {
    worker: &'a Rc<Worker>,
    local: &'a Rc<Local>,
    listener: &'a ListenerPlan,
    entry: &'a Entry,
    head: RequestHead,
    cx: ReqCx,
}

/// Serves a session to its end.
pub(super) async fn run(
    worker: Rc<Worker>,
    (local, listener): (Rc<Local>, Arc<ListenerPlan>),
    entry: Entry,
    _admitted: Admitted,
) {
    worker.shard.inc(listener.stats.accepted);
    let _open = Share::of(&worker, listener.stats.active);
    let plan = entry.session.plan.clone();
    let facts = facts(&listener, &entry);
    let mut run = Run {
        worker: &worker,
        local: &local,
        listener: &listener,
        entry: &entry,
        head: RequestHead::new("UDP", b"-", b""),
        cx: ReqCx::new(Rc::new(facts), entry.session.moved.get()),
    };
    run.cx.route = Some(plan.route.name.clone());
    run.cx.computed = local.variables.clone();
    let outcome = run.serve().await;
    run.finish(outcome);
}

fn facts(listener: &ListenerPlan, entry: &Entry) -> ConnFacts {
    let client = entry.session.client;
    let local = match (client.via, entry.port.addr.inet()) {
        (Some(via), Some(bound)) => Some(SocketAddr::new(via.ip, bound.port())),
        (None, bound) => bound,
        (Some(_), None) => None,
    };
    // A port that the kernel has chosen (0) is known to the socket alone.
    let port = || entry.port.socket.local_addr().map(|addr| addr.port());
    let local = local.map(|addr| match addr.port() {
        0 => SocketAddr::new(addr.ip(), port().unwrap_or(0)),
        _ => addr,
    });
    ConnFacts {
        listener: listener.name.clone(),
        peer: Some(client.peer),
        peer_text: client.peer.ip().to_canonical().to_string().into(),
        local: OnceCell::from(local),
        socket: Weak::new(),
        told: None,
        layer4: Some(Box::new(Layer4::udp())),
        tls: None,
        serial: entry.serial,
        accepted: entry.session.moved.get(),
        requests: Cell::new(1),
    }
}

impl Run<'_> {
    async fn serve(&mut self) -> Result<()> {
        self.admit().await?;
        let plan = self.entry.session.plan.clone();
        match &plan.route.action {
            Action::Proxy(proxy) => self.proxy(proxy).await,
            Action::Respond { body, .. } => {
                self.respond(body);
                Ok(())
            }
            _ => Err(Error::local(Kind::Internal, "invariant: a route of datagrams has no other action")),
        }
    }

    /// Sends a text; an empty one is none.
    fn respond(&self, body: &Template) {
        let mut text = Vec::new();
        body.render(&Scope { cx: &self.cx, req: &self.head, res: None }, &mut text);
        let session = &self.entry.session;
        drop(session.waiting.take());
        if text.is_empty() {
            return;
        }
        let sent =
            self.entry.port.socket.send(Some(session.client), &[Piece { bytes: &text, segment: None }]);
        session.sent.set(sent.bytes);
        self.lose(Dropped::Send, 1 - sent.datagrams.min(1));
    }

    /// Picks, connects, relays.
    async fn proxy(&mut self, proxy: &ProxyPlan) -> Result<()> {
        let local = self.local;
        let destination = match &proxy.url {
            None => Destination::of(local, proxy.cluster)?,
            Some(text) => {
                let by = (&**self.worker, &**local);
                destination::by_name(text, proxy.cluster, by, (&self.cx, &self.head)).await?
            }
        };
        let target = destination.target();
        self.cx.cluster = Some(target.plan.name.clone());
        let (active, socket) = self.connect(target, proxy)?;
        let _share = Share::of(self.worker, target.plan.stats.requests_active);
        let outcome = self.relay(socket).await;
        let session = &self.entry.session;
        if let Some(attempt) = self.cx.attempts.last_mut() {
            attempt.sent = session.passed.get();
            attempt.received = session.sent.get();
            attempt.body_received = session.sent.get();
            if session.responses.get() > 0 {
                attempt.status = 200;
            }
            if let Err(err) = &outcome {
                attempt.error = Some(err.kind());
            }
        }
        let verdict = match &outcome {
            Err(err) if err.side() == Side::Upstream => Some(Outcome::Failure),
            _ if session.responses.get() > 0 => Some(Outcome::Success),
            _ => None,
        };
        if let Some(verdict) = verdict {
            self.report(target, &active, verdict);
        }
        outcome
    }

    /// Whether the client is let in.
    async fn admit(&mut self) -> Result<()> {
        let chain = &self.entry.session.plan.route.chain;
        if !chain.takes_requests() {
            return Ok(());
        }
        let mut req = Request { head: RequestHead::new("UDP", b"-", b""), body: Body::Empty };
        let passed = chain.request(&mut self.cx, &mut req).await?;
        tcp::refusal(passed, &self.cx).map_or(Ok(()), Err)
    }

    fn report(&self, target: Target<'_>, active: &Active, outcome: Outcome) {
        let now_ms = self.worker.shared.ms_at(clock::recent());
        let change = target.cluster.report(active.endpoint(), outcome, now_ms);
        record::endpoint_change(self.worker, target.plan, active.endpoint(), change);
    }

    /// A socket to an endpoint; others are tried where the kernel knows no way to one, as far as `retry` lets them:
    /// of nothing else it is known whether a datagram has arrived.
    fn connect(&mut self, target: Target<'_>, proxy: &ProxyPlan) -> Result<(Active, Udp)> {
        let key = target.plan.balance.key().map(|template| {
            let mut bytes = Vec::new();
            template.render(&Scope { cx: &self.cx, req: &self.head, res: None }, &mut bytes);
            bytes
        });
        let mut tried = TriedSet::default();
        let mut failed = None;
        let retry = &proxy.retry;
        let began = clock::recent();
        let is_in_time = || retry.within.is_zero() || clock::read() - began < retry.within;
        for made in 0..ATTEMPTS_MAX {
            let is_allowed = retry.error && (retry.attempts == 0 || made < retry.attempts) && is_in_time();
            if made > 0 && !is_allowed {
                break;
            }
            let pick = PickCx {
                key: key.as_deref(),
                preferred: None,
                client: self.cx.client_ip(),
                tried: &tried,
                now_ms: self.worker.shared.ms_at(clock::recent()),
                rng: &self.worker.rng,
            };
            let picked = match target.cluster.pick(&pick) {
                Ok(picked) => picked,
                Err(none) => return Err(failed.unwrap_or_else(|| nobody(none))),
            };
            tried.mark(&picked);
            let active = picked.into_active();
            self.cx.attempts.push(attempt(&active));
            self.worker.shard.inc(target.plan.stats.connects);
            let endpoint = active.endpoint().clone();
            let made = match &endpoint.spec().address {
                EndpointAddr::Inet(addr) => Udp::connected(*addr, target.plan.bind),
                EndpointAddr::Unix(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
            };
            match made {
                Ok(socket) => return Ok((active, socket)),
                Err(err) => {
                    self.worker.shard.inc(target.plan.stats.connect_failures);
                    self.report(target, &active, Outcome::Failure);
                    let reason = format!("connecting to {}: {err}", endpoint.spec().name);
                    if let Some(attempt) = self.cx.attempts.last_mut() {
                        attempt.error = Some(Kind::Connect);
                    }
                    failed = Some(Error::upstream(Kind::Connect, reason));
                }
            }
        }
        Err(failed.unwrap_or_else(|| nobody(NoEndpoint::AllTried)))
    }

    /// Datagrams both ways, until there is an end.
    async fn relay(&self, socket: Udp) -> Result<()> {
        let session = &self.entry.session;
        let waiting = session.waiting.take();
        let socket = session.socket.get_or_init(|| socket);
        let pieces: SmallVec<[Piece<'_>; WAITING_MAX as usize]> =
            waiting.pieces.iter().map(|(bytes, segment)| Piece { bytes, segment: *segment }).collect();
        let (_, lost) = session.give(&pieces, session.moved.get());
        self.lose(Dropped::Send, lost);
        drop(pieces);
        drop(waiting);
        loop {
            if let Some(over) = session.over.borrow_mut().take() {
                return over;
            }
            let until = session.moved.get() + session.plan.idle;
            // All are cancel-safe. Biased: an end that was asked for goes first.
            tokio::select! {
                biased;
                () = session.news.notified() => {}
                read = socket.receive(&self.worker.datagrams) => match read {
                    Ok(()) => self.answer(),
                    Err(err) => match of_endpoint(&err) {
                        Some(err) => return Err(err),
                        None => return Err(Error::io(Side::Upstream, &err)),
                    },
                },
                () = tokio::time::sleep_until(until) => {
                    if clock::read() < session.moved.get() + session.plan.idle {
                        continue;
                    }
                    if session.owes() {
                        let missing = "fewer answers than expected came in time";
                        return Err(Error::upstream(Kind::Timeout, missing));
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Passes on what the endpoint has sent.
    fn answer(&self) {
        let session = &self.entry.session;
        session.moved.set(clock::read());
        let batch = self.worker.datagrams.borrow();
        let pieces: SmallVec<[Piece<'_>; AT_ONCE]> = batch.iter().map(|got| got.piece).collect();
        let came = count(&pieces);
        let sent = self.entry.port.socket.send(Some(session.client), &pieces);
        if let Some(err) = &sent.failed {
            tracing::debug!(client = %session.client.peer, %err, "an answer was not sent");
        }
        session.responses.set(session.responses.get() + came);
        session.sent.set(session.sent.get() + sent.bytes);
        if let Some(udp) = &self.listener.udp {
            self.worker.shard.add(udp.stats.from_endpoints, came);
        }
        self.lose(Dropped::Send, came.saturating_sub(sent.datagrams));
        if session.is_answered() {
            session.set_over(Ok(()));
        }
    }

    fn lose(&self, reason: Dropped, count: u64) {
        if let Some(udp) = &self.listener.udp
            && count > 0
        {
            self.worker.shard.add(udp.stats.dropped(reason), count);
        }
    }

    /// Counts and logs the session.
    fn finish(mut self, outcome: Result<()>) {
        let session = &self.entry.session;
        self.lose(Dropped::Waiting, session.waiting.take().datagrams);
        let cx = &mut self.cx;
        cx.received = session.received.get();
        (cx.sent, cx.body_sent) = (session.sent.get(), session.sent.get());
        cx.status = 200;
        if let Err(err) = outcome {
            cx.status = respond::status_of_bytes(&err);
            cx.note_error(err);
        }
        let cluster = match &session.plan.route.action {
            Action::Proxy(proxy) => self.local.snapshot.clusters.get(proxy.cluster).map(|cluster| &**cluster),
            _ => None,
        };
        record::session((self.worker, self.listener), (&session.plan.route, cluster), (cx, &self.head));
    }
}

fn attempt(active: &Active) -> Attempt {
    let label = active.endpoint().label().clone();
    // There is nothing to connect.
    Attempt { connect_us: Some(0), ..Attempt::begin(label, clock::recent()) }
}

fn nobody(none: NoEndpoint) -> Error {
    match none {
        NoEndpoint::AllBusy => Error::upstream(Kind::Busy, "all endpoints are at max_conns"),
        none => Error::upstream(Kind::NoEndpoint, none.to_string()),
    }
}

/// An error that says that the endpoint cannot be reached (ICMP); others are of one datagram only.
fn of_endpoint(err: &io::Error) -> Option<Error> {
    udp::is_away(err)
        .then(|| Error::upstream(Kind::Connect, format!("the endpoint cannot be reached: {err}")))
}
