//! The series of one listener, route or cluster together, registered once and used by index.

use super::{Counter, Gauge, Histogram, Metric, Registry, Shard};
use std::time::Duration;

/// Classes of a status, and the one of no answer.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// What a request's series are labelled with.
#[derive(Clone, Copy, Debug)]
pub struct RouteLabels<'a> {
    /// Name of the listener.
    pub listener: &'a str,
    /// First name of the host.
    pub host: &'a str,
    /// Name of the route.
    pub route: &'a str,
    /// Name of the cluster; empty for an action that asks none.
    pub cluster: &'a str,
}

/// What is counted about the requests of one route on one listener.
#[derive(Clone, Debug)]
pub struct RouteStats {
    requests: [Counter; CLASSES.len()],
    duration: Histogram,
}

impl RouteStats {
    /// Registers the series, or finds those of an earlier snapshot.
    pub fn register(registry: &Registry, labels: RouteLabels<'_>) -> Self {
        let RouteLabels { listener, host, route, cluster } = labels;
        Self {
            requests: CLASSES
                .map(|class| registry.counter(Metric::Requests, &[listener, host, route, cluster, class])),
            duration: registry.histogram(Metric::RequestDuration, &[host, route]),
        }
    }

    /// Counts a request that has ended; `status` is 0 where the client got no answer.
    #[inline]
    pub fn record(&self, shard: &Shard, status: u16, duration: Duration) {
        let class = usize::from(status / 100);
        shard.inc(*self.requests.get(class).unwrap_or(&self.requests[0]));
        shard.observe(self.duration, duration);
    }
}

/// Why a connection was closed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The listener has as many connections as it may.
    Connections,
    /// The client's address has as many connections as it may.
    PerAddress,
    /// The system could not accept it, for want of descriptors or memory.
    Accept,
    /// It did not begin as it must: PROXY protocol, TLS.
    Protocol,
    /// The listener has as many handshakes under way, or in a second, as it may.
    Handshakes,
}

const REFUSALS: [&str; 5] = ["connections", "per_address", "accept", "protocol", "handshakes"];

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// Well, from the beginning.
    Full,
    /// Well, with an earlier session.
    Resumed,
    /// The two sides did not agree, or the client was gone.
    Failed,
    /// The client took too long.
    Timeout,
    /// The client named nobody we know.
    UnknownName,
    /// Plain text came.
    PlainText,
}

const HANDSHAKES: [&str; 6] = ["full", "resumed", "failed", "timeout", "unknown_name", "plain_text"];

/// What is counted about one listener.
#[derive(Clone, Debug)]
pub struct ListenerStats {
    /// Connections accepted.
    pub accepted: Counter,
    /// Open connections.
    pub active: Gauge,
    /// Requests that are being served.
    pub requests_active: Gauge,
    /// Bytes received from clients.
    pub received: Counter,
    /// Bytes sent to clients.
    pub sent: Counter,
    refused: [Counter; REFUSALS.len()],
    handshakes: [Counter; HANDSHAKES.len()],
}

impl ListenerStats {
    /// Registers the series, or finds those of an earlier snapshot.
    pub fn register(registry: &Registry, listener: &str) -> Self {
        let labels = &[listener];
        Self {
            accepted: registry.counter(Metric::ConnectionsAccepted, labels),
            active: registry.gauge(Metric::ConnectionsActive, labels),
            requests_active: registry.gauge(Metric::RequestsActive, labels),
            received: registry.counter(Metric::DownstreamReceived, labels),
            sent: registry.counter(Metric::DownstreamSent, labels),
            refused: REFUSALS.map(|reason| registry.counter(Metric::ConnectionsRefused, &[listener, reason])),
            handshakes: HANDSHAKES.map(|result| registry.counter(Metric::Handshakes, &[listener, result])),
        }
    }

    /// Counts a connection that was closed at once.
    pub fn refuse(&self, shard: &Shard, reason: Refusal) {
        shard.inc(self.refused[reason as usize]);
    }

    /// Counts a handshake.
    pub fn handshake(&self, shard: &Shard, result: Handshake) {
        shard.inc(self.handshakes[result as usize]);
    }
}

/// What is counted about one cluster.
#[derive(Clone, Debug)]
pub struct ClusterStats {
    /// Time of an attempt until the endpoint's head had arrived.
    pub head: Histogram,
    /// Requests that are with an endpoint.
    pub requests_active: Gauge,
    /// Connections made.
    pub connects: Counter,
    /// Requests over a connection kept from an earlier one.
    pub reuses: Counter,
    /// Connections that could not be made.
    pub connect_failures: Counter,
    /// Attempts after the first.
    pub retries: Counter,
    /// Endpoints taken out of balancing.
    pub ejections: Counter,
    /// Bytes received from endpoints.
    pub received: Counter,
    /// Bytes sent to endpoints.
    pub sent: Counter,
    /// Idle connections kept.
    pub pool_idle: Gauge,
}

impl ClusterStats {
    /// Registers the series, or finds those of an earlier snapshot.
    pub fn register(registry: &Registry, cluster: &str) -> Self {
        let labels = &[cluster];
        Self {
            head: registry.histogram(Metric::UpstreamHead, labels),
            requests_active: registry.gauge(Metric::UpstreamRequestsActive, labels),
            connects: registry.counter(Metric::UpstreamConnects, labels),
            reuses: registry.counter(Metric::UpstreamReuses, labels),
            connect_failures: registry.counter(Metric::UpstreamConnectFailures, labels),
            retries: registry.counter(Metric::UpstreamRetries, labels),
            ejections: registry.counter(Metric::UpstreamEjections, labels),
            received: registry.counter(Metric::UpstreamReceived, labels),
            sent: registry.counter(Metric::UpstreamSent, labels),
            pool_idle: registry.gauge(Metric::UpstreamPoolIdle, labels),
        }
    }
}

/// Why a datagram went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The listener has as many sessions as it may.
    Sessions,
    /// The client's address has as many sessions as it may.
    PerAddress,
    /// No route takes it.
    NoRoute,
    /// The session's endpoint was not known yet, and as many wait as may.
    Waiting,
    /// The kernel did not take it.
    Send,
}

const DROPPED: [&str; 5] = ["sessions", "per_address", "no_route", "waiting", "send"];

/// What is counted about the datagrams of one listener.
#[derive(Clone, Debug)]
pub struct DatagramStats {
    /// Those that clients sent.
    pub from_clients: Counter,
    /// Those that endpoints sent.
    pub from_endpoints: Counter,
    dropped: [Counter; DROPPED.len()],
}

impl DatagramStats {
    /// Registers the series, or finds those of an earlier snapshot.
    pub fn register(registry: &Registry, listener: &str) -> Self {
        Self {
            from_clients: registry.counter(Metric::Datagrams, &[listener, "client"]),
            from_endpoints: registry.counter(Metric::Datagrams, &[listener, "endpoint"]),
            dropped: DROPPED.map(|reason| registry.counter(Metric::DatagramsDropped, &[listener, reason])),
        }
    }

    /// The series of those that went nowhere for that reason.
    pub fn dropped(&self, reason: Dropped) -> Counter {
        self.dropped[reason as usize]
    }
}

/// What became of a request of a route with a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// Answered by a stored answer that is fresh.
    Hit,
    /// Nothing was stored.
    Miss,
    /// What was stored was too old, and the origin gave another.
    Expired,
    /// Answered by a stored answer that is too old, since the origin could not.
    Stale,
    /// Answered by one that is too old while it is fetched anew.
    Updating,
    /// The origin confirmed what was stored.
    Revalidated,
    /// The store was not asked.
    Bypass,
    /// Answered by what another request had already asked for.
    Collapsed,
}

const CACHE_RESULTS: [&str; 8] =
    ["hit", "miss", "expired", "stale", "updating", "revalidated", "bypass", "collapsed"];

/// What is counted about the requests of a cache's zone.
#[derive(Clone, Debug)]
pub struct CacheStats {
    requests: [Counter; CACHE_RESULTS.len()],
}

impl CacheStats {
    /// Registers the series, or finds those of an earlier snapshot.
    pub fn register(registry: &Registry, zone: &str) -> Self {
        Self {
            requests: CACHE_RESULTS.map(|result| registry.counter(Metric::CacheRequests, &[zone, result])),
        }
    }

    /// Counts a request.
    #[inline]
    pub fn record(&self, shard: &Shard, result: CacheResult) {
        shard.inc(self.requests[result as usize]);
    }
}
