//! SIGUSR2: the binary as it is on disk now is started, with the same arguments and the same sockets. When
//! it says that it serves, we finish what we have; when it does not, we go on as if nothing had been.

use super::sockets::Sockets;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// How long the new process may take until it serves: it waits up to 3 s for names, and large
/// configurations take seconds.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// What nginx's master calls itself (`ps`), before its own path.
pub const TITLE: &str = "nginx: master process ";

/// The program to start in our place, decided when we start: the path by which we were called, so that a
/// replaced file, or a link to another version, is taken.
pub fn program() -> PathBuf {
    let called: OsString = std::env::args_os().next().unwrap_or_default();
    // In nginx's place the path stands behind a title.
    let called = match called.to_str().and_then(|called| called.strip_prefix(TITLE)) {
        Some(path) => OsString::from(path),
        None => called,
    };
    let called = Path::new(&called);
    if called.components().count() > 1 {
        return std::path::absolute(called).unwrap_or_else(|_| called.to_owned());
    }
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&dirs).map(|dir| dir.join(called)).find(|path| path.is_file());
    found.or_else(|| std::env::current_exe().ok()).unwrap_or_else(|| called.to_owned())
}

/// A new process that does not serve yet. Killed where it is dropped before.
pub struct Upgrade {
    child: Child,
    pipe: pipe::Receiver,
    deadline: Instant,
    done: bool,
}

impl Upgrade {
    /// Starts the program with all sockets.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(program: &Path, sockets: &Sockets) -> Result<Self, String> {
        let start = || -> io::Result<Self> {
            let (read, write) = io::pipe()?;
            let mut command = Command::new(program);
            let mut args = std::env::args_os();
            if let Some(title) = args.next() {
                command.arg0(title);
            }
            command.args(args);
            let child = bifrons_net::handover::start(command, sockets.all(), write.into())?;
            let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(read))?;
            Ok(Self { child, pipe, deadline: Instant::now() + READY_LIMIT, done: false })
        };
        start().map_err(|error| format!("cannot start {}: {error}", program.display()))
    }

    /// The id of the new process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the new process has said that it serves.
    pub fn is_ready(&self) -> bool {
        self.done
    }

    /// Returns when the new process has ended. Cancel-safe.
    pub async fn ended(&mut self) {
        let Ok(mut children) = signal(SignalKind::child()) else { return std::future::pending().await };
        // An error is a process that is no child any more.
        while matches!(self.child.try_wait(), Ok(None)) {
            children.recv().await;
        }
    }

    /// Returns when the new process serves. Cancel-safe.
    ///
    /// # Errors
    /// It ended, or took too long.
    pub async fn ready(&mut self) -> Result<(), String> {
        let word = async {
            loop {
                self.pipe.readable().await?;
                let mut byte = [0];
                match self.pipe.try_read(&mut byte) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        };
        match tokio::time::timeout_at(self.deadline, word).await {
            Ok(Ok(1)) => {
                self.done = true;
                Ok(())
            }
            Ok(Ok(_)) => Err("it ended before it served; its own log says why".into()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("it did not serve within {} s", READY_LIMIT.as_secs())),
        }
    }
}

impl Drop for Upgrade {
    fn drop(&mut self) {
        if !self.done {
            // Fails only where it has ended and was waited for.
            let _ = self.child.kill();
            let _ = self.child.wait();
        } else {
            // One that has ended is not kept in the table of processes.
            let _ = self.child.try_wait();
        }
    }
}

/// Tells the process before us that we serve.
pub fn tell(ready: OwnedFd) {
    use std::io::Write;
    if let Err(error) = std::fs::File::from(ready).write_all(b"1") {
        tracing::warn!(%error, "the process before us does not hear that we serve");
    }
}
