//! From files to a `Config`: which dialect, which defaults of the binary, and what relative paths begin at.

use bifrons_config::yaml;
use bifrons_config::{Place, Problem, Problems, Source};
use bifrons_flow::build;
use bifrons_flow::{Shared, Snapshot};
use bifrons_model::{Config, ErrorLogs, Route};
use bifrons_net::Addr;
use bifrons_observe::Registry;
use bifrons_observe::access::AccessLogger;
use bifrons_observe::config::{AccessLog, AccessLogs, Destination, GzipFile};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Where a configuration comes from; asked again at every reload.
#[derive(Clone, Debug)]
pub enum Origin {
    /// YAML files, merged.
    Yaml(Vec<PathBuf>),
    /// An nginx.conf, and what holds where it says nothing.
    Nginx {
        /// The main file.
        file: PathBuf,
        /// What nginx has compiled in.
        defaults: Box<bifrons_nginx::Defaults>,
    },
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
    /// Directives of nginx that are accepted without effect, for `check -v`.
    pub accepted: Vec<(Place, String)>,
    /// What works otherwise than it may look.
    pub warnings: Vec<Problem>,
    /// Texts of an nginx configuration.
    pub sources: Vec<Arc<Source>>,
    /// How nginx would start the process.
    pub start: bifrons_nginx::Start,
}

impl Origin {
    /// By the names on the command line.
    ///
    /// # Errors
    /// Several nginx files.
    pub fn of(files: &[PathBuf], nginx: bool) -> Result<Self, Problems> {
        let is_nginx = |path: &Path| nginx || path.extension().is_some_and(|extension| extension == "conf");
        match files {
            [file] if is_nginx(file) => Ok(Self::Nginx { file: file.clone(), defaults: Box::default() }),
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
                let options =
                    yaml::Options { declared: Some(&bifrons_model::declared), ..yaml::Options::default() };
                let config = match files.as_slice() {
                    [file] => yaml::load_file_with(file, &options)?,
                    files => yaml::load(&together(files), &options)?,
                };
                Ok(Loaded::plain(config, base))
            }
            Self::Nginx { file, defaults } => {
                let bifrons_nginx::Loaded { config, accepted, warnings, sources, start } =
                    bifrons_nginx::load(file, defaults)?;
                Ok(Loaded { config, base: directory(file), accepted, warnings, sources, start })
            }
            Self::Fixed(config) => {
                let base = std::env::current_dir().unwrap_or_default();
                Ok(Loaded::plain((**config).clone(), base))
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
    /// How it is built; `dry_run` opens nothing.
    pub fn options(&self, dry_run: bool) -> build::Options {
        build::Options { base: self.base.clone(), dry_run, may_idle: !self.sources.is_empty() }
    }

    fn plain(config: Config, base: PathBuf) -> Self {
        let start = bifrons_nginx::Start::default();
        Self { config, base, accepted: Vec::new(), warnings: Vec::new(), sources: Vec::new(), start }
    }

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
            absolute_errors(base, host.error_log.as_mut());
            for route in host.routes.iter_mut().chain(host.named_routes.values_mut()) {
                absolute_logs(base, &mut route.access_log);
                absolute_errors(base, route.error_log.as_mut());
            }
        }
        if let Some(file) = config.error_log.file() {
            config.error_log.to = base.join(file).to_string_lossy().into_owned();
        }
        absolute_errors(base, Some(&mut config.error_log.also));
        if let Some(pid_file) = &mut config.pid_file {
            *pid_file = base.join(&*pid_file).to_string_lossy().into_owned();
        }
        self
    }
}

fn absolute_logs(base: &Path, logs: &mut Option<AccessLogs>) {
    for log in logs.iter_mut().flat_map(|logs| logs.0.iter_mut()) {
        if let Destination::File(path) | Destination::Gzip(GzipFile { file: path, .. }) = &mut log.to {
            *path = base.join(&*path).to_string_lossy().into_owned();
        }
    }
}

fn absolute_errors(base: &Path, logs: Option<&mut ErrorLogs>) {
    for log in logs.into_iter().flat_map(|logs| logs.0.iter_mut()) {
        if let Destination::File(path) = &mut log.to {
            *path = base.join(&*path).to_string_lossy().into_owned();
        }
    }
}

/// Files that access records go to, each once.
pub fn access_log_files(config: &Config) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = log_destinations(config)
        .filter_map(|to| match to {
            Destination::File(path) | Destination::Gzip(GzipFile { file: path, .. }) => {
                Some(PathBuf::from(path))
            }
            _ => None,
        })
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// Files that errors are told to, each once.
pub fn error_log_files(config: &Config) -> Vec<PathBuf> {
    let of_hosts = config.hosts.iter().filter_map(|host| host.error_log.as_ref());
    let logs = of_hosts.chain(routes(config).filter_map(|route| route.error_log.as_ref()));
    let logs = logs.chain([&config.error_log.also]).flat_map(|logs| logs.iter());
    let files = logs.filter_map(|log| match &log.to {
        Destination::File(path) => Some(path.as_str()),
        _ => None,
    });
    let mut files: Vec<PathBuf> = files.chain(config.error_log.file()).map(PathBuf::from).collect();
    files.sort_unstable();
    files.dedup();
    files
}

fn routes(config: &Config) -> impl Iterator<Item = &Route> {
    config.hosts.iter().flat_map(|host| host.routes.iter().chain(host.named_routes.values()))
}

fn log_destinations(config: &Config) -> impl Iterator<Item = &Destination> {
    let of_routes = routes(config).map(|route| &route.access_log);
    let of_hosts = config.hosts.iter().map(|host| &host.access_log);
    let logs = of_routes.chain(of_hosts).chain([&config.access_log]).flatten();
    logs.flat_map(|logs| logs.iter()).map(|log| &log.to)
}

/// Directories of temporary files that the configuration names, each once; relative ones begin at `base`.
pub fn temp_dirs(config: &Config, base: &Path) -> Vec<PathBuf> {
    let proxies = routes(config).filter_map(|route| route.proxy.as_ref());
    let paths =
        proxies.flat_map(|proxy| [&proxy.value.request_buffering.path, &proxy.value.response_buffering.path]);
    let mut dirs: Vec<PathBuf> = paths.flatten().map(|path| base.join(&path.value)).collect();
    dirs.sort_unstable();
    dirs.dedup();
    dirs
}

/// Where the admin server listens, in a configuration that [`dry_run`] has found good.
pub fn admin_addr(config: &Config) -> Option<Addr> {
    config.admin.as_ref()?.bind.parse().ok()
}

/// Builds the configuration without opening, binding or resolving anything.
///
/// # Errors
/// Everything that is wrong with it.
pub fn dry_run(loaded: &Loaded) -> Result<Snapshot, Problems> {
    let access =
        AccessLogger::start().map_err(|error| Problem::nowhere(format!("cannot start a thread: {error}")))?;
    let shared = Shared::new(Registry::new(SystemTime::now()), access.clone(), Arc::default());
    let options = loaded.options(true);
    let built = build::build(Arc::new(loaded.config.clone()), &shared, &options);
    // Ends its thread: privileges are given up while there is one thread only.
    access.close(Duration::from_secs(1));
    let (snapshot, mut problems) = match built {
        Ok(snapshot) => (Some(snapshot), Problems::default()),
        Err(problems) => (None, problems),
    };
    for checked in [check_admin(&loaded.config), check_replication(&loaded.config)] {
        if let Err(problem) = checked {
            problems.push(problem);
        }
    }
    match snapshot {
        Some(snapshot) => problems.into_result(snapshot),
        None => Err(problems),
    }
}

/// Nodes tell each other beside the snapshot.
fn check_replication(config: &Config) -> Result<(), Problem> {
    let Some(replication) = &config.replication else { return Ok(()) };
    replication.check().map_err(|message| Problem::nowhere(format!("replication: {message}")))
}

/// The admin server's address is the one thing that the snapshot does not need.
fn check_admin(config: &Config) -> Result<(), Problem> {
    let Some(admin) = &config.admin else { return Ok(()) };
    match admin.bind.parse::<Addr>() {
        Ok(_) => Ok(()),
        Err(message) => Err(Problem::nowhere(format!("admin.bind: {message}"))),
    }
}
