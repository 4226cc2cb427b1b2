//! Beside step 5: bodies that are collected before they are sent on, what is sent in place of the client's,
//! and what an endpoint's answer says about its own way to the client.

use crate::request::Task;
use crate::snapshot::ProxyPlan;
use bifrons_config::Template;
use bifrons_config::units::Size;
use bifrons_core::{Limits, Result};
use bifrons_http::h1::Conn;
use bifrons_http::name::is_token;
use bifrons_http::pacer::{Paced, Pacer};
use bifrons_http::spool::{HoldRules, Keep, Rules, collect};
use bifrons_http::vars::Scope;
use bifrons_http::{Body, FileBody, Method, Name, Request, RequestHead, Response, Version};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// 256 KiB: what one call sends of a file before other connections of the worker get their turn.
const TURN_BYTES: usize = 256 * 1024;

/// How a route's bodies go.
pub struct BodyPlan {
    /// Whether requests' bodies are always collected.
    pub collects: bool,
    /// How.
    pub collect: Rules,
    /// Whether answers are held back for slow clients.
    pub holds: bool,
    /// How.
    pub hold: Arc<HoldRules>,
    /// Bytes a second that are read of an answer that is held back.
    pub rate: Option<Template>,
    /// Whether `X-Accel-Buffering` is heeded.
    pub heeds_buffering: bool,
    /// Whether `X-Accel-Limit-Rate` is heeded.
    pub heeds_rate: bool,
    /// Whether `X-Accel-Charset` is heeded.
    pub heeds_charset: bool,
    /// What is sent in place of the client's.
    pub sent: Option<Box<SentPlan>>,
    /// Whether trailer fields of answers are passed on.
    pub trailers: bool,
    /// Bounds of an answer's head.
    pub limits: Limits,
}

/// What is sent in place of the client's.
pub struct SentPlan {
    /// The method.
    pub method: Option<Template>,
    /// The body.
    pub body: Option<Template>,
    /// Whether the client's body is left out.
    pub no_body: bool,
    /// Whether the client's fields are left out.
    pub no_headers: bool,
}

/// How fast a route's answers go.
pub struct BandwidthPlan {
    /// Bytes a second.
    pub rate: Template,
    /// Bytes that go at full speed first.
    pub after: Template,
    /// Goes before `rate` where it is not empty.
    pub first: Option<Template>,
}

/// Whether the request's body must be in hand before it is sent on.
pub(crate) fn is_collected(plan: &ProxyPlan, body: &Body) -> bool {
    if matches!(body, Body::Empty | Body::Spent) {
        return false;
    }
    let bodies = &plan.bodies;
    let replaces = bodies.sent.as_ref().is_some_and(|sent| sent.body.is_some() || sent.no_body);
    bodies.collects || replaces || plan.version == Version::Http10 && body.length().is_none()
}

/// Whether the body came with its head, so that nothing is left to do but to remember it.
pub(crate) fn is_in_hand(plan: &ProxyPlan, task: &mut Task<'_>, req: &mut Request) -> bool {
    let rules = &plan.bodies.collect;
    let Body::Full(bytes) = &req.body else { return false };
    if rules.keep != Keep::Anonymous {
        return false;
    }
    task.cx.body = Some(bytes.clone());
    req.head.headers.remove(Name::Expect);
    true
}

/// Collects the request's body. A client that waits for 100 (RFC 9110 10.1.1) is told to go on by the first
/// reading of it.
///
/// # Errors
/// The body's own; `Internal` where the disk fails.
pub(crate) async fn collect_body(plan: &ProxyPlan, task: &mut Task<'_>, req: &mut Request) -> Result<()> {
    req.head.headers.remove(Name::Expect);
    let rules = &plan.bodies.collect;
    let collected = collect(rules, std::mem::take(&mut req.body)).await?;
    task.cx.body = match &collected.body {
        Body::Full(bytes) => Some(bytes.clone()),
        _ => None,
    };
    task.cx.body_file = collected.file;
    req.body = collected.body;
    Ok(())
}

/// Sends a body that lies in a file.
///
/// # Errors
/// The endpoint's; `Closed` of our own where the file was cut short.
pub(crate) async fn send_file(conn: Rc<Conn>, mut file: FileBody, limit: Duration) -> Result<()> {
    // Bounded: every turn sends bytes of the file.
    while file.len > 0 {
        let want = usize::try_from(file.len).unwrap_or(usize::MAX).min(TURN_BYTES);
        let part = (file.offset, want);
        let len = poll_fn(|cx| conn.poll_send_file(cx, &file.file, part, limit)).await?;
        file.offset += len as u64;
        file.len -= len as u64;
        tokio::task::yield_now().await;
    }
    conn.set_sending(false);
    Ok(())
}

/// Puts in place what is sent instead of the client's body and method, and drops the client's fields. Gives
/// back the method to be restored.
pub(crate) fn replace(
    sent: &SentPlan,
    task: &Task<'_>,
    req: &mut Request,
) -> Option<bifrons_http::head::OwnMethod> {
    let render = |template: &Template, head: &RequestHead| {
        let mut out = Vec::new();
        template.render(&Scope { cx: &task.cx, req: head, res: None }, &mut out);
        out
    };
    let body = sent.body.as_ref().map(|template| render(template, &req.head));
    let method = sent.method.as_ref().map(|template| render(template, &req.head));
    if body.is_some() || sent.no_body {
        req.head.headers.remove(Name::ContentLength);
        req.body = match body {
            Some(body) if !body.is_empty() => Body::Full(body.into()),
            _ => Body::Empty,
        };
    }
    if sent.no_headers {
        // What says where the body ends, and what concerns the connection, is the proxy's own.
        req.head.headers.remove_received_where(|name, _| {
            !name.is_hop_by_hop() && !matches!(name, Name::Host | Name::ContentLength | Name::Expect)
        });
    }
    // One that is no method would be no request.
    method.filter(|method| is_token(method)).map(|method| req.head.swap_method(&method))
}

/// What the answer says about its way, and where nothing is said the route's own.
pub(crate) fn heed(plan: &ProxyPlan, task: &mut Task<'_>, req: &RequestHead, res: &mut Response) {
    let bodies = &plan.bodies;
    if bodies.heeds_buffering || bodies.heeds_rate || bodies.heeds_charset {
        heed_fields(bodies, task, res);
    }
    if let Some(rate) = &bodies.rate
        && task.cx.holds.unwrap_or(bodies.holds)
        && !matches!(res.body, Body::Tunnel(_) | Body::Empty)
        && let Some(rate) = bytes_of(rate, task, req).filter(|rate| *rate > 0)
    {
        let inner = std::mem::take(&mut res.body);
        res.body = Body::Paced(Box::new(Paced::new(inner, Pacer::new(rate, 0))));
    }
}

fn heed_fields(bodies: &BodyPlan, task: &mut Task<'_>, res: &mut Response) {
    let (mut holds, mut rate, mut charset) = (None, None, None);
    let (mut buffering, mut limit_rate) = (false, false);
    for (id, name, value) in res.head.headers.iter() {
        // One look at most fields: names that begin so are rare.
        if id != Name::Other || !name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"x-accel-")) {
            continue;
        }
        match name.get(8..).unwrap_or_default() {
            rest if bodies.heeds_buffering && rest.eq_ignore_ascii_case(b"buffering") => {
                buffering = true;
                holds = match value {
                    _ if value.eq_ignore_ascii_case(b"yes") => Some(true),
                    _ if value.eq_ignore_ascii_case(b"no") => Some(false),
                    _ => None,
                };
            }
            rest if bodies.heeds_rate && rest.eq_ignore_ascii_case(b"limit-rate") => {
                limit_rate = true;
                rate = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
            rest if bodies.heeds_charset && rest.eq_ignore_ascii_case(b"charset") => {
                charset = Some(value.to_vec());
            }
            _ => {}
        }
    }
    if let Some(charset) = charset {
        name_charset(res, &charset);
    }
    if holds.is_some() {
        task.cx.holds = holds;
    }
    if rate.is_some() {
        task.cx.rate = rate;
    }
    for (name, is_there) in [("X-Accel-Buffering", buffering), ("X-Accel-Limit-Rate", limit_rate)] {
        if is_there {
            res.head.headers.remove(name);
        }
    }
}

/// Says in `Content-Type` which characters the answer is written in, where it does not say so itself; `off` and
/// what is no name of a charset say nothing.
fn name_charset(res: &mut Response, charset: &[u8]) {
    let Some(media) = res.head.headers.get(Name::ContentType) else { return };
    let names_one = media.to_ascii_lowercase().windows(8).any(|part| part == b"charset=");
    if names_one || !is_token(charset) || charset.eq_ignore_ascii_case(b"off") {
        return;
    }
    let typed = [media, b"; charset=", charset].concat();
    res.head.headers.set(Name::ContentType.spelt("Content-Type"), &typed);
}

/// The value of a template as bytes, such as `100k`; `None` where it is none.
fn bytes_of(template: &Template, task: &Task<'_>, req: &RequestHead) -> Option<u64> {
    let mut text = Vec::new();
    template.render(&Scope { cx: &task.cx, req, res: None }, &mut text);
    std::str::from_utf8(&text).ok()?.parse::<Size>().ok().map(|size| size.0)
}

/// The pace of an answer with such a body; `None` where it goes at full speed.
pub(crate) fn pacer(task: &mut Task<'_>, req: &RequestHead, body: &Body) -> Option<Pacer> {
    let bandwidth = task.route.bandwidth.as_deref();
    if bandwidth.is_none() && task.cx.rate.is_none() {
        return None;
    }
    let of_route = || {
        let own = bandwidth?;
        let first = own.first.as_ref().and_then(|first| bytes_of(first, task, req));
        first.or_else(|| bytes_of(&own.rate, task, req))
    };
    let rate = task.cx.rate.or_else(of_route).filter(|rate| *rate > 0)?;
    let after = bandwidth.and_then(|own| bytes_of(&own.after, task, req)).unwrap_or(0);
    task.cx.rate = Some(rate);
    let pacer = Pacer::new(rate, after);
    (!body.length().is_some_and(|len| pacer.is_free(len))).then_some(pacer)
}

/// A HEAD in place of another method brings no body: the length it tells is not that of what the client gets.
pub(crate) fn settle_head(sent: Method, own: Method, res: &mut Response) {
    if sent == Method::Head && own != Method::Head {
        bifrons_http::message::forget_length(&mut res.head.headers);
    }
}

/// Files that have a name are made for bodies of any size.
pub(crate) fn keep_of(files: bifrons_model::BodyFiles) -> Keep {
    match files {
        bifrons_model::BodyFiles::Spill => Keep::Anonymous,
        bifrons_model::BodyFiles::Clean => Keep::Clean,
        bifrons_model::BodyFiles::Keep => Keep::Forever,
    }
}
