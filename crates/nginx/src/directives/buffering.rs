//! Bodies on their way: buffers and temporary files, what is sent in place of the client's, speed.

use super::super::settings::settings;
use super::proxy_answers::AnswerSettings;
use super::rewrite::RATE;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_config::units::Size;
use bifrons_config::{At, Place, Template, Var};
use bifrons_model::{
    AccelField, Bandwidth, BodyFiles, Proxy, RequestBuffering, ResponseBuffering, SentRequest, Switch,
};
use std::collections::HashSet;

const LEVELS: Contexts = Contexts::LEVELS;

/// A directory and its levels.
type TempPath = (At<String>, Vec<u8>);

settings! {
    /// How bodies go.
    BodySettings {
        client_buffer: Size,
        client_path: TempPath,
        client_files: BodyFiles,
        collects: bool,
        holds: bool,
        /// The buffer of an answer's head.
        head: Size,
        /// Number and size.
        buffers: (u32, Size),
        busy: Size,
        file: Size,
        write: Size,
        path: TempPath,
        ignored: Vec<String>,
        upstream_rate: Template,
        method: Template,
        body: Template,
        passes_body: bool,
        passes_headers: bool,
        trailers: bool,
        rate: Template,
        rate_after: Template,
    }
}

/// A page, nginx's default of `proxy_buffer_size` and of one of `proxy_buffers`.
const PAGE: Size = Size::kib(4);

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "client_body_buffer_size",
        LEVELS,
        Args::Exact(1),
        "Bytes of a request's body that are kept in memory; a larger one goes to a temporary file.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.body.client_buffer),
    )
    .default("16k"),
    Spec::new(
        "client_body_temp_path",
        LEVELS,
        Args::Range(1, 4),
        "Directory of temporary files with bodies of requests, and up to three levels of directories below it.",
        |cx, d| temp_path(cx, d, |cx| &mut cx.level.body.client_path),
    )
    .default("/var/tmp"),
    Spec::new(
        "client_body_in_file_only",
        LEVELS,
        Args::Exact(1),
        "Whether every body of a request goes to a file: `on` keeps it, `clean` removes it after the request.",
        |cx, d| {
            let files = |word: &Word| match word.text.as_str() {
                "on" => Ok(BodyFiles::Keep),
                "clean" => Ok(BodyFiles::Clean),
                "off" => Ok(BodyFiles::Spill),
                _ => Err(Invalid::Choice("on, clean or off")),
            };
            cx.once(d, files, |cx| &mut cx.level.body.client_files);
        },
    )
    .default("off"),
    Spec::accepted(
        "client_body_in_single_buffer",
        LEVELS,
        Args::Flag,
        "a body that is in memory lies in one piece always",
    ),
    Spec::new(
        "proxy_request_buffering",
        LEVELS,
        Args::Flag,
        "Whether a request's body is collected before a server is picked. One without length is collected for \
         HTTP/1.0 in any case.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.body.collects),
    )
    .default("on"),
    Spec::new(
        "proxy_buffering",
        LEVELS,
        Args::Flag,
        "Whether an answer is held back for a client that is slower than the server, so that the server is free. \
         `X-Accel-Buffering` of an answer goes before it.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.body.holds),
    )
    .default("on"),
    Spec::new(
        "proxy_buffer_size",
        LEVELS,
        Args::Exact(1),
        "Bytes of the head of an answer; a larger one is an error of the server.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.body.head),
    )
    .default("4k"),
    Spec::new(
        "proxy_buffers",
        LEVELS,
        Args::Exact(2),
        "Number and size of buffers: both together are the bytes of an answer that are held in memory.",
        buffers,
    )
    .default("8 4k"),
    Spec::new(
        "proxy_busy_buffers_size",
        LEVELS,
        Args::Exact(1),
        "Bytes that may be on their way to the client while more is read; checked as nginx does, without effect: \
         the socket's own buffer bounds it.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.body.busy),
    ),
    Spec::new(
        "proxy_max_temp_file_size",
        LEVELS,
        Args::Exact(1),
        "Bytes of an answer that are held in a temporary file beyond the buffers, 0 for none. Then the server \
         waits for the client.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.body.file),
    )
    .default("1024m"),
    Spec::new(
        "proxy_temp_file_write_size",
        LEVELS,
        Args::Exact(1),
        "Bytes that are written to a temporary file at a time.",
        |cx, d| cx.once(d, values::size, |cx| &mut cx.level.body.write),
    )
    .default("128k"),
    Spec::new(
        "proxy_temp_path",
        LEVELS,
        Args::Range(1, 4),
        "Directory of temporary files with answers. They have no names, so levels are accepted without effect.",
        |cx, d| temp_path(cx, d, |cx| &mut cx.level.body.path),
    )
    .default("/var/tmp"),
    Spec::new(
        "proxy_ignore_headers",
        LEVELS,
        Args::AtLeast(1),
        "Fields of answers that nginx acts upon and that are not heeded: `X-Accel-Redirect`, \
         `X-Accel-Buffering`, `X-Accel-Limit-Rate`; the others count where answers are stored.",
        ignore_headers,
    ),
    Spec::new(
        "proxy_limit_rate",
        LEVELS,
        Args::Exact(1),
        "Bytes a second that are read of an answer that is buffered, 0 for any. May have variables.",
        |cx, d| rate(cx, d, |cx| &mut cx.level.body.upstream_rate),
    )
    .default("0"),
    Spec::new(
        "proxy_method",
        LEVELS,
        Args::Exact(1),
        "The method that is sent in place of the client's. May have variables.",
        |cx, d| template(cx, d, |cx| &mut cx.level.body.method),
    ),
    Spec::new(
        "proxy_set_body",
        LEVELS,
        Args::Exact(1),
        "The body that is sent in place of the client's. May have variables, `$request_body` among them.",
        |cx, d| template(cx, d, |cx| &mut cx.level.body.body),
    ),
    Spec::new(
        "proxy_pass_request_body",
        LEVELS,
        Args::Flag,
        "Whether the client's body is sent.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.body.passes_body),
    )
    .default("on"),
    Spec::new(
        "proxy_pass_request_headers",
        LEVELS,
        Args::Flag,
        "Whether the client's fields are sent; those of `proxy_set_header` are.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.body.passes_headers),
    )
    .default("on"),
    Spec::new(
        "proxy_pass_trailers",
        LEVELS,
        Args::Flag,
        "Whether trailer fields of answers are passed on.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.body.trailers),
    )
    .default("off"),
    Spec::new(
        "limit_rate",
        LEVELS.or(Contexts::IF),
        Args::Exact(1),
        "Bytes a second to a client for one answer, 0 for any. May have variables; `X-Accel-Limit-Rate` of an \
         answer goes before it.",
        |cx, d| rate(cx, d, |cx| &mut cx.level.body.rate),
    )
    .default("0"),
    Spec::new(
        "limit_rate_after",
        LEVELS.or(Contexts::IF),
        Args::Exact(1),
        "Bytes of an answer that go at full speed before `limit_rate`. May have variables.",
        |cx, d| rate(cx, d, |cx| &mut cx.level.body.rate_after),
    )
    .default("0"),
];

/// A directory and its levels, each one or two digits.
fn temp_path(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<TempPath>) {
    let mut levels = Vec::new();
    for word in directive.args.iter().skip(1) {
        match values::number(word) {
            Ok(0) => {}
            Ok(level @ 1..=2) => levels.push(level as u8),
            _ => return cx.problem(word, format!("invalid value \"{}\"", word.text)),
        }
    }
    let word = &directive.args[0];
    let path = At::new(cx.defaults.full_path(&word.text), word.place.clone());
    cx.put(directive, (path, levels), field);
}

fn buffers(cx: &mut Ctx, directive: &Directive) {
    match (values::number(&directive.args[0]), values::size(&directive.args[1])) {
        (Ok(number @ 1..), Ok(size @ Size(1..))) => {
            cx.put(directive, (number, size), |cx| &mut cx.level.body.buffers);
        }
        (Ok(1..), _) => cx.invalid(directive, &directive.args[1], Invalid::Value),
        _ => cx.invalid(directive, &directive.args[0], Invalid::Value),
    }
}

fn ignore_headers(cx: &mut Ctx, directive: &Directive) {
    const KNOWN: [&str; 9] = [
        "X-Accel-Redirect",
        "X-Accel-Expires",
        "X-Accel-Limit-Rate",
        "X-Accel-Buffering",
        "X-Accel-Charset",
        "Expires",
        "Cache-Control",
        "Set-Cookie",
        "Vary",
    ];
    let mut ignored = Vec::new();
    for word in &directive.args {
        match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(&word.text)) {
            Some(known) => ignored.push((*known).to_owned()),
            None => {
                let right = "X-Accel-Redirect, X-Accel-Expires, X-Accel-Limit-Rate, X-Accel-Buffering, \
                     X-Accel-Charset, Expires, Cache-Control, Set-Cookie or Vary";
                cx.invalid(directive, word, Invalid::Choice(right));
            }
        }
    }
    cx.put(directive, ignored, |cx| &mut cx.level.body.ignored);
}

fn template(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<Template>) {
    if let Some(template) = cx.template(&directive.args[0]) {
        cx.put(directive, template, field);
    }
}

/// Bytes, as a constant or with variables.
fn rate(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<Template>) {
    let word = &directive.args[0];
    if !word.text.contains('$') && values::size(word).is_err() {
        return cx.invalid(directive, word, Invalid::Value);
    }
    template(cx, directive, field);
}

/// Fields by which a server says how its answer goes.
const ACCEL: [(&str, AccelField); 3] = [
    ("X-Accel-Buffering", AccelField::Buffering),
    ("X-Accel-Limit-Rate", AccelField::LimitRate),
    ("X-Accel-Charset", AccelField::Charset),
];

impl BodySettings {
    /// Whether a server's field of that name, in nginx's spelling, is heeded.
    fn heeds(&self, name: &str) -> bool {
        !self.ignored.iter().flatten().any(|ignored| ignored == name)
    }

    /// Complains of fields that are heeded and shall be passed on all the same. `place` is that of `proxy_pass`.
    pub(crate) fn check_passed(&self, cx: &mut Ctx, answers: &AnswerSettings, place: &Place) {
        let taken_away = ACCEL.into_iter().filter(|(_, field)| *field != AccelField::Charset);
        for (name, _) in taken_away.filter(|(name, _)| answers.passes(name) && self.heeds(name)) {
            let help = format!("add \"proxy_ignore_headers {name}\"");
            cx.later(
                place.clone(),
                &format!("\"proxy_pass_header {name}\" of a field that is heeded"),
                &help,
            );
        }
    }

    /// Writes what a proxied location says. `place` is that of its `proxy_pass`.
    pub(crate) fn emit(&self, cx: &mut Ctx, proxy: &mut Proxy, place: &Place) {
        self.check(cx, place);
        let on = |switch: Option<bool>| if switch.unwrap_or(true) { Switch::On } else { Switch::Off };
        let default = RequestBuffering::default();
        let (path, levels) = self.client_path.clone().unzip();
        proxy.request_buffering = RequestBuffering {
            mode: on(self.collects),
            memory: self.client_buffer.unwrap_or(default.memory),
            path,
            levels: levels.unwrap_or_default(),
            files: self.client_files.unwrap_or_default(),
        };
        let (number, size) = self.sizes();
        let default = ResponseBuffering::default();
        proxy.response_buffering = ResponseBuffering {
            mode: on(self.holds),
            memory: Size(size.0.saturating_mul(u64::from(number))),
            file: self.file.unwrap_or(default.file),
            write: self.write.unwrap_or(default.write),
            path: self.path.clone().map(|(path, _)| path),
            rate: self.upstream_rate.clone().filter(|rate| rate.as_text() != Some("0")),
        };
        proxy.max_head = Some(self.head.unwrap_or(PAGE));
        proxy.trailers = self.trailers.unwrap_or(false);
        self.emit_heeded(proxy);
        proxy.request = SentRequest {
            method: self.method.clone(),
            body: self.body.clone(),
            no_body: self.passes_body == Some(false),
            no_headers: self.passes_headers == Some(false),
        };
    }

    /// Writes which fields of a server tell the proxy what to do.
    pub(crate) fn emit_heeded(&self, proxy: &mut Proxy) {
        proxy.accel_redirect = self.heeds("X-Accel-Redirect");
        proxy.accel =
            ACCEL.into_iter().filter_map(|(name, field)| self.heeds(name).then_some(field)).collect();
    }

    /// How fast answers go. `declared` are the variables that the configuration sets.
    pub(crate) fn bandwidth(&self, declared: &HashSet<String>) -> Option<Bandwidth> {
        let is_any = |rate: &Template| rate.is_empty() || rate.as_text() == Some("0");
        let rate = self.rate.clone().filter(|rate| !is_any(rate));
        let after = self.rate_after.clone().filter(|after| !is_any(after)).unwrap_or_default();
        // A rate may come with the answer, and what goes before it counts then too.
        let first = declared.contains(RATE).then(|| Template::var(Var::User(RATE.into())));
        match rate {
            None if after.is_empty() && first.is_none() => None,
            rate => {
                let rate = rate.unwrap_or_else(|| Template::text("0"));
                Some(Bandwidth { rate, after, first: first.unwrap_or_default() })
            }
        }
    }

    fn sizes(&self) -> (u32, Size) {
        self.buffers.unwrap_or((8, PAGE))
    }

    /// nginx's own checks of sizes that don't fit each other.
    fn check(&self, cx: &mut Ctx, place: &Place) {
        let (number, size) = self.sizes();
        let most = size.max(self.head.unwrap_or(PAGE));
        let busy = self.busy.unwrap_or(Size(most.0.saturating_mul(2)));
        let least = "equal to or greater than the maximum of the value of \"proxy_buffer_size\" and one of the \
                     \"proxy_buffers\"";
        let message = if number < 2 {
            "there must be at least 2 \"proxy_buffers\"".to_owned()
        } else if busy < most {
            format!("\"proxy_busy_buffers_size\" must be {least}")
        } else if busy.0 > size.0.saturating_mul(u64::from(number - 1)) {
            "\"proxy_busy_buffers_size\" must be less than the size of all \"proxy_buffers\" minus one buffer"
                .to_owned()
        } else if self.write.is_some_and(|write| write < most) {
            format!("\"proxy_temp_file_write_size\" must be {least}")
        } else if self.file.is_some_and(|file| file != Size(0) && file < most) {
            format!(
                "\"proxy_max_temp_file_size\" must be equal to zero to disable temporary files usage or must be {least}"
            )
        } else {
            return;
        };
        cx.notes.problem(bifrons_config::Problem::at(place.clone(), message));
    }
}
