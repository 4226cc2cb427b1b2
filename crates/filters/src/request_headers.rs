//! `request_headers`: changes the fields of a request.

use crate::config::FieldEdits;
use crate::edits::Edits;
use crate::filter::{Filter, Step};
use crate::spec::Spec;
use bifrons_http::{ReqCx, Request};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Changes the fields of a request: `set`, `add`, `append`, `remove`, with variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Config(pub FieldEdits);

impl Spec for Config {
    const NAME: &str = "request_headers";
    const EXAMPLE: &str = r#"{ set: { X-Real-IP: $remote_addr }, remove: [X-Debug] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        Ok(Arc::new(RequestHeaders(Edits::build(&self.0)?)))
    }
}

struct RequestHeaders(Edits);

impl Filter for RequestHeaders {
    fn request<'a>(&'a self, cx: &'a mut ReqCx, req: &'a mut Request) -> Step<'a> {
        self.0.apply_request(cx, &mut req.head);
        Step::Next
    }
}
