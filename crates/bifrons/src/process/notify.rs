//! What systemd is told (sd_notify(3)). Without systemd all of it is nothing.

use sd_notify::NotifyState;

/// We serve, and we are the service's main process: after an upgrade it is no longer the one systemd started.
pub fn ready() {
    send(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
}

/// A reload has begun; [`ready`] says that it is over.
pub fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now().ok());
    send(&states);
}

/// We are about to end.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}
