//! Which cluster a request goes to: the route's, or the one that a `url` with variables names.
//!
//! A host that is a cluster's name is that cluster. Any other is an endpoint made while serving: an address
//! as it stands, or a name that the control side resolves. Such endpoints are kept by each worker, so their
//! connections are too.

use crate::lookup::Found;
use crate::request::Task;
use crate::snapshot::ClusterPlan;
use crate::worker::{Local, Worker};
use bifrons_balance::{Address, Cluster, EndpointConfig, EndpointSet, SharedEndpoints};
use bifrons_config::Template;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::vars::Scope;
use bifrons_http::{ReqCx, Request, RequestHead};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// 1,024 endpoints made while serving are kept a worker; beyond that the one used longest ago goes.
const KEPT_MAX: usize = 1024;

/// Where a request goes.
#[derive(Clone)]
pub enum Destination<'a> {
    /// A cluster of the snapshot.
    Cluster(Target<'a>),
    /// An endpoint made while serving.
    Made(Rc<Own>),
}

/// An endpoint made while serving, as a cluster of its own.
pub struct Own {
    plan: Arc<ClusterPlan>,
    cluster: Cluster,
}

/// A cluster as a request uses it.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Its settings.
    pub plan: &'a ClusterPlan,
    /// The worker's view of its endpoints.
    pub cluster: &'a Cluster,
}

impl<'a> Destination<'a> {
    /// The cluster in that place of the snapshot.
    ///
    /// # Errors
    /// `Internal` for a place that it does not have.
    pub fn of(local: &'a Local, at: usize) -> Result<Self> {
        match (local.snapshot.clusters.get(at), local.clusters.get(at)) {
            (Some(plan), Some(cluster)) => Ok(Self::Cluster(Target { plan, cluster })),
            _ => Err(missing()),
        }
    }

    /// The cluster itself.
    pub fn target(&self) -> Target<'_> {
        match self {
            Self::Cluster(target) => *target,
            Self::Made(own) => Target { plan: &own.plan, cluster: &own.cluster },
        }
    }
}

/// Endpoints made while serving, by their settings and their host.
#[derive(Default)]
pub struct Made {
    targets: HashMap<(usize, Box<str>), Kept>,
    turns: u64,
}

struct Kept {
    own: Rc<Own>,
    /// What its settings were taken from.
    settings: Arc<ClusterPlan>,
    /// Until when its addresses are good; `None`: for ever.
    until: Option<Instant>,
    used: u64,
}

fn missing() -> Error {
    Error::local(Kind::Internal, "invariant: a plan's cluster is in its snapshot")
}

/// Where a route of layer 4 leads to by a text with variables: a cluster by its name, with the settings of the one
/// at `settings_at`, or an endpoint.
///
/// # Errors
/// `Internal` for a text that is no destination, `NoEndpoint` for a name that cannot be resolved.
pub async fn by_name<'a>(
    text: &Template,
    settings_at: usize,
    (worker, local): (&Worker, &'a Local),
    (cx, head): (&ReqCx, &RequestHead),
) -> Result<Destination<'a>> {
    let mut bytes = Vec::new();
    text.render(&Scope { cx, req: head, res: None }, &mut bytes);
    let wrong = |why: &str| {
        let text = String::from_utf8_lossy(&bytes);
        Error::local(Kind::Internal, format!("\"{text}\" leads nowhere: {why}"))
    };
    let host =
        std::str::from_utf8(&bytes).ok().filter(|host| !host.is_empty()).ok_or_else(|| wrong("no host"))?;
    if let Some(at) = local.snapshot.cluster_named(host) {
        let (settings, of) = match (local.snapshot.clusters.get(settings_at), local.snapshot.clusters.get(at))
        {
            (Some(settings), Some(of)) => (settings, of),
            _ => return Err(missing()),
        };
        return Ok(Destination::Made(worker.made.borrow_mut().named(
            (settings_at, host),
            settings,
            of,
            worker,
        )));
    }
    if !has_port(host) {
        return Err(wrong("it is no cluster, and has no port"));
    }
    made((worker, local), settings_at, host, cx.started.into_std()).await.map(Destination::Made)
}

/// Where a URL with variables leads to, `settings_at` being the cluster that gives the settings; a path in it
/// becomes the request's.
///
/// # Errors
/// `Internal` for a URL that makes no sense, `NoEndpoint` for a name that cannot be resolved.
pub async fn by_url<'a>(
    url: &Template,
    settings_at: usize,
    task: &mut Task<'a>,
    req: &mut Request,
) -> Result<Destination<'a>> {
    let text = render(url, &task.cx, &req.head);
    let (host, path) = parse(&text).map_err(|why| {
        let text = String::from_utf8_lossy(&text);
        Error::local(Kind::Internal, format!("\"{text}\" leads nowhere: {why}"))
    })?;
    if !path.is_empty() {
        // What is known of the request's own path stays: it is its `$uri`, and another route's, if one follows.
        let own = task.cx.path.take().unwrap_or_else(|| req.head.path().to_vec());
        task.cx.path = Some(own);
    }
    match path {
        [] => {}
        [b'?', ..] => req.head.set_target(&[b"/", path].concat()),
        _ => req.head.set_target(path),
    }
    task.cx.proxy_host = Some(shown(host).into());
    if let Some(at) = task.local.snapshot.cluster_named(host) {
        return Destination::of(task.local, at);
    }
    let worker = &task.conn.worker;
    made((worker, task.local), settings_at, host, task.cx.started.into_std()).await.map(Destination::Made)
}

/// The `$proxy_host` that such a URL makes; `None` where it makes no sense.
pub fn host_of(url: &Template, cx: &ReqCx, head: &RequestHead) -> Option<Box<str>> {
    let text = render(url, cx, head);
    parse(&text).ok().map(|(host, _)| shown(host).into())
}

fn shown(host: &str) -> &str {
    if host.starts_with("unix:") { "localhost" } else { host.strip_suffix(":80").unwrap_or(host) }
}

fn render(url: &Template, cx: &ReqCx, head: &RequestHead) -> Vec<u8> {
    let mut text = Vec::new();
    url.render(&Scope { cx, req: head, res: None }, &mut text);
    text
}

/// Host with port, and what comes behind.
fn parse(text: &[u8]) -> std::result::Result<(&str, &[u8]), &'static str> {
    let rest = match after(text, b"grpc://") {
        // What a variable stands for may have it, too.
        Some(rest) => after(rest, b"grpc://").unwrap_or(rest),
        None => after(text, b"http://").ok_or("it does not begin with http:// or grpc://")?,
    };
    let end = match rest.strip_prefix(b"unix:") {
        // The socket's path ends at a colon.
        Some(path) => path.iter().position(|&b| b == b':').map_or(rest.len(), |at| at + 5),
        None => rest.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(rest.len()),
    };
    let (host, path) = rest.split_at_checked(end).unwrap_or((rest, b""));
    let path = if host.starts_with(b"unix:") { path.strip_prefix(b":").unwrap_or(path) } else { path };
    match std::str::from_utf8(host) {
        Ok("") | Err(_) => Err("it has no host"),
        Ok(host) => Ok((host, path)),
    }
}

/// What follows a scheme, which may be in any case.
fn after<'a>(text: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The endpoint of that host, made where there is none yet or its addresses are too old.
async fn made(
    (worker, local): (&Worker, &Local),
    settings_at: usize,
    host: &str,
    now: Instant,
) -> Result<Rc<Own>> {
    let settings = local.snapshot.clusters.get(settings_at).ok_or_else(missing)?;
    let key = (settings_at, Box::from(host));
    if let Some(own) = worker.made.borrow_mut().get(&key, settings, now) {
        return Ok(own);
    }
    let with_port = if has_port(host) { host.to_owned() } else { format!("{host}:80") };
    let address: Address = with_port.parse().map_err(|_| {
        Error::local(Kind::Internal, format!("\"{host}\" is neither an address nor a host name"))
    })?;
    let found = match address.to_resolve() {
        None => None,
        Some((name, _)) => Some(worker.shared.lookups.ask(name, &settings.resolver).await?),
    };
    Ok(worker.made.borrow_mut().put(key, settings, (address, found), worker))
}

fn has_port(host: &str) -> bool {
    host.starts_with("unix:") || host.rsplit_once(']').map_or(host, |(_, rest)| rest).contains(':')
}

impl Made {
    fn get(&mut self, key: &(usize, Box<str>), settings: &Arc<ClusterPlan>, now: Instant) -> Option<Rc<Own>> {
        self.turns += 1;
        let kept = self.targets.get_mut(key)?;
        if !Arc::ptr_eq(&kept.settings, settings) || kept.until.is_some_and(|until| until <= now) {
            return None;
        }
        kept.used = self.turns;
        Some(kept.own.clone())
    }

    /// The endpoints and the policy of a cluster, talked to by another's settings.
    fn named(
        &mut self,
        (settings_at, name): (usize, &str),
        settings: &Arc<ClusterPlan>,
        of: &Arc<ClusterPlan>,
        worker: &Worker,
    ) -> Rc<Own> {
        // A slash is in no endpoint's name.
        let key = (settings_at, format!("cluster/{name}").into_boxed_str());
        if let Some(own) = self.get(&key, settings, Instant::now()) {
            return own;
        }
        let plan = Arc::new(ClusterPlan {
            name: of.name.clone(),
            shared: of.shared.clone(),
            balance: of.balance.clone(),
            queue: of.queue.clone(),
            busy_status: of.busy_status,
            stats: of.stats.clone(),
            ..(**settings).clone()
        });
        let cluster = Cluster::new(of.shared.clone(), of.balance.clone(), worker.index);
        let own = Rc::new(Own { plan, cluster });
        self.keep(key, Kept { own: own.clone(), settings: settings.clone(), until: None, used: self.turns });
        own
    }

    /// Keeps an endpoint; one of the same host keeps what was counted of it, and so its connections.
    fn put(
        &mut self,
        key: (usize, Box<str>),
        settings: &Arc<ClusterPlan>,
        (address, found): (Address, Option<Found>),
        worker: &Worker,
    ) -> Rc<Own> {
        let addrs: Vec<SocketAddr> =
            found.iter().flat_map(|found| found.addrs.iter()).map(|ip| SocketAddr::new(*ip, 0)).collect();
        let specs = EndpointConfig::new(address).specs(&addrs);
        let shared = match self.targets.get(&key) {
            Some(old) => {
                old.own.plan.shared.update(specs);
                old.own.plan.shared.clone()
            }
            None => Arc::new(SharedEndpoints::new(EndpointSet::new(specs))),
        };
        let plan = Arc::new(ClusterPlan { shared: shared.clone(), ..(**settings).clone() });
        let cluster = Cluster::new(shared, plan.balance.clone(), worker.index);
        let own = Rc::new(Own { plan, cluster });
        let until = found.map(|found| found.until);
        self.keep(key, Kept { own: own.clone(), settings: settings.clone(), until, used: self.turns });
        own
    }

    fn keep(&mut self, key: (usize, Box<str>), kept: Kept) {
        if self.targets.len() >= KEPT_MAX && !self.targets.contains_key(&key) {
            self.forget_oldest();
        }
        self.targets.insert(key, kept);
    }

    fn forget_oldest(&mut self) {
        if let Some(key) = self.targets.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone()) {
            self.targets.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
