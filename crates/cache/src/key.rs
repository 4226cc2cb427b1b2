//! What makes requests the same.

use crate::config::KeyConfig;
use bifrons_config::Template;
use bifrons_http::headers::list_members;
use bifrons_http::vars::Scope;
use bifrons_http::{FieldName, Name};

/// A key, ready to be made of requests.
#[derive(Debug)]
pub struct KeyPlan {
    text: Option<Template>,
    any_scheme: bool,
    any_host: bool,
    sort: bool,
    allow: Option<Box<[Box<str>]>>,
    deny: Box<[Box<str>]>,
    headers: Box<[FieldName]>,
    cookies: Box<[Box<str>]>,
}

impl KeyPlan {
    /// From its configuration.
    ///
    /// # Errors
    /// What is no field name.
    pub fn build(config: &KeyConfig) -> Result<Self, String> {
        let texts = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
        let field = |name: &String| {
            FieldName::new(name).ok_or_else(|| format!("\"{name}\" in `key` is no field name"))
        };
        Ok(Self {
            text: config.text.clone(),
            any_scheme: config.any_scheme,
            any_host: config.any_host,
            sort: config.query.sort,
            allow: config.query.allow.as_deref().map(texts),
            deny: texts(&config.query.deny),
            headers: config.headers.iter().map(field).collect::<Result<_, _>>()?,
            cookies: texts(&config.cookies),
        })
    }

    /// Whether the scheme makes a difference.
    pub fn has_scheme(&self) -> bool {
        self.text.is_none() && !self.any_scheme
    }

    /// Whether the host makes a difference.
    pub fn has_host(&self) -> bool {
        self.text.is_none() && !self.any_host
    }

    /// Whether that field makes a difference.
    pub fn has_field(&self, name: &str) -> bool {
        self.headers.iter().any(|field| field.text().eq_ignore_ascii_case(name))
    }

    /// Appends the key of a request whose target is `target`.
    pub fn write(&self, scope: &Scope<'_>, target: &[u8], out: &mut Vec<u8>) {
        match &self.text {
            Some(text) => text.render(scope, out),
            None => self.write_url(scope, target, out),
        }
        // No target and no field has a line feed: what follows can't be taken for a part of it.
        if self.text.is_none() && !self.any_host && scope.cx.is_trusted {
            // The origin is told it as it came, and may answer for that host.
            for value in scope.req.headers.get_all(Name::XForwardedHost) {
                out.extend_from_slice(b"\nx-forwarded-host:");
                out.extend(value.iter().map(u8::to_ascii_lowercase));
            }
        }
        for name in &self.headers {
            for value in scope.req.headers.get_all(name) {
                out.push(b'\n');
                out.extend_from_slice(name.text().to_ascii_lowercase().as_bytes());
                out.push(b':');
                out.extend_from_slice(value);
            }
        }
        for name in &self.cookies {
            if let Some(value) = cookie(scope, name) {
                out.push(b'\n');
                out.extend_from_slice(name.as_bytes());
                out.push(b'=');
                out.extend_from_slice(value);
            }
        }
    }

    fn write_url(&self, scope: &Scope<'_>, target: &[u8], out: &mut Vec<u8>) {
        let scheme = scheme_of(scope);
        if !self.any_scheme {
            out.extend_from_slice(scheme.as_bytes());
            out.extend_from_slice(b"://");
        }
        if !self.any_host {
            // With the port, which the origin sees too and may put into what it says.
            let authority = without_default_port(scope.req.authority(), scheme);
            out.extend(authority.iter().map(u8::to_ascii_lowercase));
        }
        let at = memchr::memchr(b'?', target);
        let (path, query) = target.split_at(at.unwrap_or(target.len()));
        out.extend_from_slice(path);
        let Some(query) = query.get(1..) else { return };
        if !self.sort && self.allow.is_none() && self.deny.is_empty() {
            out.push(b'?');
            return out.extend_from_slice(query);
        }
        let mut arguments: Vec<&[u8]> = query.split(|b| *b == b'&').filter(|one| self.counts(one)).collect();
        if self.sort {
            arguments.sort_by_key(|one| name_of(one));
        }
        for (at, argument) in arguments.iter().enumerate() {
            out.push(if at == 0 { b'?' } else { b'&' });
            out.extend_from_slice(argument);
        }
    }

    fn counts(&self, argument: &[u8]) -> bool {
        let name = name_of(argument);
        let is = |pattern: &str| match pattern.strip_suffix('*') {
            Some(begin) => name.starts_with(begin.as_bytes()),
            None => name == pattern.as_bytes(),
        };
        // Some origins take `;` for `&`: behind an argument that makes no difference there may be one that does.
        if memchr::memchr(b';', argument).is_some() {
            return true;
        }
        !argument.is_empty()
            && self.allow.as_ref().is_none_or(|allow| allow.iter().any(|pattern| is(pattern)))
            && !self.deny.iter().any(|pattern| is(pattern))
    }
}

/// The scheme that the origin is told of: of what a trusted proxy says, else of the connection. Its answers differ by it,
/// a redirect from the one to the other above all.
pub fn scheme_of(scope: &Scope<'_>) -> &'static str {
    let told = scope.req.headers.get(Name::XForwardedProto).filter(|_| scope.cx.is_trusted);
    let told = told.and_then(|told| list_members(told).next());
    match told {
        Some(told) if told.eq_ignore_ascii_case(b"https") => "https",
        Some(told) if told.eq_ignore_ascii_case(b"http") => "http",
        _ => scope.cx.conn.scheme(),
    }
}

/// Host and port, but for the port that the scheme means without one.
pub fn without_default_port<'a>(authority: &'a [u8], scheme: &str) -> &'a [u8] {
    let default: &[u8] = if scheme == "https" { b":443" } else { b":80" };
    authority.strip_suffix(default).unwrap_or(authority)
}

fn name_of(argument: &[u8]) -> &[u8] {
    argument.split(|b| *b == b'=').next().unwrap_or(argument)
}

fn cookie<'a>(scope: &Scope<'a>, name: &str) -> Option<&'a [u8]> {
    scope
        .req
        .headers
        .get_all(Name::Cookie)
        .flat_map(|value| value.split(|b| *b == b';'))
        .filter_map(|pair| {
            let pair = pair.trim_ascii();
            let at = memchr::memchr(b'=', pair)?;
            (pair.get(..at)? == name.as_bytes()).then(|| pair.get(at + 1..))?
        })
        .next()
}
