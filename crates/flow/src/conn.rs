//! Step 2. One connection: which protocol it speaks, and what is known about it.

use crate::pin::Pinned;
use crate::record::Share;
use crate::secure::{self, Line};
use crate::serve;
use crate::shared::Admitted;
use crate::snapshot::ListenerPlan;
use crate::worker::{Local, Worker};
use bifrons_core::Side;
use bifrons_http::ConnFacts;
use bifrons_http::h1::Conn;
use bifrons_net::{Addr, Stream};
use bifrons_tls::TlsPlan;
use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use tokio::time::Instant;

/// A connection that passed the listener's limits.
pub struct Accepted {
    /// Its serial number in the process.
    pub serial: u64,
    /// The other end.
    pub peer: Option<SocketAddr>,
    /// It counts as long as this lives.
    pub admitted: Admitted,
    /// When it was accepted.
    pub at: Instant,
    /// Where it was accepted.
    pub addr: Addr,
}

/// What all requests of a connection share.
pub struct ConnCx {
    /// The worker it lives on.
    pub worker: Rc<Worker>,
    /// What is known about it.
    pub facts: Rc<ConnFacts>,
    /// The connection.
    pub http: Rc<Conn>,
    /// Whether the head at hand came before the answer to the request before it was over.
    pub pipelined: Cell<bool>,
    addr: Addr,
    /// The host of the last request, so that the next one for the same need not be looked up.
    pub(crate) last_host: RefCell<Option<LastHost>>,
    /// A connection to an endpoint that no other client may use.
    pub(crate) pinned: Pinned,
    /// What the connection was secured by; `None` where it is plain.
    pub(crate) secured: Option<Arc<TlsPlan>>,
    /// Whether plain text came where TLS was expected.
    pub(crate) is_misplaced: bool,
    /// What earlier requests have consumed.
    counted: Cell<u64>,
    _admitted: Admitted,
    _active: Share,
}

/// What a `Host` field led to.
pub(crate) struct LastHost {
    /// Its bytes, without the port.
    pub(crate) name: Vec<u8>,
    /// The plans it was looked up in.
    pub(crate) listener: Arc<ListenerPlan>,
    /// The number of what was found there.
    pub(crate) at: usize,
}

impl ConnCx {
    /// Snapshot and listener for the next request. Where a reload has taken the listener away, the
    /// connection goes on with what it had, and closes after this request.
    pub fn refresh(&self, plans: &mut (Rc<Local>, Arc<ListenerPlan>)) -> Lease {
        let Some(local) = self.worker.local() else { return Lease::Last };
        if !Rc::ptr_eq(&local, &plans.0) {
            let Some(listener) = local.snapshot.listener(&self.addr).cloned() else { return Lease::Last };
            *plans = (local, listener);
        }
        if self.worker.shared.is_draining() { Lease::Last } else { Lease::On }
    }
}

impl ConnCx {
    /// Bytes consumed since this was asked last: those of the request that ends now.
    pub fn take_consumed(&self) -> u64 {
        let consumed = self.http.consumed();
        consumed - self.counted.replace(consumed)
    }
}

/// Whether the connection may carry another request after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It may.
    On,
    /// The listener is gone or the process ends.
    Last,
}

impl Drop for ConnCx {
    fn drop(&mut self) {
        self.worker.unregister(self.facts.serial);
    }
}

/// The text is made once a connection, since every request needs it.
fn peer_text(peer: Option<SocketAddr>) -> Box<str> {
    peer.map_or_else(|| "unix:".into(), |peer| peer.ip().to_canonical().to_string().into())
}

/// Serves the connection to its end.
pub async fn serve(
    worker: Rc<Worker>,
    local: Rc<Local>,
    listener: Arc<ListenerPlan>,
    stream: Stream,
    accepted: Accepted,
) {
    worker.shard.inc(listener.stats.accepted);
    let local_addr = match &accepted.addr {
        Addr::Inet(addr) if !addr.ip().is_unspecified() => OnceCell::from(Some(*addr)),
        Addr::Unix(_) => OnceCell::from(None),
        // A wildcard listener: the kernel knows, and is asked when somebody wants it.
        Addr::Inet(_) => OnceCell::new(),
    };
    let line = match &listener.tls {
        None => Line::plain(Conn::new(stream, Side::Downstream)),
        // Boxed: a connection must not hold room for its handshake for as long as it lasts.
        Some(_) => match Box::pin(secure::accept(&worker, &listener, stream)).await {
            Some(line) => line,
            None => return,
        },
    };
    let http = Rc::new(line.conn);
    let facts = ConnFacts {
        listener: listener.name.clone(),
        peer: accepted.peer,
        peer_text: peer_text(accepted.peer),
        local: local_addr,
        socket: Rc::downgrade(&http),
        tls: line.facts,
        serial: accepted.serial,
        accepted: accepted.at,
        requests: Cell::new(0),
    };
    worker.register(accepted.serial, &http);
    let cx = ConnCx {
        _active: Share::of(&worker, listener.stats.active),
        worker,
        facts: Rc::new(facts),
        http,
        pipelined: Cell::new(false),
        addr: accepted.addr,
        last_host: RefCell::new(None),
        pinned: Pinned::default(),
        secured: line.secured,
        is_misplaced: line.is_misplaced,
        counted: Cell::new(0),
        _admitted: accepted.admitted,
    };
    // What ALPN has chosen leads to its file here.
    serve::http1::serve(cx, (local, listener)).await;
}
