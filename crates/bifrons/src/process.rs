//! The process: one control thread and the workers.

pub mod signals;
mod sockets;
mod workers;

use crate::cli::ProcessArgs;
use crate::command::Failure;
use crate::load::{self, Origin};
use bifrons_flow::{Shared, build};
use bifrons_model::Workers;
use bifrons_observe::Registry;
use bifrons_observe::access::AccessLogger;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::signal::unix::{SignalKind, signal};

/// Serves until a signal ends it.
pub fn run(origin: &Origin, args: &ProcessArgs) -> Result<(), Failure> {
    let mut loaded = origin.load()?.finish();
    if let Some(count) = args.workers {
        loaded.config.workers = Workers::Count(count);
    }
    let options = loaded.options();
    let config = Arc::new(loaded.config);
    let plan = load::dry_run(&config, &options.base)?;
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let count = config.workers.count();
    let sockets = sockets::Sockets::open(&plan.listeners, count)?;
    let access = AccessLogger::start().map_err(|error| format!("cannot start a thread: {error}"))?;
    let shared = Shared::new(Registry::new(SystemTime::now()), access.clone());
    let snapshot = build::build(config.clone(), &shared, &options)?;
    shared.publish(Arc::new(snapshot));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    runtime.block_on(async {
        let mut workers = workers::Workers::start(count, &shared)?;
        workers.listen(&sockets)?;
        let mut term = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
        let mut int = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        shared.draining.store(true, std::sync::atomic::Ordering::Relaxed);
        drop(sockets);
        workers.drain(Instant::now() + config.shutdown.timeout.0);
        workers.ended().await;
        Ok(())
    })
}
