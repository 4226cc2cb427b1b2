//! Answers with files: from the path of the request to a directory and what lies below it.

use super::render;
use crate::outcome::{Outcome, Turn};
use crate::request::Task;
use crate::routing::know_local;
use crate::snapshot::FilesPlan;
use bifrons_core::{Error, Kind, Result};
use bifrons_files::Lookup;
use bifrons_filters::rewrite::path;
use bifrons_http::vars::Scope;
use bifrons_http::{DocumentRoot, Method, Name, RequestHead};
use bifrons_route::path::escape_path;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The answer for the request's path.
pub(super) fn answer(plan: &FilesPlan, task: &mut Task<'_>, head: &mut RequestHead) -> Result<Outcome> {
    know_local(task);
    if task.answers_for_another() {
        // The page of an error is sent whole, whatever the client knows of it.
        for name in [Name::Range, Name::IfRange, Name::IfMatch, Name::IfNoneMatch, Name::IfModifiedSince] {
            head.headers.remove(name);
        }
        head.headers.remove(Name::IfUnmodifiedSince);
    }
    let mut dir = Vec::new();
    plan.document.dir(&Scope { cx: &task.cx, req: head, res: None }, &mut dir);
    let trusted = match &plan.trusted {
        None => Vec::new(),
        Some(trusted) => {
            task.cx.document_root = Some(dir.clone());
            render(task, head, trusted)
        }
    };
    let decoded = DocumentRoot::path(&Scope { cx: &task.cx, req: head, res: None });
    let strip = plan.document.strip.of(&decoded);
    let strip = strip.ok_or_else(|| Error::local(Kind::NotFound, "shorter than its route"))?;
    let uri = match task.cx.path.as_deref().filter(|_| task.cx.is_decoded) {
        Some(path) => {
            let mut escaped = Vec::new();
            escape_path(path, &mut escaped);
            Cow::Owned(escaped)
        }
        None => Cow::Borrowed(head.path()),
    };
    let root = Path::new(OsStr::from_bytes(&dir));
    let lookup = Lookup { dir: root, path: &decoded, strip, uri: &uri, trusted: &trusted };
    if !plan.reroute_index.is_empty()
        && let Some(turn) = index(plan, task, head, &lookup)
    {
        return Ok(Outcome::Turn(turn));
    }
    let answer = plan.files.answer(head, &lookup)?;
    task.cx.document_root = Some(dir);
    task.cx.filename = Some(answer.filename);
    Ok(Outcome::Own(answer.response))
}

/// The index file of a directory, by its own path.
fn index(plan: &FilesPlan, task: &Task<'_>, head: &RequestHead, lookup: &Lookup<'_>) -> Option<Turn> {
    let uri = path::of(&task.cx, head);
    let reads = matches!(head.method(), Method::Get | Method::Head | Method::Post);
    if !reads || !uri.ends_with(b"/") {
        return None;
    }
    let query = head.query().map(<[u8]>::to_vec);
    for name in &plan.reroute_index {
        let name = match name.as_text() {
            Some(name) => Cow::Borrowed(name.as_bytes()),
            None => Cow::Owned(render(task, head, name)),
        };
        if name.starts_with(b"/") {
            return Some(Turn::Path { path: name.into_owned(), query });
        }
        if std::str::from_utf8(&name).is_ok_and(|name| plan.files.has_index(lookup, name)) {
            return Some(Turn::Path { path: [uri, &*name].concat(), query });
        }
    }
    None
}
