//! Requests that take stored answers away: method PURGE from addresses that may, or conditions as nginx has them.

use crate::config::PurgeConfig;
use crate::plan::says_so;
use bifrons_config::Template;
use bifrons_http::vars::Scope;
use bifrons_route::IpSet;
use bifrons_store::Mode;

/// The method.
const METHOD: &[u8] = b"PURGE";

/// Who may take away what is stored.
#[derive(Debug)]
pub struct PurgePlan {
    /// Whom a request must come from; `None`: anybody.
    allow: Option<(IpSet, bool)>,
    /// What makes a request one; empty: its method.
    when: Box<[Template]>,
    /// What becomes of the answers.
    pub mode: Mode,
}

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One like any other.
    Nothing,
    /// It may not purge.
    Refused,
    /// It purges.
    Purge,
}

impl PurgePlan {
    /// From its configuration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn build(config: &PurgeConfig) -> Result<Self, String> {
        if config.allow.is_empty() && config.when.is_empty() {
            return Err("nobody may purge\nhelp: name addresses with `allow`, such as `127.0.0.1`".to_owned());
        }
        let addresses = IpSet::parse(config.allow.iter().filter(|one| *one != "unix:"));
        let addresses = addresses.map_err(|err| err.to_string())?;
        let unix = config.allow.iter().any(|one| one == "unix:");
        Ok(Self {
            allow: (!config.allow.is_empty()).then_some((addresses, unix)),
            when: config.when.clone().into(),
            mode: if config.soft { Mode::Soft } else { Mode::Hard },
        })
    }

    /// Whether the request purges.
    pub fn asked(&self, scope: &Scope<'_>) -> Asked {
        let is_purge = match self.when.is_empty() {
            true => scope.req.method_text() == METHOD,
            false => says_so(&self.when, scope),
        };
        if !is_purge {
            return Asked::Nothing;
        }
        let is_allowed = match (&self.allow, scope.cx.client) {
            (None, _) => true,
            (Some((addresses, _)), Some(client)) => addresses.contains(client.ip()),
            (Some((_, unix)), None) => *unix,
        };
        if is_allowed { Asked::Purge } else { Asked::Refused }
    }
}

/// The beginning of paths that a key with `*` at its end means: of the key what stands before the star, from the first
/// `/` on that is none of a scheme's. `None` where the key has no star.
pub fn prefix_of(key: &[u8]) -> Option<Result<String, NoPath>> {
    let key = key.strip_suffix(b"*")?;
    let authority = key.windows(3).position(|three| three == b"://").map_or(0, |at| at + 3);
    let rest = key.get(authority..).unwrap_or_default();
    let path = rest.iter().position(|byte| *byte == b'/').and_then(|at| rest.get(at..));
    Some(path.map(|path| String::from_utf8_lossy(path).into_owned()).ok_or(NoPath))
}

/// A key has a star at its end but no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPath;

#[cfg(test)]
mod tests;
