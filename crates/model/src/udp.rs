//! Layer 4: datagrams that are passed on in sessions.

use crate::shorthand::{same_fields, string_or_map};
use bifrons_config::units::Dur;
use bifrons_config::{At, OneOrMany, Template};
use bifrons_filters::{access, in_flight};
use bifrons_observe::config::AccessLogs;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What becomes of datagrams. The addresses of the listener are those of UDP then. All datagrams from one address
/// and port to one address of ours are a session: they go to one endpoint, which sees one address and port for
/// them, and its answers go back. The short form is the cluster that takes all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Udp {
    /// Routes; the first that fits takes the session. Datagrams that none fits are dropped.
    pub routes: Vec<At<UdpRoute>>,
    /// Sessions of this listener at once, over all workers; datagrams that would begin further ones are dropped.
    pub sessions: u32,
    /// Sessions of one client address at once (an IPv6 client counts by its /64); 0: any number.
    pub sessions_per_address: u32,
}

/// What becomes of datagrams. The addresses of the listener are those of UDP then. All datagrams from one address
/// and port to one address of ours are a session: they go to one endpoint, which sees one address and port for
/// them, and its answers go back. The short form is the cluster that takes all of them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Udp")]
struct UdpMap {
    /// Routes; the first that fits takes the session. Datagrams that none fits are dropped.
    routes: Vec<At<UdpRoute>>,
    /// Sessions of this listener at once, over all workers; datagrams that would begin further ones are dropped.
    #[serde(default = "sessions")]
    sessions: u32,
    /// Sessions of one client address at once (an IPv6 client counts by its /64); 0: any number.
    #[serde(default = "sessions_per_address")]
    sessions_per_address: u32,
}

impl Udp {
    /// 16,384: each has a socket and so a port of its own; an address has some 28,000 of those for an endpoint.
    pub const SESSIONS: u32 = 16_384;
}

fn sessions() -> u32 {
    Udp::SESSIONS
}

/// 1,024: a resolver behind which a household or an office sits needs some hundreds; one address must not take
/// all there are.
fn sessions_per_address() -> u32 {
    1024
}

same_fields!(Udp, UdpMap, { routes, sessions, sessions_per_address });

string_or_map!(
    Udp,
    UdpMap,
    "a cluster, or a map with `routes`",
    |text| {
        let route = UdpRoute { proxy: Some(At::from(text.to_owned())), ..UdpRoute::default() };
        Ok(Udp {
            routes: vec![At::from(route)],
            sessions: sessions(),
            sessions_per_address: sessions_per_address(),
        })
    },
    |udp| {
        let [route] = udp.routes.as_slice() else { return None };
        let proxy = route.value.proxy.as_ref()?;
        let short = UdpRoute { proxy: Some(proxy.clone()), ..UdpRoute::default() };
        let is_plain = udp.sessions == sessions() && udp.sessions_per_address == sessions_per_address();
        (route.value == short && is_plain).then(|| proxy.value.clone())
    }
);

/// Which sessions it takes, and what becomes of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UdpRoute {
    /// Its name in logs and metrics; what it asks for by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Networks that the client comes from, such as `10.0.0.0/8`.
    #[serde(skip_serializing_if = "is_none")]
    pub source: OneOrMany<At<String>>,
    /// The cluster that takes the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<At<String>>,
    /// Where the session goes instead, with variables: the name of a cluster, whose endpoints and policy are taken,
    /// or `host:port`. The other settings are those of the cluster of `proxy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Template>,
    /// A text that is sent in place of a cluster's answer, with variables, in one datagram; the session is over
    /// with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respond: Option<Template>,
    /// Which clients are let in, by their addresses; the sessions of others are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<access::Config>,
    /// Variables that are given values before anything else, in their order: name without `$` to text. They are
    /// declared by that.
    #[serde(skip_serializing_if = "is_none")]
    pub set: OneOrMany<IndexMap<String, Template>>,
    /// How many sessions of a client, or of whatever else, there are at once; further ones are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<in_flight::Config>,
    /// Answers to each datagram of the client; with as many the session is over (1 for DNS, 0 for logs that
    /// nobody confirms). Where fewer have come when the session is idle for too long, the endpoint has failed.
    /// Any number where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responses: Option<u32>,
    /// Datagrams of the client after which the next one begins another session, and is balanced anew; 0: any
    /// number.
    #[serde(skip_serializing_if = "is_zero")]
    pub requests: u32,
    /// How long nothing may come from either side.
    pub idle: Dur,
    /// Access log, a record a session; the process's where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogs>,
}

impl Default for UdpRoute {
    fn default() -> Self {
        Self {
            name: None,
            source: OneOrMany(Vec::new()),
            proxy: None,
            to: None,
            respond: None,
            access: None,
            set: OneOrMany(Vec::new()),
            in_flight: None,
            responses: None,
            requests: 0,
            // Envoy's default. What is quiet for longer has an address translator in between, as a rule, that
            // has forgotten it sooner (RFC 4787 4.3 asks for two minutes, many have 30 s).
            idle: Dur(Duration::from_secs(60)),
            access_log: None,
        }
    }
}

fn is_none<T>(list: &OneOrMany<T>) -> bool {
    list.0.is_empty()
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}
