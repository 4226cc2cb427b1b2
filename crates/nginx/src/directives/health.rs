//! `health_check` and `match`: active checks of an upstream's servers.

use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values;
use bifrons_config::{At, Problem};
use bifrons_model::{Expect, ExpectField, GrpcCheck, HealthCheck};
use bifrons_route::{Case, Regex};

/// A `health_check`, and the name of the `match` block it goes by.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) config: HealthCheck,
    pub(crate) by: Option<Word>,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "health_check",
        Contexts::LOCATION,
        Args::AtLeast(0),
        "Active checks of the servers of this location's upstream: `uri=`, `interval=`, `jitter=`, `fails=`, \
         `passes=`, `port=`, `match=`, `mandatory`. A check asks by GET over HTTP/1.1 with the upstream's name as \
         `Host`; with `type=grpc` it asks the standard health service of gRPC, after `grpc_service=`, and takes \
         `grpc_status=` for a good answer too.",
        |cx, d| {
            if let Some(check) = health_check(cx, d) {
                cx.put(d, check, |cx| &mut cx.level.health_check);
            }
        },
    )
    .default("uri=/ interval=5s fails=1 passes=1"),
    Spec::new(
        "match",
        Contexts::HTTP,
        Args::Block(1, 1),
        "What a good answer to a `health_check` is: `status`, `header`, `body`.",
        match_block,
    ),
];

fn health_check(cx: &mut Ctx, directive: &Directive) -> Option<Check> {
    let mut config = HealthCheck::default();
    let mut by = None;
    let (mut type_of, mut grpc) = (None, GrpcCheck::default());
    for word in &directive.args {
        let (name, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
        let number = || values::digits(value).and_then(|number| u32::try_from(number).ok());
        let fits = match name {
            "uri" if value.starts_with('/') => {
                config.path = value.to_owned();
                true
            }
            "interval" => values::parse_time(value).map(|time| config.interval = time).is_some(),
            "jitter" => values::parse_time(value).map(|time| config.jitter = time).is_some(),
            "fails" => number().filter(|n| *n > 0).map(|n| config.unhealthy = n).is_some(),
            "passes" => number().filter(|n| *n > 0).map(|n| config.healthy = n).is_some(),
            "port" => {
                let port = number().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
                config.port = port;
                port.is_some()
            }
            "match" => {
                by = Some(Word { text: value.to_owned(), ..word.clone() });
                !value.is_empty()
            }
            "mandatory" if value.is_empty() => {
                config.mandatory = true;
                true
            }
            "persistent" if value.is_empty() => {
                cx.accept(directive, "what checks have found is kept over a reload anyway");
                true
            }
            "keepalive_time" => {
                cx.accept(directive, "a check has a connection of its own");
                values::parse_time(value).is_some()
            }
            "type" => {
                type_of = Some(value == "grpc");
                matches!(value, "grpc" | "http")
            }
            "grpc_service" => {
                grpc.service = value.to_owned();
                !value.is_empty()
            }
            "grpc_status" => {
                grpc.status = number().and_then(|number| u16::try_from(number).ok()).filter(|code| *code > 0);
                grpc.status.is_some()
            }
            _ => false,
        };
        if !fits {
            cx.invalid_parameter(directive, word);
            return None;
        }
    }
    if type_of == Some(true) {
        config.grpc = Some(grpc);
    } else if grpc != GrpcCheck::default() {
        let message = "\"grpc_service\" and \"grpc_status\" need \"type=grpc\"";
        cx.problem_help(&directive.name, message, "add type=grpc");
        return None;
    }
    Some(Check { config, by })
}

fn match_block(cx: &mut Ctx, directive: &Directive) {
    let mut expect = Expect { status: Vec::new(), ..Expect::default() };
    for inner in directive.block.as_deref().unwrap_or_default() {
        let words: Vec<&str> = inner.args.iter().map(|word| word.text.as_str()).collect();
        let outcome = match (inner.name.text.as_str(), &*words) {
            ("status", [_, ..]) => {
                expect.status = inner.args.iter().map(|w| At::new(w.text.clone(), w.place.clone())).collect();
                glue_negation(&mut expect.status);
                Ok(())
            }
            ("header", ["!", name]) => field(&mut expect, name, ExpectField::Present(false)),
            ("header", [name]) if name.starts_with('!') => {
                field(&mut expect, name.trim_start_matches('!'), ExpectField::Present(false))
            }
            ("header", [name]) => field(&mut expect, name, ExpectField::Present(true)),
            ("header", [name, "=", value]) => field(&mut expect, name, ExpectField::Is((*value).to_owned())),
            ("header", [name, "!=", value]) => {
                field(&mut expect, name, ExpectField::Not((*value).to_owned()))
            }
            ("header", [name, "~", regex]) => {
                compile(regex).and_then(|regex| field(&mut expect, name, ExpectField::Matches(regex)))
            }
            ("header", [name, "!~", regex]) => {
                compile(regex).and_then(|regex| field(&mut expect, name, ExpectField::MatchesNot(regex)))
            }
            ("body", ["~", regex]) => compile(regex).map(|regex| expect.body = Some(regex)),
            ("body", ["!~", regex]) => compile(regex).map(|regex| expect.body_not = Some(regex)),
            _ => Err("write status, header or body as nginx's documentation shows it".to_owned()),
        };
        if let Err(help) = outcome {
            let message = format!("invalid \"{}\" in \"match\"", inner.name.text);
            cx.notes.problem(Problem::at(inner.place.clone(), message).help(help));
        }
    }
    let name = &directive.args[0];
    if cx.http.matches.insert(name.text.clone(), expect).is_some() {
        cx.problem(name, format!("duplicate match \"{}\"", name.text));
    }
}

/// `! 500` is `!500`.
fn glue_negation(status: &mut Vec<At<String>>) {
    if status.first().is_some_and(|first| first.value == "!") && status.len() > 1 {
        status.remove(0);
        for text in status {
            text.value.insert(0, '!');
        }
    }
}

fn field(expect: &mut Expect, name: &str, rule: ExpectField) -> Result<(), String> {
    expect.headers.insert(name.to_owned(), rule);
    Ok(())
}

fn compile(regex: &str) -> Result<Regex, String> {
    Regex::new(regex, Case::Sensitive).map_err(|err| err.to_string())
}
