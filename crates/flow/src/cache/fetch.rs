//! A request of our own to the origin, whose answer is stored while those that wait for it read it.

use super::aside::Aside;
use super::{Look, now_s, tags, unkeyed};
use crate::forward;
use crate::record::{self, Share};
use crate::request::Task;
use crate::snapshot::Action;
use bifrons_balance::Active;
use bifrons_cache::answer::stored;
use bifrons_cache::config::Standard;
use bifrons_cache::control::Directives;
use bifrons_cache::flight::Flight;
use bifrons_cache::slice::slice_of;
use bifrons_cache::storable::{self, Exchange, Storable, Why};
use bifrons_cache::stored::{Stored, Verdict};
use bifrons_cache::{CachePlan, CacheZone, Trouble, conditions};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::vars::{Scope, host_of};
use bifrons_http::{Attempt, Body, Headers, Method, Name, Request, RequestHead, Response, ResponseHead};
use bifrons_net::clock;
use bifrons_store::{Fill, Meta, Object, Reader, Ticket};
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// 30 days: how long an answer is kept that has a validator, and so may be confirmed long after its time.
const CONFIRMABLE_S: u64 = 30 * 24 * 60 * 60;

/// Everything the request needs, its own.
pub(super) struct Job {
    aside: Aside,
    /// As the client sent it.
    head: RequestHead,
    /// `Range` of the slice that is asked for.
    range: Option<String>,
    /// What a POST came with.
    body: Option<Bytes>,
    zone: Arc<CacheZone>,
    flight: Option<Flight<Object>>,
    key: Vec<u8>,
    target: Vec<u8>,
    known: Option<(Arc<Object>, Verdict)>,
}

/// What became of it, for the request that began it.
pub(super) struct Report {
    pub(super) attempts: SmallVec<[Attempt; 1]>,
    pub(super) came: Led,
}

/// What came.
pub(super) enum Led {
    /// An answer that is being stored, what keeps its beginning until somebody reads it, and fields that are for who
    /// asked only.
    Stored(Arc<Object>, Option<Reader>, Headers),
    /// What was stored is right.
    Confirmed(Arc<Object>),
    /// An answer for this request only.
    Passed(Box<Response>, Option<(Active, Share)>, Option<Why>),
    /// None.
    Failed(Error),
}

type Tell = Option<oneshot::Sender<Report>>;

impl Job {
    /// For a request of `task`.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub(super) fn new(
        task: &Task<'_>,
        head: &RequestHead,
        (zone, flight, look): (&Arc<CacheZone>, Option<Flight<Object>>, &Look),
    ) -> Result<Self> {
        Ok(Self {
            aside: Aside::of(task)?,
            head: head.clone(),
            range: task.cx.slice_range(),
            body: task.cx.body.clone().filter(|_| head.method() == Method::Post),
            zone: zone.clone(),
            flight,
            key: look.key.clone(),
            target: look.target.clone(),
            known: look.known.as_ref().map(|known| (known.object.clone(), known.verdict)),
        })
    }

    /// Interim answers to it.
    pub(super) fn interims(&self) -> mpsc::Receiver<ResponseHead> {
        self.aside.interims()
    }

    /// The request as it is sent: for all that ask for the same.
    fn request(&self, plan: &CachePlan, asks_about: bool) -> Request {
        let mut head = self.head.clone();
        if head.method() == Method::Head {
            head.set_method("GET");
        }
        let known = self.known.as_ref().and_then(|(object, _)| stored(object)).filter(|_| asks_about);
        match known.filter(|_| plan.revalidate) {
            Some(known) => _ = conditions::ask_about(&mut head, &known.head),
            None => conditions::drop_conditions(&mut head),
        }
        if let Some(range) = &self.range {
            head.headers.append_as("Range", range.as_bytes());
        }
        Request { head, body: self.body.clone().map_or(Body::Empty, Body::Full) }
    }
}

/// Asks the origin; tells who began it as soon as the head is there.
pub(super) async fn run(mut job: Job, tell: Tell) {
    let route = job.aside.route().clone();
    let (Some(plan), Action::Proxy(proxy)) = (&route.cache, &route.action) else { return };
    let flight = job.flight.take();
    let ticket = job.zone.store.ticket();
    let mut task = job.aside.task();
    let mut requested_s = now_s();
    let mut req = job.request(plan, true);
    let mut outcome = forward::forward(proxy, &mut task, &mut req).await;
    if let Ok(res) = &outcome
        && res.head.status == 304
    {
        let confirmed = job.known.as_ref().and_then(|(object, _)| Some((object, stored(object)?)));
        if let Some((object, old)) =
            confirmed.filter(|(_, old)| conditions::is_about(&res.head.headers, &old.head.headers))
        {
            let came = confirm(plan, (&job, &task), (object, old), (&res.head.headers, requested_s, &ticket));
            if let Some(flight) = &flight {
                flight.serve(came.clone());
            }
            return finish(tell, task, Led::Confirmed(came));
        }
        // It confirms something else (RFC 9111 4.3.3): asked for anew, without conditions.
        requested_s = now_s();
        req = job.request(plan, false);
        outcome = forward::forward(proxy, &mut task, &mut req).await;
    }
    let res = match outcome {
        // RFC 9110 15.4.5: there is nothing that it could be about.
        Ok(res) if res.head.status == 304 && plan.rules.standard == Standard::Rfc9111 => {
            let err = Error::upstream(Kind::Malformed, "304 to a request without conditions");
            return finish(tell, task, Led::Failed(err));
        }
        Ok(res) => res,
        Err(err) => return finish(tell, task, Led::Failed(err)),
    };
    // Something better is stored than an error is: it stays, and whoever waits looks at it.
    if let Some((object, verdict)) = &job.known
        && let Some(old) = stored(object)
        && plan.may_stand_in(old, *verdict, Trouble::Status(res.head.status))
    {
        return finish_own(tell, task, res, None);
    }
    let judged = judge(plan, &task, &job, (&res, requested_s));
    match judged {
        Ok(storable) => store(plan, &job, task, (res, storable), (ticket, flight, tell)).await,
        Err(why) => {
            if let Some(flight) = flight {
                match why {
                    Why::Configured => flight.pass(clock::recent(), Duration::ZERO),
                    why if why.is_own() => flight.own(),
                    _ => flight.pass(clock::recent(), plan.pass_for),
                }
            }
            finish_own(tell, task, res, Some(why));
        }
    }
}

fn judge(
    plan: &CachePlan,
    task: &Task<'_>,
    job: &Job,
    (res, requested_s): (&Response, u64),
) -> std::result::Result<Storable, Why> {
    if matches!(res.body, Body::Tunnel(_)) {
        return Err(Why::Status);
    }
    if plan.refuses(&Scope { cx: &task.cx, req: &job.head, res: Some(&res.head) }) {
        return Err(Why::Configured);
    }
    unkeyed::check(plan, (&task.route, &task.cx), (&job.head.headers, &res.head.headers))?;
    let exchange = Exchange {
        req: &job.head,
        is_authorized: job.head.headers.has(Name::Authorization),
        slice: task.cx.slice.as_ref(),
        res: &res.head,
        requested_s,
        received_s: now_s(),
    };
    storable::judge(&plan.rules, &exchange)
}

/// Stores the answer while it arrives.
async fn store(
    plan: &CachePlan,
    job: &Job,
    mut task: Task<'_>,
    (mut res, mut storable): (Response, Storable),
    (ticket, flight, tell): (Ticket, Option<Flight<Object>>, Tell),
) {
    let is_fresh = storable.stored.verdict(&Directives::default(), false, now_s()) == Verdict::Fresh;
    let own = std::mem::take(&mut storable.own);
    let meta = meta(plan, job, &res, storable);
    let key = job.zone.store.key(&job.key);
    let mut fill = job.zone.store.begin(ticket, &key, meta, res.body.length());
    let whole = match std::mem::take(&mut res.body) {
        Body::Empty => Some(Bytes::new()),
        Body::Full(bytes) => Some(bytes),
        body => {
            res.body = body;
            None
        }
    };
    if let Some(bytes) = whole {
        fill.push(bytes);
        let object = fill.finish();
        announce(flight, &object, is_fresh);
        return finish(tell, task, Led::Stored(object, None, own));
    }
    let flight = announce(flight, fill.object(), is_fresh);
    let object = fill.object().clone();
    // What is not stored after all would else have lost its beginning before anybody reads it.
    let hold = object.body().reader(0..u64::MAX).ok();
    report(tell, &task, Led::Stored(object, hold, own));
    let mut attempt = task.cx.attempts.last_mut();
    let count = |bytes| {
        if let Some(attempt) = &mut attempt {
            attempt.body_received += bytes;
            attempt.received += bytes;
        }
    };
    bring(fill, &mut res.body, flight, count).await;
    record::aside(&mut task);
}

/// Tells who waits, for as long as it arrives; nobody, if it is of no use to others.
fn announce(flight: Option<Flight<Object>>, object: &Arc<Object>, is_fresh: bool) -> Option<Flight<Object>> {
    let flight = flight?;
    if !is_fresh {
        flight.pass(clock::recent(), Duration::ZERO);
        return None;
    }
    flight.serve(object.clone());
    Some(flight)
}

/// Brings a body into the store, piece by piece; `came` hears of the bytes of each. Ends when nobody wants it: not the
/// store, and no reader.
pub(super) async fn bring(
    mut fill: Fill,
    body: &mut Body,
    mut flight: Option<Flight<Object>>,
    mut came: impl FnMut(u64),
) {
    loop {
        fill.ready().await;
        if !fill.is_storing() {
            // Who comes now could not read it from its beginning.
            flight = None;
            if Arc::strong_count(fill.object()) <= 1 {
                return;
            }
        }
        match body.next().await {
            Ok(Some(piece)) => {
                came(piece.len() as u64);
                fill.push(piece);
            }
            Ok(None) => {
                fill.finish();
                drop(flight);
                return;
            }
            Err(err) => {
                tracing::debug!(%err, "a body that was being stored broke off");
                return;
            }
        }
    }
}

/// What is written down about an answer.
fn meta(plan: &CachePlan, job: &Job, res: &Response, storable: Storable) -> Meta {
    let Storable { mut stored, variant, .. } = storable;
    let tags = tags(res);
    if plan.rules.standard == Standard::Rfc9111 {
        // They are for caches, and for this one.
        for name in ["surrogate-key", "cache-tag", "xkey", "surrogate-control"] {
            stored.head.headers.remove(name);
        }
    }
    let mut head = Vec::with_capacity(512);
    stored.encode(&mut head);
    Meta {
        key: job.key.as_slice().into(),
        host: String::from_utf8_lossy(host_of(job.head.authority())).to_ascii_lowercase().into(),
        path: String::from_utf8_lossy(&job.target).into(),
        vary: variant.into(),
        tags,
        head: head.into(),
        keep_until_s: keep_until_s(plan, &stored),
    }
}

fn keep_until_s(plan: &CachePlan, stored: &Stored) -> u64 {
    let headers = &stored.head.headers;
    let is_confirmable = plan.revalidate && (headers.has(Name::Etag) || headers.has(Name::LastModified));
    // nginx keeps what is outdated as long as somebody asks for it, and says so.
    let is_kept = is_confirmable || plan.rules.standard == Standard::Nginx;
    let most_s = if is_kept { CONFIRMABLE_S } else { 0 };
    stored.times.useless_s(plan.stale_max_s().max(most_s))
}

/// What is written down about a stored answer that another head has confirmed.
///
/// # Errors
/// Why it may not be stored any more, or this request has no say in it.
pub(super) fn renewed(
    plan: &CachePlan,
    (task, req): (&Task<'_>, &RequestHead),
    (object, old): (&Arc<Object>, &Stored),
    (fields, requested_s): (&Headers, u64),
) -> std::result::Result<Meta, Why> {
    unkeyed::check(plan, (&task.route, &task.cx), (&req.headers, &old.head.headers))?;
    let mut merged = conditions::updated(&old.head, fields);
    if !fields.has(Name::Date) {
        // It was confirmed when that came (RFC 9110 6.6.1): by its own date it would be as old as before.
        merged.headers.remove(Name::Date);
    }
    if let Some(age) = fields.get(Name::Age) {
        merged.headers.append(Name::Age, age);
    }
    let slice = slice_of(&old.head);
    let exchange = Exchange {
        req,
        is_authorized: req.headers.has(Name::Authorization),
        slice: slice.as_ref(),
        res: &merged,
        requested_s,
        received_s: now_s(),
    };
    let Storable { stored, .. } = storable::judge(&plan.rules, &exchange)?;
    let mut head = Vec::with_capacity(512);
    stored.encode(&mut head);
    Ok(Meta { head: head.into(), keep_until_s: keep_until_s(plan, &stored), ..object.meta().clone() })
}

/// A 304: what is stored is good for longer (RFC 9111 4.3.4).
fn confirm(
    plan: &CachePlan,
    (job, task): (&Job, &Task<'_>),
    known: (&Arc<Object>, &Stored),
    (fields, requested_s, ticket): (&Headers, u64, &Ticket),
) -> Arc<Object> {
    match renewed(plan, (task, &job.head), known, (fields, requested_s)) {
        Ok(meta) => job.zone.store.renew(ticket, known.0, meta),
        // It says nothing of what is stored for others, which stays as it is.
        Err(why) if why.is_own() => known.0.clone(),
        Err(_) => {
            job.zone.store.remove_object(known.0);
            known.0.clone()
        }
    }
}

fn report(tell: Tell, task: &Task<'_>, came: Led) {
    if let Some(tell) = tell {
        let _ = tell.send(Report { attempts: task.cx.attempts.clone(), came });
    }
}

fn finish(tell: Tell, mut task: Task<'_>, came: Led) {
    report(tell, &task, came);
    record::aside(&mut task);
}

/// An answer that is not stored goes to the request that began it, as it is.
fn finish_own(tell: Tell, mut task: Task<'_>, res: Response, why: Option<Why>) {
    let active = task.active.take();
    match tell {
        Some(_) => report(tell, &task, Led::Passed(Box::new(res), active, why)),
        None => {
            drop(res);
            record::aside(&mut task);
        }
    }
}
