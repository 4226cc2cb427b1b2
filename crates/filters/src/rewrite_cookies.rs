//! `rewrite_cookies`: attributes of the cookies that answers set, made to fit the proxy's own address.

use crate::filter::Filter;
use crate::spec::Spec;
use crate::value_rule::{Match, Message, Rule, begins};
use bifrons_core::Result as FlowResult;
use bifrons_http::name::is_field_value;
use bifrons_http::{Name, ReqCx, RequestHead, ResponseHead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Changes the attributes of `Set-Cookie`: nginx's `proxy_cookie_domain`, `proxy_cookie_path` and
/// `proxy_cookie_flags`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RewriteCookies")]
pub struct Config {
    /// Rules for `Domain`. A text is compared with the whole value, without regard to case and to a dot at
    /// its beginning. The first rule that fits is carried out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domain: Vec<Rule>,
    /// Rules for `Path`. A text is compared with the beginning of the value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<Rule>,
    /// Flags to set and to take away. The first rule for a cookie is carried out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagRule>,
}

/// Flags of some cookies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagRule {
    /// Names of cookies; a text is compared with the whole name, without regard to case.
    pub cookie: Match,
    /// What they get and lose.
    pub flags: Vec<CookieFlag>,
}

/// A flag that a cookie gets or loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the flag of that name; with `no` in front it is taken away")]
pub enum CookieFlag {
    Secure,
    Nosecure,
    Httponly,
    Nohttponly,
    SamesiteStrict,
    SamesiteLax,
    SamesiteNone,
    Nosamesite,
}

impl Spec for Config {
    const NAME: &str = "rewrite_cookies";
    const EXAMPLE: &str = r#"{ path: [{ match: { text: /app/ }, to: / }], flags: [{ cookie: { text: session }, flags: [secure, httponly, samesite_lax] }] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        Ok(Arc::new(RewriteCookies(self.clone())))
    }
}

struct RewriteCookies(Config);

impl Filter for RewriteCookies {
    fn takes_requests(&self) -> bool {
        false
    }

    fn response(&self, cx: &mut ReqCx, req: &RequestHead, res: &mut ResponseHead) -> FlowResult<()> {
        if !res.headers.has(Name::SetCookie) {
            return Ok(());
        }
        let old: Vec<Vec<u8>> = res.headers.get_all(Name::SetCookie).map(<[u8]>::to_vec).collect();
        let new: Vec<_> =
            old.iter().map(|cookie| self.cookie(cookie, &mut Message { cx, req, res })).collect();
        if new.iter().any(Option::is_some) {
            let mut new = new.into_iter();
            res.headers.replace_each(Name::SetCookie, |_| new.next().flatten());
        }
        Ok(())
    }
}

/// One attribute of a cookie; the first is its name and value.
struct Attribute<'a> {
    key: &'a [u8],
    value: Option<Cow<'a, [u8]>>,
}

impl RewriteCookies {
    /// What becomes of a cookie; `None` where it stays as it is.
    fn cookie(&self, cookie: &[u8], message: &mut Message<'_>) -> Option<Vec<u8>> {
        let mut attributes = parse(cookie);
        attributes.first()?.value.as_ref()?;
        let mut changed = false;
        for attribute in attributes.iter_mut().skip(1) {
            let Some(value) = &attribute.value else { continue };
            let new = match attribute.key {
                key if key.eq_ignore_ascii_case(b"domain") => message.apply(&self.0.domain, value, is_domain),
                key if key.eq_ignore_ascii_case(b"path") => message.apply(&self.0.path, value, begins),
                _ => None,
            };
            if let Some(new) = new {
                attribute.value = Some(new.into());
                changed = true;
            }
        }
        changed |= self.flags(&mut attributes, message);
        let out = changed.then(|| write(&attributes))?;
        is_field_value(&out).then_some(out)
    }

    fn flags(&self, attributes: &mut Vec<Attribute<'_>>, message: &mut Message<'_>) -> bool {
        let Some(name) = attributes.first().map(|first| first.key.to_vec()) else { return false };
        let rule = self.0.flags.iter().find(|rule| match &rule.cookie {
            Match::Text(text) => message.render(text).eq_ignore_ascii_case(&name),
            Match::Regex(regex) => message.is_match(regex, &name),
        });
        let Some(rule) = rule else { return false };
        // In the order of the list of flags, as nginx adds them, whatever the order they are written in.
        for (flag, key, value, goes) in FLAGS {
            if rule.flags.contains(flag) {
                set_flag(attributes, key, *value, *goes);
            }
        }
        true
    }
}

/// The flags: their names, their values, whether they are taken away.
const FLAGS: &[(CookieFlag, &str, Option<&str>, bool)] = &[
    (CookieFlag::Secure, "Secure", None, false),
    (CookieFlag::Nosecure, "Secure", None, true),
    (CookieFlag::Httponly, "HttpOnly", None, false),
    (CookieFlag::Nohttponly, "HttpOnly", None, true),
    (CookieFlag::SamesiteStrict, "SameSite", Some("Strict"), false),
    (CookieFlag::SamesiteLax, "SameSite", Some("Lax"), false),
    (CookieFlag::SamesiteNone, "SameSite", Some("None"), false),
    (CookieFlag::Nosamesite, "SameSite", None, true),
];

/// Sets a flag, keeping one that is there, or takes it away.
fn set_flag(attributes: &mut Vec<Attribute<'_>>, key: &'static str, value: Option<&'static str>, goes: bool) {
    let is_it = |attribute: &Attribute<'_>| attribute.key.eq_ignore_ascii_case(key.as_bytes());
    if goes {
        let mut at = 0;
        attributes.retain(|attribute| {
            at += 1;
            at == 1 || !is_it(attribute)
        });
        return;
    }
    let value = value.map(|value| Cow::Borrowed(value.as_bytes()));
    match attributes.iter_mut().skip(1).find(|attribute| is_it(attribute)) {
        Some(attribute) if value.is_some() => *attribute = Attribute { key: key.as_bytes(), value },
        Some(_) => {}
        None => attributes.push(Attribute { key: key.as_bytes(), value }),
    }
}

/// As ngx_http_proxy_parse_cookie: pieces between semicolons, blanks around keys and values dropped.
fn parse(cookie: &[u8]) -> Vec<Attribute<'_>> {
    cookie.split(|&b| b == b';').map(attribute).collect()
}

fn attribute(text: &[u8]) -> Attribute<'_> {
    match memchr::memchr(b'=', text).and_then(|at| text.split_at_checked(at)) {
        Some((key, value)) => Attribute {
            key: key.trim_ascii(),
            value: Some(Cow::Borrowed(value.get(1..).unwrap_or_default().trim_ascii())),
        },
        None => Attribute { key: text.trim_ascii(), value: None },
    }
}

fn write(attributes: &[Attribute<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, Attribute { key, value }) in attributes.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b"; ");
        }
        out.extend_from_slice(key);
        if let Some(value) = value {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
    out
}

/// The text is the whole domain, in any case; a dot in front of it is not compared, and stays.
fn is_domain(text: &[u8], value: &[u8]) -> Option<Range<usize>> {
    let dot = |text: &[u8]| usize::from(text.starts_with(b"."));
    let start = dot(value);
    let is_same = text.get(dot(text)..)?.eq_ignore_ascii_case(value.get(start..)?);
    is_same.then_some(start..value.len())
}

#[cfg(test)]
mod tests;
