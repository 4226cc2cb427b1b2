//! From a request to its host and route; from a route to another one.

use crate::conn::{ConnCx, LastHost};
use crate::outcome::{Outcome, Turn};
use crate::record::Share;
use crate::request::Task;
use crate::snapshot::{Action, HostPlan, ListenerPlan, RoutePlan};
use crate::worker::Local;
use bifrons_core::{Error, Kind, Result};
use bifrons_filters::rewrite::{Program, Verdict, note_captures, path};
use bifrons_http::h1::H1Body;
use bifrons_http::h1::framing::{self, Framing};
use bifrons_http::vars::host_of;
use bifrons_http::{Body, Name, ReqCx, Request, RequestHead, Response, Version};
use bifrons_net::clock;
use bifrons_route::{Captures, Facts, PathPolicy, PathRules};
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

/// Why a route that is for requests from within only is not there for others.
pub(crate) const INTERNAL: &str = "the route is internal";

/// 10: nginx's bound on internal redirects.
pub const REROUTES_MAX: u8 = 10;

thread_local! {
    /// Scratch of the matchers; kept so that matching allocates nothing.
    static CAPTURES: RefCell<(Captures, Captures)> = RefCell::new((Captures::new(), Captures::new()));
}

impl<'a> Task<'a> {
    /// At the beginning of a request.
    pub(crate) fn new(conn: &'a ConnCx, plans: &'a (Rc<Local>, Arc<ListenerPlan>)) -> Self {
        let (local, listener) = plans;
        let mut cx = ReqCx::new(conn.facts.clone(), clock::read());
        cx.is_pipelined = conn.pipelined.get();
        cx.computed.clone_from(&local.variables);
        Self {
            conn,
            local,
            listener,
            host: None,
            route: listener.fallback.clone(),
            cx,
            res: None,
            fields: None,
            target: None,
            handed_over: 0,
            detour: None,
            active: None,
            destination: None,
            counted: Share::of(&conn.worker, listener.stats.requests_active),
        }
    }

    /// Settles where the body ends; a small one that has come with its head is taken at once.
    pub(crate) fn begin_body(&mut self, req: &mut Request) -> Result<()> {
        let framing = framing::request(&req.head)?;
        if let Some(exchange) = &self.conn.exchange {
            // The stream's body is there already; its end is the stream's.
            if let Body::H2(body) = &mut req.body {
                if let Some(bytes) = body.take_whole() {
                    req.body = Body::Full(bytes);
                } else {
                    // A client that has begun to send waits for nothing.
                    exchange.set_expecting(!body.has_begun() && expects_continue(&req.head));
                }
            }
            return Ok(());
        }
        if framing == Framing::None {
            return Ok(());
        }
        let http = &self.conn.http;
        http.begin_body(framing, &self.listener.limits, self.listener.body_pace, u64::MAX);
        req.body = match http.take_whole_body() {
            Some(bytes) => Body::Full(bytes),
            None if expects_continue(&req.head) => {
                // A client that has begun to send waits for nothing.
                http.set_expecting(!http.has_buffered());
                Body::H1(Box::new(H1Body::new(http.clone(), None)))
            }
            None => Body::H1(Box::new(H1Body::new(http.clone(), None))),
        };
        Ok(())
    }
}

/// Whether the client waits to be told before it sends the body (RFC 9110 10.1.1), which none of HTTP/1.0 does.
fn expects_continue(head: &RequestHead) -> bool {
    head.version != Version::Http10
        && head.headers.get(Name::Expect).is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

/// The host that the request names, by nginx's order.
///
/// # Errors
/// `NoRoute` where no name fits and there is no default host; `Internal` for a search that took too long.
pub fn find_host(task: &mut Task<'_>, head: &RequestHead) -> Result<()> {
    let host = host_of(head.authority());
    let plan = match same_host(task, host) {
        Some(plan) => plan,
        None => look_up_host(task, host)?,
    };
    task.cx.server_name = Some(plan.name.clone());
    task.route = plan.fallback.clone();
    if let Some(rules) = &plan.client {
        task.cx.client = task.cx.conn.peer;
        task.cx.is_trusted = false;
        rules.identify(&mut task.cx, head);
    }
    task.host = Some(plan);
    Ok(())
}

/// The host of the connection's last request, where this one asks for the same.
fn same_host(task: &Task<'_>, host: &[u8]) -> Option<Arc<HostPlan>> {
    let last = task.conn.last_host.borrow();
    let last =
        last.as_ref().filter(|last| last.name == host && Arc::ptr_eq(&last.listener, task.listener))?;
    Some(last.plan.clone())
}

fn look_up_host(task: &mut Task<'_>, host: &[u8]) -> Result<Arc<HostPlan>> {
    let found = CAPTURES.with_borrow_mut(|(captures, _)| {
        let found = task.listener.hosts.find(host, captures).map(|found| found.value.clone());
        if !captures.is_empty() {
            // Names have no case, and what is captured of one is in lower case, as in nginx.
            note_captures(&mut task.cx, captures, &host.to_ascii_lowercase());
        }
        search_ended(captures)?;
        if let Some(plan) = &found {
            crate::secure::check_direction(task, host, plan)?;
        }
        // What a regex captured is part of what was found.
        let last = found.as_ref().filter(|_| captures.is_empty()).map(|plan| LastHost {
            name: host.to_vec(),
            listener: task.listener.clone(),
            plan: plan.clone(),
        });
        task.conn.last_host.replace(last);
        Ok::<_, Error>(found)
    })?;
    found.ok_or_else(|| Error::local(Kind::NoRoute, "no host of that name"))
}

/// Goes where the turn leads: afterwards the task has its route, or there is an answer already.
///
/// # Errors
/// `TooManyReroutes`; what [`find_route`] says; `Internal` for a named route that is not there.
pub fn follow(task: &mut Task<'_>, req: &mut Request, turn: Turn) -> Result<Option<Outcome>> {
    match turn {
        Turn::First => {}
        Turn::Use(_) => count(task)?,
        _ => start_over(task, req)?,
    }
    let missing = || Error::local(Kind::NoRoute, "no host of that name");
    let host = task.host.clone().ok_or_else(missing)?;
    match turn {
        Turn::Named(name) | Turn::Use(name) => {
            take_named(task, &host, &name)?;
            limit_body(task, &req.body)?;
            return Ok(None);
        }
        Turn::Path { path, query } => {
            path::set(&mut task.cx, &mut req.head, path, query.as_deref());
            task.cx.is_final = false;
        }
        Turn::Table => {
            find_route(task, req, &host)?;
            return Ok(None);
        }
        Turn::First => {}
    }
    if let Some(program) = &host.rewrite
        && let Some(answer) = rewrite(task, req, &host, program)?
    {
        return Ok(Some(Outcome::Own(answer)));
    }
    find_route(task, req, &host)?;
    Ok(None)
}

/// The host's own rewriting, before a route is looked for.
fn rewrite(
    task: &mut Task<'_>,
    req: &mut Request,
    host: &HostPlan,
    program: &Program,
) -> Result<Option<Response>> {
    task.route = host.fallback.clone();
    task.cx.document = host.document.clone();
    settle_path(&mut task.cx, &mut req.head, &host.path)?;
    know_local(task);
    match program.run(&mut task.cx, &mut req.head) {
        Verdict::Reply(res, _) => Ok(Some(*res)),
        // The path is what it is now; a host hands over to no other route.
        Verdict::Next | Verdict::Route | Verdict::Use(_) => Ok(None),
    }
}

/// Counts how often a route has handed over to another, in this turn.
fn count(task: &mut Task<'_>) -> Result<()> {
    task.handed_over += 1;
    match task.handed_over > REROUTES_MAX {
        true => Err(Error::local(Kind::TooManyReroutes, "handed over more than ten times")),
        false => Ok(()),
    }
}

/// Counts the turn, and undoes what the route before has changed of the request.
fn start_over(task: &mut Task<'_>, req: &mut Request) -> Result<()> {
    task.cx.reroutes += 1;
    if task.cx.reroutes > REROUTES_MAX {
        let uri = String::from_utf8_lossy(req.head.original_target()).into_owned();
        tracing::error!(uri, route = &*task.route.name, "rewrite or internal redirection cycle");
        return Err(Error::local(Kind::TooManyReroutes, "routed again more than ten times"));
    }
    task.handed_over = 0;
    if let Some(fields) = task.fields.take() {
        req.head.headers.restore(fields);
    }
    if let Some(target) = task.target.take() {
        req.head.back_to(target);
    }
    if matches!(req.body, Body::Spent) {
        // It went to an endpoint, and nothing says that there is one.
        req.body = Body::Empty;
        for name in [Name::ContentLength, Name::TransferEncoding, Name::Expect, Name::Trailer] {
            req.head.headers.remove(name);
        }
    }
    task.active = None;
    task.cx.is_internal = true;
    (task.cx.document_root, task.cx.filename, task.cx.cluster) = (None, None, None);
    Ok(())
}

/// Where a filter sends the request.
///
/// # Errors
/// `Internal` for a named route that is not there.
pub fn of_filter(task: &mut Task<'_>, turn: bifrons_filters::Turn) -> Result<Outcome> {
    match turn {
        bifrons_filters::Turn::Route => Ok(Outcome::Turn(Turn::Table)),
        bifrons_filters::Turn::Use(name) => Ok(Outcome::Turn(Turn::Use(name))),
        bifrons_filters::Turn::Reply(name, res) => {
            if let Some(host) = task.host.clone() {
                take_named(task, &host, &name)?;
            }
            Ok(Outcome::Own(*res))
        }
    }
}

fn take_named(task: &mut Task<'_>, host: &HostPlan, name: &str) -> Result<()> {
    let route = host.named.get(name).cloned();
    let missing = || {
        tracing::error!(name, "there is no such named route");
        Error::local(Kind::Internal, "there is no route of that name")
    };
    take(task, route.ok_or_else(missing)?);
    Ok(())
}

/// The route is this one from now on.
fn take(task: &mut Task<'_>, route: Arc<RoutePlan>) {
    task.cx.route = Some(route.name.clone());
    if route.document.is_some() || task.cx.document.is_some() {
        task.cx.document = route.document.clone();
    }
    task.route = route;
}

/// Asks the kernel for our end's address, which a template may want.
pub fn know_local(task: &Task<'_>) {
    task.cx.conn.local.get_or_init(|| task.conn.http.stream().local_addr());
}

/// The route that fits best.
///
/// # Errors
/// `NoRoute`; `Malformed` for a path that can't be normalised; `BodyTooLarge` for a length beyond the
/// route's; `NotFound` for an internal route that was asked for from outside; `Internal` for a search that
/// took too long.
fn find_route(task: &mut Task<'_>, req: &mut Request, host: &HostPlan) -> Result<()> {
    let head = &mut req.head;
    settle_path(&mut task.cx, head, &host.path)?;
    let route = CAPTURES.with_borrow_mut(|(_, captures)| {
        let facts = RequestFacts { cx: &task.cx, head };
        let route = host.routes.find(&facts, captures).cloned();
        if !captures.is_empty() {
            let path = facts.path().to_vec();
            note_captures(&mut task.cx, captures, &path);
        }
        search_ended(captures)?;
        Ok::<_, Error>(route)
    })?;
    let fallback = || match host.fallback.action {
        Action::None => Err(Error::local(Kind::NoRoute, "no route fits")),
        _ => Ok(host.fallback.clone()),
    };
    let route = route.map_or_else(fallback, Ok)?;
    let is_hidden = route.internal && !task.cx.is_internal;
    take(task, route);
    if is_hidden {
        return Err(Error::downstream(Kind::NotFound, INTERNAL));
    }
    limit_body(task, &req.body)
}

/// The route's limit on the body, against the announced length at once.
fn limit_body(task: &Task<'_>, body: &Body) -> Result<()> {
    // What leads to an error page was refused already, or let in.
    if task.detour.is_some() {
        return Ok(());
    }
    let max = task.route.body_max;
    let http = &task.conn.http;
    match &task.conn.exchange {
        Some(exchange) => exchange.set_body_max(max),
        None if http.body_open() => http.set_body_max(max),
        None => {}
    }
    // A body that came with its head is in hand already, and no shorter for that.
    if body.length().is_some_and(|len| len > max) {
        return Err(Error::downstream(Kind::BodyTooLarge, "Content-Length is larger than the body limit"));
    }
    Ok(())
}

/// One spelling of the path, for matching and for forwarding.
fn settle_path(cx: &mut ReqCx, head: &mut RequestHead, rules: &PathRules) -> Result<()> {
    if cx.is_settled {
        return Ok(());
    }
    cx.is_decoded = rules.policy == PathPolicy::Nginx;
    let path = head.path();
    let normal = bifrons_route::normalize(rules, path)
        .map_err(|err| Error::downstream(Kind::Malformed, err.to_string()))?;
    let std::borrow::Cow::Owned(mut normal) = normal else {
        cx.path = None;
        return Ok(());
    };
    if rules.forwards_raw() {
        cx.path = Some(normal);
        return Ok(());
    }
    if let Some(query) = head.query() {
        normal.push(b'?');
        normal.extend_from_slice(query);
    }
    head.set_target(&normal);
    Ok(())
}

/// A search that was given up decides nothing.
fn search_ended(captures: &Captures) -> Result<()> {
    match captures.failed() {
        true => {
            let err = Error::local(Kind::Internal, bifrons_route::regex::MatchFailed.to_string());
            tracing::warn!(%err, "a regular expression takes too long");
            Err(err)
        }
        false => Ok(()),
    }
}

/// What the route table looks at.
struct RequestFacts<'a> {
    cx: &'a ReqCx,
    head: &'a RequestHead,
}

impl Facts for RequestFacts<'_> {
    fn path(&self) -> &[u8] {
        self.cx.path.as_deref().unwrap_or(self.head.path())
    }

    fn method(&self) -> &[u8] {
        self.head.method_text()
    }

    fn header(&self, name: &str, accept: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.head.headers.get_all(name).any(accept)
    }

    fn query(&self) -> &[u8] {
        self.head.query().unwrap_or_default()
    }

    fn client(&self) -> IpAddr {
        self.cx.client_ip()
    }
}
