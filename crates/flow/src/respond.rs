//! Step 8. Every error becomes an answer here and only here: a status, a short body, the cause nowhere
//! but in the log.

use crate::action::redirect_to;
use crate::request::Task;
use crate::snapshot::Action;
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_files::Files;
use bifrons_http::h1::framing::parse_length;
use bifrons_http::headers::list_members;
use bifrons_http::status::reason;
use bifrons_http::vars::host_of;
use bifrons_http::{Method, Name, Request, RequestHead, Response};

/// What routes may take; the value of `Allow` where no route says less.
const ALLOW: &str = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH";

/// Whether nobody is to see an answer: the client has gone, or the configuration wants the connection closed
/// without one. The status is for the record only.
pub fn is_silent(err: &Error) -> bool {
    match err.kind() {
        Kind::Dropped => true,
        Kind::Closed | Kind::Reset => err.side() == Side::Downstream,
        _ => false,
    }
}

/// The answer to an error; the error itself is noted for the record.
pub fn to(task: &mut Task<'_>, head: &RequestHead, err: Error) -> Response {
    let status = match err.kind() {
        Kind::HeadTooLarge if err.side() != Side::Upstream => task.listener.head_status,
        _ => status_of(&err),
    };
    tracing::debug!(status, %err, "request refused");
    let mut res = match for_people(&err) {
        Some(text) => of_text(head, status, text),
        None => of_status(head, status),
    };
    if err.kind() == Kind::Method {
        let allow = match &task.route.action {
            Action::Files(_) | Action::Builtin(_) => Files::ALLOW,
            _ => ALLOW,
        };
        res.head.headers.append_as("Allow", allow.as_bytes());
    }
    if status == 503 {
        res.head.headers.append_as("Retry-After", b"1");
    }
    task.cx.note_error(err);
    res
}

/// The status of an error (RFC 9110 15).
pub fn status_of(err: &Error) -> u16 {
    let upstream = err.side() == Side::Upstream;
    match err.kind() {
        Kind::Malformed | Kind::HeadTooLarge if upstream => 502,
        Kind::Malformed | Kind::PlainText | Kind::ClientCertificate => 400,
        Kind::Misdirected => 421,
        Kind::TooEarly => 425,
        Kind::UriTooLong => 414,
        Kind::HeadTooLarge => 431,
        Kind::BodyTooLarge if upstream => 502,
        Kind::BodyTooLarge => 413,
        Kind::Version => 505,
        Kind::Method => 405,
        Kind::TransferCoding => 501,
        Kind::NoRoute | Kind::NotFound => 404,
        Kind::Loop => 508,
        Kind::Forbidden => 403,
        Kind::Timeout if upstream => 504,
        Kind::Timeout => 408,
        Kind::Deadline => 504,
        // nginx's 499: nobody is there to read it, but the log shows it.
        Kind::Closed | Kind::Reset if !upstream => 499,
        Kind::Dropped => 444,
        Kind::Closed | Kind::Reset | Kind::Connect | Kind::NoEndpoint => 502,
        Kind::Busy => 503,
        // A tunnel has had its answer long before.
        Kind::TooManyReroutes | Kind::Internal | Kind::TunnelIdle => 500,
    }
}

/// The status of what goes on byte for byte, which nobody but the log sees: nginx's of its stream module.
pub fn status_of_bytes(err: &Error) -> u16 {
    match (err.side(), err.kind()) {
        (_, Kind::Busy) => 503,
        (Side::Upstream, _) => 502,
        (_, Kind::Forbidden) => 403,
        (Side::Downstream, Kind::Closed | Kind::Reset) => 200,
        (Side::Downstream, _) => 400,
        (Side::Local, _) => 500,
    }
}

/// What whoever made the mistake should know besides the status, where it gives nothing away.
fn for_people(err: &Error) -> Option<&'static str> {
    match err.kind() {
        Kind::PlainText => Some("The plain HTTP request was sent to HTTPS port"),
        Kind::ClientCertificate if err.reason().starts_with("client sent no") => {
            Some("No required SSL certificate was sent")
        }
        Kind::ClientCertificate => Some("The SSL certificate error"),
        _ => None,
    }
}

/// Gives an answer without a body the one of its status.
pub fn add_page(head: &RequestHead, res: &mut Response) {
    let page = of_status(head, res.head.status);
    for (_, name, value) in page.head.headers.iter() {
        res.head.headers.append(name, value);
    }
    res.body = page.body;
}

/// A short answer of that status, HTML or JSON as the client prefers.
pub fn of_status(head: &RequestHead, status: u16) -> Response {
    if prefers_json(head) {
        let body = format!("{{\"status\":{status},\"error\":\"{}\"}}\n", title(status));
        return Response::full(status, "application/json", body);
    }
    Response::full(status, "text/html", page(status))
}

/// The same with a sentence of its own.
fn of_text(head: &RequestHead, status: u16, text: &str) -> Response {
    if prefers_json(head) {
        let body = format!("{{\"status\":{status},\"error\":\"{text}\"}}\n");
        return Response::full(status, "application/json", body);
    }
    let page = page(status).replace("<hr>", &format!("<p>{text}</p><hr>"));
    Response::full(status, "text/html", page)
}

/// Puts the page of its status into an answer that has no body.
pub fn give_page(head: &RequestHead, res: &mut Response) {
    let page = match res.head.status {
        300..=399 => Response::full(res.head.status, "text/html", page(res.head.status)),
        status => of_status(head, status),
    };
    if let Some(media) = page.head.headers.get(Name::ContentType) {
        res.head.headers.set(Name::ContentType.spelt("Content-Type"), media);
    }
    res.head.headers.remove(Name::ContentLength);
    res.body = page.body;
}

/// A page for people.
pub fn page(status: u16) -> String {
    let title = title(status);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{status} {title}</title></head>\n\
         <body><h1>{status} {title}</h1><hr><p>bifrons</p></body></html>\n"
    )
}

fn title(status: u16) -> &'static str {
    match reason(status) {
        "" => "Error",
        reason => reason,
    }
}

/// Whether JSON stands before HTML in `Accept` (RFC 9110 12.5.1); a client that says nothing reads HTML.
fn prefers_json(head: &RequestHead) -> bool {
    for member in head.headers.get_all(Name::Accept).flat_map(list_members) {
        let kind = member.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
        if kind.eq_ignore_ascii_case(b"text/html") || kind.eq_ignore_ascii_case(b"*/*") {
            return false;
        }
        if kind.eq_ignore_ascii_case(b"application/json") || kind.to_ascii_lowercase().ends_with(b"+json") {
            return true;
        }
    }
    false
}

/// What can be done with a resource that says nothing else.
fn options() -> Response {
    let mut res = Response::empty(200);
    res.head.headers.append_as("Allow", ALLOW.as_bytes());
    res
}

/// The answer to an OPTIONS that is to go no further (RFC 9110 7.6.2); of others the count goes down by one.
/// A TRACE, the other method it is for, never gets this far.
pub fn as_last(head: &mut RequestHead) -> Option<Response> {
    if head.method() != Method::Options {
        return None;
    }
    let left = parse_length(head.headers.get(Name::MaxForwards)?)?;
    match left.checked_sub(1) {
        None => Some(options()),
        Some(left) => {
            head.headers.set(Name::MaxForwards.spelt("Max-Forwards"), left.to_string().as_bytes());
            None
        }
    }
}

/// What is answered before any route is looked for: methods that no route takes, `OPTIONS *`, and the
/// listener's redirect to `https`.
///
/// # Errors
/// `Method` for CONNECT (a reverse proxy opens no tunnels) and TRACE (it would show clients what we add);
/// `Malformed` for a target with `https` that came in plain text, and for a redirect that would lead nowhere.
pub fn without_route(task: &Task<'_>, req: &Request) -> Result<Option<Response>> {
    match req.head.method() {
        Method::Connect => return Err(Error::downstream(Kind::Method, "CONNECT to a reverse proxy")),
        Method::Trace => return Err(Error::downstream(Kind::Method, "TRACE")),
        Method::Options if req.head.target() == b"*" => return Ok(Some(options())),
        _ => {}
    }
    // RFC 9110 7.4: what was asked for by https was to stay between two who can prove it.
    if req.head.asks_https() && task.cx.conn.tls.is_none() && !task.cx.is_trusted {
        return Err(Error::downstream(Kind::Malformed, "a target with https on a connection without TLS"));
    }
    if !task.listener.redirect_https {
        return Ok(None);
    }
    let host = host_of(req.head.authority());
    if host.is_empty() {
        return Err(Error::downstream(Kind::Malformed, "no host that a redirect could lead to"));
    }
    let mut target = b"https://".to_vec();
    target.extend_from_slice(host);
    target.extend_from_slice(req.head.original_target());
    // 308 keeps method and body (RFC 9110 15.4.9).
    Ok(Some(redirect_to(&target, 308)))
}
