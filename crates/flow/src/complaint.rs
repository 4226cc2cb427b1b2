//! What went wrong with a request, in the words of nginx's error log, for those who read that: only where the
//! error log has its form. Called on the way of an error alone.

use crate::request::Task;
use bifrons_core::{Error, Kind, Side};
use bifrons_http::cx::{Limited, LimitedHow, Severity};
use bifrons_http::{Name, RequestHead};
use bifrons_model::Level;
use bifrons_observe::errors::ErrorOutput;
use std::fmt::Write as _;
use std::sync::Arc;

/// What the log's formatter knows such lines by.
pub const TARGET: &str = "bifrons::request";

/// What of a route's errors is told where.
pub struct ComplaintPlan {
    /// Its own logs and from which severity on; `None`: the proxy's.
    pub logs: Option<Vec<(Level, Arc<ErrorOutput>)>>,
    /// Whether files that are not there are left out.
    pub quiet_not_found: bool,
}

/// An attempt at an endpoint has failed; another may follow.
#[cold]
pub fn attempt(task: &Task<'_>, req: &RequestHead, err: &Error) {
    if is_wanted(task) {
        let upstream = task.cx.attempts.last().map(|attempt| upstream_url(task, &attempt.endpoint, req));
        say(task, req, Severity::Error, &of_upstream(err), upstream.as_deref());
    }
}

/// A filter has refused a request.
#[cold]
pub fn denied(task: &Task<'_>, req: &RequestHead, why: &str) {
    if is_wanted(task) {
        let mut message = String::new();
        push(&mut message, why.as_bytes());
        say(task, req, Severity::Error, &message, None);
    }
}

/// A request has ended with an error.
#[cold]
pub fn request(task: &Task<'_>, req: &RequestHead, err: &Error) {
    if !is_wanted(task) || is_wished(err) {
        return;
    }
    if err.side() != Side::Upstream {
        let (severity, message) = of_client(req, err);
        if is_missing_file(err)
            && task.route.record.complaints.as_ref().is_some_and(|plan| plan.quiet_not_found)
        {
            return;
        }
        // That has its own line.
        if err.kind() == Kind::Busy && task.cx.limited.is_some() {
            return;
        }
        return say(task, req, severity, &message, None);
    }
    match task.cx.attempts.last() {
        // It has been told when it failed.
        Some(last) if last.error == Some(err.kind()) && last.status == 0 => {}
        Some(last) if err.kind() != Kind::NoEndpoint => {
            let message = match err.kind() {
                Kind::Closed => "upstream prematurely closed connection while reading upstream".to_owned(),
                Kind::Timeout => {
                    "upstream timed out (110: Connection timed out) while reading upstream".to_owned()
                }
                _ => format!("{} while reading upstream", err.reason()),
            };
            say(task, req, Severity::Error, &message, Some(&upstream_url(task, &last.endpoint, req)));
        }
        _ => {
            let cluster = task.cx.cluster.as_deref().unwrap_or_default();
            let message = match err.kind() {
                Kind::NoEndpoint | Kind::Busy => "no live upstreams while connecting to upstream".to_owned(),
                _ => err.reason().to_owned(),
            };
            say(task, req, Severity::Error, &message, Some(&upstream_url(task, cluster, req)));
        }
    }
}

/// A request was refused because there are too many at once, or would have been.
#[cold]
pub fn limited(task: &Task<'_>, req: &RequestHead) {
    let Some(Limited { zone: Some(zone), how, severity }) = &task.cx.limited else { return };
    if is_wanted(task) {
        let dry_run = if *how == LimitedHow::WouldBeRejected { ", dry run," } else { "" };
        let doing = if task.cx.conn.layer4.is_some() { " while initializing session" } else { "" };
        let message = format!("limiting connections{dry_run} by zone \"{zone}\"{doing}");
        say(task, req, *severity, &message, None);
    }
}

fn is_wanted(task: &Task<'_>) -> bool {
    own_logs(task).is_some() || task.local.snapshot.config.error_log.nginx
}

/// The logs of the route or its host.
fn own_logs<'t>(task: &'t Task<'_>) -> Option<&'t [(Level, Arc<ErrorOutput>)]> {
    task.route.record.complaints.as_ref()?.logs.as_deref()
}

/// What the configuration wants so, of which nginx says nothing: scanners would fill the log with it.
fn is_wished(err: &Error) -> bool {
    matches!(err.kind(), Kind::Dropped | Kind::Method)
        || err.kind() == Kind::NotFound && err.reason() == crate::routing::INTERNAL
}

/// What nginx's `log_not_found` is about.
fn is_missing_file(err: &Error) -> bool {
    let missing = ["No such file or directory", "Not a directory"];
    err.kind() == Kind::NotFound && missing.iter().any(|why| err.reason().contains(why))
}

fn upstream_url(task: &Task<'_>, name: &str, req: &RequestHead) -> String {
    // On layer 4 there is no target.
    if req.target() == b"-" {
        return name.to_owned();
    }
    let is_tls = task.cluster().is_some_and(|cluster| cluster.tls.is_some());
    let scheme = if is_tls { "https" } else { "http" };
    format!("{scheme}://{name}{}", String::from_utf8_lossy(req.target()))
}

/// Of an attempt.
fn of_upstream(err: &Error) -> String {
    let reading = "while reading response header from upstream";
    if let Some((_, why)) = err.reason().strip_prefix("connecting to ").and_then(|rest| rest.split_once(": "))
    {
        let connecting = "while connecting to upstream";
        return match (err.kind(), system_error(why)) {
            (Kind::Timeout, _) => format!("upstream timed out (110: Connection timed out) {connecting}"),
            (_, Some(why)) => format!("connect() failed ({why}) {connecting}"),
            (_, None) => format!("{why} {connecting}"),
        };
    }
    match err.kind() {
        Kind::Timeout => format!("upstream timed out (110: Connection timed out) {reading}"),
        Kind::Closed => format!("upstream prematurely closed connection {reading}"),
        Kind::Reset => match system_error(err.reason()) {
            Some(why) => format!("recv() failed ({why}) {reading}"),
            None => format!("{} {reading}", err.reason()),
        },
        Kind::HeadTooLarge => format!("upstream sent too big header {reading}"),
        _ => format!("upstream sent invalid header: {} {reading}", err.reason()),
    }
}

/// Of a client, or of our own.
fn of_client(req: &RequestHead, err: &Error) -> (Severity, String) {
    let reason = err.reason();
    let message = match err.kind() {
        Kind::BodyTooLarge => match req.headers.originals(Name::ContentLength).next() {
            Some(length) => {
                let length = String::from_utf8_lossy(length);
                format!("client intended to send too large body: {length} bytes")
            }
            None => "client intended to send too large chunked body".to_owned(),
        },
        Kind::NotFound | Kind::Forbidden | Kind::Internal => of_file(reason),
        Kind::Timeout => {
            return (Severity::Info, format!("client timed out (110: Connection timed out): {reason}"));
        }
        Kind::Closed | Kind::Reset => {
            return (Severity::Info, format!("client prematurely closed connection: {reason}"));
        }
        Kind::Malformed | Kind::UriTooLong | Kind::HeadTooLarge | Kind::Version | Kind::TransferCoding => {
            return (Severity::Info, format!("client sent invalid request: {reason}"));
        }
        _ => reason.to_owned(),
    };
    (Severity::Error, message)
}

/// A file that could not be read, by what was said of it: `PATH: No such file or directory (os error 2)`.
fn of_file(reason: &str) -> String {
    if let Some(directory) = reason.strip_suffix(" has no index file") {
        return format!("directory index of \"{directory}\" is forbidden");
    }
    let failed = reason.rsplit_once(": ").and_then(|(path, why)| Some((path, system_error(why)?)));
    match failed {
        Some((path, why)) => format!("open() \"{path}\" failed ({why})"),
        None => reason.to_owned(),
    }
}

/// `Connection refused (os error 111)` as nginx writes it: `111: Connection refused`.
fn system_error(text: &str) -> Option<String> {
    let (message, code) = text.strip_suffix(')')?.rsplit_once(" (os error ")?;
    Some(format!("{code}: {message}"))
}

/// One line: message, and whose request it was.
fn say(task: &Task<'_>, req: &RequestHead, severity: Severity, message: &str, upstream: Option<&str>) {
    let cx = &task.cx;
    let client = cx.client.map_or_else(|| "unix:".to_owned(), |addr| addr.ip().to_canonical().to_string());
    let is_request = cx.conn.layer4.is_none();
    let server = match is_request {
        true => cx.server_name.as_deref().unwrap_or_default().to_owned(),
        false => cx.conn.local.get().copied().flatten().map(|addr| addr.to_string()).unwrap_or_default(),
    };
    let mut line = format!("*{} {message}, client: {client}, server: {server}", cx.conn.serial);
    // What could not be read as a request has none.
    if is_request && req.method_text() != b"-" {
        line.push_str(", request: \"");
        push(&mut line, req.method_text());
        line.push(' ');
        push(&mut line, req.original_target());
        let _ = write!(line, " {}\"", req.version.text());
    }
    if let Some(upstream) = upstream {
        line.push_str(", upstream: \"");
        push(&mut line, upstream.as_bytes());
        line.push('"');
    }
    for (name, value) in
        [("host", Some(req.authority())), ("referrer", req.headers.originals(Name::Referer).next())]
    {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = write!(line, ", {name}: \"");
            push(&mut line, value);
            line.push('"');
        }
    }
    if let Some(logs) = own_logs(task) {
        let (level, word) = match severity {
            Severity::Error => (Level::Error, "error"),
            Severity::Warn => (Level::Warn, "warn"),
            Severity::Notice => (Level::Notice, "notice"),
            Severity::Info => (Level::Info, "info"),
        };
        return logs.iter().filter(|(from, _)| *from >= level).for_each(|(_, log)| log.message(word, &line));
    }
    match severity {
        Severity::Error => tracing::error!(target: TARGET, "{line}"),
        Severity::Warn => tracing::warn!(target: TARGET, "{line}"),
        Severity::Notice | Severity::Info => tracing::info!(target: TARGET, "{line}"),
    }
}

/// Appends text of a client; control characters, which could forge lines, are escaped.
fn push(line: &mut String, text: &[u8]) {
    for c in String::from_utf8_lossy(text).chars() {
        match c {
            c if c.is_control() => {
                let _ = write!(line, "\\x{:02X}", u32::from(c));
            }
            c => line.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
