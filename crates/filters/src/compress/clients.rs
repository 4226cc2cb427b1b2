//! Which clients get compressed bodies, and in which coding: what `compress` and `decompress` share.

use bifrons_http::headers::list_members;
use bifrons_http::{Encoding, Name, RequestHead, ResponseHead, Version, date, encoding};
use bifrons_route::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which clients get compressed bodies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "CompressClients")]
pub struct Clients {
    /// How `Accept-Encoding` is read.
    #[serde(skip_serializing_if = "is_default")]
    pub accept: Accept,
    /// Whether clients of HTTP/1.0 get them too.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub http_1_0: bool,
    /// Which answers are compressed for requests that came over a proxy (`Via`); none where the list is empty.
    #[serde(skip_serializing_if = "is_any")]
    pub via: Vec<Via>,
    /// Clients whose `User-Agent` matches one of these get none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_user_agents: Vec<Regex>,
}

/// How `Accept-Encoding` is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// By weights, `*` and `identity` (RFC 9110 12.5.3).
    #[default]
    Weighed,
    /// By names alone, as nginx: the first coding on offer that the client names with a weight above 0.
    Named,
}

/// An answer to a request that came over a proxy, as nginx's `gzip_proxied` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CompressVia")]
pub enum Via {
    /// Any.
    Any,
    /// One to a request with `Authorization`.
    Auth,
    /// One that `Expires` has in the past.
    Expired,
    /// One with `Cache-Control: no-cache`, and without `Expires`.
    NoCache,
    /// One with `Cache-Control: no-store`, and without `Expires`.
    NoStore,
    /// One with `Cache-Control: private`, and without `Expires`.
    Private,
    /// With this in the list, one that has neither `Expires` nor `Cache-Control` must have no `Last-Modified`.
    NoLastModified,
    /// With this in the list, one that has neither `Expires` nor `Cache-Control` must have no `ETag`.
    NoEtag,
}

impl Default for Clients {
    fn default() -> Self {
        Self { accept: Accept::Weighed, http_1_0: true, via: vec![Via::Any], except_user_agents: Vec::new() }
    }
}

fn is_default(accept: &Accept) -> bool {
    *accept == Accept::default()
}

fn is_any(via: &[Via]) -> bool {
    via == [Via::Any]
}

impl Clients {
    /// The coding that the client gets of those offered, if any.
    pub(crate) fn choose(
        &self,
        req: &RequestHead,
        res: &ResponseHead,
        offered: &[Encoding],
    ) -> Option<Encoding> {
        let headers = &req.headers;
        let encoding = match self.accept {
            Accept::Weighed => {
                let fields: smallvec::SmallVec<[&[u8]; 2]> = headers.get_all(Name::AcceptEncoding).collect();
                encoding::negotiate(fields.iter().copied(), offered)?
            }
            Accept::Named => encoding::named(headers.get(Name::AcceptEncoding), offered)?,
        };
        self.lets(req, res).then_some(encoding)
    }

    /// Whether the client gets anything coded, but for what it accepts.
    fn lets(&self, req: &RequestHead, res: &ResponseHead) -> bool {
        if !self.http_1_0 && req.version == Version::Http10 {
            return false;
        }
        if req.headers.has(Name::Via) && !self.lets_through(req, res) {
            return false;
        }
        match req.headers.get(Name::UserAgent) {
            // One that takes too long to tell is taken for a match: a plain body is right for all.
            Some(agent) => !Regex::any_match(&self.except_user_agents, agent),
            None => true,
        }
    }

    /// nginx's rules for requests that came over a proxy (`ngx_http_gzip_ok`).
    fn lets_through(&self, req: &RequestHead, res: &ResponseHead) -> bool {
        let has = |via: Via| self.via.contains(&via);
        let headers = &res.headers;
        if self.via.is_empty() {
            return false;
        }
        if has(Via::Any) || has(Via::Auth) && req.headers.has(Name::Authorization) {
            return true;
        }
        if let Some(expires) = headers.get(Name::Expires) {
            return has(Via::Expired) && is_expired(expires, headers.get(Name::Date));
        }
        if headers.has(Name::CacheControl) {
            let names = [(Via::NoCache, "no-cache"), (Via::NoStore, "no-store"), (Via::Private, "private")];
            let directives = headers.get_all(Name::CacheControl).flat_map(list_members);
            let mut directives =
                directives.map(|member| member.split(|&b| b == b'=').next().unwrap_or_default().trim_ascii());
            return directives.any(|directive| {
                names.iter().any(|(via, name)| has(*via) && directive.eq_ignore_ascii_case(name.as_bytes()))
            });
        }
        !(has(Via::NoLastModified) && headers.has(Name::LastModified)
            || has(Via::NoEtag) && headers.has(Name::Etag))
    }
}

/// Whether an answer of that date is stale already.
fn is_expired(expires: &[u8], dated: Option<&[u8]>) -> bool {
    let dated = match dated {
        Some(dated) => date::parse(dated),
        None => Some(date::now()),
    };
    // What is no date is none, as in nginx.
    matches!((date::parse(expires), dated), (Some(expires), Some(dated)) if expires < dated)
}
