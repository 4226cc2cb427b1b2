//! Step 4. One request, from parsed head to recorded outcome, on one screen.

use crate::action;
use crate::cache::{self, Looked};
use crate::conn::{ConnCx, Lease};
use crate::destination::Destination;
use crate::outcome::{self, Detour, Outcome, Settled, Turn};
use crate::record::{self, Share};
use crate::relay;
use crate::respond;
use crate::snapshot::{ClusterPlan, HostPlan, ListenerPlan, RoutePlan};
use crate::worker::Local;
use crate::{forwarded, routing, secure};
use bifrons_balance::Active;
use bifrons_core::{Error, Kind, Result};
use bifrons_filters::Passed;
use bifrons_http::{Body, ReqCx, Request, RequestHead, Response, ResponseHead, TargetMark};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

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
    /// How many fields there were before filters and action changed them.
    pub fields: Option<usize>,
    /// The target before the action changed it.
    pub target: Option<TargetMark>,
    /// How often a route has handed over to another since it was routed last.
    pub handed_over: u8,
    /// What an earlier route has left for the answer; `None` for requests that go straight.
    pub detour: Option<Box<Detour>>,
    /// The endpoint that works on it, counted as long as this lives.
    pub active: Option<(Active, Share)>,
    /// Where it is sent.
    pub destination: Option<Destination<'a>>,
    /// It counts as being served as long as this lives.
    pub counted: Share,
}

/// Answers one request. Never fails: errors become answers.
pub async fn handle(
    conn: &ConnCx,
    plans: &(Rc<Local>, Arc<ListenerPlan>),
    lease: Lease,
    mut req: Request,
) -> After {
    let mut task = Task::new(conn, plans);
    task.cx.head_bytes = conn.consumed();
    let begun = task.begin(&mut req);
    let res = match task.run(&mut req, begun).await {
        Ok(res) => res,
        Err(silent) => return leave(task, &req.head, silent),
    };
    let after = relay::answer(&mut task, &req.head, res, lease).await;
    record::finish(&mut task, &req.head);
    after
}

/// Answers what could not be read as a request; the connection closes behind it.
pub async fn refuse(conn: &ConnCx, plans: &(Rc<Local>, Arc<ListenerPlan>), err: Error) -> After {
    let mut task = Task::new(conn, plans);
    let mut req = Request { head: RequestHead::new("-", b"-", b""), body: Body::Empty };
    if conn.exchange.is_none() {
        let (head, line) = conn.http.refused();
        task.cx.refused = Some(line.into());
        req.head = head;
    }
    let res = match task.run(&mut req, Err(err)).await {
        Ok(res) => res,
        Err(silent) => return leave(task, &req.head, silent),
    };
    let after = relay::answer(&mut task, &req.head, res, Lease::Last).await;
    record::finish(&mut task, &req.head);
    after
}

/// Ends a request to which nobody gets an answer.
#[cold]
fn leave(mut task: Task<'_>, head: &RequestHead, err: Error) -> After {
    task.cx.status = respond::status_of(&err);
    task.cx.is_cut = true;
    task.cx.note_error(err);
    task.cx.received = task.conn.take_consumed();
    record::finish(&mut task, head);
    After::Abort
}

impl Task<'_> {
    /// The cluster it is sent to.
    pub(crate) fn cluster(&self) -> Option<&ClusterPlan> {
        self.destination.as_ref().map(|destination| destination.target().plan)
    }

    /// How long the client may take nothing of the answer.
    pub(crate) fn send_timeout(&self) -> Duration {
        let own = self.route.client.as_ref().and_then(|times| times.send);
        own.map_or(self.listener.send_timeout, |own| own.0)
    }

    /// Accept the body, find the client and the host.
    fn begin(&mut self, req: &mut Request) -> Result<Outcome> {
        self.begin_body(req)?;
        if self.conn.is_misplaced && self.listener.tls.is_some() {
            return Err(Error::downstream(Kind::PlainText, "plain HTTP where TLS is spoken"));
        }
        if self.conn.secured.as_ref().is_some_and(|plan| plan.early_data) {
            secure::check_early(self, &mut req.head)?;
        }
        self.listener.client.identify(&mut self.cx, &req.head);
        forwarded::check_loop(self.listener, &req.head)?;
        if let Some(answer) = respond::without_route(self, req)? {
            return Ok(Outcome::Own(answer));
        }
        routing::find_host(self, &req.head)?;
        secure::check_client(self)?;
        Ok(Outcome::Turn(Turn::First))
    }

    /// Route until something answers. Bounded: a turn is counted, and there are ten.
    ///
    /// # Errors
    /// What nobody is to see an answer to ([`respond::is_silent`]).
    async fn run(&mut self, req: &mut Request, mut outcome: Result<Outcome>) -> Result<Response> {
        loop {
            match outcome::settle(self, req, outcome) {
                Settled::Answer(res) => return Ok(res),
                Settled::Silence(err) => return Err(err),
                Settled::Turn(turn) => outcome = self.turn(req, turn).await,
            }
        }
    }

    /// Filters, files that are tried, action.
    async fn turn(&mut self, req: &mut Request, turn: Turn) -> Result<Outcome> {
        if let Some(early) = routing::follow(self, req, turn)? {
            return Ok(early);
        }
        let route = self.route.clone();
        if let Some(body) = route.client.as_ref().and_then(|times| times.body) {
            req.body.set_timeout(body.0);
        }
        self.fields.get_or_insert(req.head.headers.mark());
        if route.chain.takes_requests() {
            match Box::pin(route.chain.request(&mut self.cx, req)).await? {
                Passed::On => {}
                Passed::Reply(res) => return Ok(Outcome::Own(res)),
                Passed::Turn(turn) => return routing::of_filter(self, turn),
            }
        }
        if let Some(plan) = &route.try_files
            && let Some(outcome) = action::try_files(plan, self, &mut req.head)?
        {
            return Ok(outcome);
        }
        self.target = Some(req.head.mark_target());
        match &route.cache {
            None => action::answer(&route.action, self, req).await,
            Some(plan) => {
                // An earlier route may have been asked for slices.
                self.cx.slice = None;
                match cache::look(plan, self, &req.head, &req.body)? {
                    Looked::Done(outcome) => Ok(outcome),
                    // Boxed: what asks the origin costs more than that.
                    looked => Box::pin(cache::fetch(plan, self, req, looked)).await,
                }
            }
        }
    }
}
