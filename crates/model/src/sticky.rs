//! Sticky sessions: requests of one session go to one endpoint, whatever the policy would pick.

use bifrons_config::Template;
use bifrons_config::units::Dur;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How requests of one session are known, and where their endpoint is noted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sticky {
    /// In a cookie that the proxy sets: an endpoint's `route`, or the MD5 of its address.
    Cookie(StickyCookie),
    /// In variables: the first that is not empty names an endpoint by its `route`.
    Route(Vec<Template>),
    /// In the proxy's memory: sessions that endpoints begin.
    Learn(StickyLearn),
}

/// The cookie that names a session's endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StickyCookie {
    /// Its name.
    pub name: String,
    /// How long a browser keeps it; for the session where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Dur>,
    /// `Domain`, with variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Template>,
    /// `Path`, with variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Template>,
    /// Whether scripts cannot read it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub httponly: bool,
    /// Whether it is sent over TLS only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secure: bool,
    /// `SameSite`: `Strict`, `Lax` or `None`, or a variable of that value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samesite: Option<Template>,
}

/// Sessions that are learnt from answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StickyLearn {
    /// What names a new session, after the head of an answer: the first that is not empty, such as
    /// `$upstream_cookie_session`.
    pub create: Vec<Template>,
    /// What names the session of a request: the first that is not empty, such as `$cookie_session`.
    pub lookup: Vec<Template>,
    /// Sessions that are remembered; beyond that the oldest are forgotten.
    #[serde(default = "sessions", skip_serializing_if = "is_sessions")]
    pub sessions: u32,
    /// How long a session is remembered after its last request.
    #[serde(default = "timeout", skip_serializing_if = "is_timeout")]
    pub timeout: Dur,
}

/// What nginx keeps in a megabyte, sixteen times: some 6 MB when full.
fn sessions() -> u32 {
    64_000
}

fn is_sessions(count: &u32) -> bool {
    *count == sessions()
}

/// nginx's.
fn timeout() -> Dur {
    Dur(Duration::from_secs(600))
}

fn is_timeout(dur: &Dur) -> bool {
    *dur == timeout()
}
