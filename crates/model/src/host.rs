//! Virtual hosts.

use crate::{ClientAddress, ErrorLogs, ErrorPage, OwnRedirects, Route};
use bifrons_config::units::Size;
use bifrons_config::{At, Template};
use bifrons_observe::config::AccessLogs;
use bifrons_route::path::PathRules;
use bifrons_tls::ServerTls;
use indexmap::IndexMap;
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
    /// How connections are encrypted for clients that name this host (SNI), where it differs from the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ServerTls>,
    /// How paths are normalised before they are matched and forwarded.
    pub path: PathRules,
    /// Bytes of a body; the listener's limit where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body: Option<Size>,
    /// Steps taken before the route is found, of those that the filter `rewrite` has but `use`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rewrite: Vec<bifrons_filters::rewrite::Step>,
    /// Filters for all routes, before the routes' own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<At<bifrons_filters::FilterConfig>>,
    /// Routes; the most specific one is taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// Routes that no path leads to, by name: `@name` in `error_pages`, `try_files` and `reroute`. Of their
    /// `path` only the length counts, for what takes its place.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub named_routes: IndexMap<String, Route>,
    /// The name of the route that stands for the host where none is found: for the answers of `rewrite`,
    /// and for paths that no route matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<At<String>>,
    /// Pages in place of errors; routes that have some take none of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub error_pages: Vec<ErrorPage>,
    /// Whether errors that come up on the way to an error page lead to another one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recursive_error_pages: bool,
    /// How redirects of our own that name no host are written.
    #[serde(skip_serializing_if = "OwnRedirects::is_default")]
    pub own_redirects: OwnRedirects,
    /// Directory of `$document_root` and `$request_filename` before a route is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Template>,
    /// Access log of this host; `[]` writes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogs>,
    /// Where it is told what goes wrong with its requests, a line each in the form of nginx's error log. Where
    /// nothing is said, and the proxy's own log has that form, there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_log: Option<ErrorLogs>,
}
