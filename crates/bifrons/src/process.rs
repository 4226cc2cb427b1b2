//! The process: one control thread and the workers.
//!
//! The order of a start: read and check the configuration, open the error log, bind the sockets (or take
//! them over), and give up privileges, all while there is one thread only; then logs, snapshot, names,
//! workers, and at last the word that we are ready. After that [`control`] reacts to signals.

mod accounts;
mod certificates;
mod control;
pub mod log;
mod notify;
pub mod pid;
mod privileges;
pub mod signals;
mod sockets;
pub mod upgrade;
mod who;
mod workers;

use crate::cli::ProcessArgs;
use crate::command::Failure;
use crate::load::{self, Loaded, Origin};
use bifrons_control::admin::Phase;
use bifrons_control::caches;
use bifrons_control::health::Checks;
use bifrons_control::replication::Replication;
use bifrons_control::resolve::{self, Names};
use bifrons_flow::{Shared, build};
use bifrons_model::{Config, Workers};
use bifrons_net::handover::Inherited;
use bifrons_observe::Registry;
use bifrons_observe::access::AccessLogger;
use bifrons_tls::Store;
use control::Control;
use pid::PidFile;
pub use privileges::{is_root, judge_user};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockets::Sockets;
pub use sockets::{BindError, explain, try_bind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, watch};
use workers::Seat;

/// What to serve, and how the process goes about it.
pub struct Launch {
    /// Where the configuration comes from.
    pub origin: Origin,
    /// What the command line says besides.
    pub args: ProcessArgs,
    /// Whether this is a service (`run`): it has a pid file where neither command line nor configuration names
    /// one, and says so when it runs as root.
    pub service: bool,
    /// Told to a person once the proxy serves.
    pub greeting: Option<String>,
    /// Whose ways the process has.
    pub style: Style,
}

/// Whose ways a process has: what signals mean, who stays root, how an upgrade ends.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    /// Ours: SIGTERM finishes what runs, root is given up for good, an upgrade replaces the process.
    Own,
    /// nginx's: SIGTERM ends at once and SIGQUIT does not, the control thread stays root as nginx's master
    /// does, and after an upgrade both processes serve until one of them is told to quit.
    Nginx {
        /// Called once the proxy serves.
        serving: fn(&Config),
        /// Whether there is no terminal whose changes of size come as SIGWINCH.
        background: bool,
    },
}

/// A process that has its sockets and has given up its privileges, still with one thread.
struct Prepared {
    loaded: Loaded,
    sockets: Sockets,
    pid: Option<PidFile>,
    seat: Seat,
    log: log::ErrorLog,
    /// Where the process before us waits.
    ready: Option<std::os::fd::OwnedFd>,
    program: PathBuf,
    /// What TLS needs, read while privileges were there.
    tls: Arc<Store>,
}

/// Serves until a signal ends it.
pub fn run(launch: Launch) -> Result<(), Failure> {
    let prepared = prepare(&launch)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    let done = runtime.block_on(serve(launch, prepared));
    // Tasks of the control side have nothing left to do that anybody waits for.
    runtime.shutdown_background();
    done
}

impl Launch {
    /// Reads the configuration, with what the command line says besides.
    fn load(&self) -> Result<Loaded, Failure> {
        let mut loaded = self.origin.load()?.finish();
        if let Some(count) = self.args.workers {
            loaded.config.workers = Workers::Count(count);
        }
        Ok(loaded)
    }
}

/// The part of the start that needs privileges, or the only thread.
fn prepare(launch: &Launch) -> Result<Prepared, Failure> {
    let program = upgrade::program();
    let loaded = launch.load()?;
    let plan = load::dry_run(&loaded)?;
    let config = &loaded.config;
    let log = log::ErrorLog::start(&config.error_log, launch.args.log_level.as_deref())?;
    for warning in &loaded.warnings {
        tracing::warn!("{}", warning.one_line());
    }
    raise_open_files(config.process.open_files);

    let inherited =
        Inherited::take().map_err(|error| format!("cannot take over inherited sockets: {error}"))?;
    let mut sockets = Sockets::inherited(inherited.sockets);
    sockets.open(&plan.listeners, config.workers.count())?;
    sockets.open_admin(load::admin_addr(config))?;
    sockets.forget_inherited();

    let identity = privileges::identity(config.user.as_deref(), config.group.as_deref())?;
    prepare_for(launch.style, identity.as_ref(), config, &loaded.base)?;
    let mut seat = Seat { identity: None, process: config.process.clone() };
    let pid = match launch.style {
        Style::Own => {
            let pid = pid_file(launch, config)?;
            give_up_root(launch, config, identity, pid.as_ref())?;
            pid
        }
        Style::Nginx { .. } => {
            seat.identity = identity;
            nginx_pid_file(config)?
        }
    };
    Ok(Prepared { loaded, sockets, pid, seat, log, ready: inherited.ready, program, tls: plan.tls })
}

/// What root does for the user who will serve, at the start and, where root stays, at each reload.
fn prepare_for(
    style: Style,
    identity: Option<&accounts::Identity>,
    config: &Config,
    base: &Path,
) -> Result<(), Failure> {
    let Some(identity) = identity else { return Ok(()) };
    if matches!(style, Style::Nginx { .. }) && identity.uid != 0 && load::has_named_logs(config) {
        // Opened by a thread that is root: a link in their directory would lead its owner anywhere.
        let message = "access_log with variables in its path is not supported where root stays beside workers of \
                       another user: give a path without variables, or start with \"bifrons run\"";
        return Err(message.to_owned().into());
    }
    privileges::give_dirs(identity, &load::temp_dirs(config, base));
    Ok(())
}

/// From root to the configured user, for good.
fn give_up_root(
    launch: &Launch,
    config: &Config,
    identity: Option<accounts::Identity>,
    pid: Option<&PidFile>,
) -> Result<(), Failure> {
    if config.user.is_none() && launch.service && is_root() {
        tracing::warn!("running as root; `user` names whom to become once the sockets are bound");
    }
    if let Some(identity) = &identity {
        privileges::give_files(identity, &log_files(config), pid);
    }
    Ok(privileges::become_user(identity.as_ref())?)
}

/// The rest of the start, and all that follows.
async fn serve(launch: Launch, prepared: Prepared) -> Result<(), Failure> {
    let Prepared { loaded, sockets, pid, seat, log, ready, program, tls } = prepared;
    let signals = signals::Signals::new().map_err(|error| format!("cannot listen to signals: {error}"))?;
    let access = AccessLogger::start().map_err(|error| format!("cannot start a thread: {error}"))?;
    let registry = Registry::new(SystemTime::now());
    registry.on_render({
        let access = access.clone();
        move |out| access.expose(out)
    });
    count_panics(&registry);
    let shared = Shared::new(registry, access, tls);
    shared.metrics.on_render({
        let zones = Arc::clone(&shared.zones);
        move |out| caches::expose(&zones, out)
    });
    let options = loaded.options(false);
    let config = Arc::new(loaded.config);
    let snapshot = Arc::new(build::build(config.clone(), &shared, &options)?);
    bifrons_control::lookup::start(&shared);
    bifrons_control::ocsp::start(&shared);
    let names = Names::start(&snapshot, resolve::START_LIMIT).await;
    let checks = Checks::start(&snapshot, &shared);
    let hash = control::hash_text(&snapshot);
    shared.publish(snapshot);
    // Behind that: what others have purged is to meet the zones.
    let replication = Replication::start(&shared, config.replication.clone());

    let workers = workers::Workers::start(config.workers.count(), &shared, &Arc::new(seat))?;
    workers.listen(sockets.shares(workers.count())?);
    sockets.announce();
    shared.metrics.reloaded(&hash, SystemTime::now());
    let (phase, _) = watch::channel(Phase::Starting);
    // One reload at a time; who asks meanwhile waits.
    let (reload, reloads) = mpsc::channel(4);
    let greeting = launch.greeting.clone();
    let mut control = Control {
        launch,
        config,
        shared,
        sockets,
        workers,
        names,
        checks,
        replication,
        log,
        pid,
        program,
        phase,
        reload,
        reloads,
        admin: None,
        upgrade: None,
        resting: false,
        reload_count: 0,
        certificates: certificates::Certificates::new(),
    };
    control.serve_admin();
    control.started(ready);
    if let Style::Nginx { serving, .. } = control.launch.style {
        serving(&control.config);
    }
    if let Some(greeting) = greeting {
        println!("{greeting}");
    }
    control.run(signals).await
}

/// The pid file, claimed before privileges are given up.
fn pid_file(launch: &Launch, config: &Config) -> Result<Option<PidFile>, Failure> {
    let said = launch.args.pid_file.as_deref();
    if let Some(path) = said {
        return Ok(Some(PidFile::claim(path)?));
    }
    if let Some(path) = &config.pid_file {
        return match PidFile::claim(Path::new(path)) {
            Ok(pid) => Ok(Some(pid)),
            Err(message) if message.contains(pid::RUNNING) => Err(message.into()),
            Err(message) => {
                tracing::warn!("{message}; `reload` and `stop` will not find this process");
                Ok(None)
            }
        };
    }
    if !launch.service {
        return Ok(None);
    }
    match PidFile::claim(&pid::default_path()) {
        Ok(pid) => Ok(Some(pid)),
        Err(message) => {
            tracing::info!("{message}; this process has no pid file, --pid-file names one");
            Ok(None)
        }
    }
}

/// The pid file as nginx has it: one that cannot be written ends the start.
fn nginx_pid_file(config: &Config) -> Result<Option<PidFile>, Failure> {
    let Some(path) = &config.pid_file else { return Ok(None) };
    match PidFile::claim_alone(Path::new(path)) {
        Ok(pid) => Ok(Some(pid)),
        Err(error) => Err(crate::nginx::open_failed(path, &error).into()),
    }
}

/// Files of all access logs and the error log.
pub fn log_files(config: &Config) -> Vec<PathBuf> {
    let mut files = load::access_log_files(config);
    if !matches!(config.error_log.to.as_str(), "stderr" | "stdout") {
        files.push(PathBuf::from(&config.error_log.to));
    }
    files
}

/// Takes as many descriptors as are asked for, or as the system lets us: two a proxied connection go fast.
fn raise_open_files(wanted: Option<u64>) {
    let limit = getrlimit(Resource::Nofile);
    let asked = match wanted {
        // Above the hard limit it takes root.
        Some(files) => {
            Rlimit { current: Some(files), maximum: limit.maximum.map(|maximum| maximum.max(files)) }
        }
        None => Rlimit { current: limit.maximum, maximum: limit.maximum },
    };
    if limit != asked
        && let Err(error) = setrlimit(Resource::Nofile, asked)
    {
        tracing::warn!(wanted, %error, "cannot change the limit of open files");
    }
}

/// A panic ends its connection's task, which the runtime catches; it is counted and logged here.
fn count_panics(registry: &Arc<Registry>) {
    let registry = Arc::downgrade(registry);
    std::panic::set_hook(Box::new(move |info| {
        if let Some(registry) = registry.upgrade() {
            registry.panicked();
        }
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let message = info.payload_as_str().unwrap_or("no message");
        tracing::error!(place, message, "a mistake in the proxy itself ended a connection");
    }));
}
