//! Zones of stored answers, and the routes that use them.

use super::Cx;
use bifrons_cache::{CachePlan, CacheZone};
use bifrons_config::suggest::nearest;
use bifrons_model::Route;
use bifrons_observe::metrics::CacheStats;
use bifrons_store::ZoneConfig;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// 1 s: what a start waits for a zone's index. One that takes longer, or that another process holds, takes part
/// later.
const READY_WAIT: Duration = Duration::from_secs(1);

/// Opens the zones, or takes over those of an earlier snapshot.
pub(super) fn zones(cx: &mut Cx<'_>) {
    for (name, config) in &cx.config.caches {
        let mut zone = None;
        if !cx.options.dry_run {
            match open(cx, name, &config.value) {
                Ok(opened) => zone = Some(opened),
                Err(err) => {
                    let path = config.value.path.as_deref().unwrap_or_default();
                    cx.problem(&config.place, format!("cache \"{name}\": \"{path}\": {err}"), None);
                }
            }
        }
        cx.caches.insert(name, zone);
    }
}

fn open(cx: &Cx<'_>, name: &str, config: &ZoneConfig) -> io::Result<Arc<CacheZone>> {
    let mut config = config.clone();
    if let Some(path) = &mut config.path {
        *path = cx.options.base.join(&*path).to_string_lossy().into_owned();
    }
    let mut caches = cx.shared.caches.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(zone) = caches.get(name)
        && zone.path == config.path
    {
        zone.store.reconfigure(&config);
        return Ok(zone.clone());
    }
    let stats = CacheStats::register(&cx.shared.metrics, name);
    let store = cx.shared.zones.open(name, &config)?;
    store.wait_ready(READY_WAIT);
    let zone = Arc::new(CacheZone { path: config.path, stats, store, flights: Arc::default() });
    caches.insert(name.to_owned(), zone.clone());
    Ok(zone)
}

/// A route's cache.
pub(super) fn plan(cx: &mut Cx<'_>, route: &Route) -> Option<Box<CachePlan>> {
    let cache = route.cache.as_ref()?;
    let name = &cache.value.zone;
    let place = name.place.clone().or_else(|| cache.place.clone());
    if route.proxy.is_none() {
        let help = Some("give the route a `proxy`, or leave `cache` out".to_owned());
        cx.problem(&cache.place, "only answers of a cluster are stored", help);
        return None;
    }
    let Some(zone) = cx.caches.get(name.value.as_str()).cloned() else {
        let known: Vec<&str> = cx.caches.keys().copied().collect();
        let help = nearest(&name.value, known)
            .map(|near| format!("did you mean \"{near}\"?"))
            .or_else(|| Some("define it under `caches:`".to_owned()));
        cx.problem(&place, format!("unknown cache \"{}\"", name.value), help);
        return None;
    };
    match CachePlan::build(&cache.value, zone) {
        Ok(plan) => Some(Box::new(plan)),
        Err(message) => {
            cx.problem_text(&cache.place, &message);
            None
        }
    }
}
