//! Layer 4 downstream: one connection, passed on to a cluster byte for byte. On its way it is a request without
//! a head: endpoints are picked, tried and recorded as for any other.

use crate::conn::ConnCx;
use crate::forward;
use crate::relay;
use crate::request::Task;
use crate::respond;
use crate::secure;
use crate::snapshot::{Action, ListenerPlan, RoutePlan};
use crate::{record, worker::Local};
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_filters::Passed;
use bifrons_http::cx::LimitedHow;
use bifrons_http::h1::Pace;
use bifrons_http::vars::Scope;
use bifrons_http::{Body, ReqCx, Request, RequestHead, Tunnel};
use std::rc::Rc;
use std::sync::Arc;

/// Relays the connection to its end.
pub async fn serve(cx: ConnCx, plans: (Rc<Local>, Arc<ListenerPlan>), route: Arc<RoutePlan>) {
    let mut task = Task::new(&cx, &plans);
    task.cx.route = Some(route.name.clone());
    task.route = route.clone();
    // Boxed: what it takes to find an endpoint is not held for as long as the connection lasts.
    match Box::pin(answer(&mut task, &route)).await {
        Ok(Some(tunnel)) => relay::whole(&mut task, tunnel).await,
        Ok(None) => {}
        Err(err) => {
            task.cx.status = respond::status_of_bytes(&err);
            if err.side() != Side::Downstream {
                // A clean close would look as if the endpoint had nothing to say.
                cx.http.stream().reset_on_close();
            }
            task.cx.note_error(err);
        }
    }
    record::finish(&mut task, &head());
}

/// The head that a whole connection has in place of a request's.
fn head() -> RequestHead {
    RequestHead::new("TCP", b"-", b"")
}

/// The endpoint's side of it; `None` where all has been said.
async fn answer(task: &mut Task<'_>, route: &RoutePlan) -> Result<Option<Tunnel>> {
    let mut req = Request { head: head(), body: Body::Empty };
    admit(task, &mut req, route).await?;
    match &route.action {
        Action::Proxy(plan) => match forward::forward(plan, task, &mut req).await?.body {
            Body::Tunnel(tunnel) => Ok(Some(tunnel)),
            _ => Err(Error::local(Kind::Internal, "invariant: on layer 4 there is nothing but a connection")),
        },
        Action::Respond { body, .. } => {
            let mut text = Vec::new();
            body.render(&Scope { cx: &task.cx, req: &req.head, res: None }, &mut text);
            let http = &task.conn.http;
            let limit = task.listener.send_timeout;
            http.begin_send(Pace::timeout(limit));
            http.write([&text, b"", b""], limit).await?;
            http.end_write();
            task.cx.status = 200;
            (task.cx.sent, task.cx.body_sent) = (text.len() as u64, text.len() as u64);
            Ok(None)
        }
        _ => Err(Error::local(Kind::Internal, "invariant: a route of layer 4 has no other action")),
    }
}

/// Why a connection, or a session of datagrams, ends here; `None` where it goes on.
pub(super) fn refusal(passed: Passed, cx: &ReqCx) -> Option<Error> {
    match passed {
        Passed::On => None,
        _ if cx.limited.as_ref().is_some_and(|limited| limited.how == LimitedHow::Rejected) => {
            Some(Error::downstream(Kind::Busy, "too many at once"))
        }
        _ => Some(Error::downstream(Kind::Forbidden, "access forbidden by rule")),
    }
}

/// What requests are asked before they are routed: whoever is to be told of it in an answer learns it here by the
/// end of the connection.
async fn admit(task: &mut Task<'_>, req: &mut Request, route: &RoutePlan) -> Result<()> {
    if route.chain.takes_requests() {
        let passed = Box::pin(route.chain.request(&mut task.cx, req)).await?;
        refusal(passed, &task.cx).map_or(Ok(()), Err)?;
    }
    if task.conn.is_misplaced {
        return Err(Error::downstream(Kind::PlainText, "plain text where TLS is spoken"));
    }
    secure::check_client(task)
}
