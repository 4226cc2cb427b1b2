//! What leads a request from one route to another, error pages and files that are tried; and how redirects
//! of our own are written.

use bifrons_config::Template;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// What is answered in place of errors: of the proxy's own, of filters, of `respond` without a body, and
/// with `intercept_errors` of endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorPage {
    /// Statuses, 300 to 599.
    pub on: Vec<u16>,
    /// A path, which is routed again as a GET; `@name`, a named route, which keeps the method; or an URL,
    /// to which the client is redirected.
    pub to: Template,
    /// The status that is sent: `keep` (the error's), `answer` (that of what is found there), or a number.
    #[serde(default, skip_serializing_if = "PageStatus::is_default")]
    pub status: PageStatus,
}

/// The status an error page is sent with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageStatus {
    /// The error's.
    #[default]
    Keep,
    /// Its own.
    Answer,
    /// This.
    Set(u16),
}

impl PageStatus {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Serialize for PageStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep => serializer.serialize_str("keep"),
            Self::Answer => serializer.serialize_str("answer"),
            Self::Set(status) => serializer.serialize_u16(*status),
        }
    }
}

impl<'de> Deserialize<'de> for PageStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = PageStatus;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`keep`, `answer` or a status from 200 to 599")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PageStatus, E> {
                match text {
                    "keep" => Ok(PageStatus::Keep),
                    "answer" => Ok(PageStatus::Answer),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<PageStatus, E> {
                match u16::try_from(number) {
                    Ok(status @ 200..=599) => Ok(PageStatus::Set(status)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<PageStatus, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for PageStatus {
    fn schema_name() -> Cow<'static, str> {
        "PageStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The status an error page is sent with.",
            "anyOf": [
                { "type": "string", "enum": ["keep", "answer"] },
                { "type": "integer", "minimum": 200, "maximum": 599 },
            ],
        })
    }
}

/// Looks for files before the action: the path becomes that of the first that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TryFiles {
    /// Paths below the route's directory, in order. One with a `/` at its end is a directory.
    pub files: Vec<Template>,
    /// What comes when none is there: a path with an optional query, which is routed again; `@name`, a
    /// named route; or `=404`, a status.
    #[serde(rename = "else")]
    pub otherwise: Template,
}

/// How redirects of our own that name no host are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnRedirects {
    /// Whether they get protocol, host and port, or stay a path (RFC 9110 10.2.2 has both).
    pub absolute: bool,
    /// Whether the host is the first name of ours, and not what the client asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub server_name: bool,
    /// Whether the port is written where it is not the protocol's own.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub port: bool,
}

impl Default for OwnRedirects {
    fn default() -> Self {
        Self { absolute: false, server_name: false, port: true }
    }
}

impl OwnRedirects {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Media types of texts that a route answers with itself, by the extension of the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MediaTypes {
    /// File name extension to media type, besides the well-known ones.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub types: IndexMap<String, String>,
    /// Whether `types` are all there are, without the well-known ones.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only_types: bool,
    /// Media type of everything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_type: Option<String>,
}
