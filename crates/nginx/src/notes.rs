//! What there is to say about a configuration: mistakes, warnings, directives that need no equivalent.

use bifrons_config::{Place, Problem, Problems, Source};
use std::collections::HashMap;
use std::sync::Arc;

/// More mistakes than a person mends in one go; a file of nothing but `}` stays cheap.
const PROBLEMS_MAX: usize = 500;

/// Everything said so far.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) problems: Problems,
    pub(crate) warnings: Vec<Problem>,
    /// Directives that are accepted without effect, and why.
    pub(crate) accepted: Vec<(Place, String)>,
    /// In the order of reading, for the order of the problems.
    pub(crate) sources: Vec<Arc<Source>>,
}

impl Notes {
    /// Notes a mistake.
    pub(crate) fn problem(&mut self, problem: Problem) {
        if !self.is_full() {
            self.problems.push(problem);
        }
    }

    /// Whether no further mistake is noted.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.0.len() >= PROBLEMS_MAX
    }

    /// Notes something that works otherwise than it may look.
    pub(crate) fn warn(&mut self, warning: Problem) {
        if self.warnings.len() < PROBLEMS_MAX {
            self.warnings.push(warning);
        }
    }

    /// Puts mistakes and warnings into the order of their places.
    pub(crate) fn sort(&mut self) {
        let order: HashMap<_, _> =
            self.sources.iter().enumerate().map(|(at, source)| (Arc::as_ptr(source), at)).collect();
        let key = |problem: &Problem| match &problem.place {
            Some(place) => (order.get(&Arc::as_ptr(&place.source)).copied(), place.range.start),
            None => (Some(usize::MAX), 0),
        };
        self.problems.0.sort_by_key(key);
        self.problems.0.dedup();
        self.warnings.sort_by_key(key);
    }
}
