//! `grpc_web`: calls of browsers (gRPC-Web) go on as calls of gRPC.

use crate::filter::{Filter, Step};
use crate::spec::Spec;
use bifrons_core::Result as FlowResult;
use bifrons_grpc::web::{self, Form};
use bifrons_http::message::forget_length;
use bifrons_http::{Body, Name, ReqCx, Request, RequestHead, Response, Transform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Translates gRPC-Web, as browsers speak it over HTTP/1.1 and HTTP/2, into gRPC and back, in both forms
/// (`application/grpc-web` and `application/grpc-web-text`). All other requests pass as they are. The route's
/// `proxy` must speak HTTP/2 (`http_version: "2"`). What browsers ask before a call to another origin (CORS) is
/// answered by routes and `response_headers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

impl Spec for Config {
    const NAME: &str = "grpc_web";
    const EXAMPLE: &str = "{}";

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        Ok(Arc::new(GrpcWeb))
    }
}

struct GrpcWeb;

/// How the client wrote its request, and what its messages are written in; `None` where that is no gRPC-Web.
fn asked(req: &RequestHead) -> Option<(Form, &[u8])> {
    Form::of(req.headers.originals(Name::ContentType).next()?)
}

impl Filter for GrpcWeb {
    fn request<'a>(&'a self, _cx: &'a mut ReqCx, req: &'a mut Request) -> Step<'a> {
        if let Some((_, rest)) = asked(&req.head) {
            let media = [b"application/grpc", rest].concat();
            let fields = &mut req.head.headers;
            fields.set(Name::ContentType.spelt("Content-Type"), &media);
            fields.set(Name::Te.spelt("TE"), b"trailers");
        }
        Step::Next
    }

    fn request_body(&self, _cx: &ReqCx, req: &mut RequestHead) -> Option<Box<dyn Transform>> {
        let (form, _) = asked(req)?;
        (form == Form::Text).then(|| Box::new(web::Decoder::default()) as Box<dyn Transform>)
    }

    fn whole(&self, _cx: &mut ReqCx, req: &RequestHead, res: &mut Response) -> FlowResult<()> {
        let Some((form, _)) = asked(req) else { return Ok(()) };
        let media = res.head.headers.get(Name::ContentType).unwrap_or_default();
        if !bifrons_grpc::is_call(media) || matches!(res.body, Body::Tunnel(_)) {
            return Ok(());
        }
        let rest = media.get(b"application/grpc".len()..).unwrap_or_default();
        let media = [form.media().as_bytes(), rest].concat();
        res.head.headers.set(Name::ContentType.spelt("Content-Type"), &media);
        // What ends with its head says there how.
        if !res.body.is_empty() {
            forget_length(&mut res.head.headers);
            res.body = Body::Source(Box::new(web::Answer::new(std::mem::take(&mut res.body), form)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
