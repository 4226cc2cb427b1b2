//! Maps: texts, names with a star, regexes.

use crate::config;
use bifrons_config::{Lookup, Template, Var};
use bifrons_http::vars::Scope;
use bifrons_route::{Captures, Case, Regex};
use foldhash::fast::RandomState;
use std::cell::RefCell;
use std::collections::HashMap;

/// A table of texts in lower case.
type Texts = HashMap<Box<[u8]>, usize, RandomState>;

thread_local! {
    /// Room for groups; kept so that a search allocates nothing.
    static CAPTURES: RefCell<Captures> = RefCell::new(Captures::new());
}

/// A map, ready to be asked.
#[derive(Debug)]
pub struct Map {
    of: Template,
    values: Box<[Template]>,
    default: Template,
    exact: Texts,
    /// `*.example.com`, by what follows the `*.`.
    leading: Texts,
    /// `www.example.*`, by what stands before the `.*`.
    trailing: Texts,
    /// No name with a star is longer.
    star_bytes_max: usize,
    regexes: Box<[(Regex, usize)]>,
    hostnames: bool,
    volatile: bool,
}

/// What a text of a map is.
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// A whole value, in lower case.
    Exact(Box<[u8]>),
    /// `*.example.com`: what follows the `*.`.
    Leading(Box<[u8]>),
    /// `.example.com`: what follows the dot.
    Domain(Box<[u8]>),
    /// `www.example.*`: what stands before the `.*`.
    Trailing(Box<[u8]>),
    /// A regex.
    Regex(Regex),
}

impl Text {
    /// Reads a text of a map.
    ///
    /// # Errors
    /// A regex that does not compile, a star in the wrong place.
    pub fn parse(text: &str, hostnames: bool) -> Result<Self, String> {
        if let Some(regex) = text.strip_prefix('~') {
            let (regex, case) = match regex.strip_prefix('*') {
                Some(regex) => (regex, Case::Ignore),
                None => (regex, Case::Sensitive),
            };
            return Regex::new(regex, case).map(Self::Regex).map_err(|err| err.to_string());
        }
        let text = text.strip_prefix('\\').unwrap_or(text);
        let lower = text.to_ascii_lowercase();
        let bytes = |text: &str| text.as_bytes().into();
        if !hostnames {
            return Ok(Self::Exact(bytes(&lower)));
        }
        let invalid = || Err(format!("invalid hostname or wildcard \"{text}\""));
        let form = if let Some(rest) = lower.strip_prefix("*.") {
            Self::Leading(bytes(rest))
        } else if let Some(rest) = lower.strip_suffix(".*") {
            Self::Trailing(bytes(rest))
        } else if let Some(rest) = lower.strip_prefix('.') {
            Self::Domain(bytes(rest))
        } else {
            Self::Exact(bytes(&lower))
        };
        match &form {
            Self::Leading(rest) | Self::Domain(rest) | Self::Trailing(rest) | Self::Exact(rest) => {
                let stars = rest.contains(&b'*') || rest.windows(2).any(|pair| pair == b"..");
                let empty = rest.is_empty() && form != Self::Exact([].into());
                if stars || empty { invalid() } else { Ok(form) }
            }
            Self::Regex(_) => Ok(form),
        }
    }
}

impl Map {
    /// Compiles a map.
    ///
    /// # Errors
    /// A text that makes no sense, or one that stands there twice.
    pub fn build(config: &config::Map) -> Result<Self, String> {
        let mut map = Self {
            of: config.of.clone(),
            values: config.values.values().cloned().collect(),
            default: config.default.clone(),
            exact: Texts::default(),
            leading: Texts::default(),
            trailing: Texts::default(),
            star_bytes_max: 0,
            regexes: Box::default(),
            hostnames: config.hostnames,
            volatile: config.volatile,
        };
        let mut regexes = Vec::new();
        for (at, written) in config.values.keys().enumerate() {
            let earlier = match Text::parse(written, config.hostnames)? {
                Text::Exact(text) => map.exact.insert(text, at),
                Text::Leading(text) => map.leading.insert(text, at),
                Text::Trailing(text) => map.trailing.insert(text, at),
                Text::Domain(text) => map.exact.insert(text.clone(), at).or(map.leading.insert(text, at)),
                Text::Regex(regex) => {
                    regexes.push((regex, at));
                    None
                }
            };
            if earlier.is_some() {
                return Err(format!("conflicting parameter \"{written}\""));
            }
        }
        map.star_bytes_max =
            map.leading.keys().chain(map.trailing.keys()).map(|text| text.len()).max().unwrap_or(0);
        map.regexes = regexes.into();
        Ok(map)
    }

    /// Whether its value is kept for the request.
    pub(crate) fn keeps(&self) -> bool {
        !self.volatile
    }

    /// All templates, for those who look for loops.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.values.iter().chain([&self.of, &self.default])
    }

    /// Names of groups that its regexes define.
    pub(crate) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.regexes.iter().flat_map(|(regex, _)| regex.group_names()).map(|(name, _)| name)
    }

    /// Appends the value.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>, out: &mut Vec<u8>) {
        let mut subject = Vec::new();
        self.of.render(scope, &mut subject);
        if self.hostnames && subject.last() == Some(&b'.') {
            subject.pop();
        }
        if let Some(at) = self.find_text(&subject) {
            return self.value(at).render(scope, out);
        }
        if subject.is_empty() || self.regexes.is_empty() {
            return self.default.render(scope, out);
        }
        // Taken out, so that a map within a value may have them meanwhile.
        let mut captures = CAPTURES.take();
        match self.find_regex(&subject, &mut captures) {
            Some(at) => {
                for (name, number) in captures.names() {
                    let value = captures.bytes(number, &subject).unwrap_or_default();
                    scope.cx.note_named(name, value);
                }
                let captured = Captured { scope, captures: &captures, subject: &subject };
                self.value(at).render(&captured, out);
            }
            None => self.default.render(scope, out),
        }
        captures.clear();
        CAPTURES.set(captures);
    }

    fn value(&self, at: usize) -> &Template {
        self.values.get(at).unwrap_or(&self.default)
    }

    /// By exact text, then by names with a star.
    fn find_text(&self, subject: &[u8]) -> Option<usize> {
        if self.exact.is_empty() && self.star_bytes_max == 0 {
            return None;
        }
        let lower = subject.to_ascii_lowercase();
        if let Some(at) = self.exact.get(lower.as_slice()) {
            return Some(*at);
        }
        let dots = || lower.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
        // The longest first in front, so from the left; the longest first at the end, so from the right.
        let short = |text: &&[u8]| text.len() <= self.star_bytes_max;
        let suffixes = dots().filter_map(|dot| lower.get(dot + 1..)).filter(short);
        if !self.leading.is_empty()
            && let Some(at) = suffixes.filter_map(|suffix| self.leading.get(suffix)).next()
        {
            return Some(*at);
        }
        if self.trailing.is_empty() {
            return None;
        }
        let prefixes = dots().filter_map(|dot| lower.get(..dot)).take_while(short);
        prefixes.filter_map(|prefix| self.trailing.get(prefix)).last().copied()
    }

    /// The first regex that matches. One whose search is given up ends it, as in nginx: then the default counts.
    fn find_regex(&self, subject: &[u8], captures: &mut Captures) -> Option<usize> {
        for (regex, at) in &self.regexes {
            if regex.captures(subject, captures) {
                return Some(*at);
            }
            if captures.failed() {
                tracing::warn!(regex = regex.as_str(), "a regular expression of a map takes too long");
                return None;
            }
        }
        None
    }
}

/// Variables with the groups of the map's own regex before the request's.
struct Captured<'a> {
    scope: &'a Scope<'a>,
    captures: &'a Captures,
    subject: &'a [u8],
}

impl Lookup for Captured<'_> {
    fn lookup(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        let number = match var {
            Var::Capture(number) => Some(usize::from(*number)),
            Var::User(name) => self.captures.number(name),
            _ => None,
        };
        let Some(number) = number else { return self.scope.lookup(var, out) };
        match self.captures.bytes(number, self.subject) {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
