//! `access`: lets clients in or refuses them by their addresses.

use crate::filter::{Filter, Step};
use crate::spec::Spec;
use bifrons_config::OneOrMany;
use bifrons_http::{ReqCx, Request, Response};
use bifrons_route::IpSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// Lets clients in or refuses them (403) by their addresses: the real ones, where a trusted proxy told them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The first rule that fits decides. Whom none fits is let in: end with `deny: all` to let in only those
    /// who are named.
    pub rules: Vec<Rule>,
}

/// A rule: one key, what becomes of the client, and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// Lets in: addresses, CIDR blocks, `unix:` (clients of a Unix socket), `all`.
    Allow(OneOrMany<String>),
    /// Refuses: the same.
    Deny(OneOrMany<String>),
}

impl Spec for Config {
    const NAME: &str = "access";
    const EXAMPLE: &str = r#"{ rules: [{ allow: [10.0.0.0/8, "2001:db8::/32"] }, { deny: all }] }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        let rules = self.rules.iter().map(|rule| match rule {
            Rule::Allow(whom) => Whom::build(whom).map(|whom| (Verdict::In, whom)),
            Rule::Deny(whom) => Whom::build(whom).map(|whom| (Verdict::Out, whom)),
        });
        Ok(Arc::new(Access { rules: rules.collect::<Result<_, _>>()? }))
    }
}

/// What becomes of a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    In,
    Out,
}

/// Whom a rule is for.
enum Whom {
    All,
    Some { addresses: IpSet, unix: bool },
}

impl Whom {
    fn build(whom: &[String]) -> Result<Self, String> {
        if whom.iter().any(|one| one == "all") {
            return Ok(Self::All);
        }
        let addresses = IpSet::parse(whom.iter().filter(|one| *one != "unix:"));
        let addresses = addresses.map_err(|err| err.to_string())?;
        Ok(Self::Some { addresses, unix: whom.iter().any(|one| one == "unix:") })
    }

    fn holds(&self, client: Option<IpAddr>) -> bool {
        match (self, client) {
            (Self::All, _) => true,
            (Self::Some { addresses, .. }, Some(client)) => addresses.contains(client),
            (Self::Some { unix, .. }, None) => *unix,
        }
    }
}

/// What the error log is told, in nginx's words.
pub(crate) const FORBIDDEN: &str = "access forbidden by rule";

/// The running filter.
struct Access {
    rules: Box<[(Verdict, Whom)]>,
}

impl Access {
    fn verdict(&self, cx: &ReqCx) -> Option<Verdict> {
        let client = cx.client.map(|addr| addr.ip());
        self.rules.iter().find(|(_, whom)| whom.holds(client)).map(|(verdict, _)| *verdict)
    }
}

impl Filter for Access {
    fn request<'a>(&'a self, cx: &'a mut ReqCx, _req: &'a mut Request) -> Step<'a> {
        match self.verdict(cx) {
            Some(Verdict::Out) => {
                cx.denied = Some(FORBIDDEN.into());
                Step::Reply(Box::new(Response::empty(403)))
            }
            Some(Verdict::In) | None => Step::Next,
        }
    }

    fn has_say(&self, cx: &ReqCx, _req: &Request) -> bool {
        self.verdict(cx).is_some()
    }
}

#[cfg(test)]
mod tests;
