//! Step 9. What is written down when a request is over: access log and metrics.

use crate::complaint::{self, ComplaintPlan};
use crate::queue::Room;
use crate::request::Task;
use crate::snapshot::{ClusterPlan, ListenerPlan, RoutePlan};
use crate::worker::Worker;
use bifrons_balance::policies::least_time::Measure;
use bifrons_balance::{Change, Endpoint};
use bifrons_http::vars::Scope;
use bifrons_http::{ReqCx, RequestHead, termination};
use bifrons_net::clock;
use bifrons_observe::access::Log;
use bifrons_observe::metrics::{Counter, Gauge, Metric, Registry, RouteStats};
use std::rc::Rc;
use std::sync::Arc;

/// What is written down about a route's requests.
pub struct RecordPlan {
    /// Access logs.
    pub logs: Box<[Arc<Log>]>,
    /// What of errors is told where, if not all in the proxy's own log.
    pub complaints: Option<Box<ComplaintPlan>>,
    /// Series.
    pub stats: RouteStats,
}

/// Series of errors, by their words in [`termination::WORDS`].
pub struct ErrorStats(Vec<Counter>);

impl ErrorStats {
    /// Registers the series.
    pub fn register(registry: &Registry) -> Self {
        Self(termination::WORDS.iter().map(|word| registry.counter(Metric::Errors, &[word])).collect())
    }

    fn of(&self, word: &str) -> Option<Counter> {
        let at = termination::WORDS.iter().position(|known| *known == word)?;
        self.0.get(at).copied()
    }
}

/// One more of what a gauge shows, for as long as it lives; also where a panic ends it.
pub struct Share {
    worker: Rc<Worker>,
    gauge: Gauge,
    /// Whom to tell that it is over.
    _room: Option<Room>,
}

impl Share {
    /// Counts from now on.
    #[inline]
    pub fn of(worker: &Rc<Worker>, gauge: Gauge) -> Self {
        worker.shard.shift(gauge, 1);
        Self { worker: worker.clone(), gauge, _room: None }
    }

    /// Tells who waits in the queue when it is over.
    #[inline]
    #[must_use]
    pub fn with(mut self, room: Option<Room>) -> Self {
        self._room = room;
        self
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.worker.shard.shift(self.gauge, -1);
    }
}

/// Counts and logs the request.
pub fn finish(task: &mut Task<'_>, req: &RequestHead) {
    let now = clock::read();
    task.cx.finished = Some(now);
    endpoint_done(task);
    let shard = &task.conn.worker.shard;
    let cx = &task.cx;
    let no_answer = cx.error.as_ref().is_some_and(|_| cx.sent == 0);
    let status = if no_answer { 0 } else { cx.status };
    task.route.record.stats.record(shard, status, now - cx.started);
    let stats = &task.listener.stats;
    shard.add(stats.received, cx.received);
    shard.add(stats.sent, cx.sent);
    if let Some(cluster) = task.cluster() {
        shard.add(cluster.stats.sent, cx.attempts.iter().map(|attempt| attempt.sent).sum());
        shard.add(cluster.stats.received, cx.attempts.iter().map(|attempt| attempt.received).sum());
    }
    if cx.limited.is_some() {
        complaint::limited(task, req);
    }
    if let Some(err) = &cx.error {
        let word = termination::word(err);
        if let Some(counter) = task.conn.worker.errors.of(word) {
            shard.inc(counter);
        }
        complaint::request(task, req, err);
        tracing::debug!(termination = word, %err, status = cx.status, "request ended with an error");
    } else if let Some(why) = &cx.denied {
        complaint::denied(task, req, why);
    }
    task.route.chain.finish(cx);
    if !task.route.record.logs.is_empty() {
        cx.conn.local.get_or_init(|| task.conn.http.stream().local_addr());
        let scope = Scope { cx, req, res: task.res.as_ref() };
        for log in &task.route.record.logs {
            task.conn.worker.log.record(log, &scope);
        }
    }
}

/// Counts and logs a session of datagrams, which has neither connection nor head.
pub fn session(
    (worker, listener): (&Worker, &ListenerPlan),
    (route, cluster): (&RoutePlan, Option<&ClusterPlan>),
    (cx, req): (&mut ReqCx, &RequestHead),
) {
    let now = clock::read();
    cx.finished = Some(now);
    let shard = &worker.shard;
    let no_answer = cx.error.as_ref().is_some_and(|_| cx.sent == 0);
    route.record.stats.record(shard, if no_answer { 0 } else { cx.status }, now - cx.started);
    shard.add(listener.stats.received, cx.received);
    shard.add(listener.stats.sent, cx.sent);
    if let Some(cluster) = cluster {
        shard.add(cluster.stats.sent, cx.attempts.iter().map(|attempt| attempt.sent).sum());
        shard.add(cluster.stats.received, cx.attempts.iter().map(|attempt| attempt.received).sum());
    }
    if let Some(err) = &cx.error {
        let word = termination::word(err);
        if let Some(counter) = worker.errors.of(word) {
            shard.inc(counter);
        }
        tracing::debug!(termination = word, %err, status = cx.status, "session ended with an error");
    }
    for log in &route.record.logs {
        worker.log.record(log, &Scope { cx, req, res: None });
    }
}

/// Counts what a request of our own has moved: there is no client, and so no log.
pub fn aside(task: &mut Task<'_>) {
    endpoint_done(task);
    let Some(cluster) = task.cluster() else { return };
    let (shard, attempts) = (&task.conn.worker.shard, &task.cx.attempts);
    shard.add(cluster.stats.sent, attempts.iter().map(|attempt| attempt.sent).sum());
    shard.add(cluster.stats.received, attempts.iter().map(|attempt| attempt.received).sum());
}

/// The endpoint has sent everything: it is free for others, however long the client takes.
pub fn endpoint_done(task: &mut Task<'_>) {
    // Left whole: who waits is told by its second part, when the first no longer counts.
    let Some(active) = task.active.take() else { return };
    if task.cluster().is_some_and(|cluster| cluster.measures == Some(Measure::LastByte)) {
        note_last_byte(task, active.0.endpoint());
    }
}

/// Notes how long the endpoint's whole answer took, for its policy.
fn note_last_byte(task: &Task<'_>, endpoint: &Endpoint) {
    let Some(last) = task.cx.attempts.last().filter(|last| last.status != 0) else { return };
    let now = clock::recent();
    let so_far = || u64::try_from((now - last.began).as_micros()).unwrap_or(u64::MAX);
    let took = last.response_us.map_or_else(so_far, u64::from);
    endpoint.state().times().note(Measure::LastByte, took, task.conn.worker.shared.ms_at(now));
}

/// Notes that an endpoint was taken out or came back.
pub fn endpoint_change(worker: &Worker, cluster: &ClusterPlan, endpoint: &Endpoint, change: Change) {
    match change {
        Change::Ejected => {
            worker.shard.inc(cluster.stats.ejections);
            tracing::warn!(cluster = &*cluster.name, endpoint = &*endpoint.name, "endpoint ejected");
        }
        Change::Restored => {
            tracing::info!(cluster = &*cluster.name, endpoint = &*endpoint.name, "endpoint restored");
        }
        Change::None => {}
    }
}
