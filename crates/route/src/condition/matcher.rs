//! What one value is compared with.

use crate::regex::{Case, Regex, RegexError};
use memchr::memmem::Finder;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A test of one value: a text that it must equal, or a [`MatchRule`].
#[derive(Clone)]
pub struct Matcher {
    rule: MatchRule,
    test: Test,
}

/// A test of one value. Exactly one of `exact`, `prefix`, `suffix`, `contains`, `regex`, `present` is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MatchRule {
    /// The whole value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// What the value begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What the value ends with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// What stands somewhere in the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A regular expression, matched anywhere in the value unless anchored with `^` and `$`; without
    /// look-around and back-references.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// `true`: it must be there, whatever its value. `false`: it must not be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub present: Option<bool>,
    /// Whether `a` and `A` (ASCII) are one. Off by default.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
}

/// Why a [`MatchRule`] makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// None of the tests, or several.
    #[error(
        "a matcher has {0} tests, but needs exactly one\nhelp: give one of `exact`, `prefix`, `suffix`, \
         `contains`, `regex`, `present`"
    )]
    Tests(usize),
    /// `prefix: ""` and the like.
    #[error("an empty `{0}` matches every value\nhelp: write `present: true`")]
    EmptyText(&'static str),
    /// Nothing to compare.
    #[error("`ignore_case` has no effect beside `present`\nhelp: leave it out")]
    UselessCase,
    /// The regex does not compile.
    #[error(transparent)]
    Regex(#[from] RegexError),
}

/// The compiled form.
#[derive(Clone)]
pub(super) enum Test {
    Present,
    Absent,
    Exact(Box<[u8]>, Case),
    Prefix(Box<[u8]>, Case),
    Suffix(Box<[u8]>, Case),
    Contains(Box<Finder<'static>>),
    Regex(Regex),
}

impl Matcher {
    /// The value must be `text`.
    pub fn exact(text: &str) -> Self {
        let rule = MatchRule { exact: Some(text.to_owned()), ..MatchRule::default() };
        Self { rule, test: Test::Exact(text.as_bytes().into(), Case::Sensitive) }
    }

    /// As it was written.
    pub fn rule(&self) -> &MatchRule {
        &self.rule
    }

    pub(super) fn test(&self) -> &Test {
        &self.test
    }
}

impl TryFrom<MatchRule> for Matcher {
    type Error = MatcherError;

    fn try_from(rule: MatchRule) -> Result<Self, MatcherError> {
        let test = compile(&rule)?;
        Ok(Self { rule, test })
    }
}

fn compile(rule: &MatchRule) -> Result<Test, MatcherError> {
    let case = if rule.ignore_case { Case::Ignore } else { Case::Sensitive };
    let MatchRule { exact, prefix, suffix, contains, regex, present, ignore_case } = rule;
    let texts =
        [("exact", exact), ("prefix", prefix), ("suffix", suffix), ("contains", contains), ("regex", regex)];
    let mut given = texts.iter().filter_map(|(kind, text)| Some((*kind, text.as_deref()?)));
    let count = given.clone().count() + usize::from(present.is_some());
    if count != 1 {
        return Err(MatcherError::Tests(count));
    }
    if let Some(present) = present {
        return match (present, ignore_case) {
            (_, true) => Err(MatcherError::UselessCase),
            (true, false) => Ok(Test::Present),
            (false, false) => Ok(Test::Absent),
        };
    }
    let Some((kind, text)) = given.next() else { return Err(MatcherError::Tests(0)) };
    if text.is_empty() && kind != "exact" {
        return Err(MatcherError::EmptyText(kind));
    }
    let bytes = || text.as_bytes().into();
    Ok(match (kind, case) {
        ("exact", _) => Test::Exact(bytes(), case),
        ("prefix", _) => Test::Prefix(bytes(), case),
        ("suffix", _) => Test::Suffix(bytes(), case),
        ("contains", Case::Sensitive) => Test::Contains(Box::new(Finder::new(text).into_owned())),
        // By regex, because trying each place would take time that grows with the product of both lengths.
        ("contains", Case::Ignore) => Test::Regex(Regex::linear(&regex_syntax::escape(text), case)?),
        _ => Test::Regex(Regex::linear(text, case)?),
    })
}

impl Test {
    /// Whether a value that is there passes.
    pub(super) fn accepts(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Absent => false,
            Self::Exact(text, case) => same(text, value, *case),
            Self::Prefix(text, case) => value.get(..text.len()).is_some_and(|start| same(text, start, *case)),
            Self::Suffix(text, case) => value
                .len()
                .checked_sub(text.len())
                .and_then(|at| value.get(at..))
                .is_some_and(|end| same(text, end, *case)),
            Self::Contains(finder) => finder.find(value).is_some(),
            // Linear, so it never fails.
            Self::Regex(regex) => regex.try_is_match(value).unwrap_or(false),
        }
    }
}

fn same(a: &[u8], b: &[u8], case: Case) -> bool {
    match case {
        Case::Sensitive => a == b,
        Case::Ignore => a.eq_ignore_ascii_case(b),
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.rule == other.rule
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rule.fmt(f)
    }
}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.rule {
            MatchRule { exact: Some(text), ignore_case: false, .. } => serializer.serialize_str(text),
            rule => rule.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrRule;
        impl<'de> de::Visitor<'de> for TextOrRule {
            type Value = Matcher;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a text (in quotes where it looks like a number or yes/no), or a map with one of `exact`, \
                     `prefix`, `suffix`, `contains`, `regex`, `present`",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Matcher, E> {
                Ok(Matcher::exact(text))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Matcher, A::Error> {
                let rule = MatchRule::deserialize(de::value::MapAccessDeserializer::new(map))?;
                rule.try_into().map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(TextOrRule)
    }
}

impl schemars::JsonSchema for Matcher {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Matcher".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let rule = generator.subschema_for::<MatchRule>();
        schemars::json_schema!({
            "description": "A text that the value must equal, or a map with another test.",
            "anyOf": [{ "type": "string" }, rule],
        })
    }
}
