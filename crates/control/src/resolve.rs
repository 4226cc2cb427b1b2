//! Clusters whose endpoints are names: resolved at the start and again by their TTL.
//!
//! Each of a name's addresses is an endpoint. IPv4 addresses are taken where there are any, else IPv6; of
//! name servers of one's own both, unless one kind is switched off.
//! `/etc/hosts` and `/etc/resolv.conf` are read at the start and at every reload. A name that cannot be
//! resolved any more keeps its addresses.

use bifrons_balance::{EndpointAddr, EndpointConfig, EndpointSet, EndpointSpec, SharedEndpoints};
use bifrons_flow::Snapshot;
use bifrons_model::{NameServers, Resolver};
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long the start waits for names; those that take longer follow while the proxy serves.
pub const START_LIMIT: Duration = Duration::from_secs(3);
/// 30 s: how long a name may take where nothing is said.
const SYSTEM_LIMIT: Duration = Duration::from_secs(30);
/// 1 s: a TTL of 0 means "do not cache", not "ask all the time".
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// 30 s: the longest pause between tries to resolve a name that fails.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A name that keeps failing is a line a minute in the log.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// The names of a snapshot, being resolved for as long as this lives.
#[derive(Debug, Default)]
pub struct Names {
    tasks: JoinSet<()>,
}

/// One name of one cluster.
#[derive(Clone, Debug)]
struct Job {
    cluster: Arc<str>,
    /// The whole cluster's, for the order of its endpoints.
    endpoints: Arc<[EndpointConfig]>,
    shared: Arc<SharedEndpoints>,
    host: Box<str>,
    /// `host:port`, as endpoints of it are named.
    name: Box<str>,
    interval_max: Duration,
    resolver: Arc<Resolver>,
}

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) addrs: Vec<IpAddr>,
    pub(crate) valid_until: Instant,
}

impl Names {
    /// Resolves the names of the snapshot's clusters that have no addresses yet, for at most `limit`, and
    /// goes on with all of them in the background. Costs nothing where all endpoints are addresses.
    pub async fn start(snapshot: &Snapshot, limit: Duration) -> Self {
        let jobs = jobs(snapshot);
        let mut names = Self::default();
        if jobs.is_empty() {
            return names;
        }
        let mut resolvers = HashMap::new();
        let mut first = JoinSet::new();
        for job in jobs {
            let made = resolvers.entry(job.resolver.clone()).or_insert_with(|| resolver(&job.resolver));
            let resolver = match made {
                Ok(resolver) => resolver.clone(),
                Err(error) => {
                    tracing::error!(cluster = &*job.cluster, error, "names of endpoints cannot be resolved");
                    continue;
                }
            };
            let known = is_known(&job.shared.load(), &job.name);
            let (started, begun) = tokio::sync::oneshot::channel();
            names.tasks.spawn(watch(job, resolver, started));
            if !known {
                first.spawn(begun);
            }
        }
        // What is not done by then goes on in its own task.
        let _ = tokio::time::timeout(limit, first.join_all()).await;
        names
    }
}

/// The names in a snapshot's clusters, each once a cluster.
fn jobs(snapshot: &Snapshot) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    for plan in &snapshot.clusters {
        let Some(cluster) = snapshot.config.clusters.get(&*plan.name) else { continue };
        if cluster.endpoints.iter().all(|endpoint| endpoint.address.to_resolve().is_none()) {
            continue;
        }
        let endpoints: Arc<[EndpointConfig]> =
            cluster.endpoints.iter().map(|endpoint| endpoint.value.clone()).collect();
        let first = jobs.len();
        for endpoint in &*endpoints {
            let Some((host, _)) = endpoint.address.to_resolve() else { continue };
            let name: Box<str> = endpoint.address.to_string().into();
            if jobs.iter().skip(first).any(|job| job.name == name) {
                continue;
            }
            jobs.push(Job {
                cluster: plan.name.clone(),
                endpoints: endpoints.clone(),
                shared: plan.shared.clone(),
                host: host.into(),
                name,
                interval_max: cluster.resolve_interval.0.max(INTERVAL_MIN),
                resolver: plan.resolver.clone(),
            });
        }
    }
    jobs
}

/// What asks the name servers that the configuration says.
pub(crate) fn resolver(config: &Resolver) -> Result<TokioResolver, String> {
    let mut builder = match config {
        Resolver::System | Resolver::None => system(),
        Resolver::Servers(servers) => own(servers)?,
    };
    let options = builder.options_mut();
    options.ip_strategy = match config {
        Resolver::Servers(NameServers { ipv4: true, ipv6: true, .. }) => LookupIpStrategy::Ipv4AndIpv6,
        Resolver::Servers(NameServers { ipv4: false, .. }) => LookupIpStrategy::Ipv6Only,
        Resolver::Servers(_) => LookupIpStrategy::Ipv4Only,
        _ => LookupIpStrategy::Ipv4thenIpv6,
    };
    // We ask when the TTL is over or our own interval is, whichever comes first.
    options.cache_size = 0;
    builder.build().map_err(|error| error.to_string())
}

/// As the machine does it.
fn system() -> ResolverBuilder<TokioRuntimeProvider> {
    TokioResolver::builder_tokio().unwrap_or_else(|error| {
        tracing::warn!(%error, "no name servers: only /etc/hosts names are known");
        let none = ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        TokioResolver::builder_with_config(none, TokioRuntimeProvider::default())
    })
}

/// Name servers of one's own, and nothing else: no `/etc/hosts`, no search list.
fn own(config: &NameServers) -> Result<ResolverBuilder<TokioRuntimeProvider>, String> {
    let mut servers = Vec::new();
    for text in &config.servers {
        for addr in server_addrs(text)? {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = addr.port());
            servers.push(NameServerConfig::new(addr.ip(), true, connections));
        }
    }
    let parts = ResolverConfig::from_parts(None, Vec::new(), servers);
    let mut builder = TokioResolver::builder_with_config(parts, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.use_hosts_file = ResolveHosts::Never;
    // A lost question is asked again before the whole time is over.
    options.timeout = (config.timeout.0 / 3).clamp(Duration::from_millis(100), Duration::from_secs(5));
    options.attempts = 3;
    Ok(builder)
}

/// The addresses of a name server: one that is written, or those of a name.
fn server_addrs(text: &str) -> Result<Vec<SocketAddr>, String> {
    const PORT: u16 = 53;
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return Ok(vec![addr]);
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, PORT)]);
    }
    let with_port = if text.contains(':') { text.to_owned() } else { format!("{text}:{PORT}") };
    // Once, when a configuration is put to work, and on the control side.
    let addrs = std::net::ToSocketAddrs::to_socket_addrs(&with_port)
        .map_err(|error| format!("name server \"{text}\": {error}"))?;
    Ok(addrs.collect())
}

/// Resolves one name for good. `done` is dropped after the first try.
async fn watch(job: Job, resolver: TokioResolver, done: tokio::sync::oneshot::Sender<()>) {
    let mut done = Some(done);
    let mut failures = Failures::default();
    loop {
        let pause = match lookup(&resolver, &job.resolver, &job.host).await {
            Ok(answer) => {
                failures.end(&job);
                take(&job, &answer);
                pause(Instant::now(), answer.valid_until, job.interval_max)
            }
            Err(error) => failures.add(&job, &error, Instant::now()),
        };
        drop(done.take());
        tokio::time::sleep(pause).await;
    }
}

/// Asks for a name's addresses.
pub(crate) async fn lookup(
    resolver: &TokioResolver,
    config: &Resolver,
    host: &str,
) -> Result<Answer, String> {
    let servers = match config {
        Resolver::None => return Err("no resolver defined".into()),
        Resolver::System => None,
        Resolver::Servers(servers) => Some(servers),
    };
    let limit = servers.map_or(SYSTEM_LIMIT, |servers| servers.timeout.0);
    // As every program does it: `ndots` and the search list of resolv.conf apply (Kubernetes' short names).
    let found = tokio::time::timeout(limit, resolver.lookup_ip(host)).await;
    let found = found.map_err(|_| "timed out".to_owned())?.map_err(|error| error.to_string())?;
    let addrs: Vec<IpAddr> = found.iter().collect();
    if addrs.is_empty() {
        return Err("the name has no addresses".into());
    }
    let valid = servers.and_then(|servers| servers.valid);
    Ok(Answer { addrs, valid_until: valid.map_or(found.valid_until(), |valid| Instant::now() + valid.0) })
}

/// Puts the addresses to use.
fn take(job: &Job, answer: &Answer) {
    let changed = job.shared.update_with(|present| merged(&job.endpoints, present, &job.name, &answer.addrs));
    if changed {
        tracing::info!(cluster = &*job.cluster, name = &*job.name, addresses = ?answer.addrs, "name resolved");
    }
}

/// The endpoints of a cluster of which `name` now has these addresses and all other names those of `present`.
fn merged(
    endpoints: &[EndpointConfig],
    present: &EndpointSet,
    name: &str,
    addrs: &[IpAddr],
) -> Vec<EndpointSpec> {
    // `specs` puts the port in.
    let fresh: Vec<SocketAddr> = addrs.iter().map(|&ip| SocketAddr::new(ip, 0)).collect();
    let specs = |endpoint: &EndpointConfig| {
        let own = endpoint.address.to_string();
        if own == name { endpoint.specs(&fresh) } else { endpoint.specs(&known(present, &own)) }
    };
    endpoints.iter().flat_map(specs).collect()
}

/// The addresses that a name has in a set.
fn known(set: &EndpointSet, name: &str) -> Vec<SocketAddr> {
    let inet = |spec: &EndpointSpec| match spec.address {
        EndpointAddr::Inet(addr) => Some(addr),
        EndpointAddr::Unix(_) => None,
    };
    set.specs().filter(|spec| &*spec.name == name).filter_map(inet).collect()
}

fn is_known(set: &EndpointSet, name: &str) -> bool {
    set.specs().any(|spec| &*spec.name == name)
}

/// How long an answer is good for.
fn pause(now: Instant, valid_until: Instant, interval_max: Duration) -> Duration {
    valid_until.saturating_duration_since(now).clamp(INTERVAL_MIN, interval_max.max(INTERVAL_MIN))
}

/// Failures of one name in a row.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    logged: Option<Instant>,
}

impl Failures {
    /// Notes one, and says how long to wait before the next try: 1, 2, 4, … seconds.
    fn add(&mut self, job: &Job, error: &str, now: Instant) -> Duration {
        if self.logged.is_none_or(|logged| now.saturating_duration_since(logged) >= LOG_INTERVAL) {
            self.logged = Some(now);
            let kept = known(&job.shared.load(), &job.name).len();
            tracing::warn!(
                cluster = &*job.cluster,
                name = &*job.name,
                error,
                addresses_kept = kept,
                "name not resolved"
            );
        }
        let pause = INTERVAL_MIN.saturating_mul(1 << self.count.min(10));
        self.count += 1;
        pause.min(RETRY_MAX).min(job.interval_max)
    }

    fn end(&mut self, job: &Job) {
        if self.count > 0 {
            tracing::info!(
                cluster = &*job.cluster,
                name = &*job.name,
                failures = self.count,
                "name resolves again"
            );
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests;
