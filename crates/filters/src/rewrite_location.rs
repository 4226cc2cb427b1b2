//! `rewrite_location`: redirects that name the server behind the proxy are made to name the proxy.

use crate::filter::Filter;
use crate::spec::Spec;
use crate::value_rule::{Message, Rule, begins};
use bifrons_core::Result as FlowResult;
use bifrons_http::name::is_field_value;
use bifrons_http::vars::host_of;
use bifrons_http::{Name, ReqCx, RequestHead, ResponseHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::sync::Arc;

/// Rewrites `Location`, and the address in `Refresh`, of answers: nginx's `proxy_redirect`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RewriteLocation")]
pub struct Config {
    /// The first rule that fits is carried out. A text is compared with the beginning of the value.
    pub rules: Vec<Rule>,
    /// Whether a `Location` that was rewritten and begins with `/` gets the scheme and host of the request
    /// and the listener's port in front.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absolute: bool,
}

impl Spec for Config {
    const NAME: &str = "rewrite_location";
    const EXAMPLE: &str = r#"{ rules: [{ match: { text: "http://backend:8080/" }, to: / }] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if self.rules.is_empty() {
            return Err("there is no rule".to_owned());
        }
        Ok(Arc::new(RewriteLocation { rules: self.rules.clone(), absolute: self.absolute }))
    }
}

struct RewriteLocation {
    rules: Vec<Rule>,
    absolute: bool,
}

impl Filter for RewriteLocation {
    fn takes_requests(&self) -> bool {
        false
    }

    fn response(&self, cx: &mut ReqCx, req: &RequestHead, res: &mut ResponseHead) -> FlowResult<()> {
        if let Some(location) = res.headers.get(Name::Location) {
            let location = location.to_vec();
            if let Some(mut new) = (Message { cx, req, res }).apply(&self.rules, &location, begins)
                && is_field_value(&new)
            {
                if self.absolute && new.starts_with(b"/") {
                    new = absolute(cx, req, &new);
                }
                res.headers.set(Name::Location.spelt("Location"), &new);
            }
        }
        if let Some(refresh) = res.headers.get("refresh") {
            let refresh = refresh.to_vec();
            let Some(at) = find_url(&refresh) else { return Ok(()) };
            let (head, url) = refresh.split_at(at);
            if let Some(new) = (Message { cx, req, res }).apply(&self.rules, url, begins)
                && is_field_value(&new)
            {
                res.headers.remove("refresh");
                res.headers.append_as("Refresh", &[head, &new].concat());
            }
        }
        Ok(())
    }
}

/// Where the address begins in `5; url=http://…`.
fn find_url(refresh: &[u8]) -> Option<usize> {
    refresh.windows(4).position(|part| part.eq_ignore_ascii_case(b"url=")).map(|at| at + 4)
}

/// The path with scheme, host and port in front: as the client named the host, with the port it came by.
fn absolute(cx: &ReqCx, req: &RequestHead, path: &[u8]) -> Vec<u8> {
    let scheme = cx.conn.scheme();
    let mut out = format!("{scheme}://").into_bytes();
    let host = host_of(req.authority());
    match (host.is_empty(), &cx.server_name) {
        (true, Some(name)) => out.extend_from_slice(name.as_bytes()),
        _ => out.extend(host.iter().map(u8::to_ascii_lowercase)),
    }
    let usual = if cx.conn.tls.is_some() { 443 } else { 80 };
    if let Some(port) = cx.conn.local.get().copied().flatten().map(|addr| addr.port())
        && port != usual
    {
        let _ = write!(out, ":{port}");
    }
    out.extend_from_slice(path);
    out
}

#[cfg(test)]
mod tests;
