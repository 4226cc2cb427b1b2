//! Zones of stored answers, and the routes that use them.

use super::Cx;
use bifrons_cache::zones::place_of;
use bifrons_cache::{CachePlan, PlannedZone};
use bifrons_config::suggest::nearest;
use bifrons_model::Route;
use std::collections::HashMap;

/// Finds the zones among those that run, or opens them; what runs stays as it is. What became of them is taken into
/// force with the snapshot.
pub(super) fn zones(cx: &mut Cx<'_>) -> Vec<PlannedZone> {
    let (mut planned, mut places) = (Vec::new(), HashMap::new());
    for (name, zone) in &cx.config.caches {
        let mut config = zone.value.clone();
        if let Some(path) = &mut config.path {
            let full = cx.options.base.join(&*path);
            *path = full.to_string_lossy().into_owned();
            if let Some(other) = places.insert(place_of(full), name) {
                let help = Some("give each a directory of its own".to_owned());
                let message = format!("cache \"{name}\": \"{path}\" is the directory of \"{other}\" already");
                cx.problem(&zone.place, message, help);
                cx.caches.insert(name, None);
                continue;
            }
        }
        let mut found = None;
        if !cx.options.dry_run {
            match cx.shared.caches.plan(&cx.shared.metrics, name, &config) {
                Ok(zone) => {
                    found = Some(zone.zone().clone());
                    planned.push(zone);
                }
                Err(err) => {
                    let path = zone.value.path.as_deref().unwrap_or_default();
                    cx.problem(&zone.place, format!("cache \"{name}\": \"{path}\": {err}"), None);
                }
            }
        }
        cx.caches.insert(name, found);
    }
    planned
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
