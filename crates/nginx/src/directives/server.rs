//! `server`: `listen` and `server_name`.

use crate::context::{Ctx, split_help};
use crate::directive::{Args, Contexts, Spec};
use crate::level::Level;
use crate::tree::{Directive, Word};
use crate::values;
use bifrons_config::units::Size;
use bifrons_config::{At, Place, Problem};
use bifrons_route::host::{HostForm, HostName, HostNameError};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One `server` block.
#[derive(Debug, Default)]
pub(crate) struct Server {
    pub(crate) level: Level,
    pub(crate) listens: Vec<Listen>,
    /// As the model writes them; none means `""`.
    pub(crate) names: Vec<At<String>>,
    /// Of the word `server`.
    pub(crate) place: Option<Place>,
}

/// One address of a `listen`.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    /// `0.0.0.0:80`, `[::]:80` or `unix:/path`.
    pub(crate) address: String,
    pub(crate) default: bool,
    /// Whether HTTP/2 is asked for, which holds for all servers of the address.
    pub(crate) http2: bool,
    pub(crate) options: SocketOptions,
    pub(crate) place: Place,
}

/// What may be said of a socket, by one of its servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SocketOptions {
    pub(crate) backlog: Option<u32>,
    pub(crate) ipv6_only: Option<bool>,
    /// `so_keepalive`: whether, and idle, interval in seconds and count.
    pub(crate) keep_alive: Option<(bool, [Option<u32>; 3])>,
    pub(crate) receive_buffer: Option<u64>,
    pub(crate) send_buffer: Option<u64>,
    /// An option without effect here.
    pub(crate) other: bool,
    /// Whether it speaks TLS; any server of the address may say so.
    pub(crate) ssl: bool,
    /// Whether a header of the PROXY protocol comes first; any server of the address may say so.
    pub(crate) proxy_protocol: bool,
}

/// More addresses than a range of ports in one `listen` may make: each is a socket per worker.
pub(super) const PORTS_MAX: usize = 1024;

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new("server", Contexts::HTTP, Args::Block(0, 0), "A virtual host.", |cx, d| {
        let outer = std::mem::take(&mut cx.server);
        let level = cx.level(Contexts::SERVER, Level::default(), d);
        let server = std::mem::replace(&mut cx.server, outer);
        cx.http.servers.push(Server { level, place: Some(d.name.place.clone()), ..server });
    }),
    Spec::new(
        "listen",
        Contexts::SERVER,
        Args::AtLeast(1),
        "An address the server is reached at: a port, `address:port`, `[v6]:port`, `unix:/path`; with \
         `default_server` for requests that no name fits (the first server of an address is it otherwise), \
         `backlog=`, `ipv6only=`; `ssl` for TLS; `proxy_protocol` where a header of the PROXY protocol comes first; with `http2` HTTP/2, which without `ssl` is then all that is \
          spoken there. Servers of one address share its listener.",
        listen,
    )
    .default("*:80"),
    Spec::new(
        "server_name",
        Contexts::SERVER,
        Args::AtLeast(1),
        "Names of the host: exact, `*.example.com`, `.example.com`, `www.example.*`, `~regex`, \
         `$hostname` for the machine's own.",
        server_name,
    )
    .default("\"\""),
];

fn listen(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    let addresses = match addresses(&word.text) {
        Ok(addresses) => addresses,
        Err(ListenError::Port) => {
            return cx
                .problem(word, format!("invalid port in \"{}\" of the \"listen\" directive", word.text));
        }
        Err(ListenError::Host) => {
            let help = "write an address, or a port alone for all IPv4 addresses";
            let message = format!("host not found in \"{}\" of the \"listen\" directive", word.text);
            return cx.problem_help(word, message, help);
        }
        Err(ListenError::Many) => {
            return cx.problem(word, format!("more than {PORTS_MAX} ports in one \"listen\" directive"));
        }
    };
    let mut default = false;
    let mut http2 = false;
    let mut options = SocketOptions::default();
    for word in directive.args.iter().skip(1) {
        match word.text.as_str() {
            "default_server" | "default" => default = true,
            "http2" => http2 = true,
            _ => listen_parameter(cx, directive, word, &mut options),
        }
    }
    for address in addresses {
        if cx.server.listens.iter().any(|other| other.address == address) {
            return cx.problem(word, format!("a duplicate listen {address}"));
        }
        let place = word.place.clone();
        cx.server.listens.push(Listen { address, default, http2, options, place });
    }
}

fn listen_parameter(cx: &mut Ctx, directive: &Directive, word: &Word, options: &mut SocketOptions) {
    let (name, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
    match name {
        "backlog" => match values::digits(value).and_then(|number| u32::try_from(number).ok()) {
            Some(number @ 1..) => options.backlog = Some(number),
            _ => cx.problem(word, format!("invalid backlog \"{}\"", word.text)),
        },
        "ipv6only" => match value {
            "on" => options.ipv6_only = Some(true),
            "off" => options.ipv6_only = Some(false),
            _ => cx.problem(word, format!("invalid ipv6only flags \"{value}\"")),
        },
        "reuseport" | "deferred" | "bind" | "fastopen" => {
            options.other = true;
            cx.notes.accepted.push((
                word.place.clone(),
                format!("\"{name}\" of \"listen\": each worker has a socket of its own to each address"),
            ));
        }
        "ssl" => options.ssl = true,
        "proxy_protocol" => options.proxy_protocol = true,
        "so_keepalive" => match so_keepalive(value) {
            Some(keep_alive) => options.keep_alive = Some(keep_alive),
            None => cx.problem(word, format!("invalid so_keepalive value: \"{value}\"")),
        },
        "rcvbuf" | "sndbuf" => match values::parse_size(value) {
            Some(Size(bytes)) if name == "rcvbuf" => options.receive_buffer = Some(bytes),
            Some(Size(bytes)) => options.send_buffer = Some(bytes),
            None => cx.problem(word, format!("invalid {name} \"{}\"", word.text)),
        },
        "quic" | "spdy" | "setfib" | "accept_filter" | "multipath" => {
            cx.later(word.place.clone(), &format!("\"{name}\" of \"listen\""), "");
        }
        _ => cx.invalid_parameter(directive, word),
    }
}

/// `on`, `off` or `idle:interval:count`, each of which may be left out, and what follows it too.
fn so_keepalive(value: &str) -> Option<(bool, [Option<u32>; 3])> {
    match value {
        "on" => return Some((true, [None; 3])),
        "off" => return Some((false, [None; 3])),
        _ => {}
    }
    let (idle, rest) = value.split_once(':').unwrap_or((value, ""));
    let (interval, count) = rest.split_once(':').unwrap_or((rest, ""));
    let seconds = |text: &str| {
        let whole = values::parse_time(text)?.0.as_secs();
        u32::try_from(whole).ok().filter(|whole| *whole > 0)
    };
    let number = |text: &str| values::digits(text).and_then(|number| u32::try_from(number).ok());
    let part = |text: &str, read: &dyn Fn(&str) -> Option<u32>| match text {
        "" => Some(None),
        text => read(text).map(Some),
    };
    let parts = [part(idle, &seconds)?, part(interval, &seconds)?, part(count, &number)?];
    parts.iter().any(Option::is_some).then_some((true, parts))
}

pub(super) enum ListenError {
    Port,
    Host,
    Many,
}

/// The addresses that the first word of a `listen` means, in the model's spelling.
pub(super) fn addresses(text: &str) -> Result<Vec<String>, ListenError> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path.is_empty() {
            true => Err(ListenError::Host),
            false => Ok(vec![format!("unix:{path}")]),
        };
    }
    let (host, ports) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => {
            let host: Ipv6Addr = host.parse().map_err(|_| ListenError::Host)?;
            let ports = match rest {
                "" => "80",
                _ => rest.strip_prefix(':').ok_or(ListenError::Port)?,
            };
            (format!("[{host}]"), ports)
        }
        None => {
            let (host, ports) = match text.split_once(':') {
                Some(parts) => parts,
                None if text.starts_with(|c: char| c.is_ascii_digit()) && !text.contains('.') => ("*", text),
                None => (text, "80"),
            };
            let host = match host {
                "*" => Ipv4Addr::UNSPECIFIED,
                "localhost" => Ipv4Addr::LOCALHOST,
                // A number for a host is a port for the hasty; nginx says so too.
                _ => host.parse().map_err(|_| match values::digits(ports) {
                    Some(1..=65535) => ListenError::Host,
                    _ => ListenError::Port,
                })?,
            };
            (host.to_string(), ports)
        }
    };
    let port = |text: &str| match values::digits(text) {
        Some(port @ 1..=65535) => Ok(port),
        _ => Err(ListenError::Port),
    };
    let (first, last) = match ports.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(ports)?, port(ports)?),
    };
    if first > last {
        return Err(ListenError::Port);
    }
    if (last - first) as usize >= PORTS_MAX {
        return Err(ListenError::Many);
    }
    Ok((first..=last).map(|port| format!("{host}:{port}")).collect())
}

fn server_name(cx: &mut Ctx, directive: &Directive) {
    for word in &directive.args {
        let text = match word.text.eq_ignore_ascii_case("$hostname") {
            true => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            false => word.text.clone(),
        };
        match text.parse::<HostName>() {
            Ok(name) => {
                let text = match name.form() {
                    HostForm::Regex(_) => word.text.clone(),
                    _ => name.to_string(),
                };
                cx.server.names.push(At::new(text, word.place.clone()));
            }
            Err(err) => wrong_name(cx, word, &err),
        }
    }
}

fn wrong_name(cx: &mut Ctx, word: &Word, err: &HostNameError) {
    let (why, help) = split_help(&err.to_string());
    let text = &word.text;
    let refuses = match err {
        HostNameError::Regex(_) | HostNameError::EmptyRegex => return cx.wrong(word, &err.to_string()),
        HostNameError::StarAlone | HostNameError::EmptyLabel(_) => true,
        HostNameError::Star(_) => text.starts_with("*.") || text.ends_with(".*"),
        _ => false,
    };
    if refuses {
        return cx.problem_help(word, format!("invalid server name or wildcard \"{text}\""), why);
    }
    // nginx takes it as a name, though no request can have it.
    let message = format!("server name \"{text}\" matches no request");
    cx.notes.warn(Problem::at(word.place.clone(), message).help(help.unwrap_or(why)));
}
