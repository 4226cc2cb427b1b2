//! The worker threads.

use super::accounts::Identity;
use super::privileges::become_user_here;
use super::sockets::Shares;
use bifrons_flow::{Command, Shared, Worker, worker};
use bifrons_model::{Cpus, Process};
use bifrons_net::Addr;
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// A worker answers within its longest turn, milliseconds; one that does not is no reason to hold a reload up.
const UNLISTEN_LIMIT: Duration = Duration::from_secs(1);

/// What a worker's thread is to the system.
#[derive(Debug)]
pub struct Seat {
    /// Whom it becomes, where the control thread stays root.
    pub identity: Option<Identity>,
    /// Priority and processors.
    pub process: Process,
}

/// All workers of the process.
pub struct Workers {
    commands: Vec<mpsc::UnboundedSender<Command>>,
    ended: mpsc::UnboundedReceiver<usize>,
    running: usize,
}

/// Tells the control side that a worker is gone, however it went.
struct Farewell(usize, mpsc::UnboundedSender<usize>);

impl Drop for Farewell {
    fn drop(&mut self) {
        // Nobody listens any more when the process ends at once.
        let _ = self.1.send(self.0);
    }
}

impl Workers {
    /// Starts `count` threads; they have nothing to do yet.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(count: usize, shared: &Arc<Shared>, seat: &Arc<Seat>) -> Result<Self, String> {
        let (commands, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        let (farewell, ended) = mpsc::unbounded_channel();
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let (shared, siblings, seat) = (shared.clone(), commands.clone(), seat.clone());
            let farewell = Farewell(index, farewell.clone());
            thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || match seat.take(farewell.0) {
                    Ok(()) => serve(shared, siblings, inbox, &farewell),
                    Err(error) => tracing::error!(worker = farewell.0, "{error}"),
                })
                .map_err(|error| format!("cannot start a worker thread: {error}"))?;
        }
        Ok(Self { commands, ended, running: count })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.commands.len()
    }

    /// Has each listen on its sockets.
    pub fn listen(&self, shares: Shares) {
        for (index, sockets) in shares.into_iter().enumerate() {
            self.send(index, Command::Listen(sockets));
        }
    }

    /// Has all stop listening on these addresses; returns when they have.
    pub async fn unlisten(&self, addrs: &[Addr]) {
        let mut done = JoinSet::new();
        for index in 0..self.count() {
            let (reply, answer) = oneshot::channel();
            self.send(index, Command::Unlisten(addrs.to_vec(), reply));
            done.spawn(answer);
        }
        if tokio::time::timeout(UNLISTEN_LIMIT, done.join_all()).await.is_err() {
            tracing::warn!("workers are slow to stop listening; connections may be cut");
        }
    }

    /// Has all finish what runs, and end.
    pub fn drain(&self, until: Instant) {
        for index in 0..self.count() {
            self.send(index, Command::Drain(until));
        }
    }

    fn send(&self, index: usize, command: Command) {
        if let Some(worker) = self.commands.get(index)
            && worker.send(command).is_err()
        {
            tracing::error!(worker = index, "a worker does not listen to commands");
        }
    }

    /// The next worker that has ended; while serving that is an accident. Cancel-safe.
    pub async fn next_ended(&mut self) -> usize {
        match self.ended.recv().await {
            Some(index) => {
                self.running -= 1;
                index
            }
            None => std::future::pending().await,
        }
    }

    /// Returns when all have ended. Cancel-safe.
    pub async fn all_ended(&mut self) {
        while self.running > 0 {
            self.next_ended().await;
        }
    }
}

impl Seat {
    /// Makes the calling thread the worker of that number.
    ///
    /// # Errors
    /// It cannot become the user. What else is refused is logged.
    fn take(&self, index: usize) -> Result<(), String> {
        if let Some(priority) = self.process.priority
            // Of this thread alone (setpriority(2), "C library/kernel differences").
            && let Err(error) = setpriority_process(None, priority.into())
        {
            tracing::warn!(priority, %error, "cannot set a worker's priority");
        }
        if let Some(cpus) = self.process.cpus.as_ref().and_then(|cpus| processors(cpus, index))
            && let Err(error) = sched_setaffinity(None, &cpus)
        {
            tracing::warn!(worker = index, %error, "cannot choose a worker's processors");
        }
        self.identity.as_ref().map_or(Ok(()), become_user_here)
    }
}

/// The processors of the worker of that number; none where all are as good.
fn processors(cpus: &Cpus, index: usize) -> Option<CpuSet> {
    let list: Vec<usize> = match cpus {
        Cpus::Each(lists) => lists.get(index).or(lists.last())?.iter().map(|cpu| usize::from(*cpu)).collect(),
        Cpus::Auto => {
            let ours = sched_getaffinity(None).ok()?;
            let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| ours.is_set(*cpu)).collect();
            vec![*all.get(index % all.len().max(1))?]
        }
    };
    let mut set = CpuSet::new();
    list.into_iter().filter(|cpu| *cpu < CpuSet::MAX_CPU).for_each(|cpu| set.set(cpu));
    Some(set)
}

/// A worker's thread.
fn serve(
    shared: Arc<Shared>,
    siblings: Vec<mpsc::UnboundedSender<Command>>,
    inbox: mpsc::UnboundedReceiver<Command>,
    farewell: &Farewell,
) {
    let index = farewell.0;
    match worker::runtime() {
        Ok(runtime) => runtime.block_on(async { Worker::new(index, shared, siblings).run(inbox).await }),
        Err(error) => tracing::error!(worker = index, %error, "cannot start a worker's runtime"),
    }
}
