//! The worker threads.

use super::sockets::Sockets;
use bifrons_flow::{Command, Shared, Worker};
use std::sync::Arc;
use std::thread;
use std::time::Instant;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;

/// Files are opened and read on these threads; a few per worker keep a slow disk from piling up.
const BLOCKING_THREADS: usize = 4;

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
    pub fn start(count: usize, shared: &Arc<Shared>) -> Result<Self, String> {
        let (commands, inboxes): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        let (farewell, ended) = mpsc::unbounded_channel();
        for (index, inbox) in inboxes.into_iter().enumerate() {
            let (shared, siblings) = (shared.clone(), commands.clone());
            let farewell = Farewell(index, farewell.clone());
            thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || serve(index, shared, siblings, inbox, farewell))
                .map_err(|error| format!("cannot start a worker thread: {error}"))?;
        }
        Ok(Self { commands, ended, running: count })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.commands.len()
    }

    /// Gives the sockets of these addresses to the workers.
    pub fn listen(&self, sockets: &Sockets) -> Result<(), String> {
        for (index, listenings) in sockets.shares(self.count())?.into_iter().enumerate() {
            self.send(index, Command::Listen(listenings));
        }
        Ok(())
    }

    /// Tells all to finish.
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

    /// Returns when all have ended.
    pub async fn ended(&mut self) {
        while self.running > 0 && self.ended.recv().await.is_some() {
            self.running -= 1;
        }
    }
}

/// A worker's thread.
fn serve(
    index: usize,
    shared: Arc<Shared>,
    siblings: Vec<mpsc::UnboundedSender<Command>>,
    inbox: mpsc::UnboundedReceiver<Command>,
    _farewell: Farewell,
) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build_local(LocalOptions::default());
    match runtime {
        Ok(runtime) => runtime.block_on(async { Worker::new(index, shared, siblings).run(inbox).await }),
        Err(error) => tracing::error!(worker = index, %error, "cannot start a worker's runtime"),
    }
}
