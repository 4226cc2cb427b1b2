//! Routes: a server's locations, nested ones too, as one flat list in which the most specific route wins.
//!
//! nginx looks for the longest prefix among a block's locations, then within that one, then tries the
//! regexes of the innermost block, then those of the blocks around it. A prefix or exact path within another
//! needs nothing for that: the longest wins in a flat list too. A regex within a location must not match
//! elsewhere, and one beside a `^~` location must not match there, so where blocks are nested the routes of
//! regexes get a condition on the path.

use super::clusters::Clusters;
use super::rules::sole_answer;
use crate::context::Ctx;
use crate::directives::in_flight;
use crate::directives::location::{Location, Matcher};
use crate::directives::rewrite::Rule;
use crate::directives::server::Server;
use crate::level::Level;
use bifrons_config::{At, Place, Problem, Template};
use bifrons_filters::rewrite::Step;
use bifrons_filters::{FilterConfig, cut_ranges};
use bifrons_model::{ClientTimes, Redirect, Respond, Route, ServerField};
use bifrons_route::{Condition, PathPattern};
use indexmap::IndexMap;
use std::collections::HashSet;

/// What a server leads to.
pub(super) struct Routes {
    pub(super) routes: Vec<Route>,
    pub(super) named: IndexMap<String, Route>,
    /// What is done before a location is looked for.
    pub(super) rewrite: Vec<Step>,
    /// The route that stands for the server itself, where it is not one of `routes`.
    pub(super) fallback: Option<At<String>>,
    /// The server's directory, where `rewrite` asks for it.
    pub(super) root: Option<Template>,
}

/// What all listeners of a server say, where they say the same.
pub(super) struct OfListener {
    /// The `Server` field.
    pub(super) server: Option<ServerField>,
    /// How long clients may take.
    pub(super) times: Option<ClientTimes>,
}

/// The routes of a server.
pub(super) fn emit(
    cx: &mut Ctx,
    server: &Server,
    clusters: &mut Clusters,
    of_listener: OfListener,
) -> Routes {
    let level = &server.level;
    let mut emitter = Emitter {
        cx,
        clusters,
        server: level,
        of_listener,
        reroutes_index: reroutes_index(level),
        nested: level.locations.iter().any(|location| !location.level.locations.is_empty()),
        exact: HashSet::new(),
        prefix: HashSet::new(),
        routes: Vec::new(),
        named: IndexMap::new(),
    };
    // A server that does nothing but answer comes before any location is looked for.
    let answers = sole_answer(level).is_some();
    emitter.named(&level.locations);
    if !answers {
        emitter.block(&level.locations, &[]);
    }
    let rewrite = if answers { Vec::new() } else { emitter.steps(level, None) };
    // What no location matches is answered by the server's own settings.
    let covers_all =
        |location: &Location| matches!(&location.matcher, Matcher::Prefix { path, .. } if path == "/");
    let fallback = (!rewrite.is_empty()).then(|| emitter.fallback(server)).flatten();
    if fallback.is_none() && (answers || !level.locations.iter().any(covers_all)) {
        emitter.route(level, PathPattern::everything(), None, server.place.clone());
    }
    emitter.missing_names();
    let names_files = emitter.cx.names_files && !rewrite.is_empty();
    let root = names_files.then(|| level.files.directory(emitter.cx, None).0).flatten();
    Routes { routes: emitter.routes, named: emitter.named, rewrite, fallback, root }
}

/// Whether the index file of a directory may be another location's than the directory, or is rewritten.
fn reroutes_index(server: &Level) -> bool {
    fn some(level: &Level, index: &[Template]) -> bool {
        level.locations.iter().any(|location| {
            let begins_one = |path: &str| {
                let last = path.rsplit('/').next().unwrap_or_default();
                let begins = |name: &Template| name.as_text().is_none_or(|name| name.starts_with(last));
                !last.is_empty() && index.iter().any(begins)
            };
            let takes = match &location.matcher {
                Matcher::Exact(path) | Matcher::Prefix { path, .. } => begins_one(path),
                Matcher::Regex(_) => true,
                Matcher::Named(_) => false,
            };
            takes || !location.level.rules.is_empty() || some(&location.level, location.level.files.index())
        })
    }
    !server.rules.is_empty() || some(server, server.files.index())
}

pub(super) struct Emitter<'a> {
    pub(super) cx: &'a mut Ctx,
    clusters: &'a mut Clusters,
    /// The server's settings, which are the host's.
    server: &'a Level,
    of_listener: OfListener,
    /// Whether index files are routed again.
    reroutes_index: bool,
    /// Whether any location has others within.
    nested: bool,
    /// Exact paths that have a route.
    exact: HashSet<String>,
    /// Prefixes that have one: of the same prefix within itself, the inner one.
    prefix: HashSet<String>,
    routes: Vec<Route>,
    pub(super) named: IndexMap<String, Route>,
}

impl Emitter<'_> {
    /// The locations of one block. `within` are the conditions of the blocks around it.
    fn block(&mut self, locations: &[Location], within: &[Condition]) {
        self.exact_ones(locations);
        // Regexes within come before those of this block, as they are tried first.
        for location in locations.iter().filter(|location| !location.matcher.is_regex()) {
            self.within(location, locations, within);
        }
        self.regexes(locations, within);
        let named: HashSet<String> = locations
            .iter()
            .filter(|other| !other.matcher.is_regex())
            .map(|other| other.matcher.name())
            .collect();
        for location in locations.iter().filter(|location| location.matches) {
            if let Matcher::Prefix { path, .. } = &location.matcher
                && self.prefix.insert(path.clone())
            {
                self.slash_redirect(location, path, &named);
                let matcher = match &location.matcher {
                    // `^~` is said by conditions then.
                    Matcher::Prefix { path, .. } if self.nested => {
                        Matcher::Prefix { path: path.clone(), before_regexes: false }
                    }
                    other => other.clone(),
                };
                self.location(location, &matcher, None);
            }
        }
    }

    fn exact_ones(&mut self, locations: &[Location]) {
        for location in locations.iter().filter(|location| location.matches) {
            if let Matcher::Exact(path) = &location.matcher
                && self.exact.insert(path.clone())
            {
                self.location(location, &location.matcher, None);
            }
        }
    }

    fn regexes(&mut self, locations: &[Location], within: &[Condition]) {
        let mut all = within.to_vec();
        if self.nested {
            // Where a `^~` location is the longest, this block's regexes are not tried.
            let first = |location: &&Location| {
                matches!(&location.matcher, Matcher::Prefix { before_regexes: true, .. })
            };
            for location in locations.iter().filter(first) {
                all.push(Condition {
                    not: Some(Box::new(region(location, locations))),
                    ..Condition::default()
                });
            }
        }
        let condition = match all.len() {
            0 => None,
            1 => all.first().cloned(),
            _ => Some(Condition { all: all.clone(), ..Condition::default() }),
        };
        for location in locations.iter().filter(|location| location.matches && location.matcher.is_regex()) {
            self.within(location, locations, &all);
            self.location(location, &location.matcher, condition.clone());
        }
    }

    /// The locations within one of `siblings`.
    fn within(&mut self, location: &Location, siblings: &[Location], around: &[Condition]) {
        let inner = reachable(location, siblings);
        if !inner.is_empty() {
            let mut conditions = around.to_vec();
            conditions.push(region(location, siblings));
            self.block(&inner, &conditions);
        }
    }

    /// A prefix with a final slash that proxies redirects the same path without it, unless that has a
    /// location of its own (nginx's `auto_redirect`).
    fn slash_redirect(&mut self, location: &Location, path: &str, named: &HashSet<String>) {
        let Some(short) = path.strip_suffix('/').filter(|short| !short.is_empty()) else { return };
        let proxies = location.level.pass.is_some();
        if !proxies || named.contains(short) || !self.exact.insert(short.to_owned()) {
            return;
        }
        let to = format!("{}$is_args$args", path.replace('$', "$$"));
        if let (Ok(pattern), Ok(to)) = (PathPattern::exact(short), Template::parse(&to)) {
            let mut route = self.plain(&location.level, pattern, Some(location.place.clone()));
            route.redirect = Some(Redirect { to, status: 301 }.into());
            self.routes.push(route);
        }
    }

    fn location(&mut self, location: &Location, matcher: &Matcher, condition: Option<Condition>) {
        let Ok(pattern) = matcher.pattern() else { return };
        let place = Some(location.place.clone());
        // As in nginx, the location's rules are not those of the other methods.
        if let Some(limit) = &location.level.limit_except {
            let others = limit.condition(condition.as_ref());
            self.route(&limit.level, pattern.clone(), Some(others), place.clone());
        }
        self.route(&location.level, pattern, condition, place);
    }

    /// One route with the action that the block has.
    fn route(
        &mut self,
        level: &Level,
        pattern: PathPattern,
        condition: Option<Condition>,
        place: Option<Place>,
    ) {
        if let Some(route) = self.whole(level, pattern, place) {
            self.routes.push(Route { condition, ..route });
        }
    }

    /// A route with the block's rules and its action.
    fn whole(&mut self, level: &Level, pattern: PathPattern, place: Option<Place>) -> Option<Route> {
        let mut route = self.plain(level, pattern, place);
        if self.rules(level, &mut route) {
            self.directory(level, &mut route);
            return Some(route);
        }
        self.with_content(level, route)
    }

    /// The route with the action that the block has.
    pub(super) fn with_content(&mut self, level: &Level, mut route: Route) -> Option<Route> {
        // Rules come before anybody is asked who he is.
        let rules =
            route.filters.iter().take_while(|filter| matches!(filter.value, FilterConfig::Rewrite(_)));
        let at = rules.count();
        let zones = std::mem::take(&mut self.cx.http.zones);
        let in_flight = in_flight::emit(self.cx, level, &zones).map(FilterConfig::InFlight);
        self.cx.http.zones = zones;
        route.filters.splice(at..at, in_flight.into_iter().chain(level.access.emit()).map(At::from));
        if let Some(pass) = &level.pass {
            let (settings, answers, ssl) = match pass.grpc {
                true => (&level.grpc.proxy, &level.grpc.answers, &level.grpc.ssl),
                false => (&level.proxy, &level.answers, &level.proxy_ssl),
            };
            let target = self.clusters.target(self.cx, pass, settings.bind(), &level.resolver)?;
            if let Some(check) = &level.health_check {
                self.clusters.check(self.cx, pass, check);
            }
            let tls = pass.tls.then(|| ssl.emit(self.cx, pass));
            let target = self.clusters.secured(target, tls);
            let mut proxy = settings.emit(pass, target.name, target.keeps_alive);
            if pass.grpc {
                level.grpc.emit_bodies(&mut proxy);
            } else {
                level.body.emit(self.cx, &mut proxy, pass.place());
                level.body.check_passed(self.cx, answers, pass.place());
                route.cache = level.cache.emit(level.body.ignored.as_deref().unwrap_or_default());
            }
            route.proxy = Some(At::new(proxy, pass.place().clone()));
            route.filters.extend(answers.emit(pass, level.matcher.as_ref()).into_iter().map(At::from));
            if level.proxy.force_ranges == Some(true) && !pass.grpc {
                if let Some(cache) = &mut route.cache {
                    cache.value.force_ranges = true;
                }
                // Nearest to the client: what has been compressed has no length any more.
                route.filters.insert(0, FilterConfig::CutRanges(cut_ranges::Config {}).into());
            }
        } else if let Some(builtin) = level.builtin {
            route.builtin = Some(builtin.into());
        } else {
            let mut files = level.files.emit(self.cx, level.matcher.as_ref());
            level.statics.emit(level.expires.is_utf8(), &level.compression, &mut files);
            let is_own = |name: &Template| name.as_text().is_none_or(|name| name.starts_with('/'));
            let has_path = files.index.iter().any(is_own);
            files.reroute_index = self.reroutes_index || has_path;
            route.files = Some(files.into());
        }
        route.try_files.clone_from(&level.try_files);
        self.directory(level, &mut route);
        Some(route)
    }

    /// The directory of a route that asks for it; `static` says it already.
    fn directory(&mut self, level: &Level, route: &mut Route) {
        if route.files.is_none() && (self.cx.names_files || route.try_files.is_some()) {
            (route.root, route.alias) = level.files.directory(self.cx, level.matcher.as_ref());
        }
    }

    /// Named locations.
    fn named(&mut self, locations: &[Location]) {
        for location in locations {
            if let Matcher::Named(name) = &location.matcher
                && let Some(route) =
                    self.whole(&location.level, PathPattern::everything(), Some(location.place.clone()))
            {
                self.named.insert(name.clone(), route);
            }
        }
    }

    /// The route that stands for the server: for what its rules answer, and for what no location matches.
    fn fallback(&mut self, server: &Server) -> Option<At<String>> {
        let level = self.server;
        let mut route = self.plain(level, PathPattern::everything(), server.place.clone());
        route.media_types = Some(level.files.media_types());
        let route = self.with_content(level, route)?;
        let name = self.free_name("server");
        self.named.insert(name.clone(), route);
        Some(At::from(name))
    }

    /// nginx takes a named location that is not there, and answers with 500 where it is asked for.
    fn missing_names(&mut self) {
        let routes = self.routes.iter().chain(self.named.values());
        let tried = routes
            .filter_map(|route| route.try_files.as_ref())
            .map(|try_files| At { value: try_files.value.otherwise.clone(), place: try_files.place.clone() });
        let levels = levels(self.server);
        let pages =
            levels.iter().flat_map(|level| level.internal.targets()).map(|to| to.map(Template::clone));
        let targets: Vec<At<Template>> = tried.chain(pages).collect();
        for target in targets {
            let name = target.value.as_text().and_then(|text| text.strip_prefix('@'));
            let Some(name) = name.filter(|name| !self.named.contains_key(*name)) else { continue };
            let message = format!("there is no named location \"@{name}\"");
            let problem = Problem { place: target.place.clone(), ..Problem::nowhere(message) };
            self.cx.notes.warn(problem.help("requests that are sent there get a 500"));
            let nothing = Template::default();
            let answer = Respond { status: 500, body: nothing, content_type: None, headers: IndexMap::new() };
            let route = Route {
                path: At { value: PathPattern::everything(), place: target.place.clone() },
                respond: Some(answer.into()),
                ..Route::default()
            };
            self.named.insert(name.to_owned(), route);
        }
    }

    /// Filters of answers, the last one first: nginx sets `Expires`, adds fields, decompresses, replaces texts,
    /// names the charset and compresses.
    fn filters(&mut self, level: &Level) -> Vec<At<FilterConfig>> {
        let charset = level.expires.emit_charset(self.cx);
        let filters = level.compression.emit().into_iter().chain(charset);
        let filters = filters.chain(level.sub.emit());
        let filters = filters.chain(level.compression.emit_gunzip()).chain(level.headers.emit_trailers());
        let filters = filters.chain(level.headers.emit()).chain(level.expires.emit_expires());
        filters.map(At::from).collect()
    }

    /// A route without an action.
    pub(super) fn plain(&mut self, level: &Level, pattern: PathPattern, place: Option<Place>) -> Route {
        let of_host = self.server;
        let max_body = level.connection.max_body();
        let access_log = level.log.emit().filter(|log| Some(log) != of_host.log.emit().as_ref());
        let pages = level.internal.error_pages();
        let recursive = level.internal.is_recursive();
        let redirects = level.internal.redirects();
        Route {
            path: At { value: pattern, place },
            filters: self.filters(level),
            max_body: (max_body != of_host.connection.max_body()).then_some(max_body),
            access_log,
            error_log: level.log.errors().filter(|log| Some(log) != of_host.log.errors().as_ref()),
            quiet_not_found: level.log.not_found == Some(false),
            bandwidth: level.body.bandwidth(&self.cx.declared).map(At::from),
            client: level.connection.times_over(self.of_listener.times.as_ref()),
            server: Some(level.server_field())
                .filter(|field| Some(field) != self.of_listener.server.as_ref()),
            no_chunks: level.connection.chunks == Some(false),
            internal: level.is_internal,
            error_pages: (pages != of_host.internal.error_pages()).then_some(pages),
            recursive_error_pages: (recursive != of_host.internal.is_recursive()).then_some(recursive),
            own_redirects: (redirects != of_host.internal.redirects()).then_some(redirects),
            ..Route::default()
        }
    }
}

/// A block and all blocks within.
fn levels(level: &Level) -> Vec<&Level> {
    let mut all = vec![level];
    for location in &level.locations {
        all.extend(levels(&location.level));
    }
    for rule in &level.rules {
        if let Rule::If(block) = rule {
            all.push(&block.level);
        }
    }
    all
}

/// The paths for which nginx goes into a location: it is the longest of its block.
fn region(location: &Location, siblings: &[Location]) -> Condition {
    let Ok(own) = location.matcher.pattern() else { return Condition::default() };
    let longer = siblings.iter().filter(|other| is_longer(other, location));
    let not: Vec<_> = longer.filter_map(|other| other.matcher.pattern().ok()).collect();
    let not = (!not.is_empty()).then(|| Box::new(Condition { path: not, ..Condition::default() }));
    let own = match own.form() {
        bifrons_route::pattern::PatternForm::PrefixNoRegex(path) => PathPattern::prefix(path).unwrap_or(own),
        _ => own,
    };
    Condition { path: vec![own], not, ..Condition::default() }
}

/// Whether `other` is a prefix that begins with `location`'s and goes on.
fn is_longer(other: &Location, location: &Location) -> bool {
    match (&other.matcher, &location.matcher) {
        (Matcher::Prefix { path: other, .. }, Matcher::Prefix { path, .. }) => {
            other.len() > path.len() && other.starts_with(path.as_str())
        }
        _ => false,
    }
}

/// The locations within `location` that a path can get to: none that a longer sibling covers.
fn reachable(location: &Location, siblings: &[Location]) -> Vec<Location> {
    let covered = |inner: &Location| {
        let name = inner.matcher.name();
        !inner.matcher.is_regex()
            && siblings
                .iter()
                .any(|other| is_longer(other, location) && name.starts_with(&other.matcher.name()))
    };
    location.level.locations.iter().filter(|inner| !covered(inner)).cloned().collect()
}
