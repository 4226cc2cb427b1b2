//! Hosts of a listener.

use super::route::OfHost;
use super::{Cx, internal, listener, route};
use crate::snapshot::{HostPlan, RoutePlan};
use bifrons_config::suggest::nearest;
use bifrons_http::Strip;
use bifrons_model::{Host, Listener, Route};
use bifrons_route::table::RouteError;
use bifrons_route::{HostName, HostTable, RouteTableBuilder};
use std::collections::HashMap;
use std::sync::Arc;

/// Every listener that a host names must be there.
pub(super) fn check_references(cx: &mut Cx<'_>) {
    let config = cx.config;
    for name in config.hosts.iter().flat_map(|host| &host.listeners) {
        if !config.listeners.contains_key(&name.value) {
            let help = nearest(&name.value, config.listeners.keys().map(String::as_str))
                .map(|near| format!("did you mean \"{near}\"?"));
            cx.problem(&name.place, format!("unknown listener \"{}\"", name.value), help);
        }
    }
}

/// The hosts that a listener serves. A mistake of a host shows once, though several listeners serve it.
pub(super) fn table(cx: &mut Cx<'_>, name: &str, listener: &Listener) -> HostTable<Arc<HostPlan>> {
    let mut builder = HostTable::builder();
    let mut has_default = false;
    let config = cx.config;
    for host in &config.hosts {
        if !host.listeners.is_empty() && !host.listeners.iter().any(|on| on.value == name) {
            continue;
        }
        let is_first = host.listeners.first().map_or_else(
            || config.listeners.first().is_none_or(|(first, _)| first == name),
            |first| first.value == name,
        );
        let problems = std::mem::take(&mut cx.problems);
        let plan = plan(cx, name, listener, host);
        let at = builder.add_host(Arc::new(plan));
        for host_name in &host.names {
            match host_name.value.parse::<HostName>() {
                Ok(parsed) => {
                    if let Err(conflict) = builder.add_name(at, parsed) {
                        cx.problem_text(&host_name.place, &conflict.to_string());
                    }
                }
                Err(err) => cx.problem_text(&host_name.place, &err.to_string()),
            }
        }
        let fresh = std::mem::replace(&mut cx.problems, problems);
        if is_first {
            cx.problems.0.extend(fresh.0);
        }
        // A host without names takes whatever comes.
        if (host.default || host.names.is_empty()) && !std::mem::replace(&mut has_default, true) {
            builder.set_default(at);
        } else if host.default {
            let place = host.names.first().and_then(|name| name.place.clone());
            cx.problem(&place, format!("listener \"{name}\" has more than one default host"), None);
        }
    }
    builder.build()
}

fn plan(cx: &mut Cx<'_>, listener_name: &str, listener: &Listener, host: &Host) -> HostPlan {
    let name = host.names.first().map_or("", |name| name.value.as_str());
    // A dot says which hosts it takes, and is no part of the name.
    let name = name.strip_prefix('.').unwrap_or(name);
    let body_max = host.max_body.map_or(listener.limits.body.0, |size| size.0);
    let errors = internal::host_pages(cx, host);
    let of_host = OfHost { listener: listener_name, name, host, body_max, errors };
    let mut routes = RouteTableBuilder::new(host.path);
    for route in &host.routes {
        let plan = Arc::new(route::build(cx, &of_host, None, route));
        cx.cached.extend(plan.cache.is_some().then(|| plan.clone()));
        routes.add(route.path.value.clone(), route.condition.clone(), plan);
    }
    let routes = routes.build().unwrap_or_else(|errors| {
        for err in errors {
            let at = match &err {
                RouteError::Conflict { second, .. } => *second,
                RouteError::NeverMatches { route, .. } => *route,
            };
            let place = host.routes.get(at).and_then(|route| route.path.place.clone());
            cx.problem_text(&place, &err.to_string());
        }
        let none = RouteTableBuilder::new(host.path).build();
        none.unwrap_or_else(|_| unreachable!("invariant: a table without routes has no conflicts"))
    });
    let mut named = HashMap::new();
    for (route_name, route) in &host.named_routes {
        let plan = Arc::new(route::build(cx, &of_host, Some(route_name), route));
        cx.cached.extend(plan.cache.is_some().then(|| plan.clone()));
        named.insert(route_name.as_str().into(), plan);
    }
    let tls = host.tls.as_ref().zip(listener.tls.as_ref()).and_then(|(own, listeners)| {
        match own.over(listeners).build(cx.tls_of(listener)) {
            Ok(plan) => Some(Arc::new(plan)),
            Err(wrong) => {
                let near = host.names.first().and_then(|name| name.place.clone());
                wrong.iter().for_each(|wrong| cx.wrong(wrong, &near));
                None
            }
        }
    });
    HostPlan {
        name: name.into(),
        tls,
        path: host.path,
        client: host.client.as_ref().map(|client| listener::client_rules(cx, client)),
        rewrite: internal::host_rewrite(cx, host),
        document: host.root.as_ref().and_then(|root| internal::document(cx, root, Strip::Nothing)),
        routes,
        fallback: fallback(cx, &of_host, &named),
        named,
    }
}

/// The route of requests for which there is none.
fn fallback(
    cx: &mut Cx<'_>,
    of_host: &OfHost<'_>,
    named: &HashMap<Box<str>, Arc<RoutePlan>>,
) -> Arc<RoutePlan> {
    let OfHost { listener, name, host, body_max, errors } = of_host;
    if let Some(route) = &host.fallback {
        if let Some(plan) = named.get(route.value.as_str()) {
            return plan.clone();
        }
        internal::unknown_route(cx, &route.place, &route.value, host);
    }
    let plan = listener::fallback(cx, (listener, name), &[host.access_log.as_ref()], *body_max);
    match Arc::try_unwrap(plan) {
        Ok(mut plan) => {
            plan.record.complaints =
                route::complaints(cx, [host.error_log.as_ref(), None], &Route::default());
            Arc::new(RoutePlan { errors: errors.clone(), redirects: host.own_redirects, ..plan })
        }
        Err(shared) => shared,
    }
}
