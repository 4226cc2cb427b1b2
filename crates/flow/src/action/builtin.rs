//! Answers that the proxy makes itself, as nginx's `empty_gif` and `stub_status` do.

use crate::request::Task;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{Method, Name, RequestHead, Response, date};
use bifrons_model::Builtin;
use bifrons_observe::metrics::{Metric, Registry};

/// A transparent picture of one pixel, byte for byte nginx's.
const GIF: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x01\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x01\x00,\
    \x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02L\x01\x00;";

/// When that picture was last changed, as nginx has it.
const GIF_MODIFIED: &str = "Mon, 28 Sep 1970 06:00:00 GMT";

/// The answer.
///
/// # Errors
/// `Method` for all but GET and HEAD.
pub(super) fn answer(builtin: Builtin, task: &Task<'_>, head: &RequestHead) -> Result<Response> {
    if !matches!(head.method(), Method::Get | Method::Head) {
        return Err(Error::downstream(Kind::Method, "it is read with GET and HEAD only"));
    }
    Ok(match builtin {
        Builtin::EmptyGif => gif(head),
        Builtin::Status => {
            let text = status(&task.conn.worker.shared.metrics);
            Response::full(200, "text/plain", text)
        }
    })
}

fn gif(head: &RequestHead) -> Response {
    let since = head.headers.get(Name::IfModifiedSince);
    let is_same = since.is_some_and(|since| {
        date::parse(since).is_some_and(|since| Some(since) == date::parse(GIF_MODIFIED.as_bytes()))
    });
    let mut res = match is_same && !head.headers.has(Name::IfNoneMatch) {
        true => Response::empty(304),
        false => Response::full(200, "image/gif", GIF),
    };
    res.head.headers.append_as("Last-Modified", GIF_MODIFIED.as_bytes());
    res
}

/// The page of nginx's `stub_status`. Reading a head counts as waiting: only what has a whole head is a
/// request here.
fn status(metrics: &Registry) -> String {
    let count = |metric| u64::try_from(metrics.total(metric)).unwrap_or(0);
    let connections = count(Metric::ConnectionsActive);
    let accepted = count(Metric::ConnectionsAccepted);
    let handled = accepted.saturating_sub(count(Metric::ConnectionsRefused));
    let writing = count(Metric::RequestsActive);
    let requests = count(Metric::Requests) + writing;
    let waiting = connections.saturating_sub(writing);
    format!(
        "Active connections: {connections} \nserver accepts handled requests\n {accepted} {handled} {requests} \n\
         Reading: 0 Writing: {writing} Waiting: {waiting} \n"
    )
}
