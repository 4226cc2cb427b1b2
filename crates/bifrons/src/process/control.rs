//! The control thread: what signals and the admin server ask for, while the workers serve.

mod reload;

use super::Launch;
use super::log::ErrorLog;
use super::notify;
use super::pid::{PidFile, Status};
use super::signals::{Signal, Signals};
use super::sockets::Sockets;
use super::upgrade::{self, Upgrade};
use super::workers::Workers;
use crate::command::Failure;
use bifrons_control::admin::{Admin, Phase, ReloadRequest};
use bifrons_control::health::Checks;
use bifrons_control::resolve::Names;
use bifrons_flow::{Shared, Snapshot};
use bifrons_model::Config;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// How long the end waits for the access log's writer: a disk that takes longer hangs.
const LOG_LIMIT: Duration = Duration::from_secs(2);

/// A serving process.
pub struct Control {
    pub launch: Launch,
    pub config: Arc<Config>,
    pub shared: Arc<Shared>,
    pub sockets: Sockets,
    pub workers: Workers,
    pub names: Names,
    /// The active checks of endpoints.
    pub checks: Checks,
    pub log: ErrorLog,
    pub pid: Option<PidFile>,
    pub program: PathBuf,
    pub phase: watch::Sender<Phase>,
    pub reload: mpsc::Sender<ReloadRequest>,
    pub reloads: mpsc::Receiver<ReloadRequest>,
    /// Ends the admin server when dropped.
    pub admin: Option<(bifrons_net::Addr, oneshot::Sender<()>)>,
    pub upgrade: Option<Upgrade>,
    pub reload_count: u64,
}

/// What the control side wakes up for.
enum Event {
    Signal(Signal),
    Reload(ReloadRequest),
    Upgraded(Result<(), String>),
    WorkerLost(usize),
}

/// The fingerprint of a configuration as metrics show it.
pub fn hash_text(snapshot: &Snapshot) -> String {
    format!("{:016x}", snapshot.hash)
}

impl Control {
    /// Says to everybody that we serve.
    pub fn started(&mut self, ready: Option<OwnedFd>) {
        if let Some(pid) = &self.pid {
            let status = Status { count: 0, outcome: Ok("started".into()) };
            if let Err(error) = pid.write().and_then(|()| pid.report(&status)) {
                tracing::warn!(%error, "cannot write the pid file");
            }
        }
        self.phase.send_replace(Phase::Serving);
        notify::ready();
        if let Some(ready) = ready {
            upgrade::tell(ready);
        }
        tracing::info!(workers = self.workers.count(), version = env!("CARGO_PKG_VERSION"), "serving");
    }

    /// Reacts until the process is to end.
    pub async fn run(mut self, mut signals: Signals) -> Result<(), Failure> {
        loop {
            match self.next(&mut signals).await {
                Event::Signal(Signal::Stop) => return self.stop(signals).await,
                Event::Signal(Signal::Reload) => {
                    // It has been logged, and a signal has nobody who waits.
                    let _ = self.reload().await;
                }
                Event::Signal(Signal::ReopenLogs) => self.reopen_logs(),
                Event::Signal(Signal::Upgrade) => self.begin_upgrade(),
                Event::Reload(reply) => {
                    let outcome = self.reload().await;
                    // Who asked may have gone.
                    let _ = reply.send(outcome);
                }
                Event::Upgraded(Ok(())) => return self.hand_over(signals).await,
                Event::Upgraded(Err(why)) => {
                    self.upgrade = None;
                    tracing::error!(why, "the upgrade failed; this process serves on");
                }
                Event::WorkerLost(worker) => {
                    tracing::error!(worker, "a worker ended by itself; the process stops");
                    self.stop(signals).await?;
                    return Err(format!("worker {worker} ended by itself").into());
                }
            }
        }
    }

    /// All of it is cancel-safe. Biased: signals are rare and come first.
    async fn next(&mut self, signals: &mut Signals) -> Event {
        let upgrade = async {
            match &mut self.upgrade {
                Some(upgrade) => upgrade.ready().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = signals.next() => Event::Signal(signal),
            done = upgrade => Event::Upgraded(done),
            worker = self.workers.next_ended() => Event::WorkerLost(worker),
            Some(reply) = self.reloads.recv() => Event::Reload(reply),
        }
    }

    fn reopen_logs(&self) {
        self.log.reopen();
        self.shared.access.reopen();
        tracing::info!("log files opened again");
    }

    fn begin_upgrade(&mut self) {
        if self.upgrade.is_some() {
            tracing::warn!("an upgrade is under way already");
            return;
        }
        match Upgrade::begin(&self.program, &self.sockets) {
            Ok(upgrade) => {
                tracing::info!(program = %self.program.display(), pid = upgrade.pid(), "upgrade begun");
                self.upgrade = Some(upgrade);
            }
            Err(why) => tracing::error!(why, "the upgrade failed; this process serves on"),
        }
    }

    /// The new process serves: we finish what we have.
    async fn hand_over(mut self, signals: Signals) -> Result<(), Failure> {
        let pid = self.upgrade.as_ref().map(Upgrade::pid);
        tracing::info!(pid, "the new process serves; this one finishes what it has");
        self.admin = None;
        self.sockets.leave();
        self.drain(signals).await
    }

    /// Stops listening and finishes what runs.
    async fn stop(mut self, signals: Signals) -> Result<(), Failure> {
        notify::stopping();
        self.upgrade = None;
        self.sockets.close_all();
        self.drain(signals).await
    }

    async fn drain(mut self, mut signals: Signals) -> Result<(), Failure> {
        let timeout = self.config.shutdown.timeout.0;
        self.phase.send_replace(Phase::Draining);
        self.shared.draining.store(true, Ordering::Relaxed);
        self.workers.drain(Instant::now() + timeout);
        tracing::info!(timeout = ?timeout, "draining");
        loop {
            // Both are cancel-safe. Biased: an end is an end.
            tokio::select! {
                biased;
                () = self.workers.all_ended() => {
                    tracing::info!("drained");
                    break;
                }
                signal = signals.next() => match signal {
                    Signal::Stop => {
                        tracing::warn!("asked to stop again: what still runs is cut");
                        break;
                    }
                    Signal::ReopenLogs => self.reopen_logs(),
                    Signal::Reload | Signal::Upgrade => tracing::warn!("about to end: the signal is ignored"),
                },
            }
        }
        if !self.shared.access.close(LOG_LIMIT) {
            tracing::warn!("the access log could not be written to its end");
        }
        Ok(())
    }

    /// Starts the admin server on its socket, or ends it where there is none any more.
    pub fn serve_admin(&mut self) {
        let socket = match self.sockets.admin() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(error, "the admin server does not serve");
                None
            }
        };
        let Some(socket) = socket else {
            self.admin = None;
            return;
        };
        let addr = socket.addr().clone();
        if self.admin.as_ref().is_some_and(|(known, _)| *known == addr) {
            return;
        }
        let (end, ended) = oneshot::channel::<()>();
        let admin = Admin::new(self.shared.clone(), self.phase.subscribe(), self.reload.clone());
        tokio::spawn(async move {
            let ended = async {
                // Dropping the other side is the word to end.
                let _ = ended.await;
            };
            if let Err(error) = admin.serve(socket, ended).await {
                tracing::error!(%error, "the admin server ended");
            }
        });
        self.admin = Some((addr, end));
    }
}
