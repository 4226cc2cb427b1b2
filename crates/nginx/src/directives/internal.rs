//! What leads from one location to another: `error_page`, `try_files`, `internal` and their like; and how
//! redirects of our own are written.

use super::super::settings::settings;
use super::location::Matcher;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values;
use bifrons_config::{At, Template};
use bifrons_model::{ErrorPage, OwnRedirects, PageStatus, TryFiles};

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// Error pages, and how redirects are written.
    InternalSettings {
        error_pages: Vec<At<ErrorPage>>,
        recursive: bool,
        absolute: bool,
        server_name: bool,
        port: bool,
    }
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "error_page",
        LEVELS.or(Contexts::IF),
        Args::AtLeast(2),
        "What is answered in place of errors: a path, which is routed again as a GET, `@name`, a named location, \
         or a URL to redirect to; with `=` its own status, with `=200` that one. A block that has any takes \
         none from the enclosing one.",
        error_page,
    ),
    Spec::new(
        "recursive_error_pages",
        LEVELS,
        Args::Flag,
        "Whether errors on the way to an error page lead to another one.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.internal.recursive),
    )
    .default("off"),
    Spec::new(
        "internal",
        Contexts::LOCATION,
        Args::Exact(0),
        "Only requests that were routed again get here; others find nothing (404).",
        |cx, d| {
            if std::mem::replace(&mut cx.level.is_internal, true) {
                cx.problem(&d.name, "\"internal\" directive is duplicate");
            }
        },
    ),
    Spec::new(
        "try_files",
        Contexts::SERVER.or(Contexts::LOCATION),
        Args::AtLeast(2),
        "Files that are looked for, in order; one with a `/` at its end is a directory. The last word is what \
         comes when none is there: a path, `@name`, or `=404`.",
        try_files,
    ),
    Spec::new(
        "absolute_redirect",
        LEVELS,
        Args::Flag,
        "Whether redirects of our own get protocol, host and port.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.internal.absolute),
    )
    .default("on"),
    Spec::new(
        "server_name_in_redirect",
        LEVELS,
        Args::Flag,
        "Whether the host of such a redirect is the server's first name, and not what the client asked for.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.internal.server_name),
    )
    .default("off"),
    Spec::new(
        "port_in_redirect",
        LEVELS,
        Args::Flag,
        "Whether such a redirect names a port that is not the protocol's own.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.internal.port),
    )
    .default("on"),
];

fn error_page(cx: &mut Ctx, directive: &Directive) {
    let Some((target, words)) = directive.args.split_last() else { return };
    let (status, words) = match words.split_last() {
        Some((word, rest)) if word.text.starts_with('=') => {
            let status = match word.text.as_str() {
                "=" => PageStatus::Answer,
                text => match values::digits(&text[1..]).and_then(|code| u16::try_from(code).ok()) {
                    Some(code @ 200..=599) => PageStatus::Set(code),
                    _ => return cx.problem(word, format!("invalid value \"{text}\"")),
                },
            };
            (status, rest)
        }
        _ => (PageStatus::Keep, words),
    };
    if words.is_empty() {
        return cx.problem(&directive.name, "invalid number of arguments in \"error_page\" directive");
    }
    let mut on = Vec::new();
    for word in words {
        let Some(code) = values::digits(&word.text) else {
            return cx.problem(word, format!("invalid value \"{}\"", word.text));
        };
        match u16::try_from(code).ok() {
            Some(499) => return cx.problem(word, "invalid value \"499\""),
            Some(code @ 300..=599) => on.push(code),
            _ => {
                let message = "value \"%\" must be between 300 and 599".replace('%', &word.text);
                return cx.problem(word, message);
            }
        }
    }
    let Some(to) = cx.template(target) else { return };
    let page = At::new(ErrorPage { on, to, status }, target.place.clone());
    cx.level.internal.error_pages.get_or_insert_default().push(page);
}

fn try_files(cx: &mut Ctx, directive: &Directive) {
    let Some((last, words)) = directive.args.split_last() else { return };
    if matches!((&cx.level.matcher, &cx.level.files.root), (Some(Matcher::Regex(_)), Some(root)) if root.is_alias())
    {
        return cx.later(directive.place.clone(), "\"try_files\" with an \"alias\" in a regex location", "");
    }
    if let Some(code) = last.text.strip_prefix('=')
        && !matches!(values::digits(code), Some(200..=599))
    {
        return cx.problem(last, format!("invalid code \"{}\"", last.text));
    }
    let files: Option<Vec<Template>> = words.iter().map(|word| cx.template(word)).collect();
    let (Some(files), Some(otherwise)) = (files, cx.template(last)) else { return };
    let try_files = At::new(TryFiles { files, otherwise }, directive.place.clone());
    cx.put(directive, try_files, |cx| &mut cx.level.try_files);
}

impl InternalSettings {
    /// The error pages.
    pub(crate) fn error_pages(&self) -> Vec<ErrorPage> {
        self.error_pages.iter().flatten().map(|page| page.value.clone()).collect()
    }

    /// Where they lead, for those who check the names.
    pub(crate) fn targets(&self) -> impl Iterator<Item = At<&Template>> {
        self.error_pages.iter().flatten().map(|page| At { value: &page.value.to, place: page.place.clone() })
    }

    /// Whether errors on the way to an error page lead to another.
    pub(crate) fn is_recursive(&self) -> bool {
        self.recursive.unwrap_or(false)
    }

    /// How redirects are written.
    pub(crate) fn redirects(&self) -> OwnRedirects {
        OwnRedirects {
            absolute: self.absolute.unwrap_or(true),
            server_name: self.server_name.unwrap_or(false),
            port: self.port.unwrap_or(true),
        }
    }
}
