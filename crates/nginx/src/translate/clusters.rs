//! Clusters: those of `upstream` blocks, and one for each other address that a `proxy_pass` names.

use crate::context::Ctx;
use crate::directives::health::Check;
use crate::directives::proxy_pass::ProxyPass;
use crate::directives::resolver::ResolverSettings;
use crate::directives::upstream::Upstream;
use bifrons_config::suggest::nearest;
use bifrons_config::{At, Problem};
use bifrons_model::{Cluster, Expect, Resolver};
use bifrons_tls::UpstreamTls;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// The clusters that are there so far.
pub(super) struct Clusters {
    /// Those of `upstream` blocks, then those that an address made.
    upstreams: IndexMap<String, Upstream>,
    /// How many of them are of `upstream` blocks.
    declared: usize,
    /// Those of `upstream` blocks by their names in lower case: case does not count.
    by_name: HashMap<String, usize>,
    emitted: IndexMap<String, Cluster>,
    /// Those of them that are spoken to in plain text, and those over TLS, by what they are without it.
    plain: HashSet<String>,
    secured: HashSet<String>,
    /// Who resolves names where an upstream does not say.
    resolver: ResolverSettings,
    /// What `match` blocks say.
    matches: HashMap<String, Expect>,
}

/// A cluster as a route needs it.
pub(super) struct Target {
    pub(super) name: At<String>,
    pub(super) keeps_alive: bool,
}

impl Clusters {
    pub(super) fn new(
        upstreams: IndexMap<String, Upstream>,
        resolver: ResolverSettings,
        matches: HashMap<String, Expect>,
    ) -> Self {
        let by_name =
            upstreams.keys().enumerate().map(|(at, name)| (name.to_ascii_lowercase(), at)).collect();
        Self {
            declared: upstreams.len(),
            upstreams,
            by_name,
            emitted: IndexMap::new(),
            plain: HashSet::new(),
            secured: HashSet::new(),
            resolver,
            matches,
        }
    }

    /// The cluster that a `proxy_pass` leads to. In nginx the address that connections come from
    /// (`proxy_bind`) is a location's; here it is the cluster's, so each address makes a cluster of its own.
    pub(super) fn target(
        &mut self,
        cx: &mut Ctx,
        pass: &ProxyPass,
        bind: Option<At<String>>,
        resolver: &ResolverSettings,
    ) -> Option<Target> {
        if pass.is_dynamic() {
            return Some(self.dynamic(pass, resolver));
        }
        let upstream = self.find(cx, pass)?;
        let (_, upstream) = self.upstreams.get_index(upstream)?;
        let name = match &bind {
            Some(address) => format!("{}@{address}", self.name_of(pass)),
            None => self.name_of(pass),
        };
        if !self.emitted.contains_key(&name) {
            self.emitted.insert(name.clone(), upstream.emit(bind, resolver));
        }
        Some(Target { name: At::new(name, pass.place().clone()), keeps_alive: upstream.keeps_alive() })
    }

    /// The settings of servers that requests name. Locations with another resolver have other settings.
    fn dynamic(&mut self, pass: &ProxyPass, resolver: &ResolverSettings) -> Target {
        let cluster = Upstream::dynamic(resolver.emit().unwrap_or(Resolver::None)).emit(None, resolver);
        // Never the name of a host, which would lead to these settings and not to a server.
        let base = match pass.host.contains('$') {
            true => pass.host.clone(),
            false => pass.word.text.trim_start_matches("http://").to_owned(),
        };
        let mut name = base.clone();
        for number in 2.. {
            match self.emitted.get(&name) {
                Some(other) if *other != cluster => name = format!("{base}#{number}"),
                _ => break,
            }
        }
        self.emitted.insert(name.clone(), cluster);
        // A cluster that the host turns out to be says itself whether connections are kept.
        Target { name: At::new(name, pass.place().clone()), keeps_alive: true }
    }

    /// The same cluster, over TLS if `tls` says how. In nginx that is a location's too.
    pub(super) fn secured(&mut self, target: Target, tls: Option<UpstreamTls>) -> Target {
        let Some(tls) = tls else {
            self.plain.insert(target.name.value.clone());
            return target;
        };
        let Some(plain) = self.emitted.get(&target.name.value).cloned() else { return target };
        self.secured.insert(target.name.value.clone());
        let cluster = Cluster { tls: Some(tls), ..plain };
        let mut name = format!("https://{}", target.name);
        for number in 2.. {
            match self.emitted.get(&name) {
                Some(other) if *other != cluster => name = format!("https://{}#{number}", target.name),
                _ => break,
            }
        }
        self.emitted.insert(name.clone(), cluster);
        Target { name: target.name.map(|_| name), ..target }
    }

    /// Notes the active checks of the location that leads to the upstream.
    pub(super) fn check(&mut self, cx: &mut Ctx, pass: &ProxyPass, check: &Check) {
        let mut config = check.config.clone();
        if let Some(by) = &check.by {
            match self.matches.get(&by.text) {
                Some(expect) => config.expect = expect.clone(),
                None => return cx.problem(by, format!("match \"{}\" is not found", by.text)),
            }
        }
        let declared = self.declared(&pass.host).map(|(at, name)| (at, name.to_owned()));
        let Some((at, name)) = declared else {
            let message = "\"health_check\" needs a \"proxy_pass\" to an upstream";
            return cx.notes.problem(Problem::at(pass.place().clone(), message));
        };
        config.host.get_or_insert_with(|| name.clone());
        if let Some((_, upstream)) = self.upstreams.get_index_mut(at) {
            upstream.health_check = Some(config.clone());
        }
        // Clusters of the same upstream that were written before.
        for (other, cluster) in &mut self.emitted {
            let other = other.strip_prefix("https://").unwrap_or(other);
            if other == name
                || other.starts_with(&format!("{name}@"))
                || other.starts_with(&format!("{name}#"))
            {
                cluster.health_check = Some(config.clone());
            }
        }
    }

    /// All clusters: those of `upstream` blocks in their order, those that routes name besides.
    pub(super) fn finish(mut self) -> IndexMap<String, Cluster> {
        let mut clusters = IndexMap::new();
        let only_tls = |name: &String| self.secured.contains(name) && !self.plain.contains(name);
        self.emitted.retain(|name, _| !only_tls(name));
        for (name, upstream) in self.upstreams.iter().take(self.declared) {
            if only_tls(name) {
                continue;
            }
            let cluster =
                self.emitted.shift_remove(name).unwrap_or_else(|| upstream.emit(None, &self.resolver));
            clusters.insert(name.clone(), cluster);
        }
        clusters.extend(self.emitted);
        clusters
    }

    /// The key of the upstream, whose spelling may differ in case.
    fn name_of(&self, pass: &ProxyPass) -> String {
        self.declared(&pass.host).map_or_else(|| pass.name(), |(_, name)| name.to_owned())
    }

    /// The upstream of that name, without regard to case.
    fn declared(&self, host: &str) -> Option<(usize, &str)> {
        let at = *self.by_name.get(&host.to_ascii_lowercase())?;
        self.upstreams.get_index(at).map(|(name, _)| (at, name.as_str()))
    }

    /// Where the upstream is; made where none has the name.
    fn find(&mut self, cx: &mut Ctx, pass: &ProxyPass) -> Option<usize> {
        if let Some((at, _)) = self.declared(&pass.host) {
            return Some(at);
        }
        if let (Some(port), Some((_, name))) = (pass.port, self.declared(pass.bare_host())) {
            let message = format!("upstream \"{name}\" may not have port {port}");
            cx.notes.problem(Problem::at(pass.place().clone(), message));
            return None;
        }
        let name = pass.name();
        if let Some(at) = self.upstreams.get_index_of(&name) {
            return Some(at);
        }
        if let Some(near) = self.misspelt(pass) {
            let message = format!("host not found in upstream \"{}\"", pass.host);
            let help = format!("did you mean the upstream \"{near}\"?");
            cx.notes.problem(Problem::at(pass.place().clone(), message).help(help));
            return None;
        }
        let address = pass.address(cx)?;
        let upstream = Upstream::implicit(address, pass.place());
        Some(self.upstreams.insert_full(name, upstream).0)
    }

    /// The upstream that a bare name without dot and port most likely was meant to be.
    fn misspelt(&self, pass: &ProxyPass) -> Option<&str> {
        let is_bare = pass.port.is_none() && !pass.host.contains(['.', ':', '[']) && pass.host != "localhost";
        let names = self.upstreams.keys().take(self.declared).map(String::as_str);
        nearest(&pass.host, names.filter(|_| is_bare))
    }
}
