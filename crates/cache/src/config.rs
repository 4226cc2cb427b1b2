//! `cache` of a route.

use bifrons_config::units::{Dur, Ratio, Size};
use bifrons_config::{At, Template};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Stores the answers of a route's cluster and answers from the store (RFC 9111).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// The zone that answers are kept in, one of `caches`.
    pub zone: At<String>,
    /// What makes requests the same.
    pub key: KeyConfig,
    /// How long answers are good for whose origin says nothing, by status: `200: 1h`, `any: 1m`. A status goes before
    /// `any`; with `standard: nginx` the first that fits counts.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub ttl: IndexMap<String, Dur>,
    /// How what origins say is read: `rfc9111`, or `nginx`, which knows less (`X-Accel-Expires`, some of
    /// `Cache-Control`, `Expires`; no age, no guessing).
    pub standard: Standard,
    /// Whether clients have a say: `no-cache`, `max-age`, `only-if-cached` and their like.
    pub heed_requests: bool,
    /// Fields of answers that are meant for caches like this one, the first goes before the others and before
    /// `Cache-Control` (RFC 9213).
    pub targets: Vec<String>,
    /// Fields of answers that count for nothing here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoredField>,
    /// Whether answers to POST are stored too. Its body then is a part of the key, and of no more than 16 KiB; with
    /// `standard: nginx` the key says itself what of it makes a difference.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub post: bool,
    /// Whether answers with `Set-Cookie` are stored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub set_cookie: bool,
    /// Whether an answer is not stored whose path looks like a file of another type: `/account/x.css` that is HTML.
    pub guard_types: bool,
    /// Whether an answer is not stored whose request names another method, path or host than its own in a field that is
    /// not in `key.headers` and not in the answer's `Vary`: `X-HTTP-Method-Override`, `X-Original-URL`, and
    /// `X-Forwarded-Host` where a client's is passed on.
    pub guard_overrides: bool,
    /// The share of the time since the last change that an answer is good for whose origin says nothing else; 0: none.
    pub heuristic: Ratio,
    /// The longest such guess.
    pub heuristic_max: Dur,
    /// How often something is asked for before it is stored.
    pub min_uses: u32,
    /// The store is not looked at where one of these is neither empty nor `0`; the answer is stored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bypass: Vec<Template>,
    /// The answer is not stored where one of these is neither empty nor `0`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_store: Vec<Template>,
    /// Whether a HEAD that the store can't answer is sent on as a GET whose answer is stored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub convert_head: bool,
    /// Whether an outdated answer is asked for with its validators.
    pub revalidate: bool,
    /// When outdated answers are given where the origin does not say so itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub use_stale: Vec<UseStale>,
    /// Whether an outdated answer that may be given is fetched anew meanwhile.
    pub background: bool,
    /// Whether requests for the same share one request to the origin.
    pub collapse: bool,
    /// How long a request waits for another one's answer to begin before it goes to the origin itself.
    pub collapse_timeout: Dur,
    /// Age of a request under way from which on another one is made.
    pub collapse_age: Dur,
    /// How long requests for something that turned out not to be stored do not wait for each other.
    pub pass_for: Dur,
    /// A range that begins behind this goes to the origin and is not stored; any is answered from the whole where
    /// nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_max: Option<Size>,
    /// Whether ranges are answered from what is stored also where the origin does not say `Accept-Ranges`, which with
    /// `standard: nginx` it must; in RFC 9111 it need not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force_ranges: bool,
    /// Answers are asked for and stored in slices of so many bytes, each by a range of its own: for large files, of
    /// which clients want parts. What the origin does not give in ranges comes whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<Size>,
    /// Who may take away what is stored, by method PURGE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purge: Option<PurgeConfig>,
    /// Whether answers say in `Cache-Status` what the cache did (RFC 9211).
    pub cache_status: bool,
    /// Whether they say it in one word in `X-Cache-Status`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub x_cache_status: bool,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            zone: At { value: String::new(), place: None },
            key: KeyConfig::default(),
            ttl: IndexMap::new(),
            standard: Standard::Rfc9111,
            heed_requests: true,
            targets: vec!["CDN-Cache-Control".into(), "Surrogate-Control".into()],
            ignore: Vec::new(),
            post: false,
            set_cookie: false,
            guard_types: true,
            guard_overrides: true,
            // RFC 9111 4.2.2 names 10 %; a day, since what was not changed for ten days may be gone tomorrow.
            heuristic: Ratio::percent(10),
            heuristic_max: Dur(Duration::from_secs(24 * 60 * 60)),
            min_uses: 1,
            bypass: Vec::new(),
            no_store: Vec::new(),
            convert_head: false,
            revalidate: true,
            use_stale: Vec::new(),
            background: true,
            collapse: true,
            // nginx's defaults of proxy_cache_lock_timeout and proxy_cache_lock_age.
            collapse_timeout: Dur(Duration::from_secs(5)),
            collapse_age: Dur(Duration::from_secs(5)),
            // Varnish's default of hit-for-miss.
            pass_for: Dur(Duration::from_secs(120)),
            range_max: None,
            force_ranges: false,
            slice: None,
            purge: None,
            cache_status: true,
            x_cache_status: false,
        }
    }
}

/// Who may take away what is stored. The key of the request says what; with `*` at its end all paths of the zone that
/// begin so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PurgeConfig {
    /// Addresses of clients that may: addresses, CIDR blocks, `unix:`. Others get 403.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// A request takes away where one of these is neither empty nor `0`, in place of the method PURGE.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Template>,
    /// Whether what is stored becomes outdated, and is not gone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub soft: bool,
}

/// What makes requests the same: scheme, host, path and query where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyConfig {
    /// A text with variables, in place of scheme, host, path and query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Template>,
    /// Whether the scheme makes no difference.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub any_scheme: bool,
    /// Whether the host makes no difference.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub any_host: bool,
    /// What of the query makes a difference.
    pub query: QueryKey,
    /// Further request fields that make a difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// Cookies that make a difference.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cookies: Vec<String>,
}

/// What of a query makes a difference. All of it, as it is, where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QueryKey {
    /// Whether the order of its arguments makes none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sort: bool,
    /// The only arguments that make one. A `*` at the end stands for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<Vec<String>>,
    /// Arguments that make none, such as `utm_*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

/// How what origins say is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standard {
    /// RFC 9111, all of it.
    #[default]
    Rfc9111,
    /// As nginx reads it: `X-Accel-Expires`, some directives of `Cache-Control`, `Expires`; no age, no guessing.
    Nginx,
}

/// A field of answers that may count for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the field of that name")]
pub enum IgnoredField {
    CacheControl,
    Expires,
    Vary,
    XAccelExpires,
}

/// When an outdated answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UseStale {
    /// No answer came.
    Error,
    /// None came in time.
    Timeout,
    /// What came was no answer.
    InvalidHeader,
    /// While another request fetches it anew.
    Updating,
    /// The origin's answer is a 500.
    #[serde(rename = "http_500", alias = "http500")]
    Http500,
    /// The origin's answer is a 502.
    #[serde(rename = "http_502", alias = "http502")]
    Http502,
    /// The origin's answer is a 503.
    #[serde(rename = "http_503", alias = "http503")]
    Http503,
    /// The origin's answer is a 504.
    #[serde(rename = "http_504", alias = "http504")]
    Http504,
    /// The origin's answer is a 403.
    #[serde(rename = "http_403", alias = "http403")]
    Http403,
    /// The origin's answer is a 404.
    #[serde(rename = "http_404", alias = "http404")]
    Http404,
    /// The origin's answer is a 429.
    #[serde(rename = "http_429", alias = "http429")]
    Http429,
}

impl UseStale {
    /// The status that it means, if it means one.
    pub fn status(self) -> Option<u16> {
        Some(match self {
            Self::Http500 => 500,
            Self::Http502 => 502,
            Self::Http503 => 503,
            Self::Http504 => 504,
            Self::Http403 => 403,
            Self::Http404 => 404,
            Self::Http429 => 429,
            Self::Error | Self::Timeout | Self::InvalidHeader | Self::Updating => return None,
        })
    }
}
