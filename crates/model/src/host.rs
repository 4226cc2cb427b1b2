//! Virtual hosts.

use crate::{ClientAddress, Route};
use bifrons_config::At;
use bifrons_config::units::Size;
use bifrons_observe::config::AccessLogs;
use bifrons_route::path::PathRules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One or more names and the routes below them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// `example.com`, `*.example.com`, `.example.com` (both), `www.example.*`, `~regex`; `""` for
    /// requests without a host. The order of precedence is nginx's: exact, longest leading wildcard,
    /// longest trailing wildcard, first regex.
    pub names: Vec<At<String>>,
    /// Listeners it is reached by; all of them where none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<At<String>>,
    /// Whether it takes requests whose host no name fits. Without any default host such requests
    /// get 404 (421 where TLS named another).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// How the client's real address is found; as the listener says where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientAddress>,
    /// How paths are normalised before they are matched and forwarded.
    pub path: PathRules,
    /// Bytes of a body; the listener's limit where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body: Option<Size>,
    /// Filters for all routes, before the routes' own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<At<bifrons_filters::FilterConfig>>,
    /// Routes; the most specific one is taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Access log of this host; `[]` writes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogs>,
}
