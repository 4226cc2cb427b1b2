//! Descriptors that come from outside: systemd's socket activation, and the process we replace.
//!
//! The old process names the sockets it hands over in `BIFRONS_LISTEN_FDS` (`5=127.0.0.1:80;6=…`) and the
//! pipe on which it waits for the new one in `BIFRONS_READY_FD`; `BIFRONS_UPGRADE_FROM` is its id, so that
//! a process further down that only inherited the environment does not believe it.

use crate::{Addr, Listening};
use rustix::io::FdFlags;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};

/// Sockets by descriptor and address.
const LISTEN_FDS: &str = "BIFRONS_LISTEN_FDS";
/// The pipe on which the old process waits.
const READY_FD: &str = "BIFRONS_READY_FD";
/// The id of the old process.
const UPGRADE_FROM: &str = "BIFRONS_UPGRADE_FROM";

/// The first descriptor that systemd passes (sd_listen_fds(3)).
const SYSTEMD_FIRST: RawFd = 3;
/// A unit has a handful of sockets; more is not systemd.
const SYSTEMD_FDS_MAX: RawFd = 1024;

/// What the process was started with.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Listening sockets with the addresses that they serve.
    pub sockets: Vec<Listening>,
    /// Where the old process waits for a byte; `None` where this is no upgrade.
    pub ready: Option<OwnedFd>,
}

impl Inherited {
    /// Takes over what the environment names. Once a process; a second call finds nothing.
    ///
    /// # Errors
    /// Descriptors that are not there, or no listening sockets.
    pub fn take() -> io::Result<Self> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        if TAKEN.swap(true, Ordering::Relaxed) {
            return Ok(Self::default());
        }
        let env = |name: &str| std::env::var(name).ok();
        if follows() {
            return Self::from_old(env(LISTEN_FDS).as_deref(), env(READY_FD).as_deref());
        }
        let own = std::process::id().to_string();
        match (env("LISTEN_PID"), env("LISTEN_FDS").and_then(|count| count.parse().ok())) {
            (Some(pid), Some(count)) if pid == own => Self::from_systemd(count),
            _ => Ok(Self::default()),
        }
    }

    fn from_old(listen: Option<&str>, ready: Option<&str>) -> io::Result<Self> {
        let mut sockets = Vec::new();
        for item in listen.unwrap_or_default().split(';').filter(|item| !item.is_empty()) {
            let (fd, addr) = item.split_once('=').ok_or_else(|| invalid(item))?;
            let fd = own(fd.parse().map_err(|_| invalid(item))?)?;
            let addr: Addr = unescape(addr).parse().map_err(|_| invalid(item))?;
            sockets.push(Listening::adopt(fd)?.serving(addr));
        }
        let ready = match ready {
            Some(text) => {
                let fd = own(text.parse().map_err(|_| invalid(text))?)?;
                rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
                Some(fd)
            }
            None => None,
        };
        Ok(Self { sockets, ready })
    }

    fn from_systemd(count: RawFd) -> io::Result<Self> {
        let fds = SYSTEMD_FIRST..SYSTEMD_FIRST + count.clamp(0, SYSTEMD_FDS_MAX);
        let sockets = fds.map(|fd| Listening::adopt(own(fd)?)).collect::<io::Result<_>>()?;
        Ok(Self { sockets, ready: None })
    }
}

/// Whether another process started this one to follow on it.
pub fn follows() -> bool {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    let from = std::env::var(UPGRADE_FROM).ok();
    from.is_some() && from == parent
}

/// Takes a descriptor that the environment says is ours.
fn own(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < SYSTEMD_FIRST {
        return Err(invalid(&fd.to_string()));
    }
    // SAFETY: only looked at, to see whether it is open; not kept.
    rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(fd) })?;
    // SAFETY: it is open, was passed to this process for its use, and `Inherited::take` runs once.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("invalid inherited descriptor \"{what}\""))
}

/// Starts `command` with these sockets and the pipe, named in its environment. In this process all of them
/// stay closed on exec, and the pipe is closed.
///
/// # Errors
/// What `fork(2)` and `execve(2)` say.
pub fn start<'a>(
    mut command: Command,
    sockets: impl IntoIterator<Item = &'a Listening>,
    ready: OwnedFd,
) -> io::Result<Child> {
    let mut fds = Vec::new();
    let mut names = Vec::new();
    for socket in sockets {
        fds.push(socket.as_raw_fd());
        names.push(format!("{}={}", socket.as_raw_fd(), escape(&socket.addr().to_string())));
    }
    command
        .env(LISTEN_FDS, names.join(";"))
        .env(READY_FD, ready.as_raw_fd().to_string())
        .env(UPGRADE_FROM, std::process::id().to_string())
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDS")
        .env_remove("LISTEN_FDNAMES");
    let inherit = move || {
        for fd in fds.iter().copied().chain([ready.as_raw_fd()]) {
            // SAFETY: `ready` is owned by this closure, and the sockets are borrowed until the child runs.
            rustix::io::fcntl_setfd(unsafe { BorrowedFd::borrow_raw(fd) }, FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure makes system calls only, no allocation and no lock.
    unsafe { command.pre_exec(inherit) };
    command.spawn()
}

/// Addresses stand between `;` in the environment, and a path may have one.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace(';', "%3B")
}

fn unescape(text: &str) -> String {
    text.replace("%3B", ";").replace("%25", "%")
}

#[cfg(test)]
mod tests;
