//! Routes: filters, action, record.

use super::{Cx, files, internal};
use crate::complaint::ComplaintPlan;
use crate::record::RecordPlan;
use crate::snapshot::{Action, ErrorPages, HostSent, ProxyPlan, ReplacePath, RetryPlan, RoutePlan, Streams};
use bifrons_config::suggest::nearest;
use bifrons_config::{At, Place};
use bifrons_filters::edits::Edits;
use bifrons_filters::{Chain, FilterConfig};
use bifrons_http::{FieldName, Version};
use bifrons_model::{
    Cluster, ErrorLogs, ExpectContinue, Host, HostField, HttpVersion, Proxy, Redirect, Respond, Retry,
    RetryOn, Route,
};
use bifrons_observe::CompiledFormat;
use bifrons_observe::config::{AccessLogs, Destination};
use bifrons_observe::metrics::{RouteLabels, RouteStats};
use bifrons_route::PathPattern;
use bifrons_route::pattern::PatternForm;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What routes of a host have in common.
pub(super) struct OfHost<'a> {
    /// The listener's name.
    pub(super) listener: &'a str,
    /// The host's name.
    pub(super) name: &'a str,
    pub(super) host: &'a Host,
    pub(super) body_max: u64,
    pub(super) errors: Option<Arc<ErrorPages>>,
}

/// Builds a route of a host on a listener; `named` is the name of one that no path leads to.
pub(super) fn build(cx: &mut Cx<'_>, of_host: &OfHost<'_>, named: Option<&str>, route: &Route) -> RoutePlan {
    let OfHost { listener, name: host_name, host, body_max, errors } = of_host;
    let default = || named.map_or_else(|| route.path.value.to_string(), |name| format!("@{name}"));
    let name = route.name.clone().unwrap_or_else(default);
    let cluster = route.proxy.as_ref().map_or("", |proxy| proxy.value.cluster.value.as_str());
    let logs = [route.access_log.as_ref(), host.access_log.as_ref(), cx.config.access_log.as_ref()];
    let action = action(cx, route);
    internal::check_names(cx, host, route);
    let document = internal::route_document(cx, route, &action);
    RoutePlan {
        chain: chain(cx, &host.filters, &route.filters),
        cache: super::cache::plan(cx, route),
        body_max: route.max_body.map_or(*body_max, |size| size.0),
        bandwidth: super::bodies::bandwidth(cx, route.bandwidth.as_ref()),
        server: route.server.as_ref().map(super::listener::server),
        no_chunks: route.no_chunks,
        client: route.client.clone().map(Box::new),
        record: RecordPlan {
            complaints: complaints(cx, [route.error_log.as_ref(), host.error_log.as_ref()], route),
            ..record(cx, (listener, host_name, &name, cluster), &logs)
        },
        name: name.into(),
        internal: route.internal,
        try_files: internal::try_files(cx, host, route, document.is_some()),
        document,
        errors: internal::route_pages(cx, host, route, errors),
        redirects: route.own_redirects.unwrap_or(host.own_redirects),
        media: route.media_types.as_ref().map(internal::media),
        action,
    }
}

fn chain(cx: &mut Cx<'_>, of_host: &[At<FilterConfig>], of_route: &[At<FilterConfig>]) -> Chain {
    let mut filters = Vec::new();
    for filter in of_host.iter().chain(of_route) {
        match filter.value.build() {
            Ok(running) => filters.push(running),
            Err(message) => {
                cx.problem_text(&filter.place, &format!("filter `{}`: {message}", filter.value.name()));
            }
        }
    }
    Chain::new(filters)
}

/// The first of `logs` that says something; what the process logs by default otherwise.
pub(super) fn record(
    cx: &mut Cx<'_>,
    (listener, host, route, cluster): (&str, &str, &str, &str),
    logs: &[Option<&AccessLogs>],
) -> RecordPlan {
    let mut open = Vec::new();
    for log in logs.iter().copied().flatten().next().map(|logs| logs.iter()).into_iter().flatten() {
        let Some(format) = format(cx, &log.format) else { continue };
        if cx.options.dry_run {
            continue;
        }
        match cx.shared.access.open(log, format) {
            Ok(log) => open.push(Arc::new(log)),
            Err(err) => cx.problem(&log.format.place.clone(), err.to_string(), None),
        }
    }
    let labels = RouteLabels { listener, host, route, cluster };
    let stats = RouteStats::register(&cx.shared.metrics, labels);
    RecordPlan { logs: open.into(), complaints: None, stats }
}

/// What of errors is told where: by the first of `logs` that says something.
pub(super) fn complaints(
    cx: &mut Cx<'_>,
    logs: [Option<&ErrorLogs>; 2],
    route: &Route,
) -> Option<Box<ComplaintPlan>> {
    let own = logs.into_iter().flatten().next();
    if own.is_none() && !route.quiet_not_found {
        return None;
    }
    let logs = own.map(|logs| {
        let mut open = Vec::new();
        for log in logs.iter() {
            if matches!(log.to, Destination::Files(_)) {
                cx.problem(&None, "an error log has no variables in its path", None);
            } else if !cx.options.dry_run {
                match cx.shared.errors.open(&log.to) {
                    Ok(output) => open.push((log.level, output)),
                    Err(err) => cx.problem(&None, err.to_string().replace("access log", "error log"), None),
                }
            }
        }
        open
    });
    Some(Box::new(ComplaintPlan { logs, quiet_not_found: route.quiet_not_found }))
}

fn format(cx: &mut Cx<'_>, name: &At<String>) -> Option<Arc<CompiledFormat>> {
    if let Some(format) = cx.formats.get(&name.value) {
        return Some(format.clone());
    }
    if let Some(format) = CompiledFormat::builtin(&name.value) {
        let format = Arc::new(format);
        cx.formats.insert(name.value.clone(), format.clone());
        return Some(format);
    }
    let known = cx.config.log_formats.keys().map(String::as_str).chain(["json", "combined", "common"]);
    let help = nearest(&name.value, known).map(|near| format!("did you mean \"{near}\"?"));
    cx.problem(&name.place, format!("unknown log format \"{}\"", name.value), help);
    None
}

/// The one action of the route.
fn action(cx: &mut Cx<'_>, route: &Route) -> Action {
    let actions = [
        route.proxy.is_some(),
        route.redirect.is_some(),
        route.respond.is_some(),
        route.files.is_some(),
        route.builtin.is_some(),
        route.reroute.is_some(),
    ];
    let words = "`proxy`, `redirect`, `respond`, `static`, `builtin` or `reroute`";
    match actions.iter().filter(|there| **there).count() {
        0 => cx.problem(
            &route.path.place,
            format!("route \"{}\" has no action", *route.path),
            Some(format!("add one of {words}")),
        ),
        1 => {}
        _ => cx.problem(
            &route.path.place,
            format!("route \"{}\" has several actions", *route.path),
            Some(format!("keep one of {words}")),
        ),
    }
    if let Some(proxy) = &route.proxy {
        return proxy_action(cx, &route.path.value, proxy);
    }
    if let Some(redirect) = &route.redirect {
        return redirect_action(cx, redirect);
    }
    if let Some(respond) = &route.respond {
        return respond_action(cx, respond);
    }
    if let Some(files) = &route.files {
        return files::action(cx, &route.path.value, files);
    }
    if let Some(builtin) = &route.builtin {
        return Action::Builtin(builtin.value);
    }
    match &route.reroute {
        Some(target) => Action::Reroute(target.value.clone()),
        None => Action::None,
    }
}

fn proxy_action(cx: &mut Cx<'_>, pattern: &PathPattern, proxy: &At<Proxy>) -> Action {
    let place = proxy.place.clone();
    let proxy = &proxy.value;
    let name =
        At { value: proxy.cluster.value.clone(), place: proxy.cluster.place.clone().or(place.clone()) };
    let Some(at) = cx.cluster(&name) else { return Action::None };
    let default = Cluster::default();
    let cluster = cx.config.clusters.get(&name.value).unwrap_or(&default);
    let timeouts = proxy.timeouts.as_ref().unwrap_or(&cluster.timeouts);
    let limits = cx.plans.get(at).map(|plan| plan.limits).unwrap_or_default();
    let http_version = proxy.http_version.unwrap_or(cluster.http_version);
    if proxy.http_version == Some(HttpVersion::Auto) && cluster.tls.is_none() {
        super::cluster::say_no_alpn(cx, &place, &name.value);
    }
    let bodies = super::bodies::plan(cx, proxy, &place, limits);
    if let Some(plan) = cx.plans.get(at) {
        plan.head_bytes_max.fetch_max(bodies.limits.head_bytes, Ordering::Relaxed);
    }
    Action::Proxy(Box::new(ProxyPlan {
        cluster: at,
        url: proxy.url.clone(),
        bind: proxy.bind.clone(),
        host: match &proxy.host {
            HostField::Pass => HostSent::Pass,
            HostField::Endpoint => HostSent::Endpoint,
            HostField::Set(template) => HostSent::Set(template.clone()),
        },
        replace_path: replace_path(cx, pattern, proxy, &place),
        edits: Edits::build(&proxy.headers).unwrap_or_else(|message| {
            cx.problem_text(&place, &message);
            Edits::default()
        }),
        forwarded: proxy.forwarded.clone(),
        version: match http_version {
            HttpVersion::V1_0 => Version::Http10,
            // What is not said over HTTP/2 goes as it would over HTTP/1.1.
            HttpVersion::V1_1 | HttpVersion::V2 | HttpVersion::Auto => Version::Http11,
        },
        streams: match http_version {
            HttpVersion::V1_0 | HttpVersion::V1_1 => Streams::Never,
            HttpVersion::V2 => Streams::Demanded,
            HttpVersion::Auto => Streams::Offered,
        },
        keep_alive: proxy.keep_alive,
        upgrade: proxy.upgrade,
        passes_expect: proxy.expect_continue == ExpectContinue::Pass && http_version != HttpVersion::V1_0,
        connection: proxy.connection.clone(),
        client_abort: proxy.client_abort,
        intercept_errors: proxy.intercept_errors,
        early_hints: proxy.early_hints.clone().map(Into::into),
        accel_redirect: proxy.accel_redirect,
        connect_timeout: timeouts.connect.0,
        send_timeout: timeouts.send.0,
        read_timeout: timeouts.read.0,
        tunnel_timeout: timeouts.tunnel.0,
        retry: retry(proxy.retry.as_ref().unwrap_or(&cluster.retry)),
        bodies,
        is_raw: false,
    }))
}

fn replace_path(
    cx: &mut Cx<'_>,
    pattern: &PathPattern,
    proxy: &Proxy,
    place: &Option<Place>,
) -> Option<ReplacePath> {
    let with = proxy.replace_path.as_ref()?;
    if !with.starts_with('/') {
        let help = Some(format!("write \"/{with}\""));
        cx.problem(place, format!("replace_path \"{with}\" must begin with \"/\""), help);
    }
    let strip = prefix_of(pattern).map(str::len);
    Some(ReplacePath { strip, with: with.clone().into_bytes() })
}

/// The prefix of a prefix pattern.
pub(super) fn prefix_of(pattern: &PathPattern) -> Option<&str> {
    match pattern.form() {
        PatternForm::Prefix(prefix) | PatternForm::PrefixNoRegex(prefix) => Some(prefix),
        PatternForm::Exact(_) | PatternForm::Regex(_) => None,
    }
}

fn retry(config: &Retry) -> RetryPlan {
    RetryPlan {
        error: config.on.contains(&RetryOn::Error),
        timeout: config.on.contains(&RetryOn::Timeout),
        invalid: config.on.contains(&RetryOn::InvalidHeader),
        statuses: config.on.iter().filter_map(|on| on.status()).collect(),
        attempts: config.attempts,
        within: config.timeout.0,
        non_idempotent: config.non_idempotent,
    }
}

fn redirect_action(cx: &mut Cx<'_>, redirect: &At<Redirect>) -> Action {
    let Redirect { to, status } = &redirect.value;
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        let help = Some("use 301, 302, 303, 307 or 308".to_owned());
        cx.problem(&redirect.place, format!("{status} is no redirect"), help);
    }
    Action::Redirect { to: to.clone(), status: *status }
}

fn respond_action(cx: &mut Cx<'_>, respond: &At<Respond>) -> Action {
    let Respond { status, body, content_type, headers } = &respond.value;
    if !(200..=599).contains(status) {
        cx.problem(&respond.place, format!("status {status} is not from 200 to 599"), None);
    }
    let mut fields = Vec::new();
    for (name, value) in headers {
        match FieldName::new(name) {
            Some(name) => fields.push((name, value.clone())),
            None => cx.problem(&respond.place, format!("\"{name}\" is no field name"), None),
        }
    }
    let (body, content_type) = (body.clone(), content_type.clone());
    Action::Respond { status: *status, body, content_type, fields }
}
