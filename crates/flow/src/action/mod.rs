//! What a route does: proxy, redirect, a fixed answer, files, or routing again.

mod builtin;
mod files;
mod try_files;

use crate::forward;
use crate::outcome::{Outcome, Turn};
use crate::request::Task;
use crate::respond;
use crate::routing::know_local;
use crate::snapshot::Action;
use bifrons_config::Template;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::name::is_field_value;
use bifrons_http::vars::Scope;
use bifrons_http::{Body, FieldName, Name, Request, RequestHead, Response, ResponseHead};

pub use try_files::try_files;

/// Carries out the action.
///
/// # Errors
/// What the action says; it becomes an answer.
pub async fn answer(action: &Action, task: &mut Task<'_>, req: &mut Request) -> Result<Outcome> {
    let res = match action {
        Action::None => return Err(Error::local(Kind::NoRoute, "the route has no action")),
        Action::Proxy(plan) => {
            if let Some(own) = respond::as_last(&mut req.head) {
                return Ok(Outcome::Own(own));
            }
            let res = forward::forward(plan, task, req).await;
            // `$uri` is the path before the endpoint's took its place.
            if plan.replace_path.is_some()
                && let Some(target) = &task.target
            {
                req.head.back_to(target.clone());
            }
            return res.map(Outcome::Answer);
        }
        Action::Redirect { to, status } => redirect(task, &req.head, to, *status)?,
        Action::Respond { status, body, content_type, fields } => {
            respond(task, &req.head, *status, (body, content_type.as_ref()), fields)
        }
        Action::Builtin(builtin) => builtin::answer(*builtin, task, &req.head)?,
        Action::Files(plan) => return files::answer(plan, task, &mut req.head),
        Action::Reroute(target) => return Turn::to(&render(task, &req.head, target)).map(Outcome::Turn),
    };
    Ok(Outcome::Own(res))
}

fn render(task: &Task<'_>, head: &RequestHead, template: &Template) -> Vec<u8> {
    render_for(task, head, None, template)
}

/// The same for an answer whose status is settled.
fn render_for(
    task: &Task<'_>,
    head: &RequestHead,
    res: Option<&ResponseHead>,
    template: &Template,
) -> Vec<u8> {
    let mut out = Vec::new();
    if template.as_text().is_none() {
        know_local(task);
    }
    template.render(&Scope { cx: &task.cx, req: head, res }, &mut out);
    out
}

fn redirect(task: &Task<'_>, head: &RequestHead, to: &Template, status: u16) -> Result<Response> {
    let target = render(task, head, to);
    if !is_field_value(&target) {
        return Err(Error::downstream(Kind::Malformed, "the target of a redirect has a control character"));
    }
    // Its page comes later, unless an error page takes its place.
    let mut res = Response::empty(status);
    res.head.headers.append_as("Location", &target);
    Ok(res)
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
    let body = render_for(task, head, Some(&res.head), body);
    let content_type = content_type.map(|template| render(task, head, template));
    if let Some(value) = content_type.filter(|value| is_field_value(value) && !value.is_empty()) {
        res.head.headers.append_as("Content-Type", &value);
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
