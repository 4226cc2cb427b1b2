//! Bodies that are compressed and decompressed: `gzip`, `gunzip`, and the modules for brotli and zstd.
//!
//! nginx asks each coding in turn, brotli and zstd before gzip, and what one has coded the next leaves alone.
//! So each is a filter of its own.

use super::super::settings::settings;
use super::static_files::choice;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values::{self, Invalid};
use bifrons_config::units::Size;
use bifrons_filters::compress::clients::{Accept, Clients, Via};
use bifrons_filters::compress::{Coding, Config, Levels};
use bifrons_filters::{FilterConfig, decompress};
use bifrons_route::{Case, Regex};

const LEVELS: Contexts = Contexts::LEVELS;
const LEVELS_AND_IF: Contexts = LEVELS.or(Contexts::IF);

settings! {
    /// How bodies are compressed.
    CompressionSettings {
        gzip: bool,
        gzip_level: u32,
        gzip_types: Vec<String>,
        gzip_min_length: u32,
        gzip_window: Size,
        brotli: bool,
        brotli_level: u32,
        brotli_types: Vec<String>,
        brotli_min_length: u32,
        brotli_window: Size,
        zstd: bool,
        zstd_level: u32,
        zstd_types: Vec<String>,
        zstd_min_length: u32,
        gunzip: bool,
        vary: bool,
        http_1_0: bool,
        proxied: Vec<Via>,
        disable: Vec<Regex>,
    }
}

/// Bodies wait in no buffers of fixed number: what comes out goes on.
const NO_BUFFERS: &str = "what is compressed goes on at once, in pieces of about 4k";

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new("gzip", LEVELS_AND_IF, Args::Flag, "Whether bodies are compressed by gzip.", |cx, d| {
        cx.once(d, values::flag, |cx| &mut cx.level.compression.gzip);
    })
    .default("off"),
    Spec::new(
        "gzip_types",
        LEVELS,
        Args::AtLeast(1),
        "Media types that are compressed, besides `text/html`; `*` is all.",
        |cx, d| types(cx, d, |cx| &mut cx.level.compression.gzip_types),
    )
    .default("text/html"),
    Spec::new(
        "gzip_min_length",
        LEVELS,
        Args::Exact(1),
        "Bodies whose `Content-Length` is smaller are not compressed.",
        |cx, d| min_length(cx, d, |cx| &mut cx.level.compression.gzip_min_length),
    )
    .default("20"),
    Spec::new("gzip_comp_level", LEVELS, Args::Exact(1), "How hard gzip tries, 1 to 9.", |cx, d| {
        level(cx, d, (1, 9), |cx| &mut cx.level.compression.gzip_level);
    })
    .default("1"),
    Spec::new("gzip_window", LEVELS, Args::Exact(1), "How far gzip looks back.", |cx, d| {
        window(cx, d, (512, 32 << 10), |cx| &mut cx.level.compression.gzip_window);
    })
    .default("32k"),
    Spec::new(
        "gzip_http_version",
        LEVELS,
        Args::Exact(1),
        "The oldest version of HTTP that gets what gzip compressed, now or beforehand: `1.0` or `1.1`.",
        |cx, d| choice(cx, d, |cx| &mut cx.level.compression.http_1_0, &[("1.0", true), ("1.1", false)]),
    )
    .default("1.1"),
    Spec::new(
        "gzip_proxied",
        LEVELS,
        Args::AtLeast(1),
        "For which answers requests that came over a proxy (`Via`) get what gzip compressed.",
        proxied,
    )
    .default("off"),
    Spec::new(
        "gzip_vary",
        LEVELS,
        Args::Flag,
        "Whether answers say `Vary: Accept-Encoding` that are compressed, or would be for another client.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.compression.vary),
    )
    .default("off"),
    Spec::new(
        "gzip_disable",
        LEVELS,
        Args::AtLeast(1),
        "Clients whose `User-Agent` matches one of these get nothing that gzip compressed; `msie6` is Internet \
         Explorer 4 to 6, but for version 6 with SV1.",
        disable,
    ),
    Spec::accepted("gzip_buffers", LEVELS, Args::Exact(2), NO_BUFFERS),
    Spec::accepted(
        "gzip_hash",
        LEVELS,
        Args::Exact(1),
        "the size of its tables follows from level and window",
    ),
    Spec::accepted("gzip_no_buffer", LEVELS, Args::Flag, NO_BUFFERS),
    Spec::accepted("postpone_gzipping", LEVELS, Args::Exact(1), NO_BUFFERS),
    Spec::new(
        "gunzip",
        LEVELS,
        Args::Flag,
        "Whether bodies that come compressed by gzip are decompressed for clients that don't accept them so.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.compression.gunzip),
    )
    .default("off"),
    Spec::accepted(
        "gunzip_buffers",
        LEVELS,
        Args::Exact(2),
        "what is decompressed goes on at once, in pieces of 64k",
    ),
    Spec::new("brotli", LEVELS_AND_IF, Args::Flag, "Whether bodies are compressed by brotli.", |cx, d| {
        cx.once(d, values::flag, |cx| &mut cx.level.compression.brotli);
    })
    .default("off"),
    Spec::new(
        "brotli_types",
        LEVELS,
        Args::AtLeast(1),
        "Media types that brotli compresses, besides `text/html`; `*` is all.",
        |cx, d| types(cx, d, |cx| &mut cx.level.compression.brotli_types),
    )
    .default("text/html"),
    Spec::new(
        "brotli_min_length",
        LEVELS,
        Args::Exact(1),
        "Bodies whose `Content-Length` is smaller are not compressed by brotli.",
        |cx, d| min_length(cx, d, |cx| &mut cx.level.compression.brotli_min_length),
    )
    .default("20"),
    Spec::new(
        "brotli_comp_level",
        LEVELS_AND_IF,
        Args::Exact(1),
        "How hard brotli tries, 0 to 11.",
        |cx, d| {
            level(cx, d, (0, 11), |cx| &mut cx.level.compression.brotli_level);
        },
    )
    .default("6"),
    Spec::new("brotli_window", LEVELS, Args::Exact(1), "How far brotli looks back, at most 8m.", |cx, d| {
        window(cx, d, (1 << 10, 16 << 20), |cx| &mut cx.level.compression.brotli_window);
    })
    .default("512k"),
    Spec::accepted("brotli_buffers", LEVELS, Args::Exact(2), NO_BUFFERS),
    Spec::new("zstd", LEVELS_AND_IF, Args::Flag, "Whether bodies are compressed by zstd.", |cx, d| {
        cx.once(d, values::flag, |cx| &mut cx.level.compression.zstd);
    })
    .default("off"),
    Spec::new(
        "zstd_types",
        LEVELS,
        Args::AtLeast(1),
        "Media types that zstd compresses, besides `text/html`; `*` is all.",
        |cx, d| types(cx, d, |cx| &mut cx.level.compression.zstd_types),
    )
    .default("text/html"),
    Spec::new(
        "zstd_min_length",
        LEVELS,
        Args::Exact(1),
        "Bodies whose `Content-Length` is smaller are not compressed by zstd.",
        |cx, d| min_length(cx, d, |cx| &mut cx.level.compression.zstd_min_length),
    )
    .default("20"),
    Spec::new("zstd_comp_level", LEVELS_AND_IF, Args::Exact(1), "How hard zstd tries, 1 to 19.", |cx, d| {
        level(cx, d, (1, 19), |cx| &mut cx.level.compression.zstd_level);
    })
    .default("1"),
    Spec::accepted("zstd_buffers", LEVELS, Args::Exact(2), NO_BUFFERS),
];

fn types(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<Vec<String>>) {
    let mut types = vec!["text/html".to_owned()];
    for word in &directive.args {
        let text = word.text.to_ascii_lowercase();
        if types.contains(&text) {
            cx.notes.warn(bifrons_config::Problem::at(
                word.place.clone(),
                format!("duplicate MIME type \"{}\"", word.text),
            ));
        } else {
            types.push(text);
        }
    }
    if types.iter().any(|name| name == "*") {
        types = vec!["*".to_owned()];
    }
    cx.put(directive, types, field);
}

/// As `ngx_conf_set_size_slot`.
fn min_length(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<u32>) {
    let parse: values::Parse<u32> =
        |word| values::size(word).and_then(|size| u32::try_from(size.0).map_err(|_| Invalid::Value));
    cx.once(directive, parse, field);
}

fn level(
    cx: &mut Ctx,
    directive: &Directive,
    (least, most): (u32, u32),
    field: fn(&mut Ctx) -> &mut Option<u32>,
) {
    let Some(word) = directive.arg(0) else { return };
    match values::number(word) {
        Ok(level) if (least..=most).contains(&level) => cx.put(directive, level, field),
        Ok(level) if level < least => {
            let message = format!("value must be equal to or greater than {least}");
            cx.invalid(directive, word, Invalid::Other(message, None));
        }
        Ok(_) => {
            let message = format!("value must be between {least} and {most}");
            cx.invalid(directive, word, Invalid::Other(message, None));
        }
        Err(invalid) => cx.invalid(directive, word, invalid),
    }
}

/// A power of two within bounds.
fn window(
    cx: &mut Ctx,
    directive: &Directive,
    (least, most): (u64, u64),
    field: fn(&mut Ctx) -> &mut Option<Size>,
) {
    let Some(word) = directive.arg(0) else { return };
    match values::size(word) {
        Ok(size) if size.0.is_power_of_two() && (least..=most).contains(&size.0) => {
            cx.put(directive, size, field)
        }
        Ok(_) => {
            let message =
                format!("\"{}\" must be a power of two from {} to {}", word.text, Size(least), Size(most));
            cx.invalid(directive, word, Invalid::Other(message, None));
        }
        Err(invalid) => cx.invalid(directive, word, invalid),
    }
}

fn proxied(cx: &mut Ctx, directive: &Directive) {
    const WORDS: [(&str, Via); 8] = [
        ("expired", Via::Expired),
        ("no-cache", Via::NoCache),
        ("no-store", Via::NoStore),
        ("private", Via::Private),
        ("no_last_modified", Via::NoLastModified),
        ("no_etag", Via::NoEtag),
        ("auth", Via::Auth),
        ("any", Via::Any),
    ];
    let (mut list, mut is_off) = (Vec::new(), false);
    for word in &directive.args {
        if word.text == "off" {
            is_off = true;
            continue;
        }
        match WORDS.iter().find(|(name, _)| *name == word.text) {
            Some((_, via)) => list.push(*via),
            None => {
                let message = format!("invalid value \"{}\"", word.text);
                let names: Vec<_> = WORDS.iter().map(|(name, _)| *name).collect();
                let help = format!("write off, or some of {}", names.join(", "));
                return cx.invalid(directive, word, Invalid::Other(message, Some(help)));
            }
        }
    }
    // As nginx: with `off` among them nothing else counts, and `any` is all.
    if is_off {
        list.clear();
    } else if list.contains(&Via::Any) {
        list = vec![Via::Any];
    }
    cx.put(directive, list, |cx| &mut cx.level.compression.proxied);
}

/// Internet Explorer 4 to 6 as nginx knows it (`ngx_http_process_user_agent`).
const MSIE6: &str = r"^(?!.*Opera)(?:(?!MSIE ).)*MSIE (?:[45]\.|6\.(?!.*SV1)).";

fn disable(cx: &mut Ctx, directive: &Directive) {
    let mut regexes = Vec::new();
    for word in &directive.args {
        // Case does not count, and the text says so, as `show` writes nothing but the text.
        let text = match &*word.text {
            "msie6" => MSIE6.to_owned(),
            text => format!("(?i){text}"),
        };
        match Regex::new(&text, Case::Sensitive) {
            Ok(regex) => regexes.push(regex),
            Err(err) => return cx.problem(word, err.to_string()),
        }
    }
    cx.put(directive, regexes, |cx| &mut cx.level.compression.disable);
}

/// nginx's `min_length` of all three.
const MIN_LENGTH: u32 = 20;
/// What nginx compresses the bodies of.
const STATUSES: [u16; 3] = [200, 403, 404];
/// Windows beyond are read as this one: clients keep no more of zstd, and nobody needs more of brotli.
const WINDOW_MAX: Size = Size(8 << 20);

impl CompressionSettings {
    pub(crate) fn varies(&self) -> bool {
        self.vary.unwrap_or(false)
    }

    pub(crate) fn takes_http_1_0(&self) -> bool {
        self.http_1_0.unwrap_or(false)
    }

    /// Whether requests over a proxy get files that were compressed beforehand: when those are looked for, there
    /// is no `Expires`, no `Cache-Control`, no `Last-Modified` and no `ETag` yet.
    pub(crate) fn takes_via(&self) -> bool {
        self.proxied.as_ref().is_some_and(|list| !list.is_empty())
    }

    /// Clients that get nothing compressed.
    pub(crate) fn disabled(&self) -> Vec<Regex> {
        self.disable.clone().unwrap_or_default()
    }

    /// The filters that compress, the last one first.
    pub(crate) fn emit(&self) -> Vec<FilterConfig> {
        let mut filters = Vec::new();
        if self.gzip == Some(true) {
            let levels = Levels { gzip: narrow(self.gzip_level, 1), ..Levels::default() };
            let window = self.gzip_window.map(|size| Size(size.0.max(1 << 10)));
            let config =
                self.coded(Coding::Gzip, self.gzip_types.as_ref(), self.gzip_min_length, self.gzip_clients());
            filters.push(Config { levels, window: window.unwrap_or(config.window), ..config });
        }
        if self.zstd == Some(true) {
            let levels = Levels { zstd: narrow(self.zstd_level, 1), ..Levels::default() };
            let config = self.coded(Coding::Zstd, self.zstd_types.as_ref(), self.zstd_min_length, by_name());
            filters.push(Config { levels, ..config });
        }
        if self.brotli == Some(true) {
            let levels = Levels { br: narrow(self.brotli_level, 6), ..Levels::default() };
            let config =
                self.coded(Coding::Br, self.brotli_types.as_ref(), self.brotli_min_length, by_name());
            let window = self.brotli_window.map_or(config.window, |size| size.min(WINDOW_MAX));
            filters.push(Config { levels, window, ..config });
        }
        filters.into_iter().map(FilterConfig::Compress).collect()
    }

    /// The filter that decompresses.
    pub(crate) fn emit_gunzip(&self) -> Option<FilterConfig> {
        let vary = self.varies();
        (self.gunzip == Some(true)).then(|| {
            FilterConfig::Decompress(decompress::Config {
                codings: vec![Coding::Gzip],
                vary,
                clients: self.gzip_clients(),
                ..decompress::Config::default()
            })
        })
    }

    fn coded(
        &self,
        coding: Coding,
        types: Option<&Vec<String>>,
        min: Option<u32>,
        clients: Clients,
    ) -> Config {
        Config {
            codings: vec![coding],
            types: types.cloned().unwrap_or_else(|| vec!["text/html".to_owned()]),
            size_min: Size(u64::from(min.unwrap_or(MIN_LENGTH))),
            statuses: STATUSES.to_vec(),
            vary: self.varies(),
            clients,
            ..Config::default()
        }
    }

    fn gzip_clients(&self) -> Clients {
        Clients {
            accept: Accept::Named,
            http_1_0: self.takes_http_1_0(),
            via: self.proxied.clone().unwrap_or_default(),
            except_user_agents: self.disabled(),
        }
    }
}

/// The modules for brotli and zstd ask for the name alone.
fn by_name() -> Clients {
    Clients { accept: Accept::Named, ..Clients::default() }
}

/// A level, within bounds that were checked.
fn narrow(level: Option<u32>, default: u8) -> u8 {
    level.and_then(|level| u8::try_from(level).ok()).unwrap_or(default)
}
