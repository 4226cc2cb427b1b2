//! Starting as nginx does, into the background, and `-s`: a word to the process that runs.
//!
//! The first process starts the one that serves by calling the program anew, under the title that nginx's
//! master has: at that time there is one thread, and nothing is open. It waits for the other's word and ends
//! with its outcome, so that whoever called it knows that the proxy serves.

use super::options::{Options, Signal};
use super::say::{Say, Severity, open_failed, system_error};
use crate::cli::ProcessArgs;
use crate::command::Failure;
use crate::load::{Loaded, Origin};
use crate::process::upgrade::{TITLE, program};
use crate::process::{self, Launch, Style};
use bifrons_model::Config;
use rustix::process::{Pid, getppid, kill_process, setsid};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// Says to a process that it runs in the background, and by whom it was put there: one that only inherited
/// the environment does not believe it.
const BACKGROUND_BY: &str = "BIFRONS_BACKGROUND_BY";

/// Whether a program's name is the title of a process that serves.
pub fn is_title(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TITLE.as_bytes())
}

/// Serves, in the background where the configuration does not say otherwise.
pub fn start(origin: Origin, options: &Options, loaded: Loaded, say: &Say) -> Result<(), ()> {
    let daemon = loaded.start.daemon.unwrap_or(true);
    let first = std::env::args_os().next().unwrap_or_default();
    if is_title(&first) {
        return serve(origin, &loaded, say);
    }
    let mut command = renamed(options, &loaded);
    if !daemon {
        let error = command.exec();
        say.line(Severity::Alert, &format!("execve() failed ({})", system_error(&error)));
        return Err(());
    }
    into_background(command).map_err(|error| {
        if let Some(error) = error {
            say.line(Severity::Alert, &format!("fork() failed ({})", system_error(&error)));
        }
    })
}

/// The program anew, with nginx's title and the environment of the configuration.
fn renamed(options: &Options, loaded: &Loaded) -> Command {
    let program = program();
    let mut title = OsString::from(TITLE);
    title.push(&program);
    let mut command = Command::new(program);
    command.arg0(title).args(&options.args);
    for (name, value) in &loaded.start.env {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
}

/// Starts it, waits until it serves, and leaves it to itself. An error of the other process has been told.
fn into_background(mut command: Command) -> Result<(), Option<io::Error>> {
    let (mut word, pipe) = io::pipe()?;
    command.env(BACKGROUND_BY, std::process::id().to_string());
    // The pipe is its standard input, which it has no other use for.
    let mut child = command.stdin(pipe).stdout(Stdio::null()).spawn()?;
    // The command has a copy of the pipe's other end.
    drop(command);
    if has_word(&mut word)? {
        return Ok(());
    }
    child.wait()?;
    Err(None)
}

fn has_word(pipe: &mut PipeReader) -> io::Result<bool> {
    let mut word = [0];
    Ok(pipe.read(&mut word)? == 1)
}

/// The process that serves.
fn serve(origin: Origin, loaded: &Loaded, say: &Say) -> Result<(), ()> {
    let by = std::env::var(BACKGROUND_BY).ok();
    let parent = getppid().map(|pid| pid.as_raw_nonzero().to_string());
    let is_background = by.is_some() && by == parent;
    if is_background {
        // Fails only for a leader of a group, which a process just started is not.
        let _ = setsid();
    }
    let style = Style::Nginx {
        serving: if is_background { leave_terminal } else { |_| {} },
        // A process that follows on another is in the background whatever `daemon` says, as in nginx.
        background: is_background || bifrons_net::handover::follows(),
    };
    let launch = Launch { origin, args: ProcessArgs::default(), service: false, greeting: None, style };
    process::run(launch).map_err(|failure| match failure {
        Failure::Config(problems) => say.problems(&problems),
        failure => {
            let message = text(&failure);
            say.line(Severity::Emerg, &message);
            if loaded.config.error_log.to != "stderr" {
                // Whom standard error does not reach; where the log has not been opened, nobody.
                tracing::error!("{message}");
            }
        }
    })
}

/// In nginx's words where it has such.
fn text(failure: &Failure) -> String {
    match failure {
        Failure::Bind(bind) => {
            format!("bind() to {} failed ({}); {bind}", bind.addr, system_error(&bind.error))
        }
        other => other.to_string(),
    }
}

/// Tells the first process that we serve, and lets go of what it was started with.
fn leave_terminal(config: &Config) {
    let told = rustix::io::write(io::stdin().as_fd(), b"1");
    let left = File::options().read(true).write(true).open("/dev/null").and_then(|null| {
        rustix::stdio::dup2_stdin(&null)?;
        rustix::stdio::dup2_stdout(&null)?;
        if config.error_log.to != "stderr" {
            rustix::stdio::dup2_stderr(&null)?;
        }
        Ok(())
    });
    if let Err(error) = told.map(drop).map_err(io::Error::from).and(left) {
        tracing::warn!(%error, "cannot go into the background wholly");
    }
}

/// `-s`.
pub fn signal(signal: Signal, loaded: &Loaded, say: &Say) -> Result<(), ()> {
    say.line(Severity::Notice, "signal process started");
    let path = loaded.config.pid_file.as_deref().unwrap_or_default();
    let text = std::fs::read_to_string(path).map_err(|error| {
        say.line(Severity::Error, &open_failed(path, &error));
    })?;
    let word = text.trim_end_matches(['\r', '\n']);
    let pid = word.parse().ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
    let Some(pid) = pid else {
        say.line(Severity::Error, &format!("invalid PID number \"{word}\" in \"{path}\""));
        return Err(());
    };
    let what = match signal {
        Signal::Stop => rustix::process::Signal::TERM,
        Signal::Quit => rustix::process::Signal::QUIT,
        Signal::Reopen => rustix::process::Signal::USR1,
        Signal::Reload => rustix::process::Signal::HUP,
    };
    kill_process(pid, what).map_err(|error| {
        let why = system_error(&error.into());
        say.line(Severity::Alert, &format!("kill({pid}, {}) failed ({why})", what.as_raw()));
    })
}
