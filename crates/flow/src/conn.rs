//! Step 2. One connection: which protocol it speaks, and what is known about it.

use crate::first::{self, First};
use crate::pin::Pinned;
use crate::record::Share;
use crate::secure::{self, Line};
use crate::serve;
use crate::shared::Admitted;
use crate::snapshot::{HostPlan, Http2Plan, ListenerPlan, TcpAction};
use crate::worker::{Local, Worker};
use bifrons_core::Side;
use bifrons_http::h1::Conn;
use bifrons_http::h2::{Exchange, H2Body, websocket};
use bifrons_http::{ConnFacts, Layer4, ResponseHead};
use bifrons_model::{PlainHttp2, ProxyHeaderIn, ProxyHeaderWord};
use bifrons_net::{Addr, Stream, Timer};
use bifrons_tls::TlsPlan;
use std::cell::{Cell, OnceCell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
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
    /// The request's stream, where the connection has several (HTTP/2).
    pub exchange: Option<Rc<Exchange>>,
    /// What the client sends over its stream once a WebSocket is open there, and the key to open it with.
    pub websocket: RefCell<Option<(websocket::Key, Box<H2Body>)>>,
    /// Whether the head at hand came before the answer to the request before it was over.
    pub pipelined: Cell<bool>,
    /// How long it may wait for the next request, where the last one's route has said so.
    pub idle: Cell<Option<Duration>>,
    addr: Addr,
    /// The host of the last request, so that the next one for the same need not be looked up.
    pub(crate) last_host: Rc<RefCell<Option<LastHost>>>,
    /// A connection to an endpoint that no other client may use.
    pub(crate) pinned: Pinned,
    /// Where nobody is at the other end.
    alone: Option<Box<Alone>>,
    /// What the connection was secured by; `None` where it is plain.
    pub(crate) secured: Option<Arc<TlsPlan>>,
    /// Whether plain text came where TLS was expected.
    pub(crate) is_misplaced: bool,
    /// What earlier requests have consumed.
    counted: Cell<u64>,
    /// It counts as open as long as these live; none where it is another's stream.
    counts: Option<(Admitted, Share)>,
}

/// What a `Host` field led to.
pub(crate) struct LastHost {
    /// Its bytes, without the port.
    pub(crate) name: Vec<u8>,
    /// The plans it was looked up in.
    pub(crate) listener: Arc<ListenerPlan>,
    /// What was found.
    pub(crate) plan: Arc<HostPlan>,
}

impl ConnCx {
    /// One that was accepted and understood.
    fn new(
        worker: Rc<Worker>,
        listener: &ListenerPlan,
        accepted: Accepted,
        first: First,
        line: Line,
    ) -> Self {
        let is_raw = matches!(first.action, Some(TcpAction::Proxy { .. }));
        let layer4 = is_raw.then(|| Box::new(Layer4 { is_udp: false, hello: first.hello }));
        let peer = first.client.or(accepted.peer);
        // Who is believed about the client is so about where it meant to go, unless nginx's rules hold.
        let meant = first.told.as_ref().filter(|_| listener.proxy_protocol_client == ProxyHeaderWord::All);
        let local = match &accepted.addr {
            _ if meant.is_some() => OnceCell::from(meant.map(|told| told.destination)),
            Addr::Inet(addr) if !addr.ip().is_unspecified() => OnceCell::from(Some(*addr)),
            Addr::Unix(_) | Addr::Udp(_) => OnceCell::from(None),
            // A wildcard listener: the kernel knows, and is asked when somebody wants it.
            Addr::Inet(_) => OnceCell::new(),
        };
        let http = Rc::new(line.conn);
        let facts = ConnFacts {
            listener: listener.name.clone(),
            peer,
            peer_text: peer_text(peer),
            local,
            socket: Rc::downgrade(&http),
            told: first.told.map(Box::new),
            layer4,
            tls: line.facts,
            serial: accepted.serial,
            accepted: accepted.at,
            requests: Cell::new(0),
        };
        worker.register(accepted.serial, &http);
        Self {
            counts: Some((accepted.admitted, Share::of(&worker, listener.stats.active))),
            worker,
            facts: Rc::new(facts),
            http,
            exchange: None,
            websocket: RefCell::new(None),
            pipelined: Cell::new(false),
            idle: Cell::new(None),
            addr: accepted.addr,
            last_host: Rc::default(),
            pinned: Pinned::default(),
            alone: None,
            secured: line.secured,
            is_misplaced: line.is_misplaced,
            counted: Cell::new(0),
        }
    }

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

    /// One stream of it, which has a request of its own.
    pub fn stream(&self, exchange: Rc<Exchange>) -> Self {
        Self {
            worker: self.worker.clone(),
            facts: self.facts.clone(),
            http: self.http.clone(),
            exchange: Some(exchange),
            websocket: RefCell::new(None),
            pipelined: Cell::new(false),
            idle: Cell::new(None),
            addr: self.addr.clone(),
            last_host: self.last_host.clone(),
            // Whoever authenticates connections (NTLM) does not do so over HTTP/2.
            pinned: Pinned::default(),
            alone: None,
            secured: self.secured.clone(),
            is_misplaced: self.is_misplaced,
            counted: Cell::new(0),
            counts: None,
        }
    }

    /// For a request of our own that is sent on because of one of this connection, and outlives it: nobody is at the
    /// other end.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn alone(&self) -> std::io::Result<Self> {
        Ok(Self {
            worker: self.worker.clone(),
            facts: self.facts.clone(),
            http: self.worker.nobody()?,
            exchange: None,
            websocket: RefCell::new(None),
            pipelined: Cell::new(false),
            idle: Cell::new(None),
            addr: self.addr.clone(),
            last_host: Rc::default(),
            pinned: Pinned::default(),
            alone: Some(Box::default()),
            secured: self.secured.clone(),
            is_misplaced: self.is_misplaced,
            counted: Cell::new(0),
            counts: None,
        })
    }

    /// Whether nobody is at the other end.
    pub fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// Where nobody is at the other end: somebody who hears of interim answers all the same.
    pub(crate) fn set_listener(&self, listener: mpsc::Sender<ResponseHead>) {
        if let Some(alone) = &self.alone {
            alone.listener.replace(Some(listener));
        }
    }

    /// Tells them, as long as they hear: interim answers are hints, and nothing waits for them.
    pub(crate) fn pass_on(&self, interim: &ResponseHead) {
        if let Some(listener) = self.alone.as_ref().and_then(|alone| alone.listener.borrow().clone()) {
            let _ = listener.try_send(interim.clone());
        }
    }

    /// Says whether the client waits for 100 before it sends the body.
    pub fn set_expecting(&self, expecting: bool) {
        match &self.exchange {
            Some(exchange) => exchange.set_expecting(expecting),
            None => self.http.set_expecting(expecting),
        }
    }

    /// The timer of waits in which nothing is read from the client.
    pub fn wait_timer(&self) -> &RefCell<Timer> {
        match (&self.exchange, &self.alone) {
            (Some(exchange), _) => exchange.timer(),
            (None, Some(alone)) => &alone.timer,
            (None, None) => self.http.write_timer(),
        }
    }

    /// Ends such a wait.
    pub fn clear_wait_timer(&self) {
        match (&self.exchange, &self.alone) {
            (Some(exchange), _) => exchange.timer().borrow_mut().clear(),
            (None, Some(alone)) => alone.timer.borrow_mut().clear(),
            (None, None) => self.http.clear_write_timer(),
        }
    }

    /// Bytes consumed since [`Self::take_consumed`] was asked last.
    pub fn consumed(&self) -> u64 {
        match &self.exchange {
            Some(exchange) => exchange.received(),
            None => self.http.consumed() - self.counted.get(),
        }
    }

    /// Bytes consumed since this was asked last: those of the request that ends now.
    pub fn take_consumed(&self) -> u64 {
        if let Some(exchange) = &self.exchange {
            return exchange.received();
        }
        let consumed = self.http.consumed();
        consumed - self.counted.replace(consumed)
    }
}

/// What a request has that goes to the origin on nobody's account.
#[derive(Default)]
struct Alone {
    /// A timer of its own.
    timer: RefCell<Timer>,
    /// Who hears of interim answers.
    listener: RefCell<Option<mpsc::Sender<ResponseHead>>>,
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
        if self.counts.is_some() {
            self.worker.unregister(self.facts.serial);
        }
    }
}

/// The text is made once a connection, since every request needs it.
fn peer_text(peer: Option<SocketAddr>) -> Box<str> {
    match peer.map(|peer| peer.ip().to_canonical()) {
        None => "unix:".into(),
        Some(IpAddr::V6(ip)) => ip.to_string().into(),
        // Without `fmt`, which takes 1,300 instructions for it: 5 % of a connection that carries one request
        // (callgrind).
        Some(IpAddr::V4(ip)) => {
            let mut text = String::with_capacity("255.255.255.255".len());
            for octet in ip.octets() {
                let dot = if text.is_empty() { "" } else { "." };
                text.push_str(dot);
                text.push_str(itoa::Buffer::new().format(octet));
            }
            text.into()
        }
    }
}

/// Starts the task that serves the connection to its end. One that is to be understood first has a task of its
/// own for that, so that an idle connection does not hold room for what it once went through.
pub fn start(
    worker: Rc<Worker>,
    local: Rc<Local>,
    listener: Arc<ListenerPlan>,
    stream: Stream,
    accepted: Accepted,
) {
    worker.shard.inc(listener.stats.accepted);
    let asks_first = listener.tcp.is_some() || listener.proxy_protocol != ProxyHeaderIn::Off;
    if asks_first || listener.tls.is_some() {
        tokio::task::spawn_local(understand(worker, (local, listener), stream, accepted));
        return;
    }
    let line = Line::plain(Conn::new(stream, Side::Downstream));
    let cx = ConnCx::new(worker, &listener, accepted, First::default(), line);
    serve(cx, (local, listener), None);
}

/// What comes before any request: the first bytes, where they decide, and the handshake.
async fn understand(
    worker: Rc<Worker>,
    plans: (Rc<Local>, Arc<ListenerPlan>),
    stream: Stream,
    accepted: Accepted,
) {
    let listener = &plans.1;
    let mut first = First::default();
    if listener.tcp.is_some() || listener.proxy_protocol != ProxyHeaderIn::Off {
        match first::read(listener, &stream, accepted.peer).await {
            Ok(read) => first = read,
            Err(why) => {
                tracing::debug!(listener = &*listener.name, peer = ?accepted.peer, why, "connection closed");
                return;
            }
        }
    }
    let (is_raw, is_secured) = match &first.action {
        Some(TcpAction::Proxy { terminate, .. }) => (true, *terminate),
        Some(TcpAction::Http) | None => (false, listener.tls.is_some()),
    };
    let ahead = std::mem::take(&mut first.ahead);
    let line = match is_secured {
        false if ahead.is_empty() => Line::plain(Conn::new(stream, Side::Downstream)),
        false => Line::plain(Conn::with_read_ahead(stream, Side::Downstream, ahead)),
        true => match secure::accept(&worker, listener, (stream, ahead), is_raw).await {
            Some(line) => line,
            None => return,
        },
    };
    let action = first.action.clone();
    let cx = ConnCx::new(worker, listener, accepted, first, line);
    serve(cx, plans, action);
}

/// Starts the task of its protocol: what ALPN has chosen leads to its file here. In a box, since a task that begins
/// is moved some eight times.
fn serve(cx: ConnCx, plans: (Rc<Local>, Arc<ListenerPlan>), action: Option<TcpAction>) {
    if let Some(TcpAction::Proxy { route, .. }) = action {
        tokio::task::spawn_local(Box::pin(serve::tcp::serve(cx, plans, route)));
        return;
    }
    let alpn = cx.facts.tls.as_ref().and_then(|tls| tls.alpn.as_deref());
    let is_only = |http2: &Http2Plan| http2.plain == PlainHttp2::Only && plans.1.tls.is_none();
    if alpn == Some(b"h2") || plans.1.http2.as_ref().is_some_and(is_only) {
        tokio::task::spawn_local(Box::pin(serve::http2::serve(cx, plans)));
    } else {
        tokio::task::spawn_local(Box::pin(serve::http1::serve(cx, plans)));
    }
}
