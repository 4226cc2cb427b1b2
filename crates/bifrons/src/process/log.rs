//! The proxy's own log.

mod form;

pub use bifrons_observe::errors::line;

use bifrons_flow::complaint;
use bifrons_model::{ErrorLog as Config, Level};
use bifrons_observe::errors::ErrorOutput;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::Metadata;
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
struct Output {
    first: First,
    /// From which severity on; `None`: whatever the filter lets through.
    level: Option<Level>,
    also: Arc<[(Level, ErrorOutput)]>,
}

/// Where lines go first of all.
#[derive(Clone)]
enum First {
    Nowhere,
    Stdout,
    Stderr,
    File(Arc<LogFile>),
}

/// Takes the lines of events of one kind.
struct Lines<'a> {
    output: &'a Output,
    /// Whether the first destination wants them.
    to_first: bool,
    /// Those others that do.
    to: Vec<&'a ErrorOutput>,
    severity: &'static str,
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
            None => (of_level(most(config)), false),
        };
        let output = Output::open(config, fixed)?;
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
        let has_more = !config.also.0.is_empty() || !self.config.also.0.is_empty();
        let levels = has_more && config.level != self.config.level;
        if (&config.to, &config.also, form(config))
            != (&self.config.to, &self.config.also, form(&self.config))
            || levels
        {
            tracing::warn!("where the error log goes, and its form, take effect with the next start");
        }
        if config.level != self.config.level && !has_more && !self.fixed {
            if let Err(error) = self.filter.reload(of_level(config.level)) {
                tracing::error!(%error, "cannot change the level of the error log");
            }
            self.config.level = config.level;
        }
    }

    /// Opens the file again, so that a renamed one is let go.
    pub fn reopen(&self) {
        for (_, output) in self.output.also.iter() {
            output.reopen();
        }
        if let First::File(log) = &self.output.first {
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
        Level::Crit => "error,bifrons::request=off",
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Notice => "warn,bifrons=info,bifrons::request=error",
        Level::Info => "warn,bifrons=info",
        Level::Debug => "warn,bifrons=debug",
        Level::Trace => "warn,bifrons=trace",
    })
}

/// The least severity that any of its destinations wants.
fn most(config: &Config) -> Level {
    config.also.iter().map(|log| log.level).fold(config.level, Level::max)
}

/// Whether a log from that severity on has events of the kind.
fn takes(level: Level, metadata: &Metadata<'_>) -> bool {
    let is_request = metadata.target() == complaint::TARGET;
    let severity = match *metadata.level() {
        tracing::Level::ERROR if is_request => Level::Error,
        // nginx's `emerg`, `alert` and `crit` among them.
        tracing::Level::ERROR => Level::Crit,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO if is_request => Level::Info,
        tracing::Level::INFO => Level::Notice,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    };
    severity <= level
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Output {
    fn open(config: &Config, fixed: bool) -> Result<Self, String> {
        let first = match config.to.as_str() {
            "stdout" => First::Stdout,
            "stderr" => First::Stderr,
            "none" => First::Nowhere,
            path => {
                let path = PathBuf::from(path);
                let file = open(&path)
                    .map_err(|error| format!("cannot open error log \"{}\": {error}", path.display()))?;
                First::File(Arc::new(LogFile { path, file: Mutex::new(file) }))
            }
        };
        let also = config.also.iter().map(|log| {
            let output = ErrorOutput::open(&log.to);
            output.map(|output| (log.level, output)).map_err(|error| format!("error log: {error}"))
        });
        let also = also.collect::<Result<_, _>>()?;
        Ok(Self { first, level: (!fixed).then_some(config.level), also })
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Lines<'a> {
        Lines { output: self, to_first: true, to: Vec::new(), severity: "error" }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Lines<'a> {
        Lines {
            output: self,
            to_first: self.level.is_none_or(|level| takes(level, metadata)),
            to: self.also.iter().filter(|(level, _)| takes(*level, metadata)).map(|(_, to)| to).collect(),
            severity: form::severity(metadata),
        }
    }
}

/// One call a line: that is how the subscriber writes.
impl Write for Lines<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.to.iter().for_each(|output| output.line(self.severity, line));
        match &self.output.first {
            _ if !self.to_first => {}
            First::Nowhere => {}
            First::Stdout => io::stdout().write_all(line)?,
            First::Stderr => io::stderr().write_all(line)?,
            First::File(log) => log.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
