//! What is counted: the families of metrics in one table.

use super::text::Type;

/// A family of metrics: a name and the labels its series have.
#[derive(Debug)]
pub struct Family {
    /// Which one.
    pub metric: Metric,
    /// As it is exposed.
    pub name: &'static str,
    /// What it counts, in a sentence.
    pub help: &'static str,
    /// What its values mean.
    pub kind: Type,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// Whether series that never counted anything are left out: there may be one a route.
    pub sparse: bool,
}

/// The families, in the order of [`FAMILIES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "FAMILIES says what each counts")]
pub enum Metric {
    Requests,
    RequestDuration,
    RequestsActive,
    Errors,
    ConnectionsAccepted,
    ConnectionsActive,
    ConnectionsRefused,
    Handshakes,
    CertificateExpiry,
    Datagrams,
    DatagramsDropped,
    DownstreamReceived,
    DownstreamSent,
    UpstreamHead,
    UpstreamRequestsActive,
    UpstreamConnects,
    UpstreamReuses,
    UpstreamConnectFailures,
    UpstreamRetries,
    UpstreamEjections,
    UpstreamReceived,
    UpstreamSent,
    UpstreamPoolIdle,
    HealthChecks,
    HealthChanges,
    HealthUp,
    CacheRequests,
    Reloads,
    ReloadTime,
    ReloadSuccessful,
    Panics,
    BuildInfo,
    StartTime,
}

impl Metric {
    /// Its row of [`FAMILIES`].
    pub fn family(self) -> &'static Family {
        // A test proves that each metric stands at its own place.
        &FAMILIES[self as usize]
    }
}

const LISTENER: &[&str] = &["listener"];
const CLUSTER: &[&str] = &["cluster"];

const fn counter(
    metric: Metric,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { metric, name, help, kind: Type::Counter, labels, sparse: false }
}

const fn gauge(
    metric: Metric,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { metric, name, help, kind: Type::Gauge, labels, sparse: false }
}

const fn sparse(family: Family) -> Family {
    Family { sparse: true, ..family }
}

const fn histogram(family: Family) -> Family {
    Family { kind: Type::Histogram, ..family }
}

/// All families, by [`Metric`].
#[rustfmt::skip]
pub static FAMILIES: [Family; 33] = [
    sparse(counter(Metric::Requests, "bifrons_requests_total", &["listener", "host", "route", "cluster", "code"], "Requests answered, by class of status; `none` where the client left without one.")),
    sparse(histogram(counter(Metric::RequestDuration, "bifrons_request_duration_seconds", &["host", "route"], "Time from the first byte of a request to the last of its answer."))),
    gauge(Metric::RequestsActive, "bifrons_requests_active", LISTENER, "Requests that are being served."),
    sparse(counter(Metric::Errors, "bifrons_errors_total", &["kind"], "Requests that ended otherwise than well, by the word of the access log.")),
    counter(Metric::ConnectionsAccepted, "bifrons_connections_accepted_total", LISTENER, "Connections accepted from clients; of UDP, sessions begun."),
    gauge(Metric::ConnectionsActive, "bifrons_connections_active", LISTENER, "Open connections of clients; of UDP, sessions."),
    counter(Metric::ConnectionsRefused, "bifrons_connections_refused_total", &["listener", "reason"], "Connections of clients that were closed at once."),
    sparse(counter(Metric::Handshakes, "bifrons_tls_handshakes_total", &["listener", "result"], "TLS handshakes with clients, by how they ended.")),
    sparse(gauge(Metric::CertificateExpiry, "bifrons_certificate_expiry_timestamp_seconds", &["file"], "When a certificate ends, in seconds since 1970.")),
    counter(Metric::Datagrams, "bifrons_datagrams_total", &["listener", "from"], "Datagrams that came, by who sent them: `client` or `endpoint`."),
    counter(Metric::DatagramsDropped, "bifrons_datagrams_dropped_total", &["listener", "reason"], "Datagrams that went nowhere."),
    counter(Metric::DownstreamReceived, "bifrons_downstream_received_bytes_total", LISTENER, "Bytes received from clients."),
    counter(Metric::DownstreamSent, "bifrons_downstream_sent_bytes_total", LISTENER, "Bytes sent to clients."),
    sparse(histogram(counter(Metric::UpstreamHead, "bifrons_upstream_head_seconds", CLUSTER, "Time of an attempt until the endpoint's head had arrived."))),
    gauge(Metric::UpstreamRequestsActive, "bifrons_upstream_requests_active", CLUSTER, "Requests that are with an endpoint."),
    counter(Metric::UpstreamConnects, "bifrons_upstream_connects_total", CLUSTER, "Connections made to endpoints."),
    counter(Metric::UpstreamReuses, "bifrons_upstream_reuses_total", CLUSTER, "Requests sent over a connection kept from an earlier one."),
    counter(Metric::UpstreamConnectFailures, "bifrons_upstream_connect_failures_total", CLUSTER, "Connections to endpoints that could not be made."),
    counter(Metric::UpstreamRetries, "bifrons_upstream_retries_total", CLUSTER, "Attempts after the first."),
    counter(Metric::UpstreamEjections, "bifrons_upstream_ejections_total", CLUSTER, "Endpoints taken out of balancing after failures."),
    counter(Metric::UpstreamReceived, "bifrons_upstream_received_bytes_total", CLUSTER, "Bytes received from endpoints."),
    counter(Metric::UpstreamSent, "bifrons_upstream_sent_bytes_total", CLUSTER, "Bytes sent to endpoints."),
    gauge(Metric::UpstreamPoolIdle, "bifrons_upstream_pool_idle", CLUSTER, "Idle connections kept to endpoints."),
    counter(Metric::HealthChecks, "bifrons_upstream_health_checks_total", &["cluster", "result"], "Active checks of endpoints, by result."),
    counter(Metric::HealthChanges, "bifrons_upstream_health_changes_total", CLUSTER, "Endpoints that active checks have taken out or let serve again."),
    gauge(Metric::HealthUp, "bifrons_upstream_healthy", &["cluster", "endpoint", "address"], "1 where active checks let the endpoint serve, else 0."),
    sparse(counter(Metric::CacheRequests, "bifrons_cache_requests_total", &["zone", "result"], "Requests of routes with a cache, by what became of them: `hit`, `miss`, `expired`, `stale`, `updating`, `revalidated`, `bypass`, or `collapsed` into another one.")),
    counter(Metric::Reloads, "bifrons_config_reloads_total", &["result"], "Configurations put to work (`ok`, the first included) or refused (`failed`)."),
    gauge(Metric::ReloadTime, "bifrons_config_last_reload_timestamp_seconds", &[], "When the running configuration was put to work, in seconds since 1970."),
    gauge(Metric::ReloadSuccessful, "bifrons_config_last_reload_successful", &[], "1 where the last configuration was put to work, 0 where it was refused."),
    counter(Metric::Panics, "bifrons_panics_total", &[], "Connections that ended by a mistake in the proxy itself."),
    gauge(Metric::BuildInfo, "bifrons_build_info", &["version"], "Always 1; the label says which version runs."),
    gauge(Metric::StartTime, "process_start_time_seconds", &[], "When the process started, in seconds since 1970."),
];
