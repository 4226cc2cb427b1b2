//! `proxy_pass`: where requests are sent.

use super::location::Matcher;
use super::upstream;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use bifrons_balance::Address;
use bifrons_config::{Place, Template};

/// Where requests of a location are sent.
#[derive(Clone, Debug)]
pub(crate) struct ProxyPass {
    /// As written: an upstream's name, `host`, `host:port` or `unix:/path`.
    pub(crate) host: String,
    /// Whether a port is written.
    pub(crate) port: Option<u16>,
    /// What takes the place of the matched path.
    pub(crate) uri: Option<String>,
    /// Whether it is spoken to over TLS.
    pub(crate) tls: bool,
    /// Whether calls of gRPC are sent there.
    pub(crate) grpc: bool,
    /// The whole of it, where it has variables.
    pub(crate) url: Option<Template>,
    pub(crate) word: Word,
}

pub(crate) const DIRECTIVES: &[Spec] = &[Spec::new(
    "proxy_pass",
    Contexts::LOCATION.or(Contexts::IF).or(Contexts::LIMIT_EXCEPT),
    Args::Exact(1),
    "Where requests are sent: `http://upstream`, `http://address:port`, `http://unix:/path`, or `https://` for TLS. A path behind it \
     takes the place of the location's prefix; without one the path is sent as it came. With variables, a name \
     that is no upstream's is resolved by the `resolver`, and a path takes the place of the whole path and query.",
    |cx, d| {
        if let Some(pass) = parse(cx, d) {
            cx.put(d, pass, |cx| &mut cx.level.pass);
        }
    },
)];

fn parse(cx: &mut Ctx, directive: &Directive) -> Option<ProxyPass> {
    let word = &directive.args[0];
    if word.text.contains('$') {
        return with_variables(cx, word);
    }
    let tls = word.text.starts_with("https://");
    let Some(url) = word.text.strip_prefix(if tls { "https://" } else { "http://" }) else {
        cx.problem_help(word, "invalid URL prefix", format!("write http://{}", word.text));
        return None;
    };
    let (host, uri) = split(url);
    if host.is_empty() {
        cx.problem(word, format!("no host in upstream \"{url}\""));
        return None;
    }
    let names_no_prefix = cx.context.meets(Contexts::IF.or(Contexts::LIMIT_EXCEPT))
        || matches!(cx.level.matcher, Some(Matcher::Regex(_) | Matcher::Named(_)));
    if uri.is_some() && names_no_prefix {
        let message = "\"proxy_pass\" cannot have URI part in location given by regular expression, or \
            inside named location, or inside \"if\" statement, or inside \"limit_except\" block";
        cx.problem(word, message);
        return None;
    }
    let port = if host.starts_with("unix:") { None } else { written_port(host) };
    // What begins with a query stands for the root.
    let uri = uri.map(|uri| if uri.starts_with('?') { format!("/{uri}") } else { uri.to_owned() });
    Some(ProxyPass { host: host.to_owned(), port, uri, url: None, tls, grpc: false, word: word.clone() })
}

/// Where a request goes is known when it comes.
fn with_variables(cx: &mut Ctx, word: &Word) -> Option<ProxyPass> {
    let url = cx.template(word)?;
    let host = match word.text.split_once("://") {
        Some(("https", _)) => {
            cx.later(word.place.clone(), "\"proxy_pass\" to https", "");
            return None;
        }
        Some(("http", rest)) => split(rest).0,
        // The variable has the scheme too.
        _ => word.text.split(['/', '?']).next().unwrap_or_default(),
    };
    Some(ProxyPass {
        host: host.to_owned(),
        port: None,
        uri: None,
        url: Some(url),
        tls: false,
        grpc: false,
        word: word.clone(),
    })
}

/// Where a `grpc_pass` leads: a scheme may stand there, and no path.
pub(crate) fn parse_grpc(cx: &mut Ctx, word: &Word) -> Option<ProxyPass> {
    let (tls, host) = match (word.text.strip_prefix("grpc://"), word.text.strip_prefix("grpcs://")) {
        (Some(host), _) => (false, host),
        (None, Some(host)) => (true, host),
        (None, None) => (false, &*word.text),
    };
    let (_, uri) = split(host);
    if host.is_empty() || uri.is_some() {
        let help = "write a host and a port, such as grpc://127.0.0.1:50051";
        cx.problem_help(word, format!("invalid host in upstream \"{host}\""), help);
        return None;
    }
    let is_dynamic = host.contains('$');
    if is_dynamic && tls {
        cx.later(word.place.clone(), "\"grpc_pass\" to grpcs with variables", "name the upstream");
        return None;
    }
    // A variable may have the scheme itself.
    let url = match is_dynamic {
        true => Some(cx.template_of(word, &format!("grpc://{host}"))?),
        false => None,
    };
    let port = if host.starts_with("unix:") || is_dynamic { None } else { written_port(host) };
    Some(ProxyPass { host: host.to_owned(), port, uri: None, url, tls, grpc: true, word: word.clone() })
}

/// Host with port, and what comes behind.
fn split(url: &str) -> (&str, Option<&str>) {
    if let Some(path) = url.strip_prefix("unix:") {
        // The socket's path ends at a colon.
        return match path.find(':') {
            Some(at) => (&url[..at + "unix:".len()], Some(&path[at + 1..]).filter(|uri| !uri.is_empty())),
            None => (url, None),
        };
    }
    match url.find(['/', '?']) {
        Some(at) => (&url[..at], Some(&url[at..])),
        None => (url, None),
    }
}

/// The port behind the last colon that belongs to no IPv6 address.
fn written_port(host: &str) -> Option<u16> {
    let rest = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    rest.rsplit_once(':')?.1.parse().ok()
}

impl ProxyPass {
    /// Whether the address has variables.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.url.is_some()
    }

    /// Scheme and host, as written.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.host)
    }

    /// `$proxy_host`, and the name of the cluster where no `upstream` has it.
    pub(crate) fn name(&self) -> String {
        // nginx leaves the protocol's own port out.
        let usual = if self.tls { ":443" } else { ":80" };
        match self.port {
            Some(_) if self.grpc => self.host.clone(),
            Some(_) => self.host.strip_suffix(usual).unwrap_or(&self.host).to_owned(),
            None => self.host.clone(),
        }
    }

    /// The `Host` field that is sent where none is set.
    pub(crate) fn host_field(&self) -> String {
        if self.host.starts_with("unix:") { "localhost".to_owned() } else { self.name() }
    }

    /// The host without its port.
    pub(crate) fn bare_host(&self) -> &str {
        match self.port {
            Some(_) => self.host.rsplit_once(':').map_or(&self.host, |(host, _)| host),
            None => &self.host,
        }
    }

    /// The address it leads to where no `upstream` has the name.
    pub(crate) fn address(&self, cx: &mut Ctx) -> Option<Address> {
        let is_bare = self.port.is_none() && !self.host.starts_with("unix:");
        match self.tls && is_bare {
            true => upstream::address(cx, &self.word, &format!("{}:443", self.host)),
            false => upstream::address(cx, &self.word, &self.host),
        }
    }

    /// What the directives of its family begin with.
    pub(crate) fn family(&self) -> &'static str {
        if self.grpc { "grpc" } else { "proxy" }
    }

    /// Where it is written.
    pub(crate) fn place(&self) -> &Place {
        &self.word.place
    }
}
