//! One connection to an endpoint: its task, who uses it, when it takes no more requests.

use crate::call::Call;
use crate::links::Group;
use bifrons_core::{Error, Kind, Result, Retry};
use bifrons_http::Body;
use bifrons_http::h1::Conn;
use bifrons_http::h2::{Io, Meter};
use bifrons_http::pool::Keep;
use bifrons_net::clock;
use bytes::Bytes;
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The largest window there is (RFC 9113 6.9.1).
const WINDOW_MAX: u32 = (1 << 31) - 1;

/// How connections to the endpoints of a cluster are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Streams at once, at the most; the endpoint may allow fewer.
    pub streams_max: usize,
    /// Bytes an endpoint may send of a stream ahead of what is taken.
    pub stream_window: u32,
    /// Bytes of a request that may wait for the connection, for each stream.
    pub send_buffer: usize,
    /// Bytes of an answer's fields, counted as HPACK does.
    pub head_bytes: u32,
}

/// A connection.
pub struct Link {
    /// Makes streams; gone once there are to be no more.
    sender: RefCell<Option<SendRequest<Bytes>>>,
    conn: Rc<Conn>,
    pub(crate) meter: Rc<Meter>,
    group: RefCell<Weak<Group>>,
    streams_max: usize,
    /// Bytes of an answer's fields that it takes.
    pub(crate) head_bytes: u32,
    keep: Keep,
    active: Cell<usize>,
    carried: Cell<u32>,
    idle_since: Cell<Instant>,
    /// Whether the endpoint's settings are known.
    is_settled: Cell<bool>,
    /// Tells those that wait for them, or for the end.
    settled: Notify,
}

impl Link {
    /// Begins HTTP/2 on a connection whose TLS, if any, is there. `send_timeout`: how long the endpoint may take
    /// no bytes.
    ///
    /// # Errors
    /// `Reset` where the preface can't be sent.
    pub async fn open(conn: Conn, rules: &Rules, keep: Keep, send_timeout: Duration) -> Result<Rc<Self>> {
        let conn = Rc::new(conn);
        let meter = Rc::new(Meter::of_endpoint());
        let io = Io::new(conn.clone(), send_timeout, meter.clone());
        let handshake = builder(rules).handshake::<_, Bytes>(io).await;
        let (sender, connection) = handshake.map_err(|err| {
            Error::upstream(Kind::Connect, format!("HTTP/2 with the endpoint: {err}")).retry(Retry::Safe)
        })?;
        let link = Rc::new(Self {
            sender: RefCell::new(Some(sender)),
            conn,
            meter,
            group: RefCell::default(),
            streams_max: rules.streams_max,
            head_bytes: rules.head_bytes,
            keep,
            active: Cell::new(0),
            carried: Cell::new(0),
            idle_since: Cell::new(clock::recent()),
            is_settled: Cell::new(false),
            settled: Notify::new(),
        });
        // It ends with the connection at the latest, which whoever retires it lets come to its end.
        tokio::task::spawn_local(drive(connection, link.clone()));
        Ok(link)
    }

    /// Enters it where requests find it; one that is in no group serves one request.
    pub(crate) fn enter(&self, group: &Rc<Group>) {
        *self.group.borrow_mut() = Rc::downgrade(group);
    }

    /// Whether it takes no more requests.
    pub(crate) fn is_retired(&self) -> bool {
        self.sender.borrow().is_none()
    }

    /// Whether it has a stream for one more request.
    pub(crate) fn has_room(&self) -> bool {
        let sender = self.sender.borrow();
        let Some(sender) = &*sender else { return false };
        self.active.get() < self.room(sender)
    }

    /// Before the endpoint has said how many it takes, one is safe.
    fn room(&self, sender: &SendRequest<Bytes>) -> usize {
        if self.is_settled.get() { self.streams_max.min(sender.current_max_send_streams()) } else { 1 }
    }

    /// Whether the endpoint has yet to say how many streams it takes.
    pub(crate) fn is_coming(&self) -> bool {
        !self.is_settled.get() && !self.is_retired()
    }

    /// How many streams it has at the most, once that is known.
    pub(crate) fn capacity(&self) -> Option<usize> {
        let sender = self.sender.borrow();
        let sender = sender.as_ref()?;
        self.is_settled.get().then(|| self.room(sender))
    }

    /// Whether no request uses it.
    pub(crate) fn is_idle(&self) -> bool {
        self.active.get() == 0
    }

    /// Whether it has been idle for too long, or lived too long.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let is_stale =
            self.is_idle() && now.saturating_duration_since(self.idle_since.get()) > self.keep.idle_timeout;
        is_stale || self.is_worn(now)
    }

    fn is_worn(&self, now: Instant) -> bool {
        self.carried.get() >= self.keep.requests_max
            || now.saturating_duration_since(self.conn.born()) >= self.keep.age_max
    }

    /// Idle ones that one endpoint may have.
    pub(crate) fn idle_max(&self) -> usize {
        self.keep.idle_max
    }

    /// Lets it take no more requests; it closes when those that it has are over.
    pub fn retire(&self) {
        let sender = self.sender.borrow_mut().take();
        // Dropped outside of the borrow: the connection's task is told.
        drop(sender);
    }

    /// A stream for one request.
    pub(crate) fn lease(self: &Rc<Self>) -> Lease {
        let is_reused = self.carried.get() > 0;
        self.active.set(self.active.get() + 1);
        self.carried.set(self.carried.get().saturating_add(1));
        if self.is_worn(clock::recent()) {
            // This request is its last, and may still be sent.
            if let Some(group) = self.group.borrow().upgrade() {
                group.forget(self);
            }
        }
        Lease { link: self.clone(), is_reused }
    }

    fn released(&self) {
        self.active.set(self.active.get().saturating_sub(1));
        if self.is_idle() {
            self.idle_since.set(clock::recent());
        }
        match self.group.borrow().upgrade() {
            Some(group) if group.keeps(self) => group.tell_one(),
            _ if self.is_idle() => self.retire(),
            _ => {}
        }
    }
}

fn builder(rules: &Rules) -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    // Each stream may fill its window and stall there without that the others lack any of the connection's.
    let streams = u32::try_from(rules.streams_max).unwrap_or(u32::MAX);
    let connection = rules.stream_window.saturating_mul(streams).min(WINDOW_MAX);
    builder
        .enable_push(false)
        .initial_window_size(rules.stream_window)
        .initial_connection_window_size(connection)
        .max_header_list_size(rules.head_bytes)
        .max_send_buffer_size(rules.send_buffer);
    builder
}

/// A stream of a link, as long as it lives.
pub struct Lease {
    pub(crate) link: Rc<Link>,
    /// Whether the connection has carried requests before.
    pub is_reused: bool,
}

impl Lease {
    /// The only one of a link that nobody else may use.
    pub fn only(link: &Rc<Link>) -> Self {
        link.lease()
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.link.conn.is_tls()
    }

    /// Sends the head of a request; `body` follows, and each wait for room for it may take `send_timeout`.
    ///
    /// # Errors
    /// The body with an error that says that nothing was sent: the connection takes no more requests.
    pub fn send(
        self,
        request: http::Request<()>,
        body: Body,
        send_timeout: Duration,
    ) -> std::result::Result<Call, (Error, Body)> {
        let is_last = body.is_empty();
        match self.begin(request, is_last) {
            Ok((response, stream)) => Ok(Call::new(self, response, (stream, body, is_last), send_timeout)),
            Err(err) => Err((err, body)),
        }
    }

    /// Sends the head of a request that opens a tunnel (RFC 8441).
    ///
    /// # Errors
    /// That nothing was sent: the connection takes no more requests.
    pub fn open(self, request: http::Request<()>) -> Result<Call> {
        let (response, stream) = self.begin(request, false)?;
        Ok(Call::opening(self, response, stream))
    }

    /// Whether WebSockets may be opened over its connection (RFC 8441 3), once its settings have come.
    pub async fn takes_websockets(&self) -> bool {
        // Bounded by the connection's end.
        while self.link.is_coming() {
            self.link.settled.notified().await;
        }
        let sender = self.link.sender.borrow();
        sender.as_ref().is_some_and(SendRequest::is_extended_connect_protocol_enabled)
    }

    fn begin(
        &self,
        request: http::Request<()>,
        is_last: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>)> {
        let sent = match &*self.link.sender.borrow() {
            // A copy of its own, for a sender refuses a second stream as long as one of its own waits for the
            // endpoint's limit: streams that were given up count there until the endpoint hears of it.
            Some(sender) => sender.clone().send_request(request, is_last),
            None => Err(Reason::REFUSED_STREAM.into()),
        };
        match sent {
            Ok(begun) => {
                self.link.meter.earn_request();
                Ok(begun)
            }
            Err(err) => {
                self.link.retire();
                let reason = format!("no more requests on this connection: {err}");
                Err(Error::upstream(Kind::Closed, reason).retry(Retry::Unprocessed))
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.link.released();
    }
}

/// The task of a connection: reads and writes it until it ends.
async fn drive(mut connection: Connection<Io, Bytes>, link: Rc<Link>) {
    let why = poll_fn(|cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        if link.meter.offence().is_some() {
            return Poll::Ready(Some("too many frames that carry nothing".to_owned()));
        }
        if let Poll::Ready(end) = polled {
            return Poll::Ready(end.err().map(|err| err.to_string()));
        }
        if !link.is_settled.get() && link.meter.has_settings() {
            link.is_settled.set(true);
            link.settled.notify_waiters();
            if let Some(group) = link.group.borrow().upgrade() {
                group.tell_all();
            }
        }
        Poll::Pending
    })
    .await;
    if let Some(why) = why {
        tracing::debug!(why, "HTTP/2 connection to an endpoint ended");
    }
    link.retire();
    link.settled.notify_waiters();
    // Requests that are still on it learn here that it is gone; those that wait for one look for another.
    drop(connection);
    if let Some(group) = link.group.borrow().upgrade() {
        group.forget(&link);
        group.tell_all();
    }
}
