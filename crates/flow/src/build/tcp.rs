//! Routes of layer 4.

use super::Cx;
use super::route::{self, OfHost};
use crate::snapshot::{Action, RoutePlan, TcpAction, TcpPlan, TcpRoutePlan};
use bifrons_config::units::Dur;
use bifrons_config::{At, OneOrMany, Place, Template};
use bifrons_filters::{FilterConfig, access, in_flight, rewrite};
use bifrons_model::{Host, HttpVersion, Listener, Proxy, Respond, Route, Tcp, TcpRoute};
use bifrons_observe::config::AccessLogs;
use bifrons_route::{IpSet, PathPattern};
use indexmap::IndexMap;
use std::sync::Arc;

/// The routes of a listener.
pub(super) fn plan(cx: &mut Cx<'_>, name: &str, listener: &Listener, tcp: &Tcp) -> TcpPlan {
    if tcp.routes.is_empty() {
        let help = Some("name a cluster: `tcp: db`, or leave `tcp` out".to_owned());
        cx.problem(&None, format!("listener \"{name}\": `tcp` has no routes"), help);
    }
    let routes: Vec<_> = tcp.routes.iter().filter_map(|route| one(cx, (name, listener), route)).collect();
    let asks_bytes = tcp.look || tcp.starttls.is_some() || TcpPlan::asks(&routes);
    TcpPlan {
        asks_bytes,
        routes,
        first_bytes: tcp.first_bytes.0,
        is_silence_over: tcp.look,
        starttls: tcp.starttls,
    }
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
    let cluster = match (&route.proxy, &route.respond, route.http) {
        (Some(cluster), None, false) => Some(cluster),
        (None, Some(_), false) if route.to.is_none() => None,
        (None, None, true) if !route.terminate => return Some(TcpAction::Http),
        _ => {
            let help = Some("write `proxy: cluster`, or `http: true` for one that has requests".to_owned());
            cx.problem(&at.place, "a route of layer 4 needs either `proxy`, `respond` or `http`", help);
            return None;
        }
    };
    if route.terminate && listener.tls.is_none() {
        let help = Some("give the listener a `tls` with certificates, or pass it through".to_owned());
        cx.problem(&at.place, "`terminate`, but the listener has no `tls`", help);
    }
    let bytes = Bytes {
        listener: name,
        name: route.name.clone().unwrap_or_else(|| label(route)),
        place: cluster.and_then(|cluster| cluster.place.clone()).or(at.place.clone()),
        cluster: cluster.map(|cluster| cluster.value.as_str()),
        to: route.to.clone(),
        respond: route.respond.clone(),
        gate: Gate { set: &route.set.0, in_flight: route.in_flight.as_ref(), access: route.access.as_ref() },
        idle: route.idle,
        access_log: route.access_log.clone(),
    };
    Some(TcpAction::Proxy { route: Arc::new(bytes.route(cx)), terminate: route.terminate })
}

/// What a route of layer 4 has in common with one of requests.
pub(super) struct Bytes<'a> {
    pub(super) listener: &'a str,
    pub(super) name: String,
    pub(super) place: Option<Place>,
    pub(super) cluster: Option<&'a str>,
    pub(super) to: Option<Template>,
    pub(super) respond: Option<Template>,
    pub(super) gate: Gate<'a>,
    pub(super) idle: Option<Dur>,
    pub(super) access_log: Option<AccessLogs>,
}

/// What comes before an endpoint is looked for.
pub(super) struct Gate<'a> {
    pub(super) set: &'a [IndexMap<String, Template>],
    pub(super) in_flight: Option<&'a in_flight::Config>,
    pub(super) access: Option<&'a access::Config>,
}

impl Gate<'_> {
    /// The filters that do it, in the order of nginx's phases.
    fn filters(&self) -> impl Iterator<Item = FilterConfig> + use<> {
        let set = (!self.set.is_empty())
            .then(|| self.set.iter().cloned().map(rewrite::Step::Set).collect())
            .map(|steps| FilterConfig::Rewrite(rewrite::Config(steps)));
        let in_flight = self.in_flight.cloned().map(FilterConfig::InFlight);
        let access = self.access.cloned().map(FilterConfig::Access);
        [set, in_flight, access].into_iter().flatten()
    }
}

impl Bytes<'_> {
    /// The same as a route of requests, which its way needs.
    pub(super) fn route(self, cx: &mut Cx<'_>) -> RoutePlan {
        let place = self.place.clone();
        let filters = self.gate.filters();
        let proxy = self.cluster.map(|cluster| {
            let mut proxy = Proxy::to(cluster);
            proxy.cluster = At { value: cluster.to_owned(), place: place.clone() };
            proxy.url = self.to;
            proxy.keep_alive = false;
            // Bytes are no requests, whatever those of the cluster are sent over.
            proxy.http_version = Some(HttpVersion::V1_1);
            proxy.forwarded = Vec::new();
            if let Some(idle) = self.idle {
                let of_cluster = cx.config.clusters.get(cluster);
                let mut timeouts = of_cluster.map(|cluster| cluster.timeouts.clone()).unwrap_or_default();
                timeouts.tunnel = idle;
                proxy.timeouts = Some(timeouts);
            }
            At { value: proxy, place: place.clone() }
        });
        let respond = self.respond.map(|body| Respond {
            status: 200,
            body,
            content_type: None,
            headers: Default::default(),
        });
        let synthetic = Route {
            name: Some(self.name),
            path: At { value: PathPattern::everything(), place: place.clone() },
            access_log: self.access_log,
            filters: filters.map(|filter| At { value: filter, place: place.clone() }).collect(),
            proxy,
            respond: respond.map(|respond| At { value: respond, place }),
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
