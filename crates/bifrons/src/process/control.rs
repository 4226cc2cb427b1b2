//! The control thread: what signals and the admin server ask for, while the workers serve.

mod reload;

use super::certificates::Certificates;
use super::log::ErrorLog;
use super::notify;
use super::pid::{PidFile, Status};
use super::signals::{Signal, Signals};
use super::sockets::Sockets;
use super::upgrade::{self, Upgrade};
use super::workers::Workers;
use super::{Launch, Style};
use crate::command::Failure;
use bifrons_control::admin::{Admin, Phase, ReloadRequest};
use bifrons_control::health::Checks;
use bifrons_control::replication::Replication;
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
    /// Purges of other nodes.
    pub replication: Replication,
    pub log: ErrorLog,
    pub pid: Option<PidFile>,
    pub program: PathBuf,
    pub phase: watch::Sender<Phase>,
    pub reload: mpsc::Sender<ReloadRequest>,
    pub reloads: mpsc::Receiver<ReloadRequest>,
    /// Ends the admin server when dropped.
    pub admin: Option<(bifrons_net::Addr, oneshot::Sender<()>)>,
    /// A process that is to follow on this one, or, in nginx's place, that serves beside it.
    pub upgrade: Option<Upgrade>,
    /// Takes no more requests, until SIGHUP or another process's end.
    pub resting: bool,
    pub reload_count: u64,
    pub certificates: Certificates,
}

/// What the control side wakes up for.
enum Event {
    Signal(Signal),
    Reload(ReloadRequest),
    Upgraded(Result<(), String>),
    /// The process that served beside this one.
    SuccessorEnded,
    WorkerLost(usize),
    /// Time to look at the files of certificates.
    Look,
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
                Event::Signal(signal @ (Signal::Stop | Signal::Quit)) => {
                    let limit = self.stop_limit(signal);
                    return self.stop(signals, limit).await;
                }
                Event::Signal(Signal::Rest) => self.rest().await,
                Event::Look if self.certificates.look(&self.shared) => {
                    tracing::info!("a file that TLS needs has changed: the configuration is taken again");
                    let _ = self.reload().await;
                }
                Event::Look => {}
                // As in nginx: the configuration is the other process's by now.
                Event::Signal(Signal::Reload) if self.upgrade.as_ref().is_some_and(Upgrade::is_ready) => {
                    self.rise();
                }
                Event::Signal(Signal::Reload) => {
                    self.rise();
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
                Event::Upgraded(Ok(())) => match self.launch.style {
                    Style::Own => return self.hand_over(signals).await,
                    Style::Nginx { .. } => tracing::info!(
                        "the new process serves beside this one, which waits to be told to quit (SIGQUIT)"
                    ),
                },
                Event::Upgraded(Err(why)) => {
                    self.stand_alone();
                    tracing::error!(why, "the upgrade failed; this process serves on");
                }
                Event::SuccessorEnded => {
                    tracing::warn!("the new process has ended; this one serves on");
                    self.stand_alone();
                    self.rise();
                }
                Event::WorkerLost(worker) => {
                    tracing::error!(worker, "a worker ended by itself; the process stops");
                    let limit = self.stop_limit(Signal::Quit);
                    self.stop(signals, limit).await?;
                    return Err(format!("worker {worker} ended by itself").into());
                }
            }
        }
    }

    /// All of it is cancel-safe. Biased: signals are rare and come first.
    async fn next(&mut self, signals: &mut Signals) -> Event {
        let upgrade = async {
            match &mut self.upgrade {
                Some(upgrade) if upgrade.is_ready() => {
                    upgrade.ended().await;
                    Event::SuccessorEnded
                }
                Some(upgrade) => Event::Upgraded(upgrade.ready().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            signal = signals.next() => Event::Signal(signal),
            event = upgrade => event,
            worker = self.workers.next_ended() => Event::WorkerLost(worker),
            Some(reply) = self.reloads.recv() => Event::Reload(reply),
            () = self.certificates.next() => Event::Look,
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
        // nginx's new process has the pid file, its old one another.
        if let (Style::Nginx { .. }, Some(pid)) = (self.launch.style, &mut self.pid)
            && let Err(error) = pid.step_aside()
        {
            tracing::error!(%error, "the upgrade failed: the pid file cannot be renamed");
            return;
        }
        match Upgrade::begin(&self.program, &self.sockets) {
            Ok(upgrade) => {
                tracing::info!(program = %self.program.display(), pid = upgrade.pid(), "upgrade begun");
                self.upgrade = Some(upgrade);
            }
            Err(why) => {
                self.stand_alone();
                tracing::error!(why, "the upgrade failed; this process serves on");
            }
        }
    }

    /// There is no other process, or not any more.
    fn stand_alone(&mut self) {
        self.upgrade = None;
        if let (Style::Nginx { .. }, Some(pid)) = (self.launch.style, &mut self.pid)
            && let Err(error) = pid.step_back()
        {
            tracing::error!(%error, "the pid file cannot get its name again");
        }
    }

    /// Takes no more requests and lets go of connections as they become idle.
    async fn rest(&mut self) {
        if !matches!(self.launch.style, Style::Nginx { background: true, .. }) || self.resting {
            return;
        }
        self.resting = true;
        self.shared.draining.store(true, Ordering::Relaxed);
        self.workers.unlisten(&self.sockets.addrs()).await;
        tracing::info!("resting: no more requests are taken, until SIGHUP");
    }

    /// Takes requests again.
    fn rise(&mut self) {
        if !std::mem::take(&mut self.resting) {
            return;
        }
        self.shared.draining.store(false, Ordering::Relaxed);
        match self.sockets.shares(self.workers.count()) {
            Ok(shares) => self.workers.listen(shares),
            Err(error) => tracing::error!(error, "cannot listen again"),
        }
    }

    /// How long what runs may go on.
    fn stop_limit(&self, signal: Signal) -> Duration {
        match (self.launch.style, signal) {
            (Style::Nginx { .. }, Signal::Stop) => Duration::ZERO,
            _ => self.config.shutdown.timeout.0,
        }
    }

    /// The new process serves: we finish what we have.
    async fn hand_over(mut self, signals: Signals) -> Result<(), Failure> {
        let pid = self.upgrade.as_ref().map(Upgrade::pid);
        tracing::info!(pid, "the new process serves; this one finishes what it has");
        self.admin = None;
        self.sockets.leave();
        let limit = self.stop_limit(Signal::Quit);
        self.drain(signals, limit).await
    }

    /// Stops listening and finishes what runs.
    async fn stop(mut self, signals: Signals, limit: Duration) -> Result<(), Failure> {
        notify::stopping();
        match &self.upgrade {
            // It serves on, on the same sockets.
            Some(upgrade) if upgrade.is_ready() => self.sockets.leave(),
            _ => {
                self.upgrade = None;
                self.sockets.close_all();
            }
        }
        self.drain(signals, limit).await
    }

    async fn drain(mut self, mut signals: Signals, timeout: Duration) -> Result<(), Failure> {
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
                    // nginx's QUIT twice is QUIT.
                    Signal::Quit if matches!(self.launch.style, Style::Nginx { .. }) => {}
                    Signal::Stop | Signal::Quit => {
                        tracing::warn!("asked to stop again: what still runs is cut");
                        break;
                    }
                    Signal::Rest => {}
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
