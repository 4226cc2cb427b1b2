//! `/clusters`: the endpoints as they stand.

use bifrons_balance::Endpoint;
use bifrons_flow::Snapshot;
use serde::Serialize;

/// A cluster.
#[derive(Debug, Serialize)]
pub(super) struct Cluster<'a> {
    name: &'a str,
    /// How its endpoints are balanced.
    balance: serde_json::Value,
    endpoints: Vec<Row>,
}

/// An endpoint.
#[derive(Debug, Serialize)]
struct Row {
    /// As configured.
    name: String,
    address: String,
    /// `up`, `draining`, `unhealthy` (by active checks), `ejected` (out by its failures) or `down` (by
    /// configuration).
    state: &'static str,
    /// How long it is out; 0 where a try is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    ejected_ms: Option<u64>,
    backup: bool,
    weight: u32,
    /// 0: no limit.
    max_conns: u32,
    /// Requests under way.
    active: u32,
    requests: u64,
    failures: u64,
    ejections: u64,
    /// Active checks so far.
    checks: u64,
}

/// All clusters, in the order of the configuration.
pub(super) fn describe(snapshot: &Snapshot, now_ms: u64) -> Vec<Cluster<'_>> {
    let describe = |plan: &'_ std::sync::Arc<bifrons_flow::snapshot::ClusterPlan>| {
        let set = plan.shared.load();
        set.endpoints().iter().map(|endpoint| row(endpoint, now_ms)).collect()
    };
    snapshot
        .clusters
        .iter()
        .map(|plan| Cluster {
            name: &plan.name,
            balance: serde_json::to_value(&*plan.balance).unwrap_or_default(),
            endpoints: describe(plan),
        })
        .collect()
}

fn row(endpoint: &Endpoint, now_ms: u64) -> Row {
    let (spec, state) = (endpoint.spec(), endpoint.state());
    let ejected_until = state.health().ejected_until_ms(spec.health_rule());
    Row {
        name: spec.name.to_string(),
        address: spec.address.to_string(),
        state: match ejected_until {
            _ if spec.down => "down",
            _ if !state.health().is_fit() => "unhealthy",
            Some(_) => "ejected",
            None if spec.drain => "draining",
            None => "up",
        },
        ejected_ms: ejected_until.filter(|_| !spec.down).map(|until| until.saturating_sub(now_ms)),
        backup: spec.backup,
        weight: spec.weight,
        max_conns: spec.max_conns,
        active: state.active(),
        requests: state.requests(),
        failures: state.failures(),
        ejections: state.health().ejections(),
        checks: state.health().checks(),
    }
}
