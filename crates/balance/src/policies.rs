//! The balancing policies, one file each, and the configuration that names them.
//!
//! A new one is a file here and two lines below: its module and its entry in `policies!`.
//! Contract tests, schema and reference docs run over [`POLICIES`].

pub mod hash;
pub mod ip_hash;
pub mod ketama;
pub mod least_request;
pub mod least_time;
pub mod modulo;
pub mod random;
pub mod round_robin;

use crate::policy::{BuildCx, Policy, PolicyKind, Spec};
use crate::set::Group;
use bifrons_config::problem::HELP_MARK;
use bifrons_config::suggest::nearest;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapDeserializer;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// Makes the enum of all policies' settings and the list of the policies.
macro_rules! policies {
    ($($(#[$doc:meta])* $variant:ident($module:ident),)+) => {
        /// How a cluster chooses the endpoint of a request: a policy with its settings.
        ///
        /// Written as the bare name (`balance: least_request`), or as a map of the name to the settings
        /// (`balance: { hash: { key: $request_uri } }`).
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Balance {
            $($(#[$doc])* $variant($module::Config),)+
        }

        /// All policies.
        pub const POLICIES: &[PolicyKind] = &[$(PolicyKind::of::<$module::Config>(),)+];

        impl Balance {
            /// The policy's name in the configuration.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $module::Config::NAME,)+ }
            }

            /// Whether it is written as the bare name.
            fn is_plain(&self) -> bool {
                match self { $(Self::$variant(_) => $module::Config::PLAIN,)+ }
            }

            /// The policy for one worker and one group of endpoints.
            pub fn build(&self, group: &Group<'_>, cx: &BuildCx) -> Box<dyn Policy> {
                match self { $(Self::$variant(config) => config.build(group, cx),)+ }
            }

            /// Reads the settings of the policy of that name; `None` where there is no such policy.
            fn read<'de, D: Deserializer<'de>>(name: &str, settings: D) -> Option<Result<Self, D::Error>> {
                $(if name == $module::Config::NAME {
                    return Some($module::Config::deserialize(settings).map(Self::$variant));
                })+
                None
            }

            /// Writes the settings as the value of an entry.
            fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                match self { $(Self::$variant(config) => map.serialize_entry(self.name(), config),)+ }
            }
        }
    };
}

policies! {
    /// In turn, by weight.
    RoundRobin(round_robin),
    /// Whoever has least to do.
    LeastRequest(least_request),
    /// The less busy of two drawn at random.
    Random(random),
    /// By the client's address, as nginx does.
    IpHash(ip_hash),
    /// By a key, on a consistent-hash ring.
    Hash(hash),
    /// By a key, on nginx's consistent-hash ring.
    Ketama(ketama),
    /// By a key, modulo the weights, as nginx does.
    Modulo(modulo),
    /// Whoever answers soonest.
    LeastTime(least_time),
}

impl Default for Balance {
    fn default() -> Self {
        Self::RoundRobin(round_robin::Config {})
    }
}

impl Balance {
    /// The key that must be evaluated for each request and given as [`crate::PickCx::key`].
    pub fn key(&self) -> Option<&bifrons_config::Template> {
        match self {
            Self::Hash(config) => Some(&config.key),
            Self::Ketama(config) => Some(&config.key),
            Self::Modulo(config) => Some(&config.key),
            _ => None,
        }
    }

    /// What of answers must be measured and noted in [`crate::EndpointState::times`].
    pub fn measures(&self) -> Option<least_time::Measure> {
        match self {
            Self::LeastTime(config) => Some(config.measure),
            _ => None,
        }
    }
}

fn unknown<E: de::Error>(name: &str) -> E {
    let names: Vec<_> = POLICIES.iter().map(|kind| kind.name).collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there are {}", names.join(", ")),
    };
    E::custom(format_args!("unknown balancing policy \"{name}\"{HELP_MARK}{help}"))
}

impl<'de> Deserialize<'de> for Balance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

/// A name, or a map of one name to settings.
struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Balance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a balancing policy such as least_request, or { hash: { key: $request_uri } }")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Balance, E> {
        let Some(kind) = POLICIES.iter().find(|kind| kind.name == name) else {
            return Err(unknown(name));
        };
        let nothing = std::iter::empty::<(&str, &str)>();
        match Balance::read(name, MapDeserializer::<_, E>::new(nothing)) {
            Some(Ok(balance)) => Ok(balance),
            Some(Err(_)) | None => Err(E::custom(format_args!(
                "balancing policy \"{name}\" needs settings{HELP_MARK}write {}",
                kind.example
            ))),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Balance, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(de::Error::custom("a balancing policy is missing"));
        };
        let balance = map.next_value_seed(Settings(&name))?;
        if let Some(other) = map.next_key::<String>()? {
            let help = "choose one";
            return Err(de::Error::custom(format_args!(
                "two balancing policies, \"{name}\" and \"{other}\"{HELP_MARK}{help}"
            )));
        }
        Ok(balance)
    }
}

/// The settings of the policy of that name.
struct Settings<'a>(&'a str);

impl<'de> de::DeserializeSeed<'de> for Settings<'_> {
    type Value = Balance;

    fn deserialize<D: Deserializer<'de>>(self, settings: D) -> Result<Balance, D::Error> {
        Balance::read(self.0, settings).unwrap_or_else(|| Err(unknown(self.0)))
    }
}

impl Serialize for Balance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_plain() {
            return serializer.serialize_str(self.name());
        }
        let mut map = serializer.serialize_map(Some(1))?;
        self.write(&mut map)?;
        map.end()
    }
}

impl JsonSchema for Balance {
    fn schema_name() -> Cow<'static, str> {
        "Balance".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut forms = Vec::new();
        for PolicyKind { name, doc, plain, schema, .. } in POLICIES {
            if *plain {
                forms.push(json_schema!({ "const": name, "description": doc }));
            } else {
                forms.push(json_schema!({
                    "type": "object",
                    "description": doc,
                    "properties": { *name: schema(generator) },
                    "required": [name],
                    "additionalProperties": false,
                }));
            }
        }
        json_schema!({
            "description": "How the cluster chooses the endpoint of a request.",
            "oneOf": forms,
        })
    }
}

#[cfg(test)]
mod tests;
