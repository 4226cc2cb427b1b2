//! What a request is decided by: immutable, built from the configuration, swapped as a whole.

mod layer4;

pub use layer4::{TcpAction, TcpPlan, TcpRoutePlan, UdpPlan, UdpRoutePlan};

use crate::bodies::{BandwidthPlan, BodyPlan};
use crate::forwarded::ClientRules;
use crate::queue::Queue;
use crate::shared::ListenerState;
use crate::sticky::StickyPlan;
use bifrons_balance::policies::least_time::Measure;
use bifrons_balance::{Balance, SharedEndpoints};
use bifrons_cache::{CachePlan, PlannedZone};
use bifrons_config::Template;
use bifrons_core::Limits;
use bifrons_files::Types;
use bifrons_filters::Chain;
use bifrons_filters::edits::Edits;
use bifrons_filters::rewrite::Program;
use bifrons_http::h1::Pace;
use bifrons_http::h1::conn::HeadPace;
use bifrons_http::pool::Keep;
use bifrons_http::{DocumentRoot, FieldName, Version};
use bifrons_model::{
    Builtin, ClientAbort, ClientTimes, Config, ConnectionFields, ErrorPage, ForwardedField, OwnRedirects,
    PlainHttp2, Resolver,
};
use bifrons_model::{CdnLoop, ProxyHeaderIn, ProxyHeaderOut, ProxyHeaderWord, StartTls};
use bifrons_net::{Addr, ListenOptions};
use bifrons_observe::metrics::{ClusterStats, ListenerStats};
use bifrons_route::{HostTable, PathRules, RouteTable};
use bifrons_tls::{ForwardClientCert, Store, TlsPlan, UpstreamPlan};
use bifrons_variables::VariableSet;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

/// A whole configuration, ready to serve.
pub struct Snapshot {
    /// What it was built from.
    pub config: Arc<Config>,
    /// A fingerprint of the configuration.
    pub hash: u64,
    /// The listeners.
    pub listeners: Vec<Arc<ListenerPlan>>,
    /// The clusters; routes name them by their place here.
    pub clusters: Vec<Arc<ClusterPlan>>,
    /// Variables that it computes; `None` where it has none.
    pub variables: Option<Arc<VariableSet>>,
    /// The places of clusters by their names in lower case.
    pub by_name: HashMap<Box<str>, usize>,
    /// Zones of stored answers, taken into force when it is published.
    pub caches: Vec<PlannedZone>,
    /// The routes that use them.
    pub cached: Vec<Arc<RoutePlan>>,
    /// Files and certificates it was built with.
    pub tls: Arc<Store>,
}

impl Snapshot {
    /// The place of the cluster of that name, whose letters' case does not count.
    pub fn cluster_named(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied().or_else(|| self.by_name.get(&*name.to_ascii_lowercase()).copied())
    }

    /// The listener that is bound to the address.
    pub fn listener(&self, addr: &Addr) -> Option<&Arc<ListenerPlan>> {
        self.listeners.iter().find(|listener| listener.addrs.contains(addr))
    }
}

/// A listener, ready to serve.
pub struct ListenerPlan {
    /// Its name.
    pub name: Arc<str>,
    /// Addresses it is bound to.
    pub addrs: Vec<Addr>,
    /// How its sockets are made.
    pub options: ListenOptions,
    /// How connections are encrypted; `None`: they are plain.
    pub tls: Option<Arc<TlsPlan>>,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// Handshakes at once; 0: any.
    pub handshakes_max: u32,
    /// Handshakes in a second; 0: any.
    pub handshake_rate: u32,
    /// Bounds of a head.
    pub limits: Limits,
    /// How HTTP/2 is spoken; `None`: not at all.
    pub http2: Option<Http2Plan>,
    /// How long a head may take.
    pub head_pace: HeadPace,
    /// How long a body may take.
    pub body_pace: Pace,
    /// How long the client may take no bytes.
    pub send_timeout: Duration,
    /// How slowly it may take an answer.
    pub send_pace: Pace,
    /// How long unread bytes are read over at the end.
    pub linger: Duration,
    /// Requests on one connection.
    pub requests_max: u32,
    /// Age after which a connection closes behind its request.
    pub age_max: Option<Duration>,
    /// What `Keep-Alive` tells clients, if it does.
    pub keep_alive_field: Option<Box<str>>,
    /// Whether a connection whose client was too slow is reset.
    pub reset_slow: bool,
    /// The status of a head that is too large.
    pub head_status: u16,
    /// Connections at once.
    pub connections_max: u32,
    /// Connections from one address at once; 0: any.
    pub per_address_max: u32,
    /// What becomes of connections on layer 4; `None`: all have requests.
    pub tcp: Option<TcpPlan>,
    /// What becomes of datagrams; `None`: connections come in.
    pub udp: Option<UdpPlan>,
    /// Whether a header of the PROXY protocol comes first.
    pub proxy_protocol: ProxyHeaderIn,
    /// Whose word on the client is taken, of those that send one.
    pub proxy_protocol_client: ProxyHeaderWord,
    /// How the client's address is found.
    pub client: ClientRules,
    /// What becomes of `X-Forwarded-Client-Cert`.
    pub client_cert: ForwardClientCert,
    /// The `Server` field.
    pub server: ServerPlan,
    /// Our name in `Via`; `None`: no `Via`.
    pub via: Option<Via>,
    /// The CDN's mark.
    pub cdn_loop: Option<Box<CdnLoop>>,
    /// Whether every request is redirected to `https://`.
    pub redirect_https: bool,
    /// Body bytes where host and route say nothing.
    pub body_max: u64,
    /// The hosts reached by it.
    pub hosts: HostTable<Arc<HostPlan>>,
    /// The route of requests for which there is none: only its log is used.
    pub fallback: Arc<RoutePlan>,
    /// Counters that outlive the snapshot.
    pub state: Arc<ListenerState>,
    /// Series of its metrics.
    pub stats: ListenerStats,
}

/// How HTTP/2 is spoken.
#[derive(Clone, Copy, Debug)]
pub struct Http2Plan {
    /// Whether also without encryption, by prior knowledge.
    pub plain: PlainHttp2,
    /// Streams at once.
    pub streams_max: u32,
    /// Bytes a client may send ahead of what is read of a stream.
    pub stream_window: u32,
    /// The same of all streams of a connection together.
    pub connection_window: u32,
    /// Bytes of an answer that lie ready for a client.
    pub send_buffer: usize,
}

/// Our mark in `Via` (RFC 9110 7.6.3).
#[derive(Clone, Debug)]
pub struct Via {
    /// The pseudonym, unique to process and listener.
    pub name: String,
    /// `1.0 name`, for requests that came by that version.
    pub value_http10: Vec<u8>,
    /// `1.1 name`.
    pub value_http11: Vec<u8>,
    /// `2.0 name`.
    pub value_http20: Vec<u8>,
}

/// What becomes of the `Server` field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerPlan {
    /// The upstream's stays; ours is `bifrons`.
    Pass,
    /// None.
    Off,
    /// Always this.
    Set(String),
}

/// A host, ready to serve.
pub struct HostPlan {
    /// Its first name.
    pub name: Arc<str>,
    /// How connections are encrypted for clients that name it; `None`: as the listener says.
    pub tls: Option<Arc<TlsPlan>>,
    /// How paths are normalised.
    pub path: PathRules,
    /// How the client's address is found, where that is not as the listener says.
    pub client: Option<ClientRules>,
    /// What is done before a route is looked for.
    pub rewrite: Option<Box<Program>>,
    /// Where its files lie, before a route is found.
    pub document: Option<Arc<DocumentRoot>>,
    /// Its routes.
    pub routes: RouteTable<Arc<RoutePlan>>,
    /// Routes that no path leads to, by name without `@`.
    pub named: HashMap<Box<str>, Arc<RoutePlan>>,
    /// The route of requests for which there is none. Without action only its log and metrics are used.
    pub fallback: Arc<RoutePlan>,
}

/// A route, ready to serve.
pub struct RoutePlan {
    /// Its name.
    pub name: Arc<str>,
    /// The host's filters and its own.
    pub chain: Chain,
    /// What it does.
    pub action: Action,
    /// Body bytes; `u64::MAX`: any.
    pub body_max: u64,
    /// How fast answers go; `None`: at full speed.
    pub bandwidth: Option<Box<BandwidthPlan>>,
    /// The `Server` field, where that is not the listener's.
    pub server: Option<ServerPlan>,
    /// Whether bodies are never sent in chunks.
    pub no_chunks: bool,
    /// How long the client may take, where that is not as the listener says.
    pub client: Option<Box<ClientTimes>>,
    /// What is written down about its requests.
    pub record: crate::record::RecordPlan,
    /// Where its answers are stored.
    pub cache: Option<Box<CachePlan>>,
    /// Whether only requests that were routed again or rewritten get here.
    pub internal: bool,
    /// Files that are looked for before the action.
    pub try_files: Option<Box<TryFilesPlan>>,
    /// Where its files lie.
    pub document: Option<Arc<DocumentRoot>>,
    /// What takes the place of errors.
    pub errors: Option<Arc<ErrorPages>>,
    /// How redirects of our own are written.
    pub redirects: OwnRedirects,
    /// Media types of texts of our own.
    pub media: Option<Arc<Types>>,
}

impl RoutePlan {
    /// One that only says what is written down.
    pub fn of_record(record: crate::record::RecordPlan, body_max: u64) -> Self {
        Self {
            name: "".into(),
            chain: Chain::default(),
            action: Action::None,
            body_max,
            bandwidth: None,
            server: None,
            no_chunks: false,
            client: None,
            record,
            cache: None,
            internal: false,
            try_files: None,
            document: None,
            errors: None,
            redirects: OwnRedirects::default(),
            media: None,
        }
    }
}

/// Files that are looked for before the action.
pub struct TryFilesPlan {
    /// Paths, in order; of one that means a directory the `/` at its end is cut off.
    pub files: Box<[(Template, Wanted)]>,
    /// What comes when none is there.
    pub otherwise: Otherwise,
}

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Anything but a directory.
    File,
    /// A directory.
    Directory,
}

/// What comes when no file is there.
pub enum Otherwise {
    /// That status.
    Status(u16),
    /// That path, or `@name`.
    Target(Template),
}

/// What takes the place of errors.
pub struct ErrorPages {
    /// The pages; the first that names a status is taken.
    pub pages: Vec<ErrorPage>,
    /// Whether errors on the way to one lead to another.
    pub recursive: bool,
}

/// What a route does.
pub enum Action {
    /// Nothing: there is no route (404).
    None,
    /// Sends the request to a cluster.
    Proxy(Box<ProxyPlan>),
    /// Answers with a redirect.
    Redirect {
        /// Target.
        to: Template,
        /// Status.
        status: u16,
    },
    /// A fixed answer.
    Respond {
        /// Status.
        status: u16,
        /// Body.
        body: Template,
        /// Media type.
        content_type: Option<Template>,
        /// Further fields.
        fields: Vec<(FieldName, Template)>,
    },
    /// Answers with files.
    Files(Box<FilesPlan>),
    /// Answers itself.
    Builtin(Builtin),
    /// Routes again with this path and query, or as `@name`.
    Reroute(Template),
}

/// A directory, ready to serve.
pub struct FilesPlan {
    /// Where files lie.
    pub document: Arc<DocumentRoot>,
    /// What of file names may be reached over links although links are restricted.
    pub trusted: Option<Template>,
    /// The rest.
    pub files: bifrons_files::Files,
    /// Index files whose paths are routed again; empty where that is not asked for.
    pub reroute_index: Box<[Template]>,
}

/// How a route talks to its cluster.
pub struct ProxyPlan {
    /// The cluster's place in the snapshot.
    pub cluster: usize,
    /// Where the request goes instead, with variables.
    pub url: Option<Template>,
    /// Where connections come from, with variables.
    pub bind: Option<Template>,
    /// The `Host` that is sent.
    pub host: HostSent,
    /// What replaces the matched path.
    pub replace_path: Option<ReplacePath>,
    /// Changes of fields.
    pub edits: Edits,
    /// Forwarding fields.
    pub forwarded: Vec<ForwardedField>,
    /// The version of HTTP.
    pub version: Version,
    /// Whether it is HTTP/2 that is spoken.
    pub streams: Streams,
    /// Whether connections are kept.
    pub keep_alive: bool,
    /// Whether a client's `Upgrade` is passed on.
    pub upgrade: bool,
    /// Whether `Expect: 100-continue` is left for the endpoint to answer.
    pub passes_expect: bool,
    /// `Connection` and `Upgrade` as they are sent, in place of what the proxy says of itself.
    pub connection: Option<ConnectionFields>,
    /// When the client goes away.
    pub client_abort: ClientAbort,
    /// Whether error pages take the place of its answers.
    pub intercept_errors: bool,
    /// What early hints hang on; `None`: all are passed on.
    pub early_hints: Option<Box<[Template]>>,
    /// Whether its answers may route the request again.
    pub accel_redirect: bool,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the endpoint may take no bytes.
    pub send_timeout: Duration,
    /// How long the endpoint may send no bytes.
    pub read_timeout: Duration,
    /// How long nothing may move in a tunnel.
    pub tunnel_timeout: Duration,
    /// Trying again.
    pub retry: RetryPlan,
    /// How bodies go.
    pub bodies: BodyPlan,
    /// Whether it is no request that is sent on, but a whole connection, byte for byte.
    pub is_raw: bool,
}

/// Whether requests are streams of connections that they share (HTTP/2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Never.
    Never,
    /// With endpoints that choose it.
    Offered,
    /// Always.
    Demanded,
}

/// The `Host` that is sent upstream.
pub enum HostSent {
    /// The client's.
    Pass,
    /// The endpoint's name.
    Endpoint,
    /// This.
    Set(Template),
}

/// What replaces the matched path.
pub struct ReplacePath {
    /// Bytes of the path that are replaced; `None`: all.
    pub strip: Option<usize>,
    /// What stands there instead.
    pub with: Vec<u8>,
}

/// When a request is tried again.
pub struct RetryPlan {
    /// After errors of connections.
    pub error: bool,
    /// After timeouts.
    pub timeout: bool,
    /// After malformed answers.
    pub invalid: bool,
    /// After answers of these statuses.
    pub statuses: SmallVec<[u16; 4]>,
    /// Attempts in all; 0: as many as endpoints.
    pub attempts: u32,
    /// Time in which an attempt may begin; zero: any.
    pub within: Duration,
    /// Whether requests that are not idempotent are tried again after they were sent.
    pub non_idempotent: bool,
}

/// A cluster, ready to serve.
#[derive(Clone)]
pub struct ClusterPlan {
    /// Its name.
    pub name: Arc<str>,
    /// Its endpoints, kept over snapshots.
    pub shared: Arc<SharedEndpoints>,
    /// Its policy.
    pub balance: Arc<Balance>,
    /// How connections are encrypted; `None`: they are plain.
    pub tls: Option<Arc<UpstreamPlan>>,
    /// How idle connections are kept.
    pub keep: Keep,
    /// Bounds of an answer's head.
    pub limits: Limits,
    /// The largest head that a route takes: connections of HTTP/2 serve all routes. Grows as routes are built.
    pub head_bytes_max: Arc<AtomicUsize>,
    /// Where connections come from.
    pub bind: Option<SocketAddr>,
    /// The header of the PROXY protocol that they begin with.
    pub proxy_protocol: Option<ProxyHeaderOut>,
    /// In whose words they ask for TLS first.
    pub starttls: Option<StartTls>,
    /// Who resolves names that requests bring.
    pub resolver: Arc<Resolver>,
    /// What of answers its policy wants measured.
    pub measures: Option<Measure>,
    /// Sticky sessions.
    pub sticky: Option<Arc<StickyPlan>>,
    /// Requests that wait for an endpoint.
    pub queue: Option<Arc<Queue>>,
    /// The status where all endpoints are busy.
    pub busy_status: u16,
    /// Series of its metrics.
    pub stats: ClusterStats,
}
