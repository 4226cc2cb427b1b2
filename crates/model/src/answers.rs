//! Actions that need no more than what is said of them: redirects and fixed answers.

use crate::shorthand::{same_fields, string_or_map};
use bifrons_config::Template;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answers with a redirect. The short form is the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Target: an absolute URL or a path.
    pub to: Template,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// Answers with a redirect. The short form is the target.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Redirect")]
struct RedirectMap {
    /// Target: an absolute URL or a path.
    to: Template,
    /// 301, 302, 303, 307 or 308.
    #[serde(default = "found")]
    status: u16,
}

fn found() -> u16 {
    302
}

same_fields!(Redirect, RedirectMap, { to, status });

string_or_map!(
    Redirect,
    RedirectMap,
    "a target such as `https://$host$request_uri`, or a map with `to` and `status`",
    |text| Template::parse(text).map(|to| Redirect { to, status: found() }).map_err(|err| err.told()),
    |redirect| (redirect.status == found()).then(|| redirect.to.source().to_owned())
);

/// A fixed answer. The short form is the body, with status 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Respond {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Template,
    /// The media type.
    pub content_type: Option<Template>,
    /// Further fields.
    pub headers: IndexMap<String, Template>,
}

/// A fixed answer. The short form is the body, with status 200.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Respond")]
struct RespondMap {
    /// The status, 200 to 599; 444 closes the connection without an answer, as in nginx.
    #[serde(default = "ok")]
    status: u16,
    /// The body; from status 300 on the page of the status where nothing is said.
    #[serde(default, skip_serializing_if = "Template::is_empty")]
    body: Template,
    /// The media type; `text/plain; charset=utf-8` for a body where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<Template>,
    /// Further fields.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    headers: IndexMap<String, Template>,
}

fn ok() -> u16 {
    200
}

same_fields!(Respond, RespondMap, { status, body, content_type, headers });

string_or_map!(
    Respond,
    RespondMap,
    "a body, or a map with `status` and `body`",
    |text| Template::parse(text)
        .map(|body| Respond { status: 200, body, content_type: None, headers: IndexMap::new() })
        .map_err(|err| err.told()),
    |respond| {
        let plain = respond.status == 200 && respond.content_type.is_none() && respond.headers.is_empty();
        plain.then(|| respond.body.source().to_owned())
    }
);
