//! Routes and their actions.

use crate::answers::{Redirect, Respond};
use crate::buffering::{AccelField, Bandwidth, RequestBuffering, ResponseBuffering, SentRequest};
use crate::cluster::{HttpVersion, Retry, UpstreamTimeouts};
use crate::errors::ErrorLogs;
use crate::files::{Builtin, StaticFiles};
use crate::internal::{ErrorPage, MediaTypes, OwnRedirects, TryFiles};
use crate::listener::ServerField;
use crate::shorthand::{same_fields, string_or_map};
use bifrons_cache::CacheConfig;
use bifrons_config::units::{Dur, Size};
use bifrons_config::{At, Template};
use bifrons_filters::config::FieldEdits;
use bifrons_observe::config::AccessLogs;
use bifrons_route::condition::Condition;
use bifrons_route::pattern::PathPattern;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A route: what it matches and the one action it takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// Name in metrics and logs; the path where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `/exact`, `/prefix/*`, `~ regex`, `~* regex` (any case), `^~ /prefix/` (wins over regexes).
    /// The most specific one is taken: exact, longest prefix if `^~`, first regex, longest prefix.
    pub path: At<PathPattern>,
    /// Further conditions. Among routes with the same path the first whose conditions hold is taken.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Filters, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<At<bifrons_filters::FilterConfig>>,
    /// Action: send the request to a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<At<Proxy>>,
    /// Action: answer with a redirect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<At<Redirect>>,
    /// Action: a fixed answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respond: Option<At<Respond>>,
    /// Action: answer with files.
    #[serde(rename = "static", skip_serializing_if = "Option::is_none")]
    pub files: Option<At<StaticFiles>>,
    /// Action: an answer that the proxy makes itself: `empty_gif` (a transparent picture of one pixel) or
    /// `status` (counts of connections and requests, in the form of nginx's `stub_status`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builtin: Option<At<Builtin>>,
    /// Action: route again with this path and query, or as the named route `@name`; at most ten times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reroute: Option<At<Template>>,
    /// Stores the answers of `proxy`, and answers from the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<At<CacheConfig>>,
    /// Whether clients can't ask for it: only requests that were routed again or rewritten get here, others
    /// find nothing (404).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
    /// Files that are looked for before the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub try_files: Option<At<TryFiles>>,
    /// Directory of `try_files`, `$document_root` and `$request_filename`; that of `static` where nothing is
    /// said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Template>,
    /// As `root`, but it takes the place of the matched path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<Template>,
    /// Pages in place of errors; the host's where nothing is said, `[]` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_pages: Option<Vec<ErrorPage>>,
    /// Whether errors that come up on the way to an error page lead to another one; as the host where
    /// nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recursive_error_pages: Option<bool>,
    /// How redirects of our own that name no host are written; as the host where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_redirects: Option<OwnRedirects>,
    /// Media types of texts that filters and `respond` answer with and say nothing of; `text/plain;
    /// charset=utf-8` where nothing is said here either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_types: Option<MediaTypes>,
    /// Bytes of a body; the host's limit where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body: Option<Size>,
    /// How long the client may take with requests of this route; the listener's times where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientTimes>,
    /// How fast answers go to a client: bytes a second such as `100k`, or `{ rate: …, after: … }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<At<Bandwidth>>,
    /// Access log of this route; `[]` writes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLogs>,
    /// Where it is told what goes wrong with its requests; as the host where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_log: Option<ErrorLogs>,
    /// Whether files that are not there are left out of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub quiet_not_found: bool,
    /// The `Server` field of answers; the listener's where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerField>,
    /// Whether a body whose length is not known beforehand is never sent in chunks, but ends with the
    /// connection.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_chunks: bool,
}

/// How long a client may take with requests of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientTimes {
    /// How long nothing of a request's body may arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Dur>,
    /// How long the client may take nothing of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send: Option<Dur>,
    /// How long its connection may wait for a further request; 0 closes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<Dur>,
    /// Requests on a connection after which it is closed behind one of this route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u32>,
}

/// Sends the request to a cluster. The short form is the cluster's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Proxy {
    /// Name of the cluster.
    pub cluster: At<String>,
    /// Where the request goes, with variables: `http://$backend`, `http://$host:8080$request_uri`, or with
    /// `grpc://`. A host
    /// that is a cluster's name means that cluster; any other is an address or a name to be resolved, and
    /// `cluster` then gives the settings (`dynamic: true`). A path in it replaces path and query.
    pub url: Option<Template>,
    /// The `Host` field that is sent.
    pub host: HostField,
    /// What replaces the matched path (nginx's `proxy_pass` with a URI): of a prefix route only the
    /// prefix, of another route the whole path.
    pub replace_path: Option<String>,
    /// Changes of the fields that are sent; variables mean the request as it came.
    pub headers: FieldEdits,
    /// Forwarding fields that are sent. Those the client sent are replaced, or appended to when it is a
    /// trusted proxy; `[]` leaves all of them as they came.
    pub forwarded: Vec<ForwardedField>,
    /// The version of HTTP spoken to the endpoint; the cluster's where nothing is said.
    pub http_version: Option<HttpVersion>,
    /// Whether connections to endpoints are kept for further requests.
    pub keep_alive: bool,
    /// Whether a client's `Upgrade` (WebSocket and others) is passed on; without, it is removed and the
    /// request goes on as an ordinary one.
    pub upgrade: bool,
    /// `Connection` and `Upgrade` as they are sent, in place of what the proxy says of itself.
    pub connection: Option<ConnectionFields>,
    /// Local address that connections come from, with variables; they are then not kept. The cluster's where
    /// nothing is said or the value is no address.
    pub bind: Option<Template>,
    /// What becomes of a client's `Expect: 100-continue`.
    pub expect_continue: ExpectContinue,
    /// What happens upstream when the client goes away.
    pub client_abort: ClientAbort,
    /// What is sent in place of the client's.
    pub request: SentRequest,
    /// Whether a request's body is collected before an endpoint is picked.
    pub request_buffering: RequestBuffering,
    /// Whether an answer is held back for a slow client.
    pub response_buffering: ResponseBuffering,
    /// Fields of answers that tell the proxy what to do, and are not passed on.
    pub accel: Vec<AccelField>,
    /// Whether trailer fields of answers are passed on.
    pub trailers: bool,
    /// Bytes of an answer's head; the cluster's where nothing is said.
    pub max_head: Option<Size>,
    /// Whether error pages take the place of answers from status 300 on.
    pub intercept_errors: bool,
    /// Early hints (103) are passed on where one of these is neither empty nor `0`; all of them where nothing is
    /// said, none with `[]`.
    pub early_hints: Option<Vec<Template>>,
    /// Whether an answer's `X-Accel-Redirect` leads the request to another route.
    pub accel_redirect: bool,
    /// The cluster's where nothing is said.
    pub timeouts: Option<UpstreamTimeouts>,
    /// The cluster's where nothing is said.
    pub retry: Option<Retry>,
}

impl Proxy {
    /// To that cluster, the rest by default.
    pub fn to(cluster: impl Into<At<String>>) -> Self {
        Self {
            cluster: cluster.into(),
            url: None,
            host: HostField::Pass,
            replace_path: None,
            headers: FieldEdits::default(),
            forwarded: ForwardedField::defaults(),
            http_version: None,
            keep_alive: true,
            upgrade: true,
            connection: None,
            bind: None,
            expect_continue: ExpectContinue::default(),
            client_abort: ClientAbort::default(),
            request: SentRequest::default(),
            request_buffering: RequestBuffering::default(),
            response_buffering: ResponseBuffering::default(),
            accel: Vec::new(),
            trailers: true,
            max_head: None,
            intercept_errors: false,
            early_hints: None,
            accel_redirect: false,
            timeouts: None,
            retry: None,
        }
    }
}

/// Sends the request to a cluster. The short form is the cluster's name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Proxy")]
struct ProxyMap {
    /// Name of the cluster.
    cluster: At<String>,
    /// Where the request goes, with variables: `http://$backend`, `http://$host:8080$request_uri`, or with
    /// `grpc://`. A host
    /// that is a cluster's name means that cluster; any other is an address or a name to be resolved, and
    /// `cluster` then gives the settings (`dynamic: true`). A path in it replaces path and query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<Template>,
    /// The `Host` field that is sent: `pass` (the client's), `endpoint` (the endpoint's address), or `{ set: … }`.
    #[serde(default, skip_serializing_if = "HostField::is_pass")]
    host: HostField,
    /// What replaces the matched path: of a prefix route only the prefix, of another route the whole path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replace_path: Option<String>,
    /// Changes of the fields that are sent; variables mean the request as it came.
    #[serde(default, skip_serializing_if = "FieldEdits::is_empty")]
    headers: FieldEdits,
    /// Forwarding fields that are sent. Those the client sent are replaced, or appended to when it is a
    /// trusted proxy; `[]` leaves all of them as they came.
    #[serde(default = "ForwardedField::defaults")]
    forwarded: Vec<ForwardedField>,
    /// The version of HTTP spoken to the endpoint; the cluster's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http_version: Option<HttpVersion>,
    /// Whether connections to endpoints are kept for further requests.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    keep_alive: bool,
    /// Whether a client's `Upgrade` (WebSocket and others) is passed on; without, it is removed and the
    /// request goes on as an ordinary one.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    upgrade: bool,
    /// `Connection` and `Upgrade` as they are sent, in place of what the proxy says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionFields>,
    /// Local address that connections come from, with variables; they are then not kept. The cluster's where
    /// nothing is said or the value is no address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bind: Option<Template>,
    /// What becomes of a client's `Expect: 100-continue` (RFC 9110 10.1.1).
    #[serde(default, skip_serializing_if = "ExpectContinue::is_default")]
    expect_continue: ExpectContinue,
    /// What happens upstream when the client goes away.
    #[serde(default, skip_serializing_if = "ClientAbort::is_default")]
    client_abort: ClientAbort,
    /// What is sent in place of the client's.
    #[serde(default, skip_serializing_if = "SentRequest::is_default")]
    request: SentRequest,
    /// Whether a request's body is collected before an endpoint is picked: `on`, `off` (it streams), or a map.
    #[serde(default, skip_serializing_if = "RequestBuffering::is_default")]
    request_buffering: RequestBuffering,
    /// Whether an answer is held back for a slow client, so that the endpoint is free: `on`, `off`, or a map.
    #[serde(default, skip_serializing_if = "ResponseBuffering::is_default")]
    response_buffering: ResponseBuffering,
    /// Fields of answers that tell the proxy what to do, and are not passed on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accel: Vec<AccelField>,
    /// Whether trailer fields of answers are passed on.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    trailers: bool,
    /// Bytes of an answer's head; the cluster's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_head: Option<Size>,
    /// Whether error pages take the place of answers from status 300 on for which there is one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    intercept_errors: bool,
    /// Early hints (103) are passed on where one of these is neither empty nor `0`; all of them where nothing is
    /// said, none with `[]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    early_hints: Option<Vec<Template>>,
    /// Whether an answer's `X-Accel-Redirect` leads the request to another route of this host: a path, which
    /// may be `internal`, or `@name`. For endpoints that are trusted with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    accel_redirect: bool,
    /// The cluster's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeouts: Option<UpstreamTimeouts>,
    /// The cluster's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<Retry>,
}

fn yes() -> bool {
    true
}

same_fields!(Proxy, ProxyMap, {
    cluster, url, host, replace_path, headers, forwarded, http_version, keep_alive, upgrade, connection, bind,
    expect_continue, client_abort, request, request_buffering, response_buffering, accel, trailers, max_head,
    intercept_errors, early_hints, accel_redirect, timeouts, retry
});

string_or_map!(
    Proxy,
    ProxyMap,
    "a cluster's name, or a map with `cluster`",
    |text| Ok(Proxy::to(text.to_owned())),
    |proxy| (*proxy == Proxy::to(proxy.cluster.clone())).then(|| proxy.cluster.value.clone())
);

/// `Connection` and `Upgrade` as they are sent upstream, with variables; an empty one is not sent.
///
/// A `Connection` that lists `close` closes the connection after the request; one that lists `upgrade` lets
/// a client that asks for one switch to the protocol of `upgrade`, if that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionFields {
    /// The value of `Connection`.
    pub connection: Template,
    /// The value of `Upgrade`.
    pub upgrade: Template,
}

/// The `Host` field that is sent upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HostField {
    /// What the client asked for.
    #[default]
    Pass,
    /// The endpoint's name and port as configured.
    Endpoint,
    /// This.
    Set(Template),
}

impl HostField {
    fn is_pass(&self) -> bool {
        *self == Self::Pass
    }
}

/// A field that tells upstreams about the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedField {
    /// `X-Forwarded-For`: the client's address, appended to what a trusted proxy sent.
    XForwardedFor,
    /// `X-Forwarded-Proto`: `http` or `https`.
    XForwardedProto,
    /// `X-Forwarded-Host`: the host the client asked for.
    XForwardedHost,
    /// `X-Forwarded-Port`: the port the client connected to.
    XForwardedPort,
    /// `X-Real-IP`: the client's address.
    XRealIp,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Request-Id`: 32 random hexadecimal digits, or a trusted proxy's.
    XRequestId,
    /// `traceparent` (W3C Trace Context): passed on with a span of ours, or begun.
    Traceparent,
}

impl ForwardedField {
    /// What Caddy sends: `X-Forwarded-For`, `-Proto`, `-Host`.
    pub fn defaults() -> Vec<Self> {
        vec![Self::XForwardedFor, Self::XForwardedProto, Self::XForwardedHost]
    }
}

/// What becomes of a client's `Expect: 100-continue` (RFC 9110 10.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectContinue {
    /// It is passed on, and the endpoint says whether the body may come. An endpoint that speaks HTTP/1.0
    /// can't say so: there it is as with `answer`.
    #[default]
    Pass,
    /// The proxy says that the body may come once it is needed; the endpoint sees no `Expect` (as in nginx).
    Answer,
}

impl ExpectContinue {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What happens upstream when the client goes away before its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAbort {
    /// The request is given up when the client is gone altogether; one that has only finished sending
    /// (half-close) still gets its answer.
    #[default]
    Cancel,
    /// The request is given up also on a half-close, as nginx does.
    CancelOnHalfClose,
    /// The request runs on.
    Ignore,
}

impl ClientAbort {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
