//! From files to a `Config`: which dialect, which defaults of the binary, and what relative paths begin at.

use bifrons_config::yaml;
use bifrons_config::{Problem, Problems, Source};
use bifrons_flow::build;
use bifrons_flow::{Shared, Snapshot};
use bifrons_model::Config;
use bifrons_observe::Registry;
use bifrons_observe::access::AccessLogger;
use bifrons_observe::config::{AccessLog, AccessLogs, Destination};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Where a configuration comes from; asked again at every reload.
#[derive(Clone, Debug)]
pub enum Origin {
    /// YAML files, merged.
    Yaml(Vec<PathBuf>),
    /// An nginx.conf.
    Nginx(PathBuf),
    /// The command line.
    Fixed(Box<Config>),
}

/// A configuration as it was read.
#[derive(Debug)]
pub struct Loaded {
    /// The model.
    pub config: Config,
    /// Where relative paths begin.
    pub base: PathBuf,
    /// Notes for `check -v`.
    pub notes: Vec<String>,
}

impl Origin {
    /// By the names on the command line.
    ///
    /// # Errors
    /// Several nginx files.
    pub fn of(files: &[PathBuf], nginx: bool) -> Result<Self, Problems> {
        let is_nginx = |path: &Path| nginx || path.extension().is_some_and(|extension| extension == "conf");
        match files {
            [file] if is_nginx(file) => Ok(Self::Nginx(file.clone())),
            files if files.iter().any(|file| is_nginx(file)) => {
                let problem = Problem::nowhere("only one nginx configuration can be run at a time");
                Err(problem.help("include the others from the first").into())
            }
            files => Ok(Self::Yaml(files.to_vec())),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// Everything that is wrong with its text.
    pub fn load(&self) -> Result<Loaded, Problems> {
        match self {
            Self::Yaml(files) => {
                let base = directory(files.first().map_or(Path::new("."), PathBuf::as_path));
                let config = match files.as_slice() {
                    [file] => yaml::load_file(file)?,
                    files => yaml::load(&together(files), &yaml::Options::default())?,
                };
                Ok(Loaded { config, base, notes: Vec::new() })
            }
            Self::Nginx(_) => Err(Problem::nowhere("nginx configurations are not supported yet").into()),
            Self::Fixed(config) => {
                let base = std::env::current_dir().unwrap_or_default();
                Ok(Loaded { config: (**config).clone(), base, notes: Vec::new() })
            }
        }
    }
}

/// A source that includes all files.
fn together(files: &[PathBuf]) -> Arc<Source> {
    let names: Vec<String> = files.iter().map(|file| format!("{:?}", file.to_string_lossy())).collect();
    Source::new("<command line>", format!("include: [{}]", names.join(", ")))
}

/// The absolute directory of a file.
fn directory(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    absolute.parent().unwrap_or(Path::new("/")).to_owned()
}

impl Loaded {
    /// Fills in what the binary decides: JSON lines to standard output where nothing is said about the
    /// access log, and absolute paths.
    pub fn finish(mut self) -> Self {
        let config = &mut self.config;
        config
            .access_log
            .get_or_insert_with(|| bifrons_config::OneOrMany(vec![AccessLog::new(Destination::Stdout)]));
        let base = &self.base;
        absolute_logs(base, &mut config.access_log);
        for host in &mut config.hosts {
            absolute_logs(base, &mut host.access_log);
            for route in &mut host.routes {
                absolute_logs(base, &mut route.access_log);
            }
        }
        if !matches!(config.error_log.to.as_str(), "stderr" | "stdout") {
            config.error_log.to = base.join(&config.error_log.to).to_string_lossy().into_owned();
        }
        if let Some(pid_file) = &mut config.pid_file {
            *pid_file = base.join(&*pid_file).to_string_lossy().into_owned();
        }
        self
    }

    /// What building goes by.
    pub fn options(&self) -> build::Options {
        build::Options { base: self.base.clone(), dry_run: false }
    }
}

fn absolute_logs(base: &Path, logs: &mut Option<AccessLogs>) {
    for log in logs.iter_mut().flat_map(|logs| logs.0.iter_mut()) {
        if let Destination::File(path) = &mut log.to {
            *path = base.join(&*path).to_string_lossy().into_owned();
        }
    }
}

/// Builds the configuration without opening, binding or resolving anything.
///
/// # Errors
/// Everything that is wrong with it.
pub fn dry_run(config: &Arc<Config>, base: &Path) -> Result<Snapshot, Problems> {
    let access =
        AccessLogger::start().map_err(|error| Problem::nowhere(format!("cannot start a thread: {error}")))?;
    let shared = Shared::new(Registry::new(SystemTime::now()), access.clone());
    let options = build::Options { base: base.to_owned(), dry_run: true };
    let result = build::build(config.clone(), &shared, &options);
    // Ends its thread: privileges are dropped while there is one thread only.
    access.close(Duration::from_secs(1));
    result
}
