//! `fault`: delays or refuses a share of the requests, to see what depends on them (as Envoy's).

use crate::filter::{Filter, Step};
use crate::spec::Spec;
use bifrons_config::{Dur, Ratio};
use bifrons_http::status::is_bodiless;
use bifrons_http::{ReqCx, Request, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// 5 minutes: longer than clients wait; a request held for longer only takes up room.
const DELAY_MAX: Duration = Duration::from_secs(300);

/// Delays a share of the requests, answers them with an error, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long the request waits before it goes on, at most 5 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Dur>,
    /// The answer it gets, after the delay, instead of going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort: Option<Abort>,
    /// The share of requests that this happens to; all where nothing is said.
    #[serde(skip_serializing_if = "is_all")]
    pub percent: Ratio,
}

impl Default for Config {
    fn default() -> Self {
        Self { delay: None, abort: None, percent: Ratio::ALL }
    }
}

fn is_all(percent: &Ratio) -> bool {
    *percent == Ratio::ALL
}

/// The answer to a refused request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// Its status, 200 to 599.
    pub status: u16,
}

impl Spec for Config {
    const NAME: &str = "fault";
    const EXAMPLE: &str = r#"{ delay: 100ms, abort: { status: 503 }, percent: 5% }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if self.delay.is_none() && self.abort.is_none() {
            return Err("without `delay` and `abort` nothing happens".to_owned());
        }
        let delay = self.delay.unwrap_or_default();
        if delay.0 > DELAY_MAX {
            return Err(format!("a delay of {delay} is longer than {}", Dur(DELAY_MAX)));
        }
        let status = self.abort.as_ref().map(|abort| abort.status);
        if let Some(status) = status
            && !(200..600).contains(&status)
        {
            return Err(format!("status {status} is not between 200 and 599"));
        }
        Ok(Arc::new(Fault { delay: delay.0, status, billionths: self.percent.billionths() }))
    }
}

/// The running filter.
struct Fault {
    delay: Duration,
    status: Option<u16>,
    billionths: u32,
}

impl Fault {
    fn strikes(&self) -> bool {
        fastrand::u32(..Ratio::ALL.billionths()) < self.billionths
    }

    fn answer(&self) -> Option<Response> {
        self.status.map(|status| match is_bodiless(status) {
            true => Response::empty(status),
            false => Response::full(status, "text/plain", "a fault, as configured\n"),
        })
    }
}

impl Filter for Fault {
    fn request<'a>(&'a self, _cx: &'a mut ReqCx, _req: &'a mut Request) -> Step<'a> {
        if !self.strikes() {
            return Step::Next;
        }
        if !self.delay.is_zero() {
            return Step::Wait(Box::pin(async {
                tokio::time::sleep(self.delay).await;
                Ok(self.answer())
            }));
        }
        match self.answer() {
            Some(answer) => Step::Reply(Box::new(answer)),
            None => Step::Next,
        }
    }
}

#[cfg(test)]
mod tests;
