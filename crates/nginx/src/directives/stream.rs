//! `stream`: layer 4.

use super::super::settings::settings;
use super::in_flight::Zone;
use super::rewrite;
use super::server::{self, ListenError, PORTS_MAX};
use super::upstream::Upstream;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::level::Level;
use crate::tree::{Directive, Word};
use crate::values;
use bifrons_config::units::Dur;
use bifrons_config::{Place, Problem, Template, Var, vars};
use indexmap::IndexMap;

const STREAMS: Contexts = Contexts::STREAMS;
const SERVER: Contexts = Contexts::STREAM_SERVER;

settings! {
    /// How connections and datagrams are passed on.
    StreamSettings {
        timeout: Dur,
        connect_timeout: Dur,
        responses: u32,
        requests: u32,
        preread: bool,
        preread_timeout: Dur,
        handshake_timeout: Dur,
        proxy_header_timeout: Dur,
        /// Whether servers are told the client.
        sends_header: bool,
        /// Whether TLS is spoken with servers.
        secured: bool,
        bind: String,
        next: bool,
        next_tries: u32,
        next_timeout: Dur,
    }
}

/// What the `stream` block holds.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) level: Level,
    pub(crate) servers: Vec<StreamServer>,
    pub(crate) upstreams: IndexMap<String, Upstream>,
    pub(crate) zones: IndexMap<String, Zone>,
    /// The `server` block that is being read.
    server: StreamServer,
    is_there: Option<()>,
}

/// One `server` block.
#[derive(Debug, Default)]
pub(crate) struct StreamServer {
    pub(crate) level: Level,
    pub(crate) listens: Vec<StreamListen>,
    pub(crate) action: Option<StreamAction>,
    /// `set`.
    pub(crate) set: Vec<IndexMap<String, Template>>,
    pub(crate) place: Option<Place>,
}

/// What a server does.
#[derive(Debug)]
pub(crate) enum StreamAction {
    /// `proxy_pass`, and the same where it has variables.
    Pass(Word, Option<Template>),
    /// `return`.
    Return(Template),
}

/// One address of a `listen`.
#[derive(Clone, Debug)]
pub(crate) struct StreamListen {
    pub(crate) address: String,
    pub(crate) udp: bool,
    pub(crate) ssl: bool,
    pub(crate) proxy_protocol: bool,
    pub(crate) backlog: Option<u32>,
    pub(crate) ipv6_only: Option<bool>,
    pub(crate) place: Place,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "stream",
        Contexts::MAIN,
        Args::Block(0, 0),
        "Servers for connections and datagrams that are passed on as they are, and settings that they inherit.",
        stream,
    ),
    Spec::new(
        "server",
        Contexts::STREAM,
        Args::Block(0, 0),
        "What becomes of what comes to its addresses.",
        server,
    ),
    Spec::new(
        "listen",
        SERVER,
        Args::AtLeast(1),
        "An address with its port, or `unix:/path`: with `udp` for datagrams, `ssl` where TLS ends here, \
         `proxy_protocol` where a header of the PROXY protocol comes first, `backlog=`, `ipv6only=`.",
        listen,
    ),
    Spec::new(
        "proxy_pass",
        SERVER,
        Args::Exact(1),
        "Where it goes: an upstream, `address:port` or `unix:/path`; with variables an upstream's name first, then \
         an address, then a name that is resolved by the `resolver`.",
        |cx, d| {
            let word = &d.args[0];
            let template = match word.text.contains('$') {
                true => match cx.template(word) {
                    Some(template) => Some(template),
                    None => return,
                },
                false => None,
            };
            act(cx, d, StreamAction::Pass(word.clone(), template));
        },
    ),
    Spec::new(
        "return",
        SERVER,
        Args::Exact(1),
        "A text that is sent, with variables; the connection is closed behind it. Each datagram is answered with it.",
        |cx, d| {
            if let Some(text) = cx.template(&d.args[0]) {
                act(cx, d, StreamAction::Return(text));
            }
        },
    ),
    Spec::new(
        "set",
        SERVER,
        Args::Exact(2),
        "Gives a variable a value, before anything else happens: what is read ahead or agreed upon in TLS has none \
         then in nginx.",
        set,
    ),
    Spec::new(
        "proxy_timeout",
        STREAMS,
        Args::Exact(1),
        "How long nothing may move in either direction.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.stream.timeout),
    )
    .default("10m"),
    Spec::new(
        "proxy_connect_timeout",
        STREAMS,
        Args::Exact(1),
        "How long a server may take to accept a connection.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.stream.connect_timeout),
    )
    .default("60s"),
    Spec::new(
        "proxy_responses",
        STREAMS,
        Args::Exact(1),
        "Datagrams that a server answers each of the client's with; with as many the session is over.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.stream.responses),
    ),
    Spec::new(
        "proxy_requests",
        STREAMS,
        Args::Exact(1),
        "Datagrams of a client after which the next one begins another session.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.stream.requests),
    )
    .default("0"),
    Spec::new(
        "proxy_protocol",
        STREAMS,
        Args::Flag,
        "Whether connections to servers begin with a header of the PROXY protocol, version 1.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.stream.sends_header),
    )
    .default("off"),
    Spec::new("proxy_ssl", STREAMS, Args::Flag, "Whether TLS is spoken with servers.", |cx, d| {
        cx.once(d, values::flag, |cx| &mut cx.level.stream.secured);
    })
    .default("off"),
    Spec::new(
        "proxy_bind",
        STREAMS,
        Args::Range(1, 2),
        "Our address that connections and sessions to servers come from; `off` leaves it to the system.",
        |cx, d| {
            if let Some(word) = d.arg(1) {
                return cx.later(word.place.clone(), "\"transparent\" of \"proxy_bind\"", "");
            }
            if d.text(0).contains('$') {
                return cx.later(d.args[0].place.clone(), "\"proxy_bind\" with variables in \"stream\"", "");
            }
            let address = d.text(0);
            if address != "off" && address.parse::<std::net::IpAddr>().is_err() {
                let message = format!("invalid address \"{address}\"");
                return cx.problem_help(&d.args[0], message, "write an address such as 10.0.0.5");
            }
            cx.once(d, values::text, |cx| &mut cx.level.stream.bind);
        },
    ),
    Spec::new(
        "proxy_next_upstream",
        STREAMS,
        Args::Flag,
        "Whether another server is asked where a connection cannot be made.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.stream.next),
    )
    .default("on"),
    Spec::new(
        "proxy_next_upstream_tries",
        STREAMS,
        Args::Exact(1),
        "Servers that are asked in all; 0 is all.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.stream.next_tries),
    )
    .default("0"),
    Spec::new(
        "proxy_next_upstream_timeout",
        STREAMS,
        Args::Exact(1),
        "Time in which another server may be asked; 0 is any.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.stream.next_timeout),
    )
    .default("0"),
    Spec::new(
        "ssl_preread",
        STREAMS,
        Args::Flag,
        "Whether a ClientHello is read first, without TLS ending here, for `$ssl_preread_server_name`, \
         `$ssl_preread_alpn_protocols` and `$ssl_preread_protocol`.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.stream.preread),
    )
    .default("off"),
    Spec::new("preread_timeout", STREAMS, Args::Exact(1), "How long that may take.", |cx, d| {
        cx.once(d, values::time, |cx| &mut cx.level.stream.preread_timeout);
    })
    .default("30s"),
    Spec::new(
        "proxy_protocol_timeout",
        STREAMS,
        Args::Exact(1),
        "How long a header of the PROXY protocol may take.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.stream.proxy_header_timeout),
    )
    .default("30s"),
    Spec::new(
        "ssl_handshake_timeout",
        STREAMS,
        Args::Exact(1),
        "How long a client's handshake may take.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.stream.handshake_timeout),
    )
    .default("60s"),
    Spec::accepted(
        "proxy_buffer_size",
        STREAMS,
        Args::Exact(1),
        "bytes go on as they come, big ones through the kernel",
    ),
    Spec::accepted("preread_buffer_size", STREAMS, Args::Exact(1), "a ClientHello has 16 KiB at most"),
    Spec::accepted(
        "proxy_socket_keepalive",
        STREAMS,
        Args::Flag,
        "connections that say nothing end by proxy_timeout",
    ),
    Spec::accepted(
        "proxy_half_close",
        STREAMS,
        Args::Flag,
        "the end of one direction is always passed on, and the other goes on",
    ),
];

fn stream(cx: &mut Ctx, directive: &Directive) {
    cx.put(directive, (), |cx| &mut cx.stream.is_there);
    // Names of upstreams are `stream`'s own.
    let upstreams = std::mem::take(&mut cx.http.upstreams);
    let names = std::mem::take(&mut cx.http.upstream_names);
    let level = cx.level(Contexts::STREAM, Level::default(), directive);
    cx.stream.level = level;
    cx.stream.upstreams = std::mem::replace(&mut cx.http.upstreams, upstreams);
    cx.http.upstream_names = names;
}

fn server(cx: &mut Ctx, directive: &Directive) {
    let outer = std::mem::take(&mut cx.stream.server);
    let before = cx.notes.problems.0.len();
    let level = cx.level(SERVER, Level::default(), directive);
    let is_whole = cx.notes.problems.0.len() == before;
    let server = std::mem::replace(&mut cx.stream.server, outer);
    if is_whole && server.listens.is_empty() {
        let message = "no \"listen\" is defined for server in stream";
        cx.problem_help(&directive.name, message, "add \"listen 5432;\"");
    }
    if is_whole && server.action.is_none() {
        let message = "a server in stream needs \"proxy_pass\" or \"return\"";
        cx.problem(&directive.name, message);
    }
    cx.stream.servers.push(StreamServer { level, place: Some(directive.name.place.clone()), ..server });
}

fn act(cx: &mut Ctx, directive: &Directive, action: StreamAction) {
    cx.put(directive, action, |cx| &mut cx.stream.server.action);
}

fn set(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    let Some(name) = rewrite::variable(&word.text).map(str::to_ascii_lowercase) else {
        return cx.problem(word, format!("invalid variable name \"{}\"", word.text));
    };
    if !matches!(vars::find(&name, &|_| true), Some(Var::User(_))) {
        return cx.problem(word, format!("the duplicate \"{name}\" variable"));
    }
    let value = &directive.args[1];
    let Some(template) = cx.template(value) else { return };
    if value.text.contains("$ssl_") || value.text.contains("${ssl_") {
        let message = "\"set\" of what TLS says: it has its value here, and has none yet in nginx, where \"set\" comes first";
        cx.notes.warn(
            Problem::at(value.place.clone(), message)
                .help("use \"map\", which is computed when it is needed"),
        );
    }
    match cx.stream.server.set.last_mut() {
        Some(last) if !last.contains_key(&name) => drop(last.insert(name, template)),
        // One that is set again: what was set in between has the first value.
        _ => cx.stream.server.set.push([(name, template)].into()),
    }
}

fn listen(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    let text = &word.text;
    let is_port = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let has_port = is_port
        || text.starts_with("unix:")
        || text.rsplit_once(']').map_or(text.as_str(), |(_, rest)| rest).contains(':');
    let addresses = match server::addresses(text) {
        Ok(addresses) if has_port => addresses,
        Ok(_) => return cx.problem(word, format!("no port in \"{text}\" of the \"listen\" directive")),
        Err(ListenError::Port) => {
            return cx.problem(word, format!("invalid port in \"{text}\" of the \"listen\" directive"));
        }
        Err(ListenError::Host) => {
            return cx.problem(word, format!("host not found in \"{text}\" of the \"listen\" directive"));
        }
        Err(ListenError::Many) => {
            return cx.problem(word, format!("more than {PORTS_MAX} ports in one \"listen\" directive"));
        }
    };
    let mut listen = StreamListen {
        address: String::new(),
        udp: false,
        ssl: false,
        proxy_protocol: false,
        backlog: None,
        ipv6_only: None,
        place: word.place.clone(),
    };
    for word in directive.args.iter().skip(1) {
        parameter(cx, directive, word, &mut listen);
    }
    if listen.udp && (listen.ssl || listen.proxy_protocol) {
        let other = if listen.ssl { "ssl" } else { "proxy_protocol" };
        return cx.problem(word, format!("\"{other}\" parameter is incompatible with \"udp\""));
    }
    for address in addresses {
        let all =
            cx.stream.servers.iter().flat_map(|server| &server.listens).chain(&cx.stream.server.listens);
        if all.into_iter().any(|other| other.address == address && other.udp == listen.udp) {
            return cx.problem(word, format!("duplicate \"{address}\" address and port pair"));
        }
        cx.stream.server.listens.push(StreamListen { address, ..listen.clone() });
    }
}

fn parameter(cx: &mut Ctx, directive: &Directive, word: &Word, listen: &mut StreamListen) {
    let (name, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
    match (name, value) {
        ("udp", "") => listen.udp = true,
        ("ssl", "") => listen.ssl = true,
        ("proxy_protocol", "") => listen.proxy_protocol = true,
        ("backlog", _) => match values::digits(value).and_then(|number| u32::try_from(number).ok()) {
            Some(number @ 1..) => listen.backlog = Some(number),
            _ => cx.problem(word, format!("invalid backlog \"{}\"", word.text)),
        },
        ("ipv6only", "on" | "off") => listen.ipv6_only = Some(value == "on"),
        ("reuseport" | "bind" | "fastopen", _) => {
            let why =
                format!("\"{name}\" of \"listen\": each worker has a socket of its own to each address");
            cx.notes.accepted.push((word.place.clone(), why));
        }
        ("so_keepalive" | "rcvbuf" | "sndbuf", _) => {
            cx.later(word.place.clone(), &format!("\"{name}\" of \"listen\""), "");
        }
        _ => cx.invalid_parameter(directive, word),
    }
}
