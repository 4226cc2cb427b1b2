//! What is known about a request besides its messages: filled in on the way, read by filters,
//! templates, metrics and the access log.

use crate::coded::CodedStore;
use crate::document::DocumentRoot;
use crate::encoding::Encoding;
use crate::h1::Conn;
use crate::headers::Headers;
use crate::spool::TempFile;
use crate::tls_facts::TlsFacts;
use crate::told::Told;
use crate::vars::Computed;
use bifrons_core::{Error, Kind};
use bytes::Bytes;
use smallvec::SmallVec;
use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// What is known about a client's connection.
pub struct ConnFacts {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The other end; `None` for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The address of the other end as text; `unix:` for a Unix socket.
    pub peer_text: Box<str>,
    /// Our end, asked of the kernel when it is first needed.
    pub local: OnceCell<Option<SocketAddr>>,
    /// The connection itself; none in tests.
    pub socket: Weak<Conn>,
    /// What a header of the PROXY protocol told, believed or not.
    pub told: Option<Box<Told>>,
    /// What goes on byte for byte; `None`: it has requests.
    pub layer4: Option<Box<Layer4>>,
    /// What is known about its TLS; `None` where it is plain.
    pub tls: Option<Box<TlsFacts>>,
    /// Serial number in the process.
    pub serial: u64,
    /// When it was accepted.
    pub accepted: Instant,
    /// How many requests it has carried.
    pub requests: Cell<u32>,
}

/// What is known about a connection, or a session of datagrams, that goes on byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer4 {
    /// Whether it is one of datagrams.
    pub is_udp: bool,
    /// What the client says in TLS that goes on as it is.
    pub hello: Option<AskedHello>,
}

/// What of a ClientHello is of use without its connection being terminated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedHello {
    /// The name that the client asks for.
    pub server_name: Option<Box<str>>,
    /// Protocols it offers, separated by commas.
    pub alpn: Box<[u8]>,
    /// The highest version it offers, as `$ssl_protocol` has it.
    pub version: &'static str,
}

impl Layer4 {
    /// A session of datagrams.
    pub fn udp() -> Self {
        Self { is_udp: true, hello: None }
    }

    /// `TCP` or `UDP`.
    pub fn protocol(&self) -> &'static str {
        if self.is_udp { "UDP" } else { "TCP" }
    }

    /// The name that the client asks for.
    pub fn asked_name(&self) -> Option<&str> {
        self.hello.as_ref()?.server_name.as_deref()
    }
}

impl ConnFacts {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// One try at an endpoint.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The endpoint as configured.
    pub endpoint: Arc<str>,
    /// The status it answered with; 0: none.
    pub status: u16,
    /// When the attempt began.
    pub began: Instant,
    /// How long connecting took, in µs; `None` where a kept connection served.
    pub connect_us: Option<u32>,
    /// How long until the head had come, in µs.
    pub header_us: Option<u32>,
    /// How long until the whole answer had come, in µs.
    pub response_us: Option<u32>,
    /// Bytes sent to the endpoint.
    pub sent: u64,
    /// Bytes of body received from it.
    pub body_received: u64,
    /// Bytes received from it.
    pub received: u64,
    /// What went wrong, if something did.
    pub error: Option<Kind>,
}

impl Attempt {
    /// One that begins.
    pub fn begin(endpoint: Arc<str>, now: Instant) -> Self {
        Self {
            endpoint,
            status: 0,
            began: now,
            connect_us: None,
            header_us: None,
            response_us: None,
            sent: 0,
            body_received: 0,
            received: 0,
            error: None,
        }
    }
}

/// Values of computed variables.
#[derive(Default)]
pub(crate) struct Kept {
    /// By their places in the set.
    pub(crate) values: Vec<(usize, Vec<u8>)>,
    /// Named groups of the regexes that computing has matched.
    pub(crate) named: Vec<(Box<str>, Vec<u8>)>,
}

/// What was compressed of the answer's body.
#[derive(Default)]
pub struct Coded(Option<Box<(Encoding, Rc<CodedBytes>)>>);

/// Bytes of a body that is compressed.
#[derive(Debug, Default)]
pub struct CodedBytes {
    /// Before.
    pub plain: Cell<u64>,
    /// Behind.
    pub coded: Cell<u64>,
}

impl Coded {
    /// A body is compressed; its bytes are to be counted there.
    pub fn insert(&mut self, encoding: Encoding) -> Rc<CodedBytes> {
        let counts = Rc::new(CodedBytes::default());
        self.0 = Some(Box::new((encoding, counts.clone())));
        counts
    }

    /// How many times smaller a body became by that coding, in hundredths, rounded.
    pub fn ratio(&self, of: Encoding) -> Option<u64> {
        let (encoding, counts) = &**self.0.as_ref()?;
        let (plain, coded) = (counts.plain.get(), counts.coded.get());
        let ratio = plain.saturating_mul(1000).checked_div(coded)?;
        (*encoding == of).then_some((ratio + 5) / 10)
    }
}

/// What a limit of how many there are at once has made of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    /// The name of the counts that had no room.
    pub zone: Option<Arc<str>>,
    /// What became of it.
    pub how: LimitedHow,
    /// How severe that is.
    pub severity: Severity,
}

/// What became of a request that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedHow {
    /// There was room.
    Passed,
    /// It was refused.
    Rejected,
    /// It would have been.
    WouldBeRejected,
}

impl LimitedHow {
    /// As `$limit_conn_status` has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Rejected => "REJECTED",
            Self::WouldBeRejected => "REJECTED_DRY_RUN",
        }
    }
}

/// nginx's severities of what is told of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Clients do that.
    Info,
    /// Worth a look.
    Notice,
    /// It may become more.
    Warn,
    /// Somebody should look.
    Error,
}

/// What is known about one request.
pub struct ReqCx {
    /// Its connection.
    pub conn: Rc<ConnFacts>,
    /// The client: the connection's other end, or what a trusted proxy said.
    pub client: Option<SocketAddr>,
    /// Whether the connection's other end is a trusted proxy.
    pub is_trusted: bool,
    /// When its head had come.
    pub started: Instant,
    /// The same by the wall clock.
    pub started_at: OnceCell<SystemTime>,
    /// Bytes of its head.
    pub head_bytes: u64,
    /// The first line of what was refused before it was a request.
    pub refused: Option<Box<[u8]>>,
    /// The normalised path where it differs from the one in the target.
    pub path: Option<Vec<u8>>,
    /// Whether `path` is decoded, as nginx's `$uri` is.
    pub is_decoded: bool,
    /// Whether the path was made here and is not normalised again.
    pub is_settled: bool,
    /// Whether a rewrite has had the last word on the path: what replaces the matched part leaves it alone.
    pub is_final: bool,
    /// Whether it got here by routing again or rewriting, and may take `internal` routes.
    pub is_internal: bool,
    /// Name of the host that matched: its first name.
    pub server_name: Option<Arc<str>>,
    /// Name of the route that matched.
    pub route: Option<Arc<str>>,
    /// Name of the cluster it goes to.
    pub cluster: Option<Arc<str>>,
    /// The host of a route's URL with variables.
    pub proxy_host: Option<Box<str>>,
    /// Where the route's files lie.
    pub document: Option<Arc<DocumentRoot>>,
    /// The directory of a static route, as it answered.
    pub document_root: Option<Vec<u8>>,
    /// The file a static route found.
    pub filename: Option<Vec<u8>>,
    /// `$1` to `$9` of the regexes that matched last.
    pub captures: SmallVec<[Vec<u8>; 0]>,
    /// Variables that the configuration declares, and their values.
    pub variables: Vec<(Box<str>, Vec<u8>)>,
    /// Variables that the configuration computes; `None` where it has none.
    pub computed: Option<Rc<dyn Computed>>,
    /// What was computed of them so far.
    pub(crate) kept: RefCell<Kept>,
    /// Tries upstream.
    pub attempts: SmallVec<[Attempt; 1]>,
    /// The request's body, where it was collected and lies in memory.
    pub body: Option<Bytes>,
    /// The file that the request's body was collected in, for as long as the request lasts.
    pub body_file: Option<Arc<TempFile>>,
    /// Bytes a second that the answer may have; goes before the route's. 0: any.
    pub rate: Option<u64>,
    /// Whether the answer is held back for a slow client; goes before the route's.
    pub holds: Option<bool>,
    /// What the answer's body was compressed to; `None` where it was not.
    pub coded: Coded,
    /// Where bodies are kept that it is compressed to; `None` where it is not from a cache.
    pub coded_store: Option<Box<dyn CodedStore>>,
    /// Where among them those of another route begin, after a reroute.
    pub attempt_groups: SmallVec<[usize; 0]>,
    /// Fields of the endpoint's answer that led it to another route, until that one asks an endpoint too.
    pub led_by: Option<Box<Headers>>,
    /// The key that the cache has looked for, where it asks the origin.
    pub cache_key: Option<Box<[u8]>>,
    /// Fields that were sent behind the answer's body.
    pub trailers: Headers,
    /// The slice of the answer that is asked for; empty where the answer has none, `None` where none is asked for.
    pub slice: Option<Range<u64>>,
    /// What limits of how many there are at once have made of it; `None` where it is not counted.
    pub limited: Option<Limited>,
    /// What is given back when it is over.
    pub held: Vec<Box<dyn Any>>,
    /// What the cache did, in nginx's word; `None` where there is none.
    pub cache_status: Option<&'static str>,
    /// Why a filter has refused it, in the words of nginx's error log.
    pub denied: Option<Cow<'static, str>>,
    /// Whether its head had come before the answer to the request before it was over.
    pub is_pipelined: bool,
    /// `$request_id`, made when it is first needed.
    pub request_id: OnceCell<[u8; 32]>,
    /// `traceparent` as it goes upstream.
    pub traceparent: OnceCell<[u8; 55]>,
    /// How often it was routed again.
    pub reroutes: u8,
    /// Status sent to the client; 0: none yet.
    pub status: u16,
    /// Bytes sent to the client.
    pub sent: u64,
    /// Bytes of body sent to the client.
    pub body_sent: u64,
    /// Bytes received from the client for this request.
    pub received: u64,
    /// When everything was over.
    pub finished: Option<Instant>,
    /// Whether the client did not get all of the answer.
    pub is_cut: bool,
    /// What went wrong, if something did.
    pub error: Option<Error>,
}

impl ReqCx {
    /// At the beginning.
    pub fn new(conn: Rc<ConnFacts>, started: Instant) -> Self {
        Self {
            client: conn.peer,
            conn,
            is_trusted: false,
            started,
            started_at: OnceCell::new(),
            head_bytes: 0,
            refused: None,
            path: None,
            is_decoded: false,
            is_settled: false,
            is_final: false,
            is_internal: false,
            server_name: None,
            route: None,
            cluster: None,
            proxy_host: None,
            document: None,
            document_root: None,
            filename: None,
            captures: SmallVec::new(),
            variables: Vec::new(),
            computed: None,
            kept: RefCell::default(),
            attempts: SmallVec::new(),
            body: None,
            body_file: None,
            rate: None,
            holds: None,
            coded: Coded::default(),
            coded_store: None,
            attempt_groups: SmallVec::new(),
            led_by: None,
            denied: None,
            cache_key: None,
            trailers: Headers::new(),
            slice: None,
            limited: None,
            held: Vec::new(),
            cache_status: None,
            is_pipelined: false,
            request_id: OnceCell::new(),
            traceparent: OnceCell::new(),
            reroutes: 0,
            status: 0,
            sent: 0,
            body_sent: 0,
            received: 0,
            finished: None,
            is_cut: false,
            error: None,
        }
    }

    /// What is known about the request, for one of our own that is sent for it.
    #[must_use]
    pub fn fork(&self, started: Instant) -> Self {
        Self {
            client: self.client,
            is_trusted: self.is_trusted,
            path: self.path.clone(),
            is_decoded: self.is_decoded,
            is_settled: self.is_settled,
            is_final: self.is_final,
            is_internal: self.is_internal,
            server_name: self.server_name.clone(),
            route: self.route.clone(),
            document: self.document.clone(),
            captures: self.captures.clone(),
            variables: self.variables.clone(),
            computed: self.computed.clone(),
            request_id: self.request_id.clone(),
            traceparent: self.traceparent.clone(),
            cache_key: self.cache_key.clone(),
            slice: self.slice.clone(),
            ..Self::new(self.conn.clone(), started)
        }
    }

    /// The value of `Range` that asks for the slice, if one is asked for.
    pub fn slice_range(&self) -> Option<String> {
        let slice = self.slice.as_ref().filter(|slice| !slice.is_empty())?;
        Some(format!("bytes={}-{}", slice.start, slice.end - 1))
    }

    /// The client's address; unspecified for a Unix socket.
    pub fn client_ip(&self) -> IpAddr {
        self.client.map_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), |addr| addr.ip())
    }

    /// `$request_id`: 16 random bytes in hexadecimal.
    pub fn request_id(&self) -> &[u8; 32] {
        self.request_id.get_or_init(|| {
            let mut id = [0; 32];
            for (digit, at) in hex(fastrand::u128(..)).into_iter().zip(&mut id) {
                *at = digit;
            }
            id
        })
    }

    /// Gives a variable that the configuration declares its value.
    pub fn set_variable(&mut self, name: &str, value: Vec<u8>) {
        match self.variables.iter_mut().rev().find(|(known, _)| &**known == name) {
            Some((_, old)) => *old = value,
            None => self.variables.push((name.into(), value)),
        }
    }

    /// Notes a named group that matched while a variable was computed; it is a variable from then on.
    pub fn note_named(&self, name: &str, value: &[u8]) {
        let mut kept = self.kept.borrow_mut();
        match kept.named.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, old)) => value.clone_into(old),
            None => kept.named.push((name.into(), value.to_vec())),
        }
    }

    /// Notes that what follows is sent upstream by a route of its own.
    pub fn begin_attempts(&mut self) {
        self.led_by = None;
        if !self.attempts.is_empty() {
            self.attempt_groups.push(self.attempts.len());
        }
    }

    /// Notes an error that did not become an answer, the first one only.
    pub fn note_error(&mut self, err: Error) {
        self.error.get_or_insert(err);
    }
}

/// 32 hexadecimal digits.
pub fn hex(value: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    for (at, digit) in digits.iter_mut().enumerate() {
        let nibble = (value >> (124 - 4 * at)) as usize & 15;
        *digit = b"0123456789abcdef"[nibble];
    }
    digits
}
