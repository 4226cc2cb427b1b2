//! From the configuration of a program to what runs.

use super::{Exists, If, ReplacePath, Return, Step, Then};
use bifrons_config::problem::HELP_MARK;
use bifrons_config::{Template, Var};
use bifrons_route::Regex;
use std::sync::Arc;

/// A compiled program: immutable, shared by all workers.
#[derive(Debug, Default)]
pub struct Program {
    pub(super) ops: Box<[Op]>,
}

/// One operation.
#[derive(Debug)]
pub(super) enum Op {
    Set(Box<str>, Template),
    SetQuery(Template),
    If(Test, Box<[Op]>),
    Path(Box<PathOp>),
    Return(Box<Return>),
    Use(Arc<str>),
    Stop,
}

/// A test.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) value: Template,
    pub(super) kind: TestKind,
    pub(super) not: bool,
}

/// What is tested of the value.
#[derive(Debug)]
pub(super) enum TestKind {
    /// Neither empty nor `0`.
    True,
    Is(Template),
    Matches(Regex),
    Exists(Exists),
}

/// Replaces the path.
#[derive(Debug)]
pub(super) struct PathOp {
    pub(super) matches: Regex,
    pub(super) to: Template,
    /// What stands behind a `?`.
    pub(super) query: Option<Template>,
    pub(super) keep_query: bool,
    pub(super) redirect: Option<u16>,
    pub(super) then: Then,
}

impl Program {
    /// Compiles the steps.
    ///
    /// # Errors
    /// What is wrong with a step, naming its values.
    pub fn build(steps: &[Step]) -> Result<Self, String> {
        Ok(Self { ops: compile(steps)? })
    }
}

fn compile(steps: &[Step]) -> Result<Box<[Op]>, String> {
    let mut ops = Vec::new();
    for step in steps {
        match step {
            Step::Set(values) => {
                for (name, value) in values {
                    ops.push(set(name, value)?);
                }
            }
            Step::If(config) => ops.push(Op::If(test(config)?, compile(&config.then)?)),
            Step::Path(config) => ops.push(Op::Path(Box::new(path(config)?))),
            Step::Return(config) => ops.push(Op::Return(Box::new(return_(config)?))),
            Step::Use(name) => ops.push(Op::Use(name.as_str().into())),
            Step::Stop => ops.push(Op::Stop),
        }
    }
    Ok(ops.into())
}

fn set(name: &str, value: &Template) -> Result<Op, String> {
    if name == "args" {
        return Ok(Op::SetQuery(value.clone()));
    }
    match bifrons_config::vars::find(name, &|_| true) {
        Some(Var::User(name)) => Ok(Op::Set(name, value.clone())),
        Some(_) => Err(format!("the variable \"${name}\" can't be set{HELP_MARK}take another name")),
        None => Err(format!("\"{name}\" is no name of a variable")),
    }
}

fn test(config: &If) -> Result<Test, String> {
    let If { value, is, matches, exists, not, .. } = config;
    let kind = match (is, matches, exists) {
        (None, None, None) => TestKind::True,
        (Some(other), None, None) => TestKind::Is(other.clone()),
        (None, Some(regex), None) => TestKind::Matches(regex.clone()),
        (None, None, Some(what)) => TestKind::Exists(*what),
        _ => return Err(format!("a test has one of `is`, `matches` and `exists`{HELP_MARK}keep one")),
    };
    Ok(Test { value: value.clone(), kind, not: *not })
}

fn path(config: &ReplacePath) -> Result<PathOp, String> {
    if let Some(status) = config.redirect.filter(|status| !is_redirect(*status)) {
        return Err(format!("{status} is no redirect{HELP_MARK}use 301, 302, 303, 307 or 308"));
    }
    let (to, query) = split_query(&config.to)?;
    Ok(PathOp {
        matches: config.matches.clone(),
        to,
        query,
        keep_query: config.keep_query,
        redirect: config.redirect,
        then: config.then,
    })
}

/// The template before and behind its first written `?`; one in a variable's value is no such.
fn split_query(template: &Template) -> Result<(Template, Option<Template>), String> {
    let Some((path, query)) = template.source().split_once('?') else {
        return Ok((template.clone(), None));
    };
    let declared =
        |name: &str| template.vars().any(|var| matches!(var, Var::User(known) if **known == *name));
    let part = |text: &str| Template::parse_with(text, &declared).map_err(|err| err.told());
    Ok((part(path)?, Some(part(query)?)))
}

fn return_(config: &Return) -> Result<Return, String> {
    let Return { status, to, body, .. } = config;
    if !(200..=599).contains(status) {
        return Err(format!("status {status} is not from 200 to 599"));
    }
    if to.is_some() && !is_redirect(*status) {
        return Err(format!(
            "{status} is no redirect{HELP_MARK}use 301, 302, 303, 307 or 308, or leave out `to`"
        ));
    }
    if to.is_some() && !body.is_empty() {
        return Err(format!("a redirect has no text of one's own{HELP_MARK}leave out `body` or `to`"));
    }
    Ok(config.clone())
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}
