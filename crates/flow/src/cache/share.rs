//! Requests for the same: one goes to the origin, the others get its answer while it arrives.

use super::fetch::{self, Job, Led};
use super::{Known, Look, give, note, now_s, pass};
use crate::attempt::{client_left, relay_interim};
use crate::destination::Destination;
use crate::outcome::Outcome;
use crate::request::Task;
use crate::snapshot::Action;
use bifrons_cache::answer::stored;
use bifrons_cache::conditions;
use bifrons_cache::flight::{Flight, Joined, State};
use bifrons_cache::status::{Status, Told};
use bifrons_cache::storable::Why;
use bifrons_cache::stored::Verdict;
use bifrons_cache::{CachePlan, CacheZone, Trouble, vary};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{Method, Name, Request, RequestHead, Response, ResponseHead};
use bifrons_model::ClientAbort;
use bifrons_net::clock;
use bifrons_store::{Found, Object};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::{mpsc, oneshot, watch};

/// 3: others whose answers a request waits for in vain before it goes on its own.
const TURNS_MAX: u32 = 3;

/// Answers with what is outdated, with what another request brings, or with what the origin says.
pub(super) async fn answer(
    plan: &CachePlan,
    task: &mut Task<'_>,
    req: &mut Request,
    look: Box<Look>,
) -> Result<Outcome> {
    let Some(zone) = &plan.zone else { return pass(plan, task, req, (Status::Miss, None)).await };
    let key = zone.store.key(&look.key).hash();
    let status = status_of(&look);
    if let Some(known) = &look.known
        && let Some(found) = known.stored()
        && plan.may_update(found, known.verdict)
        && req.head.method() != Method::Head
    {
        if zone.flights.is_under_way(key) {
            return give(plan, task, &req.head, known, (Status::Updating, false));
        }
        if plan.background {
            let begun = begin_update(plan, task, req, (zone, key, &look));
            let status = if begun { Status::Stale } else { Status::Updating };
            return give(plan, task, &req.head, known, (status, false));
        }
    }
    if req.head.method() == Method::Head && !plan.convert_head {
        return pass_head(plan, task, req, look).await;
    }
    if plan.min_uses > 1 && zone.store.count_use(&zone.store.key(&look.key)) < plan.min_uses {
        return pass(plan, task, req, (status, Some(Why::Uses))).await;
    }
    let is_updated = look
        .known
        .as_ref()
        .is_some_and(|known| known.stored().is_some_and(|found| plan.may_update(found, known.verdict)));
    // Others get what is outdated as long as one is under way: it must be known to be.
    if !plan.collapse && !is_updated || look.is_bypassed {
        return lead(plan, task, req, (zone, None, look)).await;
    }
    // What keeps an answer from being others' keeps this one's too.
    let is_own = look.asked.no_store || req.head.headers.has(Name::Authorization);
    for turn in 0..TURNS_MAX {
        let news = match zone.flights.join(key, clock::recent(), plan.collapse_age) {
            // Conditions and ranges are the origin's to answer where the last answer was not to be stored.
            Joined::Alone if task.cx.slice.is_none() && conditions::has_any(&req.head) => break,
            // Nobody waits then, and who gets one that is stores it.
            Joined::Alone => return lead(plan, task, req, (zone, None, look)).await,
            Joined::First(flight) => {
                // The one before may have come to its end just now.
                if let Some(known) = look_again(plan, zone, req, &look) {
                    return give(plan, task, &req.head, &known, (Status::Hit, false));
                }
                return lead(plan, task, req, (zone, Some(flight), look)).await;
            }
            Joined::Other(news) => news,
        };
        match wait(plan, task, news).await? {
            State::Serving(object) => {
                let is_ours = vary::selects(&object.meta().vary, &req.head.headers);
                let known = Known::of(plan, &look.asked, object, now_s()).filter(|_| is_ours);
                let known = known.map(|known| Known { cause: look.cause(), ..known });
                match known.filter(|known| known.verdict == Verdict::Fresh) {
                    Some(known) => match give(plan, task, &req.head, &known, (Status::Hit, true)) {
                        Ok(outcome) => return Ok(outcome),
                        // Too large to be stored, and its beginning has passed.
                        Err(_) => return lead(plan, task, req, (zone, None, look)).await,
                    },
                    None => return lead(plan, task, req, (zone, None, look)).await,
                }
            }
            State::Pass => break,
            State::Own if is_own || turn > 0 => break,
            State::Own => {}
            State::Failed => {
                if let Some(known) = stand_in(plan, &look, Trouble::Error) {
                    return give(plan, task, &req.head, &known, (Status::Stale, false));
                }
            }
            // It took too long.
            State::Waiting => break,
        }
    }
    pass(plan, task, req, (status, None)).await
}

fn status_of(look: &Look) -> Status {
    match (&look.known, look.is_bypassed) {
        (_, true) => Status::Bypass,
        (Some(_), false) => Status::Expired,
        (None, false) => Status::Miss,
    }
}

/// What has been stored since.
fn look_again(plan: &CachePlan, zone: &CacheZone, req: &Request, look: &Look) -> Option<Known> {
    let key = zone.store.key(&look.key);
    let Found::Memory(object) =
        zone.store.find(&key, now_s(), |variant| vary::selects(variant, &req.head.headers))
    else {
        return None;
    };
    Known::of(plan, &look.asked, object, now_s()).filter(|known| known.verdict == Verdict::Fresh)
}

/// What is outdated and may be given in place of what came.
fn stand_in(plan: &CachePlan, look: &Look, trouble: Trouble) -> Option<Known> {
    let known = look.known.as_ref()?;
    plan.may_stand_in(known.stored()?, known.verdict, trouble).then(|| known.clone())
}

/// Waits until the request under way has an answer, the client leaves, or it has been long enough.
async fn wait(
    plan: &CachePlan,
    task: &Task<'_>,
    mut news: watch::Receiver<State<Object>>,
) -> Result<State<Object>> {
    let come = async {
        match news.wait_for(|state| !matches!(state, State::Waiting)).await {
            Ok(state) => (*state).clone(),
            Err(_) => State::Failed,
        }
    };
    let limited = tokio::time::timeout(plan.collapse_timeout, come);
    Ok(unless_left(task, limited).await?.unwrap_or(State::Waiting))
}

/// Waits as long as the client is there.
async fn unless_left<T>(task: &Task<'_>, work: impl Future<Output = T>) -> Result<T> {
    let policy = match &task.route.action {
        Action::Proxy(plan) => plan.client_abort,
        _ => ClientAbort::Ignore,
    };
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => match client_left(cx, policy, task.conn) {
            Some(err) => Poll::Ready(Err(err)),
            None => Poll::Pending,
        },
    })
    .await
}

/// Fetches anew what is given outdated meanwhile; one a key. Says whether this request's doing was it.
fn begin_update(
    plan: &CachePlan,
    task: &mut Task<'_>,
    req: &Request,
    (zone, key, look): (&Arc<CacheZone>, u128, &Look),
) -> bool {
    let Joined::First(flight) = zone.flights.join(key, clock::recent(), plan.collapse_age) else {
        return false;
    };
    match Job::new(task, &req.head, (zone, Some(flight), look)) {
        Ok(job) => {
            // Owned by the flight, which ends with it.
            tokio::task::spawn_local(Box::pin(fetch::run(job, None)));
            true
        }
        Err(_) => false,
    }
}

/// Goes to the origin, in a task of its own, so that it is not lost when the client leaves.
async fn lead(
    plan: &CachePlan,
    task: &mut Task<'_>,
    req: &mut Request,
    (zone, flight, look): (&Arc<CacheZone>, Option<Flight<Object>>, Box<Look>),
) -> Result<Outcome> {
    task.cx.conn.local.get_or_init(|| task.conn.http.stream().local_addr());
    let job = Job::new(task, &req.head, (zone, flight, &look))?;
    let (tell, told) = oneshot::channel();
    let interims = job.interims();
    // Owned by the flight, or else by this request, whose end it may outlast by the rest of a body.
    tokio::task::spawn_local(Box::pin(fetch::run(job, Some(tell))));
    let led = unless_left(task, hear(task, &req.head, (interims, told))).await??;
    task.cx.begin_attempts();
    task.cx.attempts.extend(led.attempts);
    let status = status_of(&look);
    match led.came {
        Led::Stored(object, _held, own) => {
            let known = Known { object, verdict: Verdict::Fresh, cause: look.cause() };
            let mut outcome = give(plan, task, &req.head, &known, (status, false))?;
            if let Outcome::Answer(res) = &mut outcome {
                own.iter().for_each(|(_, name, value)| res.head.headers.append(name, value));
            }
            Ok(outcome)
        }
        Led::Confirmed(object) => {
            let known = Known { object, verdict: Verdict::Fresh, cause: look.cause() };
            give(plan, task, &req.head, &known, (Status::Revalidated, false))
        }
        Led::Passed(res, active, why) => {
            if let Some(known) = stand_in(plan, &look, Trouble::Status(res.head.status)) {
                return give(plan, task, &req.head, &known, (Status::Stale, false));
            }
            task.active = active;
            if let Action::Proxy(proxy) = &task.route.action
                && proxy.url.is_none()
            {
                task.destination = Destination::of(task.local, proxy.cluster).ok();
            }
            let mut res: Response = *res;
            let forwarded = Some(res.head.status);
            let told = Told {
                status,
                left_s: None,
                forwarded,
                is_stored: false,
                is_collapsed: false,
                why,
                cause: look.cause(),
            };
            note(plan, task, &mut res, &told);
            Ok(Outcome::Answer(res))
        }
        Led::Failed(err) => {
            let trouble = match err.kind() {
                Kind::Timeout => Trouble::Timeout,
                Kind::Malformed | Kind::HeadTooLarge => Trouble::Invalid,
                _ => Trouble::Error,
            };
            match stand_in(plan, &look, trouble) {
                Some(known) => give(plan, task, &req.head, &known, (Status::Stale, false)),
                None => {
                    task.cx.cache_status = Some(status.word());
                    Err(err)
                }
            }
        }
    }
}

/// Waits for what comes of it, and passes interim answers on.
async fn hear(
    task: &Task<'_>,
    req: &RequestHead,
    (mut interims, mut told): (mpsc::Receiver<ResponseHead>, oneshot::Receiver<fetch::Report>),
) -> Result<fetch::Report> {
    loop {
        // Both can be dropped and polled again without loss.
        tokio::select! {
            biased;
            Some(head) = interims.recv() => relay_interim(task, req, &head).await?,
            led = &mut told => {
                let ended = |_| Error::local(Kind::Internal, "what asked the origin has ended without a word");
                return led.map_err(ended);
            }
        }
    }
}

/// A HEAD goes on as it is; its answer says whether what is stored is still right (RFC 9111 4.3.5).
async fn pass_head(
    plan: &CachePlan,
    task: &mut Task<'_>,
    req: &mut Request,
    look: Box<Look>,
) -> Result<Outcome> {
    let ticket = plan.zone.as_ref().map(|zone| zone.store.ticket());
    let requested_s = now_s();
    let outcome = pass(plan, task, req, (status_of(&look), Some(Why::Method))).await;
    let (Some(zone), Some(ticket), Some(known)) = (&plan.zone, ticket, &look.known) else { return outcome };
    let (Ok(Outcome::Answer(res)), Some(old)) = (&outcome, stored(&known.object)) else { return outcome };
    if res.head.status != old.head.status {
        return outcome;
    }
    let said = res.head.headers.get(Name::ContentLength);
    let said = said.and_then(bifrons_cache::control::seconds);
    let is_same_length = said.is_none()
        || known.object.body().len() == said
        || said == Some(bifrons_cache::control::SECONDS_MAX);
    if conditions::is_about(&res.head.headers, &old.head.headers) && is_same_length {
        let renewed =
            fetch::renewed(plan, (task, &req.head), (&known.object, old), (&res.head.headers, requested_s));
        if let Ok(meta) = renewed {
            zone.store.renew(&ticket, &known.object, meta);
        }
    } else {
        zone.store.remove_object(&known.object);
    }
    outcome
}
