//! Routes of layer 4.

use super::Cx;
use super::route::{self, OfHost};
use crate::snapshot::{Action, RoutePlan, TcpAction, TcpPlan, TcpRoutePlan};
use bifrons_config::units::Dur;
use bifrons_config::{At, OneOrMany};
use bifrons_model::{Host, Listener, Proxy, Route, Tcp, TcpRoute};
use bifrons_observe::config::AccessLogs;
use bifrons_route::{IpSet, PathPattern};
use std::sync::Arc;

/// The routes of a listener.
pub(super) fn plan(cx: &mut Cx<'_>, name: &str, listener: &Listener, tcp: &Tcp) -> TcpPlan {
    if tcp.routes.is_empty() {
        let help = Some("name a cluster: `tcp: db`, or leave `tcp` out".to_owned());
        cx.problem(&None, format!("listener \"{name}\": `tcp` has no routes"), help);
    }
    let routes: Vec<_> = tcp.routes.iter().filter_map(|route| one(cx, (name, listener), route)).collect();
    TcpPlan { asks_bytes: TcpPlan::asks(&routes), routes, first_bytes: tcp.first_bytes.0 }
}

fn one(cx: &mut Cx<'_>, of: (&str, &Listener), at: &At<TcpRoute>) -> Option<TcpRoutePlan> {
    let route = &at.value;
    let action = action(cx, of, at)?;
    let source = source(cx, &route.source);
    let name = |name: &String| match name.strip_prefix('*') {
        Some(end) => end.to_ascii_lowercase(),
        None => name.to_ascii_lowercase(),
    };
    for sni in &route.sni.0 {
        let rest = sni.strip_prefix("*.").unwrap_or(sni);
        if rest.contains(['*', '/', ':', ' ']) {
            let help = Some("write `db.example.com` or `*.example.com`".to_owned());
            cx.problem(&at.place, format!("\"{sni}\" is no name that a client asks for in TLS"), help);
        }
    }
    Some(TcpRoutePlan {
        sni: route.sni.0.iter().map(name).collect(),
        alpn: route.alpn.0.iter().map(|alpn| alpn.as_bytes().to_vec()).collect(),
        source,
        protocol: route.protocol.0.clone(),
        action,
    })
}

fn action(cx: &mut Cx<'_>, (name, listener): (&str, &Listener), at: &At<TcpRoute>) -> Option<TcpAction> {
    let route = &at.value;
    let cluster = match (&route.proxy, route.http) {
        (Some(cluster), false) => cluster,
        (None, true) if !route.terminate => return Some(TcpAction::Http),
        _ => {
            let help = Some("write `proxy: cluster`, or `http: true` for one that has requests".to_owned());
            cx.problem(&at.place, "a route of layer 4 needs either `proxy` or `http`", help);
            return None;
        }
    };
    if route.terminate && listener.tls.is_none() {
        let help = Some("give the listener a `tls` with certificates, or pass it through".to_owned());
        cx.problem(&at.place, "`terminate`, but the listener has no `tls`", help);
    }
    let place = cluster.place.clone().or(at.place.clone());
    let bytes = Bytes {
        listener: name,
        name: route.name.clone().unwrap_or_else(|| label(route)),
        cluster: At { value: cluster.value.clone(), place },
        idle: route.idle,
        access_log: route.access_log.clone(),
    };
    Some(TcpAction::Proxy { route: Arc::new(bytes.route(cx)), terminate: route.terminate })
}

/// What a route of layer 4 has in common with one of requests.
pub(super) struct Bytes<'a> {
    pub(super) listener: &'a str,
    pub(super) name: String,
    pub(super) cluster: At<String>,
    pub(super) idle: Option<Dur>,
    pub(super) access_log: Option<AccessLogs>,
}

impl Bytes<'_> {
    /// The same as a route of requests, which its way needs.
    pub(super) fn route(self, cx: &mut Cx<'_>) -> RoutePlan {
        let place = self.cluster.place.clone();
        let mut proxy = Proxy::to(self.cluster.value.as_str());
        proxy.cluster = self.cluster;
        proxy.keep_alive = false;
        proxy.forwarded = Vec::new();
        if let Some(idle) = self.idle {
            let of_cluster = cx.config.clusters.get(&proxy.cluster.value);
            let mut timeouts = of_cluster.map(|cluster| cluster.timeouts.clone()).unwrap_or_default();
            timeouts.tunnel = idle;
            proxy.timeouts = Some(timeouts);
        }
        let synthetic = Route {
            name: Some(self.name),
            path: At { value: PathPattern::everything(), place: place.clone() },
            access_log: self.access_log,
            proxy: Some(At { value: proxy, place }),
            ..Route::default()
        };
        let host = Host::default();
        let of_host =
            OfHost { listener: self.listener, name: "", host: &host, body_max: u64::MAX, errors: None };
        let mut plan = route::build(cx, &of_host, None, &synthetic);
        if let Action::Proxy(proxy) = &mut plan.action {
            proxy.is_raw = true;
        }
        plan
    }
}

/// The networks of clients; `None`: all.
pub(super) fn source(cx: &mut Cx<'_>, nets: &OneOrMany<At<String>>) -> Option<IpSet> {
    let mut read = Vec::new();
    for net in &nets.0 {
        match bifrons_route::ipset::parse_cidr(&net.value) {
            Ok(net) => read.push(net),
            Err(err) => cx.problem_text(&net.place, &err.to_string()),
        }
    }
    (!nets.0.is_empty()).then(|| IpSet::from_nets(read))
}

/// What a route is called that has no name.
fn label(route: &TcpRoute) -> String {
    let parts = route.sni.0.iter().chain(&route.alpn.0).cloned();
    let nets = route.source.0.iter().map(|net| net.value.clone());
    let kinds = route.protocol.0.iter().map(|kind| format!("{kind:?}").to_ascii_lowercase());
    let parts: Vec<String> = parts.chain(nets).chain(kinds).collect();
    if parts.is_empty() { "tcp".to_owned() } else { format!("tcp:{}", parts.join(",")) }
}
