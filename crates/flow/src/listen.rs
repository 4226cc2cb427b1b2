//! Step 1. One listener on one worker: accept, connection limits, drain.

use crate::conn;
use crate::shared::Refused;
use crate::worker::Worker;
use bifrons_net::{Acceptor, ListenOptions, Stream, clock};
use bifrons_observe::metrics::Refusal;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long accepting rests when the process has no descriptors left: connections end meanwhile, and the
/// kernel queues new ones.
const REST: Duration = Duration::from_millis(100);

/// Accepts connections until the task is aborted, which happens only between two of them.
pub async fn serve(worker: Rc<Worker>, acceptor: Rc<Acceptor>) {
    loop {
        match acceptor.accept().await {
            Ok((stream, peer)) => take(&worker, &acceptor, stream, peer),
            Err(err) => {
                tracing::warn!(address = %acceptor.addr(), %err, "accepting rests");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Takes what waits in the kernel's queue, before the socket is closed: for their clients those connections
/// are in already, and closing would reset them.
pub fn take_queued(worker: &Rc<Worker>, acceptor: &Acceptor) {
    for _ in 0..ListenOptions::BACKLOG {
        match acceptor.try_accept() {
            Ok(Some((stream, peer))) => take(worker, acceptor, stream, peer),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Checks the limits and starts the connection's task. A refused connection is closed without a word, so
/// that a flood costs as little as it can.
fn take(worker: &Rc<Worker>, acceptor: &Acceptor, stream: Stream, peer: Option<SocketAddr>) {
    let Some(local) = worker.local() else { return };
    let Some(listener) = local.snapshot.listener(acceptor.addr()).cloned() else { return };
    let ip = peer.map(|peer| peer.ip());
    let admitted = match listener.state.enter(ip, listener.connections_max, listener.per_address_max) {
        Ok(admitted) => admitted,
        Err(reason) => {
            listener.stats.refuse(&worker.shard, refusal(reason));
            return;
        }
    };
    let serial = worker.shared.serial.fetch_add(1, Ordering::Relaxed);
    let accepted =
        conn::Accepted { serial, peer, admitted, at: clock::read(), addr: acceptor.addr().clone() };
    conn::start(worker.clone(), local, listener, stream, accepted);
}

fn refusal(reason: Refused) -> Refusal {
    match reason {
        Refused::Total => Refusal::Connections,
        Refused::PerAddress => Refusal::PerAddress,
    }
}
