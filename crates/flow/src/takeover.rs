//! Idle connections of sibling workers: taken over before a new one is dialled.

use crate::worker::{Command, Worker};
use bifrons_core::Side;
use bifrons_http::h1::Conn;
use bifrons_http::pool::EndpointKey;
use bifrons_net::Stream;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;

/// 1 ms: a sibling that is busy for longer answers later than a new connection to a near endpoint takes.
const PATIENCE: Duration = Duration::from_millis(1);

/// An idle connection of the sibling that has most of them, if one has any.
pub(crate) async fn from_sibling(worker: &Rc<Worker>, key: EndpointKey) -> Option<Rc<Conn>> {
    let sibling = worker.shared.idle.richest(key, worker.index)?;
    let (reply, answer) = oneshot::channel();
    worker.siblings.get(sibling)?.send(Command::Give(key, reply)).ok()?;
    let given = tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()??;
    let stream = Stream::new(given.fd).ok()?;
    let life = (given.born, given.messages);
    stream.is_alive().then(|| Rc::new(Conn::resumed(stream, Side::Upstream, life)))
}
