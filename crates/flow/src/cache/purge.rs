//! Requests that take stored answers away.

use super::{key_of, know_cluster};
use crate::outcome::Outcome;
use crate::request::Task;
use bifrons_cache::purge::{NoPath, PurgePlan, prefix_of};
use bifrons_cache::slice::slice_at;
use bifrons_cache::{CachePlan, CacheZone};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::vars::{Scope, host_of};
use bifrons_http::{RequestHead, Response};
use bifrons_store::{Purge, Scope as What, ZonesError};

/// Takes away what is stored under the request's key, or what a key with `*` at its end means: 204, or 404 where there
/// was nothing. Other nodes hear of it too. Answers once it would survive a fall of the machine.
pub(super) async fn answer(
    plan: &CachePlan,
    (zone, purge): (&CacheZone, &PurgePlan),
    task: &mut Task<'_>,
    req: &RequestHead,
) -> Result<Outcome> {
    know_cluster(task, req);
    let scope = Scope { cx: &task.cx, req, res: None };
    let first = plan.slice.map(|size| slice_at(0, size));
    let key = key_of(plan, &scope, req.target(), None);
    let zones = &task.conn.worker.shared.zones;
    let of_zone = |what| Purge { zone: Some(zone.name.to_string()), what, mode: purge.mode };
    let status = match prefix_of(&key) {
        Some(Ok(path)) => {
            zones.purge(&of_zone(What::Prefix(path))).map_err(full)?;
            204
        }
        Some(Err(NoPath)) => 404,
        None => {
            let sliced = first.as_ref().map(|first| key_of(plan, &scope, req.target(), Some(first)));
            let keys = [Some(key), sliced];
            let count = |key: &Vec<u8>| zone.store.purge_key(&zone.store.key(key), purge.mode);
            let purged: usize = keys.iter().flatten().map(count).sum();
            let host = String::from_utf8_lossy(host_of(req.authority())).into_owned();
            let of_url = of_zone(What::Url(host + &String::from_utf8_lossy(req.target())));
            match first {
                // How many slices there are nobody knows.
                Some(_) => _ = zones.purge(&of_url).map_err(full)?,
                None => zones.tell(&of_url),
            }
            if purged > 0 { 204 } else { 404 }
        }
    };
    zone.store.flush().await;
    Ok(Outcome::Own(Response::empty(status)))
}

fn full(why: ZonesError) -> Error {
    Error::local(Kind::Busy, format!("purging: {why}"))
}
