//! `reload` and `stop`: a word to the running process, and waiting for what comes of it.

use super::{Failure, print};
use crate::cli::{PidArgs, StopArgs};
use crate::load::Origin;
use crate::process::pid::{self, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A reload waits 3 s for names at most; large configurations take seconds.
const RELOAD_LIMIT: Duration = Duration::from_secs(60);
/// How often the status file is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// What a process has to end after a second SIGTERM before it is killed.
const NOW_LIMIT: Duration = Duration::from_secs(3);

/// `bifrons reload`.
pub fn reload(args: &PidArgs) -> Result<(), Failure> {
    let (path, pid) = find(args)?;
    let status = pid::status_path(&path);
    let before = Status::read(&status).map(|status| status.count);
    let process = open(pid)?;
    send(pid, Signal::HUP)?;
    let until = Instant::now() + RELOAD_LIMIT;
    while Instant::now() < until {
        match Status::read(&status) {
            Some(Status { count, outcome }) if Some(count) != before => {
                return match outcome {
                    Ok(message) => print(&format!("{message}\n")),
                    Err(message) => {
                        Err(format!("the new configuration is refused; the old one runs on\n\n{message}")
                            .into())
                    }
                };
            }
            _ if before.is_none() => {
                return print("asked to reload; the error log says what came of it\n");
            }
            _ if has_ended(&process, LOOK)? => return Err(format!("process {pid} has ended").into()),
            _ => {}
        }
    }
    Err(format!("no outcome within {} s; the error log may say why", RELOAD_LIMIT.as_secs()).into())
}

/// `bifrons stop`.
pub fn stop(args: &StopArgs) -> Result<(), Failure> {
    let (_, pid) = find(&args.pid)?;
    let process = open(pid)?;
    send(pid, Signal::TERM)?;
    if args.now {
        // Long enough that the two signals are not taken for one.
        if !has_ended(&process, Duration::from_millis(200))? {
            send(pid, Signal::TERM)?;
        }
        if !has_ended(&process, NOW_LIMIT)? {
            send(pid, Signal::KILL)?;
        }
    }
    // Its own deadline (`shutdown.timeout`) bounds the wait.
    while !has_ended(&process, Duration::from_secs(1))? {
        sleep(LOOK);
    }
    print(&format!("process {pid} has ended\n"))
}

/// The pid file and the running process that it names.
fn find(args: &PidArgs) -> Result<(PathBuf, Pid), Failure> {
    let path = match (&args.pid_file, &args.file) {
        (Some(path), _) => path.clone(),
        (None, Some(file)) => {
            let loaded = Origin::of(std::slice::from_ref(file), false)?.load()?.finish();
            loaded.config.pid_file.map_or_else(pid::default_path, PathBuf::from)
        }
        (None, None) => pid::default_path(),
    };
    match pid::running(&path)? {
        Some(pid) => Ok((path, pid)),
        None => Err(format!("no bifrons runs by the pid file {}", path.display()).into()),
    }
}

fn open(pid: Pid) -> Result<OwnedFd, Failure> {
    pidfd_open(pid, PidfdFlags::empty())
        .map_err(|error| format!("cannot watch process {pid}: {error}").into())
}

fn send(pid: Pid, signal: Signal) -> Result<(), Failure> {
    match kill_process(pid, signal) {
        // It has ended meanwhile; the wait finds out.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(format!("cannot signal process {pid}: {error}").into()),
    }
}

/// Whether the process ends within `limit`.
fn has_ended(process: &OwnedFd, limit: Duration) -> Result<bool, Failure> {
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
    match poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit)) {
        Ok(count) => Ok(count > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(format!("cannot wait for the process: {error}").into()),
    }
}
