//! What a route asks of a request beside the path: as it is configured, and compiled.

use crate::ipset::IpSet;
use crate::pattern::PathPattern;
use crate::text::{as_string, is_token_byte};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

mod compiled;
mod matcher;

pub use compiled::Compiled;
pub use matcher::{MatchRule, Matcher, MatcherError};

/// Conditions on a request. All fields that are given must hold.
///
/// ```yaml
/// method: [GET, HEAD]
/// headers: { x-version: "2", user-agent: { contains: bot, ignore_case: true } }
/// not: { client: [10.0.0.0/8] }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Methods, one of which it must be. `GET` does not include `HEAD`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "non_empty_list")]
    pub method: Vec<Method>,
    /// Paths, one of which it must match besides the route's own. They are compared with the normalised path
    /// as they are written.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "non_empty_list")]
    pub path: Vec<PathPattern>,
    /// Header fields by name. Where a field is repeated, one of its values must match.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "non_empty_map")]
    pub headers: BTreeMap<FieldName, Matcher>,
    /// Parameters of the query by name. The first of a name counts; `%XX` and `+` are decoded in names and
    /// values before they are compared.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "non_empty_map")]
    pub query: BTreeMap<String, Matcher>,
    /// Cookies by name. The first of a name counts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "non_empty_map")]
    pub cookies: BTreeMap<String, Matcher>,
    /// Addresses and CIDR blocks, one of which must hold the client's address.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "non_empty_set")]
    pub client: Option<IpSet>,
    /// Conditions that must all hold.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "non_empty_conditions")]
    pub all: Vec<Condition>,
    /// Conditions of which one must hold.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "non_empty_conditions")]
    pub any: Vec<Condition>,
    /// A condition that must not hold.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "non_empty_condition")]
    pub not: Option<Box<Condition>>,
}

impl Condition {
    /// Whether nothing is asked, so that it always holds.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The form that requests are tested with.
    pub fn compile(&self) -> Compiled {
        Compiled::new(self)
    }
}

/// A request method. Case counts (RFC 9110 9.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Method(Box<str>);

/// The name of a header field, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldName(Box<str>);

/// Why a text is no [`Method`] or no [`FieldName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a token (RFC 9110 5.6.2).
    #[error("`{0}` is not a name of letters, digits and !#$%&'*+-.^_`|~")]
    NotToken(String),
    /// A standard method in small letters.
    #[error("method `{0}` is in small letters, but case counts\nhelp: write `{1}`")]
    LowerCase(String, String),
}

/// Methods whose lower-case spelling is certainly a mistake (RFC 9110 9.3, RFC 5789).
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

impl Method {
    /// As it stands in a request.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FieldName {
    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Method {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let upper = text.to_ascii_uppercase();
        if upper != text && METHODS.contains(&upper.as_str()) {
            return Err(NameError::LowerCase(text.to_owned(), upper));
        }
        token(text).map(|text| Self(text.into()))
    }
}

impl FromStr for FieldName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        token(text).map(|text| Self(text.to_ascii_lowercase().into()))
    }
}

fn token(text: &str) -> Result<&str, NameError> {
    if text.is_empty() || !text.bytes().all(is_token_byte) {
        return Err(NameError::NotToken(text.to_owned()));
    }
    Ok(text)
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_string!(Method, "Method", "A request method, such as GET. Case counts.", ["GET", "POST"]);
as_string!(FieldName, "FieldName", "The name of a header field. Case does not count.", ["user-agent"]);

fn non_empty_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let list = Vec::<T>::deserialize(deserializer)?;
    if list.is_empty() {
        return Err(de::Error::custom("an empty list asks nothing\nhelp: leave the key out"));
    }
    Ok(list)
}

fn non_empty_map<'de, D, K>(deserializer: D) -> Result<BTreeMap<K, Matcher>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord,
{
    let map = BTreeMap::<K, Matcher>::deserialize(deserializer)?;
    if map.is_empty() {
        return Err(de::Error::custom("an empty map asks nothing\nhelp: leave the key out"));
    }
    Ok(map)
}

fn non_empty_set<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpSet>, D::Error> {
    let set = IpSet::deserialize(deserializer)?;
    if set.is_empty() {
        return Err(de::Error::custom("an empty list of addresses holds no client\nhelp: leave the key out"));
    }
    Ok(Some(set))
}

fn non_empty_conditions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Condition>, D::Error> {
    let conditions = non_empty_list::<D, Condition>(deserializer)?;
    if conditions.iter().any(Condition::is_empty) {
        return Err(de::Error::custom("one of the conditions is empty, so it always holds"));
    }
    Ok(conditions)
}

fn non_empty_condition<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<Condition>>, D::Error> {
    let condition = Condition::deserialize(deserializer)?;
    if condition.is_empty() {
        return Err(de::Error::custom("the condition is empty: it always holds, its opposite never"));
    }
    Ok(Some(Box::new(condition)))
}

#[cfg(test)]
mod tests;
