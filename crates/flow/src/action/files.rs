//! Answers with files: from the path of the request to a directory and what lies below it.

use super::render;
use crate::request::Task;
use crate::respond;
use crate::snapshot::FilesPlan;
use bifrons_core::{Error, Kind, Result};
use bifrons_files::Lookup;
use bifrons_http::{RequestHead, Response};
use percent_encoding::percent_decode;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The answer for the request's path.
pub(super) fn answer(plan: &FilesPlan, task: &mut Task<'_>, head: &RequestHead) -> Result<Response> {
    let dir = render(task, head, &plan.dir);
    let trusted = match &plan.trusted {
        None => Vec::new(),
        Some(trusted) => {
            task.cx.document_root = Some(dir.clone());
            render(task, head, trusted)
        }
    };
    let uri = task.cx.path.as_deref().unwrap_or(head.path());
    // A path that was decoded for matching is looked up as it is; any other is decoded here, once.
    let decoded: Cow<'_, [u8]> =
        if task.cx.path.is_some() { Cow::Borrowed(uri) } else { percent_decode(uri).into() };
    if decoded.len() < plan.strip {
        return Err(Error::local(Kind::NotFound, "shorter than its route"));
    }
    let lookup = Lookup {
        dir: Path::new(OsStr::from_bytes(&dir)),
        path: &decoded,
        strip: plan.strip,
        uri: head.path(),
        trusted: &trusted,
    };
    let answer = plan.files.answer(head, &lookup)?;
    task.cx.document_root = Some(dir);
    task.cx.filename = Some(answer.filename);
    let mut res = answer.response;
    if matches!(res.head.status, 412 | 416) {
        respond::add_page(head, &mut res);
    }
    Ok(res)
}
