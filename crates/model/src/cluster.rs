//! Clusters: groups of endpoints and how they are talked to.

use crate::health_check::HealthCheck;
use crate::sticky::Sticky;
use crate::tcp::{ProxyHeaderOut, StartTls};
use bifrons_balance::{Balance, EndpointConfig};
use bifrons_config::At;
use bifrons_config::units::{Dur, Size};
use bifrons_tls::UpstreamTls;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A group of endpoints that serve the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cluster {
    /// How an endpoint is picked: `round_robin`, `least_request`, `random`, `ip_hash`, `{ hash: { key: … } }`.
    pub balance: Balance,
    /// Addresses (`10.0.1.10:3000`, `app.local:3000`, `unix:/run/app.sock`), or maps with weights and limits.
    pub endpoints: Vec<At<EndpointConfig>>,
    /// How connections to endpoints are encrypted, and what endpoints must prove; `{}` verifies them by the
    /// system's authorities. Plain text where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<UpstreamTls>,
    /// The header of the PROXY protocol that every connection to an endpoint begins with: it tells who the
    /// client is. Such a connection serves one client only, and is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_protocol: Option<ProxyHeaderOut>,
    /// Whether endpoints are asked for TLS in the words of a protocol before it begins; what begins it is `tls`, or
    /// the client's own that passes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starttls: Option<StartTls>,
    /// The version of HTTP spoken to endpoints; routes may say another.
    #[serde(skip_serializing_if = "HttpVersion::is_default")]
    pub http_version: HttpVersion,
    /// Connections kept for further requests.
    pub keep_alive: KeepAlive,
    /// How long an endpoint may take.
    pub timeouts: UpstreamTimeouts,
    /// When a request is tried again at another endpoint.
    pub retry: Retry,
    /// Local address that connections come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind: Option<At<String>>,
    /// Whether a lone LF ends a line of an answer's head (RFC 9112 2.2 allows it, nginx does it).
    pub lone_lf: crate::LoneLf,
    /// Bytes of an answer's head; more is an error of the upstream.
    pub head: Size,
    /// How often names are resolved again at the latest; their TTL says when before.
    pub resolve_interval: Dur,
    /// Who resolves names.
    #[serde(skip_serializing_if = "Resolver::is_default")]
    pub resolver: Resolver,
    /// Whether routes name the endpoint themselves (`url`), and only settings are taken from here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dynamic: bool,
    /// Sticky sessions: requests that belong together go to one endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// Requests that wait while all endpoints have their `max_conns` under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// The status of a request for which all endpoints have their `max_conns` under way: 503, or nginx's 502.
    #[serde(skip_serializing_if = "is_503")]
    pub busy_status: u16,
    /// Active checks of the endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            balance: Balance::default(),
            endpoints: Vec::new(),
            tls: None,
            proxy_protocol: None,
            starttls: None,
            http_version: HttpVersion::V1_1,
            keep_alive: KeepAlive::default(),
            timeouts: UpstreamTimeouts::default(),
            retry: Retry::default(),
            bind: None,
            lone_lf: crate::LoneLf::Refuse,
            head: Size(64 * 1024),
            // 5 minutes: long enough to be no load, short enough that a record without TTL discipline moves.
            resolve_interval: Dur(Duration::from_secs(300)),
            resolver: Resolver::default(),
            dynamic: false,
            sticky: None,
            queue: None,
            busy_status: 503,
            health_check: None,
        }
    }
}

fn is_503(status: &u16) -> bool {
    *status == 503
}

/// The version of HTTP spoken to an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HttpVersion {
    /// HTTP/1.0, a connection per request unless `keep_alive`.
    #[serde(rename = "1.0")]
    V1_0,
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "1.1")]
    V1_1,
    /// HTTP/2: requests share connections, each on a stream of its own. By ALPN where the cluster has `tls`, else
    /// by prior knowledge. A client's `Upgrade` is not passed on.
    #[serde(rename = "2")]
    V2,
    /// HTTP/2 with endpoints that choose it by ALPN, HTTP/1.1 with all others; which of the two it was is
    /// remembered of each. Needs `tls` at the cluster.
    #[serde(rename = "auto")]
    Auto,
}

impl HttpVersion {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Who resolves names of endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Resolver {
    /// As the machine does it: `/etc/hosts` and the servers of `/etc/resolv.conf`.
    #[default]
    System,
    /// Nobody: names are errors (502).
    None,
    /// These name servers.
    Servers(NameServers),
}

impl Resolver {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Name servers of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameServers {
    /// Their addresses, with or without port: `127.0.0.53`, `[2001:db8::53]:5353`, or names that the machine
    /// resolves at the start.
    pub servers: Vec<String>,
    /// How long an answer is good for, whatever its TTL says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Dur>,
    /// Whether IPv4 addresses are asked for.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub ipv4: bool,
    /// Whether IPv6 addresses are asked for.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub ipv6: bool,
    /// How long resolving a name may take.
    #[serde(default = "resolve_timeout", skip_serializing_if = "is_resolve_timeout")]
    pub timeout: Dur,
}

fn yes() -> bool {
    true
}

/// nginx's `resolver_timeout`.
fn resolve_timeout() -> Dur {
    Dur(Duration::from_secs(30))
}

fn is_resolve_timeout(dur: &Dur) -> bool {
    *dur == resolve_timeout()
}

/// Requests that wait for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// How many may wait at once, over all workers.
    pub requests: u32,
    /// How long each may wait.
    #[serde(default = "queue_timeout")]
    pub timeout: Dur,
}

/// nginx's.
fn queue_timeout() -> Dur {
    Dur(Duration::from_secs(60))
}

/// Connections kept for further requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeepAlive {
    /// Idle connections to one endpoint, per worker; 0 keeps none.
    pub idle: u32,
    /// How long one may be idle (nginx's `keepalive_timeout` in `upstream`).
    pub timeout: Dur,
    /// Requests after which one is closed.
    pub requests: u32,
    /// Age after which one is closed (nginx's `keepalive_time`).
    pub age: Dur,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self {
            // Enough that a burst's connections serve the next burst; idle ones cost little.
            idle: 1024,
            // nginx's default; servers close theirs after 60-75 s, and the one who closes first must be us.
            timeout: Dur(Duration::from_secs(50)),
            requests: 100_000,
            age: Dur(Duration::from_secs(3600)),
        }
    }
}

/// How long an endpoint may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTimeouts {
    /// To accept a connection (nginx's `proxy_connect_timeout`).
    pub connect: Dur,
    /// Between two writes of a request (nginx's `proxy_send_timeout`).
    pub send: Dur,
    /// For the whole head of an answer, from the end of the request or the last interim answer; then between two
    /// reads of its body (nginx's `proxy_read_timeout`).
    pub read: Dur,
    /// Between any two pieces of a tunnel (WebSocket and other upgrades), whichever side sends them
    /// (HAProxy's `timeout tunnel`).
    pub tunnel: Dur,
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        Self {
            // Envoy's default: an endpoint that takes longer is down for practical purposes.
            connect: Dur(Duration::from_secs(5)),
            send: Dur(Duration::from_secs(60)),
            read: Dur(Duration::from_secs(60)),
            // What HAProxy's manual has in its examples: quiet WebSockets are many, dead ones few.
            tunnel: Dur(Duration::from_secs(3600)),
        }
    }
}

/// When a request is tried again at another endpoint: nginx's `proxy_next_upstream` family.
///
/// Never after an answer began. A request that is not idempotent and has been sent is tried again only
/// with `non_idempotent`. A request that failed on a connection kept from before, without a byte of an
/// answer, is tried again on a fresh one besides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// What is tried again; `[]` nothing.
    pub on: Vec<RetryOn>,
    /// Attempts in all, the first included; 0: as many as there are endpoints.
    pub attempts: u32,
    /// Time in which a new attempt may begin; 0: any.
    pub timeout: Dur,
    /// Whether requests that are not idempotent (POST, PATCH) are tried again after they were sent.
    pub non_idempotent: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            on: vec![RetryOn::Error, RetryOn::Timeout],
            attempts: 0,
            timeout: Dur(Duration::ZERO),
            non_idempotent: false,
        }
    }
}

/// What lets a request be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RetryOn {
    /// Connecting, sending or reading the head failed.
    #[serde(rename = "error")]
    Error,
    /// One of these took too long.
    #[serde(rename = "timeout")]
    Timeout,
    /// The answer was malformed or empty.
    #[serde(rename = "invalid_header")]
    InvalidHeader,
    /// The answer has this status.
    #[serde(rename = "http_403")]
    Http403,
    /// The answer has this status.
    #[serde(rename = "http_404")]
    Http404,
    /// The answer has this status.
    #[serde(rename = "http_429")]
    Http429,
    /// The answer has this status.
    #[serde(rename = "http_500")]
    Http500,
    /// The answer has this status.
    #[serde(rename = "http_502")]
    Http502,
    /// The answer has this status.
    #[serde(rename = "http_503")]
    Http503,
    /// The answer has this status.
    #[serde(rename = "http_504")]
    Http504,
}

impl RetryOn {
    /// The status it stands for.
    pub fn status(self) -> Option<u16> {
        match self {
            Self::Http403 => Some(403),
            Self::Http404 => Some(404),
            Self::Http429 => Some(429),
            Self::Http500 => Some(500),
            Self::Http502 => Some(502),
            Self::Http503 => Some(503),
            Self::Http504 => Some(504),
            Self::Error | Self::Timeout | Self::InvalidHeader => None,
        }
    }
}
