//! How requests are sent on: `proxy_set_header`, timeouts, retries and their like.

use super::super::settings::settings;
use super::headers::{is_field_name, is_framing};
use super::proxy_pass::ProxyPass;
use super::upstream::{default_retry, default_timeouts};
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_config::units::Dur;
use bifrons_config::{At, Template, Var};
use bifrons_filters::config::FieldEdits;
use bifrons_model::HttpVersion;
use bifrons_model::{
    ClientAbort, ConnectionFields, ExpectContinue, HostField, Proxy, Retry, RetryOn, UpstreamTimeouts,
};

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// How requests are sent on.
    ProxySettings {
        set_header: Vec<SetHeader>,
        http_version: HttpVersion,
        connect_timeout: Dur,
        send_timeout: Dur,
        read_timeout: Dur,
        next_upstream: (Vec<RetryOn>, bool),
        next_upstream_tries: u32,
        next_upstream_timeout: Dur,
        ignore_client_abort: bool,
        intercept_errors: bool,
        force_ranges: bool,
        early_hints: Vec<Template>,
        /// The address connections come from; an inner `None` for `off`.
        bind: Option<Bind>,
    }
}

/// Where connections to servers come from.
#[derive(Clone, Debug)]
pub(crate) enum Bind {
    Address(At<String>),
    Variables(Template),
}

/// One `proxy_set_header`.
#[derive(Clone, Debug)]
pub(crate) struct SetHeader {
    name: String,
    value: Template,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "proxy_set_header",
        LEVELS,
        Args::Exact(2),
        "Sets a field of the request that is sent on; an empty value removes it. A block that has any takes \
         none from the enclosing one; `Host` and `Connection` keep their defaults unless they are set.",
        set_header,
    )
    .default("Host $proxy_host; Connection close"),
    Spec::new(
        "proxy_http_version",
        LEVELS,
        Args::Exact(1),
        "The version of HTTP spoken to the server: `1.0`, `1.1`, or `2` (since nginx 1.29.4).",
        |cx, d| {
            let version = |word: &Word| match word.text.as_str() {
                "1.0" => Ok(HttpVersion::V1_0),
                "1.1" => Ok(HttpVersion::V1_1),
                "2" => Ok(HttpVersion::V2),
                _ => Err(Invalid::Choice("1.0, 1.1 or 2")),
            };
            cx.once(d, version, |cx| &mut cx.level.proxy.http_version);
        },
    )
    .default("1.0"),
    Spec::new(
        "proxy_connect_timeout",
        LEVELS,
        Args::Exact(1),
        "How long connecting to a server may take.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.proxy.connect_timeout),
    )
    .default("60s"),
    Spec::new(
        "proxy_send_timeout",
        LEVELS,
        Args::Exact(1),
        "How long a server may take nothing of a request.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.proxy.send_timeout),
    )
    .default("60s"),
    Spec::new(
        "proxy_read_timeout",
        LEVELS,
        Args::Exact(1),
        "How long a server may send nothing of an answer, and how long nothing may move in an upgraded \
         connection.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.proxy.read_timeout),
    )
    .default("60s"),
    Spec::new(
        "proxy_next_upstream",
        LEVELS,
        Args::AtLeast(1),
        "When a request is tried at the next server: `error`, `timeout`, `invalid_header`, `http_403` to \
         `http_504`, `non_idempotent`, or `off`.",
        next_upstream,
    )
    .default("error timeout"),
    Spec::new(
        "proxy_next_upstream_tries",
        LEVELS,
        Args::Exact(1),
        "Tries in all, 0 for as many as there are servers.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.proxy.next_upstream_tries),
    )
    .default("0"),
    Spec::new(
        "proxy_next_upstream_timeout",
        LEVELS,
        Args::Exact(1),
        "Time in which a further try may begin, 0 for any.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.proxy.next_upstream_timeout),
    )
    .default("0"),
    Spec::new(
        "proxy_ignore_client_abort",
        LEVELS,
        Args::Flag,
        "Whether a request runs on when its client is gone.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.proxy.ignore_client_abort),
    )
    .default("off"),
    Spec::new(
        "proxy_intercept_errors",
        LEVELS,
        Args::Flag,
        "Whether `error_page` takes the place of a server's answers from status 300 on.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.proxy.intercept_errors),
    )
    .default("off"),
    Spec::new(
        "proxy_force_ranges",
        LEVELS,
        Args::Flag,
        "Whether a range is cut out of a whole answer (200) of known length that the server gives to a request for \
         it, whatever its `Accept-Ranges` says. Of several ranges the whole answer comes.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.proxy.force_ranges),
    )
    .default("off"),
    Spec::new(
        "early_hints",
        LEVELS,
        Args::AtLeast(1),
        "Hints that a server sends before its answer (103) are passed on where one of these is neither empty nor \
         `0`; not at all where nothing is said.",
        early_hints,
    ),
    Spec::new(
        "proxy_bind",
        LEVELS,
        Args::Range(1, 2),
        "The address that connections to servers come from, with variables, or `off`. Connections from an \
         address with variables are not kept.",
        bind,
    ),
    Spec::accepted("proxy_send_lowat", LEVELS, Args::Exact(1), "nginx itself ignores it on Linux"),
    Spec::accepted("proxy_headers_hash_max_size", LEVELS, Args::Exact(1), "there is no such table"),
    Spec::accepted("proxy_headers_hash_bucket_size", LEVELS, Args::Exact(1), "there is no such table"),
    Spec::accepted("proxy_socket_keepalive", LEVELS, Args::Flag, "timeouts find servers that are gone"),
];

fn set_header(cx: &mut Ctx, directive: &Directive) {
    let name = directive.text(0).to_owned();
    let word = &directive.args[0];
    if !is_field_name(&name) {
        return cx.problem(word, format!("\"{name}\" is no field name"));
    }
    if is_framing(&name) && directive.text(1).is_empty() {
        // The list is this block's own all the same.
        cx.level.proxy.set_header.get_or_insert_default();
        return cx.accept(directive, "the proxy itself says where a body ends");
    }
    if is_own(&name) {
        cx.level.proxy.set_header.get_or_insert_default();
        return cx.accept(directive, "it concerns one connection only, and is not sent (RFC 9110 7.6.1)");
    }
    if is_framing(&name) {
        let what = format!("\"{} {name}\"", directive.name.text);
        return cx.later(word.place.clone(), &what, "where a body ends is the proxy's to say");
    }
    let Some(value) = cx.template(&directive.args[1]) else {
        return;
    };
    let fields = cx.level.proxy.set_header.get_or_insert_default();
    // nginx sends a field as often as it is set; the model's map holds it twice at most.
    if fields.iter().filter(|field| field.name.eq_ignore_ascii_case(&name)).count() == 2 {
        return cx.later(word.place.clone(), &format!("setting \"{name}\" three times"), "");
    }
    fields.push(SetHeader { name, value });
}

/// Fields of one connection that are never passed on (RFC 9110 7.6.1), and that no route says.
fn is_own(name: &str) -> bool {
    ["keep-alive", "proxy-connection", "te"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

fn next_upstream(cx: &mut Ctx, directive: &Directive) {
    let mut on = Vec::new();
    let mut non_idempotent = false;
    for word in &directive.args {
        let what = match word.text.as_str() {
            "error" => RetryOn::Error,
            "timeout" => RetryOn::Timeout,
            "invalid_header" => RetryOn::InvalidHeader,
            "http_403" => RetryOn::Http403,
            "http_404" => RetryOn::Http404,
            "http_429" => RetryOn::Http429,
            "http_500" => RetryOn::Http500,
            "http_502" => RetryOn::Http502,
            "http_503" => RetryOn::Http503,
            "http_504" => RetryOn::Http504,
            "non_idempotent" => {
                non_idempotent = true;
                continue;
            }
            // Of `proxy_allow_upstream`, which is not there to deny anything.
            "denied" => continue,
            "off" => {
                on.clear();
                break;
            }
            _ => {
                let right = "error, timeout, invalid_header, http_500 and the like, non_idempotent or off";
                cx.invalid(directive, word, Invalid::Choice(right));
                continue;
            }
        };
        if !on.contains(&what) {
            on.push(what);
        }
    }
    cx.put(directive, (on, non_idempotent), |cx| &mut cx.level.proxy.next_upstream);
}

fn early_hints(cx: &mut Ctx, directive: &Directive) {
    let texts: Vec<_> = directive.args.iter().filter_map(|word| cx.template(word)).collect();
    if texts.len() == directive.args.len() {
        cx.put(directive, texts, |cx| &mut cx.level.proxy.early_hints);
    }
}

fn bind(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    match directive.arg(1) {
        None => {}
        Some(word) if word.text == "transparent" => {
            let help = "an address of this machine's own can be bound to without it";
            let what = format!("\"transparent\" of \"{}\"", directive.name.text);
            return cx.later(word.place.clone(), &what, help);
        }
        Some(word) => return cx.invalid_parameter(directive, word),
    }
    let address = match word.text.as_str() {
        "off" => None,
        text if text.contains('$') => match cx.template(word) {
            Some(template) => Some(Bind::Variables(template)),
            None => return,
        },
        text if text.parse::<std::net::IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok() => {
            Some(Bind::Address(At::new(text.to_owned(), word.place.clone())))
        }
        text => return cx.problem(word, format!("invalid address \"{text}\"")),
    };
    cx.put(directive, address, |cx| &mut cx.level.proxy.bind);
}

impl ProxySettings {
    /// The action of a location with that `proxy_pass`. `keeps_alive` says whether the cluster does.
    pub(crate) fn emit(&self, pass: &ProxyPass, cluster: At<String>, keeps_alive: bool) -> Proxy {
        let mut host = match pass.is_dynamic() {
            true => Template::var(Var::ProxyHost),
            false => Template::text(&pass.host_field()),
        };
        let (mut connection, mut upgrade): (Option<&Template>, Option<&Template>) = (None, None);
        let mut headers = FieldEdits::default();
        for SetHeader { name, value } in self.set_header.iter().flatten() {
            match name.to_ascii_lowercase().as_str() {
                "host" => host = value.clone(),
                "connection" => connection = Some(value),
                "upgrade" => upgrade = Some(value),
                lower => {
                    let set_before = headers.set.keys().any(|other| other.to_ascii_lowercase() == lower);
                    let fields = if set_before { &mut headers.add } else { &mut headers.set };
                    fields.insert(name.clone(), value.clone());
                }
            }
        }
        let http_version = match pass.grpc {
            true => HttpVersion::V2,
            false => self.http_version.unwrap_or(HttpVersion::V1_0),
        };
        let fields = ConnectionFields {
            connection: connection.cloned().unwrap_or_default(),
            upgrade: upgrade.cloned().unwrap_or_default(),
        };
        let connection = Connection::of(connection);
        Proxy {
            host: HostField::Set(host),
            url: pass.url.clone(),
            bind: match &self.bind {
                Some(Some(Bind::Variables(template))) => Some(template.clone()),
                _ => None,
            },
            replace_path: pass.uri.clone(),
            headers,
            forwarded: Vec::new(),
            http_version: (http_version != HttpVersion::V1_1).then_some(http_version),
            keep_alive: keeps_alive && connection.keeps(http_version),
            upgrade: false,
            // HTTP/2 has no such fields.
            connection: (connection == Connection::Other && http_version != HttpVersion::V2)
                .then_some(fields),
            // As nginx, which reads a body itself before it sends one on.
            expect_continue: ExpectContinue::Answer,
            client_abort: match self.ignore_client_abort {
                Some(true) => ClientAbort::Ignore,
                _ => ClientAbort::CancelOnHalfClose,
            },
            intercept_errors: self.intercept_errors.unwrap_or(false),
            early_hints: Some(self.early_hints.clone().unwrap_or_default()),
            timeouts: self.timeouts(),
            retry: self.retry(),
            ..Proxy::to(cluster)
        }
    }

    /// Timeouts, where they are other than the cluster's.
    fn timeouts(&self) -> Option<UpstreamTimeouts> {
        let default = default_timeouts();
        let timeouts = UpstreamTimeouts {
            connect: self.connect_timeout.unwrap_or(default.connect),
            send: self.send_timeout.unwrap_or(default.send),
            read: self.read_timeout.unwrap_or(default.read),
            tunnel: self.read_timeout.unwrap_or(default.tunnel),
        };
        (timeouts != default).then_some(timeouts)
    }

    /// Retries, where they are other than the cluster's.
    fn retry(&self) -> Option<Retry> {
        let default = default_retry();
        let (on, non_idempotent) = self.next_upstream.clone().unwrap_or((default.on.clone(), false));
        let retry = Retry {
            on,
            attempts: self.next_upstream_tries.unwrap_or(default.attempts),
            timeout: self.next_upstream_timeout.unwrap_or(default.timeout),
            non_idempotent,
        };
        (retry != default).then_some(retry)
    }

    /// The address connections come from.
    pub(crate) fn bind(&self) -> Option<At<String>> {
        match &self.bind {
            Some(Some(Bind::Address(address))) => Some(address.clone()),
            _ => None,
        }
    }
}

/// What a location does with the `Connection` field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    /// `close`, the default.
    Close,
    /// Nothing, or nothing of note, is sent.
    Empty,
    /// `keep-alive`.
    KeepAlive,
    /// `upgrade`, or something with variables that may be that.
    Other,
}

impl Connection {
    fn of(value: Option<&Template>) -> Self {
        match value.map(|value| value.as_text().map(str::to_ascii_lowercase)) {
            None => Self::Close,
            Some(None) => Self::Other,
            Some(Some(text)) => match text.as_str() {
                "close" => Self::Close,
                "" => Self::Empty,
                "keep-alive" => Self::KeepAlive,
                _ => Self::Other,
            },
        }
    }

    /// Whether the server is left free to keep the connection.
    fn keeps(self, version: HttpVersion) -> bool {
        match self {
            // HTTP/2 has no such field.
            _ if version == HttpVersion::V2 => true,
            Self::Close => false,
            Self::KeepAlive => true,
            // HTTP/1.0 closes unless it is asked not to.
            Self::Empty | Self::Other => version == HttpVersion::V1_1,
        }
    }
}
