//! Active checks: endpoints are asked whether they are well, apart from real requests.

use bifrons_config::At;
use bifrons_config::units::Dur;
use bifrons_route::Regex;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How endpoints are asked whether they are well. Each is asked on its own, once for the whole process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheck {
    /// What is asked for by GET. Empty: it is enough that a connection can be made.
    pub path: String,
    /// In place of a path: the standard health service of gRPC is asked, over HTTP/2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcCheck>,
    /// The `Host` that is sent; the cluster's name where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port that is asked, where it is not the endpoint's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Time between two checks of an endpoint.
    pub interval: Dur,
    /// Up to how much longer the time is, at random, so that checks spread.
    pub jitter: Dur,
    /// How long a check may take, from connecting to the last byte that is looked at.
    pub timeout: Dur,
    /// Checks in a row that must succeed before an endpoint that is out serves again.
    pub healthy: u32,
    /// Checks in a row that must fail before an endpoint is taken out.
    pub unhealthy: u32,
    /// Whether an endpoint serves only once its first check has succeeded.
    pub mandatory: bool,
    /// What makes an answer a good one.
    pub expect: Expect,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: "/".into(),
            grpc: None,
            host: None,
            port: None,
            // nginx's and HAProxy's neighbourhood (5 s, 2 s): found within seconds, no load.
            interval: Dur(Duration::from_secs(5)),
            jitter: Dur(Duration::ZERO),
            timeout: Dur(Duration::from_secs(5)),
            healthy: 1,
            unhealthy: 1,
            mandatory: false,
            expect: Expect::default(),
        }
    }
}

/// How the standard health service (`grpc.health.v1.Health/Check`) is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcCheck {
    /// The service that is asked after; the server as a whole where nothing is said. It must be `SERVING`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// A status of the call, other than 0, that is a good answer too: 12 for servers without a health service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// What makes the answer to a check a good one. All of it must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Its status: one of these numbers or ranges, `200` or `200-399`; with `!` in front none of them.
    pub status: Vec<At<String>>,
    /// Fields by name.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, ExpectField>,
    /// A regular expression that its body matches, within the first 256 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Regex>,
    /// A regular expression that its body does not match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_not: Option<Regex>,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            status: vec![At::from("200-399".to_owned())],
            headers: IndexMap::new(),
            body: None,
            body_not: None,
        }
    }
}

/// What a field of the answer must be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExpectField {
    /// There, or not there.
    Present(bool),
    /// This.
    Is(String),
    /// Anything but this, or not there.
    Not(String),
    /// Matched by this regular expression.
    Matches(Regex),
    /// Not matched by this regular expression, or not there.
    MatchesNot(Regex),
}

/// Numbers and ranges of a status, and whether it must be one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRule {
    ranges: Vec<(u16, u16)>,
    among: bool,
}

impl StatusRule {
    /// Reads `["200-399", "404"]` or `["!500-599"]`.
    ///
    /// # Errors
    /// The first text that is neither a number nor a range.
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut rule = Self { ranges: Vec::new(), among: true };
        for text in texts {
            let bare = text.trim_start_matches('!').trim();
            rule.among &= !text.starts_with('!');
            if bare.is_empty() {
                continue;
            }
            let (first, last) = bare.split_once('-').unwrap_or((bare, bare));
            match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) if (100..=999).contains(&first) && first <= last && last <= 999 => {
                    rule.ranges.push((first, last));
                }
                _ => return Err(format!("\"{text}\" is no status, and no range such as \"200-399\"")),
            }
        }
        Ok(rule)
    }

    /// Whether the status is a good one; any is where no rule was given.
    pub fn allows(&self, status: u16) -> bool {
        let is_listed = self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&status));
        self.ranges.is_empty() || is_listed == self.among
    }
}

#[cfg(test)]
mod tests;
