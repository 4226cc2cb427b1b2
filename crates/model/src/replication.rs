//! `replication`: what nodes tell each other of their caches.

use bifrons_config::problem::HELP_MARK;
use bifrons_config::units::Dur;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;

/// Tells the other nodes of purges made here, and hears of theirs, through a stream in Redis or Valkey. A node that was
/// away gets what it missed; one that was away for longer than the stream holds empties its caches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replication {
    /// Where Redis is: `redis://:password@10.0.0.5:6379/0`; with `rediss://` by TLS.
    #[schemars(with = "String")]
    pub redis: RedisUrl,
    /// What both sides prove by TLS. The files are read anew for every connection.
    #[serde(default, skip_serializing_if = "RedisTls::is_default")]
    pub tls: RedisTls,
    /// Key of the stream; nodes with the same one purge together.
    #[serde(default = "stream")]
    pub stream: String,
    /// How many purges the stream holds, the newest: those that a node may miss.
    #[serde(default = "length")]
    pub length: NonZeroU32,
    /// How long connecting and each command may take.
    #[serde(default = "timeout")]
    pub timeout: Dur,
}

/// What both sides of an encrypted link to Redis prove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedisTls {
    /// A file with the certificates of authorities that may vouch for Redis, in PEM; the system's where nothing is
    /// said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Our own certificate, in PEM, which Redis asks for where it is not told otherwise (`tls-auth-clients`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// Its key, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl RedisTls {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Replication {
    /// What is said twice or by half.
    ///
    /// # Errors
    /// Why it can't be so.
    pub fn check(&self) -> Result<(), String> {
        if self.tls.cert.is_some() != self.tls.key.is_some() {
            return Err(format!("`cert` and `key` belong together{HELP_MARK}write both, or neither"));
        }
        if !self.tls.is_default() && !self.redis.is_encrypted() {
            return Err(format!("`tls` is for `rediss://`{HELP_MARK}write rediss:// in `redis`"));
        }
        Ok(())
    }
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

    /// Whether it is spoken to by TLS.
    pub fn is_encrypted(&self) -> bool {
        self.0.starts_with("rediss://")
    }
}

impl TryFrom<String> for RedisUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rest =
            ["redis://", "rediss://", "redis+unix://"].iter().find_map(|begin| text.strip_prefix(begin));
        if text.ends_with("#insecure") {
            return Err(format!(
                "the link to Redis can't go unproven{HELP_MARK}name its authority in `tls.ca`"
            ));
        }
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self(text)),
            // Without the text: it may hold a password.
            _ => Err(format!(
                "this is no address of Redis{HELP_MARK}write redis://:password@10.0.0.5:6379/0, rediss://:password@redis.example:6380/0 or redis+unix:///run/redis.sock"
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
fn length() -> NonZeroU32 {
    const { NonZeroU32::new(100_000).unwrap() }
}

/// A second: Redis is near, and a purge waits for it nowhere.
fn timeout() -> Dur {
    Dur(Duration::from_secs(1))
}
