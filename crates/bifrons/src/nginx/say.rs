//! What is wrong, in nginx's form: `nginx: [emerg] unknown directive "x" in /etc/nginx/nginx.conf:12`.

use super::options::Options;
use bifrons_config::{Place, Problem, Problems};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// Severities by nginx's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Emerg,
    Alert,
    Error,
    Warn,
    Notice,
    Info,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Emerg => "emerg",
            Self::Alert => "alert",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
        }
    }
}

/// Where it is said: standard error, and the error log of the command line.
pub struct Say {
    log: Option<File>,
}

impl Say {
    /// Opens the error log that the command line names.
    pub fn new(options: &Options) -> Self {
        let said = options.error_log.as_deref().filter(|name| *name != "stderr");
        let mut say = Self { log: None };
        if let Some(name) = said {
            let path: PathBuf = options.prefix().join(name);
            match OpenOptions::new().append(true).create(true).open(&path) {
                Ok(file) => say.log = Some(file),
                Err(error) => {
                    let failed = open_failed(&path.display().to_string(), &error);
                    say.line(Severity::Alert, &format!("could not open error log file: {failed}"));
                }
            }
        }
        say
    }

    /// One line; a notice goes to the log only, if there is one.
    pub fn line(&self, severity: Severity, message: &str) {
        if severity != Severity::Notice {
            eprintln!("nginx: [{}] {message}", severity.word());
        }
        if let Some(mut log) = self.log.as_ref() {
            let line = crate::process::log::line(severity.word(), message);
            // Whom it fails to tell has been told on standard error.
            let _ = log.write_all(line.as_bytes());
        }
    }

    /// All mistakes, each in a line. nginx has the first only.
    pub fn problems(&self, problems: &Problems) {
        for problem in &problems.0 {
            self.line(Severity::Emerg, &text(problem));
            self.help(problem);
        }
    }

    /// What works otherwise than it may look.
    pub fn warnings(&self, warnings: &[Problem]) {
        for warning in warnings {
            self.line(Severity::Warn, &text(warning));
            self.help(warning);
        }
    }

    /// How to mend it, in a line of its own: programs read the place at the end of nginx's.
    fn help(&self, problem: &Problem) {
        if let Some(help) = &problem.help {
            self.line(Severity::Info, &help.replace('\n', " "));
        }
    }
}

/// `open() "/x" failed (2: No such file or directory)`.
pub fn open_failed(path: &str, error: &std::io::Error) -> String {
    format!("open() \"{path}\" failed ({})", system_error(error))
}

/// `2: No such file or directory`.
pub fn system_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rsplit_once(" (os error")) {
        (Some(code), Some((message, _))) => format!("{code}: {message}"),
        _ => text,
    }
}

/// Message and place. What needs more than a line is put into one.
fn text(problem: &Problem) -> String {
    let message = problem.message.replace('\n', " ");
    let place = problem.place.as_ref().map(shown).unwrap_or_default();
    format!("{message}{place}")
}

/// ` in FILE:LINE`. The line is that of the end, where nginx is when it finds out.
fn shown(place: &Place) -> String {
    let name = &place.source.name;
    if name == bifrons_nginx::COMMAND_LINE {
        return format!(" in {name}");
    }
    let before = place.source.text.get(..place.range.end).unwrap_or(&place.source.text);
    format!(" in {name}:{}", before.matches('\n').count() + 1)
}
