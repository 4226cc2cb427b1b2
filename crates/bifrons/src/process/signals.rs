//! Signals and what they mean.

use std::io;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: take the configuration again.
    Reload,
    /// SIGTERM, SIGINT: finish what runs, and end; in nginx's place, end at once.
    Stop,
    /// SIGQUIT: finish what runs, and end.
    Quit,
    /// SIGUSR1: open log files again.
    ReopenLogs,
    /// SIGUSR2: start the binary anew and give it the sockets.
    Upgrade,
    /// SIGWINCH: in nginx's place, take no more requests. A terminal sends it too, whenever its size changes.
    Rest,
}

/// All signals that we react to.
pub struct Signals {
    hangup: Stream,
    terminate: Stream,
    interrupt: Stream,
    quit: Stream,
    user1: Stream,
    user2: Stream,
    window: Stream,
}

impl Signals {
    /// From now on none of them ends the process by itself.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            window: signal(SignalKind::window_change())?,
        })
    }

    /// The next one. Cancel-safe. Biased: who wants us to stop comes first.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.quit.recv() => Signal::Quit,
            _ = self.hangup.recv() => Signal::Reload,
            _ = self.user1.recv() => Signal::ReopenLogs,
            _ = self.user2.recv() => Signal::Upgrade,
            _ = self.window.recv() => Signal::Rest,
        }
    }
}

/// Returns when the process is asked to stop.
pub async fn stopped() {
    match Signals::new() {
        Ok(mut signals) => while !matches!(signals.next().await, Signal::Stop | Signal::Quit) {},
        Err(_) => std::future::pending().await,
    }
}
