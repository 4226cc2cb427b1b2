//! `in_flight`: how many requests, connections or sessions of one client, or of whatever else, there are at once.

mod zone;

use crate::filter::{Filter, Step};
use crate::spec::Spec;
use bifrons_config::Template;
use bifrons_http::cx::{self, Limited, LimitedHow};
use bifrons_http::vars::Scope;
use bifrons_http::{ReqCx, Request, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zone::Zone;

/// 255 bytes: the longest value that is counted, as in nginx. Longer ones pass, and are not.
const KEY_BYTES_MAX: usize = 255;
/// 160,000 values a zone: nginx's 10 MB.
const KEYS_MAX: usize = 160_000;

/// Limits how many requests with the same value of a key are served at once; on layer 4 how many connections or
/// sessions there are. What is beyond that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "InFlight")]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The limits, all of which must have room.
    pub limits: Vec<Limit>,
    /// The answer to what is refused, 400 to 599. On layer 4 it is in the log only.
    #[serde(default = "status")]
    pub status: u16,
    /// Whether nothing is refused, and only told what would be: in the log, and in `$limit_conn_status`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// How severe it is that something is refused, for error logs in nginx's form.
    #[serde(default, skip_serializing_if = "Severity::is_error")]
    pub severity: Severity,
}

/// How severe it is that something is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Clients do that.
    Info,
    /// Worth a look.
    Notice,
    /// It may become more.
    Warn,
    /// Somebody should look.
    #[default]
    Error,
}

impl Severity {
    fn is_error(&self) -> bool {
        *self == Self::Error
    }
}

impl From<Severity> for cx::Severity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Notice => Self::Notice,
            Severity::Warn => Self::Warn,
            Severity::Error => Self::Error,
        }
    }
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// What is counted by, such as `$binary_remote_addr`. Where it is empty, nothing is counted.
    pub key: Template,
    /// At most so many at once.
    pub max: u32,
    /// The name of the counts: limits with the same name share them, in whatever route or host, and over reloads.
    pub zone: String,
    /// How many different values are counted at once; what comes with further ones is refused.
    #[serde(default = "keys", skip_serializing_if = "is_default_keys")]
    pub keys: usize,
}

fn status() -> u16 {
    503
}

fn keys() -> usize {
    KEYS_MAX
}

fn is_default_keys(keys: &usize) -> bool {
    *keys == KEYS_MAX
}

impl Spec for Config {
    const NAME: &str = "in_flight";
    const EXAMPLE: &str = r#"{ limits: [{ key: $binary_remote_addr, max: 20, zone: clients }] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if self.limits.is_empty() {
            return Err("without `limits` nothing is limited".to_owned());
        }
        if !(400..600).contains(&self.status) {
            return Err(format!("status {} is not between 400 and 599", self.status));
        }
        if let Some(limit) = self.limits.iter().find(|limit| limit.max == 0 || limit.keys == 0) {
            return Err(format!("zone \"{}\" with `max` or `keys` 0 would let nothing pass", limit.zone));
        }
        let limits = self.limits.iter().map(|limit| Running {
            key: limit.key.clone(),
            max: limit.max,
            zone: zone::of(&limit.zone, limit.keys),
        });
        Ok(Arc::new(InFlight {
            limits: limits.collect(),
            status: self.status,
            dry_run: self.dry_run,
            severity: self.severity.into(),
        }))
    }
}

/// The running filter.
struct InFlight {
    limits: Box<[Running]>,
    status: u16,
    dry_run: bool,
    severity: cx::Severity,
}

struct Running {
    key: Template,
    max: u32,
    zone: Arc<Zone>,
}

impl InFlight {
    /// Takes a place in each zone; the name of one that has none left.
    fn enter(&self, cx: &mut ReqCx, req: &Request) -> Result<(), Arc<str>> {
        let mut places = Vec::new();
        for limit in &self.limits {
            let mut key = Vec::new();
            limit.key.render(&Scope { cx, req: &req.head, res: None }, &mut key);
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                continue;
            }
            // Those that were taken before are given back where one is missing.
            let place = limit.zone.enter(&key, limit.max).ok_or_else(|| limit.zone.name().clone())?;
            places.push(place);
        }
        if !places.is_empty() {
            cx.limited = Some(Limited { zone: None, how: LimitedHow::Passed, severity: self.severity });
            cx.held.push(Box::new(places));
        }
        Ok(())
    }
}

impl Filter for InFlight {
    fn request<'a>(&'a self, cx: &'a mut ReqCx, req: &'a mut Request) -> Step<'a> {
        // It counts once, however often it is routed.
        if cx.limited.is_some() {
            return Step::Next;
        }
        let Err(zone) = self.enter(cx, req) else { return Step::Next };
        let how = if self.dry_run { LimitedHow::WouldBeRejected } else { LimitedHow::Rejected };
        tracing::debug!(client = ?cx.client, %zone, dry_run = self.dry_run, "too many in flight");
        cx.limited = Some(Limited { zone: Some(zone), how, severity: self.severity });
        match self.dry_run {
            true => Step::Next,
            false => Step::Reply(Box::new(Response::empty(self.status))),
        }
    }
}

#[cfg(test)]
mod tests;
