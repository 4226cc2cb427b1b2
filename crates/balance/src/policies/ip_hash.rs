//! `ip_hash`: a client's address always leads to the same endpoint, by nginx's own hash.
//!
//! As ngx_http_upstream_ip_hash_module.c: the first three octets of an IPv4 address or all of an IPv6 one,
//! hashed by `hash = (hash * 113 + octet) % 6271` from 89; the endpoint whose share of the weights covers
//! it. Where that one does not serve, the hash goes on over the same octets, 20 times; then (here nginx
//! goes in turn) the next endpoint that does. So the same configuration sends the same clients to the same
//! endpoints as nginx did. Not consistent: another number of endpoints moves most clients; see `hash`.
//!
//! Not as nginx: an IPv4 address mapped into IPv6 counts as the IPv4 address it is.

use crate::policy::{BuildCx, PickCx, Policy, Spec};
use crate::set::Group;
use crate::weights::Draw;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A client's address always leads to the same endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "IpHash")]
pub struct Config {}

impl Spec for Config {
    const NAME: &'static str = "ip_hash";
    const DOC: &'static str = "A client's address (of IPv4 the first three octets) always leads to the same \
        endpoint, by nginx's hash. For sessions kept in one endpoint's memory. A change of the list moves most \
        clients; `hash` with the key `$remote_addr` moves only few.";
    const EXAMPLE: &'static str = "ip_hash";
    const PLAIN: bool = true;

    fn build(&self, group: &Group<'_>, _cx: &BuildCx) -> Box<dyn Policy> {
        Box::new(IpHash { shares: Draw::new(group) })
    }
}

/// nginx's.
const HASHES_MAX: usize = 20;

struct IpHash {
    shares: Draw,
}

impl Policy for IpHash {
    fn pick(&self, group: &Group<'_>, cx: &PickCx<'_>) -> Option<usize> {
        let mut hash = 89;
        let mut index = 0;
        for _ in 0..HASHES_MAX {
            hash = match cx.client.to_canonical() {
                IpAddr::V4(ip) => go_on(hash, &ip.octets()[..3]),
                IpAddr::V6(ip) => go_on(hash, &ip.octets()),
            };
            index = self.shares.at(u64::from(hash));
            if index < group.len() && group.takes(index, cx) {
                return Some(index);
            }
        }
        group.scan_from(index, cx)
    }
}

fn go_on(hash: u32, octets: &[u8]) -> u32 {
    octets.iter().fold(hash, |hash, &octet| (hash * 113 + u32::from(octet)) % 6271)
}

#[cfg(test)]
mod tests;
