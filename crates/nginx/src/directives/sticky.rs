//! `sticky`: requests of one session go to one server of an upstream.

use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values;
use bifrons_config::Problem;
use bifrons_config::units::Dur;
use bifrons_model::{Sticky, StickyCookie, StickyLearn};

/// nginx keeps some 4,000 sessions in a megabyte.
const SESSION_BYTES: u64 = 256;

pub(crate) const DIRECTIVES: &[Spec] = &[Spec::new(
    "sticky",
    Contexts::UPSTREAM,
    Args::AtLeast(2),
    "Requests of one session go to one server: `cookie name [expires=] [domain=] [path=] [httponly] [secure] \
     [samesite=]`, `route $variable …` (compared with `route=` of servers), or `learn create=$variable \
     lookup=$variable zone=name:size [timeout=]`.",
    sticky,
)];

fn sticky(cx: &mut Ctx, directive: &Directive) {
    let sticky = match directive.text(0) {
        "cookie" => cookie(cx, directive),
        "route" => {
            let words = directive.args.iter().skip(1);
            words.map(|word| cx.template(word)).collect::<Option<Vec<_>>>().map(Sticky::Route)
        }
        "learn" => learn(cx, directive),
        _ => return cx.invalid_parameter(directive, &directive.args[0]),
    };
    if let Some(sticky) = sticky {
        cx.put(directive, sticky, |cx| &mut cx.upstream.sticky);
    }
}

fn cookie(cx: &mut Ctx, directive: &Directive) -> Option<Sticky> {
    let mut config = StickyCookie {
        name: directive.text(1).to_owned(),
        max_age: None,
        domain: None,
        path: None,
        httponly: false,
        secure: false,
        samesite: None,
    };
    for word in directive.args.iter().skip(2) {
        match word.text.split_once('=').unwrap_or((&word.text, "")) {
            // The 32 bits of a date that never comes.
            ("expires", "max") => config.max_age = Some(Dur::secs(10 * 365 * 86_400)),
            ("expires", value) => match values::parse_time(value) {
                Some(time) => config.max_age = Some(time),
                None => {
                    cx.invalid_parameter(directive, word);
                    return None;
                }
            },
            ("domain", value) => config.domain = Some(cx.template_of(word, value)?),
            ("path", value) => config.path = Some(cx.template_of(word, value)?),
            ("httponly", "") => config.httponly = true,
            ("secure", "") => config.secure = true,
            ("samesite", value) => {
                let spelt = match value {
                    "strict" => "Strict",
                    "lax" => "Lax",
                    "none" => "None",
                    variable => variable,
                };
                config.samesite = Some(cx.template_of(word, spelt)?);
            }
            _ => {
                cx.invalid_parameter(directive, word);
                return None;
            }
        }
    }
    Some(Sticky::Cookie(config))
}

fn learn(cx: &mut Ctx, directive: &Directive) -> Option<Sticky> {
    let mut config =
        StickyLearn { create: Vec::new(), lookup: Vec::new(), sessions: 4_000, timeout: Dur::secs(600) };
    let mut has_zone = false;
    for word in directive.args.iter().skip(1) {
        match word.text.split_once('=').unwrap_or((&word.text, "")) {
            ("create", value) => config.create.push(cx.template_of(word, value)?),
            ("lookup", value) => config.lookup.push(cx.template_of(word, value)?),
            ("zone", value) => {
                let size = value.rsplit_once(':').and_then(|(_, size)| values::parse_size(size));
                has_zone = true;
                if let Some(size) = size {
                    config.sessions = u32::try_from(size.0 / SESSION_BYTES).unwrap_or(u32::MAX).max(1);
                }
            }
            ("timeout", value) => match values::parse_time(value) {
                Some(time) => config.timeout = time,
                None => {
                    cx.invalid_parameter(directive, word);
                    return None;
                }
            },
            ("header", "") => cx.accept(directive, "sessions are noted as soon as the head has come"),
            ("sync", "") => {
                cx.later(word.place.clone(), "\"sync\" of \"sticky learn\"", "");
                return None;
            }
            _ => {
                cx.invalid_parameter(directive, word);
                return None;
            }
        }
    }
    if config.create.is_empty() || config.lookup.is_empty() || !has_zone {
        let message = "\"sticky learn\" needs \"create\", \"lookup\" and \"zone\"";
        cx.notes.problem(Problem::at(directive.place.clone(), message));
        return None;
    }
    Some(Sticky::Learn(config))
}
