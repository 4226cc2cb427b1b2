//! `response_headers`: changes the fields of a response.

use crate::config::FieldEdits;
use crate::edits::Edits;
use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_core::Result as FlowResult;
use bifrons_http::{ReqCx, RequestHead, ResponseHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Changes the fields of a response: `set`, `add`, `append`, `remove`, with variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Names to remove.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Name to the one value it has from then on; an empty value removes the field.
    #[serde(skip_serializing_if = "indexmap::IndexMap::is_empty")]
    pub set: indexmap::IndexMap<String, bifrons_config::Template>,
    /// Name to a further value, in a field of its own.
    #[serde(skip_serializing_if = "indexmap::IndexMap::is_empty")]
    pub add: indexmap::IndexMap<String, bifrons_config::Template>,
    /// Name to a value appended to the existing one after a comma.
    #[serde(skip_serializing_if = "indexmap::IndexMap::is_empty")]
    pub append: indexmap::IndexMap<String, bifrons_config::Template>,
    /// Statuses that are changed; all where nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
}

impl Config {
    /// The statuses of nginx's `add_header` without `always`.
    pub const NGINX_STATUSES: [u16; 10] = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];
}

impl Spec for Config {
    const NAME: &str = "response_headers";
    const EXAMPLE: &str = r#"{ set: { X-Frame-Options: DENY }, remove: [X-Powered-By] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        let edits = Edits::build(&FieldEdits {
            remove: self.remove.clone(),
            set: self.set.clone(),
            add: self.add.clone(),
            append: self.append.clone(),
        })?;
        Ok(Arc::new(ResponseHeaders { edits, statuses: self.statuses.clone() }))
    }
}

struct ResponseHeaders {
    edits: Edits,
    statuses: Vec<u16>,
}

impl Filter for ResponseHeaders {
    fn takes_requests(&self) -> bool {
        false
    }

    fn response(&self, cx: &mut ReqCx, req: &RequestHead, res: &mut ResponseHead) -> FlowResult<()> {
        if self.statuses.is_empty() || self.statuses.contains(&res.status) {
            self.edits.apply_response(cx, req, res);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
