//! The proxy's own log.

mod form;

pub use form::line;

use bifrons_model::{ErrorLog as Config, Level};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

/// The running log.
pub struct ErrorLog {
    config: Config,
    output: Output,
    filter: reload::Handle<EnvFilter, Registry>,
    /// From the command line or `RUST_LOG`, which a reload does not change.
    fixed: bool,
}

/// Where lines go.
#[derive(Clone)]
enum Output {
    Stdout,
    Stderr,
    File(Arc<LogFile>),
}

struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl ErrorLog {
    /// Opens the log; from now on it takes what the program says.
    ///
    /// # Errors
    /// A file that cannot be opened, a filter that is none.
    pub fn start(config: &Config, level: Option<&str>) -> Result<Self, String> {
        let from_env = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
        let (filter, fixed) = match level.map(str::to_owned).or(from_env) {
            Some(text) => (parse(&text)?, true),
            None => (of_level(config.level), false),
        };
        let output = Output::open(&config.to)?;
        let (filter, handle) = reload::Layer::new(filter);
        let lines = fmt::layer().with_writer(output.clone()).with_target(false);
        let lines = match (config.json, config.nginx) {
            (true, _) => lines.json().flatten_event(true).boxed(),
            (false, true) => lines.event_format(form::NginxForm).boxed(),
            (false, false) => lines.boxed(),
        };
        tracing_subscriber::registry()
            .with(filter)
            .with(lines)
            .try_init()
            .map_err(|error| format!("cannot start the error log: {error}"))?;
        Ok(Self { config: config.clone(), output, filter: handle, fixed })
    }

    /// Takes over a new configuration as far as that goes without a restart.
    pub fn reconfigure(&mut self, config: &Config) {
        let form = |config: &Config| (config.json, config.nginx);
        if (&config.to, form(config)) != (&self.config.to, form(&self.config)) {
            tracing::warn!("where the error log goes, and its form, take effect with the next start");
        }
        if config.level != self.config.level && !self.fixed {
            if let Err(error) = self.filter.reload(of_level(config.level)) {
                tracing::error!(%error, "cannot change the level of the error log");
            }
            self.config.level = config.level;
        }
    }

    /// Opens the file again, so that a renamed one is let go.
    pub fn reopen(&self) {
        if let Output::File(log) = &self.output {
            match open(&log.path) {
                Ok(file) => *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file,
                Err(error) => {
                    tracing::error!(path = %log.path.display(), %error, "cannot open the error log again")
                }
            }
        }
    }
}

/// A word for the level, or a filter as tracing-subscriber has them.
fn parse(text: &str) -> Result<EnvFilter, String> {
    let level = match text.to_ascii_lowercase().as_str() {
        "error" => Level::Error,
        "warn" => Level::Warn,
        "info" => Level::Info,
        "debug" => Level::Debug,
        "trace" => Level::Trace,
        _ => return EnvFilter::try_new(text).map_err(|error| format!("log level \"{text}\": {error}")),
    };
    Ok(of_level(level))
}

/// What libraries have to say below a warning is of interest to their authors.
fn of_level(level: Level) -> EnvFilter {
    EnvFilter::new(match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "warn,bifrons=info",
        Level::Debug => "warn,bifrons=debug",
        Level::Trace => "warn,bifrons=trace",
    })
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Output {
    fn open(to: &str) -> Result<Self, String> {
        match to {
            "stdout" => Ok(Self::Stdout),
            "stderr" => Ok(Self::Stderr),
            path => {
                let path = PathBuf::from(path);
                let file = open(&path)
                    .map_err(|error| format!("cannot open error log \"{}\": {error}", path.display()))?;
                Ok(Self::File(Arc::new(LogFile { path, file: Mutex::new(file) })))
            }
        }
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// One call a line: that is how the subscriber writes.
impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout => io::stdout().write_all(line)?,
            Self::Stderr => io::stderr().write_all(line)?,
            Self::File(log) => log.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
