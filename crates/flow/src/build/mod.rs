//! From the configuration to a snapshot. All mistakes are found in one go.

mod bodies;
mod cache;
mod cluster;
mod files;
mod host;
mod internal;
mod listener;
mod route;
mod tcp;
mod udp;

use crate::shared::Shared;
use crate::snapshot::{ClusterPlan, RoutePlan, Snapshot};
use bifrons_cache::CacheZone;
use bifrons_config::suggest::nearest;
use bifrons_config::{At, Place, Problem, Problems};
use bifrons_model::{Config, Listener};
use bifrons_observe::CompiledFormat;
use bifrons_variables::VariableSet;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

/// What building goes by besides the configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where relative paths of the configuration begin; the working directory where it is empty.
    pub base: PathBuf,
    /// Whether files are opened. A check builds without.
    pub dry_run: bool,
    /// Whether there may be no listener, as in an nginx.conf that has no server yet.
    pub may_idle: bool,
}

/// A build under way.
struct Cx<'a> {
    config: &'a Config,
    shared: &'a Shared,
    options: &'a Options,
    problems: Problems,
    clusters: HashMap<&'a str, usize>,
    plans: Vec<Arc<ClusterPlan>>,
    formats: HashMap<String, Arc<CompiledFormat>>,
    /// Directories of temporary files that have been looked at.
    dirs: HashSet<PathBuf>,
    /// Zones of stored answers.
    caches: HashMap<&'a str, Option<Arc<CacheZone>>>,
    /// Routes that use them.
    cached: Vec<Arc<RoutePlan>>,
}

/// Builds the snapshot of a configuration.
///
/// # Errors
/// Everything that is wrong with it.
pub fn build(config: Arc<Config>, shared: &Shared, options: &Options) -> Result<Snapshot, Problems> {
    let mut cx = Cx {
        config: &config,
        shared,
        options,
        problems: Problems::default(),
        clusters: HashMap::new(),
        plans: Vec::new(),
        formats: HashMap::new(),
        dirs: HashSet::new(),
        caches: HashMap::new(),
        cached: Vec::new(),
    };
    let caches = cache::zones(&mut cx);
    cx.formats();
    cluster::build(&mut cx);
    let variables = cx.variables();
    let listeners = listener::build(&mut cx);
    let (clusters, cached, problems) = (cx.plans, cx.cached, cx.problems);
    let lower = |plan: &Arc<ClusterPlan>| plan.name.to_ascii_lowercase().into();
    // Backwards, so that of two names that differ in case the first stays.
    let by_name = clusters.iter().enumerate().rev().map(|(at, plan)| (lower(plan), at)).collect();
    let hash = fingerprint(&config);
    let tls = shared.tls.clone();
    problems.into_result(Snapshot {
        config,
        hash,
        listeners,
        clusters,
        by_name,
        variables,
        caches,
        cached,
        tls,
    })
}

impl<'a> Cx<'a> {
    fn formats(&mut self) {
        for (name, format) in &self.config.log_formats {
            self.formats.insert(name.clone(), Arc::new(CompiledFormat::build(format)));
        }
    }

    fn variables(&mut self) -> Option<Arc<VariableSet>> {
        match VariableSet::build(&self.config.variables) {
            Ok(set) => (!set.is_empty()).then(|| Arc::new(set)),
            Err(problems) => {
                for problem in problems {
                    self.problem_text(&problem.place, &problem.message);
                }
                None
            }
        }
    }

    /// What TLS is built with.
    fn tls(&self) -> bifrons_tls::Cx<'a> {
        bifrons_tls::Cx { store: &self.shared.tls, base: &self.options.base, http2: false }
    }

    /// The same for a listener, or a host of its.
    fn tls_of(&self, listener: &Listener) -> bifrons_tls::Cx<'a> {
        bifrons_tls::Cx { http2: listener.http2.enabled, ..self.tls() }
    }

    /// Notes what is wrong with TLS.
    /// `near`: where the reader looks when it has no place of its own.
    fn wrong(&mut self, wrong: &bifrons_tls::Wrong, near: &Option<Place>) {
        let place = if wrong.place.is_some() { &wrong.place } else { near };
        self.problem_text(place, &wrong.message);
    }

    fn problem(&mut self, place: &Option<Place>, message: impl Into<String>, help: Option<String>) {
        let mut problem = match place {
            Some(place) => Problem::at(place.clone(), message),
            None => Problem::nowhere(message),
        };
        problem.help = help;
        // What several hosts or routes share is wrong once.
        if !self.problems.0.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Notes a message of the form `what is wrong\nhelp: the fix`.
    fn problem_text(&mut self, place: &Option<Place>, text: &str) {
        let (message, help) = match text.split_once(bifrons_config::problem::HELP_MARK) {
            Some((message, help)) => (message, Some(help.to_owned())),
            None => (text, None),
        };
        self.problem(place, message, help);
    }

    /// The place of a cluster among the plans.
    fn cluster(&mut self, name: &At<String>) -> Option<usize> {
        if let Some(at) = self.clusters.get(name.value.as_str()) {
            return Some(*at);
        }
        let known: Vec<&str> = self.clusters.keys().copied().collect();
        let help = nearest(&name.value, known.iter().copied())
            .map(|near| format!("did you mean \"{near}\"?"))
            .or_else(|| Some("define it under `clusters:`".to_owned()));
        self.problem(&name.place, format!("unknown cluster \"{}\"", name.value), help);
        None
    }
}

/// A fingerprint of the configuration as it is after defaults.
fn fingerprint(config: &Config) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let text = serde_json::to_vec(config).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    hasher.write(&text);
    hasher.finish()
}
