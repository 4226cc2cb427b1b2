//! What a request of our own needs of the client's that it is sent for: it goes its way whether that one stays or not.

use crate::conn::ConnCx;
use crate::request::Task;
use crate::snapshot::{HostPlan, ListenerPlan, RoutePlan};
use crate::worker::Local;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::{ReqCx, ResponseHead};
use bifrons_net::clock;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Its own share of all that.
pub(super) struct Aside {
    conn: ConnCx,
    plans: (Rc<Local>, Arc<ListenerPlan>),
    host: Option<Arc<HostPlan>>,
    route: Arc<RoutePlan>,
    cx: ReqCx,
}

impl Aside {
    /// Of that request.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub(super) fn of(task: &Task<'_>) -> Result<Self> {
        let out_of = |err: std::io::Error| Error::local(Kind::Internal, format!("asking the origin: {err}"));
        Ok(Self {
            conn: task.conn.alone().map_err(out_of)?,
            plans: (task.local.clone(), task.listener.clone()),
            host: task.host.clone(),
            route: task.route.clone(),
            cx: task.cx.fork(clock::recent()),
        })
    }

    /// A request that begins.
    pub(super) fn task(&self) -> Task<'_> {
        let mut task = Task::new(&self.conn, &self.plans);
        task.host.clone_from(&self.host);
        task.route = self.route.clone();
        task.cx = self.cx.fork(clock::recent());
        task
    }

    /// The route that it takes.
    pub(super) fn route(&self) -> &Arc<RoutePlan> {
        &self.route
    }

    /// Interim answers to it. 16 wait to be passed on; of more, the rest is not.
    pub(super) fn interims(&self) -> mpsc::Receiver<ResponseHead> {
        let (listener, interims) = mpsc::channel(16);
        self.conn.set_listener(listener);
        interims
    }
}
