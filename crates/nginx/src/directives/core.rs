//! The process: `user`, `worker_processes`, `pid`, `error_log` and their like.

use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_config::units::Dur;
use bifrons_model::{Config, ErrorLog, Level, Shutdown, Workers};

const MAIN: Contexts = Contexts::MAIN;
const MAIN_EVENTS: Contexts = Contexts::MAIN.or(Contexts::EVENTS);

/// What stands outside of all blocks.
#[derive(Debug, Default)]
pub(crate) struct Main {
    workers: Option<Workers>,
    user: Option<(String, Option<String>)>,
    pid: Option<String>,
    shutdown: Option<Dur>,
    error_log: Option<ErrorLog>,
    /// `error_log` in `http`, which holds where nothing is said outside.
    error_log_http: Option<ErrorLog>,
    /// Blocks that may stand there once.
    pub(super) events: Option<()>,
    pub(super) http: Option<()>,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "worker_processes",
        MAIN,
        Args::Exact(1),
        "Worker threads, a number or `auto` for one a core.",
        |cx, d| cx.once(d, workers, |cx| &mut cx.main.workers),
    )
    .default("1"),
    Spec::new(
        "user",
        MAIN,
        Args::Range(1, 2),
        "User, and group, to run as once the sockets are bound. Only root can change it.",
        |cx, d| {
            let group = d.arg(1).map(|word| word.text.clone());
            cx.put(d, (d.text(0).to_owned(), group), |cx| &mut cx.main.user);
        },
    ),
    Spec::new("pid", MAIN, Args::Exact(1), "File that holds the process id.", |cx, d| {
        let path = cx.defaults.full_path(d.text(0));
        cx.put(d, path, |cx| &mut cx.main.pid);
    }),
    Spec::new(
        "worker_shutdown_timeout",
        MAIN,
        Args::Exact(1),
        "How long requests may go on after the proxy was told to stop.",
        |cx, d| cx.once(d, values::time, |cx| &mut cx.main.shutdown),
    )
    .default("30s"),
    Spec::new(
        "error_log",
        MAIN.or(Contexts::LEVELS),
        Args::AtLeast(1),
        "Where the proxy's own log goes, and from which severity on. There is one for the whole proxy: that \
         of the outermost block counts, others are accepted without effect.",
        error_log,
    )
    .default("stderr info"),
    // `include` is carried out by include.rs before the table is asked; what is left has wrong arguments.
    Spec::new(
        "include",
        Contexts::ANY,
        Args::Exact(1),
        "Reads a file, or all files that fit a pattern, in its place. Relative paths begin at the main file's directory.",
        |_, _| {},
    ),
    Spec::accepted(
        "daemon",
        MAIN,
        Args::Flag,
        "the proxy runs in the foreground; the service manager keeps it",
    ),
    Spec::accepted("master_process", MAIN, Args::Flag, "workers are threads of one process"),
    Spec::accepted(
        "worker_rlimit_nofile",
        MAIN,
        Args::Exact(1),
        "the limit of open files is raised to the hard limit",
    ),
    Spec::accepted(
        "worker_rlimit_core",
        MAIN,
        Args::Exact(1),
        "the core size is the service manager's to limit",
    ),
    Spec::accepted("worker_priority", MAIN, Args::Exact(1), "the priority is the service manager's to set"),
    Spec::accepted("worker_cpu_affinity", MAIN, Args::AtLeast(1), "the kernel places the workers"),
    Spec::accepted("worker_aio_requests", MAIN_EVENTS, Args::Exact(1), "files are read by a pool of threads"),
    Spec::accepted("working_directory", MAIN, Args::Exact(1), "no core files are written there"),
    Spec::accepted("lock_file", MAIN, Args::Exact(1), "each worker has sockets of its own and needs no lock"),
    Spec::accepted("pcre_jit", MAIN, Args::Flag, "regular expressions are compiled to automata"),
    Spec::accepted("thread_pool", MAIN, Args::Range(2, 3), "there is one pool of threads for files"),
    Spec::accepted("timer_resolution", MAIN, Args::Exact(1), "the clock is read once a turn of the loop"),
    Spec::accepted("debug_points", MAIN, Args::Exact(1), "it serves nginx's own debugging"),
    Spec::accepted(
        "load_module",
        MAIN,
        Args::Exact(1),
        "modules are built in; their directives are judged one by one",
    ),
];

fn workers(word: &Word) -> Result<Workers, Invalid> {
    /// As many as the model takes.
    const WORKERS_MAX: u64 = 1024;
    match word.text.as_str() {
        "auto" => Ok(Workers::Auto),
        text => match values::digits(text) {
            Some(count @ 1..=WORKERS_MAX) => Ok(Workers::Count(u16::try_from(count).unwrap_or(u16::MAX))),
            _ => Err(Invalid::Value),
        },
    }
}

fn error_log(cx: &mut Ctx, directive: &Directive) {
    let level = match directive.text(1) {
        "" | "error" | "crit" | "alert" | "emerg" => Level::Error,
        "warn" => Level::Warn,
        "notice" | "info" => Level::Info,
        text if text == "debug" || text.starts_with("debug_") => Level::Debug,
        text => {
            let message = format!("invalid log level \"{text}\"");
            let help = "write debug, info, notice, warn, error, crit, alert or emerg";
            return cx.problem_help(&directive.args[1], message, help);
        }
    };
    let to = directive.text(0);
    if to.starts_with("syslog:") || to.starts_with("memory:") {
        let what = format!("\"error_log {to}\"");
        return cx.later(directive.args[0].place.clone(), &what, "write stderr, which systemd passes on");
    }
    let to = if to == "stderr" { to.to_owned() } else { cx.defaults.full_path(to) };
    let log = ErrorLog { to, level, json: false };
    let slot = match cx.context {
        Contexts::MAIN => &mut cx.main.error_log,
        Contexts::HTTP => &mut cx.main.error_log_http,
        _ => return cx.accept(directive, "the proxy has one error log, which names host and route"),
    };
    if slot.is_some() {
        return cx.accept(directive, "the first error log of the block counts");
    }
    *slot = Some(log);
}

impl Main {
    /// Writes it into the model.
    pub(crate) fn emit(&self, error_log: &ErrorLog, config: &mut Config) {
        config.workers = self.workers.unwrap_or(Workers::Count(1));
        if let Some((user, group)) = &self.user {
            config.user = Some(user.clone());
            config.group.clone_from(group);
        }
        config.pid_file.clone_from(&self.pid);
        let log = self.error_log.as_ref().or(self.error_log_http.as_ref());
        config.error_log = log.unwrap_or(error_log).clone();
        if let Some(timeout) = self.shutdown {
            config.shutdown = Shutdown { timeout };
        }
    }
}
