//! How long answers may be kept, and which characters they are written in: `expires`, `charset`.

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_config::Template;
use bifrons_filters::expires::Expires;
use bifrons_filters::{FilterConfig, charset, expires};

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// What answers say about themselves.
    ExpiresSettings {
        expires: (Template, bool),
        charset: Template,
        source_charset: Word,
        charset_types: Vec<String>,
        override_charset: bool,
    }
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "expires",
        LEVELS.or(Contexts::IF),
        Args::Range(1, 2),
        "Sets `Expires` and `Cache-Control` of good answers: a time from now, `modified` and a time from the \
         last change, `@` and a time of day, `epoch`, `max` or `off`.",
        expires_,
    )
    .default("off"),
    Spec::new(
        "charset",
        LEVELS.or(Contexts::IF),
        Args::Exact(1),
        "Adds a charset to the `Content-Type` of answers that have none. Nothing is recoded.",
        |cx, d| {
            let template = cx.template(&d.args[0]);
            if let Some(template) = template {
                cx.put(d, template, |cx| &mut cx.level.expires.charset);
            }
        },
    )
    .default("off"),
    Spec::new(
        "source_charset",
        LEVELS.or(Contexts::IF),
        Args::Exact(1),
        "The charset that answers are written in; the same as `charset`, since nothing is recoded.",
        |cx, d| cx.put(d, d.args[0].clone(), |cx| &mut cx.level.expires.source_charset),
    ),
    Spec::new(
        "charset_types",
        LEVELS,
        Args::AtLeast(1),
        "Media types that get a charset, besides `text/html`; `*` is all.",
        |cx, d| {
            let types = d.args.iter().map(|word| word.text.clone()).collect();
            cx.put(d, types, |cx| &mut cx.level.expires.charset_types);
        },
    )
    .default("text/html text/xml text/plain text/vnd.wap.wml application/javascript application/rss+xml"),
    Spec::new(
        "override_charset",
        LEVELS.or(Contexts::IF),
        Args::Flag,
        "Whether a charset that the answer has is replaced.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.expires.override_charset),
    )
    .default("off"),
];

fn expires_(cx: &mut Ctx, directive: &Directive) {
    let from_modified = directive.args.len() == 2;
    if from_modified && directive.text(0) != "modified" {
        return cx.invalid(directive, &directive.args[0], Invalid::Value);
    }
    let Some(word) = directive.args.last() else { return };
    let Some(time) = cx.template(word) else { return };
    if let Some(text) = time.as_text()
        && let Err(message) = Expires::parse(text, from_modified)
    {
        let invalid = match message.strip_prefix("daily time") {
            Some(_) if from_modified => {
                let message = "\"expires\" directive daily time cannot be used with \"modified\" parameter";
                Invalid::Other(message.to_owned(), None)
            }
            Some(_) => {
                let message = "\"expires\" directive daily time value must be less than 24 hours";
                Invalid::Other(message.to_owned(), None)
            }
            None => Invalid::Value,
        };
        return cx.invalid(directive, word, invalid);
    }
    cx.put(directive, (time, from_modified), |cx| &mut cx.level.expires.expires);
}

impl ExpiresSettings {
    /// The filter that sets `Expires`.
    pub(crate) fn emit_expires(&self) -> Option<FilterConfig> {
        let (time, from_modified) = self.expires.clone()?;
        if time.as_text().is_some_and(|text| text == "off") {
            return None;
        }
        Some(FilterConfig::Expires(expires::Config { time, from_modified }))
    }

    /// The filter that names the charset.
    pub(crate) fn emit_charset(&self, cx: &mut Ctx) -> Option<FilterConfig> {
        let charset =
            self.charset.clone().filter(|charset| charset.as_text().is_none_or(|text| text != "off"))?;
        if let Some(source) = &self.source_charset
            && source.text != "off"
            && !charset.as_text().is_some_and(|text| text.eq_ignore_ascii_case(&source.text))
        {
            let what = format!("recoding from \"{}\"", source.text);
            cx.later(source.place.clone(), &what, "write \"charset\" and \"source_charset\" alike");
        }
        let types = match &self.charset_types {
            Some(types) => std::iter::once("text/html".to_owned()).chain(types.iter().cloned()).collect(),
            None => DEFAULT_TYPES.iter().map(|&media| media.to_owned()).collect(),
        };
        let replace = self.override_charset.unwrap_or(false);
        Some(FilterConfig::Charset(charset::Config { charset, types, replace }))
    }

    /// Whether names of files are written in UTF-8.
    pub(crate) fn is_utf8(&self) -> bool {
        let text = self.charset.as_ref().and_then(Template::as_text);
        text.is_some_and(|text| text.eq_ignore_ascii_case("utf-8"))
    }
}

/// nginx's `ngx_http_charset_default_types`, with `text/html`.
const DEFAULT_TYPES: [&str; 6] = [
    "text/html",
    "text/xml",
    "text/plain",
    "text/vnd.wap.wml",
    "application/javascript",
    "application/rss+xml",
];
