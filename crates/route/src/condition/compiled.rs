//! Conditions as requests are tested with them: no allocation, cheap tests first.

use super::matcher::Test;
use super::{Condition, Method};
use crate::facts::Facts;
use crate::ipset::IpSet;
use crate::params::{Decoded, cookie_value, query_value};
use crate::pattern::PathPattern;
use smallvec::SmallVec;
use std::fmt;

/// Query values with escapes are decoded on the stack up to this length, which few exceed.
const QUERY_VALUE_INLINE: usize = 128;

/// A compiled [`Condition`]. Immutable; clones are independent.
#[derive(Clone, Debug)]
pub struct Compiled {
    root: Node,
}

#[derive(Clone)]
enum Node {
    Method(Box<[Method]>),
    Path(Box<[PathPattern]>),
    Client(IpSet),
    Header(Box<str>, Test),
    Query(Box<[u8]>, Test),
    Cookie(Box<[u8]>, Test),
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
}

impl Compiled {
    pub(super) fn new(condition: &Condition) -> Self {
        Self { root: node(condition) }
    }

    /// Whether the request is as asked.
    pub fn holds(&self, request: &dyn Facts) -> bool {
        self.root.holds(request)
    }
}

fn node(condition: &Condition) -> Node {
    let mut nodes = Vec::new();
    if !condition.method.is_empty() {
        nodes.push(Node::Method(condition.method.clone().into()));
    }
    if !condition.path.is_empty() {
        nodes.push(Node::Path(condition.path.clone().into()));
    }
    nodes.extend(condition.client.clone().map(Node::Client));
    nodes.extend(
        condition
            .headers
            .iter()
            .map(|(name, matcher)| Node::Header(name.as_str().into(), matcher.test().clone())),
    );
    nodes.extend(
        condition
            .query
            .iter()
            .map(|(name, matcher)| Node::Query(name.as_bytes().into(), matcher.test().clone())),
    );
    nodes.extend(
        condition
            .cookies
            .iter()
            .map(|(name, matcher)| Node::Cookie(name.as_bytes().into(), matcher.test().clone())),
    );
    nodes.extend(condition.all.iter().map(node));
    if !condition.any.is_empty() {
        nodes.push(Node::Any(condition.any.iter().map(node).collect()));
    }
    nodes.extend(condition.not.iter().map(|not| Node::Not(Box::new(node(not)))));
    match nodes.len() {
        1 => nodes.swap_remove(0),
        _ => Node::All(nodes.into()),
    }
}

impl Node {
    fn holds(&self, request: &dyn Facts) -> bool {
        match self {
            Self::Method(methods) => {
                let method = request.method();
                methods.iter().any(|known| known.as_str().as_bytes() == method)
            }
            Self::Path(patterns) => patterns.iter().any(|pattern| pattern.matches(request.path())),
            Self::Client(set) => set.contains(request.client()),
            Self::Header(name, Test::Absent) => !request.header(name, &mut |_| true),
            Self::Header(name, test) => request.header(name, &mut |value| test.accepts(value)),
            Self::Query(name, test) => query_holds(request.query(), name, test),
            Self::Cookie(name, test) => cookie_holds(request, name, test),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(request)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(request)),
            Self::Not(node) => !node.holds(request),
        }
    }
}

fn query_holds(query: &[u8], name: &[u8], test: &Test) -> bool {
    match query_value(query, name) {
        None => matches!(test, Test::Absent),
        Some(raw) if memchr::memchr2(b'%', b'+', raw).is_none() => test.accepts(raw),
        Some(raw) => test.accepts(&Decoded(raw).collect::<SmallVec<[u8; QUERY_VALUE_INLINE]>>()),
    }
}

/// HTTP/2 may divide cookies over several fields (RFC 9113 8.2.3), so all of them are one list.
fn cookie_holds(request: &dyn Facts, name: &[u8], test: &Test) -> bool {
    let mut holds = matches!(test, Test::Absent);
    request.header("cookie", &mut |field| match cookie_value(field, name) {
        Some(value) => {
            holds = test.accepts(value);
            true
        }
        None => false,
    });
    holds
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(methods) => f.debug_tuple("Method").field(methods).finish(),
            Self::Path(patterns) => f.debug_tuple("Path").field(patterns).finish(),
            Self::Client(set) => f.debug_tuple("Client").field(&set.nets()).finish(),
            Self::Header(name, _) => f.debug_tuple("Header").field(name).finish_non_exhaustive(),
            Self::Query(name, _) => {
                f.debug_tuple("Query").field(&String::from_utf8_lossy(name)).finish_non_exhaustive()
            }
            Self::Cookie(name, _) => {
                f.debug_tuple("Cookie").field(&String::from_utf8_lossy(name)).finish_non_exhaustive()
            }
            Self::All(nodes) => f.debug_tuple("All").field(nodes).finish(),
            Self::Any(nodes) => f.debug_tuple("Any").field(nodes).finish(),
            Self::Not(node) => f.debug_tuple("Not").field(node).finish(),
        }
    }
}
