//! `strict_transport_security`: browsers are told to come by HTTPS only (HSTS, RFC 6797).

use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_config::units::Dur;
use bifrons_core::Result as FlowResult;
use bifrons_http::{Name, ReqCx, RequestHead, ResponseHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A year: the least that lists of browsers demand (hstspreload.org).
const PRELOAD_AGE_MIN: Duration = Duration::from_secs(365 * 86_400);

/// Sends `Strict-Transport-Security` with all answers over TLS, in place of one that the endpoint sent; over plain
/// text it is removed, as RFC 6797 7.2 demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "StrictTransportSecurity")]
pub struct Config {
    /// For how long browsers remember it; 0 makes them forget it.
    pub max_age: Dur,
    /// Whether it holds for all names below this one too.
    pub include_subdomains: bool,
    /// Whether the name may stand in the lists that browsers are shipped with, from which there is no quick way
    /// back. Needs `include_subdomains` and a year at least.
    pub preload: bool,
}

impl Default for Config {
    fn default() -> Self {
        // What Mozilla's guideline has, two years.
        Self { max_age: Dur(Duration::from_secs(63_072_000)), include_subdomains: false, preload: false }
    }
}

impl Spec for Config {
    const NAME: &str = "strict_transport_security";
    const EXAMPLE: &str = r#"{ max_age: 365d, include_subdomains: true }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if self.preload && (!self.include_subdomains || self.max_age.0 < PRELOAD_AGE_MIN) {
            return Err(format!(
                "`preload` with a max_age of {} needs `include_subdomains: true` and `max_age: 365d` at least",
                self.max_age
            ));
        }
        let mut value = format!("max-age={}", self.max_age.0.as_secs());
        for (is_on, text) in [(self.include_subdomains, "; includeSubDomains"), (self.preload, "; preload")] {
            if is_on {
                value.push_str(text);
            }
        }
        Ok(Arc::new(StrictTransportSecurity { value: value.into_bytes() }))
    }
}

struct StrictTransportSecurity {
    value: Vec<u8>,
}

impl Filter for StrictTransportSecurity {
    fn takes_requests(&self) -> bool {
        false
    }

    fn response(&self, cx: &mut ReqCx, _: &RequestHead, res: &mut ResponseHead) -> FlowResult<()> {
        match cx.conn.tls {
            Some(_) => {
                let key = Name::StrictTransportSecurity.spelt("Strict-Transport-Security");
                res.headers.set(key, &self.value);
            }
            None => {
                res.headers.remove(Name::StrictTransportSecurity);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
