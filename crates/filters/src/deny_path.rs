//! `deny_path`: answers 403 under the given path prefixes.

use crate::filter::{Filter, Step};
use crate::spec::Spec;
use bifrons_http::{ReqCx, Request, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Refuses requests whose path starts with one of `prefixes`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Prefixes to refuse, each beginning with `/`; whole segments. Compared after normalisation.
    pub prefixes: Vec<String>,
}

impl Spec for Config {
    const NAME: &str = "deny_path";
    const EXAMPLE: &str = r#"{ prefixes: [/.git, /internal] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        match self.prefixes.iter().find(|prefix| !prefix.starts_with('/')) {
            Some(prefix) => Err(format!("prefix \"{prefix}\" must begin with \"/\"")),
            None => Ok(Arc::new(DenyPath { prefixes: self.prefixes.clone() })),
        }
    }
}

/// The running filter: immutable, shared by all workers.
struct DenyPath {
    prefixes: Vec<String>,
}

impl Filter for DenyPath {
    fn request<'a>(&'a self, cx: &'a mut ReqCx, req: &'a mut Request) -> Step<'a> {
        let path = cx.path.as_deref().unwrap_or(req.head.path());
        if self.prefixes.iter().any(|prefix| covers(prefix.as_bytes(), path)) {
            return Step::Reply(Box::new(Response::empty(403)));
        }
        Step::Next
    }
}

/// `/a` covers `/a` and `/a/b`, not `/ab`.
fn covers(prefix: &[u8], path: &[u8]) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => prefix.ends_with(b"/") || matches!(rest, [] | [b'/', ..]),
        None => false,
    }
}

#[cfg(test)]
mod tests;
