//! Clusters.

use super::Cx;
use crate::queue::Queue;
use crate::snapshot::ClusterPlan;
use crate::sticky::StickyPlan;
use bifrons_balance::{Address, EndpointSet, EndpointSpec, SharedEndpoints};
use bifrons_config::Place;
use bifrons_config::problem::HELP_MARK;
use bifrons_core::Limits;
use bifrons_http::pool::Keep;
use bifrons_model::{Cluster, HttpVersion, LoneLf, StatusRule};
use bifrons_observe::metrics::ClusterStats;
use bifrons_tls::config::Verify;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError};

/// Builds all clusters, in the order of the configuration.
pub(super) fn build(cx: &mut Cx<'_>) {
    for (name, cluster) in &cx.config.clusters {
        let plan = plan(cx, name, cluster);
        cx.clusters.insert(name, cx.plans.len());
        cx.plans.push(Arc::new(plan));
    }
}

fn plan(cx: &mut Cx<'_>, name: &str, cluster: &Cluster) -> ClusterPlan {
    check_health(cx, name, cluster);
    if cluster.endpoints.is_empty() && !cluster.dynamic {
        let help = Some("add `endpoints: [\"127.0.0.1:3000\"]`".to_owned());
        cx.problem(&None, format!("cluster \"{name}\" has no endpoints"), help);
    }
    let bind = cluster.bind.as_ref().and_then(|bind| match read_bind(bind) {
        Ok(addr) => Some(addr),
        Err(message) => {
            cx.problem_text(&bind.place, &message);
            None
        }
    });
    let tls = cluster.tls.as_ref().and_then(|tls| {
        if tls.name.is_none() && cluster.endpoints.iter().any(|endpoint| matches!(endpoint.value.address, Address::Unix(_))) {
            let help = Some("add `name: app.example` to its `tls`".to_owned());
            cx.problem(&None, format!("cluster \"{name}\": a Unix socket has no name to verify"), help);
        }
        if tls.verify == Verify::Off && !cx.options.dry_run {
            tracing::warn!(
                cluster = name,
                "TLS to the endpoints of this cluster is not verified: anybody on the way can read and change everything"
            );
        }
        match tls.build(cx.tls()) {
            Ok(plan) => Some(Arc::new(plan)),
            Err(wrong) => {
                cx.wrong(&wrong, &cluster.endpoints.first().and_then(|first| first.place.clone()));
                None
            }
        }
    });
    if cluster.http_version == HttpVersion::Auto && cluster.tls.is_none() {
        say_no_alpn(cx, &None, name);
    }
    ClusterPlan {
        tls,
        name: name.into(),
        shared: endpoints(cx, name, cluster),
        balance: Arc::new(cluster.balance.clone()),
        keep: Keep {
            idle_max: cluster.keep_alive.idle as usize,
            idle_timeout: cluster.keep_alive.timeout.0,
            requests_max: cluster.keep_alive.requests,
            age_max: cluster.keep_alive.age.0,
        },
        limits: Limits {
            line_bytes: Limits::LINE_BYTES,
            field_bytes: usize::MAX,
            fields: Limits::FIELDS * 2,
            head_bytes: cluster.head.as_usize(),
            lone_lf: cluster.lone_lf == LoneLf::Accept,
            names: None,
            ..Limits::default()
        },
        head_bytes_max: Arc::new(AtomicUsize::new(cluster.head.as_usize())),
        bind,
        proxy_protocol: cluster.proxy_protocol,
        starttls: cluster.starttls,
        resolver: Arc::new(cluster.resolver.clone()),
        measures: cluster.balance.measures(),
        sticky: cluster.sticky.as_ref().map(|sticky| {
            let mut known = cx.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            let sessions = known.entry(name.to_owned()).or_default().clone();
            Arc::new(StickyPlan { config: sticky.clone(), sessions })
        }),
        queue: cluster.queue.map(|queue| Queue::new(queue.requests, queue.timeout.0)),
        busy_status: cluster.busy_status,
        stats: ClusterStats::register(&cx.shared.metrics, name),
    }
}

/// Without TLS nobody chooses a version.
pub(super) fn say_no_alpn(cx: &mut Cx<'_>, place: &Option<Place>, name: &str) {
    let help = "give the cluster a `tls`, or write \"2\" for endpoints that speak HTTP/2 in plain text";
    let message = format!("http_version auto, but cluster \"{name}\" has no `tls`: ALPN is what chooses");
    cx.problem(place, message, Some(help.to_owned()));
}

/// The endpoints, their counters taken over from the running snapshot. Names keep the addresses they had
/// until they are resolved again.
fn endpoints(cx: &Cx<'_>, name: &str, cluster: &Cluster) -> Arc<SharedEndpoints> {
    let mut known = cx.shared.clusters.lock().unwrap_or_else(PoisonError::into_inner);
    let old = known.get(name).cloned();
    let old_set = old.as_ref().map(|shared| shared.load());
    let mut specs = Vec::new();
    for endpoint in &cluster.endpoints {
        let resolved = old_set.as_ref().map(|set| addresses(set, &endpoint.value.address.to_string()));
        specs.extend(endpoint.value.specs(&resolved.unwrap_or_default()));
    }
    if cx.options.dry_run {
        return Arc::new(SharedEndpoints::new(EndpointSet::new(specs)));
    }
    let set = match &old_set {
        Some(old) => EndpointSet::rebuild(old, specs),
        None => EndpointSet::new(specs),
    };
    if cluster.health_check.is_none() {
        let now_ms = cx.shared.now_ms();
        for endpoint in set.endpoints() {
            // What checks have found holds as long as there are checks.
            endpoint.state().health().set_fit(true, now_ms);
        }
    }
    let shared = Arc::new(SharedEndpoints::new(set));
    known.insert(name.to_owned(), shared.clone());
    shared
}

/// The addresses that a name had in a set.
fn addresses(set: &EndpointSet, name: &str) -> Vec<SocketAddr> {
    let of_name = |spec: &&EndpointSpec| &*spec.name == name;
    let inet = |spec: &EndpointSpec| match &spec.address {
        bifrons_balance::EndpointAddr::Inet(addr) => Some(*addr),
        bifrons_balance::EndpointAddr::Unix(_) => None,
    };
    set.specs().filter(of_name).filter_map(inet).collect()
}

/// What is wrong with a cluster's active checks and its status for busy endpoints.
fn check_health(cx: &mut Cx<'_>, name: &str, cluster: &Cluster) {
    if !matches!(cluster.busy_status, 502 | 503) {
        let message = format!("cluster \"{name}\": busy_status is {}", cluster.busy_status);
        cx.problem(&None, message, Some("write 503 or 502".to_owned()));
    }
    let Some(check) = &cluster.health_check else { return };
    for status in &check.expect.status {
        if let Err(message) = StatusRule::read([status.value.as_str()]) {
            cx.problem(&status.place, message, None);
        }
    }
    let path_is_good = check.path.is_empty() || check.path.starts_with('/');
    if !path_is_good || check.path.contains(|c: char| c.is_ascii_control() || c == ' ') {
        let message = format!("cluster \"{name}\": health_check path \"{}\" is none", check.path);
        cx.problem(&None, message, Some("write one such as \"/healthz\"".to_owned()));
    }
    if check.interval.is_zero() || check.timeout.is_zero() || check.healthy == 0 || check.unhealthy == 0 {
        let message = format!("cluster \"{name}\": times and numbers of health_check must not be 0");
        cx.problem(&None, message, None);
    }
}

fn read_bind(text: &str) -> Result<SocketAddr, String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, 0));
    }
    text.parse().map_err(|_| format!("invalid local address \"{text}\"{HELP_MARK}write \"10.0.0.5\""))
}
