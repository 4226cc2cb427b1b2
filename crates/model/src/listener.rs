//! Listeners: where connections come in, and what one of them may cost.

use crate::tcp::{ProxyHeaderIn, ProxyHeaderWord, Tcp};
use crate::udp::Udp;
use bifrons_config::units::{Dur, Size};
use bifrons_config::{At, OneOrMany};
use bifrons_tls::{ForwardClientCert, ServerTls};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One or more addresses and how connections to them are treated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listener {
    /// `127.0.0.1:8080`, `[::]:80`, `:80` or `80` (all IPv4 addresses), `unix:/run/bifrons.sock`.
    pub bind: OneOrMany<At<String>>,
    /// Certificates and how connections are encrypted; plain text where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// `https`: answer every request with a redirect to `https://` on the same host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<RedirectTo>,
    /// Connections the kernel queues before they are accepted; cut to `net.core.somaxconn`.
    pub backlog: u32,
    /// Whether an IPv6 address refuses IPv4 connections.
    pub ipv6_only: bool,
    /// What the kernel is told of its sockets, where that is not the system's choice.
    #[serde(skip_serializing_if = "SocketTuning::is_default")]
    pub socket: SocketTuning,
    /// Whether a lone LF ends a line of a head (RFC 9112 2.2 allows it, nginx does it). What is forwarded
    /// always has CRLF, and chunked framing never takes it.
    pub lone_lf: LoneLf,
    /// Whether a target may have bytes above 0x7f as they are, which RFC 3986 wants escaped; nginx takes them
    /// and passes them on.
    pub raw_targets: Allowance,
    /// Whether `Host` may be empty (RFC 9112 3.3); nginx refuses it.
    pub empty_host: Allowance,
    /// What becomes of fields with `_` in their name. CGI and its kin can't tell them from such with `-`, so
    /// that `X_Real_IP` passes for `X-Real-IP`; nginx drops them.
    pub underscores_in_headers: NameRule,
    /// What becomes of fields whose name has other bytes than letters, digits, `-` and `_`. A name that is no
    /// token (RFC 9110 5.6.2) is refused unless it is dropped; nginx drops all of them.
    pub irregular_headers: NameRule,
    /// Layer 4: connections that go to a cluster byte for byte, by name (SNI), address or first bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Tcp>,
    /// Layer 4: datagrams that go to a cluster in sessions. Such a listener has no connections; another may have
    /// the same address for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<Udp>,
    /// Whether a header of the PROXY protocol (v1 or v2) comes first; it then says who the client is.
    #[serde(skip_serializing_if = "is_off")]
    pub proxy_protocol: ProxyHeaderIn,
    /// Whose word on the client is taken, of those that send such a header.
    #[serde(skip_serializing_if = "ProxyHeaderWord::is_all")]
    pub proxy_protocol_client: ProxyHeaderWord,
    /// How the client's real address is found.
    pub client: ClientAddress,
    /// What endpoints are told about the certificates of clients (`X-Forwarded-Client-Cert`).
    pub forward_client_cert: ForwardClientCert,
    /// The `Server` field of answers.
    pub server: ServerField,
    /// Whether requests are marked with `Via` (RFC 9110 7.6.3), by which loops are found and broken.
    pub via: bool,
    /// The name of a CDN that this is a node of: requests are marked with it in `CDN-Loop` (RFC 8586), and those that
    /// come back are refused with 508.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdn_loop: Option<CdnLoop>,
    /// HTTP/2.
    pub http2: Http2,
    /// Bounds of one message.
    pub limits: MessageLimits,
    /// Bounds of connections.
    pub connections: ConnectionLimits,
    /// How long the client may take.
    pub timeouts: Timeouts,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            bind: OneOrMany(Vec::new()),
            tls: None,
            redirect: None,
            backlog: 4096,
            ipv6_only: true,
            socket: SocketTuning::default(),
            lone_lf: LoneLf::Refuse,
            raw_targets: Allowance::Refuse,
            empty_host: Allowance::Accept,
            underscores_in_headers: NameRule::Allow,
            irregular_headers: NameRule::Allow,
            tcp: None,
            udp: None,
            proxy_protocol: ProxyHeaderIn::Off,
            proxy_protocol_client: ProxyHeaderWord::All,
            client: ClientAddress::default(),
            forward_client_cert: ForwardClientCert::default(),
            server: ServerField::default(),
            via: true,
            cdn_loop: None,
            http2: Http2::default(),
            limits: MessageLimits::default(),
            connections: ConnectionLimits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

/// A CDN's mark in requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CdnLoop {
    /// Its name: a host name, or a word that no other CDN has.
    pub id: String,
    /// How often a request may bear it already: 0 where it meets one node only, 1 where nodes ask each other.
    #[serde(default)]
    pub visits: u8,
}

/// What the kernel is told of sockets; it holds for those that are bound anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SocketTuning {
    /// Whether silent clients are probed (tcp(7), `SO_KEEPALIVE`), which they are where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<bool>,
    /// Silence before the first probe, in whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive_idle: Option<Dur>,
    /// Between probes, in whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive_interval: Option<Dur>,
    /// Probes without an answer before the connection counts as lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive_count: Option<u32>,
    /// Bytes of the buffer for what a client sends (`SO_RCVBUF`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receive_buffer: Option<Size>,
    /// Bytes of the buffer for what is sent to it (`SO_SNDBUF`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_buffer: Option<Size>,
}

impl SocketTuning {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How HTTP/2 (RFC 9113) is spoken with clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http2 {
    /// Whether it is spoken at all: offered by ALPN where the listener has TLS.
    pub enabled: bool,
    /// Whether it is spoken without TLS too, with clients that begin with it (prior knowledge).
    pub plain: PlainHttp2,
    /// Streams of a connection at once (nginx's `http2_max_concurrent_streams`).
    pub streams: u32,
    /// Bytes a client may send ahead of what is read of one stream, 64 KiB at the least.
    pub stream_window: Size,
    /// The same of all streams of a connection together.
    pub connection_window: Size,
    /// Bytes of answers that may wait for a slow client, all streams of a connection together.
    pub send_buffer: Size,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            enabled: true,
            plain: PlainHttp2::Accept,
            // The least that RFC 9113 6.5.2 recommends is 100; nginx allows as many as this.
            streams: 128,
            stream_window: Size::kib(256),
            connection_window: Size::mib(1),
            send_buffer: Size::kib(128),
        }
    }
}

fn is_off(header: &ProxyHeaderIn) -> bool {
    *header == ProxyHeaderIn::Off
}

/// HTTP/2 on connections that are not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlainHttp2 {
    /// HTTP/1 only.
    Refuse,
    /// Beside HTTP/1, as the client begins.
    Accept,
    /// Nothing else.
    Only,
}

/// Where a listener's blanket redirect leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RedirectTo {
    /// The same address with `https://`.
    Https,
}

/// What is done with a lone LF at the end of a head's line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoneLf {
    /// 400 and close.
    #[default]
    Refuse,
    /// It ends the line.
    Accept,
}

/// What is done with something that could be read in several ways, or in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Allowance {
    /// 400 and close.
    Refuse,
    /// It is taken.
    Accept,
}

/// What becomes of a field because of its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameRule {
    /// It is passed on.
    #[default]
    Allow,
    /// It is left out.
    Drop,
    /// 400 and close.
    Refuse,
}

/// How the client's real address is found behind other proxies.
///
/// A connection from an address in `trusted` may name the client in `field`; any other connection's
/// address is the client's, and what it says about forwarding is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientAddress {
    /// Networks of proxies in front of us, such as `10.0.0.0/8`.
    pub trusted: Vec<At<String>>,
    /// How many proxies stand in front of us, instead of or besides `trusted`: that many addresses from
    /// the right are taken as proxies.
    pub trusted_hops: u8,
    /// The field that names the client: `X-Forwarded-For`, `Forwarded`, `X-Real-IP` or another.
    pub field: String,
    /// Whether addresses in `trusted` are skipped from the right, and not only the last one is taken
    /// (nginx's `real_ip_recursive`).
    pub recursive: bool,
}

impl Default for ClientAddress {
    fn default() -> Self {
        Self { trusted: Vec::new(), trusted_hops: 0, field: "X-Forwarded-For".into(), recursive: true }
    }
}

/// The `Server` field of answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ServerField {
    /// The upstream's own; `bifrons` on answers the proxy makes.
    #[default]
    Pass,
    /// None on any answer.
    Off,
    /// This one on every answer.
    Set(String),
}

/// Bounds of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MessageLimits {
    /// Bytes of the request line; longer ones get 414.
    pub request_line: Size,
    /// Bytes of one line of a head behind the request line; 0: no bound of its own.
    #[serde(skip_serializing_if = "Size::is_zero")]
    pub field: Size,
    /// The status of a head that is too large: 431, or nginx's 400.
    #[serde(skip_serializing_if = "is_431")]
    pub head_status: u16,
    /// Fields of a head; more get 431. At most 512.
    pub fields: u16,
    /// Bytes of a whole head; more get 431.
    pub head: Size,
    /// Bytes of a body; larger ones get 413. A host or route may set its own (`max_body`).
    pub body: Size,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self {
            // The least RFC 9112 3 recommends is 8000 bytes; nginx's large header buffers have 8 KiB.
            request_line: Size(8 * 1024),
            field: Size(0),
            head_status: 431,
            // Real heads have 10-30 fields; Envoy's and Apache's limit is 100.
            fields: 100,
            // Twice the total of nginx's default `large_client_header_buffers` (4 × 8 KiB).
            head: Size(64 * 1024),
            // Bodies stream and hold no memory; 1 GiB keeps one client from filling an upstream's disk.
            body: Size(1024 * 1024 * 1024),
        }
    }
}

fn is_431(status: &u16) -> bool {
    *status == 431
}

/// Bounds of connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionLimits {
    /// Connections of this listener at once, over all workers; further ones are closed at once.
    pub total: u32,
    /// Connections from one client address at once (an IPv6 client counts by its /64); 0: any number.
    pub per_address: u32,
    /// Requests on one connection before it is closed.
    pub requests: u32,
    /// Age after which a connection is closed behind its request (nginx's `keepalive_time`); 0: any.
    #[serde(skip_serializing_if = "Dur::is_zero")]
    pub age: Dur,
    /// The seconds that a `Keep-Alive: timeout=…` field tells clients; 0: there is no such field.
    #[serde(skip_serializing_if = "Dur::is_zero")]
    pub tell_timeout: Dur,
    /// Whether a connection whose client was too slow is reset, which frees its buffers at once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reset_slow: bool,
    /// TLS handshakes under way at once, over all workers; further connections are closed at once. 0: any
    /// number.
    pub handshakes: u32,
    /// TLS handshakes that may begin in a second, over all workers; further connections are closed at once.
    /// 0: any number.
    pub handshake_rate: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            // What 1 GiB of idle connections amounts to at 4 KiB each, rounded down.
            total: 250_000,
            per_address: 0,
            // Ten times nginx's keepalive_requests: enough to spread load again, too few to be felt.
            requests: 10_000,
            age: Dur(Duration::ZERO),
            tell_timeout: Dur(Duration::ZERO),
            reset_slow: false,
            // Some 10 KiB each until they are over: 100 MiB, and more than a machine finishes in its timeout.
            handshakes: 10_000,
            handshake_rate: 0,
        }
    }
}

/// How long the client may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// For a whole TLS handshake (nginx's `ssl_handshake_timeout`).
    pub handshake: Dur,
    /// For a whole head, from its first byte (nginx's `client_header_timeout`); 408.
    pub head: Dur,
    /// Between two reads of a body (nginx's `client_body_timeout`); 408.
    pub body: Dur,
    /// Between two writes of an answer (nginx's `send_timeout`).
    pub send: Dur,
    /// Bytes a second of an answer that the client must take on average over the time it was waited for;
    /// slower ones are cut off. Time in which there is nothing to send does not count. 0: any.
    pub send_rate: Size,
    /// For how long an answer may be taken slower than `send_rate`.
    pub send_grace: Dur,
    /// Between two requests of a connection (nginx's `keepalive_timeout`); 0 closes it after each.
    pub keep_alive: Dur,
    /// How long unread bytes of a refused request are read over, so that the client sees the answer
    /// and not a reset (nginx's `lingering_timeout`).
    pub linger: Dur,
    /// Bytes a second a request's body must reach on average; slower clients get 408. 0: any.
    pub body_rate: Size,
    /// For how long a body may be slower than `body_rate`.
    pub body_grace: Dur,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = |count| Dur(Duration::from_secs(count));
        Self {
            // A handshake is two round trips; who takes longer holds memory and nothing else.
            handshake: seconds(10),
            // nginx's and HAProxy's usual 60 s are what slow-header attacks live on; Envoy hints at 10-15 s.
            head: seconds(15),
            body: seconds(60),
            send: seconds(60),
            // Kestrel's least rate of answers; the grace is that of bodies.
            send_rate: Size(240),
            send_grace: seconds(20),
            keep_alive: seconds(75),
            linger: seconds(5),
            // Apache's mod_reqtimeout: 500 bytes a second after 20 s.
            body_rate: Size(500),
            body_grace: seconds(20),
        }
    }
}
