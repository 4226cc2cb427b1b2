//! `hash`: requests of the same key go to the same endpoint, and few keys move when the list changes.
//!
//! A ring as ketama's and nginx's `hash … consistent` (its points differ from theirs: xxh3 instead of MD5
//! and CRC; for theirs see `ketama`), with bounded loads (Mirrokni, Thorup and
//! Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016; HAProxy's `hash-balance-factor`): an
//! endpoint with more than `load_factor` times its fair share of what is under way passes the key on to the
//! next on the ring. The fair share is among those that serve.

use crate::policy::{BuildCx, PickCx, Policy, Spec};
use crate::ring;
use crate::set::Group;
use crate::weights::{Draw, is_less_busy};
use bifrons_config::Template;
use bifrons_config::problem::HELP_MARK;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// Requests of the same key go to the same endpoint, and few keys move when the list of endpoints changes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hash")]
pub struct Config {
    /// What is hashed, with variables: `$request_uri`, `$remote_addr`, `$cookie_session`.
    pub key: Template,
    /// How far above its fair share of the requests under way an endpoint may be before a key goes to the
    /// next one. 0: any far, as nginx. At least 1 otherwise. An endpoint with fewer than 8 under way always
    /// keeps its keys.
    #[serde(default, skip_serializing_if = "LoadFactor::is_default")]
    pub load_factor: LoadFactor,
}

/// A bound on load, as a multiple of the fair share; or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadFactor {
    /// 0: no bound.
    thousandths: u32,
}

impl LoadFactor {
    /// No bound: a key's endpoint takes it however busy it is.
    pub const NONE: Self = Self { thousandths: 0 };
    /// More than this many times the fair share is no bound that anybody would notice.
    const MAX: f64 = 1000.0;

    /// 0, or from 1.0 to 1000.0; exact to a thousandth.
    pub fn new(factor: f64) -> Option<Self> {
        (factor == 0.0 || (1.0..=Self::MAX).contains(&factor))
            .then(|| Self { thousandths: (factor * 1000.0).round() as u32 })
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Requests that an endpoint with `weight` of `weights` may have under way before keys pass it by, when
    /// the cluster has `total`, the new one included.
    fn limit(self, total: u32, weight: u32, weights: u64) -> u64 {
        let load = u64::from(self.thousandths) * u64::from(total);
        let share = u128::from(load) * u128::from(weight);
        let limit = share.div_ceil(u128::from(weights.max(1)) * 1000);
        u64::try_from(limit).unwrap_or(u64::MAX).max(UNBOUNDED)
    }
}

impl Default for LoadFactor {
    /// 1.25: HAProxy's and Vimeo's choice (keys of a cluster at rest stay, hot ones spread).
    fn default() -> Self {
        Self { thousandths: 1250 }
    }
}

impl Serialize for LoadFactor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.thousandths) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for LoadFactor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Checks within the visit, where the mistake still has its place.
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = LoadFactor;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a load factor such as 1.25")
            }

            fn visit_f64<E: de::Error>(self, factor: f64) -> Result<LoadFactor, E> {
                LoadFactor::new(factor).ok_or_else(|| {
                    let help = "write 0 for no bound, or from 1 to 1000, such as 1.25";
                    E::custom(format_args!("load factor {factor} is out of range{HELP_MARK}{help}"))
                })
            }

            fn visit_u64<E: de::Error>(self, factor: u64) -> Result<LoadFactor, E> {
                self.visit_f64(factor as f64)
            }

            fn visit_i64<E: de::Error>(self, factor: i64) -> Result<LoadFactor, E> {
                self.visit_f64(factor as f64)
            }
        }
        deserializer.deserialize_f64(Visitor)
    }
}

impl JsonSchema for LoadFactor {
    fn schema_name() -> Cow<'static, str> {
        "LoadFactor".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [{ "const": 0 }, { "type": "number", "minimum": 1, "maximum": Self::MAX }],
        })
    }
}

impl Spec for Config {
    const NAME: &'static str = "hash";
    const DOC: &'static str = "Requests of the same key go to the same endpoint, on a consistent-hash ring: when \
        one of n endpoints leaves, only its keys move. An endpoint too busy passes keys on (`load_factor`). \
        Right for caches behind the proxy and for sessions.";
    const EXAMPLE: &'static str = "{ hash: { key: $request_uri, load_factor: 1.25 } }";
    const PLAIN: bool = false;

    fn build(&self, group: &Group<'_>, _cx: &BuildCx) -> Box<dyn Policy> {
        Box::new(Hash {
            factor: self.load_factor,
            keyless: Draw::new(group),
            open_weight: Cell::new(0),
            recount_in: Cell::new(0),
        })
    }
}

/// Requests under way that never make an endpoint too busy. With next to nothing under way the fair share
/// is one request or two, and two parallel requests of one client would part; eight are no load, and as
/// many as a browser opens at once.
const UNBOUNDED: u64 = 8;

/// Points of the ring looked at before the next that serves is looked for in order: nearly every endpoint
/// of a small cluster has one among them, and only when most of a large one is out are they not enough.
const WALK_MAX: usize = 256;

/// Picks at least between two counts of the weight that serves. With more endpoints than this there are as
/// many picks as endpoints between, so a pick costs O(1) on average.
const RECOUNT_MIN: usize = 16;

struct Hash {
    factor: LoadFactor,
    /// For requests without key.
    keyless: Draw,
    /// Weight of the endpoints that are not out, as last counted.
    open_weight: Cell<u64>,
    recount_in: Cell<usize>,
}

impl Policy for Hash {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        let Some(key) = cx.key.map(ring::hash) else {
            return group.scan_from(self.keyless.draw(cx.rng), cx);
        };
        let weights = self.open_weight(group, cx.now_ms);
        let total = group.active_total().saturating_add(1);
        let mut last = None;
        let mut best: Option<(usize, (u32, u32))> = None;
        for index in group.ring().walk(key).take(WALK_MAX) {
            if last.replace(index) == Some(index) || !group.takes(index, cx) {
                continue;
            }
            if self.factor == LoadFactor::NONE {
                return Some(index);
            }
            let load @ (active, weight) = (group.active(index), group.weight(index));
            if u64::from(active) < self.factor.limit(total, weight, weights) {
                return Some(index);
            }
            if best.is_none_or(|(_, least)| is_less_busy(load, least)) {
                best = Some((index, load));
            }
        }
        match best {
            Some((index, _)) => Some(index),
            // The same for the same key.
            None => group.scan_from(key.checked_rem(group.len() as u64)? as usize, cx),
        }
    }

    fn wants_total(&self) -> bool {
        self.factor != LoadFactor::NONE
    }
}

impl Hash {
    /// Weight of the endpoints that are not out: counted now and then.
    fn open_weight(&self, group: &Group<'_>, now_ms: u64) -> u64 {
        if self.factor == LoadFactor::NONE {
            return 0;
        }
        if let Some(left) = self.recount_in.get().checked_sub(1) {
            self.recount_in.set(left);
            return self.open_weight.get();
        }
        let open = (0..group.len()).filter(|&index| group.is_open(index, now_ms));
        self.open_weight.set(open.map(|index| u64::from(group.weight(index))).sum());
        self.recount_in.set(group.len().max(RECOUNT_MIN));
        self.open_weight.get()
    }
}

#[cfg(test)]
mod tests;
