//! `stream`: what comes before a server is looked for: `set`, `limit_conn` and its like.

use super::rewrite;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::level::Level;
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_config::{Problem, Template, Var, vars};
use bifrons_filters::in_flight::{self, Severity};
use indexmap::IndexMap;

/// 32 KiB: nginx's least zone, of eight pages.
const ZONE_BYTES_MIN: u64 = 32 * 1024;
/// 64 bytes: what nginx needs for one value in a zone.
const KEY_BYTES: u64 = 64;

/// A `limit_conn_zone`.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    key: Template,
    text: String,
    keys: usize,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "set",
        Contexts::STREAM_SERVER,
        Args::Exact(2),
        "Gives a variable a value, before anything else happens: what is read ahead or agreed upon in TLS has none \
         then in nginx.",
        set,
    ),
    Spec::new(
        "limit_conn_zone",
        Contexts::STREAM,
        Args::Exact(2),
        "A zone in which connections and sessions are counted by a value: `$key zone=name:size`, 64 bytes a value.",
        zone,
    ),
    Spec::new(
        "limit_conn",
        Contexts::STREAMS,
        Args::Exact(2),
        "How many there may be at once with one value of that zone. Further ones are closed, with status 503 in the \
         log. A block that has any takes none from the enclosing one.",
        limit,
    ),
    Spec::new(
        "limit_conn_dry_run",
        Contexts::STREAMS,
        Args::Flag,
        "Whether that is only told, in the error log and in `$limit_conn_status`.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.stream.limit_dry_run),
    )
    .default("off"),
    Spec::new(
        "limit_conn_log_level",
        Contexts::STREAMS,
        Args::Exact(1),
        "How severe it is: `info`, `notice`, `warn`, `error`.",
        |cx, d| cx.once(d, severity, |cx| &mut cx.level.stream.limit_severity),
    )
    .default("error"),
];

fn severity(word: &Word) -> Result<Severity, Invalid> {
    match &*word.text {
        "info" => Ok(Severity::Info),
        "notice" => Ok(Severity::Notice),
        "warn" => Ok(Severity::Warn),
        "error" => Ok(Severity::Error),
        _ => Err(Invalid::Choice("info, notice, warn or error")),
    }
}

fn set(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    let Some(name) = rewrite::variable(&word.text).map(str::to_ascii_lowercase) else {
        return cx.problem(word, format!("invalid variable name \"{}\"", word.text));
    };
    if !matches!(vars::find(&name, &|_| true), Some(Var::User(_))) {
        return cx.problem(word, format!("the duplicate \"{name}\" variable"));
    }
    let value = &directive.args[1];
    let Some(template) = cx.template(value) else { return };
    if value.text.contains("$ssl_") || value.text.contains("${ssl_") {
        let message = "\"set\" of what TLS says: it has its value here, and has none yet in nginx, where \"set\" comes first";
        cx.notes.warn(
            Problem::at(value.place.clone(), message)
                .help("use \"map\", which is computed when it is needed"),
        );
    }
    cx.stream.set(name, template);
}

fn zone(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[1];
    let Some(named) = word.text.strip_prefix("zone=") else {
        return cx.invalid_parameter(directive, word);
    };
    let Some((name, size)) = named.split_once(':') else {
        return cx.problem(word, format!("invalid zone size \"{}\"", word.text));
    };
    if name.is_empty() {
        return cx.problem(&directive.name, "\"limit_conn_zone\" must have \"zone\" parameter");
    }
    let sized = values::size(&Word { text: size.to_owned(), ..word.clone() });
    let bytes = match sized {
        Ok(bytes) if bytes.0 >= ZONE_BYTES_MIN => bytes.0,
        Ok(_) => return cx.problem(word, format!("zone \"{name}\" is too small")),
        Err(_) => return cx.problem(word, format!("invalid zone size \"{}\"", word.text)),
    };
    if let Some(known) = cx.stream.zones.get(name) {
        let message = format!("limit_conn_zone \"{name}\" is already bound to key \"{}\"", known.text);
        return cx.problem(&directive.name, message);
    }
    let text = directive.args[0].text.clone();
    let Some(key) = cx.template(&directive.args[0]) else { return };
    let keys = usize::try_from(bytes / KEY_BYTES).unwrap_or(usize::MAX);
    cx.stream.zones.insert(name.to_owned(), Zone { key, text, keys });
}

fn limit(cx: &mut Ctx, directive: &Directive) {
    let (zone, number) = (&directive.args[0], &directive.args[1]);
    let most = match values::digits(&number.text) {
        Some(most @ 1..=65_535) => most as u32,
        Some(65_536..) => return cx.problem(number, "connection limit must be less 65536"),
        _ => return cx.problem(number, format!("invalid number of connections \"{}\"", number.text)),
    };
    let limits = cx.level.stream.limits.get_or_insert_default();
    if limits.iter().any(|(other, _)| other.text == zone.text) {
        return cx.problem(&directive.name, "\"limit_conn\" directive is duplicate");
    }
    limits.push((zone.clone(), most));
}

/// The limits of a server.
pub(crate) fn emit(cx: &mut Ctx, level: &Level, zones: &IndexMap<String, Zone>) -> Option<in_flight::Config> {
    let mut limits = Vec::new();
    for (word, max) in level.stream.limits.iter().flatten() {
        let Some(zone) = zones.get(&word.text) else {
            cx.problem(word, format!("zero size shared memory zone \"{}\"", word.text));
            continue;
        };
        // Names are `stream`'s own.
        let name = format!("stream:{}", word.text);
        limits.push(in_flight::Limit { key: zone.key.clone(), max: *max, zone: name, keys: zone.keys });
    }
    (!limits.is_empty()).then(|| in_flight::Config {
        limits,
        status: 503,
        dry_run: level.stream.limit_dry_run == Some(true),
        severity: level.stream.limit_severity.unwrap_or_default(),
    })
}
