//! From a path, and conditions on the rest, to a route: the most specific pattern wins.
//!
//! The order is nginx's, whatever the order in which routes were written:
//! 1. the exact path;
//! 2. the longest prefix, if it is marked `^~`;
//! 3. the first regex, in the order of definition;
//! 4. the longest prefix.
//!
//! Why not "first match wins": with it, a route written too early hides a later one silently, and a look-up
//! has to try them in order. Here order means nothing but between regexes and between routes with the same
//! pattern. Of those the first whose conditions hold is taken; if none does, the pattern counts as not
//! matching and the next less specific one is tried, shorter prefixes too.

use crate::captures::Captures;
use crate::condition::Compiled;
use crate::facts::Facts;
use crate::prefix::PrefixIndex;
use crate::regex::RegexList;
use std::collections::HashMap;
use std::ops::Range;

mod build;

pub use build::{RouteError, RouteTableBuilder};

/// Routes of one host. `T` is what a route leads to. Immutable, shared by all workers.
#[derive(Debug)]
pub struct RouteTable<T> {
    /// In groups of the same pattern, each in the order of definition.
    routes: Box<[Route<T>]>,
    exact: HashMap<Box<[u8]>, Group>,
    /// No exact path is longer, so that a longer one need not be hashed.
    exact_bytes_max: usize,
    prefixes: PrefixIndex<Group>,
    regexes: RegexList,
    /// For each of `regexes` its place in `routes`.
    regex_routes: Box<[usize]>,
}

/// Places in `routes` of those with one pattern.
type Group = Range<usize>;

#[derive(Debug)]
struct Route<T> {
    condition: Option<Compiled>,
    /// A prefix marked `^~`.
    before_regexes: bool,
    value: T,
}

impl<T> RouteTable<T> {
    /// The route for the request. The groups of the regex that led there are in `captures`, positions in
    /// [`Facts::path`]; it is empty when the pattern is no regex or has no groups.
    pub fn find(&self, request: &dyn Facts, captures: &mut Captures) -> Option<&T> {
        captures.clear();
        let path = request.path();
        if let Some(route) = self.find_exact(path, request) {
            return Some(&route.value);
        }
        let prefix = self.prefixes.matches(path).find_map(|group| self.first_that_holds(group, request));
        if let Some(route) = prefix.filter(|route| route.before_regexes) {
            return Some(&route.value);
        }
        let regex = self.regexes.find(path, captures, |at| self.regex_route(at, request));
        regex.or(prefix).map(|route| &route.value)
    }

    /// What routes lead to, in no particular order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.routes.iter().map(|route| &route.value)
    }

    /// Number of routes.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    fn find_exact(&self, path: &[u8], request: &dyn Facts) -> Option<&Route<T>> {
        if path.len() > self.exact_bytes_max {
            return None;
        }
        self.first_that_holds(self.exact.get(path)?, request)
    }

    fn regex_route(&self, at: usize, request: &dyn Facts) -> Option<&Route<T>> {
        let route = self.routes.get(*self.regex_routes.get(at)?)?;
        route.holds(request).then_some(route)
    }

    fn first_that_holds(&self, group: &Group, request: &dyn Facts) -> Option<&Route<T>> {
        self.routes.get(group.clone())?.iter().find(|route| route.holds(request))
    }
}

impl<T> Route<T> {
    fn holds(&self, request: &dyn Facts) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.holds(request))
    }
}

#[cfg(test)]
mod tests;
