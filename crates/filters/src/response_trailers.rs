//! `response_trailers`: fields behind the body of a response (RFC 9110 6.5), as nginx's `add_trailer`.

use crate::config::FieldEdits;
use crate::edits::Edits;
use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_config::Template;
use bifrons_core::Result as FlowResult;
use bifrons_http::status::is_bodiless;
use bifrons_http::{Headers, Method, ReqCx, RequestHead, ResponseHead, Transform, Version};
use bytes::Bytes;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Adds fields behind the body of a response, which is sent in chunks for that. Clients of HTTP/1.0, and
/// answers without a body, get none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name to value; variables are those that are known when the answer begins. An empty value adds nothing.
    pub add: IndexMap<String, Template>,
    /// Statuses that get them; all where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<u16>,
}

impl Spec for Config {
    const NAME: &str = "response_trailers";
    const EXAMPLE: &str = r#"{ add: { Served-By: $hostname } }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        let edits = Edits::build(&FieldEdits { add: self.add.clone(), ..FieldEdits::default() })?;
        if edits.is_empty() {
            return Err("without `add` nothing is added".to_owned());
        }
        Ok(Arc::new(ResponseTrailers { edits, statuses: self.statuses.clone() }))
    }
}

struct ResponseTrailers {
    edits: Edits,
    statuses: Vec<u16>,
}

impl Filter for ResponseTrailers {
    fn takes_requests(&self) -> bool {
        false
    }

    fn response(&self, _cx: &mut ReqCx, _req: &RequestHead, _res: &mut ResponseHead) -> FlowResult<()> {
        Ok(())
    }

    fn response_body(
        &self,
        cx: &ReqCx,
        req: &RequestHead,
        res: &mut ResponseHead,
    ) -> Option<Box<dyn Transform>> {
        let fits = self.statuses.is_empty() || self.statuses.contains(&res.status);
        let has_room =
            req.version != Version::Http10 && req.method() != Method::Head && !is_bodiless(res.status);
        if !fits || !has_room {
            return None;
        }
        let mut trailers = ResponseHead::new(res.status);
        self.edits.render_response(cx, req, res, &mut trailers.headers);
        (!trailers.headers.is_empty()).then(|| Box::new(Behind(Some(trailers.headers))) as Box<dyn Transform>)
    }
}

/// Passes a body as it is, with fields behind it.
struct Behind(Option<Headers>);

impl Transform for Behind {
    fn piece(&mut self, piece: Bytes) -> FlowResult<Bytes> {
        Ok(piece)
    }

    fn end(&mut self) -> FlowResult<Bytes> {
        Ok(Bytes::new())
    }

    fn trailers(&mut self) -> Option<Headers> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests;
