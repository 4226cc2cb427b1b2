//! The processes of the demo: started, watched, and ended together.

use super::{HOPS, Place};
use crate::command::Failure;
use crate::process::{explain, try_bind, upgrade};
use bifrons_net::Addr;
use bifrons_net::listen::ListenOptions;
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// A hop that does not listen by then has something to say in its log.
const START_MAX: Duration = Duration::from_secs(15);
/// Connections that are left are cut then.
const END_MAX: Duration = Duration::from_secs(5);
/// How often is looked whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Configurations and certificates, for as long as they are needed. Keys are in it: nobody else may look.
pub(super) struct Dir(PathBuf);

impl Dir {
    pub(super) fn write() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("bifrons-demo-chain-{}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        let dir = Self(path);
        for (name, config, _) in HOPS {
            std::fs::write(dir.config(name), config)?;
        }
        Ok(dir)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn config(&self, hop: &str) -> PathBuf {
        self.0.join(format!("{hop}.yaml"))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // What is left of it is in the temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Says whose address is taken before anything is started.
pub(super) fn check_free(place: &Place) -> Result<(), Failure> {
    for (hop, addr) in place.listeners().into_iter().chain([("app", place.app())]) {
        let addr = Addr::Inet(addr);
        try_bind(&addr, &ListenOptions::default()).map_err(|error| {
            let why = explain(&addr, &error);
            format!("{hop} {why}; end what listens there, or see one request on other addresses: bifrons demo-chain --once")
        })?;
    }
    Ok(())
}

/// The running hops.
pub(super) struct Hops(Vec<(&'static str, Child)>);

impl Hops {
    /// Starts all of them. Their access logs are ours where a person reads along.
    pub(super) fn start(dir: &Dir, place: &Place, is_quiet: bool) -> Result<Self, Failure> {
        let mut hops = Self(Vec::new());
        for (name, ..) in HOPS {
            let child = Command::new(upgrade::program())
                .arg("run")
                .arg(dir.config(name))
                .args(["--workers", "1", "--log-level", "error", "--pid-file"])
                .arg(dir.path().join(format!("{name}.pid")))
                .env("CHAIN_NET", place.net_text())
                .env("CHAIN_FRONT", place.front.to_string())
                .stdin(Stdio::null())
                .stdout(if is_quiet { Stdio::null() } else { Stdio::inherit() })
                .spawn()
                .map_err(|error| format!("cannot start {name}: {error}"))?;
            hops.0.push((name, child));
        }
        Ok(hops)
    }

    /// Waits until all of them listen.
    pub(super) async fn ready(&mut self, place: &Place) -> Result<(), Failure> {
        let deadline = Instant::now() + START_MAX;
        for (name, addr) in place.listeners() {
            while TcpStream::connect(addr).await.is_err() {
                self.alive()?;
                if Instant::now() > deadline {
                    return Err(format!("{name} does not listen on {addr} after {START_MAX:?}").into());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    fn alive(&mut self) -> Result<(), Failure> {
        for (name, child) in &mut self.0 {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => return Err(format!("{name} has ended ({status})").into()),
                Err(error) => return Err(format!("cannot look after {name}: {error}").into()),
            }
        }
        Ok(())
    }

    /// Ends all of them, each by SIGTERM.
    pub(super) async fn stop(&mut self) {
        self.signal();
        let deadline = Instant::now() + END_MAX;
        while Instant::now() < deadline
            && self.0.iter_mut().any(|(_, child)| matches!(child.try_wait(), Ok(None)))
        {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn signal(&mut self) {
        for (_, child) in &mut self.0 {
            if matches!(child.try_wait(), Ok(None))
                && let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw)
            {
                // Fails only where it has just ended.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
    }
}

impl Drop for Hops {
    fn drop(&mut self) {
        self.signal();
        let deadline = std::time::Instant::now() + END_MAX;
        for (_, child) in &mut self.0 {
            while std::time::Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(LOOK_EVERY);
            }
            // Both fail only where it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What `future` gives, or that a hop has ended meanwhile.
pub(super) async fn or_end<T>(
    hops: &mut Hops,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let watch = async {
        loop {
            if let Err(ended) = hops.alive() {
                return ended;
            }
            tokio::time::sleep(LOOK_EVERY * 4).await;
        }
    };
    tokio::select! {
        biased;
        done = future => done,
        ended = watch => Err(ended),
    }
}
