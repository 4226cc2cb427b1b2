//! A program at work.

use super::compile::{Op, PathOp, Program, Test, TestKind};
use super::path::{self, TARGET_BYTES_MAX, escape_query};
use super::{Exists, Return, Then};
use bifrons_config::template::Part;
use bifrons_config::{Lookup, Template, Var};
use bifrons_http::name::is_field_value;
use bifrons_http::status::is_bodiless;
use bifrons_http::vars::Scope;
use bifrons_http::{Body, ReqCx, RequestHead, Response};
use bifrons_route::regex::MatchFailed;
use bifrons_route::{Captures, Regex};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

/// 64 KiB: no value of a variable grows beyond.
const VALUE_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    /// Room for the groups of a match.
    static CAPTURES: RefCell<Captures> = RefCell::new(Captures::new());
}

/// What came of a program.
pub enum Verdict {
    /// The route goes on.
    Next,
    /// The path is another one and has to be routed.
    Route,
    /// That named route takes the request.
    Use(Arc<str>),
    /// This is the answer; of that named route, where there is one.
    Reply(Box<Response>, Option<Arc<str>>),
}

/// How the steps go on.
enum Flow {
    Next,
    End,
    Reply(Box<Response>),
}

struct Run<'a> {
    cx: &'a mut ReqCx,
    head: &'a mut RequestHead,
    is_changed: bool,
    instead: Option<Arc<str>>,
}

impl Program {
    /// Takes the steps.
    pub fn run(&self, cx: &mut ReqCx, head: &mut RequestHead) -> Verdict {
        let mut run = Run { cx, head, is_changed: false, instead: None };
        match run.steps(&self.ops) {
            Flow::Reply(res) => Verdict::Reply(res, run.instead),
            _ if run.is_changed => Verdict::Route,
            _ => run.instead.map_or(Verdict::Next, Verdict::Use),
        }
    }
}

impl Run<'_> {
    fn steps(&mut self, ops: &[Op]) -> Flow {
        for op in ops {
            let flow = match op {
                Op::Set(name, value) => self.set(name, value),
                Op::SetQuery(value) => self.set_query(value),
                Op::If(test, then) => match self.holds(test) {
                    Ok(true) => self.steps(then),
                    Ok(false) => Flow::Next,
                    Err(failed) => too_slow(failed),
                },
                Op::Path(op) => self.path(op),
                Op::Return(answer) => Flow::Reply(self.answer(answer)),
                Op::Use(name) => {
                    self.instead = Some(name.clone());
                    Flow::Next
                }
                Op::Stop => {
                    self.is_changed = false;
                    Flow::End
                }
            };
            match flow {
                Flow::Next => {}
                over => return over,
            }
        }
        Flow::Next
    }

    fn render(&self, template: &Template) -> Vec<u8> {
        let mut out = Vec::new();
        template.render(&self.scope(), &mut out);
        out
    }

    fn scope(&self) -> Scope<'_> {
        Scope { cx: self.cx, req: self.head, res: None }
    }

    fn set(&mut self, name: &str, value: &Template) -> Flow {
        let value = self.render(value);
        if value.len() > VALUE_BYTES_MAX {
            return too_long();
        }
        self.cx.set_variable(name, value);
        Flow::Next
    }

    fn set_query(&mut self, value: &Template) -> Flow {
        let query = self.render(value);
        if query.len() > VALUE_BYTES_MAX {
            return too_long();
        }
        let mut target = self.head.path().to_vec();
        if !query.is_empty() {
            target.push(b'?');
            target.extend_from_slice(&query);
        }
        self.head.set_target(&target);
        Flow::Next
    }

    fn holds(&mut self, test: &Test) -> Result<bool, MatchFailed> {
        let value = self.render(&test.value);
        let holds = match &test.kind {
            TestKind::True => !matches!(value.as_slice(), b"" | b"0"),
            TestKind::Is(other) => value == self.render(other),
            TestKind::Matches(regex) => self.matches(regex, &value)?,
            TestKind::Exists(what) => exists(*what, &value),
        };
        Ok(holds != test.not)
    }

    fn matches(&mut self, regex: &Regex, subject: &[u8]) -> Result<bool, MatchFailed> {
        CAPTURES.with_borrow_mut(|captures| {
            let found = regex.captures(subject, captures);
            // As nginx: what does not match leaves no groups of an earlier match either.
            self.cx.captures.clear();
            if captures.failed() {
                return Err(MatchFailed);
            }
            if found {
                note_captures(self.cx, captures, subject);
            }
            Ok(found)
        })
    }

    fn path(&mut self, op: &PathOp) -> Flow {
        let path = path::of(self.cx, self.head).to_vec();
        match self.matches(&op.matches, &path) {
            Ok(true) => {}
            Ok(false) => return Flow::Next,
            Err(failed) => return too_slow(failed),
        }
        if let Some(status) = op.redirect {
            return Flow::Reply(self.redirect(op, status));
        }
        let target = self.render(&op.to);
        let own = self.head.query().filter(|query| op.keep_query && !query.is_empty());
        let query = match (&op.query, own) {
            (Some(template), own) => {
                let mut query = self.render_escaped(template);
                if let Some(own) = own {
                    query.push(b'&');
                    query.extend_from_slice(own);
                }
                Some(query)
            }
            (None, own) => own.map(<[u8]>::to_vec),
        };
        if target.len() + query.as_ref().map_or(0, Vec::len) > TARGET_BYTES_MAX {
            return too_long();
        }
        // nginx says "the rewritten URI has a zero length".
        if target.is_empty() {
            return Flow::Reply(Box::new(Response::empty(500)));
        }
        path::set(self.cx, self.head, target, query.as_deref().filter(|query| !query.is_empty()));
        self.is_changed = op.then != Then::Stay;
        match op.then {
            Then::Next => Flow::Next,
            Then::Route => Flow::End,
            Then::Stay => {
                self.cx.is_final = true;
                Flow::End
            }
        }
    }

    fn redirect(&self, op: &PathOp, status: u16) -> Box<Response> {
        let mut to = self.render_escaped(&op.to);
        if let Some(query) = &op.query {
            to.push(b'?');
            to.extend(self.render_escaped(query));
        }
        let mut to = path::unescape_redirect(&to);
        if let Some(own) = self.head.query().filter(|query| op.keep_query && !query.is_empty()) {
            to.push(if op.query.is_some() { b'&' } else { b'?' });
            to.extend_from_slice(own);
        }
        redirect(status, &to)
    }

    /// Groups of a path that came with escapes get them back.
    fn render_escaped(&self, template: &Template) -> Vec<u8> {
        if !(self.cx.is_decoded && path::was_escaped(self.head)) {
            return self.render(template);
        }
        let mut out = Vec::new();
        for part in template.parts() {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Var(var @ Var::Capture(_)) => {
                    let mut value = Vec::new();
                    self.scope().lookup(var, &mut value);
                    escape_query(&value, &mut out);
                }
                Part::Var(var) => {
                    self.scope().lookup(var, &mut out);
                }
            }
        }
        out
    }

    fn answer(&self, answer: &Return) -> Box<Response> {
        if let Some(to) = &answer.to {
            return redirect(answer.status, &self.render(to));
        }
        let mut res = Response::empty(answer.status);
        let scope = Scope { res: Some(&res.head), ..self.scope() };
        let mut body = Vec::new();
        answer.body.render(&scope, &mut body);
        let media = answer.content_type.as_ref().map(|template| self.render(template));
        if let Some(media) = media.filter(|value| is_field_value(value) && !value.is_empty()) {
            res.head.headers.append_as("Content-Type", &media);
        }
        if !body.is_empty() && !is_bodiless(answer.status) {
            res.body = Body::Full(body.into());
        }
        Box::new(res)
    }
}

/// A redirect; 400 where the target could not stand in a field.
fn redirect(status: u16, to: &[u8]) -> Box<Response> {
    if !is_field_value(to) {
        return Box::new(Response::empty(400));
    }
    let mut res = Response::empty(status);
    res.head.headers.append_as("Location", to);
    Box::new(res)
}

/// A search that was given up decides nothing.
#[cold]
fn too_slow(failed: MatchFailed) -> Flow {
    tracing::warn!(%failed, "a regular expression takes too long");
    Flow::Reply(Box::new(Response::empty(500)))
}

#[cold]
fn too_long() -> Flow {
    Flow::Reply(Box::new(Response::empty(500)))
}

fn exists(what: Exists, name: &[u8]) -> bool {
    // NUL would end the name for the system, and an empty name is none.
    let found = |keep: fn(&Metadata) -> bool| {
        !name.contains(&0) && std::fs::metadata(OsStr::from_bytes(name)).is_ok_and(|meta| keep(&meta))
    };
    match what {
        Exists::Any => found(|_| true),
        Exists::File => found(Metadata::is_file),
        Exists::Directory => found(Metadata::is_dir),
        // As nginx: the owner's bit.
        Exists::Executable => found(|meta| meta.permissions().mode() & 0o100 != 0),
    }
}

/// Keeps the groups of a match as `$1` to `$9` and as variables by their names.
pub fn note_captures(cx: &mut ReqCx, captures: &Captures, subject: &[u8]) {
    if captures.is_empty() {
        return;
    }
    cx.captures.clear();
    for number in 1..captures.len() {
        cx.captures.push(captures.bytes(number, subject).unwrap_or_default().to_vec());
    }
    for (name, number) in captures.names() {
        cx.set_variable(name, captures.bytes(number, subject).unwrap_or_default().to_vec());
    }
}
