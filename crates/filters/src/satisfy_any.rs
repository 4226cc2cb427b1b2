//! `satisfy_any`: several filters of which one must let the request pass.

use crate::FilterConfig;
use crate::access::FORBIDDEN;
use crate::filter::{Filter, Step};
use crate::spec::Spec;
use bifrons_core::Result as FlowResult;
use bifrons_http::{ReqCx, Request, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Lets a request pass when one of the filters does (nginx's `satisfy any`): from a known address, say, or
/// with a password. An `access` without a rule for the client has no say. When all others refuse the request, it gets the answer of the one that asks for a password (401), else the
/// last one's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The filters, asked in order: `access`, `basic_auth`.
    pub filters: Vec<FilterConfig>,
}

impl Spec for Config {
    const NAME: &str = "satisfy_any";
    const EXAMPLE: &str = r#"{ filters: [{ access: { rules: [{ allow: 10.0.0.0/8 }, { deny: all }] } }, { basic_auth: { realm: office, file: /etc/bifrons/users } }] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if self.filters.is_empty() {
            return Err("without filters nothing can let a request pass".to_owned());
        }
        let decides = |filter: &&FilterConfig| {
            !matches!(
                filter,
                FilterConfig::Access(_) | FilterConfig::BasicAuth(_) | FilterConfig::SatisfyAny(_)
            )
        };
        if let Some(other) = self.filters.iter().find(decides) {
            return Err(format!("`{}` does not decide whether a request may pass", other.name()));
        }
        let filters = self.filters.iter().map(FilterConfig::build).collect::<Result<_, _>>()?;
        Ok(Arc::new(SatisfyAny { filters }))
    }
}

/// The running filter.
struct SatisfyAny {
    filters: Box<[Arc<dyn Filter>]>,
}

impl SatisfyAny {
    async fn ask(&self, cx: &mut ReqCx, req: &mut Request) -> FlowResult<Option<Response>> {
        let mut refusal: Option<Response> = None;
        for filter in &self.filters {
            // Who has no rule for the client does not vouch for him.
            if !filter.has_say(cx, req) {
                continue;
            }
            let answer = match filter.request(cx, req) {
                Step::Reply(answer) => Some(*answer),
                Step::Wait(waiting) => waiting.await?,
                // Only filters that decide are here, and none of them leads elsewhere.
                Step::Next | Step::Turn(_) => None,
            };
            match answer {
                None => {
                    cx.denied = None;
                    return Ok(None);
                }
                // What failed, and did not refuse, ends it.
                Some(answer) if !matches!(answer.head.status, 401 | 403) => return Ok(Some(answer)),
                Some(answer) if refusal.as_ref().is_none_or(|refusal| refusal.head.status != 401) => {
                    refusal = Some(answer);
                }
                Some(_) => {}
            }
        }
        // As in nginx, a rule that forbids is not told of where another might have let the client in.
        if cx.denied.as_deref() == Some(FORBIDDEN) {
            cx.denied = None;
        }
        Ok(refusal)
    }
}

impl Filter for SatisfyAny {
    fn request<'a>(&'a self, cx: &'a mut ReqCx, req: &'a mut Request) -> Step<'a> {
        Step::Wait(Box::pin(self.ask(cx, req)))
    }
}

#[cfg(test)]
mod tests;
