//! Routes: a server's locations, nested ones too, as one flat list in which the most specific route wins.
//!
//! nginx looks for the longest prefix among a block's locations, then within that one, then tries the
//! regexes of the innermost block, then those of the blocks around it. A prefix or exact path within another
//! needs nothing for that: the longest wins in a flat list too. A regex within a location must not match
//! elsewhere, and one beside a `^~` location must not match there, so where blocks are nested the routes of
//! regexes get a condition on the path.

use super::clusters::Clusters;
use crate::context::Ctx;
use crate::directives::location::{Location, Matcher};
use crate::directives::server::Server;
use crate::level::Level;
use bifrons_config::units::Size;
use bifrons_config::{At, Place, Template};
use bifrons_filters::FilterConfig;
use bifrons_model::{Redirect, Route, ServerField};
use bifrons_observe::config::AccessLogs;
use bifrons_route::{Condition, PathPattern};
use std::collections::HashSet;

/// The routes of a server.
pub(super) fn emit(
    cx: &mut Ctx,
    server: &Server,
    clusters: &mut Clusters,
    server_field: Option<ServerField>,
) -> Vec<Route> {
    let level = &server.level;
    let mut emitter = Emitter {
        cx,
        clusters,
        max_body: level.connection.max_body(),
        access_log: level.log.emit(),
        server_field,
        nested: level.locations.iter().any(|location| !location.level.locations.is_empty()),
        exact: HashSet::new(),
        prefix: HashSet::new(),
        routes: Vec::new(),
    };
    // A server's `return` comes before any location is looked for.
    if level.answer.is_none() {
        emitter.block(&level.locations, &[]);
    }
    // What no location matches is answered by the server's own settings.
    let covers_all =
        |location: &Location| matches!(&location.matcher, Matcher::Prefix { path, .. } if path == "/");
    if level.answer.is_some() || !level.locations.iter().any(covers_all) {
        emitter.route(level, PathPattern::everything(), None, server.place.clone());
    }
    emitter.routes
}

struct Emitter<'a> {
    cx: &'a mut Ctx,
    clusters: &'a mut Clusters,
    /// The host's.
    max_body: Size,
    /// The host's.
    access_log: Option<AccessLogs>,
    /// That of all the server's listeners.
    server_field: Option<ServerField>,
    /// Whether any location has others within.
    nested: bool,
    /// Exact paths that have a route.
    exact: HashSet<String>,
    /// Prefixes that have one: of the same prefix within itself, the inner one.
    prefix: HashSet<String>,
    routes: Vec<Route>,
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
        // A `return` comes before anybody is asked who he is.
        if let Some(limit) = location.level.limit_except.as_ref().filter(|_| location.level.answer.is_none())
        {
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
        let mut route = self.plain(level, pattern, place);
        route.condition = condition;
        if level.answer.is_none() {
            route.filters.splice(..0, level.access.emit().into_iter().map(At::from));
        }
        if let Some(answer) = &level.answer {
            answer.emit(level.files.media_type(level.matcher.as_ref()), &mut route);
        } else if let Some(pass) = &level.pass {
            let Some(target) = self.clusters.target(self.cx, pass, level.proxy.bind(), &level.resolver)
            else {
                return;
            };
            if let Some(check) = &level.health_check {
                self.clusters.check(self.cx, pass, check);
            }
            let mut proxy = level.proxy.emit(pass, target.name, target.keeps_alive);
            level.body.emit(self.cx, &mut proxy, pass.place());
            level.body.check_passed(self.cx, &level.answers, pass.place());
            route.proxy = Some(At::new(proxy, pass.place().clone()));
            route.filters.extend(level.answers.emit(pass, level.matcher.as_ref()).into_iter().map(At::from));
        } else if let Some(builtin) = level.builtin {
            route.builtin = Some(builtin.into());
        } else {
            let mut files = level.files.emit(self.cx, level.matcher.as_ref());
            level.statics.emit(level.expires.is_utf8(), &mut files);
            route.files = Some(files.into());
        }
        self.routes.push(route);
    }

    /// Filters of answers, the last one first: nginx sets `Expires`, then adds fields, then the charset.
    fn filters(&mut self, level: &Level) -> Vec<At<FilterConfig>> {
        let charset = level.expires.emit_charset(self.cx);
        let filters = charset.into_iter().chain(level.headers.emit_trailers());
        let filters = filters.chain(level.headers.emit()).chain(level.expires.emit_expires());
        filters.map(At::from).collect()
    }

    /// A route without an action.
    fn plain(&mut self, level: &Level, pattern: PathPattern, place: Option<Place>) -> Route {
        let max_body = level.connection.max_body();
        let access_log = level.log.emit().filter(|log| Some(log) != self.access_log.as_ref());
        Route {
            path: At { value: pattern, place },
            filters: self.filters(level),
            max_body: (max_body != self.max_body).then_some(max_body),
            access_log,
            bandwidth: level.body.bandwidth().map(At::from),
            server: Some(level.server_field()).filter(|field| Some(field) != self.server_field.as_ref()),
            no_chunks: level.connection.chunks == Some(false),
            ..Route::default()
        }
    }
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
