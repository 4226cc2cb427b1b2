//! Networks and their values: nginx's `geo`.

use crate::config;
use bifrons_config::{Template, Var};
use bifrons_http::Name;
use bifrons_http::vars::Scope;
use bifrons_route::IpSet;
use bifrons_route::ipset::parse_cidr;
use foldhash::fast::RandomState;
use ipnet::IpNet;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// 32: more proxies in a row than any network has; the rest of the field is not looked at.
const CHAIN_MAX: usize = 32;

/// A table of networks, ready to be asked.
#[derive(Debug)]
pub struct Geo {
    of: Template,
    values: Box<[Template]>,
    default: Template,
    v4: Nets<u32>,
    v6: Nets<u128>,
    ranges: Ranges,
    trusted: IpSet,
    recursive: bool,
}

/// Networks by the length of their prefix, the longest first.
#[derive(Debug)]
struct Nets<A>(Vec<(A, HashMap<A, usize, RandomState>)>);

/// Ranges that do not overlap, by their first address: the last one, and the value.
type Ranges = BTreeMap<u32, (u32, usize)>;

impl Geo {
    /// Compiles a table.
    ///
    /// # Errors
    /// What is no network, or both networks and ranges.
    pub fn build(config: &config::Geo) -> Result<Self, String> {
        let mut geo = Self {
            of: config.of.clone(),
            values: config.networks.values().cloned().collect(),
            default: config.default.clone(),
            v4: Nets(Vec::new()),
            v6: Nets(Vec::new()),
            ranges: Ranges::new(),
            trusted: IpSet::parse(&config.trusted).map_err(|err| err.to_string())?,
            recursive: config.recursive,
        };
        let (mut v4, mut v6) = (BTreeMap::new(), BTreeMap::new());
        for (at, written) in config.networks.keys().enumerate() {
            if let Some((first, last)) = range(written)? {
                paint(&mut geo.ranges, first, last, at);
                continue;
            }
            match unmapped(parse_cidr(written).map_err(|err| err.to_string())?.trunc()) {
                IpNet::V4(net) => {
                    let nets: &mut HashMap<u32, usize, RandomState> =
                        v4.entry(net.netmask().to_bits()).or_default();
                    nets.insert(net.network().to_bits(), at);
                }
                IpNet::V6(net) => {
                    let nets: &mut HashMap<u128, usize, RandomState> =
                        v6.entry(net.netmask().to_bits()).or_default();
                    nets.insert(net.network().to_bits(), at);
                }
            }
        }
        if !geo.ranges.is_empty() && (!v4.is_empty() || !v6.is_empty()) {
            return Err("networks and ranges can't stand together".to_owned());
        }
        geo.v4 = Nets(v4.into_iter().rev().collect());
        geo.v6 = Nets(v6.into_iter().rev().collect());
        Ok(geo)
    }

    /// All templates, for those who look for loops.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.values.iter().chain([&self.of, &self.default])
    }

    /// Appends the value.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>, out: &mut Vec<u8>) {
        // nginx looks 255.255.255.255 up for what is no address.
        let address = self.address(scope).unwrap_or(IpAddr::V4(Ipv4Addr::BROADCAST));
        let found = match address.to_canonical() {
            IpAddr::V4(address) if self.ranges.is_empty() => self.v4.find(address.to_bits()),
            IpAddr::V4(address) => {
                let address = address.to_bits();
                let below = self.ranges.range(..=address).next_back();
                below.filter(|(_, (last, _))| address <= *last).map(|(_, (_, at))| *at)
            }
            IpAddr::V6(address) => self.v6.find(address.to_bits()),
        };
        found.and_then(|at| self.values.get(at)).unwrap_or(&self.default).render(scope, out);
    }

    fn address(&self, scope: &Scope<'_>) -> Option<IpAddr> {
        let own = match self.of.parts() {
            [bifrons_config::Part::Var(Var::RemoteAddr)] => scope.cx.client.map(|addr| addr.ip()),
            _ => {
                let mut text = Vec::new();
                self.of.render(scope, &mut text);
                std::str::from_utf8(&text).ok()?.parse().ok()
            }
        }?;
        if self.trusted.is_empty() {
            return Some(own);
        }
        let mut fields: Vec<&[u8]> = scope.req.headers.originals(Name::XForwardedFor).collect();
        fields.reverse();
        let entries = fields.iter().flat_map(|field| field.rsplit(|byte| matches!(byte, b',' | b' ')));
        Some(self.forwarded(own, entries.filter(|entry| !entry.is_empty())))
    }

    /// Who stands behind trusted proxies; `entries` are the addresses of the field, the last one first.
    fn forwarded<'f>(&self, own: IpAddr, entries: impl Iterator<Item = &'f [u8]>) -> IpAddr {
        let mut address = own;
        for entry in entries.take(CHAIN_MAX) {
            if !self.trusted.contains(address) {
                break;
            }
            let Some(next) = std::str::from_utf8(entry).ok().and_then(parse_with_port) else { break };
            address = next;
            if !self.recursive {
                break;
            }
        }
        address
    }
}

impl<A: Copy + Eq + Hash + std::ops::BitAnd<Output = A>> Nets<A> {
    fn find(&self, address: A) -> Option<usize> {
        self.0.iter().find_map(|(mask, nets)| nets.get(&(address & *mask)).copied())
    }
}

/// An address with or without a port.
fn parse_with_port(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()))
}

/// `first-last`; `None` for what has no hyphen.
///
/// # Errors
/// What is no such range.
fn range(written: &str) -> Result<Option<(u32, u32)>, String> {
    let Some((first, last)) = written.split_once('-') else { return Ok(None) };
    let parse = |text: &str| text.parse::<Ipv4Addr>().map(Ipv4Addr::to_bits);
    match (parse(first), parse(last)) {
        (Ok(first), Ok(last)) if first <= last => Ok(Some((first, last))),
        _ => Err(format!("invalid range \"{written}\"")),
    }
}

/// Lays a range over those that are there.
fn paint(ranges: &mut Ranges, first: u32, last: u32, at: usize) {
    let overlapping: Vec<(u32, (u32, usize))> = ranges
        .range(..=last)
        .rev()
        .take_while(|(_, (end, _))| *end >= first)
        .map(|(start, rest)| (*start, *rest))
        .collect();
    for (start, (end, other)) in overlapping {
        ranges.remove(&start);
        if start < first {
            ranges.insert(start, (first - 1, other));
        }
        if end > last {
            ranges.insert(last + 1, (end, other));
        }
    }
    ranges.insert(first, (last, at));
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn unmapped(net: IpNet) -> IpNet {
    match IpSet::from_nets([net]).nets() {
        [net] => *net,
        _ => net,
    }
}

#[cfg(test)]
mod tests;
