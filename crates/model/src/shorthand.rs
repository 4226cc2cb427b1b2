//! Types that are written as a word or a number where that says it all.

use crate::Workers;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

impl Serialize for Workers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Count(count) => serializer.serialize_u16(*count),
        }
    }
}

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Workers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto` or a number from 1 to 1024")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Workers, E> {
                match text {
                    "auto" => Ok(Workers::Auto),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Workers, E> {
                match u16::try_from(number) {
                    Ok(count @ 1..=1024) => Ok(Workers::Count(count)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Workers, E> {
                u64::try_from(number)
                    .map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
                    .and_then(|number| self.visit_u64(number))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Workers {
    fn schema_name() -> Cow<'static, str> {
        "Workers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": 1024 }] })
    }
}

/// Implements serde and the schema for a struct that is also written as one string.
///
/// `$short` makes it from the string; `$long` gives the string where that says all, else `None`; `$map`
/// is the struct with the same fields that serde derives for.
macro_rules! string_or_map {
    ($type:ident, $map:ident, $expecting:literal, $from:expr, $short:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let short: fn(&$type) -> Option<String> = $short;
                match short(self) {
                    Some(text) => serializer.serialize_str(&text),
                    None => $map::from(self.clone()).serialize(serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        let from: fn(&str) -> Result<$type, String> = $from;
                        from(text).map_err(E::custom)
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        $map::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(<$type>::from)
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let map = generator.subschema_for::<$map>();
                schemars::json_schema!({ "anyOf": [{ "type": "string" }, map] })
            }
        }
    };
}

pub(crate) use string_or_map;

/// Copies the fields of two structs that have the same.
macro_rules! same_fields {
    ($a:ident, $b:ident, { $($field:ident),* $(,)? }) => {
        impl From<$a> for $b {
            fn from(from: $a) -> Self {
                Self { $($field: from.$field),* }
            }
        }
        impl From<$b> for $a {
            fn from(from: $b) -> Self {
                Self { $($field: from.$field),* }
            }
        }
    };
}

pub(crate) use same_fields;
