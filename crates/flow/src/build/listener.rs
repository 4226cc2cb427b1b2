//! Listeners, and the hosts reached by each.

use super::{Cx, host};
use crate::forwarded::ClientRules;
use crate::snapshot::{Http2Plan, ListenerPlan, RoutePlan, ServerPlan, Via};
use bifrons_config::At;
use bifrons_config::problem::HELP_MARK;
use bifrons_config::units::Size;
use bifrons_core::{Limits, NameRule, NameRules};
use bifrons_http::FieldName;
use bifrons_http::h1::Pace;
use bifrons_http::h1::conn::HeadPace;
use bifrons_model::{Allowance, CdnLoop, ClientAddress, Listener, LoneLf, ProxyHeaderIn, ServerField};
use bifrons_net::{Addr, ListenOptions};
use bifrons_observe::config::AccessLogs;
use bifrons_observe::metrics::ListenerStats;
use bifrons_route::IpSet;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Builds all listeners.
pub(super) fn build(cx: &mut Cx<'_>) -> Vec<Arc<ListenerPlan>> {
    host::check_references(cx);
    let mut taken: HashMap<Addr, String> = HashMap::new();
    let mut plans = Vec::new();
    let config = cx.config;
    if config.listeners.is_empty() && !cx.options.may_idle {
        let help = Some("add `listeners: { web: { bind: \":8080\" } }`".to_owned());
        cx.problem(&None, "there is no listener", help);
    }
    for (name, listener) in &config.listeners {
        let addrs = addresses(cx, name, listener, &mut taken);
        plans.push(Arc::new(plan(cx, name, listener, addrs)));
    }
    plans
}

fn addresses(
    cx: &mut Cx<'_>,
    name: &str,
    listener: &Listener,
    taken: &mut HashMap<Addr, String>,
) -> Vec<Addr> {
    if listener.bind.is_empty() {
        let help = Some("add `bind: \"0.0.0.0:80\"`".to_owned());
        cx.problem(&None, format!("listener \"{name}\" has no address"), help);
    }
    let mut addrs = Vec::new();
    for bind in listener.bind.iter() {
        match read_bind(bind).and_then(|addr| of_kind(addr, listener.udp.is_some())) {
            Ok(addr) => match taken.insert(addr.clone(), name.to_owned()) {
                Some(other) => {
                    cx.problem(
                        &bind.place,
                        format!("address {addr} is taken by listener \"{other}\" already"),
                        None,
                    );
                }
                None => addrs.push(addr),
            },
            Err(message) => cx.problem_text(&bind.place, &message),
        }
    }
    addrs
}

/// `80`, `:80`, `*:80`, `1.2.3.4:80`, `[::]:80`, `unix:/path`.
fn read_bind(text: &str) -> Result<Addr, String> {
    let port = text.strip_prefix("*:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) {
        return match port.parse::<u16>() {
            Ok(port) => Ok(Addr::Inet(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))),
            Err(_) => Err(format!("port {port} is larger than 65535")),
        };
    }
    text.parse().map_err(|_| {
        format!("invalid address \"{text}\"{HELP_MARK}write \"0.0.0.0:80\", \":80\", \"[::]:80\" or \"unix:/path\"")
    })
}

/// The address as one of datagrams, where the listener is for those.
fn of_kind(addr: Addr, is_udp: bool) -> Result<Addr, String> {
    match (addr, is_udp) {
        (Addr::Inet(addr) | Addr::Udp(addr), true) => Ok(Addr::Udp(addr)),
        (Addr::Unix(_), true) => Err(format!(
            "datagrams come to an address with a port{HELP_MARK}write \"0.0.0.0:53\" or \"[::]:53\""
        )),
        (Addr::Udp(addr), false) => Err(format!(
            "\"udp:{addr}\" is for datagrams{HELP_MARK}write \"{addr}\", and `udp` beside `bind`"
        )),
        (addr, false) => Ok(addr),
    }
}

fn plan(cx: &mut Cx<'_>, name: &str, listener: &Listener, addrs: Vec<Addr>) -> ListenerPlan {
    let timeouts = &listener.timeouts;
    let instance = format!("{}-{name}", cx.shared.instance);
    let tls = listener.tls.as_ref().and_then(|tls| match tls.build(cx.tls_of(listener)) {
        Ok(plan) => Some(Arc::new(plan)),
        Err(wrong) => {
            wrong.iter().for_each(|wrong| cx.wrong(wrong));
            None
        }
    });
    ListenerPlan {
        name: name.into(),
        addrs,
        tls,
        handshake_timeout: timeouts.handshake.0,
        handshakes_max: listener.connections.handshakes,
        handshake_rate: listener.connections.handshake_rate,
        options: ListenOptions {
            backlog: i32::try_from(listener.backlog).unwrap_or(i32::MAX),
            reuse_port: true,
            ipv6_only: listener.ipv6_only,
        },
        limits: limits(cx, name, listener),
        http2: listener.http2.enabled.then(|| Http2Plan {
            plain: listener.http2.plain,
            streams_max: listener.http2.streams.max(1),
            stream_window: window(listener.http2.stream_window),
            connection_window: window(listener.http2.connection_window),
            send_buffer: usize::try_from(listener.http2.send_buffer.0).unwrap_or(usize::MAX).max(16 * 1024),
        }),
        head_pace: HeadPace { idle: timeouts.keep_alive.0, head: timeouts.head.0 },
        body_pace: Pace {
            timeout: timeouts.body.0,
            rate_min: timeouts.body_rate.0,
            grace: timeouts.body_grace.0,
        },
        send_timeout: timeouts.send.0,
        send_pace: Pace {
            timeout: timeouts.send.0,
            rate_min: timeouts.send_rate.0,
            grace: timeouts.send_grace.0,
        },
        linger: timeouts.linger.0,
        requests_max: match timeouts.keep_alive.0.is_zero() {
            true => 1,
            false => listener.connections.requests.max(1),
        },
        age_max: Some(listener.connections.age.0).filter(|age| !age.is_zero()),
        keep_alive_field: match listener.connections.tell_timeout.0.as_secs() {
            0 => None,
            seconds => Some(format!("timeout={seconds}").into()),
        },
        reset_slow: listener.connections.reset_slow,
        head_status: listener.limits.head_status,
        connections_max: listener.connections.total,
        per_address_max: listener.connections.per_address,
        tcp: listener.tcp.as_ref().map(|tcp| super::tcp::plan(cx, name, listener, tcp)),
        udp: listener.udp.as_ref().map(|udp| super::udp::plan(cx, name, listener, udp)),
        proxy_protocol: proxy_protocol(cx, name, listener),
        proxy_protocol_client: listener.proxy_protocol_client,
        client: client_rules(cx, &listener.client),
        client_cert: listener.forward_client_cert.clone(),
        server: server(&listener.server),
        via: listener.via.then(|| Via {
            value_http10: format!("1.0 {instance}").into_bytes(),
            value_http11: format!("1.1 {instance}").into_bytes(),
            value_http20: format!("2.0 {instance}").into_bytes(),
            name: instance,
        }),
        cdn_loop: cdn_loop(cx, name, listener),
        redirect_https: listener.redirect.is_some(),
        body_max: listener.limits.body.0,
        hosts: host::table(cx, name, listener),
        fallback: fallback(cx, (name, ""), &[], listener.limits.body.0),
        state: cx.shared.listener_state(name),
        stats: ListenerStats::register(&cx.shared.metrics, name),
    }
}

/// The mark, if its name is one that a list of them can hold (RFC 8586 2).
fn cdn_loop(cx: &mut Cx<'_>, name: &str, listener: &Listener) -> Option<Box<CdnLoop>> {
    let mark = listener.cdn_loop.as_ref()?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:[]".contains(&b);
    if mark.id.is_empty() || !mark.id.bytes().all(fits) {
        let help = Some("write a host name, such as edge.example.com, or a word".to_owned());
        let message = format!("listener \"{name}\": \"{}\" is no name for `CDN-Loop`", mark.id);
        cx.problem(&None, message, help);
        return None;
    }
    Some(Box::new(mark.clone()))
}

/// What becomes of the `Server` field.
pub(super) fn server(field: &ServerField) -> ServerPlan {
    match field {
        ServerField::Pass => ServerPlan::Pass,
        ServerField::Off => ServerPlan::Off,
        ServerField::Set(name) => ServerPlan::Set(name.clone()),
    }
}

/// The route of requests that find none: it has a log and metrics, and nothing else.
pub(super) fn fallback(
    cx: &mut Cx<'_>,
    (listener, host): (&str, &str),
    logs: &[Option<&AccessLogs>],
    body_max: u64,
) -> Arc<RoutePlan> {
    let config = cx.config;
    let logs: Vec<_> = logs.iter().copied().chain([config.access_log.as_ref()]).collect();
    let record = super::route::record(cx, (listener, host, "", ""), &logs);
    Arc::new(RoutePlan::of_record(record, body_max))
}

/// What HTTP/2 takes for a window: its own first size at the least, 2^31-1 at the most (RFC 9113 6.9.1).
fn window(size: Size) -> u32 {
    u32::try_from(size.0.clamp(65_535, (1 << 31) - 1)).unwrap_or(65_535)
}

fn proxy_protocol(cx: &mut Cx<'_>, name: &str, listener: &Listener) -> ProxyHeaderIn {
    if listener.proxy_protocol == ProxyHeaderIn::Trusted && listener.client.trusted.is_empty() {
        let message =
            format!("listener \"{name}\": `proxy_protocol: trusted`, but `client.trusted` names nobody");
        let help =
            "name the proxies there, or write `proxy_protocol: required` where only proxies can connect";
        cx.problem(&None, message, Some(help.to_owned()));
    }
    listener.proxy_protocol
}

fn limits(cx: &mut Cx<'_>, name: &str, listener: &Listener) -> Limits {
    let fields = usize::from(listener.limits.fields);
    if fields == 0 || fields > Limits::FIELDS_MAX {
        let message = format!(
            "listener \"{name}\": limits.fields is {fields}, it must be from 1 to {}",
            Limits::FIELDS_MAX
        );
        cx.problem(&None, message, None);
    }
    if !matches!(listener.limits.head_status, 400 | 431) {
        let message = format!("listener \"{name}\": limits.head_status is {}", listener.limits.head_status);
        cx.problem(&None, message, Some("write 431 or 400".to_owned()));
    }
    Limits {
        line_bytes: listener.limits.request_line.as_usize(),
        field_bytes: match listener.limits.field.as_usize() {
            0 => usize::MAX,
            bytes => bytes,
        },
        fields,
        head_bytes: listener.limits.head.as_usize(),
        lone_lf: listener.lone_lf == LoneLf::Accept,
        raw_targets: listener.raw_targets == Allowance::Accept,
        needs_host: listener.empty_host == Allowance::Refuse,
        names: names(listener),
    }
}

/// What becomes of fields with unusual names; `None` where all of them pass.
fn names(listener: &Listener) -> Option<NameRules> {
    let rule = |rule| match rule {
        bifrons_model::NameRule::Allow => NameRule::Allow,
        bifrons_model::NameRule::Drop => NameRule::Drop,
        bifrons_model::NameRule::Refuse => NameRule::Refuse,
    };
    let rules = NameRules {
        underscores: rule(listener.underscores_in_headers),
        irregular: rule(listener.irregular_headers),
    };
    let passes_all = rules.underscores == NameRule::Allow && rules.irregular == NameRule::Allow;
    (!passes_all).then_some(rules)
}

pub(super) fn client_rules(cx: &mut Cx<'_>, client: &ClientAddress) -> ClientRules {
    let mut nets: Vec<&At<String>> = Vec::new();
    let mut trusts_unix = false;
    for net in &client.trusted {
        if net.value == "unix:" {
            trusts_unix = true;
        } else if let Err(err) = bifrons_route::ipset::parse_cidr(&net.value) {
            cx.problem_text(&net.place, &err.to_string());
        } else {
            nets.push(net);
        }
    }
    let field = FieldName::new(&client.field).unwrap_or_else(|| {
        cx.problem(&None, format!("client.field \"{}\" is no field name", client.field), None);
        FieldName::new("X-Forwarded-For").expect("invariant: a constant token")
    });
    let trusted = IpSet::from_nets(nets.iter().filter_map(|net| bifrons_route::ipset::parse_cidr(net).ok()));
    ClientRules { trusted, trusts_unix, hops: client.trusted_hops, field, recursive: client.recursive }
}
