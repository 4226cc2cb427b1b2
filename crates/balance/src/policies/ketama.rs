//! `ketama`: requests of the same key go to the same endpoint by nginx's `hash … consistent`, and few keys
//! move when the list changes.
//!
//! As ngx_http_upstream_hash_module.c, which is compatible with Cache::Memcached::Fast: each server has 160
//! points per unit of weight on a circle of 32 bits; the first is the CRC-32 of host, a zero byte, the port
//! and four zero bytes, each further one takes the point before it in place of these. A key is at the first
//! point that is not below its own CRC-32. Servers are known by the name in the configuration, so a name
//! with several addresses has one set of points, and its addresses take turns.
//!
//! For a ring of our own with bounded loads see `hash`.

use crate::crc::Crc;
use crate::policies::round_robin;
use crate::policy::{BuildCx, PickCx, Policy, Spec};
use crate::set::Group;
use bifrons_config::Template;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::HashMap;

/// Requests of the same key go to the same endpoint; a change of the list moves few keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ketama")]
pub struct Config {
    /// What is hashed, with variables: `$request_uri`, `$remote_addr`, `$cookie_session`.
    pub key: Template,
}

impl Spec for Config {
    const NAME: &'static str = "ketama";
    const DOC: &'static str = "Requests of the same key go to the same endpoint on a consistent-hash ring, to the \
        very one that nginx's `hash … consistent` sends them to: for moving from nginx without emptying caches. \
        `hash` has the better ring otherwise.";
    const EXAMPLE: &'static str = "{ ketama: { key: $request_uri } }";
    const PLAIN: bool = false;

    fn build(&self, group: &Group<'_>, cx: &BuildCx) -> Box<dyn Policy> {
        let turn = round_robin::Config {}.build(group, cx);
        Box::new(Ketama { turn, next: Cell::new(cx.worker) })
    }
}

/// nginx's and ketama's.
const POINTS_PER_WEIGHT: u64 = 160;
/// 2^21 points are 16 MiB: weights that sum to 13,000. More are halved, as often as needed.
const POINTS_MAX: u64 = 1 << 21;
/// Points looked at before the next endpoint in order is: see `hash`.
const WALK_MAX: usize = 256;

/// The circle: points in ascending order with the server each belongs to.
#[derive(Debug)]
pub(crate) struct Circle {
    points: Box<[(u32, u32)]>,
    /// The endpoints of each server.
    servers: Box<[Box<[usize]>]>,
}

impl Circle {
    pub(crate) fn build(group: &Group<'_>) -> Self {
        let total: u64 = (0..group.len()).map(|index| u64::from(group.weight(index))).sum();
        let mut halvings = 0;
        while (total * POINTS_PER_WEIGHT) >> halvings > POINTS_MAX {
            halvings += 1;
        }
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        let mut servers: Vec<Vec<usize>> = Vec::new();
        let mut points = Vec::new();
        for index in 0..group.len() {
            let name = group.endpoint(index).hash_name();
            let server = *by_name.entry(name).or_insert(servers.len());
            if let Some(members) = servers.get_mut(server) {
                members.push(index);
                continue;
            }
            servers.push(vec![index]);
            let share = ((u64::from(group.weight(index)) * POINTS_PER_WEIGHT) >> halvings).max(1);
            add_points(name, server as u32, share, &mut points);
        }
        points.sort_by_key(|&(point, _)| point);
        points.dedup_by_key(|&mut (point, _)| point);
        let servers = servers.into_iter().map(Into::into).collect();
        Self { points: points.into(), servers }
    }

    /// The servers' endpoints in the order in which they stand in for each other for a key.
    fn walk(&self, key: u32) -> impl Iterator<Item = &[usize]> {
        let start = self.points.partition_point(|&(point, _)| point < key);
        let around = self.points[start..].iter().chain(&self.points[..start]);
        around.filter_map(|&(_, server)| self.servers.get(server as usize)).map(|members| &**members)
    }
}

fn add_points(name: &str, server: u32, count: u64, points: &mut Vec<(u32, u32)>) {
    let (host, port) = host_and_port(name);
    let base = Crc::new().and(host.as_bytes()).and(&[0]).and(port.as_bytes());
    let mut last: u32 = 0;
    for _ in 0..count {
        last = base.and(&last.to_le_bytes()).sum();
        points.push((last, server));
    }
}

/// The name split at a colon with nothing but digits behind it; of a Unix socket the path alone.
fn host_and_port(name: &str) -> (&str, &str) {
    if let Some(path) = name.get(..5).filter(|start| start.eq_ignore_ascii_case("unix:")).and(name.get(5..)) {
        return (path, "");
    }
    match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (name, ""),
    }
}

struct Ketama {
    /// For requests without a key.
    turn: Box<dyn Policy>,
    /// Whose turn it is among the addresses of one name.
    next: Cell<usize>,
}

impl Policy for Ketama {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        let key = cx.key.unwrap_or_default();
        if key.is_empty() || group.len() < 2 {
            return self.turn.pick(group, cx);
        }
        let hash = Crc::new().and(key).sum();
        for members in group.circle().walk(hash).take(WALK_MAX) {
            let start = if members.len() == 1 { 0 } else { self.next.get() % members.len() };
            let (behind, before) = (members[start..].iter(), members[..start].iter());
            if let Some(&index) = behind.chain(before).find(|index| group.takes(**index, cx)) {
                if members.len() > 1 {
                    self.next.set(self.next.get().wrapping_add(1));
                }
                return Some(index);
            }
        }
        // The same for the same key.
        group.scan_from(hash as usize % group.len(), cx)
    }
}

#[cfg(test)]
mod tests;
