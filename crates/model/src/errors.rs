//! Error logs: the proxy's own, and those of hosts and routes.

use crate::shorthand::{same_fields, string_or_map};
use bifrons_config::OneOrMany;
use bifrons_observe::config::Destination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The proxy's own log: what it did and what went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorLog {
    /// A path, `stderr`, `stdout`, or `none` where `also` says it all. Opened again on SIGUSR1.
    pub to: String,
    /// The least severity written.
    pub level: Level,
    /// Whether a line is JSON.
    pub json: bool,
    /// Whether a line has the form of nginx's error log, for what reads those.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nginx: bool,
    /// Where the same lines go besides.
    #[serde(skip_serializing_if = "ErrorLog::goes_nowhere_else")]
    pub also: ErrorLogs,
}

/// Where lines of error logs go: one destination or several.
pub type ErrorLogs = OneOrMany<ErrorLogTo>;

/// A destination of an error log: a path, `stdout`, `stderr`, or a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLogTo {
    /// Where lines are written.
    pub to: Destination,
    /// The least severity written.
    pub level: Level,
}

/// A destination of an error log: a path, `stdout`, `stderr`, or a map.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "ErrorLogTo")]
struct ErrorLogToMap {
    /// Where lines are written: `{ file: PATH }`, `stdout`, `stderr`, `{ syslog: … }`. A syslog is told the
    /// severity of each.
    to: Destination,
    /// The least severity written: `error`, or with `info` also what clients do wrong.
    #[serde(default = "error")]
    level: Level,
}

fn error() -> Level {
    Level::Error
}

same_fields!(ErrorLogTo, ErrorLogToMap, { to, level });

string_or_map!(
    ErrorLogTo,
    ErrorLogToMap,
    "a path, `stdout`, `stderr`, or a map with `to`",
    |text| Ok(ErrorLogTo { to: ErrorLogTo::named(text), level: Level::Error }),
    |log| match &log.to {
        _ if log.level != Level::Error => None,
        Destination::File(path) => Some(path.clone()),
        Destination::Stdout => Some("stdout".to_owned()),
        Destination::Stderr => Some("stderr".to_owned()),
        Destination::Files(_) | Destination::Gzip(_) | Destination::Syslog(_) => None,
    }
);

impl ErrorLogTo {
    /// The destination by its short form.
    pub fn named(text: &str) -> Destination {
        match text {
            "stdout" => Destination::Stdout,
            "stderr" => Destination::Stderr,
            path => Destination::File(path.to_owned()),
        }
    }
}

impl Default for ErrorLog {
    fn default() -> Self {
        Self {
            to: "stderr".into(),
            level: Level::Info,
            json: false,
            nginx: false,
            also: OneOrMany(Vec::new()),
        }
    }
}

impl ErrorLog {
    /// Its file, if it goes to one.
    pub fn file(&self) -> Option<&str> {
        Some(&*self.to).filter(|to| !matches!(*to, "stderr" | "stdout" | "none"))
    }

    fn goes_nowhere_else(also: &ErrorLogs) -> bool {
        also.0.is_empty()
    }
}

/// Severity of what an error log has, the gravest first. `crit` leaves out what goes wrong with requests;
/// `notice` what clients do wrong, which `info` has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum Level {
    Crit,
    Error,
    Warn,
    Notice,
    #[default]
    Info,
    Debug,
    Trace,
}
