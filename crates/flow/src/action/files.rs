//! Answers with files: from the path of the request to a directory and what lies below it.

use crate::outcome::{Outcome, Turn};
use crate::request::Task;
use crate::routing::know_local;
use crate::snapshot::FilesPlan;
use bifrons_core::{Error, Kind, Result};
use bifrons_filters::rewrite::path;
use bifrons_http::vars::Scope;
use bifrons_http::{Method, Name, RequestHead};
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
    let scope = Scope { cx: &task.cx, req: head, res: None };
    let mut dir = Vec::new();
    plan.document.dir(&scope, &mut dir);
    let below = plan.document.below(&scope);
    let below = below.ok_or_else(|| Error::local(Kind::NotFound, "shorter than its route"))?;
    let below = match &*below {
        [b'/', ..] | [] => below,
        _ => Cow::Owned([b"/", &*below].concat()),
    };
    if !plan.reroute_index.is_empty()
        && let Some(turn) = index(plan, task, head, (&dir, &below))
    {
        return Ok(Outcome::Turn(turn));
    }
    let uri = match task.cx.path.as_deref().filter(|_| task.cx.is_decoded) {
        Some(path) => {
            let mut escaped = Vec::new();
            escape_path(path, &mut escaped);
            Cow::Owned(escaped)
        }
        None => Cow::Borrowed(head.path()),
    };
    let root = Path::new(OsStr::from_bytes(&dir));
    let answer = plan.files.answer(head, root, &below, &uri);
    let answer = answer.map_err(|err| missing_before_method(err, head, &[&dir, &*below].concat()))?;
    task.cx.document_root = Some(dir);
    task.cx.filename = Some(answer.filename);
    Ok(Outcome::Own(answer.response))
}

/// A POST to what is not there is told so, and not that it can't be posted to.
fn missing_before_method(err: Error, head: &RequestHead, file: &[u8]) -> Error {
    if err.kind() != Kind::Method || head.method() != Method::Post {
        return err;
    }
    match std::fs::metadata(OsStr::from_bytes(file)) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
            Error::downstream(Kind::NotFound, "there is no such file")
        }
        _ => err,
    }
}

/// The index file of a directory, by its own path.
fn index(
    plan: &FilesPlan,
    task: &Task<'_>,
    head: &RequestHead,
    (dir, below): (&[u8], &[u8]),
) -> Option<Turn> {
    let uri = path::of(&task.cx, head);
    let reads = matches!(head.method(), Method::Get | Method::Head | Method::Post);
    if !reads || !uri.ends_with(b"/") {
        return None;
    }
    let query = head.query().map(<[u8]>::to_vec);
    for name in &plan.reroute_index {
        if name.starts_with('/') {
            return Some(Turn::Path { path: name.clone().into_bytes(), query });
        }
        let glue: &[u8] = if below.is_empty() && !dir.ends_with(b"/") { b"/" } else { b"" };
        let file = [dir, below, glue, name.as_bytes()].concat();
        if std::fs::metadata(OsStr::from_bytes(&file)).is_ok_and(|meta| !meta.is_dir()) {
            return Some(Turn::Path { path: [uri, name.as_bytes()].concat(), query });
        }
    }
    None
}
