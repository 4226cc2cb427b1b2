//! Requests that take stored answers away, and those of which other nodes have told.

use super::{key_of, know_cluster, know_cluster_of};
use crate::outcome::Outcome;
use crate::request::Task;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use bifrons_cache::key::scheme_of;
use bifrons_cache::purge::{NoPath, PurgePlan, prefix_of};
use bifrons_cache::slice::slice_at;
use bifrons_cache::{CachePlan, CacheZone};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::cx::ConnFacts;
use bifrons_http::tls_facts::TlsFacts;
use bifrons_http::vars::{Computed, Scope, host_of};
use bifrons_http::{Name, ReqCx, RequestHead, Response};
use bifrons_store::{KeyInputs, Mode, Purge, PurgeError, Scope as What, ZonesError};
use std::cell::{Cell, OnceCell};
use std::rc::{Rc, Weak};
use tokio::time::Instant;

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
    let zones = &task.conn.worker.shared.zones;
    let told = |what| Purge { zone: Some(zone.name.to_string()), what, mode: purge.mode };
    let status = match prefix_of(&key_of(plan, &scope, req.target(), None)) {
        Some(Ok(path)) => {
            zones.purge(&told(What::Prefix(path))).map_err(|why| full(&why))?;
            204
        }
        Some(Err(NoPath)) => 404,
        None => {
            let count = take(plan, zone, &scope, purge.mode).map_err(|why| full(&why))?;
            zones.tell(&told(What::Request(Box::new(inputs(&scope)))));
            if count > 0 { 204 } else { 404 }
        }
    };
    zone.store.flush().await;
    Ok(Outcome::Own(Response::empty(status)))
}

fn full(why: &dyn std::fmt::Display) -> Error {
    Error::local(Kind::Busy, format!("purging: {why}"))
}

/// Takes away what is under a request's key, slices too. Says how many answers there were, as far as that is known.
fn take(
    plan: &CachePlan,
    zone: &CacheZone,
    scope: &Scope<'_>,
    mode: Mode,
) -> std::result::Result<usize, PurgeError> {
    let (store, target) = (&zone.store, scope.req.target());
    let mut count = store.purge_key(&store.key(&key_of(plan, scope, target, None)), mode);
    if let Some(size) = plan.slice {
        let first = key_of(plan, scope, target, Some(&slice_at(0, size)));
        count += store.purge_key(&store.key(&first), mode);
        // How many slices there are nobody knows.
        let host = String::from_utf8_lossy(host_of(scope.req.authority())).into_owned();
        let what = What::Url(host + &String::from_utf8_lossy(target));
        store.purge(&Purge { zone: None, what, mode })?;
    }
    Ok(count)
}

/// What another node makes its own keys of. Credentials are part of none.
fn inputs(scope: &Scope<'_>) -> KeyInputs {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let is_told = |id: Name| match id {
        Name::Authorization | Name::ProxyAuthorization | Name::Host => false,
        Name::XForwardedHost | Name::XForwardedProto => scope.cx.is_trusted,
        id => !id.is_hop_by_hop(),
    };
    let fields = scope.req.headers.iter().filter(|(id, ..)| is_told(*id));
    KeyInputs {
        scheme: scheme_of(scope).to_owned(),
        host: text(scope.req.authority()),
        target: text(scope.req.target()),
        path: scope.cx.path.as_deref().map(text),
        fields: fields.map(|(_, name, value)| (text(name), text(value))).collect(),
    }
}

/// Takes away what is stored here under the keys that our routes make of a request to another node: those of another
/// template have other keys than that node's. Says how many zones it concerned.
///
/// # Errors
/// When too many purges wait.
pub(crate) fn purge_told(
    shared: &Shared,
    purge: &Purge,
    inputs: &KeyInputs,
) -> std::result::Result<usize, ZonesError> {
    let Some(snapshot) = shared.snapshot() else { return Ok(0) };
    let mut head = RequestHead::new("PURGE", inputs.target.as_bytes(), inputs.host.as_bytes());
    for (name, value) in &inputs.fields {
        head.headers.append(name.as_str(), value.as_bytes());
    }
    let mut zones: Vec<&str> = Vec::new();
    for route in &snapshot.cached {
        let Some((plan, zone)) = route.cache.as_ref().and_then(|plan| Some((plan, plan.zone.as_ref()?)))
        else {
            continue;
        };
        if purge.zone.as_deref().is_some_and(|name| name != &*zone.name) {
            continue;
        }
        let mut cx = context(&snapshot, inputs);
        know_cluster_of(route, &snapshot, (&mut cx, &head));
        take(plan, zone, &Scope { cx: &cx, req: &head, res: None }, purge.mode)?;
        if !zones.contains(&&*zone.name) {
            zones.push(&zone.name);
        }
    }
    Ok(zones.len())
}

/// What is known of a request that came to another node.
fn context(snapshot: &Snapshot, inputs: &KeyInputs) -> ReqCx {
    let now = Instant::now();
    let is_encrypted = inputs.scheme == "https";
    let facts = ConnFacts {
        listener: "".into(),
        peer: None,
        peer_text: "".into(),
        local: OnceCell::from(None),
        socket: Weak::new(),
        told: None,
        layer4: None,
        tls: is_encrypted.then(|| Box::new(encrypted())),
        serial: 0,
        accepted: now,
        requests: Cell::new(1),
    };
    let mut cx = ReqCx::new(Rc::new(facts), now);
    cx.is_trusted = true;
    cx.path = inputs.path.as_ref().map(|path| path.clone().into_bytes());
    cx.computed = snapshot.variables.clone().map(|set| Rc::new(set) as Rc<dyn Computed>);
    cx
}

/// No more than that it was.
fn encrypted() -> TlsFacts {
    TlsFacts {
        protocol: "",
        cipher: "",
        curve: "".into(),
        server_name: None,
        alpn: None,
        is_resumed: false,
        suites: Box::default(),
        groups: Box::default(),
        suite_name: |_| None,
        group_name: |_| String::new(),
        verify: "NONE".into(),
        client: None,
    }
}
