//! The process: `user`, `worker_processes`, `pid`, `error_log` and their like.

use super::log::error_log_to;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use crate::{Defaults, Start};
use bifrons_config::units::Dur;
use bifrons_config::{OneOrMany, Problem};
use bifrons_model::{Config, Cpus, ErrorLog, ErrorLogTo, Process, Shutdown, Workers};
use bifrons_observe::config::Destination;

const MAIN: Contexts = Contexts::MAIN;
const MAIN_EVENTS: Contexts = Contexts::MAIN.or(Contexts::EVENTS);

/// What stands outside of all blocks.
#[derive(Debug, Default)]
pub(crate) struct Main {
    workers: Option<Workers>,
    user: Option<(String, Option<String>)>,
    pid: Option<String>,
    shutdown: Option<Dur>,
    error_log: Vec<ErrorLogTo>,
    /// `error_log` in `http`, which holds for the process where nothing is said outside.
    error_log_http: Vec<ErrorLogTo>,
    open_files: Option<u64>,
    priority: Option<i8>,
    cpus: Option<Cpus>,
    /// For whoever starts the process.
    pub(crate) start: Start,
    /// Blocks that may stand there once.
    pub(crate) events: Option<()>,
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
        user,
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
        MAIN.or(Contexts::LEVELS).or(Contexts::STREAMS),
        Args::AtLeast(1),
        "Where errors are told, and from which severity on: a path, `stderr` or `syslog:server=…`; several \
         times for several. Outside of all blocks it is the proxy's own log; a block that has any tells what \
         goes wrong with its requests there, and nothing to those of the enclosing one.",
        error_log,
    )
    .default("stderr error"),
    // `include` is carried out by include.rs before the table is asked; what is left has wrong arguments.
    Spec::new(
        "include",
        Contexts::ANY,
        Args::Exact(1),
        "Reads a file, or all files that fit a pattern, in its place. Relative paths begin at the main file's directory.",
        |_, _| {},
    ),
    Spec::new(
        "daemon",
        MAIN,
        Args::Flag,
        "Whether the process goes into the background once it serves, when it is called as `nginx`; \
         `bifrons run` stays in the foreground.",
        |cx, d| {
            cx.once(d, values::flag, |cx| &mut cx.main.start.daemon);
            only_as_nginx(cx, d);
        },
    )
    .default("on"),
    Spec::accepted("master_process", MAIN, Args::Flag, "workers are threads of one process"),
    Spec::new(
        "env",
        MAIN,
        Args::Exact(1),
        "Sets a variable of the process's environment, when it is called as `nginx`; none is taken away.",
        |cx, d| {
            let (name, value) = match d.text(0).split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (d.text(0), None),
            };
            cx.main.start.env.push((name.to_owned(), value));
            only_as_nginx(cx, d);
        },
    ),
    Spec::new(
        "worker_rlimit_nofile",
        MAIN,
        Args::Exact(1),
        "Most files and connections that the process may have open; by default as many as the system allows.",
        |cx, d| {
            cx.once(d, |word| values::digits(&word.text).ok_or(Invalid::Number), |cx| &mut cx.main.open_files)
        },
    ),
    Spec::new(
        "worker_priority",
        MAIN,
        Args::Exact(1),
        "Priority of the workers as `nice` has it.",
        |cx, d| {
            cx.once(d, priority, |cx| &mut cx.main.priority);
        },
    )
    .default("0"),
    Spec::new(
        "worker_cpu_affinity",
        MAIN,
        Args::AtLeast(1),
        "Processors that workers run on: a mask for each, or `auto` for one each, of those of a mask.",
        cpu_affinity,
    ),
    Spec::accepted(
        "worker_rlimit_core",
        MAIN,
        Args::Exact(1),
        "the core size is the service manager's to limit",
    ),
    Spec::accepted("worker_aio_requests", MAIN_EVENTS, Args::Exact(1), "files are read by a pool of threads"),
    Spec::accepted("working_directory", MAIN, Args::Exact(1), "no core files are written there"),
    Spec::accepted("lock_file", MAIN, Args::Exact(1), "each worker has sockets of its own and needs no lock"),
    Spec::accepted("pcre_jit", MAIN, Args::Flag, "regular expressions are compiled to automata"),
    Spec::accepted("thread_pool", MAIN, Args::Range(2, 3), "there is one pool of threads for files"),
    Spec::accepted("timer_resolution", MAIN, Args::Exact(1), "the clock is read once a turn of the loop"),
    Spec::accepted("debug_points", MAIN, Args::Exact(1), "it serves nginx's own debugging"),
    Spec::new(
        "load_module",
        MAIN,
        Args::Exact(1),
        "Names a module of nginx. None is loaded; `check -v` tells of each whether it is built in. A directive of \
         one that is not is a mistake where it stands.",
        load_module,
    ),
];

fn only_as_nginx(cx: &mut Ctx, directive: &Directive) {
    if !cx.defaults.as_nginx {
        cx.accept(
            directive,
            "it is for the start of the process, which is ours only when it is called as nginx",
        );
    }
}

fn user(cx: &mut Ctx, directive: &Directive) {
    let (user, group) = (directive.text(0), directive.arg(1).map(|word| word.text.clone()));
    let place = directive.place.clone();
    match (cx.defaults.judge_user)(user, group.as_deref()) {
        Ok(None) => {}
        Ok(Some(warning)) => cx.notes.warn(Problem::at(place, warning)),
        Err(message) => cx.notes.problem(Problem::at(place, message)),
    }
    cx.put(directive, (user.to_owned(), group), |cx| &mut cx.main.user);
}

fn load_module(cx: &mut Ctx, directive: &Directive) {
    /// Of the modules that Debian packages; what a module's directives do here is judged one by one.
    const THERE: [(&str, &str); 3] = [
        ("ngx_stream_module.so", "stream"),
        ("ngx_http_image_filter_module.so", "image_filter"),
        ("ngx_http_geoip_module.so", "geoip_country"),
    ];
    let name = directive.text(0).rsplit('/').next().unwrap_or_default();
    let built_in = THERE.iter().any(|(module, of)| *module == name && crate::supports(of));
    let why = match built_in {
        true => "built in",
        false => "modules are not loaded, and this one is not built in: its directives are mistakes",
    };
    cx.accept(directive, &format!("{name}: {why}"));
}

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

/// As `ngx_set_priority`.
fn priority(word: &Word) -> Result<i8, Invalid> {
    let (negative, digits) = match word.text.as_bytes().first() {
        Some(b'-') => (true, &word.text[1..]),
        Some(b'+') => (false, &word.text[1..]),
        _ => (false, &*word.text),
    };
    let number =
        values::digits(digits).and_then(|number| i64::try_from(number).ok()).ok_or(Invalid::Number)?;
    // setpriority(2) takes what lies outside for its nearest.
    let number = if negative { -number } else { number }.clamp(-20, 19);
    i8::try_from(number).map_err(|_| Invalid::Number)
}

/// As `ngx_set_cpu_affinity`.
fn cpu_affinity(cx: &mut Ctx, directive: &Directive) {
    let auto = directive.text(0) == "auto";
    if auto && directive.args.len() > 2 {
        return cx
            .problem(&directive.name, "invalid number of arguments in \"worker_cpu_affinity\" directive");
    }
    let mut masks = Vec::new();
    for word in directive.args.iter().skip(usize::from(auto)) {
        match mask(&word.text) {
            Ok(cpus) => masks.push(cpus),
            Err(Some(other)) => {
                let message = format!("invalid character \"{other}\" in \"worker_cpu_affinity\"");
                return cx.problem(word, message);
            }
            Err(None) => {
                return cx
                    .problem(word, format!("\"worker_cpu_affinity\" supports up to {CPUS_MAX} CPUs only"));
            }
        }
    }
    let cpus = match (auto, masks.pop()) {
        (true, None) => Cpus::Auto,
        // One processor a worker, of those in the mask.
        (true, Some(mask)) => Cpus::Each(mask.into_iter().map(|cpu| vec![cpu]).collect()),
        (false, last) => Cpus::Each(masks.into_iter().chain(last).collect()),
    };
    cx.put(directive, cpus, |cx| &mut cx.main.cpus);
}

/// What `cpu_set_t` holds, as in nginx.
const CPUS_MAX: usize = 1024;

/// The processors of a mask, whose last digit is the first; the character that is none, or too many of them.
fn mask(text: &str) -> Result<Vec<u16>, Option<char>> {
    let digits = text.chars().filter(|c| *c != ' ');
    let digits: Vec<bool> = digits
        .map(|c| match c {
            '0' => Ok(false),
            '1' => Ok(true),
            other => Err(Some(other)),
        })
        .collect::<Result<_, _>>()?;
    if digits.len() > CPUS_MAX {
        return Err(None);
    }
    Ok((0..).zip(digits.into_iter().rev()).filter(|(_, set)| *set).map(|(cpu, _)| cpu).collect())
}

fn error_log(cx: &mut Ctx, directive: &Directive) {
    let Some(log) = error_log_to(cx, directive) else { return };
    match cx.context {
        Contexts::MAIN => cx.main.error_log.push(log),
        context if context.meets(Contexts::STREAMS) => {
            cx.accept(directive, "what goes wrong on layer 4 is told in the log of the whole proxy");
        }
        Contexts::HTTP => {
            cx.main.error_log_http.push(log.clone());
            cx.level.log.errors.get_or_insert_default().push(log);
        }
        _ => cx.level.log.errors.get_or_insert_default().push(log),
    }
}

impl Main {
    /// The logs of the whole process.
    pub(crate) fn error_logs(&self) -> &[ErrorLogTo] {
        if self.error_log.is_empty() { &self.error_log_http } else { &self.error_log }
    }

    fn own_log(&self) -> Option<ErrorLog> {
        let (first, others) = self.error_logs().split_first()?;
        let (to, also) = match &first.to {
            Destination::Stdout => ("stdout", others),
            Destination::Stderr => ("stderr", others),
            Destination::File(path) => (path.as_str(), others),
            Destination::Syslog(_) | Destination::Files(_) | Destination::Gzip(_) => {
                ("none", self.error_logs())
            }
        };
        let also = OneOrMany(also.to_vec());
        Some(ErrorLog { to: to.to_owned(), level: first.level, json: false, nginx: true, also })
    }

    /// Writes it into the model.
    pub(crate) fn emit(&self, defaults: &Defaults, config: &mut Config) {
        config.workers = self.workers.unwrap_or(Workers::Count(1));
        if let Some((user, group)) = self.user.as_ref().or(defaults.user.as_ref()) {
            config.user = Some(user.clone());
            config.group.clone_from(group);
        }
        config.pid_file = self.pid.clone().or_else(|| defaults.pid.clone());
        config.error_log = self.own_log().unwrap_or_else(|| defaults.error_log.clone());
        config.shutdown = Shutdown { timeout: self.shutdown.unwrap_or(defaults.shutdown) };
        config.process =
            Process { open_files: self.open_files, priority: self.priority, cpus: self.cpus.clone() };
    }
}
