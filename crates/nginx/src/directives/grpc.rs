//! `grpc_pass` and its family: calls of gRPC to servers, over HTTP/2. What the directives say is what those of
//! `proxy_pass` say, for settings of their own: a row here carries out the row of the same name there.

use super::proxy::ProxySettings;
use super::proxy_answers::AnswerSettings;
use super::proxy_pass;
use super::proxy_ssl::ProxySslSettings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::directives::buffering::BodySettings;
use crate::directives::named;
use crate::level::Level;
use crate::tree::Directive;
use crate::values;
use bifrons_model::{Proxy, Switch};

const LEVELS: Contexts = Contexts::LEVELS;

/// The settings of `proxy_…` once more, of calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct GrpcSettings {
    pub(crate) proxy: ProxySettings,
    pub(crate) answers: AnswerSettings,
    pub(crate) ssl: ProxySslSettings,
    body: BodySettings,
}

#[rustfmt::skip]
pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "grpc_pass",
        Contexts::LOCATION.or(Contexts::IF),
        Args::Exact(1),
        "Where calls of gRPC are sent: `grpc://upstream`, `grpc://address:port`, `grpc://unix:/path`, `grpcs://` for \
         TLS, or the same without a scheme. With variables, a name that is no upstream's is resolved by the \
         `resolver`.",
        |cx, d| {
            if let Some(pass) = proxy_pass::parse_grpc(cx, &d.args[0]) {
                cx.put(d, pass, |cx| &mut cx.level.pass);
            }
        },
    ),
    as_proxy("grpc_set_header", LEVELS, Args::Exact(2), "Host $proxy_host"),
    as_proxy("grpc_connect_timeout", LEVELS, Args::Exact(1), "60s"),
    as_proxy("grpc_send_timeout", LEVELS, Args::Exact(1), "60s"),
    as_proxy("grpc_read_timeout", LEVELS, Args::Exact(1), "60s"),
    as_proxy("grpc_next_upstream", LEVELS, Args::AtLeast(1), "error timeout"),
    as_proxy("grpc_next_upstream_tries", LEVELS, Args::Exact(1), "0"),
    as_proxy("grpc_next_upstream_timeout", LEVELS, Args::Exact(1), "0"),
    as_proxy("grpc_intercept_errors", LEVELS, Args::Flag, "off"),
    as_proxy("grpc_bind", LEVELS, Args::Range(1, 2), ""),
    as_proxy("grpc_hide_header", LEVELS, Args::Exact(1), ""),
    as_proxy("grpc_pass_header", LEVELS, Args::Exact(1), ""),
    as_proxy("grpc_ignore_headers", LEVELS, Args::AtLeast(1), ""),
    as_proxy("grpc_ssl_certificate", LEVELS, Args::Exact(1), ""),
    as_proxy("grpc_ssl_certificate_key", LEVELS, Args::Exact(1), ""),
    as_proxy("grpc_ssl_trusted_certificate", LEVELS, Args::Exact(1), ""),
    as_proxy("grpc_ssl_crl", LEVELS, Args::Exact(1), ""),
    as_proxy("grpc_ssl_verify", LEVELS, Args::Flag, "off"),
    as_proxy("grpc_ssl_verify_depth", LEVELS, Args::Exact(1), "1"),
    as_proxy("grpc_ssl_name", LEVELS, Args::Exact(1), "$proxy_host"),
    as_proxy("grpc_ssl_server_name", LEVELS, Args::Flag, "off"),
    as_proxy("grpc_ssl_session_reuse", LEVELS, Args::Flag, "on"),
    as_proxy("grpc_ssl_protocols", LEVELS, Args::AtLeast(1), "TLSv1.2 TLSv1.3"),
    as_proxy("grpc_ssl_ciphers", LEVELS, Args::Exact(1), "DEFAULT"),
    Spec::accepted("grpc_ssl_password_file", LEVELS, Args::Exact(1), "keys must not be encrypted; an encrypted one is an error"),
    Spec::accepted("grpc_ssl_conf_command", LEVELS, Args::Exact(2), "commands of OpenSSL mean nothing to the library that is used"),
    Spec::accepted("grpc_socket_keepalive", LEVELS, Args::Flag, "timeouts find servers that are gone"),
    Spec::judged(
        "grpc_buffer_size",
        LEVELS,
        Args::Exact(1),
        "messages are passed on as they come",
        |cx, d| {
            if let Err(invalid) = values::size(&d.args[0]) {
                cx.invalid(d, &d.args[0], invalid);
            }
        },
    ),
    Spec::later("grpc_ssl_certificate_cache", ""),
    Spec::later("grpc_ssl_key_log", ""),
];

/// A row that does what the row of `proxy_…` does, to the settings of calls.
const fn as_proxy(name: &'static str, contexts: Contexts, args: Args, default: &'static str) -> Spec {
    Spec::new(
        name,
        contexts,
        args,
        "As the directive of the same name with `proxy_`, for `grpc_pass`.",
        |cx, d| {
            let name = d.name.text.replacen("grpc_", "proxy_", 1);
            // A test holds that there is one for each row.
            if let Some(row) = named(&name).iter().find(|row| row.contexts.meets(cx.context)) {
                apply(cx, d, row);
            }
        },
    )
    .default(default)
}

fn apply(cx: &mut Ctx, directive: &Directive, row: &Spec) {
    swap(&mut cx.level);
    (row.apply)(cx, directive);
    swap(&mut cx.level);
}

/// Puts the settings of calls where those of `proxy_…` are, and those there.
fn swap(level: &mut Level) {
    std::mem::swap(&mut level.proxy, &mut level.grpc.proxy);
    std::mem::swap(&mut level.answers, &mut level.grpc.answers);
    std::mem::swap(&mut level.proxy_ssl, &mut level.grpc.ssl);
    std::mem::swap(&mut level.body, &mut level.grpc.body);
}

impl GrpcSettings {
    /// Takes from the enclosing block what this one does not say.
    pub(crate) fn inherit(&mut self, outer: &Self) {
        self.proxy.inherit(&outer.proxy);
        self.answers.inherit(&outer.answers);
        self.ssl.inherit(&outer.ssl);
        self.body.inherit(&outer.body);
    }

    /// Writes how the bodies of calls go: as they come, with their trailers.
    pub(crate) fn emit_bodies(&self, proxy: &mut Proxy) {
        proxy.request_buffering.mode = Switch::Off;
        proxy.response_buffering.mode = Switch::Off;
        proxy.trailers = true;
        self.body.emit_heeded(proxy);
    }
}

#[cfg(test)]
mod tests;
