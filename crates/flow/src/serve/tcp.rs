//! Layer 4 downstream: one connection, passed on to a cluster byte for byte. On its way it is a request without
//! a head: endpoints are picked, tried and recorded as for any other.

use crate::conn::{ConnCx, Lease};
use crate::forward;
use crate::relay;
use crate::request::Task;
use crate::respond;
use crate::secure;
use crate::snapshot::{Action, ListenerPlan, RoutePlan};
use crate::{record, worker::Local};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{Body, Request, RequestHead};
use std::rc::Rc;
use std::sync::Arc;

/// Relays the connection to its end.
pub async fn serve(cx: ConnCx, plans: (Rc<Local>, Arc<ListenerPlan>), route: Arc<RoutePlan>) {
    let mut task = Task::new(&cx, &plans);
    task.cx.route = Some(route.name.clone());
    task.route = route.clone();
    let mut req = Request { head: RequestHead::new("TCP", b"-", b""), body: Body::Empty };
    let Action::Proxy(plan) = &route.action else { return };
    let outcome = match admit(&task) {
        Ok(()) => forward::forward(plan, &mut task, &mut req).await,
        Err(err) => Err(err),
    };
    match outcome {
        Ok(res) => {
            relay::answer(&mut task, &req.head, res, Lease::Last).await;
        }
        Err(err) => {
            task.cx.status = respond::status_of_bytes(&err);
            task.cx.note_error(err);
            // A clean close would look as if the endpoint had nothing to say.
            cx.http.stream().reset_on_close();
        }
    }
    record::finish(&mut task, &req.head);
}

/// What requests are asked before they are routed: whoever is to be told of it in an answer learns it here by the
/// end of the connection.
fn admit(task: &Task<'_>) -> Result<()> {
    if task.conn.is_misplaced {
        return Err(Error::downstream(Kind::PlainText, "plain text where TLS is spoken"));
    }
    secure::check_client(task)
}
