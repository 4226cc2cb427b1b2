//! What a route does: proxy, redirect, a fixed answer, files, or routing again.

mod files;

use crate::forward;
use crate::request::Task;
use crate::snapshot::Action;
use bifrons_config::Template;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::name::is_field_value;
use bifrons_http::vars::Scope;
use bifrons_http::{Body, FieldName, Name, Request, RequestHead, Response};

/// What came of a route's action.
pub enum Outcome {
    /// The answer.
    Answer(Response),
    /// Route again with this path and query.
    Reroute(Vec<u8>),
}

/// Carries out the action.
///
/// # Errors
/// What the action says; it becomes an answer.
pub async fn answer(action: &Action, task: &mut Task<'_>, req: &mut Request) -> Result<Outcome> {
    let res = match action {
        Action::None => return Err(Error::local(Kind::NoRoute, "the route has no action")),
        Action::Proxy(plan) => forward::forward(plan, task, req).await?,
        Action::Redirect { to, status } => redirect(task, &req.head, to, *status)?,
        Action::Respond { status: 444, .. } => {
            return Err(Error::local(Kind::Dropped, "the route closes the connection without an answer"));
        }
        Action::Respond { status, body, content_type, fields } => {
            respond(task, &req.head, *status, (body, content_type.as_ref()), fields)
        }
        Action::Files(plan) => files::answer(plan, task, &req.head)?,
        Action::Reroute(target) => return Ok(Outcome::Reroute(render(task, &req.head, target))),
    };
    Ok(Outcome::Answer(res))
}

fn render(task: &Task<'_>, head: &RequestHead, template: &Template) -> Vec<u8> {
    let mut out = Vec::new();
    know_local(task, template);
    template.render(&Scope { cx: &task.cx, req: head, res: None }, &mut out);
    out
}

/// Asks the kernel for our end's address before a template that may want it.
fn know_local(task: &Task<'_>, template: &Template) {
    if template.as_text().is_none() {
        task.cx.conn.local.get_or_init(|| task.conn.http.stream().local_addr());
    }
}

fn redirect(task: &Task<'_>, head: &RequestHead, to: &Template, status: u16) -> Result<Response> {
    let target = render(task, head, to);
    if !is_field_value(&target) {
        return Err(Error::downstream(Kind::Malformed, "the target of a redirect has a control character"));
    }
    Ok(redirect_to(&target, status))
}

/// A redirect with a short body for people.
pub fn redirect_to(target: &[u8], status: u16) -> Response {
    let mut res = Response::full(status, "text/html", crate::respond::page(status));
    res.head.headers.append_as("Location", target);
    res
}

fn respond(
    task: &Task<'_>,
    head: &RequestHead,
    status: u16,
    (body, content_type): (&Template, Option<&Template>),
    fields: &[(FieldName, Template)],
) -> Response {
    let mut res = Response::empty(status);
    let body = render(task, head, body);
    let content_type = content_type.map(|template| render(task, head, template));
    match content_type {
        Some(value) if is_field_value(&value) && !value.is_empty() => {
            res.head.headers.append_as("Content-Type", &value);
        }
        None if !body.is_empty() => {
            res.head.headers.append_as("Content-Type", b"text/plain; charset=utf-8");
        }
        _ => {}
    }
    for (name, template) in fields {
        let value = render(task, head, template);
        if is_field_value(&value) && name.id() != Name::ContentLength {
            res.head.headers.append(name, &value);
        }
    }
    if !body.is_empty() && !bifrons_http::status::is_bodiless(status) {
        res.body = Body::Full(body.into());
    }
    res
}
