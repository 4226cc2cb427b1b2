//! `replication`: what nodes tell each other of their caches.

use bifrons_config::problem::HELP_MARK;
use bifrons_config::units::Dur;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Tells the other nodes of purges made here, and hears of theirs, through a stream in Redis or Valkey. A node that was
/// away gets what it missed; one that was away for longer than the stream holds empties its caches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replication {
    /// Where Redis is: `redis://:password@10.0.0.5:6379/0`.
    #[schemars(with = "String")]
    pub redis: RedisUrl,
    /// Key of the stream; nodes with the same one purge together.
    #[serde(default = "stream")]
    pub stream: String,
    /// How many purges the stream holds, the newest: those that a node may miss.
    #[serde(default = "length")]
    pub length: u32,
    /// How long connecting and each command may take.
    #[serde(default = "timeout")]
    pub timeout: Dur,
}

/// Where Redis is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedisUrl(String);

impl RedisUrl {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RedisUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest = text.strip_prefix("redis://").or_else(|| text.strip_prefix("redis+unix://"));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self(text)),
            // Without the text: it may hold a password.
            _ => Err(format!(
                "this is no address of Redis{HELP_MARK}write redis://:password@10.0.0.5:6379/0 or redis+unix:///run/redis.sock"
            )),
        }
    }
}

/// As it is shown: without the password.
impl From<RedisUrl> for String {
    fn from(url: RedisUrl) -> Self {
        let Some((before, host)) = url.0.rsplit_once('@') else { return url.0 };
        match before.split_once("://").map(|(scheme, user)| (scheme, user.split_once(':'))) {
            Some((scheme, Some((user, _)))) => format!("{scheme}://{user}:***@{host}"),
            _ => url.0,
        }
    }
}

fn stream() -> String {
    "bifrons:purges".to_owned()
}

/// 100,000: some 20 MiB, a purge a second for a day.
fn length() -> u32 {
    100_000
}

/// A second: Redis is near, and a purge waits for it nowhere.
fn timeout() -> Dur {
    Dur(Duration::from_secs(1))
}
