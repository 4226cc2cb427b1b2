//! `charset`: says in `Content-Type` which characters a text is written in, as nginx's directive does.
//! Nothing is recoded.

use crate::filter::Filter;
use crate::spec::Spec;
use bifrons_config::Template;
use bifrons_core::Result as FlowResult;
use bifrons_http::name::is_token;
use bifrons_http::vars::Scope;
use bifrons_http::{Name, ReqCx, RequestHead, ResponseHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Adds `; charset=…` to the `Content-Type` of texts that have none. Bodies stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The charset, such as `utf-8`. With variables, `off` or an empty value adds none.
    pub charset: Template,
    /// Media types that get it; `*` is all of them.
    #[serde(default = "texts", skip_serializing_if = "is_texts")]
    pub types: Vec<String>,
    /// Whether a charset that the answer has is replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}

/// nginx's `charset_types` and what has come since.
fn texts() -> Vec<String> {
    const TEXTS: [&str; 9] = [
        "text/html",
        "text/css",
        "text/csv",
        "text/javascript",
        "text/markdown",
        "text/plain",
        "text/xml",
        "application/javascript",
        "application/rss+xml",
    ];
    TEXTS.map(str::to_owned).to_vec()
}

fn is_texts(types: &[String]) -> bool {
    types == texts()
}

impl Spec for Config {
    const NAME: &str = "charset";
    const EXAMPLE: &str = r#"{ charset: utf-8 }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if let Some(charset) = self.charset.as_text()
            && !is_token(charset.as_bytes())
        {
            return Err(format!("\"{charset}\" is no charset such as \"utf-8\""));
        }
        let types = self.types.iter().map(|media| media.to_ascii_lowercase().into_bytes()).collect();
        Ok(Arc::new(Charset { charset: self.charset.clone(), types, replace: self.replace }))
    }
}

struct Charset {
    charset: Template,
    types: Vec<Vec<u8>>,
    replace: bool,
}

impl Filter for Charset {
    fn takes_requests(&self) -> bool {
        false
    }

    fn response(&self, cx: &mut ReqCx, req: &RequestHead, res: &mut ResponseHead) -> FlowResult<()> {
        let Some(value) = res.headers.get(Name::ContentType) else { return Ok(()) };
        let mut parts = value.split(|&b| b == b';').map(<[u8]>::trim_ascii);
        let media_type = parts.next().unwrap_or_default();
        let names_charset =
            |part: &[u8]| part.get(..8).is_some_and(|name| name.eq_ignore_ascii_case(b"charset="));
        let fits = match parts.clone().any(names_charset) {
            true => self.replace,
            false => self.types.iter().any(|fit| fit == b"*" || media_type.eq_ignore_ascii_case(fit)),
        };
        if media_type.is_empty() || !fits {
            return Ok(());
        }
        let mut charset = Vec::new();
        self.charset.render(&Scope { cx, req, res: Some(res) }, &mut charset);
        if charset == b"off" || !is_token(&charset) {
            return Ok(());
        }
        let mut typed = media_type.to_vec();
        for part in parts.filter(|part| !part.is_empty() && !names_charset(part)) {
            typed.extend_from_slice(b"; ");
            typed.extend_from_slice(part);
        }
        typed.extend_from_slice(b"; charset=");
        typed.extend_from_slice(&charset);
        res.headers.set(Name::ContentType.spelt("Content-Type"), &typed);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
