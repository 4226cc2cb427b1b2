//! How files are answered with: validators, ranges, compressed files, listings, links, the cache.

use super::super::settings::settings;
use super::compression::CompressionSettings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values::{self, Invalid, param};
use bifrons_config::Template;
use bifrons_config::units::Dur;
use bifrons_model::{
    Browse, BrowseFormat, Builtin, FileCache, FileLinks, IfModifiedSince, Negotiation, PrecompressedCoding,
    StaticFiles, VaryField,
};
use std::time::Duration;

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// How files are answered with.
    StaticSettings {
        etag: bool,
        if_modified_since: IfModifiedSince,
        max_ranges: u32,
        gzip_static: Precompressed,
        brotli_static: Precompressed,
        zstd_static: Precompressed,
        autoindex: bool,
        autoindex_format: BrowseFormat,
        autoindex_exact_size: bool,
        autoindex_localtime: bool,
        links: (FileLinks, Option<Template>),
        /// `None` inside: off.
        cache: Option<(u32, Dur)>,
        cache_valid: Dur,
        cache_min_uses: u32,
        cache_errors: bool,
    }
}

/// When compressed files are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precompressed {
    Off,
    On,
    Always,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "empty_gif",
        Contexts::LOCATION,
        Args::Exact(0),
        "Answers with a transparent picture of one pixel.",
        |cx, _| cx.level.builtin = Some(Builtin::EmptyGif),
    ),
    Spec::new(
        "stub_status",
        Contexts::SERVER.or(Contexts::LOCATION),
        Args::Range(0, 1),
        "Answers with counts of connections and requests. Heads that are being read count as waiting.",
        |cx, _| cx.level.builtin = Some(Builtin::Status),
    ),
    Spec::new("etag", LEVELS, Args::Flag, "Whether answers with files have an `ETag`.", |cx, d| {
        cx.once(d, values::flag, |cx| &mut cx.level.statics.etag);
    })
    .default("on"),
    Spec::new(
        "if_modified_since",
        LEVELS,
        Args::Exact(1),
        "How `If-Modified-Since` is compared with the time of a file: `exact`, `before` or `off`.",
        |cx, d| {
            choice(cx, d, |cx| &mut cx.level.statics.if_modified_since, &[
                ("off", IfModifiedSince::Off),
                ("exact", IfModifiedSince::Exact),
                ("before", IfModifiedSince::Before),
            ]);
        },
    )
    .default("exact"),
    Spec::new(
        "max_ranges",
        LEVELS,
        Args::Exact(1),
        "Ranges that one request may ask for; the whole file is sent where it asks for more. 0 serves none.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.statics.max_ranges),
    ),
    Spec::new(
        "gzip_static",
        LEVELS,
        Args::Exact(1),
        "Whether `NAME.gz` is sent in place of `NAME`, to clients that accept it (`on`) or to all (`always`).",
        |cx, d| precompressed(cx, d, |cx| &mut cx.level.statics.gzip_static),
    )
    .default("off"),
    Spec::new("brotli_static", LEVELS, Args::Exact(1), "The same with `NAME.br`.", |cx, d| {
        precompressed(cx, d, |cx| &mut cx.level.statics.brotli_static);
    })
    .default("off"),
    Spec::new("zstd_static", LEVELS, Args::Exact(1), "The same with `NAME.zst`.", |cx, d| {
        precompressed(cx, d, |cx| &mut cx.level.statics.zstd_static);
    })
    .default("off"),
    Spec::new(
        "autoindex",
        LEVELS,
        Args::Flag,
        "Whether a directory without index is listed.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.statics.autoindex),
    )
    .default("off"),
    Spec::new(
        "autoindex_format",
        LEVELS,
        Args::Exact(1),
        "The form of listings: `html`, `xml`, `json` or `jsonp`.",
        |cx, d| {
            choice(cx, d, |cx| &mut cx.level.statics.autoindex_format, &[
                ("html", BrowseFormat::Html),
                ("json", BrowseFormat::Json),
                ("jsonp", BrowseFormat::Jsonp),
                ("xml", BrowseFormat::Xml),
            ]);
        },
    )
    .default("html"),
    Spec::new(
        "autoindex_exact_size",
        LEVELS,
        Args::Flag,
        "Whether listings show sizes to the byte, or rounded.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.statics.autoindex_exact_size),
    )
    .default("on"),
    Spec::new(
        "autoindex_localtime",
        LEVELS,
        Args::Flag,
        "Whether listings show local time, or UTC.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.statics.autoindex_localtime),
    )
    .default("off"),
    Spec::new(
        "disable_symlinks",
        LEVELS,
        Args::Range(1, 2),
        "Whether symbolic links are refused (`on`), or where link and target belong to different users \
         (`if_not_owner`); not in the part of the name that `from=` gives.",
        disable_symlinks,
    )
    .default("off"),
    Spec::new(
        "open_file_cache",
        LEVELS,
        Args::Range(1, 2),
        "How many open files, directories and (if told) errors each worker keeps: `max=N`, and how long what \
         nobody asks for: `inactive=TIME` (60s).",
        open_file_cache,
    )
    .default("off"),
    Spec::new(
        "open_file_cache_valid",
        LEVELS,
        Args::Exact(1),
        "How long what is kept is believed without asking the system.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.level.statics.cache_valid),
    )
    .default("60s"),
    Spec::new(
        "open_file_cache_min_uses",
        LEVELS,
        Args::Exact(1),
        "How often a file must have been asked for before it is kept.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.statics.cache_min_uses),
    )
    .default("1"),
    Spec::new(
        "open_file_cache_errors",
        LEVELS,
        Args::Flag,
        "Whether what is not there is kept too.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.statics.cache_errors),
    )
    .default("off"),
];

/// Sets a value that is one of some words.
pub(crate) fn choice<T: Copy>(
    cx: &mut Ctx,
    directive: &Directive,
    field: fn(&mut Ctx) -> &mut Option<T>,
    words: &[(&str, T)],
) {
    let Some(word) = directive.arg(0) else { return };
    match words.iter().find(|(name, _)| *name == word.text) {
        Some((_, value)) => cx.put(directive, *value, field),
        None => {
            let names: Vec<_> = words.iter().map(|(name, _)| *name).collect();
            let help = Some(format!("write {}", names.join(", ")));
            let message = format!("invalid value \"{}\" in \"{}\" directive", word.text, directive.name.text);
            cx.invalid(directive, word, Invalid::Other(message, help));
        }
    }
}

fn precompressed(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<Precompressed>) {
    use Precompressed::{Always, Off, On};
    choice(cx, directive, field, &[("off", Off), ("on", On), ("always", Always)]);
}

fn disable_symlinks(cx: &mut Ctx, directive: &Directive) {
    let (mut links, mut from) = (None, None);
    for word in &directive.args {
        match &*word.text {
            "off" => links = Some(FileLinks::Follow),
            "on" => links = Some(FileLinks::Refuse),
            "if_not_owner" => links = Some(FileLinks::SameOwner),
            text => match param(text, "from") {
                Some(value) if !value.is_empty() => from = cx.template_of(word, value),
                _ => return cx.invalid_parameter(directive, word),
            },
        }
    }
    let Some(links) = links else {
        let message = "\"disable_symlinks\" must have \"off\", \"on\" or \"if_not_owner\" parameter";
        return cx.problem(&directive.name, message);
    };
    if links == FileLinks::Follow && from.is_some() {
        let message = "\"from=\" cannot be used with \"off\" parameter";
        return cx.problem(&directive.name, message);
    }
    cx.put(directive, (links, from), |cx| &mut cx.level.statics.links);
}

fn open_file_cache(cx: &mut Ctx, directive: &Directive) {
    let (mut max, mut inactive) = (None, Dur(Duration::from_secs(60)));
    for word in &directive.args {
        let text = &*word.text;
        if text == "off" {
            return cx.put(directive, None, |cx| &mut cx.level.statics.cache);
        }
        if let Some(value) = param(text, "max") {
            max = values::digits(value).and_then(|number| u32::try_from(number).ok()).filter(|max| *max > 0);
            if max.is_some() {
                continue;
            }
        }
        match param(text, "inactive").and_then(values::parse_time) {
            Some(time) => inactive = time,
            None => {
                let message = format!("invalid \"open_file_cache\" parameter \"{text}\"");
                return cx.invalid(directive, word, Invalid::Other(message, None));
            }
        }
    }
    match max {
        Some(max) => cx.put(directive, Some((max, inactive)), |cx| &mut cx.level.statics.cache),
        None => cx.problem(&directive.name, "\"open_file_cache\" must have the \"max\" parameter"),
    }
}

impl StaticSettings {
    /// Writes what is set, and nginx's defaults where they are not ours. `utf8` says whether names are so.
    pub(crate) fn emit(&self, utf8: bool, compression: &CompressionSettings, files: &mut StaticFiles) {
        files.etag = self.etag.unwrap_or(true);
        files.if_modified_since = self.if_modified_since.unwrap_or(IfModifiedSince::Exact);
        files.ranges_max = self.max_ranges.unwrap_or(i32::MAX.unsigned_abs());
        files.browse = self.autoindex.unwrap_or(false).then(|| Browse {
            format: self.autoindex_format.unwrap_or_default(),
            exact_size: self.autoindex_exact_size.unwrap_or(true),
            local_time: self.autoindex_localtime.unwrap_or(false),
            utf8,
        });
        self.emit_precompressed(compression, files);
        (files.links, files.links_trusted) = self.links.clone().unwrap_or_default();
        files.cache = self.cache.flatten().map(|(max, inactive)| FileCache {
            max,
            inactive,
            valid: self.cache_valid.unwrap_or(Dur(Duration::from_secs(60))),
            uses_min: self.cache_min_uses.unwrap_or(1),
            errors: self.cache_errors.unwrap_or(false),
        });
    }

    fn emit_precompressed(&self, compression: &CompressionSettings, files: &mut StaticFiles) {
        let codings = [
            (PrecompressedCoding::Br, self.brotli_static),
            (PrecompressedCoding::Zstd, self.zstd_static),
            (PrecompressedCoding::Gzip, self.gzip_static),
        ];
        let mut always = Vec::new();
        for (coding, when) in codings {
            match when {
                None | Some(Precompressed::Off) => continue,
                Some(Precompressed::On) => {}
                Some(Precompressed::Always) => always.push(coding),
            }
            files.precompressed.push(coding);
        }
        if !files.precompressed.is_empty() {
            files.negotiation = Negotiation {
                always,
                vary: if compression.varies() { VaryField::IfThere } else { VaryField::Never },
                http_1_0: compression.takes_http_1_0(),
                via: compression.takes_via(),
                except_user_agents: compression.disabled(),
            };
        }
    }
}
