//! `modulo`: requests of the same key go to the same endpoint, by nginx's plain `hash`.
//!
//! As ngx_http_upstream_hash_module.c: bits 16 to 30 of the key's CRC-32 (Cache::Memcached's hash), modulo
//! the sum of all weights, name the endpoint whose share covers it. Where that one does not serve, the CRC
//! of `1` and the key is added, then of `2` and the key, 20 times; then (here nginx goes in turn) the next
//! endpoint that does. Requests without a key, and groups of one, go in turn. So the same configuration
//! sends the same keys to the same endpoints as nginx did. Not consistent: see `ketama` and `hash`.

use crate::crc::Crc;
use crate::policies::round_robin;
use crate::policy::{BuildCx, PickCx, Policy, Spec};
use crate::set::Group;
use crate::weights::Draw;
use bifrons_config::Template;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Write;

/// Requests of the same key go to the same endpoint; a change of the list moves most keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Modulo")]
pub struct Config {
    /// What is hashed, with variables: `$request_uri`, `$remote_addr`, `$cookie_session`.
    pub key: Template,
}

impl Spec for Config {
    const NAME: &'static str = "modulo";
    const DOC: &'static str = "Requests of the same key go to the same endpoint, to the very one that nginx's \
        plain `hash` sends them to. A change of the list moves most keys; with `ketama` or `hash` only few.";
    const EXAMPLE: &'static str = "{ modulo: { key: $request_uri } }";
    const PLAIN: bool = false;

    fn build(&self, group: &Group<'_>, cx: &BuildCx) -> Box<dyn Policy> {
        Box::new(Modulo { shares: Draw::new(group), turn: round_robin::Config {}.build(group, cx) })
    }
}

/// nginx's.
const HASHES_MAX: u32 = 20;

struct Modulo {
    shares: Draw,
    turn: Box<dyn Policy>,
}

impl Policy for Modulo {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        let key = cx.key.unwrap_or_default();
        if key.is_empty() || group.len() < 2 {
            return self.turn.pick(group, cx);
        }
        let mut sum: u32 = 0;
        let mut index = 0;
        for number in 0..=HASHES_MAX {
            let mut crc = Crc::new();
            if number > 0 {
                let mut digits = [0; 4];
                let mut left = &mut digits[..];
                // Two digits at most.
                let _ = write!(left, "{number}");
                let len = 4 - left.len();
                crc = crc.and(&digits[..len]);
            }
            sum = sum.wrapping_add((crc.and(key).sum() >> 16) & 0x7fff);
            index = self.shares.at(u64::from(sum));
            if index < group.len() && group.takes(index, cx) {
                return Some(index);
            }
        }
        group.scan_from(index, cx)
    }
}

#[cfg(test)]
mod tests;
