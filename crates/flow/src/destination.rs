//! Which cluster a request goes to: the route's, or the one that a `url` with variables names.
//!
//! A host that is a cluster's name is that cluster. Any other is an endpoint made while serving: an address
//! as it stands, or a name that the control side resolves. Such endpoints are kept by each worker, so their
//! connections are too.

use crate::lookup::Found;
use crate::request::Task;
use crate::snapshot::{ClusterPlan, ProxyPlan};
use crate::worker::{Local, Worker};
use bifrons_balance::{Address, Cluster, EndpointConfig, EndpointSet, SharedEndpoints};
use bifrons_config::Template;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::vars::Scope;
use bifrons_http::{Request, RequestHead};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// 1,024 endpoints made while serving are kept a worker; beyond that the one used longest ago goes.
const KEPT_MAX: usize = 1024;

/// A cluster as a request uses it.
#[derive(Clone)]
pub struct Target {
    /// Its settings.
    pub plan: Arc<ClusterPlan>,
    /// The worker's view of its endpoints.
    pub cluster: Rc<Cluster>,
}

/// Endpoints made while serving, by their settings and their host.
#[derive(Default)]
pub struct Made {
    targets: HashMap<(usize, Box<str>), Kept>,
    turns: u64,
}

struct Kept {
    target: Target,
    /// What its settings were taken from.
    settings: Arc<ClusterPlan>,
    /// Until when its addresses are good; `None`: for ever.
    until: Option<Instant>,
    used: u64,
}

/// The cluster that the request goes to; a path in the route's `url` becomes the request's.
///
/// # Errors
/// `Internal` for a URL that makes no sense, `NoEndpoint` for a name that cannot be resolved.
pub async fn find(plan: &ProxyPlan, task: &mut Task<'_>, req: &mut Request) -> Result<Target> {
    match &plan.url {
        None => of_snapshot(task.local, plan.cluster),
        // Boxed, as it is rare and may wait.
        Some(url) => Box::pin(by_url(url, plan, task, req)).await,
    }
}

fn of_snapshot(local: &Local, at: usize) -> Result<Target> {
    let missing = || Error::local(Kind::Internal, "invariant: a plan's cluster is in its snapshot");
    let plan = local.snapshot.clusters.get(at).cloned().ok_or_else(missing)?;
    let cluster = local.clusters.get(at).cloned().ok_or_else(missing)?;
    Ok(Target { plan, cluster })
}

async fn by_url(url: &Template, plan: &ProxyPlan, task: &mut Task<'_>, req: &mut Request) -> Result<Target> {
    let text = render(url, task, &req.head);
    let (host, path) = parse(&text).map_err(|why| {
        let text = String::from_utf8_lossy(&text);
        Error::local(Kind::Internal, format!("\"{text}\" leads nowhere: {why}"))
    })?;
    match path {
        [] => {}
        [b'?', ..] => req.head.set_target(&[b"/", path].concat()),
        _ => req.head.set_target(path),
    }
    if !path.is_empty() {
        task.cx.path = None;
    }
    let shown =
        if host.starts_with("unix:") { "localhost" } else { host.strip_suffix(":80").unwrap_or(host) };
    task.cx.proxy_host = Some(shown.into());
    if let Some(at) = task.local.snapshot.cluster_named(host) {
        return of_snapshot(task.local, at);
    }
    made(task, plan.cluster, host).await
}

fn render(url: &Template, task: &Task<'_>, head: &RequestHead) -> Vec<u8> {
    let mut text = Vec::new();
    task.cx.conn.local.get_or_init(|| task.conn.http.stream().local_addr());
    url.render(&Scope { cx: &task.cx, req: head, res: None }, &mut text);
    text
}

/// Host with port, and what comes behind.
fn parse(text: &[u8]) -> std::result::Result<(&str, &[u8]), &'static str> {
    let scheme = text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http://"));
    let rest = text.get(7..).filter(|_| scheme).ok_or("it does not begin with http://")?;
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

/// The endpoint of that host, made where there is none yet or its addresses are too old.
async fn made(task: &Task<'_>, settings_at: usize, host: &str) -> Result<Target> {
    let settings = of_snapshot(task.local, settings_at)?.plan;
    let worker = &task.conn.worker;
    let now = task.cx.started.into_std();
    let key = (settings_at, Box::from(host));
    if let Some(target) = worker.made.borrow_mut().get(&key, &settings, now) {
        return Ok(target);
    }
    let with_port = if has_port(host) { host.to_owned() } else { format!("{host}:80") };
    let address: Address = with_port.parse().map_err(|_| {
        Error::local(Kind::Internal, format!("\"{host}\" is neither an address nor a host name"))
    })?;
    let found = match address.to_resolve() {
        None => None,
        Some((name, _)) => Some(worker.shared.lookups.ask(name, &settings.resolver).await?),
    };
    Ok(worker.made.borrow_mut().put(key, &settings, (address, found), worker))
}

fn has_port(host: &str) -> bool {
    host.starts_with("unix:") || host.rsplit_once(']').map_or(host, |(_, rest)| rest).contains(':')
}

impl Made {
    fn get(&mut self, key: &(usize, Box<str>), settings: &Arc<ClusterPlan>, now: Instant) -> Option<Target> {
        self.turns += 1;
        let kept = self.targets.get_mut(key)?;
        if !Arc::ptr_eq(&kept.settings, settings) || kept.until.is_some_and(|until| until <= now) {
            return None;
        }
        kept.used = self.turns;
        Some(kept.target.clone())
    }

    /// Keeps an endpoint; one of the same host keeps what was counted of it, and so its connections.
    fn put(
        &mut self,
        key: (usize, Box<str>),
        settings: &Arc<ClusterPlan>,
        (address, found): (Address, Option<Found>),
        worker: &Worker,
    ) -> Target {
        let addrs: Vec<SocketAddr> =
            found.iter().flat_map(|found| found.addrs.iter()).map(|ip| SocketAddr::new(*ip, 0)).collect();
        let specs = EndpointConfig::new(address).specs(&addrs);
        let shared = match self.targets.get(&key) {
            Some(old) => {
                old.target.plan.shared.update(specs);
                old.target.plan.shared.clone()
            }
            None => Arc::new(SharedEndpoints::new(EndpointSet::new(specs))),
        };
        let plan = Arc::new(ClusterPlan { shared: shared.clone(), ..(**settings).clone() });
        let cluster = Rc::new(Cluster::new(shared, plan.balance.clone(), worker.index));
        let target = Target { plan, cluster };
        if self.targets.len() >= KEPT_MAX && !self.targets.contains_key(&key) {
            self.forget_oldest();
        }
        let until = found.map(|found| found.until);
        let kept = Kept { target: target.clone(), settings: settings.clone(), until, used: self.turns };
        self.targets.insert(key, kept);
        target
    }

    fn forget_oldest(&mut self) {
        if let Some(key) = self.targets.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| key.clone()) {
            self.targets.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
