//! Routes of datagrams.

use super::Cx;
use super::tcp::{self, Bytes, Gate};
use crate::snapshot::{Action, UdpPlan, UdpRoutePlan};
use bifrons_balance::Address;
use bifrons_config::{At, Place};
use bifrons_model::{Listener, Udp, UdpRoute};
use bifrons_observe::metrics::DatagramStats;
use std::sync::Arc;

/// The routes of a listener.
pub(super) fn plan(cx: &mut Cx<'_>, name: &str, listener: &Listener, udp: &Udp) -> UdpPlan {
    if udp.routes.is_empty() {
        let help = Some("name a cluster: `udp: dns`".to_owned());
        cx.problem(&None, format!("listener \"{name}\": `udp` has no routes"), help);
    }
    if listener.tcp.is_some() || listener.tls.is_some() || listener.proxy_protocol.is_on() {
        let message = format!(
            "listener \"{name}\" has `udp`, so that no connections come in: `tcp`, `tls` and `proxy_protocol` mean nothing"
        );
        let help = "write another listener for connections; it may have the same address".to_owned();
        cx.problem(&None, message, Some(help));
    }
    let routes: Vec<_> = udp.routes.iter().filter_map(|route| one(cx, name, route)).collect();
    UdpPlan {
        counts: routes.iter().any(|route| route.requests > 0),
        routes,
        sessions_max: udp.sessions,
        per_address_max: udp.sessions_per_address,
        stats: DatagramStats::register(&cx.shared.metrics, name),
    }
}

fn one(cx: &mut Cx<'_>, listener: &str, at: &At<UdpRoute>) -> Option<Arc<UdpRoutePlan>> {
    let route = &at.value;
    let cluster = match (&route.proxy, &route.respond) {
        (Some(cluster), None) => Some(cluster),
        (None, Some(_)) if route.to.is_none() => None,
        _ => {
            let help = Some("write `proxy: cluster`".to_owned());
            cx.problem(&at.place, "a route of datagrams needs either `proxy` or `respond`", help);
            return None;
        }
    };
    let place = cluster.and_then(|cluster| cluster.place.clone()).or(at.place.clone());
    if let Some(cluster) = cluster {
        check(cx, &cluster.value, &place);
    }
    let source = tcp::source(cx, &route.source);
    let label = || match route.source.0.as_slice() {
        [] => "udp".to_owned(),
        nets => format!("udp:{}", nets.iter().map(|net| net.value.as_str()).collect::<Vec<_>>().join(",")),
    };
    let bytes = Bytes {
        listener,
        name: route.name.clone().unwrap_or_else(label),
        place,
        cluster: cluster.map(|cluster| cluster.value.as_str()),
        to: route.to.clone(),
        respond: route.respond.clone(),
        gate: Gate { set: &route.set.0, in_flight: route.in_flight.as_ref(), access: route.access.as_ref() },
        idle: None,
        access_log: route.access_log.clone(),
    };
    let plan = Arc::new(bytes.route(cx));
    matches!(plan.action, Action::Proxy(_) | Action::Respond { .. }).then(|| {
        Arc::new(UdpRoutePlan {
            source,
            route: plan,
            responses: route.responses,
            // Each datagram has a text of its own.
            requests: if route.respond.is_some() { 1 } else { route.requests },
            idle: route.idle.0,
        })
    })
}

/// What datagrams cannot do.
fn check(cx: &mut Cx<'_>, name: &str, place: &Option<Place>) {
    let Some(cluster) = cx.config.clusters.get(name) else { return };
    if cluster.tls.is_some() || cluster.proxy_protocol.is_some() {
        let message =
            format!("cluster \"{name}\" has `tls` or `proxy_protocol`, which datagrams are not sent with");
        cx.problem(place, message, Some("use a cluster without".to_owned()));
    }
    if cluster.starttls.is_some() || cluster.queue.is_some() {
        let message = format!(
            "cluster \"{name}\" has `starttls` or `queue`: datagrams ask for no TLS, and none waits for an endpoint"
        );
        cx.problem(place, message, Some("use a cluster without".to_owned()));
    }
    if cluster.endpoints.iter().any(|endpoint| matches!(endpoint.value.address, Address::Unix(_))) {
        let message = format!("cluster \"{name}\" has a Unix socket, which takes connections");
        cx.problem(place, message, Some("datagrams go to addresses with a port".to_owned()));
    }
}
