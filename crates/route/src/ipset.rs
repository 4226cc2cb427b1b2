//! Sets of addresses written as CIDR blocks: trusted proxies, allow and deny lists, conditions.

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `::ffff:0:0/96`, IPv4 addresses in IPv6's clothes, begins at this many fixed bits (RFC 4291 2.5.5.2).
const MAPPED_BITS: u8 = 96;

/// Addresses in blocks, looked up in O(log n). `::ffff:1.2.3.4` is `1.2.3.4` on both sides: as a member it is
/// found under IPv4 blocks, as a block it becomes an IPv4 block; so `::/0` holds no IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpSet {
    /// As they were given, masked. For printing.
    nets: Box<[IpNet]>,
    v4: Ranges<Ipv4Addr>,
    v6: Ranges<Ipv6Addr>,
}

/// Why a text is no block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not an address before the `/`.
    #[error(
        "`{0}` is not an IP address or CIDR block\nhelp: write 10.0.0.0/8, 192.168.1.7, 2001:db8::/32 or ::1"
    )]
    Address(String),
    /// The number after the `/` is none, or too big.
    #[error("`{cidr}` has a prefix length that is not a number from 0 to {max}")]
    Length {
        /// The whole text.
        cidr: String,
        /// 32 or 128.
        max: u8,
    },
}

impl IpSet {
    /// From texts such as `10.0.0.0/8` or a bare address. Bits behind the prefix length are cleared, as nginx
    /// does (it warns): `10.1.2.3/8` is `10.0.0.0/8`.
    pub fn parse<S: AsRef<str>>(cidrs: impl IntoIterator<Item = S>) -> Result<Self, CidrError> {
        let nets = cidrs.into_iter().map(|cidr| parse_cidr(cidr.as_ref())).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::from_nets(nets))
    }

    /// From blocks.
    pub fn from_nets(nets: impl IntoIterator<Item = IpNet>) -> Self {
        let nets: Box<[IpNet]> = nets.into_iter().map(|net| unmapped(net.trunc())).collect();
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in &nets {
            match net {
                IpNet::V4(net) => v4.push((net.network(), net.broadcast())),
                IpNet::V6(net) => v6.push((net.network(), net.broadcast())),
            }
        }
        Self { nets, v4: Ranges::new(v4), v6: Ranges::new(v6) }
    }

    /// Whether `address` lies in one of the blocks.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.contains(address),
            IpAddr::V6(address) => self.v6.contains(address),
        }
    }

    /// Whether there is no block.
    pub fn is_empty(&self) -> bool {
        self.nets.is_empty()
    }

    /// The blocks in the order they were given, masked.
    pub fn nets(&self) -> &[IpNet] {
        &self.nets
    }
}

/// One block, or one address as the block of just itself. Host bits are kept.
pub fn parse_cidr(cidr: &str) -> Result<IpNet, CidrError> {
    let (address, length) = match cidr.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (cidr, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(CidrError::Address(cidr.to_owned()));
    };
    let max = if address.is_ipv4() { 32 } else { 128 };
    let error = || CidrError::Length { cidr: cidr.to_owned(), max };
    let length = match length {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_| error())?
        }
        Some(_) => return Err(error()),
        None => max,
    };
    IpNet::new(address, length).map_err(|_| error())
}

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let (Some(address), Some(length)) =
        (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(MAPPED_BITS))
    else {
        return net;
    };
    Ipv4Net::new(address, length).map_or(net, IpNet::V4)
}

/// Ranges (both ends in) that are sorted and do not overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ranges<A>(Box<[(A, A)]>);

impl<A> Default for Ranges<A> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<A: Ord + Copy> Ranges<A> {
    fn new(mut ranges: Vec<(A, A)>) -> Self {
        ranges.sort_unstable();
        ranges.dedup_by(|next, kept| {
            let overlap = next.0 <= kept.1;
            if overlap {
                kept.1 = kept.1.max(next.1);
            }
            overlap
        });
        Self(ranges.into())
    }

    fn contains(&self, address: A) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= address);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| address <= *last)
    }
}

impl Serialize for IpSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.nets.iter().map(|net| {
            let bare = net.prefix_len() == net.max_prefix_len();
            if bare { net.addr().to_string() } else { net.to_string() }
        }))
    }
}

/// A list of texts. Each is read on its own, so that an error has the place of the one block.
impl<'de> Deserialize<'de> for IpSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Cidr(IpNet);
        impl<'de> Deserialize<'de> for Cidr {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = Cidr;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an IP address or CIDR block")
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<Cidr, E> {
                        parse_cidr(text).map(Cidr).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
        let cidrs = Vec::<Cidr>::deserialize(deserializer)?;
        Ok(Self::from_nets(cidrs.into_iter().map(|cidr| cidr.0)))
    }
}

impl schemars::JsonSchema for IpSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "IpSet".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array",
            "items": { "type": "string", "examples": ["10.0.0.0/8", "192.168.1.7", "2001:db8::/32"] },
            "description": "IP addresses and CIDR blocks. Bits behind the prefix length are cleared.",
        })
    }
}

#[cfg(test)]
mod tests;
