//! How many there are at once: `limit_conn` and its family, in `http` and in `stream`.

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::level::Level;
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_config::Template;
use bifrons_filters::in_flight::{self, Severity};
use indexmap::IndexMap;

/// 32 KiB: nginx's least zone, of eight pages.
const ZONE_BYTES_MIN: u64 = 32 * 1024;
/// 64 bytes: what nginx needs for one value in a zone.
const KEY_BYTES: u64 = 64;

settings! {
    /// How many there may be at once.
    InFlightSettings {
        /// Zones, and how many there may be with one of their values.
        limits: Vec<(Word, u32)>,
        dry_run: bool,
        severity: Severity,
        status: u16,
    }
}

/// A `limit_conn_zone`.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    key: Template,
    text: String,
    keys: usize,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "limit_conn_zone",
        Contexts::HTTP.or(Contexts::STREAM),
        Args::Exact(2),
        "A zone in which requests (in `stream` connections and sessions) are counted by a value: `$key zone=name:size`, 64 bytes a value.",
        zone,
    ),
    Spec::new(
        "limit_conn",
        LEVELS,
        Args::Exact(2),
        "How many there may be at once with one value of that zone. Further ones are refused; in `stream` they are \
         closed, with status 503 in the log. A block that has any takes none from the enclosing one.",
        limit,
    ),
    Spec::new(
        "limit_conn_dry_run",
        LEVELS,
        Args::Flag,
        "Whether that is only told, in the error log and in `$limit_conn_status`.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.in_flight.dry_run),
    )
    .default("off"),
    Spec::new(
        "limit_conn_log_level",
        LEVELS,
        Args::Exact(1),
        "How severe it is: `info`, `notice`, `warn`, `error`.",
        |cx, d| cx.once(d, severity, |cx| &mut cx.level.in_flight.severity),
    )
    .default("error"),
    Spec::new(
        "limit_conn_status",
        Contexts::LEVELS,
        Args::Exact(1),
        "The answer to what is refused, 400 to 599.",
        |cx, d| cx.once(d, status, |cx| &mut cx.level.in_flight.status),
    )
    .default("503"),
];

const LEVELS: Contexts = Contexts::LEVELS.or(Contexts::STREAMS);

/// As nginx's bounds of a number have it.
fn status(word: &Word) -> Result<u16, Invalid> {
    let help = |message: &str| Err(Invalid::Other(message.to_owned(), None));
    match values::digits(&word.text) {
        None => Err(Invalid::Number),
        Some(..400) => help("value must be equal to or greater than 400"),
        Some(status @ 400..600) => Ok(status as u16),
        Some(_) => help("value must be equal to or less than 599"),
    }
}

fn severity(word: &Word) -> Result<Severity, Invalid> {
    match &*word.text {
        "info" => Ok(Severity::Info),
        "notice" => Ok(Severity::Notice),
        "warn" => Ok(Severity::Warn),
        "error" => Ok(Severity::Error),
        _ => Err(Invalid::Choice("info, notice, warn or error")),
    }
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
    if let Some(known) = zones(cx).get(name) {
        let message = format!("limit_conn_zone \"{name}\" is already bound to key \"{}\"", known.text);
        return cx.problem(&directive.name, message);
    }
    // Names of zones are the whole file's.
    if [&cx.http.zones, &cx.stream.zones].into_iter().any(|zones| zones.contains_key(name)) {
        let message = format!("the shared memory zone \"{name}\" is already declared for a different use");
        return cx.problem(&directive.name, message);
    }
    let text = directive.args[0].text.clone();
    let Some(key) = cx.template(&directive.args[0]) else { return };
    let keys = usize::try_from(bytes / KEY_BYTES).unwrap_or(usize::MAX);
    zones(cx).insert(name.to_owned(), Zone { key, text, keys });
}

/// The zones of `http` or of `stream`.
fn zones(cx: &mut Ctx) -> &mut IndexMap<String, Zone> {
    match cx.context {
        Contexts::STREAM => &mut cx.stream.zones,
        _ => &mut cx.http.zones,
    }
}

fn limit(cx: &mut Ctx, directive: &Directive) {
    let (zone, number) = (&directive.args[0], &directive.args[1]);
    let most = match values::digits(&number.text) {
        Some(most @ 1..=65_535) => most as u32,
        Some(65_536..) => return cx.problem(number, "connection limit must be less 65536"),
        _ => return cx.problem(number, format!("invalid number of connections \"{}\"", number.text)),
    };
    let limits = cx.level.in_flight.limits.get_or_insert_default();
    if limits.iter().any(|(other, _)| other.text == zone.text) {
        return cx.problem(&directive.name, "\"limit_conn\" directive is duplicate");
    }
    limits.push((zone.clone(), most));
}

/// The limits of a block, by the zones of `http` or of `stream`.
pub(crate) fn emit(cx: &mut Ctx, level: &Level, zones: &IndexMap<String, Zone>) -> Option<in_flight::Config> {
    let settings = &level.in_flight;
    let mut limits = Vec::new();
    for (word, max) in settings.limits.iter().flatten() {
        let Some(zone) = zones.get(&word.text) else {
            cx.problem(word, format!("zero size shared memory zone \"{}\"", word.text));
            continue;
        };
        let (key, zone_name) = (zone.key.clone(), word.text.clone());
        limits.push(in_flight::Limit { key, max: *max, zone: zone_name, keys: zone.keys });
    }
    (!limits.is_empty()).then(|| in_flight::Config {
        limits,
        status: settings.status.unwrap_or(503),
        dry_run: settings.dry_run == Some(true),
        severity: settings.severity.unwrap_or_default(),
    })
}
