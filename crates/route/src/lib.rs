//! Host, path, method, header, query, cookie, address to a route. Pure.
//!
//! A request finds its way in three steps, each a file:
//! 1. [`host`]: the `Host` value to a host, in nginx's order (exact, longest leading wildcard, longest
//!    trailing wildcard, first regex, default).
//! 2. [`path`]: the raw path to the one spelling that is both matched and forwarded.
//! 3. [`table`]: that path, with [`condition`]s on everything else, to a route: the most specific
//!    [`pattern`] wins.
//!
//! Nothing here does IO, knows tokio or looks at a clock. A look-up takes O(log n) steps in the number of
//! hosts or paths and does not allocate. Messages of errors that a configuration can cause are
//! `what is wrong`, and where there is one, a second line `help: the fix`.

// A test may unwrap: a panic is how it fails.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod captures;
pub mod condition;
pub mod facts;
pub mod host;
pub mod ipset;
pub mod params;
pub mod path;
pub mod pattern;
mod prefix;
pub mod regex;
pub mod table;
mod text;

pub use captures::Captures;
pub use condition::{Compiled, Condition, Matcher};
pub use facts::Facts;
pub use host::{Found, HostError, HostName, HostTable, split_host_port};
pub use ipset::IpSet;
pub use path::{PathError, PathPolicy, PathRules, normalize, split_target};
pub use pattern::PathPattern;
pub use regex::{Case, Regex};
pub use table::{RouteTable, RouteTableBuilder};
