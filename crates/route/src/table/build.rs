//! Building a [`RouteTable`], with all mistakes found at once.

use super::{Route, RouteTable};
use crate::condition::Condition;
use crate::path::{Extent, LiteralError, PathRules, literal};
use crate::pattern::{PathPattern, PatternForm};
use crate::prefix::PrefixIndex;
use crate::regex::{Regex, RegexList};
use std::collections::HashMap;

/// Collects routes. Routes are numbered from 0 in the order they are added; errors name these numbers.
#[derive(Debug)]
pub struct RouteTableBuilder<T> {
    rules: PathRules,
    routes: Vec<Pending<T>>,
}

#[derive(Debug)]
struct Pending<T> {
    pattern: PathPattern,
    route: Route<T>,
}

/// Why routes do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A later route of the same pattern would never be taken.
    #[error(
        "route {} (`{second_pattern}`) can never match: route {} has the same path (`{first_pattern}`) and no \
         conditions\nhelp: remove one of them, or put the one with conditions first", second + 1, first + 1
    )]
    Conflict {
        /// The number of the route without conditions.
        first: usize,
        /// Its pattern.
        first_pattern: String,
        /// The number of the route that cannot be reached.
        second: usize,
        /// Its pattern.
        second_pattern: String,
    },
    /// The pattern's text is none that a normalised path can have.
    #[error("route {} (`{pattern}`) can never match: {why}", route + 1)]
    NeverMatches {
        /// The number of the route.
        route: usize,
        /// Its pattern.
        pattern: String,
        /// Why.
        why: LiteralError,
    },
}

/// What makes two patterns the same.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Regex(Regex),
}

#[expect(clippy::mutable_key_type, reason = "Eq and Hash of a Regex only look at text and case")]
impl<T> RouteTableBuilder<T> {
    /// No routes yet. `rules` are those by which the paths of requests are normalised.
    pub fn new(rules: PathRules) -> Self {
        Self { rules, routes: Vec::new() }
    }

    /// Adds a route and returns its number. A condition that always holds counts as none.
    pub fn add(&mut self, pattern: PathPattern, condition: Option<Condition>, value: T) -> usize {
        let condition =
            condition.filter(|condition| !condition.is_empty()).map(|condition| condition.compile());
        let before_regexes = matches!(pattern.form(), PatternForm::PrefixNoRegex(_));
        self.routes.push(Pending { pattern, route: Route { condition, before_regexes, value } });
        self.routes.len() - 1
    }

    /// The table, or everything that is wrong.
    pub fn build(self) -> Result<RouteTable<T>, Vec<RouteError>> {
        let groups = self.groups()?;
        let mut pending: Vec<Option<Route<T>>> =
            self.routes.into_iter().map(|pending| Some(pending.route)).collect();
        let mut routes = Vec::with_capacity(pending.len());
        let mut exact = HashMap::new();
        let mut prefixes = Vec::new();
        let mut regexes = Vec::new();
        for (key, numbers) in groups {
            let first = routes.len();
            for &number in &numbers {
                if let Some(route) = pending.get_mut(number).and_then(Option::take) {
                    routes.push(route);
                }
            }
            let group = first..routes.len();
            match key {
                Key::Exact(path) => {
                    exact.insert(path, group);
                }
                Key::Prefix(path) => prefixes.push((path, group)),
                Key::Regex(regex) => {
                    regexes
                        .extend(numbers.iter().zip(group).map(|(number, at)| (*number, regex.clone(), at)));
                }
            }
        }
        regexes.sort_unstable_by_key(|(number, _, _)| *number);
        Ok(RouteTable {
            routes: routes.into(),
            exact_bytes_max: exact.keys().map(|path| path.len()).max().unwrap_or(0),
            exact,
            prefixes: PrefixIndex::new(prefixes),
            regex_routes: regexes.iter().map(|(_, _, at)| *at).collect(),
            regexes: RegexList::new(regexes.into_iter().map(|(_, regex, _)| regex).collect()),
        })
    }

    /// The numbers of the routes of each pattern, in order.
    fn groups(&self) -> Result<HashMap<Key, Vec<usize>>, Vec<RouteError>> {
        let mut groups: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut errors = Vec::new();
        for (number, Pending { pattern, .. }) in self.routes.iter().enumerate() {
            let key = match key(&self.rules, pattern) {
                Ok(key) => key,
                Err(why) => {
                    errors.push(RouteError::NeverMatches {
                        route: number,
                        pattern: pattern.to_string(),
                        why,
                    });
                    continue;
                }
            };
            let group = groups.entry(key).or_default();
            match group.iter().find(|earlier| self.routes[**earlier].route.condition.is_none()) {
                Some(&first) => errors.push(self.conflict(first, number)),
                None => group.push(number),
            }
        }
        if errors.is_empty() { Ok(groups) } else { Err(errors) }
    }

    fn conflict(&self, first: usize, second: usize) -> RouteError {
        let pattern = |number: usize| self.routes[number].pattern.to_string();
        RouteError::Conflict { first, first_pattern: pattern(first), second, second_pattern: pattern(second) }
    }
}

fn key(rules: &PathRules, pattern: &PathPattern) -> Result<Key, LiteralError> {
    Ok(match pattern.form() {
        PatternForm::Exact(path) => Key::Exact(literal(rules, path.as_bytes(), Extent::Whole)?.into()),
        PatternForm::Prefix(path) | PatternForm::PrefixNoRegex(path) => {
            Key::Prefix(literal(rules, path.as_bytes(), Extent::Start)?.into())
        }
        PatternForm::Regex(regex) => Key::Regex(regex.clone()),
    })
}
