//! `resolver`: who resolves names of servers.

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values::{self, Invalid};
use bifrons_config::units::Dur;
use bifrons_model::{NameServers, Resolver};

settings! {
    /// Who resolves names of servers.
    ResolverSettings {
        servers: NameServers,
        timeout: Dur,
    }
}

const DOC: &str = "Name servers that resolve names: of `proxy_pass` with variables, and of an upstream's servers with \
    `resolve`. `valid=` sets how long answers are good, `ipv4=off` or `ipv6=off` leaves a kind of address out.";

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new("resolver", Contexts::LEVELS.or(Contexts::STREAMS), Args::AtLeast(1), DOC, |cx, d| {
        if let Some(servers) = parse(cx, d) {
            cx.put(d, servers, |cx| &mut cx.level.resolver.servers);
        }
    }),
    Spec::new(
        "resolver_timeout",
        Contexts::LEVELS.or(Contexts::STREAMS),
        Args::Exact(1),
        "How long resolving a name may take.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.resolver.timeout),
    )
    .default("30s"),
    Spec::new(
        "resolver",
        Contexts::UPSTREAM.or(Contexts::STREAM_UPSTREAM),
        Args::AtLeast(1),
        DOC,
        |cx, d| {
            if let Some(servers) = parse(cx, d) {
                cx.put(d, servers, |cx| &mut cx.upstream.resolver.servers);
            }
        },
    ),
    Spec::new(
        "resolver_timeout",
        Contexts::UPSTREAM.or(Contexts::STREAM_UPSTREAM),
        Args::Exact(1),
        "How long resolving a name may take.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.upstream.resolver.timeout),
    )
    .default("30s"),
];

fn parse(cx: &mut Ctx, directive: &Directive) -> Option<NameServers> {
    let mut config =
        NameServers { servers: Vec::new(), valid: None, ipv4: true, ipv6: true, timeout: Dur::secs(30) };
    for word in &directive.args {
        let flag = |value: &str| match value {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        };
        match word.text.split_once('=') {
            Some(("valid", value)) => match values::parse_time(value) {
                Some(valid) => config.valid = Some(valid),
                None => {
                    cx.invalid_parameter(directive, word);
                    return None;
                }
            },
            Some((name @ ("ipv4" | "ipv6"), value)) => {
                let Some(on) = flag(value) else {
                    cx.invalid_parameter(directive, word);
                    return None;
                };
                *(if name == "ipv4" { &mut config.ipv4 } else { &mut config.ipv6 }) = on;
            }
            Some(("status_zone", _)) => cx.accept(directive, "names that are not resolved are logged"),
            _ => config.servers.push(word.text.clone()),
        }
    }
    if config.servers.is_empty() {
        let message = "no name servers defined".to_owned();
        cx.invalid(directive, &directive.args[0], Invalid::Other(message, None));
        return None;
    }
    if !config.ipv4 && !config.ipv6 {
        let message = "\"ipv4\" and \"ipv6\" cannot both be \"off\"".to_owned();
        cx.invalid(directive, &directive.args[0], Invalid::Other(message, None));
        return None;
    }
    Some(config)
}

impl ResolverSettings {
    /// Who resolves; `None` where nothing is said.
    pub(crate) fn emit(&self) -> Option<Resolver> {
        let mut servers = self.servers.clone()?;
        servers.timeout = self.timeout.unwrap_or(servers.timeout);
        Some(Resolver::Servers(servers))
    }
}
