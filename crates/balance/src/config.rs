//! An endpoint as the configuration writes it: an address, or a map with more.

use crate::address::{self, Address};
use crate::endpoint::EndpointSpec;
use bifrons_config::Dur;
use bifrons_config::problem::HELP_MARK;
use schemars::{JsonSchema, Schema};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// An endpoint of a cluster: `10.0.1.10:3000`, or `{ address: "10.0.1.10:3000", weight: 2 }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
// `remote` leaves the derived (de)serialisation of the map form beside the traits, which take both forms.
#[serde(remote = "Self", deny_unknown_fields)]
#[schemars(rename = "Endpoint", transform = or_address)]
pub struct EndpointConfig {
    /// `ip:port`, `[v6]:port`, `name:port` or `unix:/path`. A name is resolved and re-resolved by its TTL;
    /// each of its addresses becomes an endpoint with these settings.
    pub address: Address,
    /// Share of the requests relative to the others' weights.
    #[serde(default = "one", skip_serializing_if = "is_one", deserialize_with = "weight")]
    #[schemars(range(min = 1))]
    pub weight: u32,
    /// Serves only when no primary can.
    #[serde(default, skip_serializing_if = "is_false")]
    pub backup: bool,
    /// Never serves; keeps its place, so that `ip_hash` sends nobody else elsewhere.
    #[serde(default, skip_serializing_if = "is_false")]
    pub down: bool,
    /// Requests (HTTP) or connections (layer 4) at one time, over all workers. 0: no limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_conns: u32,
    /// Failures, with no gap of `fail_timeout` between them, that take it out for `fail_timeout`. 0: none do.
    /// Without effect on the only endpoint of a cluster.
    #[serde(default = "max_fails", skip_serializing_if = "is_max_fails")]
    pub max_fails: u32,
    /// How long failures count, and how long it is out before one request may try again.
    #[serde(default = "fail_timeout", skip_serializing_if = "is_fail_timeout")]
    pub fail_timeout: Dur,
    /// Takes only requests of sessions that belong to it (`sticky`); for taking it out of service in peace.
    #[serde(default, skip_serializing_if = "is_false")]
    pub drain: bool,
    /// How long it gets less than its share after it was out: from nothing to all of it. 0: at once.
    #[serde(default, skip_serializing_if = "Dur::is_zero")]
    pub slow_start: Dur,
    /// What the policy `ketama` knows it by; the address where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_name: Option<String>,
    /// What sticky sessions know it by, in cookies and elsewhere; a hash of its address where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

impl EndpointConfig {
    /// An endpoint with all defaults.
    pub fn new(address: Address) -> Self {
        Self {
            address,
            weight: 1,
            backup: false,
            down: false,
            max_conns: 0,
            max_fails: max_fails(),
            fail_timeout: fail_timeout(),
            drain: false,
            slow_start: Dur(Duration::ZERO),
            hash_name: None,
            route: None,
        }
    }

    /// The endpoints this makes. `resolved` are the addresses of its name, in any order and with any port;
    /// of no interest where the address is no name.
    pub fn specs(&self, resolved: &[SocketAddr]) -> Vec<EndpointSpec> {
        let spec = |address| EndpointSpec {
            address,
            name: self.address.to_string().into(),
            weight: self.weight,
            backup: self.backup,
            down: self.down,
            max_conns: self.max_conns,
            max_fails: self.max_fails,
            fail_timeout: self.fail_timeout.0,
            drain: self.drain,
            slow_start: self.slow_start.0,
            hash_name: self.hash_name.as_deref().map(Into::into),
            route: self.route.as_deref().map(Into::into),
        };
        let Some((_, port)) = self.address.to_resolve() else {
            return self.address.endpoint().map(spec).into_iter().collect();
        };
        // Name servers turn the order round; sorted, the same answer makes the same set.
        let mut ips: Vec<_> = resolved.iter().map(SocketAddr::ip).collect();
        ips.sort_unstable();
        ips.dedup();
        ips.into_iter().map(|ip| spec(SocketAddr::new(ip, port).into())).collect()
    }

    /// Whether the address says all.
    fn is_plain(&self) -> bool {
        *self == Self::new(self.address.clone())
    }
}

impl Serialize for EndpointConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // An inherent function, which `remote` has made, comes before the trait's.
        if self.is_plain() { self.address.serialize(serializer) } else { Self::serialize(self, serializer) }
    }
}

impl<'de> Deserialize<'de> for EndpointConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = EndpointConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"10.0.1.10:3000\", or a map with `address`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<EndpointConfig, E> {
                address::parse(text).map(EndpointConfig::new)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<EndpointConfig, A::Error> {
                EndpointConfig::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Makes the schema of the map one of the two forms.
fn or_address(schema: &mut Schema) {
    let map = std::mem::take(schema.ensure_object());
    schema.insert(
        "description".to_owned(),
        "An endpoint of a cluster: an address, or a map with more settings.".into(),
    );
    let text = schemars::json_schema!({
        "type": "string",
        "description": "`ip:port`, `[v6]:port`, `name:port` or `unix:/path`.",
    });
    schema.insert("oneOf".to_owned(), vec![text.to_value(), map.into()].into());
}

fn weight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    /// Checks within the visit, where the mistake still has its place.
    struct Visitor;
    impl de::Visitor<'_> for Visitor {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a weight, a whole number from 1")
        }

        fn visit_u64<E: de::Error>(self, weight: u64) -> Result<u32, E> {
            match u32::try_from(weight) {
                Ok(weight) if weight > 0 => Ok(weight),
                _ => Err(out_of_range(&weight)),
            }
        }

        fn visit_i64<E: de::Error>(self, weight: i64) -> Result<u32, E> {
            u64::try_from(weight).map_err(|_| out_of_range(&weight)).and_then(|weight| self.visit_u64(weight))
        }
    }
    fn out_of_range<E: de::Error>(weight: &dyn fmt::Display) -> E {
        let help = "write a number from 1; to take the endpoint out, write `down: true`";
        E::custom(format_args!("weight {weight} is out of range{HELP_MARK}{help}"))
    }
    deserializer.deserialize_u32(Visitor)
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn max_fails() -> u32 {
    EndpointSpec::MAX_FAILS
}

fn is_max_fails(number: &u32) -> bool {
    *number == max_fails()
}

fn fail_timeout() -> Dur {
    Dur(EndpointSpec::FAIL_TIMEOUT)
}

fn is_fail_timeout(dur: &Dur) -> bool {
    *dur == fail_timeout()
}

#[cfg(test)]
mod tests;
