//! Files that are looked for before the action.

use crate::outcome::{Outcome, Turn};
use crate::request::Task;
use crate::routing::know_local;
use crate::snapshot::{Otherwise, TryFilesPlan, Wanted};
use bifrons_config::Template;
use bifrons_core::{Error, Kind, Result};
use bifrons_filters::rewrite::path;
use bifrons_http::vars::Scope;
use bifrons_http::{RequestHead, Response, Strip};
use percent_encoding::percent_decode;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Gives the request the path of the first file that is there; `Some` where none is.
///
/// # Errors
/// What a path to route again lacks.
pub fn try_files(
    plan: &TryFilesPlan,
    task: &mut Task<'_>,
    head: &mut RequestHead,
) -> Result<Option<Outcome>> {
    know_local(task);
    for (template, wanted) in &plan.files {
        if let Some(path) = look(task, head, template, *wanted)? {
            take(task, head, path);
            return Ok(None);
        }
    }
    match &plan.otherwise {
        Otherwise::Status(status) => Ok(Some(Outcome::Own(Response::empty(*status)))),
        Otherwise::Target(target) => Ok(Some(Outcome::Turn(Turn::to(&super::render(task, head, target))?))),
    }
}

/// The path, in the spelling of `$uri`, if its file is there.
fn look(task: &Task<'_>, head: &RequestHead, template: &Template, wanted: Wanted) -> Result<Option<Vec<u8>>> {
    let missing = || Error::local(Kind::Internal, "invariant: a route that tries files has a directory");
    let document = task.cx.document.as_ref().ok_or_else(missing)?;
    let scope = Scope { cx: &task.cx, req: head, res: None };
    let mut text = Vec::new();
    template.render(&scope, &mut text);
    let uri = path::of(&task.cx, head);
    let stands_for = match document.strip {
        Strip::Prefix(len) => uri.get(..len).unwrap_or_default(),
        Strip::Nothing | Strip::All => b"",
    };
    // Below an alias a path with variables is taken for one of the route's, a constant for what lies below.
    let below = match text.strip_prefix(stands_for) {
        Some(below) if template.as_text().is_none() => below,
        _ => &text,
    };
    let file: Cow<'_, [u8]> =
        if task.cx.is_decoded { Cow::Borrowed(below) } else { percent_decode(below).into() };
    let mut name = Vec::new();
    document.dir(&scope, &mut name);
    match (name.ends_with(b"/"), file.starts_with(b"/")) {
        (true, true) => name.truncate(name.len() - 1),
        (false, false) => name.push(b'/'),
        _ => {}
    }
    name.extend_from_slice(&file);
    let climbs = name.split(|&byte| byte == b'/').any(|segment| segment == b"..");
    let is_there = !climbs
        && std::fs::metadata(OsStr::from_bytes(&name))
            .is_ok_and(|meta| meta.is_dir() == (wanted == Wanted::Directory));
    Ok(is_there.then(|| [stands_for, below].concat()))
}

/// The path the file was found under. Where it is decoded the target stays as the client wrote it, for
/// endpoints that are sent it.
fn take(task: &mut Task<'_>, head: &mut RequestHead, found: Vec<u8>) {
    if task.cx.is_decoded {
        task.cx.path = (found != head.path()).then_some(found);
        task.cx.is_settled = true;
        return;
    }
    let query = head.query().map(<[u8]>::to_vec);
    path::set(&mut task.cx, head, found, query.as_deref());
}
