//! `stream` to the model: a listener for each address, with one route, and clusters.
//!
//! In nginx how servers are talked to is said by `server`, and which there are by `upstream`. Here a cluster has
//! both, so that an upstream that is talked to in two ways makes two. Where a variable names the upstream, a
//! cluster without endpoints has the way, and the upstream's own the endpoints.

use crate::context::Ctx;
use crate::directives::in_flight as limits;
use crate::directives::proxy_pass::ProxyPass;
use crate::directives::stream::{StreamAction, StreamListen, StreamServer};
use crate::directives::upstream::{self, Upstream};
use crate::level::Level;
use bifrons_config::units::Dur;
use bifrons_config::{At, OneOrMany, Place, Problem, Source, Template};
use bifrons_filters::{FilterConfig, access, in_flight};
use bifrons_model::{
    ClientAddress, Cluster, Config, Listener, ProxyHeaderIn, ProxyHeaderOut, ProxyHeaderWord, Resolver,
    Retry, RetryOn, Tcp, TcpRoute, Timeouts, Udp, UdpRoute, UpstreamTimeouts,
};
use bifrons_observe::config::AccessLogs;

/// Adds what `stream` holds.
pub(super) fn emit(cx: &mut Ctx, config: &mut Config) {
    let stream = std::mem::take(&mut cx.stream);
    for (name, upstream) in &stream.upstreams {
        let cluster = cluster(&stream.level, upstream, None);
        if config.clusters.get(name).is_some_and(|other| *other != cluster) {
            let problem = Problem::nowhere(format!("upstream \"{name}\" is in \"http\" and in \"stream\""));
            cx.notes.problem(problem.help("give one of them another name"));
        }
        config.clusters.insert(name.clone(), cluster);
    }
    for mut server in stream.servers {
        server.level.inherit(&stream.level);
        let target = target(cx, &server, &stream.upstreams, config);
        let in_flight = limits::emit(cx, &server.level, &stream.zones);
        let listens = std::mem::take(&mut server.listens);
        for listen in &listens {
            let name = format!("stream:{}{}", if listen.udp { "udp:" } else { "" }, listen.address);
            let listener = listener(cx, (&server, listen), &target, in_flight.clone());
            config.listeners.insert(name, listener);
        }
    }
}

/// Where a server leads.
#[derive(Default)]
struct Target {
    cluster: Option<At<String>>,
    to: Option<Template>,
    respond: Option<Template>,
}

fn target(
    cx: &mut Ctx,
    server: &StreamServer,
    upstreams: &indexmap::IndexMap<String, Upstream>,
    config: &mut Config,
) -> Target {
    let (word, to) = match &server.action {
        None => return Target::default(),
        Some(StreamAction::Return(text)) => {
            return Target { respond: Some(text.clone()), ..Target::default() };
        }
        Some(StreamAction::Pass(word, to)) => (word, to.clone()),
    };
    let tls = (server.level.stream.secured == Some(true)).then(|| {
        let host = word.text.clone();
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let pass = ProxyPass { host, port, uri: None, url: None, tls: true, grpc: false, word: word.clone() };
        server.level.proxy_ssl.emit(cx, &pass)
    });
    let known = |name: &str| upstreams.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let made;
    let (base, upstream) = match (&to, known(&word.text)) {
        (Some(_), _) => {
            made = Upstream::dynamic(server.level.resolver.emit().unwrap_or(Resolver::None));
            (word.text.clone(), &made)
        }
        (None, Some((name, upstream))) => (name.clone(), upstream),
        (None, None) => {
            cx.context = crate::directive::Contexts::STREAM_SERVER;
            let address = upstream::address(cx, word, &word.text);
            cx.context = crate::directive::Contexts::MAIN;
            let Some(address) = address else { return Target::default() };
            made = Upstream::implicit(address, &word.place);
            (word.text.clone(), &made)
        }
    };
    let cluster = cluster(&server.level, upstream, tls);
    let name = unused(config, base, &cluster);
    config.clusters.insert(name.clone(), cluster);
    Target { cluster: Some(At::new(name, word.place.clone())), to, respond: None }
}

/// A name for the cluster that no other has.
fn unused(config: &Config, base: String, cluster: &Cluster) -> String {
    let mut name = base.clone();
    for number in 2.. {
        match config.clusters.get(&name) {
            Some(other) if other != cluster => name = format!("{base}#{number}"),
            _ => break,
        }
    }
    name
}

/// The upstream's endpoints, talked to as a server says.
fn cluster(level: &Level, upstream: &Upstream, tls: Option<bifrons_tls::UpstreamTls>) -> Cluster {
    let stream = &level.stream;
    let bind = stream.bind.clone().filter(|bind| bind != "off").map(At::from);
    let plain = upstream.emit(bind, &level.resolver);
    let idle = stream.timeout.unwrap_or(Dur::secs(600));
    Cluster {
        tls,
        proxy_protocol: (stream.sends_header == Some(true)).then_some(ProxyHeaderOut::V1),
        timeouts: UpstreamTimeouts {
            connect: stream.connect_timeout.unwrap_or(Dur::secs(60)),
            send: idle,
            read: idle,
            tunnel: idle,
        },
        retry: Retry {
            on: match stream.next {
                Some(false) => Vec::new(),
                _ => vec![RetryOn::Error, RetryOn::Timeout],
            },
            attempts: stream.next_tries.unwrap_or(0),
            timeout: stream.next_timeout.unwrap_or(Dur::secs(0)),
            non_idempotent: false,
        },
        ..plain
    }
}

fn listener(
    cx: &mut Ctx,
    (server, listen): (&StreamServer, &StreamListen),
    target: &Target,
    in_flight: Option<in_flight::Config>,
) -> Listener {
    let level = &server.level;
    let stream = &level.stream;
    let access_log: Option<AccessLogs> = Some(level.log.emit().unwrap_or(OneOrMany(Vec::new())));
    let access = access_of(level);
    let idle = stream.timeout.unwrap_or(Dur::secs(600));
    let trusted = level.realip.emit().trusted;
    let mut listener = Listener {
        bind: OneOrMany::one(At::new(listen.address.clone(), listen.place.clone())),
        backlog: listen.backlog.unwrap_or(super::listeners::BACKLOG),
        ipv6_only: listen.ipv6_only.unwrap_or(true),
        ..Listener::default()
    };
    if stream.preread == Some(true) && (listen.udp || listen.ssl) {
        let why = match listen.udp {
            true => "\"ssl_preread\" has no effect on a \"listen ... udp\": datagrams have no ClientHello",
            false => {
                "\"ssl_preread\" has no effect on a \"listen ... ssl\": TLS ends here, nothing is read ahead"
            }
        };
        let problem = Problem::at(listen.place.clone(), why);
        cx.notes.warn(problem.help("$ssl_server_name is the name where TLS ends here"));
    }
    let place = server.place.clone().unwrap_or_else(|| Place::new(&Source::new("", ""), 0..0));
    if listen.udp {
        let route = UdpRoute {
            name: Some(listen.address.clone()),
            proxy: target.cluster.clone(),
            to: target.to.clone(),
            respond: target.respond.clone(),
            access,
            set: OneOrMany(server.set.clone()),
            in_flight,
            responses: stream.responses,
            requests: stream.requests.unwrap_or(0),
            idle,
            access_log,
            ..UdpRoute::default()
        };
        listener.udp = Some(Udp {
            routes: vec![At::new(route, place)],
            sessions: Udp::SESSIONS,
            sessions_per_address: 0,
        });
        return listener;
    }
    let route = TcpRoute {
        name: Some(listen.address.clone()),
        proxy: target.cluster.clone(),
        to: target.to.clone(),
        respond: target.respond.clone(),
        access,
        set: OneOrMany(server.set.clone()),
        in_flight,
        terminate: listen.ssl,
        idle: Some(idle),
        access_log,
        ..TcpRoute::default()
    };
    let look = stream.preread == Some(true) && !listen.ssl;
    listener.tcp = Some(Tcp {
        routes: vec![At::new(route, place)],
        first_bytes: stream.preread_timeout.unwrap_or(Dur::secs(30)),
        look,
        starttls: None,
    });
    if listen.ssl {
        if !level.ssl.is_there() {
            let message = "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive";
            let problem = Problem::at(listen.place.clone(), message);
            cx.notes.problem(problem.help("add \"ssl_certificate site.crt; ssl_certificate_key site.key;\""));
        } else {
            listener.tls = Some(level.ssl.emit(cx));
        }
    }
    if listen.proxy_protocol {
        listener.proxy_protocol = ProxyHeaderIn::Required;
        listener.proxy_protocol_client = match trusted.is_empty() {
            true => ProxyHeaderWord::None,
            false => ProxyHeaderWord::Trusted,
        };
        listener.client = ClientAddress { trusted, ..ClientAddress::default() };
    }
    listener.timeouts = Timeouts {
        handshake: stream.handshake_timeout.unwrap_or(Dur::secs(60)),
        head: stream.proxy_header_timeout.unwrap_or(Dur::secs(30)),
        send: idle,
        ..Timeouts::default()
    };
    listener
}

/// `allow` and `deny`.
fn access_of(level: &Level) -> Option<access::Config> {
    level.access.emit().into_iter().find_map(|filter| match filter {
        FilterConfig::Access(access) => Some(access),
        _ => None,
    })
}
