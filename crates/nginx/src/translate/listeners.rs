//! Listeners: one for each address that servers listen on.

use crate::context::Ctx;
use crate::directives::server::{Listen, Server, SocketOptions};
use bifrons_config::units::{Dur, Size};
use bifrons_config::{At, OneOrMany, Place, Problem};
use bifrons_model::{Allowance, Listener, LoneLf, ProxyHeaderIn, ProxyHeaderWord, SocketTuning};
use bifrons_tls::client_cert_field::ForwardMode;
use bifrons_tls::{ForwardClientCert, ServerTls};
use indexmap::IndexMap;
use std::collections::HashMap;

/// nginx's `NGX_LISTEN_BACKLOG` on Linux.
pub(super) const BACKLOG: u32 = 511;

/// An address and who listens on it.
pub(super) struct Binding {
    pub(super) address: String,
    /// Servers by index, in their order, and where they say so.
    pub(super) servers: Vec<(usize, Option<Place>)>,
    /// The server that takes requests no name fits.
    pub(super) default: usize,
    /// Whether it speaks TLS.
    pub(super) ssl: bool,
    http2: bool,
    proxy_protocol: bool,
    options: SocketOptions,
}

/// The addresses in the order they are named.
pub(super) fn bind(cx: &mut Ctx, servers: &[Server]) -> Vec<Binding> {
    let mut bindings: Vec<Binding> = Vec::new();
    let mut by_address: HashMap<String, usize> = HashMap::new();
    // Whether the default, or the options, were said and not only taken.
    let mut said: Vec<(bool, bool)> = Vec::new();
    for (server, Server { listens, place, .. }) in servers.iter().enumerate() {
        let implied = [implied(place.as_ref())];
        let listens = if listens.is_empty() { &implied[..] } else { listens };
        for listen in listens {
            let at = *by_address.entry(listen.address.clone()).or_insert(bindings.len());
            if at == bindings.len() {
                let options = SocketOptions::default();
                bindings.push(Binding {
                    address: listen.address.clone(),
                    servers: vec![],
                    default: server,
                    ssl: false,
                    http2: false,
                    proxy_protocol: false,
                    options,
                });
                said.push((false, false));
            }
            let (binding, said) = (&mut bindings[at], &mut said[at]);
            binding.servers.push((server, Some(listen.place.clone()).filter(|_| place.is_some())));
            binding.ssl |= listen.options.ssl || servers[server].level.ssl.on == Some(true);
            take(cx, server, listen, binding, said);
        }
    }
    bindings
}

/// What a server without `listen` listens on. nginx takes port 8000 where it is not root; here a port that
/// may not be taken is an error.
fn implied(server: Option<&Place>) -> Listen {
    let place = server.cloned().unwrap_or_else(|| Place::new(&bifrons_config::Source::new("", ""), 0..0));
    let options = SocketOptions::default();
    Listen { address: "0.0.0.0:80".into(), default: false, http2: false, options, place }
}

/// What one `listen` says of its address.
fn take(cx: &mut Ctx, server: usize, listen: &Listen, binding: &mut Binding, said: &mut (bool, bool)) {
    let mut problem = |message: String| cx.notes.problem(Problem::at(listen.place.clone(), message));
    if listen.default {
        if said.0 {
            problem(format!("a duplicate default server for {}", listen.address));
        }
        binding.default = server;
        said.0 = true;
    }
    binding.http2 |= listen.http2;
    binding.proxy_protocol |= listen.options.proxy_protocol;
    let options = SocketOptions { ssl: false, proxy_protocol: false, ..listen.options };
    if options != SocketOptions::default() {
        if said.1 {
            problem(format!("duplicate listen options for {}", listen.address));
        }
        binding.options = options;
        said.1 = true;
    }
}

/// The model's listeners. Connections have the settings of the address's default server, as in nginx until
/// a request's host is known.
pub(super) fn emit(cx: &mut Ctx, servers: &[Server], bindings: &[Binding]) -> IndexMap<String, Listener> {
    let mut listeners = IndexMap::new();
    for binding in bindings {
        let Some(default) = servers.get(binding.default) else { continue };
        let mut listener = listener(default, binding);
        listener.tls = tls(cx, servers, binding);
        for (server, place) in &binding.servers {
            let Some(other) = servers.get(*server).filter(|_| *server != binding.default) else { continue };
            warn_of_difference(cx, (&listener, default), other, place.as_ref(), &binding.address);
        }
        listeners.insert(binding.address.clone(), listener);
    }
    listeners
}

/// How the address's connections are encrypted: as its default server says.
fn tls(cx: &mut Ctx, servers: &[Server], binding: &Binding) -> Option<ServerTls> {
    let default = servers.get(binding.default).filter(|_| binding.ssl)?;
    let rejects = default.level.ssl.reject == Some(true);
    let is_bare = |server: &Server| !server.level.ssl.is_there();
    let bare = binding.servers.iter().filter_map(|(at, place)| Some((servers.get(*at)?, place)));
    // Where the default server has none, all others must have their own.
    let mut bare = bare.filter(|(server, _)| is_bare(server) && (rejects || std::ptr::eq(*server, default)));
    if let Some((_, place)) = bare.next() {
        let message = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
        let help = "add \"ssl_certificate site.crt; ssl_certificate_key site.key;\"";
        cx.notes.problem(Problem { place: place.clone(), ..Problem::nowhere(message) }.help(help));
        return None;
    }
    Some(default.level.ssl.emit(cx))
}

fn listener(default: &Server, binding: &Binding) -> Listener {
    let connection = &default.level.connection;
    let (underscores_in_headers, irregular_headers) = connection.names();
    Listener {
        bind: OneOrMany::one(At::from(binding.address.clone())),
        backlog: binding.options.backlog.unwrap_or(BACKLOG),
        ipv6_only: binding.options.ipv6_only.unwrap_or(true),
        socket: tuning(&binding.options),
        lone_lf: LoneLf::Accept,
        raw_targets: Allowance::Accept,
        empty_host: Allowance::Refuse,
        underscores_in_headers,
        irregular_headers,
        proxy_protocol: if binding.proxy_protocol { ProxyHeaderIn::Required } else { ProxyHeaderIn::Off },
        proxy_protocol_client: match binding.proxy_protocol {
            true => default.level.realip.header_word(),
            false => ProxyHeaderWord::All,
        },
        client: default.level.realip.emit(),
        // nginx knows nothing of it.
        forward_client_cert: ForwardClientCert {
            mode: ForwardMode::AlwaysForwardOnly,
            ..ForwardClientCert::default()
        },
        server: default.level.server_field(),
        via: false,
        http2: default.level.http2.emit(binding.http2),
        limits: connection.limits(),
        connections: connection.connections(),
        timeouts: connection.timeouts(),
        ..Listener::default()
    }
}

fn tuning(options: &SocketOptions) -> SocketTuning {
    let (on, [idle, interval, count]) = options.keep_alive.unwrap_or_default();
    let seconds = |whole: Option<u32>| whole.map(|whole| Dur::secs(whole.into()));
    SocketTuning {
        keep_alive: options.keep_alive.map(|_| on),
        keep_alive_idle: seconds(idle),
        keep_alive_interval: seconds(interval),
        keep_alive_count: count,
        receive_buffer: options.receive_buffer.map(Size),
        send_buffer: options.send_buffer.map(Size),
    }
}

/// Says where a server that is not its address's default one has settings that cannot be told apart there.
fn warn_of_difference(
    cx: &mut Ctx,
    (listener, default): (&Listener, &Server),
    other: &Server,
    place: Option<&Place>,
    address: &str,
) {
    let at = |message: String| Problem {
        place: place.cloned().or_else(|| other.place.clone()),
        ..Problem::nowhere(message)
    };
    let connection = &other.level.connection;
    let (own, theirs) = (connection.limits(), &listener.limits);
    let same = connection.of_listener() == default.level.connection.of_listener()
        && connection.names() == (listener.underscores_in_headers, listener.irregular_headers)
        && (own.head, own.request_line) == (theirs.head, theirs.request_line);
    if !same {
        let message = format!(
            "timeouts and limits of connections of this server differ from those of {address}'s default server"
        );
        cx.notes.warn(at(message).help("the default server's hold for all; write them in \"http\""));
    }
}
