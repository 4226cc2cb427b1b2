//! In nginx's place: called by its name, the program has its command line, its words and its ways of a process.

mod options;
mod say;
mod start;
mod test;
mod version;

use crate::load::{self, Loaded, Origin};
use crate::process;
use bifrons_config::units::Dur;
use bifrons_config::{At, OneOrMany, Problems};
use bifrons_model::{ErrorLog, Level};
use bifrons_nginx::Defaults;
use bifrons_observe::config::{AccessLog, Destination};
use options::Options;
use say::Say;
pub use say::open_failed;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What Debian's package has compiled in.
const PREFIX: &str = "/usr/share/nginx/";
const CONF: &str = "/etc/nginx/nginx.conf";
const PID: &str = "/run/nginx.pid";
const ERROR_LOG: &str = "stderr";
const ACCESS_LOG: &str = "/var/log/nginx/access.log";
/// `--user` of nginx where nothing is said at its build.
const USER: &str = "nobody";

/// A day: nginx waits without an end for what runs when it is told to quit.
const SHUTDOWN: Dur = Dur(Duration::from_secs(24 * 3600));

/// The arguments where the program was called by the name of nginx; [`start`] calls it by a title that begins
/// with it.
pub fn called() -> Option<Vec<OsString>> {
    let mut args = std::env::args_os();
    let name = args.next()?;
    let is_nginx = start::is_title(&name) || PathBuf::from(&name).file_name().is_some_and(|n| n == "nginx");
    is_nginx.then(|| args.collect())
}

/// Runs nginx's command line.
pub fn run(args: &[OsString]) -> ExitCode {
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("nginx: {message}");
            return ExitCode::FAILURE;
        }
    };
    version::show(&options);
    if options.shows() && !options.test {
        return ExitCode::SUCCESS;
    }
    let say = Say::new(&options);
    let done = match run_with(&options, &say) {
        Ok(()) => ExitCode::SUCCESS,
        Err(()) => ExitCode::FAILURE,
    };
    if options.test && done == ExitCode::FAILURE {
        eprintln!("nginx: configuration file {} test failed", options.file().display());
    }
    done
}

/// What went wrong has been said where it fails.
fn run_with(options: &Options, say: &Say) -> Result<(), ()> {
    let origin = origin(options);
    let loaded = read(&origin).map_err(|problems| say.problems(&problems))?;
    say.warnings(&loaded.warnings);
    match options.signal {
        Some(signal) => start::signal(signal, &loaded, say),
        None if options.test => test::test(options, &loaded, say),
        None => start::start(origin, options, loaded, say),
    }
}

/// The configuration, without a mistake.
fn read(origin: &Origin) -> Result<Loaded, Problems> {
    let loaded = origin.load()?.finish();
    load::dry_run(&loaded)?;
    Ok(loaded)
}

/// Where the configuration is, with nginx's defaults.
fn origin(options: &Options) -> Origin {
    // Absolute, for what is written into the model; messages have it as it was given.
    let prefix = std::path::absolute(options.prefix()).unwrap_or_else(|_| options.prefix());
    let access_log = AccessLog {
        format: At::from("combined".to_owned()),
        ..AccessLog::new(Destination::File(ACCESS_LOG.to_owned()))
    };
    let to = options.error_log.as_deref().unwrap_or(ERROR_LOG);
    let mut defaults = Defaults {
        prefix,
        access_log: OneOrMany::one(access_log),
        globals: options.globals.clone(),
        pid: Some(PID.to_owned()),
        user: process::is_root().then(|| (USER.to_owned(), None)),
        judge_user: process::judge_user,
        shutdown: SHUTDOWN,
        as_nginx: true,
        ..Defaults::default()
    };
    let to = if to == "stderr" { to.to_owned() } else { defaults.prefix.join(to).display().to_string() };
    defaults.error_log = ErrorLog { to, level: Level::Error, ..ErrorLog::default() };
    Origin::Nginx { file: options.file(), defaults: Box::new(defaults) }
}
