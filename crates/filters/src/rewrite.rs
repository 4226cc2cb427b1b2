//! `rewrite`: a small program that sets variables, changes the path, tests, answers, or hands the request
//! to another route.

use crate::filter::{Filter, Step as Said, Turn};
use crate::spec::Spec;
use bifrons_config::Template;
use bifrons_http::{ReqCx, Request};
use bifrons_route::Regex;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

mod compile;
pub mod path;
mod run;

pub use compile::Program;
pub use run::{Verdict, note_captures};

/// Steps that are taken in order when the request has come to the route. A path that was replaced is routed
/// again when they are over; that happens at most ten times.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Config(pub Vec<Step>);

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Gives variables values: name without `$` to text. They are declared by that. `args` is the query.
    Set(IndexMap<String, Template>),
    /// Takes further steps where a test holds.
    If(If),
    /// Replaces the path where it matches.
    Path(ReplacePath),
    /// Answers.
    Return(Return),
    /// Lets another route take the request when the steps are over: the named one, without its own
    /// rewriting. Without `@`.
    Use(String),
    /// Ends the steps; a path that was replaced is not routed again.
    Stop,
}

/// A test and what is done where it holds. Without `is`, `matches` and `exists` it holds where the value is
/// neither empty nor `0`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct If {
    /// What is tested.
    pub value: Template,
    /// It is this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<Template>,
    /// It matches; groups become `$1` to `$9`, and variables by their names. Without a match there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<Regex>,
    /// It is the name of something that exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exists: Option<Exists>,
    /// The other way round.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not: bool,
    /// What is done.
    pub then: Vec<Step>,
}

/// What kind of thing exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exists {
    /// Any.
    Any,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Something its owner may execute.
    Executable,
}

/// Replaces the path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplacePath {
    /// A regular expression searched in the path (`$uri`). Its groups become `$1` to `$9`, and variables by
    /// their names.
    pub matches: Regex,
    /// The new path. What stands behind a `?` is the query, before the request's own.
    pub to: Template,
    /// Whether the request's query is kept.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub keep_query: bool,
    /// Answers with a redirect of that status (301, 302, 303, 307, 308) instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<u16>,
    /// What comes next.
    #[serde(default, skip_serializing_if = "Then::is_default")]
    pub then: Then,
}

/// What comes after a path was replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The next step; when the steps are over the request is routed again.
    #[default]
    Next,
    /// The request is routed again at once.
    Route,
    /// This route's action.
    Stay,
}

impl Then {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// The status, 200 to 599.
    pub status: u16,
    /// Where a redirect leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Template>,
    /// The text; from status 400 on the page of the status where nothing is said.
    #[serde(default, skip_serializing_if = "Template::is_empty")]
    pub body: Template,
    /// Media type of the text; the route's for texts where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Template>,
}

fn yes() -> bool {
    true
}

impl Config {
    /// Names of the routes that the steps hand over to.
    pub fn uses(&self) -> Vec<&str> {
        fn collect<'a>(steps: &'a [Step], names: &mut Vec<&'a str>) {
            for step in steps {
                match step {
                    Step::Use(name) => names.push(name),
                    Step::If(test) => collect(&test.then, names),
                    _ => {}
                }
            }
        }
        let mut names = Vec::new();
        collect(&self.0, &mut names);
        names
    }
}

impl Spec for Config {
    const NAME: &str = "rewrite";
    const EXAMPLE: &str = r#"[{ path: { matches: "^/old/(.*)$", to: "/new/$1" } }, { if: { value: $http_user_agent, matches: "(?i)curl", then: [{ return: { status: 403 } }] } }]"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        Ok(Arc::new(Rewrite { program: Program::build(&self.0)? }))
    }
}

/// The running filter: immutable, shared by all workers.
struct Rewrite {
    program: Program,
}

impl Filter for Rewrite {
    fn request<'a>(&'a self, cx: &'a mut ReqCx, req: &'a mut Request) -> Said<'a> {
        match self.program.run(cx, &mut req.head) {
            Verdict::Next => Said::Next,
            Verdict::Route => Said::Turn(Turn::Route),
            Verdict::Use(name) => Said::Turn(Turn::Use(name)),
            Verdict::Reply(res, None) => Said::Reply(res),
            Verdict::Reply(res, Some(name)) => Said::Turn(Turn::Reply(name, res)),
        }
    }
}

#[cfg(test)]
mod tests;
