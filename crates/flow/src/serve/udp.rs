//! Layer 4 downstream without connections: datagrams of one client (address and port) to one address of ours are
//! a session, which has a socket of its own to an endpoint. `udp/session.rs` is what becomes of one.
//!
//! With `SO_REUSEPORT` the kernel gives all datagrams of a pair of addresses to the same socket, so that a session
//! lives on one worker and needs no lock.

mod session;

use crate::shared::Refused;
use crate::snapshot::{ListenerPlan, UdpPlan};
use crate::worker::{Local, Worker};
use bifrons_net::udp::{AT_ONCE, Piece, Received, To};
use bifrons_net::{Addr, Listening, Udp, clock};
use bifrons_observe::metrics::Dropped;
use session::Session;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// How long receiving rests after an error of the socket's, which are not of any sender's.
const REST: Duration = Duration::from_millis(100);

/// Whose datagrams are a session: the client, and the address of ours it asks where there are several.
type Pair = (SocketAddr, Option<IpAddr>);

/// One socket of a listener on one worker, and its sessions.
pub struct Port {
    addr: Addr,
    socket: Udp,
    /// Those that take further datagrams of their clients.
    sessions: RefCell<HashMap<Pair, Rc<Session>>>,
    /// All, by their numbers.
    live: RefCell<HashMap<u64, Rc<Session>>>,
}

impl Port {
    /// Registers the socket with the current reactor.
    ///
    /// # Errors
    /// When the reactor refuses it.
    pub fn new(listening: Listening) -> io::Result<Self> {
        let addr = listening.addr().clone();
        let socket = Udp::bound(listening)?;
        Ok(Self { addr, socket, sessions: RefCell::default(), live: RefCell::default() })
    }

    /// The address it serves.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// How many sessions it has.
    pub fn sessions(&self) -> usize {
        self.live.borrow().len()
    }

    /// Ends all sessions: nobody listens there any more.
    pub fn end_all(&self) {
        self.live.borrow().values().for_each(|session| session.end());
    }

    /// Ends sessions that have nothing to wait for, since the process is about to end.
    pub fn end_quiet(&self, now: Instant) {
        self.live.borrow().values().filter(|session| session.is_quiet(now)).for_each(|session| session.end());
    }

    /// The pair's next datagram begins another session.
    fn forget(&self, pair: &Pair, session: &Rc<Session>) {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.get(pair).is_some_and(|known| Rc::ptr_eq(known, session)) {
            sessions.remove(pair);
        }
    }
}

/// Takes datagrams until the task is aborted, which happens only between two calls.
pub async fn serve(worker: Rc<Worker>, port: Rc<Port>) {
    loop {
        match port.socket.receive(&worker.datagrams).await {
            Ok(()) => {
                take(&worker, &port);
                // Readiness costs no budget: without this a flood would leave the worker nothing else.
                tokio::task::consume_budget().await;
            }
            Err(err) => {
                tracing::warn!(address = %port.addr, %err, "receiving rests");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// What stays the same for all datagrams of a call.
struct At<'a> {
    worker: &'a Rc<Worker>,
    port: &'a Rc<Port>,
    local: &'a Rc<Local>,
    listener: &'a Arc<ListenerPlan>,
    udp: &'a UdpPlan,
    now: Instant,
}

/// Gives what has come to its sessions.
fn take(worker: &Rc<Worker>, port: &Rc<Port>) {
    let Some(local) = worker.local() else { return };
    let Some(listener) = local.snapshot.listener(&port.addr) else { return };
    let Some(udp) = &listener.udp else { return };
    let at = At { worker, port, local: &local, listener, udp, now: clock::read() };
    let batch = worker.datagrams.borrow();
    // Datagrams of one client that came one behind the other go on with one call.
    let mut row = Row::default();
    for got in batch.iter() {
        match got.piece.segment {
            // Each may be the last of its session.
            Some(len) if udp.counts => {
                for bytes in got.piece.bytes.chunks(usize::from(len).max(1)) {
                    at.sort(Received { piece: Piece { bytes, segment: None }, ..got }, &mut row);
                }
            }
            _ => at.sort(got, &mut row),
        }
    }
    row.send(&at);
}

/// Datagrams of one session, one behind the other.
#[derive(Default)]
struct Row<'a> {
    session: Option<(Pair, Rc<Session>)>,
    pieces: SmallVec<[Piece<'a>; AT_ONCE]>,
}

impl Row<'_> {
    fn send(&mut self, at: &At<'_>) {
        if let Some((_, session)) = self.session.take() {
            let lost = session.give(&self.pieces, at.now);
            at.worker.shard.add(at.udp.stats.dropped(lost.0), lost.1);
        }
        self.pieces.clear();
    }
}

impl At<'_> {
    /// Finds the session of a datagram.
    fn sort<'a>(&self, got: Received<'a>, row: &mut Row<'a>) {
        let Some(peer) = got.peer else { return };
        let pair = (peer, got.via.map(|via| via.ip));
        self.worker.shard.add(self.udp.stats.from_clients, got.piece.count());
        if row.session.as_ref().is_none_or(|(of, _)| *of != pair) {
            row.send(self);
            let known = self.port.sessions.borrow().get(&pair).cloned();
            match known.or_else(|| self.begin(pair, To { peer, via: got.via }, got.piece.count())) {
                Some(session) => row.session = Some((pair, session)),
                None => return,
            }
        }
        row.pieces.push(got.piece);
        if let Some((_, session)) = &row.session
            && session.count(&got.piece)
        {
            self.port.forget(&pair, session);
            row.send(self);
        }
    }

    /// A new session, if a route takes it and the limits allow it.
    fn begin(&self, pair: Pair, client: To, count: u64) -> Option<Rc<Session>> {
        let Self { worker, port, local, listener, udp, now } = *self;
        let ip = client.peer.ip().to_canonical();
        let lose = |reason| {
            worker.shard.add(udp.stats.dropped(reason), count);
            None
        };
        let Some(plan) = udp.routes.iter().find(|route| route.takes(ip)) else {
            return lose(Dropped::NoRoute);
        };
        let admitted = match listener.state.enter(Some(ip), udp.sessions_max, udp.per_address_max) {
            Ok(admitted) => admitted,
            Err(Refused::Total) => return lose(Dropped::Sessions),
            Err(Refused::PerAddress) => return lose(Dropped::PerAddress),
        };
        let serial = worker.shared.serial.fetch_add(1, Ordering::Relaxed);
        let session = Rc::new(Session::new(client, plan.clone(), now));
        port.sessions.borrow_mut().insert(pair, session.clone());
        port.live.borrow_mut().insert(serial, session.clone());
        let entry = session::Entry { port: port.clone(), pair, serial, session: session.clone() };
        let plans = (local.clone(), listener.clone());
        tokio::task::spawn_local(Box::pin(session::run(worker.clone(), plans, entry, admitted)));
        Some(session)
    }
}
