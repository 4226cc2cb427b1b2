//! From what came of a route to the answer: error pages, what an earlier route has left, our own answers
//! made whole, response filters. Or to another route.

use crate::call;
use crate::request::Task;
use crate::respond;
use crate::routing;
use crate::snapshot::{Action, ErrorPages};
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_filters::rewrite::path;
use bifrons_http::name::is_field_value;
use bifrons_http::status::{is_bodiless, reason};
use bifrons_http::vars::{Scope, host_of};
use bifrons_http::{Body, FieldName, Method, Name, Request, RequestHead, Response};
use bifrons_model::PageStatus;
use std::net::SocketAddr;
use std::sync::Arc;

mod accel;

/// nginx's status for closing the connection without an answer.
const CLOSE: u16 = 444;

/// nginx's status for a client that has gone: whoever answers with it means nobody.
const GONE: u16 = 499;

/// Codes of nginx's own that have pages, and that clients see as 400.
const OWN_CODES: std::ops::RangeInclusive<u16> = 494..=497;

/// What came of a route.
pub enum Outcome {
    /// An answer that was made elsewhere.
    Answer(Response),
    /// An answer of our own. Without body it stands for the page of its status.
    Own(Response),
    /// Another route.
    Turn(Turn),
}

/// Where a request goes.
pub enum Turn {
    /// Its host, for the first time.
    First,
    /// To its host with another path, in the spelling of `$uri`.
    Path {
        /// The path.
        path: Vec<u8>,
        /// The query; `None`: none.
        query: Option<Vec<u8>>,
    },
    /// To the route of the path it has now; the host's rewriting is over.
    Table,
    /// To that named route.
    Named(Arc<str>),
    /// To that named route, as if it were the one it comes from.
    Use(Arc<str>),
}

impl Turn {
    /// From a text: `@name`, or a path and a query.
    ///
    /// # Errors
    /// `Internal` for what is neither.
    pub fn to(text: &[u8]) -> Result<Self> {
        match text {
            [b'@', name @ ..] => Ok(Self::Named(String::from_utf8_lossy(name).into())),
            [b'/', ..] => {
                let (path, query) = bifrons_route::split_target(text);
                // As in nginx, one that turns out empty is none.
                let query = query.filter(|query| !query.is_empty()).map(<[u8]>::to_vec);
                Ok(Self::Path { path: path.to_vec(), query })
            }
            _ => Err(Error::local(Kind::Internal, "a path to route again must begin with \"/\"")),
        }
    }
}

/// What is settled about a request.
pub enum Settled {
    /// Its answer.
    Answer(Response),
    /// Another route.
    Turn(Turn),
    /// Nobody is to see an answer.
    Silence(Error),
}

/// What an earlier route has left for the answer.
#[derive(Default)]
pub struct Detour {
    /// The status it is sent with, in place of its own.
    status: Option<u16>,
    /// Whether this is the way to an error page from which no other leads.
    is_last: bool,
    /// Further fields.
    fields: Vec<(FieldName, Vec<u8>)>,
}

impl Task<'_> {
    /// Whether the answer will be sent with the status of another, an error's.
    pub(crate) fn answers_for_another(&self) -> bool {
        self.detour.as_ref().is_some_and(|detour| detour.status.is_some_and(|status| status != 200))
    }
}

/// Where an answer comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Elsewhere,
    Own,
    /// The page of a status, which error pages may replace.
    Page,
}

/// Finds what takes the place of an error, and else brings the answer to its end.
pub fn settle(task: &mut Task<'_>, req: &mut Request, outcome: Result<Outcome>) -> Settled {
    let mut code = None;
    let (mut res, mut origin) = match outcome {
        Ok(Outcome::Turn(turn)) => return Settled::Turn(turn),
        Ok(Outcome::Answer(res)) => (res, Origin::Elsewhere),
        Ok(Outcome::Own(res)) if res.head.status == CLOSE => return Settled::Silence(dropped()),
        Ok(Outcome::Own(res)) if res.head.status == GONE => return Settled::Silence(gone()),
        Ok(Outcome::Own(mut res)) if OWN_CODES.contains(&res.head.status) => {
            code = Some(res.head.status);
            res.head.set_status(400);
            let origin = if is_bare(&res) { Origin::Page } else { Origin::Own };
            (res, origin)
        }
        Ok(Outcome::Own(res)) if is_bare(&res) => (res, Origin::Page),
        Ok(Outcome::Own(res)) => (res, Origin::Own),
        Err(err) if respond::is_silent(&err) => return Settled::Silence(err),
        Err(err) => match of_error(task, req, err) {
            Ok(res) => (res, Origin::Page),
            Err(res) => return Settled::Answer(finish(task, &req.head, res, Origin::Own)),
        },
    };
    let is_taken_over = origin == Origin::Elsewhere;
    if let Action::Proxy(plan) = &task.route.action
        && origin == Origin::Elsewhere
    {
        if plan.intercept_errors && res.head.status >= 300 && page_of(task, res.head.status).is_some() {
            origin = Origin::Page;
        } else if plan.accel_redirect && res.head.headers.has(Name::XAccelRedirect) {
            match accel::turn(task, &mut req.head, &res) {
                Ok(turn) => {
                    task.cx.led_by = Some(Box::new(res.head.headers));
                    return Settled::Turn(turn);
                }
                Err(err) => (res, origin) = (respond::to(task, &req.head, err), Origin::Page),
            }
        }
    }
    let is_redirect = matches!(res.head.status, 301 | 302 | 303 | 307 | 308);
    if let Some(detour) = &mut task.detour
        && (origin == Origin::Page || origin == Origin::Own && is_redirect)
    {
        // The answer's own status counts from here on.
        detour.status = None;
    }
    if origin == Origin::Page {
        match error_page(task, req, &res, code) {
            Some(Settled::Answer(redirect)) => res = redirect,
            Some(other) => {
                match is_taken_over {
                    true => task.cx.led_by = Some(Box::new(res.head.headers)),
                    false => keep_location(task, &req.head, &res),
                }
                return other;
            }
            None => {}
        }
    }
    Settled::Answer(finish(task, &req.head, res, origin))
}

fn dropped() -> Error {
    Error::local(Kind::Dropped, "the route closes the connection without an answer")
}

fn gone() -> Error {
    Error::downstream(Kind::Closed, "the route takes the client for one that has gone")
}

/// Whether the answer stands for the page of its status.
fn is_bare(res: &Response) -> bool {
    res.head.status >= 300 && !is_bodiless(res.head.status) && matches!(res.body, Body::Empty)
}

/// The page of an error; as an error where no other page may take its place.
#[cold]
fn of_error(task: &mut Task<'_>, req: &Request, err: Error) -> std::result::Result<Response, Response> {
    let kind = err.kind();
    let res = respond::to(task, &req.head, err);
    if kind == Kind::TooManyReroutes || matches!(res.head.status, 408 | 499) {
        return Err(res);
    }
    // What went wrong before the host was known is answered as that host's, or the default one's.
    if task.host.is_none() {
        let _ = routing::find_host(task, &req.head);
    }
    Ok(res)
}

/// The page for that status, unless this is the way to one already.
fn page_of(task: &Task<'_>, status: u16) -> Option<(Arc<ErrorPages>, usize)> {
    let pages = task.route.errors.as_ref()?;
    if task.detour.as_ref().is_some_and(|detour| detour.is_last) {
        return None;
    }
    let at = pages.pages.iter().position(|page| page.on.contains(&status))?;
    Some((pages.clone(), at))
}

/// The code by which nginx has pages for what is a 400 to everybody else.
fn own_code(task: &Task<'_>) -> Option<u16> {
    let err = task.cx.error.as_ref().filter(|_| task.detour.is_none())?;
    match err.kind() {
        Kind::HeadTooLarge if err.side() != Side::Upstream => Some(494),
        Kind::PlainText => Some(497),
        Kind::ClientCertificate if err.reason().starts_with("client sent no") => Some(496),
        Kind::ClientCertificate => Some(495),
        _ => None,
    }
}

/// What takes the place of an error, whose page may be that of another code.
fn error_page(task: &mut Task<'_>, req: &mut Request, res: &Response, code: Option<u16>) -> Option<Settled> {
    let status = res.head.status;
    let code = code.or_else(|| own_code(task)).unwrap_or(status);
    let (pages, at) = page_of(task, code).or_else(|| page_of(task, status))?;
    let page = pages.pages.get(at)?;
    routing::know_local(task);
    let mut to = Vec::new();
    page.to.render(&Scope { cx: &task.cx, req: &req.head, res: Some(&res.head) }, &mut to);
    let detour = task.detour.get_or_insert_default();
    detour.is_last |= !pages.recursive;
    let Ok(turn) = Turn::to(&to) else {
        let status = match page.status {
            PageStatus::Set(status @ (301 | 302 | 303 | 307 | 308)) => status,
            _ => 302,
        };
        let mut redirect = Response::empty(status);
        if is_field_value(&to) {
            redirect.head.headers.append_as("Location", &to);
        }
        return Some(Settled::Answer(redirect));
    };
    // What never had a path has none a named route could use.
    if matches!(turn, Turn::Named(_)) && !req.head.target().starts_with(b"/") {
        return None;
    }
    detour.status = match page.status {
        PageStatus::Keep => Some(status),
        PageStatus::Answer => None,
        PageStatus::Set(status) => Some(status),
    };
    // What the page asks for as `$status`.
    task.cx.status = detour.status.unwrap_or(0);
    if let Some(field) = FieldName::new("WWW-Authenticate") {
        let challenges = res.head.headers.get_all(Name::WwwAuthenticate);
        detour.fields.extend(challenges.map(|value| (field.clone(), value.to_vec())));
    }
    if matches!(turn, Turn::Path { .. }) {
        read_only(&mut req.head);
    }
    Some(Settled::Turn(turn))
}

/// A redirect of our own leads where it led, whatever page it gets.
fn keep_location(task: &mut Task<'_>, head: &RequestHead, res: &Response) {
    let Some(to) = res.head.headers.get(Name::Location) else { return };
    let to = whole_url(task, head, to).unwrap_or_else(|| to.to_vec());
    if let (Some(detour), Some(field)) = (&mut task.detour, FieldName::new("Location")) {
        detour.fields.push((field, to));
    }
}

/// A page is fetched, whatever the request was to do.
fn read_only(head: &mut RequestHead) {
    if !matches!(head.method(), Method::Get | Method::Head) {
        head.set_method("GET");
    }
}

/// Everything between an answer and the client that is not its way over the wire.
fn finish(task: &mut Task<'_>, head: &RequestHead, mut res: Response, origin: Origin) -> Response {
    task.cx.status = 0;
    let mut of_call = None;
    if origin != Origin::Elsewhere {
        of_call = call::is_call(head).then(|| call::text_of(&res));
        make_whole(task, head, &mut res);
    }
    if let Some(detour) = task.detour.take() {
        apply(*detour, origin, &mut res);
    }
    if let Some(text) = of_call.as_deref().filter(|_| res.head.status >= 300) {
        call::end(task, &mut res, text);
    }
    if task.route.chain.is_empty() {
        return res;
    }
    let route = task.route.clone();
    match route.chain.response(&mut task.cx, head, &mut res) {
        Ok(()) => res,
        Err(err) => {
            let mut res = respond::to(task, head, err);
            if call::is_call(head) {
                call::end(task, &mut res, b"");
            }
            res
        }
    }
}

/// What an earlier route has left.
fn apply(detour: Detour, origin: Origin, res: &mut Response) {
    if let Some(status) = detour.status.filter(|status| *status != res.head.status) {
        res.head.set_status(status);
        if origin != Origin::Elsewhere && status != 200 {
            // What they say is of the page, and the answer is another.
            res.head.headers.remove(Name::LastModified);
            res.head.headers.remove(Name::AcceptRanges);
        }
    }
    for (name, value) in detour.fields {
        match name.id() {
            // Ours gives way to what the endpoint said; another endpoint's is its own.
            Name::ContentType if origin == Origin::Elsewhere && res.head.headers.has(Name::ContentType) => {}
            Name::ContentType => res.head.headers.set(&name, &value),
            _ => res.head.headers.append(&name, &value),
        }
    }
}

/// Our own answers get what they lack: a page, a media type, a whole URL to lead to.
fn make_whole(task: &Task<'_>, head: &RequestHead, res: &mut Response) {
    if is_bare(res) && !reason(res.head.status).is_empty() {
        respond::give_page(head, res);
    }
    // A file without a type has none on purpose.
    let is_file = task.cx.filename.is_some() && matches!(task.route.action, Action::Files(_));
    let is_file = is_file && matches!(res.head.status, 200 | 206);
    let is_content = !res.body.is_empty() || task.route.media.is_some() && res.head.status < 300;
    if is_content && !is_file && !is_bodiless(res.head.status) && !res.head.headers.has(Name::ContentType) {
        let media = task.route.media.as_ref().map(|types| types.of(path::of(&task.cx, head)));
        let media = media.unwrap_or("text/plain; charset=utf-8");
        if !media.is_empty() {
            res.head.headers.append_as("Content-Type", media.as_bytes());
        }
    }
    if let Some(to) = res.head.headers.get(Name::Location).and_then(|to| whole_url(task, head, to)) {
        res.head.headers.set(Name::Location.spelt("Location"), &to);
    }
}

/// Where a redirect of ours leads, with protocol, host and port, if it is to have them and has none.
fn whole_url(task: &Task<'_>, head: &RequestHead, to: &[u8]) -> Option<Vec<u8>> {
    let is_bare = task.route.redirects.absolute && to.starts_with(b"/");
    is_bare.then(|| [&origin_of(task, head), to].concat())
}

/// Protocol, host and port that a redirect of ours leads to.
fn origin_of(task: &Task<'_>, head: &RequestHead) -> Vec<u8> {
    routing::know_local(task);
    let rules = task.route.redirects;
    let conn = &task.cx.conn;
    let local = conn.local.get().copied().flatten();
    let mut origin = conn.scheme().as_bytes().to_vec();
    origin.extend_from_slice(b"://");
    match (&task.cx.server_name, host_of(head.authority()), local) {
        (Some(name), ..) if rules.server_name => origin.extend_from_slice(name.as_bytes()),
        (_, [], Some(SocketAddr::V4(addr))) => origin.extend(addr.ip().to_string().bytes()),
        (_, [], Some(SocketAddr::V6(addr))) => origin.extend(format!("[{}]", addr.ip()).bytes()),
        (_, host, _) => origin.extend(host.iter().map(u8::to_ascii_lowercase)),
    }
    let usual = if conn.tls.is_some() { 443 } else { 80 };
    if let Some(port) = local.map(|addr| addr.port()).filter(|port| rules.port && *port != usual) {
        origin.extend(format!(":{port}").bytes());
    }
    origin
}
