//! `proxy_cache` and its family: answers of servers that are stored.

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_cache::config::{CacheConfig, IgnoredField, KeyConfig, PurgeConfig, Standard, UseStale};
use bifrons_config::units::{Dur, Size};
use bifrons_config::{At, Template};
use bifrons_store::ZoneConfig;
use std::time::Duration;

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// What is stored of a server's answers.
    CacheSettings {
        /// `None` within: off.
        zone: Option<At<String>>,
        key: Template,
        valid: Vec<(String, Dur)>,
        min_uses: u32,
        bypass: Vec<Template>,
        no_cache: Vec<Template>,
        convert_head: bool,
        revalidate: bool,
        use_stale: Vec<UseStale>,
        background: bool,
        lock: bool,
        lock_timeout: Dur,
        lock_age: Dur,
        range_max: Size,
        post: bool,
        purge: Vec<Template>,
        slice: Size,
    }
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "proxy_cache_path",
        Contexts::HTTP,
        Args::AtLeast(2),
        "Defines a zone of stored answers: directory, `keys_zone=NAME:SIZE`, `inactive`, `max_size`, `min_free`. Beside the \
         directory the zone has 64 MiB in memory. How files are named is the store's own, so `levels`, \
         `use_temp_path` and the pace of nginx's processes have no effect.",
        path,
    ),
    Spec::new(
        "proxy_cache",
        LEVELS,
        Args::Exact(1),
        "The zone that answers of the server are kept in, or `off`.",
        |cx, d| {
            let word = &d.args[0];
            if word.text.contains('$') {
                return cx.later(word.place.clone(), "\"proxy_cache\" with variables", "name the zone");
            }
            let zone = (word.text != "off").then(|| At::new(word.text.clone(), word.place.clone()));
            cx.put(d, zone, |cx| &mut cx.level.cache.zone);
        },
    )
    .default("off"),
    Spec::new(
        "proxy_cache_key",
        LEVELS,
        Args::Exact(1),
        "What makes requests the same.",
        |cx, d| {
            if let Some(key) = cx.template(&d.args[0]) {
                cx.put(d, key, |cx| &mut cx.level.cache.key);
            }
        },
    )
    .default("$scheme$proxy_host$request_uri"),
    Spec::new(
        "proxy_cache_valid",
        LEVELS,
        Args::AtLeast(1),
        "How long answers of these statuses (200, 301 and 302 where none is named, or `any`) are good for whose \
         server does not say so itself.",
        valid,
    ),
    Spec::new(
        "proxy_cache_min_uses",
        LEVELS,
        Args::Exact(1),
        "How often something is asked for before it is stored.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.cache.min_uses),
    )
    .default("1"),
    Spec::new(
        "proxy_cache_bypass",
        LEVELS,
        Args::AtLeast(1),
        "The store is not looked at where one of these is neither empty nor `0`.",
        |cx, d| templates(cx, d, |cx| &mut cx.level.cache.bypass),
    ),
    Spec::new(
        "proxy_no_cache",
        LEVELS,
        Args::AtLeast(1),
        "The answer is not stored where one of these is neither empty nor `0`.",
        |cx, d| templates(cx, d, |cx| &mut cx.level.cache.no_cache),
    ),
    Spec::new(
        "proxy_cache_convert_head",
        LEVELS,
        Args::Flag,
        "Whether a HEAD is sent as a GET whose answer is stored; else it is sent as it is and not stored.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.cache.convert_head),
    )
    .default("on"),
    Spec::new(
        "proxy_cache_revalidate",
        LEVELS,
        Args::Flag,
        "Whether outdated answers are asked for with `If-Modified-Since` and `If-None-Match`.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.cache.revalidate),
    )
    .default("off"),
    Spec::new(
        "proxy_cache_use_stale",
        LEVELS,
        Args::AtLeast(1),
        "When outdated answers are given.",
        use_stale,
    )
    .default("off"),
    Spec::new(
        "proxy_cache_background_update",
        LEVELS,
        Args::Flag,
        "Whether an outdated answer that may be given while it is updated is fetched anew meanwhile.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.cache.background),
    )
    .default("off"),
    Spec::new(
        "proxy_cache_lock",
        LEVELS,
        Args::Flag,
        "Whether requests for the same share one request to the server, whose answer they get while it arrives.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.cache.lock),
    )
    .default("off"),
    Spec::new(
        "proxy_cache_lock_timeout",
        LEVELS,
        Args::Exact(1),
        "How long they wait for its head; then each goes to the server, and its answer is not stored.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.cache.lock_timeout),
    )
    .default("5s"),
    Spec::new(
        "proxy_cache_lock_age",
        LEVELS,
        Args::Exact(1),
        "How old it may be before another one is made.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.cache.lock_age),
    )
    .default("5s"),
    Spec::new(
        "proxy_cache_max_range_offset",
        LEVELS,
        Args::Exact(1),
        "A range that begins behind this goes to the server and is not stored.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.cache.range_max),
    ),
    Spec::new(
        "proxy_cache_methods",
        LEVELS,
        Args::AtLeast(1),
        "Methods whose answers are stored: `GET`, `HEAD`, which always are, and `POST`, whose body the key should have.",
        methods,
    )
    .default("GET HEAD"),
    Spec::new(
        "proxy_cache_purge",
        LEVELS,
        Args::AtLeast(1),
        "Where one of these is neither empty nor `0`, the request takes away what is stored under its key: 204, or 404 where \
         nothing is. A `*` at the end of the key means all paths of the zone that begin so.",
        |cx, d| templates(cx, d, |cx| &mut cx.level.cache.purge),
    ),
    Spec::new(
        "slice",
        LEVELS,
        Args::Exact(1),
        "Size of the slices in which answers are asked for and stored where `proxy_cache_key` has `$slice_range`.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.cache.slice),
    )
    .default("0"),
];

fn path(cx: &mut Ctx, directive: &Directive) {
    let mut config =
        ZoneConfig { path: Some(cx.defaults.full_path(&directive.args[0].text)), ..ZoneConfig::default() };
    let mut name = None;
    for word in &directive.args[1..] {
        let is_right = match word.text.split_once('=') {
            Some(("keys_zone", zone)) => zone.rsplit_once(':').is_some_and(|(zone, size)| {
                name = Some(zone.to_owned()).filter(|zone| !zone.is_empty());
                values::parse_size(size).map(|size| config.keys = size).is_some()
            }),
            Some(("max_size", size)) => values::parse_size(size).map(|size| config.max_size = size).is_some(),
            Some(("min_free", size)) => values::parse_size(size).map(|size| config.min_free = size).is_some(),
            Some(("inactive", time)) => values::parse_time(time).map(|time| config.inactive = time).is_some(),
            Some(("levels", levels)) => levels.split(':').all(|level| matches!(level, "1" | "2")),
            Some(("use_temp_path", value)) => matches!(value, "on" | "off"),
            // What is purged is always removed beside.
            Some(("purger", value)) => matches!(value, "on" | "off"),
            Some(("manager_files" | "loader_files" | "purger_files", count)) => {
                values::digits(count).is_some()
            }
            Some((
                "manager_sleep" | "manager_threshold" | "loader_sleep" | "loader_threshold" | "purger_sleep"
                | "purger_threshold",
                time,
            )) => values::parse_time(time).is_some(),
            _ => false,
        };
        if !is_right {
            cx.invalid_parameter(directive, word);
        }
    }
    let Some(name) = name else {
        return cx.problem(&directive.name, "\"proxy_cache_path\" must have \"keys_zone\" parameter");
    };
    let config = At::new(config, directive.place.clone());
    if cx.http.caches.insert(name.clone(), config).is_some() {
        cx.problem(&directive.name, format!("the zone \"{name}\" is already defined"));
    }
}

fn valid(cx: &mut Ctx, directive: &Directive) {
    let Some((last, statuses)) = directive.args.split_last() else { return };
    let time = match values::time(last) {
        Ok(time) => time,
        Err(invalid) => return cx.invalid(directive, last, invalid),
    };
    let mut named: Vec<String> = Vec::new();
    for word in statuses {
        match values::digits(&word.text) {
            Some(100..=599) => named.push(word.text.clone()),
            None if word.text == "any" => named.push(word.text.clone()),
            _ => return cx.invalid(directive, word, Invalid::Value),
        }
    }
    if named.is_empty() {
        named = ["200", "301", "302"].map(str::to_owned).into();
    }
    let valid = cx.level.cache.valid.get_or_insert_default();
    valid.extend(named.into_iter().map(|status| (status, time)));
}

fn methods(cx: &mut Ctx, directive: &Directive) {
    if let Some(word) =
        directive.args.iter().find(|word| !["GET", "HEAD", "POST"].contains(&word.text.as_str()))
    {
        return cx.invalid(directive, word, Invalid::Value);
    }
    let post = directive.args.iter().any(|word| word.text == "POST");
    cx.put(directive, post, |cx| &mut cx.level.cache.post);
}

fn templates(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<Vec<Template>>) {
    let made: Vec<Template> = directive.args.iter().filter_map(|word| cx.template(word)).collect();
    field(cx).get_or_insert_default().extend(made);
}

fn use_stale(cx: &mut Ctx, directive: &Directive) {
    let one = |word: &Word| match word.text.as_str() {
        "error" => Some(Some(UseStale::Error)),
        "timeout" => Some(Some(UseStale::Timeout)),
        "invalid_header" => Some(Some(UseStale::InvalidHeader)),
        "updating" => Some(Some(UseStale::Updating)),
        "http_500" => Some(Some(UseStale::Http500)),
        "http_502" => Some(Some(UseStale::Http502)),
        "http_503" => Some(Some(UseStale::Http503)),
        "http_504" => Some(Some(UseStale::Http504)),
        "http_403" => Some(Some(UseStale::Http403)),
        "http_404" => Some(Some(UseStale::Http404)),
        "http_429" => Some(Some(UseStale::Http429)),
        "off" => Some(None),
        _ => None,
    };
    let mut when = Vec::new();
    for word in &directive.args {
        match one(word) {
            Some(one) => when.extend(one),
            None => return cx.invalid(directive, word, Invalid::Value),
        }
    }
    cx.put(directive, when, |cx| &mut cx.level.cache.use_stale);
}

impl CacheSettings {
    /// What a proxied location stores, if it does. `ignored` are the fields of `proxy_ignore_headers`.
    pub(crate) fn emit(&self, ignored: &[String]) -> Option<At<CacheConfig>> {
        let zone = self.zone.clone().flatten()?;
        let place = zone.place.clone();
        let ignore = ignored.iter().filter_map(|name| {
            Some(match name.as_str() {
                "Cache-Control" => IgnoredField::CacheControl,
                "Expires" => IgnoredField::Expires,
                "Vary" => IgnoredField::Vary,
                "X-Accel-Expires" => IgnoredField::XAccelExpires,
                _ => return None,
            })
        });
        let key = self.key.clone().or_else(|| Template::parse("$scheme$proxy_host$request_uri").ok());
        // In the file's order, of which the first that fits counts.
        let mut ttl = indexmap::IndexMap::new();
        for (status, time) in self.valid.iter().flatten() {
            ttl.entry(status.clone()).or_insert(*time);
        }
        let is_sliced = key.as_ref().is_some_and(|key| key.source().contains("slice_range"));
        let five = Dur(Duration::from_secs(5));
        let value = CacheConfig {
            zone,
            key: KeyConfig { text: key, ..KeyConfig::default() },
            ttl,
            standard: Standard::Nginx,
            heed_requests: false,
            targets: Vec::new(),
            ignore: ignore.collect(),
            set_cookie: ignored.iter().any(|name| name == "Set-Cookie"),
            guard_types: false,
            guard_overrides: false,
            min_uses: self.min_uses.unwrap_or(1),
            bypass: self.bypass.clone().unwrap_or_default(),
            no_store: self.no_cache.clone().unwrap_or_default(),
            convert_head: self.convert_head.unwrap_or(true),
            revalidate: self.revalidate.unwrap_or(false),
            use_stale: self.use_stale.clone().unwrap_or_default(),
            background: self.background.unwrap_or(false),
            collapse: self.lock.unwrap_or(false),
            collapse_timeout: self.lock_timeout.unwrap_or(five),
            collapse_age: self.lock_age.unwrap_or(five),
            pass_for: Dur(Duration::ZERO),
            range_max: self.range_max,
            post: self.post.unwrap_or(false),
            slice: self.slice.filter(|size| is_sliced && size.0 > 0),
            purge: self.purge.clone().map(|when| PurgeConfig { when, ..PurgeConfig::default() }),
            cache_status: false,
            ..CacheConfig::default()
        };
        Some(At { value, place })
    }
}
