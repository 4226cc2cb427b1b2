//! The client's real address behind other proxies: `set_real_ip_from` and its like.

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values;
use bifrons_config::{At, Problem};
use bifrons_model::{ClientAddress, ProxyHeaderWord};
use bifrons_route::ipset::parse_cidr;

const SERVERS: Contexts = Contexts::SERVERS;

settings! {
    /// Who may tell the client's address, and how.
    RealIpSettings {
        trusted: Vec<At<String>>,
        field: String,
        recursive: bool,
    }
}

/// nginx takes them in locations too; here a request's address is settled before its route is looked for.
pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "set_real_ip_from",
        SERVERS.or(Contexts::STREAMS),
        Args::Exact(1),
        "A network of proxies that may tell the client's address, such as `10.0.0.0/8`; `unix:` for clients of \
         Unix sockets.",
        set_real_ip_from,
    ),
    Spec::new(
        "real_ip_header",
        Contexts::LEVELS,
        Args::Exact(1),
        "The field that tells the client's address, or `proxy_protocol` for the header in front of the connection.",
        |cx, d| {
            if !is_too_late(cx, d) {
                cx.once(d, values::text, |cx| &mut cx.level.realip.field);
            }
        },
    )
    .default("X-Real-IP"),
    Spec::new(
        "real_ip_recursive",
        Contexts::LEVELS,
        Args::Flag,
        "Whether the addresses of known proxies are skipped from the right, and not only the last address taken.",
        |cx, d| {
            if !is_too_late(cx, d) {
                cx.once(d, values::flag, |cx| &mut cx.level.realip.recursive);
            }
        },
    )
    .default("off"),
];

/// Warns of what a location says: the address is settled by then.
fn is_too_late(cx: &mut Ctx, directive: &Directive) -> bool {
    if cx.context == Contexts::LOCATION {
        let message = format!("\"{}\" of a location has no effect", directive.name.text);
        let help = "a client's address is settled before the location is looked for; write it in the server";
        cx.notes.warn(Problem::at(directive.place.clone(), message).help(help));
    }
    cx.context == Contexts::LOCATION
}

fn set_real_ip_from(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    if word.text == "unix:" {
        let trusted = At::new(word.text.clone(), word.place.clone());
        return cx.level.realip.trusted.get_or_insert_default().push(trusted);
    }
    if let Err(err) = parse_cidr(&word.text) {
        let (_, help) = crate::context::split_help(&err.to_string());
        let message = format!("host not found in set_real_ip_from \"{}\"", word.text);
        return cx.invalid(directive, word, values::Invalid::Other(message, help));
    }
    let trusted = At::new(word.text.clone(), word.place.clone());
    cx.level.realip.trusted.get_or_insert_default().push(trusted);
}

impl RealIpSettings {
    /// Whose word on the client is taken, of those that send a header of the PROXY protocol.
    pub(crate) fn header_word(&self) -> ProxyHeaderWord {
        let is_asked =
            self.field.as_deref().is_some_and(|field| field.eq_ignore_ascii_case("proxy_protocol"));
        match is_asked && self.trusted.is_some() {
            true => ProxyHeaderWord::Trusted,
            false => ProxyHeaderWord::None,
        }
    }

    /// How the client's address is found.
    pub(crate) fn emit(&self) -> ClientAddress {
        ClientAddress {
            trusted: self.trusted.clone().unwrap_or_default(),
            trusted_hops: 0,
            field: self.field.clone().unwrap_or_else(|| "X-Real-IP".to_owned()),
            recursive: self.recursive.unwrap_or(false),
        }
    }
}
