//! `upstream`: groups of servers behind the proxy.

use super::resolver::ResolverSettings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_balance::policies::least_time::Measure;
use bifrons_balance::policies::{ip_hash, ketama, least_request, least_time, modulo, random};
use bifrons_balance::{Address, Balance, EndpointConfig};
use bifrons_config::units::{Dur, Size};
use bifrons_config::{At, Place, Problem};
use bifrons_model::{
    Cluster, HealthCheck, KeepAlive, LoneLf, Queue, Resolver, Retry, RetryOn, Sticky, UpstreamTimeouts,
};

/// Of what connections and requests have in common.
const BOTH: Contexts = Contexts::UPSTREAM.or(Contexts::STREAM_UPSTREAM);
const UPSTREAM: Contexts = Contexts::UPSTREAM;

/// One `upstream` block.
#[derive(Debug, Default)]
pub(crate) struct Upstream {
    servers: Vec<At<EndpointConfig>>,
    balance: Option<Balance>,
    keep_alive: Option<u32>,
    keep_alive_requests: Option<u32>,
    keep_alive_time: Option<Dur>,
    keep_alive_timeout: Option<Dur>,
    pub(super) resolver: ResolverSettings,
    pub(super) sticky: Option<Sticky>,
    queue: Option<Queue>,
    /// Whether its servers come from a file, of which there may be none yet.
    state: Option<()>,
    /// Active checks, as a location that leads here says.
    pub(crate) health_check: Option<HealthCheck>,
    /// Where requests name the servers themselves: who resolves the names.
    dynamic: Option<Resolver>,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "upstream",
        Contexts::HTTP.or(Contexts::STREAM),
        Args::Block(1, 1),
        "A named group of servers that `proxy_pass` may lead to.",
        upstream,
    ),
    Spec::new(
        "server",
        BOTH,
        Args::AtLeast(1),
        "A server of the group: `address[:port]`, a name or `unix:/path`, with `weight=`, `max_conns=`, \
         `max_fails=`, `fail_timeout=`, `backup`, `down`, `drain`, `slow_start=`, `route=`, `resolve`. Names are \
         resolved again as their TTL says, with `resolve` by the `resolver`.",
        server,
    ),
    Spec::new("least_conn", BOTH, Args::Exact(0), "Whoever has the fewest requests under way.", |cx, d| {
        balance(cx, d, Balance::LeastRequest(least_request::Config {}));
    }),
    Spec::new("ip_hash", UPSTREAM, Args::Exact(0), "By the client's address.", |cx, d| {
        balance(cx, d, Balance::IpHash(ip_hash::Config {}));
    }),
    Spec::new(
        "random",
        BOTH,
        Args::Range(0, 2),
        "The less busy of two drawn at random, with or without `two least_conn`; with `two least_time=header` or \
         `two least_time=last_byte` the faster one.",
        |cx, d| match (d.text(0), d.text(1)) {
            ("" | "two", "" | "least_conn") => balance(cx, d, Balance::Random(random::Config {})),
            ("two", what) if let Some(measure) = what.strip_prefix("least_time=").and_then(measure) => {
                let config = least_time::Config { measure, inflight: false, of_two: true };
                balance(cx, d, Balance::LeastTime(config));
            }
            ("two", _) => cx.invalid_parameter(d, &d.args[1]),
            _ => cx.invalid_parameter(d, &d.args[0]),
        },
    ),
    Spec::new(
        "least_time",
        UPSTREAM,
        Args::Range(1, 2),
        "Whoever answers soonest, by average time to the `header` or the `last_byte` and requests under way; with \
         `inflight` those count with their time so far.",
        |cx, d| {
            let Some(measure) = measure(d.text(0)) else {
                return cx.invalid_parameter(d, &d.args[0]);
            };
            if let Some(word) = d.arg(1).filter(|word| word.text != "inflight") {
                return cx.invalid_parameter(d, word);
            }
            let config = least_time::Config { measure, inflight: d.arg(1).is_some(), of_two: false };
            balance(cx, d, Balance::LeastTime(config));
        },
    ),
    Spec::new(
        "queue",
        UPSTREAM,
        Args::Range(1, 2),
        "Requests that may wait while all servers have their `max_conns`, and how long (`timeout=`, 60s).",
        |cx, d| {
            let timeout = match d.arg(1) {
                None => Some(Dur::secs(60)),
                Some(word) => values::param(&word.text, "timeout").and_then(values::parse_time),
            };
            match (values::number(&d.args[0]), timeout) {
                (Ok(requests @ 1..), Some(timeout)) => {
                    cx.put(d, Queue { requests, timeout }, |cx| &mut cx.upstream.queue);
                }
                (Ok(1..), None) => cx.invalid_parameter(d, &d.args[1]),
                _ => cx.invalid(d, &d.args[0], Invalid::Value),
            }
        },
    ),
    Spec::new(
        "state",
        UPSTREAM,
        Args::Exact(1),
        "A file of `server` directives that is read where it is there. It is not written.",
        state,
    ),
    Spec::new(
        "hash",
        BOTH,
        Args::Range(1, 2),
        "By a key with variables; with `consistent` on a ring, so that few keys move when servers come and go. \
         Keys are where nginx has them.",
        |cx, d| {
            if let Some(word) = d.arg(1).filter(|word| word.text != "consistent") {
                return cx.invalid_parameter(d, word);
            }
            if let Some(key) = cx.template(&d.args[0]) {
                let policy = match d.arg(1) {
                    Some(_) => Balance::Ketama(ketama::Config { key }),
                    None => Balance::Modulo(modulo::Config { key }),
                };
                balance(cx, d, policy);
            }
        },
    ),
    Spec::new(
        "keepalive",
        UPSTREAM,
        Args::Exact(1),
        "Idle connections that each worker keeps to each server. Needs `proxy_http_version 1.1` and \
         `proxy_set_header Connection \"\"`.",
        |cx, d| match values::number(&d.args[0]) {
            Ok(1..) => cx.once(d, values::number, |cx| &mut cx.upstream.keep_alive),
            _ => {
                let message = format!("invalid value \"{}\" in \"keepalive\" directive", d.text(0));
                cx.invalid(d, &d.args[0], Invalid::Other(message, None));
            }
        },
    ),
    Spec::new(
        "keepalive_requests",
        UPSTREAM,
        Args::Exact(1),
        "Requests on a connection to a server before it is closed.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.upstream.keep_alive_requests),
    )
    .default("1000"),
    Spec::new(
        "keepalive_time",
        UPSTREAM,
        Args::Exact(1),
        "Age of a connection to a server after which it is closed.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.upstream.keep_alive_time),
    )
    .default("1h"),
    Spec::new(
        "keepalive_timeout",
        UPSTREAM,
        Args::Exact(1),
        "How long a connection to a server may be idle.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.upstream.keep_alive_timeout),
    )
    .default("60s"),
    Spec::accepted("zone", BOTH, Args::Range(1, 2), "the state of servers is shared by all workers anyway"),
];

fn upstream(cx: &mut Ctx, directive: &Directive) {
    let name = &directive.args[0];
    let outer = std::mem::take(&mut cx.upstream);
    let before = cx.notes.problems.0.len();
    let is_stream = cx.context.meets(Contexts::STREAM);
    cx.inside(if is_stream { Contexts::STREAM_UPSTREAM } else { UPSTREAM }, directive);
    let upstream = std::mem::replace(&mut cx.upstream, outer);
    if upstream.servers.is_empty() && upstream.state.is_none() && cx.notes.problems.0.len() == before {
        cx.notes.problem(Problem::at(directive.place.clone(), "no servers are inside upstream"));
    }
    if matches!(
        upstream.balance,
        Some(Balance::Ketama(_) | Balance::Modulo(_) | Balance::IpHash(_) | Balance::Random(_))
    ) {
        for server in upstream.servers.iter().filter(|server| server.backup) {
            let message = "balancing method does not support parameter \"backup\"";
            cx.notes.problem(Problem { place: server.place.clone(), ..Problem::nowhere(message) });
        }
    }
    // Case does not count in nginx's names of upstreams.
    if !cx.http.upstream_names.insert(name.text.to_ascii_lowercase()) {
        return cx.problem(name, format!("duplicate upstream \"{}\"", name.text));
    }
    cx.http.upstreams.insert(name.text.clone(), upstream);
}

fn balance(cx: &mut Ctx, directive: &Directive, balance: Balance) {
    if cx.upstream.balance.is_some() {
        cx.notes.warn(Problem::at(directive.place.clone(), "load balancing method redefined"));
    }
    cx.upstream.balance = Some(balance);
}

fn server(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    let Some(address) = address(cx, word, &word.text) else {
        return;
    };
    let mut endpoint = EndpointConfig::new(address);
    if endpoint.address.to_string() != word.text {
        // nginx's ring knows a server by what is written.
        endpoint.hash_name = Some(word.text.clone());
    }
    for word in directive.args.iter().skip(1) {
        if let Err(is_later) = parameter(&mut endpoint, &word.text) {
            match is_later {
                Unknown::Later => {
                    cx.later(word.place.clone(), &format!("\"{}\" of an upstream's server", word.text), "");
                }
                Unknown::Invalid => cx.invalid_parameter(directive, word),
            }
        }
    }
    cx.upstream.servers.push(At::new(endpoint, directive.place.clone()));
}

enum Unknown {
    Later,
    Invalid,
}

fn parameter(endpoint: &mut EndpointConfig, text: &str) -> Result<(), Unknown> {
    let number =
        |text| values::digits(text).and_then(|number| u32::try_from(number).ok()).ok_or(Unknown::Invalid);
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    match (name, value) {
        ("weight", Some(value)) => {
            endpoint.weight = number(value)?;
            if endpoint.weight == 0 {
                return Err(Unknown::Invalid);
            }
        }
        ("max_conns", Some(value)) => endpoint.max_conns = number(value)?,
        ("max_fails", Some(value)) => endpoint.max_fails = number(value)?,
        ("fail_timeout", Some(value)) => {
            endpoint.fail_timeout = values::parse_time(value).ok_or(Unknown::Invalid)?;
        }
        ("backup", None) => endpoint.backup = true,
        ("down", None) => endpoint.down = true,
        ("slow_start", Some(value)) => {
            endpoint.slow_start = values::parse_time(value).ok_or(Unknown::Invalid)?;
        }
        ("route", Some(value)) if !value.is_empty() => endpoint.route = Some(value.to_owned()),
        ("drain", None) => endpoint.drain = true,
        // Names are resolved again in any case.
        ("resolve", None) => {}
        ("service", Some(_)) => return Err(Unknown::Later),
        _ => return Err(Unknown::Invalid),
    }
    Ok(())
}

/// Reads the servers of a file, where it is there.
fn state(cx: &mut Ctx, directive: &Directive) {
    let path = cx.defaults.full_path(directive.text(0));
    cx.put(directive, (), |cx| &mut cx.upstream.state);
    if cx.defaults.includes == crate::Includes::Refused {
        return cx.accept(directive, "files are not read here");
    }
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return,
        Err(err) => return cx.problem(&directive.args[0], format!("cannot read \"{path}\": {err}")),
    };
    let source = bifrons_config::Source::new(path, text);
    let tree = crate::parser::parse(&source, &mut cx.notes);
    cx.notes.sources.push(source);
    for inner in &tree {
        match inner.name.text.as_str() {
            "server" if !inner.args.is_empty() => server(cx, inner),
            other => cx.problem(&inner.name, format!("\"{other}\" directive is not allowed here")),
        }
    }
}

/// Up to where answers are measured.
fn measure(text: &str) -> Option<Measure> {
    match text {
        "header" => Some(Measure::Header),
        "last_byte" => Some(Measure::LastByte),
        _ => None,
    }
}

/// The address of a server, port 80 where none is given. Messages name it as `shown`.
pub(crate) fn address(cx: &mut Ctx, word: &Word, shown: &str) -> Option<Address> {
    let has_port = match shown.rsplit_once(']') {
        Some((_, rest)) => rest.starts_with(':'),
        None => shown.contains(':'),
    };
    if !has_port && cx.context.meets(Contexts::STREAMS.or(Contexts::STREAM_UPSTREAM)) {
        let help = format!("write {shown}:5432, or the port that it is");
        cx.problem_help(word, format!("no port in upstream \"{shown}\""), help);
        return None;
    }
    let with_port = if has_port { shown.to_owned() } else { format!("{shown}:80") };
    let (message, help) = match with_port.parse::<Address>() {
        Ok(address) => {
            let host_exists = cx.defaults.host_exists;
            match address.to_resolve() {
                Some((host, _)) if !host_exists(host) => {
                    (format!("host not found in upstream \"{shown}\""), None)
                }
                _ => return Some(address),
            }
        }
        Err(err) if err.message.ends_with("is no port") => {
            (format!("invalid port in upstream \"{shown}\""), Some(err.help))
        }
        Err(_) if shown.is_empty() || shown.starts_with(':') => {
            (format!("no host in upstream \"{shown}\""), None)
        }
        Err(err) => (format!("host not found in upstream \"{shown}\""), Some(err.help)),
    };
    let mut problem = Problem::at(word.place.clone(), message);
    problem.help = help;
    cx.notes.problem(problem);
    None
}

impl Upstream {
    /// A group of one server, as a `proxy_pass` with an address makes it.
    pub(crate) fn implicit(address: Address, place: &Place) -> Self {
        Self { servers: vec![At::new(EndpointConfig::new(address), place.clone())], ..Self::default() }
    }

    /// Settings for servers that requests name themselves.
    pub(crate) fn dynamic(resolver: Resolver) -> Self {
        Self { dynamic: Some(resolver), ..Self::default() }
    }

    /// Whether connections to its servers are kept.
    pub(crate) fn keeps_alive(&self) -> bool {
        self.keep_alive.is_some()
    }

    /// Writes it as a cluster. `bind` is the address that connections come from.
    pub(crate) fn emit(&self, bind: Option<At<String>>, outer: &ResolverSettings) -> Cluster {
        let resolver = self.dynamic.clone().or_else(|| self.resolver.emit()).or_else(|| outer.emit());
        let named = |server: &At<EndpointConfig>| server.address.to_resolve().is_some();
        let asks = self.dynamic.is_some() || self.servers.iter().any(named);
        let mut endpoints = self.servers.clone();
        if !matches!(self.balance, Some(Balance::Ketama(_))) {
            endpoints.iter_mut().for_each(|server| server.value.hash_name = None);
        }
        Cluster {
            balance: self.balance.clone().unwrap_or_default(),
            endpoints,
            resolver: resolver.filter(|_| asks).unwrap_or_default(),
            dynamic: self.dynamic.is_some(),
            sticky: self.sticky.clone(),
            queue: self.queue,
            // As nginx, for which a server at its `max_conns` is one that does not serve.
            busy_status: 502,
            health_check: self.health_check.clone(),
            keep_alive: KeepAlive {
                idle: self.keep_alive.unwrap_or(0),
                timeout: self.keep_alive_timeout.unwrap_or(Dur::secs(60)),
                requests: self.keep_alive_requests.unwrap_or(1000),
                age: self.keep_alive_time.unwrap_or(Dur::secs(3600)),
            },
            timeouts: default_timeouts(),
            retry: default_retry(),
            bind,
            lone_lf: LoneLf::Accept,
            // Twice nginx's total of `proxy_buffers`: its `proxy_buffer_size` of 4k or 8k is too small for
            // many an answer, and people raise it.
            head: Size::kib(64),
            ..Cluster::default()
        }
    }
}

/// nginx's `proxy_*_timeout` where nothing is said.
pub(crate) fn default_timeouts() -> UpstreamTimeouts {
    UpstreamTimeouts {
        connect: Dur::secs(60),
        send: Dur::secs(60),
        read: Dur::secs(60),
        tunnel: Dur::secs(60),
    }
}

/// nginx's `proxy_next_upstream` where nothing is said.
pub(crate) fn default_retry() -> Retry {
    Retry {
        on: vec![RetryOn::Error, RetryOn::Timeout],
        attempts: 0,
        timeout: Dur::secs(0),
        non_idempotent: false,
    }
}
