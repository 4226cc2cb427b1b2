//! Step 4. One request, from parsed head to recorded outcome, on one screen.

use crate::action;
use crate::conn::{ConnCx, Lease};
use crate::destination::Destination;
use crate::record::{self, Share};
use crate::relay;
use crate::respond;
use crate::snapshot::{ClusterPlan, HostPlan, ListenerPlan, RoutePlan};
use crate::worker::Local;
use crate::{forwarded, routing};
use bifrons_balance::Active;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{Body, ReqCx, Request, RequestHead, Response, ResponseHead};
use std::rc::Rc;
use std::sync::Arc;

/// What becomes of the connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It waits for the next request.
    KeepAlive,
    /// It closes in good order.
    Close,
    /// It is closed at once, since the answer could not be brought to its end.
    Abort,
}

/// One request on its way, with everything that decides about it.
pub struct Task<'a> {
    /// The connection.
    pub conn: &'a ConnCx,
    /// The snapshot.
    pub local: &'a Rc<Local>,
    /// The listener.
    pub listener: &'a Arc<ListenerPlan>,
    /// The host it is for.
    pub host: Option<Arc<HostPlan>>,
    /// The route it takes.
    pub route: Arc<RoutePlan>,
    /// What is known about it.
    pub cx: ReqCx,
    /// The head of the answer, once it was sent.
    pub res: Option<ResponseHead>,
    /// The endpoint that works on it, counted as long as this lives.
    pub active: Option<(Active, Share)>,
    /// Where it is sent.
    pub destination: Option<Destination>,
    /// It counts as being served as long as this lives.
    pub counted: Share,
}

/// Answers one request. Never fails: errors become answers.
pub async fn handle(
    conn: &ConnCx,
    plans: &(Rc<Local>, Arc<ListenerPlan>),
    lease: Lease,
    head: RequestHead,
) -> After {
    let mut task = Task::new(conn, plans);
    let mut req = Request { head, body: Body::Empty };
    let res = match task.run(&mut req).await {
        Ok(res) => res,
        Err(err) if respond::is_silent(&err) => return leave(task, &req.head, err),
        Err(err) => respond::to(&mut task, &req.head, err),
    };
    let after = relay::answer(&mut task, &req.head, res, lease).await;
    record::finish(&mut task, &req.head);
    after
}

/// Answers what could not be read as a request; the connection closes behind it.
pub async fn refuse(conn: &ConnCx, plans: &(Rc<Local>, Arc<ListenerPlan>), err: Error) {
    let mut task = Task::new(conn, plans);
    let head = RequestHead::new("-", b"-", b"");
    if respond::is_silent(&err) {
        leave(task, &head, err);
        return;
    }
    let res = respond::to(&mut task, &head, err);
    relay::answer(&mut task, &head, res, Lease::Last).await;
    record::finish(&mut task, &head);
}

/// Ends a request to which nobody gets an answer.
#[cold]
fn leave(mut task: Task<'_>, head: &RequestHead, err: Error) -> After {
    task.cx.status = respond::status_of(&err);
    task.cx.note_error(err);
    task.cx.received = task.conn.take_consumed();
    record::finish(&mut task, head);
    After::Abort
}

impl Task<'_> {
    /// The cluster it is sent to.
    pub(crate) fn cluster(&self) -> Option<&ClusterPlan> {
        let target = self.destination.as_ref()?.target(self.local).ok()?;
        Some(target.plan)
    }

    /// Accept the body, find the client and the host, then route until something answers.
    async fn run(&mut self, req: &mut Request) -> Result<Response> {
        self.begin_body(req)?;
        self.listener.client.identify(&mut self.cx, &req.head);
        forwarded::check_loop(self.listener, &req.head)?;
        if let Some(answer) = respond::without_route(self, req)? {
            return Ok(answer);
        }
        routing::find_host(self, &req.head)?;
        for _ in 0..=routing::REROUTES_MAX {
            routing::find_route(self, req)?;
            match self.take_route(req).await? {
                action::Outcome::Answer(res) => return Ok(res),
                action::Outcome::Reroute(target) => routing::reroute(self, &mut req.head, &target)?,
            }
        }
        Err(Error::local(Kind::TooManyReroutes, "routed again more than ten times"))
    }

    /// Filters, action, filters.
    async fn take_route(&mut self, req: &mut Request) -> Result<action::Outcome> {
        let route = self.route.clone();
        let early = match route.chain.takes_requests() {
            true => Box::pin(route.chain.request(&mut self.cx, req)).await?,
            false => None,
        };
        let outcome = match early {
            Some(res) => action::Outcome::Answer(res),
            None => action::answer(&route.action, self, req).await?,
        };
        Ok(match outcome {
            action::Outcome::Answer(mut res) => {
                route.chain.response(&mut self.cx, &req.head, &mut res)?;
                action::Outcome::Answer(res)
            }
            reroute => reroute,
        })
    }
}
