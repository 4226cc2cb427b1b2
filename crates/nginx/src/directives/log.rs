//! Logs: `access_log`, `log_format`; where `error_log` leads.

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values;
use bifrons_config::units::Dur;
use bifrons_config::{At, OneOrMany};
use bifrons_model::{ErrorLogTo, ErrorLogs, Level};
use bifrons_observe::config::{AccessLog, AccessLogs, Destination, Escape, GzipFile, LogFormat, Syslog};
use indexmap::IndexMap;

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// Where access records go.
    LogSettings {
        /// None for `off`.
        access: Vec<AccessLog>,
        /// `error_log`.
        errors: Vec<ErrorLogTo>,
        /// `log_not_found`.
        not_found: bool,
    }
}

/// Formats by name, besides the model's own.
pub(crate) type Formats = IndexMap<String, LogFormat>;

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "access_log",
        LEVELS.or(Contexts::IF).or(Contexts::LIMIT_EXCEPT).or(Contexts::STREAMS),
        Args::AtLeast(1),
        "Where access records go: a path, with variables where each record is to say its file, `syslog:server=…` or `off`, with the name of a format, `buffer=`, \
         `flush=`, `gzip` and `if=`. A block that has any takes none from the enclosing one.",
        access_log,
    )
    .default("stdout combined"),
    Spec::new(
        "log_format",
        Contexts::HTTP.or(Contexts::STREAM),
        Args::AtLeast(2),
        "Names a format of access records: texts with variables, escaped by `escape=default`, `json` or `none`.",
        log_format,
    )
    .default("combined \"…\""),
    Spec::accepted("open_log_file_cache", LEVELS.or(Contexts::STREAMS), Args::AtLeast(1), "log files stay open until SIGUSR1"),
    Spec::accepted("log_subrequest", LEVELS, Args::Flag, "there are no subrequests"),
    Spec::new(
        "log_not_found",
        LEVELS,
        Args::Flag,
        "Whether the error log is told of files that are not there.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.log.not_found),
    )
    .default("on"),
];

fn access_log(cx: &mut Ctx, directive: &Directive) {
    let logs = &mut cx.level.log.access;
    if directive.text(0) == "off" {
        if let Some(word) = directive.arg(1) {
            return cx.invalid_parameter(directive, word);
        }
        *logs = Some(Vec::new());
        return;
    }
    let word = &directive.args[0];
    let to = match word.text.strip_prefix("syslog:") {
        Some(parameters) => match syslog(parameters) {
            Ok(syslog) => Destination::Syslog(syslog),
            Err(message) => return cx.problem(word, message),
        },
        None => match cx.defaults.full_path(&word.text).as_str() {
            "/dev/stdout" => Destination::Stdout,
            "/dev/stderr" => Destination::Stderr,
            path if path.contains('$') => match cx.template_of(word, path) {
                Some(path) => Destination::Files(path),
                None => return,
            },
            path => Destination::File(path.to_owned()),
        },
    };
    let mut log = AccessLog { format: At::from("combined"), ..AccessLog::new(to) };
    if cx.context.meets(Contexts::STREAMS) && directive.args.len() < 2 {
        return cx.problem(word, "log format is not specified");
    }
    let mut buffered = Buffered::default();
    for (index, word) in directive.args.iter().enumerate().skip(1) {
        access_log_parameter(cx, directive, word, index, &mut log, &mut buffered);
    }
    if let Some(message) = buffered.refused_for(&log.to, &word.text) {
        return cx.problem(word, message);
    }
    match (buffered.gzip, &log.to) {
        (Some(level), Destination::File(file)) => {
            log.to = Destination::Gzip(GzipFile { file: file.clone(), level });
            log.flush = buffered.flush.unwrap_or(AccessLog::FLUSH_GZIP);
        }
        (Some(_), _) => {
            let what = "\"gzip\" of a standard stream";
            return cx.later(
                word.place.clone(),
                what,
                "name a file, or let whoever reads the stream compress it",
            );
        }
        (None, _) => {}
    }
    cx.level.log.access.get_or_insert_default().push(log);
}

/// What an `access_log` says of its buffer.
#[derive(Default)]
struct Buffered {
    size: bool,
    flush: Option<Dur>,
    /// The level.
    gzip: Option<u32>,
}

impl Buffered {
    /// What nginx says where records of that destination cannot wait.
    fn refused_for(&self, to: &Destination, name: &str) -> Option<String> {
        let waits = self.size || self.gzip.is_some();
        match to {
            _ if !waits && self.flush.is_some() => {
                Some(format!("no buffer is defined for access_log \"{name}\""))
            }
            _ if !waits => None,
            Destination::Files(_) => Some("buffered logs cannot have variables in name".to_owned()),
            Destination::Syslog(_) => Some("logs to syslog cannot be buffered".to_owned()),
            _ => None,
        }
    }
}

/// The name in the model: `http` and `stream` each have names of their own.
fn format_name(cx: &Ctx, name: &str) -> String {
    match cx.context.meets(Contexts::STREAMS) {
        true => format!("stream:{name}"),
        false => name.to_owned(),
    }
}

fn is_format(cx: &Ctx, name: &str) -> bool {
    let name = format_name(cx, name);
    name == "combined" || cx.http.formats.contains_key(&name)
}

fn access_log_parameter(
    cx: &mut Ctx,
    directive: &Directive,
    word: &Word,
    index: usize,
    log: &mut AccessLog,
    buffered: &mut Buffered,
) {
    if let Some(size) = values::param(&word.text, "buffer") {
        match values::parse_size(size) {
            // Records are always buffered; the bound is on what waits for the disk.
            Some(size) => (log.queue, buffered.size) = (size.max(AccessLog::QUEUE), true),
            None => cx.problem(word, format!("invalid buffer size \"{size}\"")),
        }
    } else if let Some(time) = values::param(&word.text, "flush") {
        match values::parse_time(time) {
            Some(time) => (log.flush, buffered.flush) = (time, Some(time)),
            None => cx.problem(word, format!("invalid flush time \"{time}\"")),
        }
    } else if let Some(condition) = values::param(&word.text, "if") {
        log.when = cx.template_of(word, condition);
    } else if word.text == "gzip" {
        buffered.gzip = Some(1);
    } else if let Some(level) = values::param(&word.text, "gzip") {
        match values::digits(level).and_then(|level| u32::try_from(level).ok()) {
            Some(level @ 1..=9) => buffered.gzip = Some(level),
            _ => {
                buffered.gzip = Some(1);
                cx.problem(word, format!("invalid compression level \"{level}\""));
            }
        }
    } else if index > 1 {
        cx.invalid_parameter(directive, word);
    } else if is_format(cx, &word.text) {
        log.format = At::new(format_name(cx, &word.text), word.place.clone());
    } else {
        let message = format!("unknown log format \"{}\"", word.text);
        cx.problem_help(word, message, "a \"log_format\" must stand before the \"access_log\" that names it");
    }
}

/// Where an `error_log` leads; `None` where that is a mistake, which has been noted.
pub(super) fn error_log_to(cx: &mut Ctx, directive: &Directive) -> Option<ErrorLogTo> {
    let level = match directive.text(1) {
        "" | "error" => Level::Error,
        "crit" | "alert" | "emerg" => Level::Crit,
        "warn" => Level::Warn,
        "notice" => Level::Notice,
        "info" => Level::Info,
        text if text == "debug" || text.starts_with("debug_") => Level::Debug,
        text => {
            let message = format!("invalid log level \"{text}\"");
            let help = "write debug, info, notice, warn, error, crit, alert or emerg";
            cx.problem_help(&directive.args[1], message, help);
            return None;
        }
    };
    let word = &directive.args[0];
    let to = match word.text.strip_prefix("syslog:").map(syslog) {
        Some(Ok(syslog)) => Destination::Syslog(syslog),
        Some(Err(message)) => {
            cx.problem(word, message);
            return None;
        }
        None if word.text.starts_with("memory:") => {
            let what = format!("\"error_log {}\"", word.text);
            cx.later(word.place.clone(), &what, "write stderr, which systemd passes on");
            return None;
        }
        None => match cx.defaults.full_path(&word.text).as_str() {
            "/dev/stdout" => Destination::Stdout,
            "/dev/stderr" => Destination::Stderr,
            _ if word.text == "stderr" => Destination::Stderr,
            path => Destination::File(path.to_owned()),
        },
    };
    Some(ErrorLogTo { to, level })
}

/// `server=…,facility=…,…`
fn syslog(parameters: &str) -> Result<Syslog, String> {
    const FACILITIES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv",
        "ftp", "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5",
        "local6", "local7",
    ];
    const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];
    /// Of a tag, in nginx (`NGX_SYSLOG_MAX_STR`'s share).
    const TAG_BYTES_MAX: usize = 32;
    let mut syslog = Syslog { server: String::new(), tag: "nginx".to_owned(), ..Syslog::default() };
    for parameter in parameters.split(',') {
        match parameter.split_once('=') {
            Some(("server", server)) if !server.is_empty() => {
                let has_port =
                    server.starts_with("unix:") || server.rsplit(']').next().unwrap_or("").contains(':');
                syslog.server = if has_port { server.to_owned() } else { format!("{server}:514") };
            }
            Some(("facility", name)) if FACILITIES.contains(&name) => syslog.facility = name.to_owned(),
            Some(("facility", name)) => return Err(format!("unknown syslog facility \"{name}\"")),
            Some(("severity", name)) if SEVERITIES.contains(&name) => syslog.severity = name.to_owned(),
            Some(("severity", name)) => return Err(format!("unknown syslog severity \"{name}\"")),
            Some(("tag", tag)) => {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                if tag.is_empty() || tag.len() > TAG_BYTES_MAX || !tag.bytes().all(is_plain) {
                    return Err("syslog \"tag\" only allows alphanumeric characters and underscore".into());
                }
                syslog.tag = tag.to_owned();
            }
            None if parameter == "nohostname" => syslog.hostname = false,
            _ => return Err(format!("unknown syslog parameter \"{parameter}\"")),
        }
    }
    match syslog.server.is_empty() {
        true => Err("no syslog server specified".to_owned()),
        false => Ok(syslog),
    }
}

fn log_format(cx: &mut Ctx, directive: &Directive) {
    let name = &directive.args[0];
    if is_format(cx, &name.text) {
        return cx.problem(name, format!("duplicate \"log_format\" name \"{}\"", name.text));
    }
    let mut texts = directive.args.iter().skip(1).peekable();
    let mut escape = Escape::Default;
    if let Some(value) = texts.peek().and_then(|word| values::param(&word.text, "escape")) {
        escape = match value {
            "default" => Escape::Default,
            "json" => Escape::Json,
            "none" => Escape::None,
            _ => {
                return cx.problem(&directive.args[1], format!("unknown log format escaping \"{value}\""));
            }
        };
        texts.next();
    }
    // Compiled one by one, so that each mistake has its place, and then as the one text they are.
    let words: Vec<&Word> = texts.collect();
    let wrong = words.iter().filter(|word| cx.template(word).is_none()).count();
    if wrong == 0
        && let Some(template) = cx.template_of(name, &joined(&words))
    {
        cx.http.formats.insert(format_name(cx, &name.text), LogFormat::Text { template, escape });
    }
}

/// The texts as one. A variable at the end of one does not grow into the next.
fn joined(words: &[&Word]) -> String {
    let mut whole = String::new();
    for word in words {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name_start = whole.trim_end_matches(is_name).len();
        if word.text.starts_with(is_name) && name_start < whole.len() && whole[..name_start].ends_with('$') {
            let name = whole.split_off(name_start);
            whole.push_str(&format!("{{{name}}}"));
        }
        whole.push_str(&word.text);
    }
    whole
}

impl LogSettings {
    /// The destinations, where any are named or the log is off.
    pub(crate) fn emit(&self) -> Option<AccessLogs> {
        self.access.clone().map(OneOrMany)
    }

    /// Where errors are told, where that is said.
    pub(crate) fn errors(&self) -> Option<ErrorLogs> {
        self.errors.clone().map(OneOrMany)
    }
}
