//! `http`, and what all its servers share.

use super::in_flight::Zone;
use super::log::Formats;
use super::server::Server;
use super::upstream::Upstream;
use crate::directive::{Args, Contexts, Spec};
use crate::level::Level;
use bifrons_config::At;
use bifrons_model::Expect;
use bifrons_store::ZoneConfig;
use bifrons_variables::Variable;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// What the `http` block holds.
#[derive(Debug, Default)]
pub(crate) struct Http {
    pub(crate) level: Level,
    pub(crate) servers: Vec<Server>,
    pub(crate) upstreams: IndexMap<String, Upstream>,
    /// Their names in lower case.
    pub(crate) upstream_names: HashSet<String>,
    pub(crate) formats: Formats,
    /// Variables that are computed, by their names in lower case.
    pub(crate) variables: IndexMap<String, At<Variable>>,
    /// `proxy_cache_path`s by the names of their zones.
    pub(crate) caches: IndexMap<String, At<ZoneConfig>>,
    /// `limit_conn_zone`s by their names.
    pub(crate) zones: IndexMap<String, Zone>,
    /// What `match` blocks say, by their names.
    pub(crate) matches: HashMap<String, Expect>,
}

pub(crate) const DIRECTIVES: &[Spec] = &[Spec::new(
    "http",
    Contexts::MAIN,
    Args::Block(0, 0),
    "Servers for HTTP, and settings that they inherit.",
    |cx, d| {
        cx.put(d, (), |cx| &mut cx.main.http);
        cx.http.level = cx.level(Contexts::HTTP, Level::default(), d);
    },
)];
