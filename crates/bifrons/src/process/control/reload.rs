//! A reload: read, check, bind, build, resolve, swap. Where any of it fails, everything stays as it was.

use super::{Control, hash_text};
use crate::command::Failure;
use crate::load;
use crate::process::pid::Status;
use crate::process::sockets::Shares;
use crate::process::{Style, notify, prepare_for, privileges};
use bifrons_control::health::Checks;
use bifrons_control::resolve::{self, Names};
use bifrons_flow::{Snapshot, build};
use bifrons_model::Config;
use bifrons_net::Addr;
use std::sync::Arc;
use std::time::SystemTime;

impl Control {
    /// Takes the configuration again; the outcome is logged, counted, and left for `bifrons reload`.
    pub async fn reload(&mut self) -> Result<String, String> {
        notify::reloading();
        let outcome = match self.upgrade {
            Some(_) => Err(Failure::Other("an upgrade is under way".into())),
            None => self.try_reload().await,
        };
        let outcome = match outcome {
            Ok(message) => {
                tracing::info!("{message}");
                Ok(message)
            }
            Err(failure) => {
                self.shared.metrics.reload_failed();
                log_failure(&failure);
                Err(failure.to_string())
            }
        };
        self.reload_count += 1;
        if let Some(pid) = &self.pid
            && let Err(error) = pid.report(&Status { count: self.reload_count, outcome: outcome.clone() })
        {
            tracing::warn!(%error, "cannot write the status file");
        }
        notify::ready();
        outcome
    }

    async fn try_reload(&mut self) -> Result<String, Failure> {
        let loaded = self.launch.load()?;
        let plan = load::dry_run(&loaded)?;
        let options = loaded.options(false);
        let config = Arc::new(loaded.config);
        // Whoever the workers are does not change with a reload.
        let user = (self.config.user.as_deref(), self.config.group.as_deref());
        if matches!(self.launch.style, Style::Nginx { .. }) {
            let identity = privileges::identity(user.0, user.1)?;
            prepare_for(self.launch.style, identity.as_ref(), &config, &options.base)?;
        }
        let workers = self.workers.count();
        let fresh = self.sockets.open(&plan.listeners, workers)?;
        let (shares, snapshot) = match self.make(&config, &options, &fresh) {
            Ok(made) => made,
            Err(failure) => {
                fresh.iter().for_each(|addr| self.sockets.close(addr));
                return Err(failure);
            }
        };
        self.names = Names::start(&snapshot, resolve::START_LIMIT).await;
        self.checks = Checks::start(&snapshot, &self.shared);

        self.sockets.note_changes(&snapshot.listeners);
        let gone = self.sockets.close_others(&snapshot.listeners);
        self.workers.unlisten(&gone).await;
        let hash = hash_text(&snapshot);
        self.shared.publish(snapshot);
        self.replication.configure(config.replication.clone());
        self.workers.listen(shares);
        self.serve_admin();
        self.log.reconfigure(&config.error_log);
        note_fixed(&self.config, &config, workers);
        self.config = config;
        self.shared.metrics.reloaded(&hash, SystemTime::now());
        for warning in &loaded.warnings {
            tracing::warn!("{}", warning.one_line());
        }
        let message = format!("configuration {hash} taken");
        Ok(match (fresh.len(), gone.len()) {
            (0, 0) => message,
            (new, gone) => format!("{message}; addresses: {new} new, {gone} gone"),
        })
    }
}

impl Control {
    /// The parts of a reload that may still fail once addresses are bound.
    fn make(
        &mut self,
        config: &Arc<Config>,
        options: &build::Options,
        fresh: &[Addr],
    ) -> Result<(Shares, Arc<Snapshot>), Failure> {
        let shares = self.sockets.shares_of(self.workers.count(), |addr| fresh.contains(addr))?;
        let snapshot = build::build(config.clone(), &self.shared, options)?;
        self.sockets.open_admin(load::admin_addr(config))?;
        Ok((shares, Arc::new(snapshot)))
    }
}

/// Says which changes a reload cannot make.
fn note_fixed(old: &Config, new: &Config, workers: usize) {
    let said = [
        ("workers", new.workers.count() != workers),
        ("user", old.user != new.user),
        ("group", old.group != new.group),
        ("pid_file", old.pid_file != new.pid_file),
    ];
    for (name, _) in said.iter().filter(|(_, changed)| *changed) {
        tracing::warn!("`{name}` takes effect with the next start or upgrade");
    }
}

/// A line a mistake.
fn log_failure(failure: &Failure) {
    match failure {
        Failure::Config(problems) => {
            for problem in &problems.0 {
                let help = problem.help.as_deref().unwrap_or_default();
                tracing::error!(help, "{}", problem.one_line());
            }
        }
        Failure::Bind(error) => tracing::error!("{error}"),
        Failure::Other(message) => tracing::error!("{message}"),
    }
    tracing::error!("the new configuration is refused; the old one runs on");
}
