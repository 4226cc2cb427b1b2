//! Active checks: each endpoint of a cluster with `health_check` is asked at intervals whether it is well.
//!
//! Once for the whole process, on the control thread. What is found goes into the endpoint's state, which
//! all workers read; a change is logged and counted. Endpoints keep what was found over a reload.

mod answer;
mod call;

use answer::Rules;
use bifrons_balance::{Endpoint, EndpointAddr, SharedEndpoints};
use bifrons_flow::snapshot::ClusterPlan;
use bifrons_flow::{Shared, Snapshot};
use bifrons_model::{HealthCheck, HttpVersion, ProxyHeaderOut};
use bifrons_observe::metrics::{Counter, Gauge, Metric};
use std::collections::HashMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// 64 KiB: the head of an answer to a check.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// 256 KiB: as much of a body as nginx looks at.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// 250 ms: how soon a new endpoint (a name that moved) gets checks, and one that is gone loses them.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// What HTTP/2 is called in ALPN (RFC 9113 3.2).
const H2: &[u8] = b"h2";
/// Headers of the PROXY protocol that speak of nobody but us (2.1, 2.2 `LOCAL`).
const LOCAL_V1: &[u8] = b"PROXY UNKNOWN\r\n";
const LOCAL_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

/// The checks of a snapshot, for as long as this lives.
#[derive(Debug, Default)]
pub struct Checks {
    _tasks: JoinSet<()>,
}

/// The checks of one cluster.
struct Job {
    cluster: Arc<str>,
    /// How connections are encrypted, among the rest.
    plan: Arc<ClusterPlan>,
    config: HealthCheck,
    /// What the endpoints are asked by.
    version: HttpVersion,
    rules: Rules,
    endpoints: Arc<SharedEndpoints>,
    shared: Arc<Shared>,
    /// What is counted: checks that went well, and those that did not.
    passed: Counter,
    failed: Counter,
    changes: Counter,
}

impl Checks {
    /// Begins to check the endpoints of a snapshot. Costs nothing where no cluster has checks.
    pub fn start(snapshot: &Snapshot, shared: &Arc<Shared>) -> Self {
        let mut tasks = JoinSet::new();
        for plan in &snapshot.clusters {
            let cluster = snapshot.config.clusters.get(&*plan.name);
            let Some(cluster) = cluster else { continue };
            let Some(config) = cluster.health_check.clone() else { continue };
            let counter = |metric, labels: &[&str]| shared.metrics.counter(metric, labels);
            let job = Job {
                cluster: plan.name.clone(),
                plan: plan.clone(),
                rules: Rules::new(&config.expect),
                endpoints: plan.shared.clone(),
                passed: counter(Metric::HealthChecks, &[&plan.name, "ok"]),
                failed: counter(Metric::HealthChecks, &[&plan.name, "failed"]),
                changes: counter(Metric::HealthChanges, &[&plan.name]),
                shared: shared.clone(),
                version: cluster.http_version,
                config,
            };
            if job.config.mandatory {
                job.hold_back_new();
            }
            tasks.spawn(run(Arc::new(job)));
        }
        Self { _tasks: tasks }
    }
}

/// Keeps a task for each endpoint there is.
async fn run(job: Arc<Job>) {
    let mut tasks: HashMap<u64, tokio::task::AbortHandle> = HashMap::new();
    let mut running = JoinSet::new();
    let mut seen = 0;
    loop {
        let generation = job.endpoints.generation();
        if generation != seen {
            seen = generation;
            if job.config.mandatory {
                job.hold_back_new();
            }
            let set = job.endpoints.load();
            let ids: HashMap<u64, Arc<Endpoint>> =
                set.endpoints().iter().map(|endpoint| (endpoint.state().id(), endpoint.clone())).collect();
            tasks.retain(|id, task| {
                let stays = ids.contains_key(id);
                if !stays {
                    task.abort();
                }
                stays
            });
            for (id, endpoint) in ids {
                if !endpoint.down && !tasks.contains_key(&id) {
                    tasks.insert(id, running.spawn(watch(job.clone(), endpoint)));
                }
            }
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
        while running.try_join_next().is_some() {}
    }
}

/// Checks one endpoint for good.
async fn watch(job: Arc<Job>, endpoint: Arc<Endpoint>) {
    let up = job.shared.metrics.gauge(Metric::HealthUp, &[&job.cluster, &endpoint.name, endpoint.label()]);
    job.show(up, &endpoint);
    let mut row = Row { good: false, length: 0 };
    loop {
        let limit = job.config.timeout.0;
        let outcome = match tokio::time::timeout(limit, job.ask(&endpoint)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("timed out".to_owned()),
        };
        let is_first = endpoint.state().health().checks() == 0;
        endpoint.state().health().note_check();
        job.shared.metrics.add(if outcome.is_ok() { job.passed } else { job.failed }, 1);
        row.add(outcome.is_ok());
        let needed = if row.good { job.config.healthy } else { job.config.unhealthy };
        if row.length >= needed || is_first && row.good {
            job.settle(&endpoint, &outcome);
            job.show(up, &endpoint);
        }
        let jitter = u64::try_from(job.config.jitter.0.as_millis()).unwrap_or(u64::MAX);
        let extra = Duration::from_millis(fastrand::u64(..=jitter));
        tokio::time::sleep(job.config.interval.0 + extra).await;
    }
}

/// Checks in a row that went the same way.
struct Row {
    good: bool,
    length: u32,
}

impl Row {
    fn add(&mut self, good: bool) {
        self.length = if self.good == good { self.length.saturating_add(1) } else { 1 };
        self.good = good;
    }
}

impl Job {
    /// Endpoints that were never checked don't serve yet.
    fn hold_back_new(&self) {
        let now_ms = self.shared.now_ms();
        for endpoint in self.endpoints.load().endpoints() {
            let health = endpoint.state().health();
            if health.checks() == 0 {
                health.set_fit(false, now_ms);
            }
        }
    }

    /// Lets an endpoint serve, or takes it out.
    fn settle(&self, endpoint: &Endpoint, outcome: &Result<(), String>) {
        let health = endpoint.state().health();
        if !health.set_fit(outcome.is_ok(), self.shared.now_ms()) {
            return;
        }
        self.shared.metrics.add(self.changes, 1);
        let (cluster, name, address) = (&*self.cluster, &*endpoint.name, &**endpoint.label());
        match outcome {
            Ok(()) => tracing::info!(cluster, endpoint = name, address, "endpoint healthy"),
            Err(why) => tracing::warn!(cluster, endpoint = name, address, why, "endpoint unhealthy"),
        }
    }

    fn show(&self, up: Gauge, endpoint: &Endpoint) {
        self.shared.metrics.set(up, i64::from(endpoint.state().health().is_fit()));
    }

    /// One check.
    async fn ask(&self, endpoint: &Endpoint) -> Result<(), String> {
        match &endpoint.address {
            EndpointAddr::Inet(addr) => {
                let addr = SocketAddr::new(addr.ip(), self.config.port.unwrap_or(addr.port()));
                self.secure(endpoint, TcpStream::connect(addr).await.map_err(|error| error.to_string())?)
                    .await
            }
            EndpointAddr::Unix(path) => {
                self.secure(endpoint, UnixStream::connect(path).await.map_err(|error| error.to_string())?)
                    .await
            }
        }
    }

    /// As requests go: behind a header of the PROXY protocol, over TLS.
    async fn secure(
        &self,
        endpoint: &Endpoint,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<(), String> {
        // Another port is another server's, of which nothing is known (HAProxy's rule).
        if let Some(version) = self.plan.proxy_protocol.filter(|_| self.config.port.is_none()) {
            let header = if version == ProxyHeaderOut::V1 { LOCAL_V1 } else { LOCAL_V2 };
            stream.write_all(header).await.map_err(|error| error.to_string())?;
        }
        // Whoever is asked for TLS in another protocol's words does not begin with it.
        let tls = self.plan.tls.as_ref().filter(|_| self.plan.starttls.is_none());
        let Some(tls) = tls else {
            return self.talk(stream, ("http", self.version == HttpVersion::V2)).await;
        };
        let name = tls.name.as_ref().and_then(|name| name.as_text()).unwrap_or(&endpoint.name);
        let (mut config, server) = tls.client(name)?;
        let is_call = self.config.grpc.is_some();
        let offered: &[&[u8]] = match self.version {
            HttpVersion::V2 => &[H2],
            _ if is_call => &[H2],
            HttpVersion::Auto => &[H2, b"http/1.1"],
            _ => &[],
        };
        if !offered.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        }
        let secured = TlsConnector::from(config).connect(server, stream).await;
        let secured = secured.map_err(|error| format!("TLS with {name}: {error}"))?;
        let is_http2 = secured.get_ref().1.alpn_protocol() == Some(H2);
        if self.version == HttpVersion::V2 && !is_http2 && !is_call {
            return Err("it does not speak HTTP/2".to_owned());
        }
        self.talk(secured, ("https", is_http2)).await
    }

    async fn talk(
        &self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin,
        (scheme, is_http2): (&str, bool),
    ) -> Result<(), String> {
        let host = self.config.host.as_deref().unwrap_or(&self.cluster);
        if let Some(check) = &self.config.grpc {
            return call::check(stream, (scheme, host), check).await;
        }
        if self.config.path.is_empty() {
            return Ok(());
        }
        if is_http2 {
            let most = if self.rules.want_body() { BODY_BYTES_MAX } else { 0 };
            let bytes = call::get(stream, (scheme, host), (&self.config.path, most)).await?;
            return self.rules.judge(&bytes, true).unwrap_or_else(|| Err("no answer".to_owned()));
        }
        let mut request = String::new();
        let _ = write!(
            request,
            "GET {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bifrons-health-check\r\nConnection: close\r\n\r\n",
            self.config.path
        );
        stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        let max = HEAD_BYTES_MAX + if self.rules.want_body() { BODY_BYTES_MAX } else { 0 };
        let mut piece = vec![0; 16 * 1024];
        loop {
            if let Some(verdict) = self.rules.judge(&bytes, false) {
                return verdict;
            }
            let len = stream.read(&mut piece).await.map_err(|error| error.to_string())?;
            bytes.extend_from_slice(piece.get(..len).unwrap_or_default());
            if len == 0 || bytes.len() >= max {
                let whole = self.rules.judge(&bytes, true);
                return whole.unwrap_or_else(|| Err("no answer".to_owned()));
            }
        }
    }
}
