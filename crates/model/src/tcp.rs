//! Layer 4: connections that are passed on byte for byte.

use crate::shorthand::{same_fields, string_or_map};
use bifrons_config::units::Dur;
use bifrons_config::{At, OneOrMany, Template};
use bifrons_filters::{access, in_flight};
use bifrons_observe::config::AccessLogs;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What becomes of a listener's connections before anybody looks for requests in them. The short form is the
/// cluster that takes all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Tcp {
    /// Routes; the first that fits takes the connection. One that none fits is closed.
    pub routes: Vec<At<TcpRoute>>,
    /// How long the first bytes may take where a route asks for them; after that only routes that ask for
    /// nothing, or for `server_first`, fit.
    pub first_bytes: Dur,
    /// Whether first bytes are waited for although no route asks for them, so that `$ssl_preread_server_name` and
    /// its like have their values. A client that sends none in the time of `first_bytes` is closed.
    pub look: bool,
    /// Whether clients ask for TLS in the words of a protocol before they begin it: they are told yes, and it goes on
    /// as with TLS that comes at once (`sni`, `terminate`).
    pub starttls: Option<StartTls>,
}

/// What becomes of a listener's connections before anybody looks for requests in them. The short form is the
/// cluster that takes all of them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Tcp")]
struct TcpMap {
    /// Routes; the first that fits takes the connection. One that none fits is closed.
    routes: Vec<At<TcpRoute>>,
    /// How long the first bytes may take where a route asks for them; after that only routes that ask for
    /// nothing, or for `server_first`, fit.
    #[serde(default = "first_bytes")]
    first_bytes: Dur,
    /// Whether first bytes are waited for although no route asks for them, so that `$ssl_preread_server_name` and
    /// its like have their values. A client that sends none in the time of `first_bytes` is closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    look: bool,
    /// Whether clients ask for TLS in the words of a protocol before they begin it: they are told yes, and it goes on
    /// as with TLS that comes at once (`sni`, `terminate`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starttls: Option<StartTls>,
}

/// 3 s: a client that speaks first does so within a round trip or two; one that waits for the server's greeting
/// must not wait for long.
fn first_bytes() -> Dur {
    Dur(Duration::from_secs(3))
}

same_fields!(Tcp, TcpMap, { routes, first_bytes, look, starttls });

string_or_map!(
    Tcp,
    TcpMap,
    "a cluster, or a map with `routes`",
    |text| {
        let route = TcpRoute { proxy: Some(At::from(text.to_owned())), ..TcpRoute::default() };
        Ok(Tcp { routes: vec![At::from(route)], first_bytes: first_bytes(), look: false, starttls: None })
    },
    |tcp| {
        let [route] = tcp.routes.as_slice() else { return None };
        let proxy = route.value.proxy.as_ref()?;
        let short = TcpRoute { proxy: Some(proxy.clone()), ..TcpRoute::default() };
        (route.value == short && tcp.first_bytes == first_bytes() && !tcp.look && tcp.starttls.is_none())
            .then(|| proxy.value.clone())
    }
);

/// Which connections it takes (all of what is given must fit), and what becomes of them: `proxy`, `respond` or `http`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TcpRoute {
    /// Its name in logs and metrics; what it asks for by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Names that the client asks for in TLS: `db.example.com`, `*.example.com`, `""` for TLS without a name.
    #[serde(skip_serializing_if = "is_none")]
    pub sni: OneOrMany<String>,
    /// Protocols that the client offers in TLS, such as `postgresql`.
    #[serde(skip_serializing_if = "is_none")]
    pub alpn: OneOrMany<String>,
    /// Networks that the client comes from, such as `10.0.0.0/8`.
    #[serde(skip_serializing_if = "is_none")]
    pub source: OneOrMany<At<String>>,
    /// What the client's first bytes look like.
    #[serde(skip_serializing_if = "is_none")]
    pub protocol: OneOrMany<TcpProtocol>,
    /// The cluster that takes the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<At<String>>,
    /// Where the connection goes instead, with variables: the name of a cluster, whose endpoints and policy are
    /// taken, `host:port` or `unix:/path`. How it is talked to is then said by the cluster of `proxy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Template>,
    /// A text that is sent in place of a cluster's answer, with variables; the connection is closed behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respond: Option<Template>,
    /// Which clients are let in, by their addresses; others are closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<access::Config>,
    /// Variables that are given values before anything else, in their order: name without `$` to text. They are
    /// declared by that.
    #[serde(skip_serializing_if = "is_none")]
    pub set: OneOrMany<IndexMap<String, Template>>,
    /// How many connections of a client, or of whatever else, there are at once; further ones are closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<in_flight::Config>,
    /// Whether TLS ends here, with the listener's `tls`, and what is within goes on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub terminate: bool,
    /// Whether it is an ordinary connection of this listener after all, with requests for its hosts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub http: bool,
    /// How long nothing may move; the cluster's `timeouts.tunnel` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Dur>,
    /// Access log; the process's where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogs>,
    /// Refused: bytes have no path. Hosts with routes do, behind `http: true`.
    #[serde(skip_serializing)]
    pub path: OfRequests,
    /// Refused, as `path`.
    #[serde(skip_serializing)]
    pub method: OfRequests,
    /// Refused, as `path`.
    #[serde(skip_serializing)]
    pub header: OfRequests,
    /// Refused, as `path`.
    #[serde(skip_serializing)]
    pub query: OfRequests,
}

/// What only requests have; to ask a connection of layer 4 for it is a mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OfRequests;

impl<'de> Deserialize<'de> for OfRequests {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(
            "a connection that goes on byte for byte has no path, method, header or query: write `http: true` \
             here and ask for them in a route of a host",
        ))
    }
}

impl JsonSchema for OfRequests {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OfRequests".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "not": {} })
    }
}

fn is_none<T>(list: &OneOrMany<T>) -> bool {
    list.0.is_empty()
}

/// What a connection's first bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TcpProtocol {
    /// A ClientHello.
    Tls,
    /// A request line.
    Http,
    /// `SSH-`.
    Ssh,
    /// A startup, cancel or encryption request of PostgreSQL.
    Postgres,
    /// An array of RESP.
    Redis,
    /// SOCKS 4 or 5.
    Socks,
    /// Nothing: the client waits for the server's greeting (MySQL, SMTP, FTP).
    ServerFirst,
}

/// The protocol in whose words TLS is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StartTls {
    /// PostgreSQL's `SSLRequest`.
    Postgres,
}

/// Whether a header of the PROXY protocol comes before everything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyHeaderIn {
    /// No: it would be taken for what it is not.
    #[default]
    Off,
    /// From addresses in `client.trusted` always, from others never.
    Trusted,
    /// From everybody. For listeners that only proxies reach: who can connect can claim any address.
    Required,
}

impl ProxyHeaderIn {
    /// Whether there may be one.
    pub fn is_on(self) -> bool {
        self != Self::Off
    }
}

/// Whose word on the client is taken, of those that send a header of the PROXY protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyHeaderWord {
    /// Everybody's whose header is read.
    #[default]
    All,
    /// That of addresses in `client.trusted`.
    Trusted,
    /// Nobody's: the client is who connects, and the header is known as `$proxy_protocol_addr` and its like.
    None,
}

impl ProxyHeaderWord {
    /// Whether it is the default.
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }
}

/// The version of the PROXY protocol that endpoints are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyHeaderOut {
    /// A line of text.
    V1,
    /// Binary, with ALPN, server name, unique id and checksum.
    V2,
}
