//! A worker: one thread, one runtime, its own sockets and pools. No lock on the way of a request.

use crate::attempt;
use crate::destination::Made;
use crate::listen;
use crate::record::ErrorStats;
use crate::secure;
use crate::serve::udp::{self, Port};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use bifrons_balance::{Cluster, Rng};
use bifrons_core::Side;
use bifrons_http::h1::Conn;
use bifrons_http::pool::{EndpointKey, Given, Pool};
use bifrons_http::vars::Computed;
use bifrons_multiplex::Links;
use bifrons_net::splice::Pipe;
use bifrons_net::udp::Batch;
use bifrons_net::{Acceptor, Addr, Listening, Stream};
use bifrons_observe::access::LogBuffer;
use bifrons_observe::metrics::Shard;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

/// 16 idle pipes a worker: what a burst of big bodies needs; each is two descriptors and up to 256 KiB.
const PIPES_MAX: usize = 16;
/// How often idle connections are swept, access records that have waited long enough are handed over, and
/// clients that are not watched yet are so.
const TICK: Duration = Duration::from_millis(200);
/// Ticks between two sweeps of the pool: a second.
const SWEEP_TICKS: u32 = 5;

/// What the control side tells a worker.
pub enum Command {
    /// Listen on these sockets besides those it has.
    Listen(Vec<Listening>),
    /// Stop listening on these addresses, and say so; the snapshot without them comes after.
    Unlisten(Vec<Addr>, oneshot::Sender<()>),
    /// Stop listening on all, finish what runs until then, and end.
    Drain(std::time::Instant),
    /// Give an idle connection to the endpoint away, if there is one.
    Give(EndpointKey, oneshot::Sender<Option<Given>>),
}

/// A snapshot with the worker's own view of its clusters.
pub struct Local {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// Its clusters, in the same order.
    pub clusters: Vec<Cluster>,
    /// Variables that the configuration computes; `None` where it has none.
    pub variables: Option<Rc<dyn Computed>>,
    generation: u64,
}

/// A client's connection, and how many messages it had carried when it was last seen idle.
type Known = (Weak<Conn>, Cell<u32>);

/// A worker's state. Never leaves its thread.
pub struct Worker {
    /// Its number, from 0.
    pub index: usize,
    /// The process's state.
    pub shared: Arc<Shared>,
    /// Idle connections to endpoints.
    pub pool: Rc<Pool>,
    /// Connections of HTTP/2 to endpoints.
    pub links: Links,
    /// Its shard of the metrics.
    pub shard: Shard,
    /// Series of errors.
    pub errors: ErrorStats,
    /// Its buffer of the access log.
    pub log: LogBuffer,
    /// Random numbers for balancing.
    pub rng: Rng,
    /// The other workers, to take idle connections over from.
    pub siblings: Vec<mpsc::UnboundedSender<Command>>,
    /// Room for datagrams.
    pub datagrams: RefCell<Batch>,
    /// Endpoints made while serving.
    pub made: RefCell<Made>,
    local: RefCell<Option<Rc<Local>>>,
    pipes: RefCell<Vec<Pipe>>,
    nobody: OnceCell<Rc<Conn>>,
    conns: RefCell<HashMap<u64, Known, foldhash::fast::RandomState>>,
    acceptors: RefCell<Vec<(Rc<Acceptor>, tokio::task::AbortHandle)>>,
    ports: RefCell<Vec<(Rc<Port>, tokio::task::AbortHandle)>>,
}

/// The runtime of a worker's thread.
///
/// # Errors
/// When the system refuses what the reactor needs.
pub fn runtime() -> std::io::Result<tokio::runtime::LocalRuntime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Slow things run on the control thread; this is only a guard.
        .max_blocking_threads(2)
        .on_thread_unpark(bifrons_net::clock::forget)
        .build_local(Default::default())
}

impl Worker {
    /// A worker that has nothing to do yet.
    pub fn new(index: usize, shared: Arc<Shared>, siblings: Vec<mpsc::UnboundedSender<Command>>) -> Rc<Self> {
        Rc::new(Self {
            index,
            shard: shared.metrics.shard(index),
            errors: ErrorStats::register(&shared.metrics),
            log: shared.access.buffer(),
            pool: Rc::new(Pool::new(shared.idle.clone(), index)),
            links: Links::default(),
            shared,
            rng: Rng::seeded(fastrand::u64(..)),
            siblings,
            datagrams: RefCell::default(),
            made: RefCell::default(),
            local: RefCell::new(None),
            pipes: RefCell::new(Vec::new()),
            nobody: OnceCell::new(),
            conns: RefCell::default(),
            acceptors: RefCell::new(Vec::new()),
            ports: RefCell::new(Vec::new()),
        })
    }

    /// The current snapshot: the cached one as long as no newer was published.
    ///
    /// `None` before the first.
    pub fn local(&self) -> Option<Rc<Local>> {
        let generation = self.shared.generation();
        if let Some(local) = self.local.borrow().as_ref()
            && local.generation == generation
        {
            return Some(local.clone());
        }
        self.renew(generation)
    }

    #[cold]
    fn renew(&self, generation: u64) -> Option<Rc<Local>> {
        let snapshot = self.shared.snapshot()?;
        let clusters = snapshot
            .clusters
            .iter()
            .map(|plan| Cluster::new(plan.shared.clone(), plan.balance.clone(), self.index))
            .collect();
        let variables = snapshot.variables.clone().map(|set| Rc::new(set) as Rc<dyn Computed>);
        let local = Rc::new(Local { snapshot, clusters, variables, generation });
        *self.local.borrow_mut() = Some(local.clone());
        Some(local)
    }

    /// A pipe for splicing, from the worker's stock.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn take_pipe(&self) -> std::io::Result<Pipe> {
        self.pipes.borrow_mut().pop().map_or_else(Pipe::new, Ok)
    }

    /// Gives a pipe back; one that still holds bytes is closed.
    pub fn put_pipe(&self, pipe: Pipe) {
        let mut pipes = self.pipes.borrow_mut();
        if pipe.is_empty() && pipes.len() < PIPES_MAX {
            pipes.push(pipe);
        }
    }

    /// A connection at whose other end nobody is, for requests that no client waits for.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn nobody(&self) -> std::io::Result<Rc<Conn>> {
        if let Some(conn) = self.nobody.get() {
            return Ok(conn.clone());
        }
        let conn = Rc::new(Conn::new(Stream::to_nobody()?, Side::Downstream));
        Ok(self.nobody.get_or_init(|| conn).clone())
    }

    /// Makes a connection known, so that a drain can end it.
    pub fn register(&self, serial: u64, conn: &Rc<Conn>) {
        self.conns.borrow_mut().insert(serial, (Rc::downgrade(conn), Cell::new(u32::MAX)));
    }

    /// Forgets a connection.
    pub fn unregister(&self, serial: u64) {
        self.conns.borrow_mut().remove(&serial);
    }

    /// Runs until it is told to end: commands, log flushes, sweeps.
    pub async fn run(self: Rc<Self>, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = 0u32;
        let mut deadline = None;
        loop {
            // Both branches are cancel-safe. Biased: commands are rare and must not wait behind ticks.
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Drain(until)) => {
                        self.stop_listening(|_| true);
                        self.stop_receiving();
                        // What was accepted just now has until the next tick to become known.
                        ticks.reset();
                        deadline = Some(Instant::from_std(until));
                    }
                    Some(command) => self.obey(command),
                    None => break,
                },
                now = ticks.tick() => {
                    count = count.wrapping_add(1);
                    self.log.tick(TICK);
                    bifrons_net::stream::look_after();
                    if count.is_multiple_of(SWEEP_TICKS) {
                        self.pool.sweep(now);
                        self.links.sweep(now);
                        self.show_idle();
                    }
                    if deadline.is_some() || self.shared.is_draining() {
                        self.end_idle();
                        self.ports.borrow().iter().for_each(|(port, _)| port.end_quiet(now));
                    }
                    let is_empty = || self.conns.borrow().is_empty() && self.sessions() == 0;
                    if deadline.is_some_and(|deadline| is_empty() || now >= deadline) {
                        break;
                    }
                }
            }
        }
        self.log.flush();
    }

    /// Shows how many idle connections there are to each cluster.
    fn show_idle(&self) {
        let Some(local) = self.local() else { return };
        for cluster in &local.snapshot.clusters {
            let set = cluster.shared.load();
            let idle: usize = set
                .endpoints()
                .iter()
                .map(|endpoint| {
                    let key = attempt::key_of(cluster, endpoint, secure::own_name(cluster, endpoint));
                    self.pool.len(key) + self.links.idle(key)
                })
                .sum();
            self.shard.set(cluster.stats.pool_idle, i64::try_from(idle).unwrap_or(i64::MAX));
        }
    }

    fn obey(self: &Rc<Self>, command: Command) {
        match command {
            Command::Listen(sockets) => {
                for socket in sockets {
                    self.listen(socket);
                }
            }
            Command::Unlisten(addrs, done) => {
                self.stop_listening(|addr| addrs.contains(addr));
                self.ports.borrow_mut().retain(|(port, task)| {
                    let stays = !addrs.contains(port.addr());
                    if !stays {
                        task.abort();
                        port.end_all();
                    }
                    stays
                });
                // Whoever asked may have stopped waiting.
                let _ = done.send(());
            }
            Command::Give(key, reply) => {
                // The asker may have stopped waiting; then the connection is closed.
                let _ = reply.send(self.pool.give(key));
            }
            Command::Drain(_) => {}
        }
    }

    fn listen(self: &Rc<Self>, socket: Listening) {
        let addr = socket.addr().clone();
        if let Addr::Udp(_) = addr {
            return self.receive(socket);
        }
        match Acceptor::new(socket) {
            Ok(acceptor) => {
                let acceptor = Rc::new(acceptor);
                let task = tokio::task::spawn_local(listen::serve(self.clone(), acceptor.clone()));
                self.acceptors.borrow_mut().push((acceptor, task.abort_handle()));
            }
            Err(err) => tracing::error!(address = %addr, %err, "cannot listen"),
        }
    }

    fn receive(self: &Rc<Self>, socket: Listening) {
        let addr = socket.addr().clone();
        match Port::new(socket) {
            Ok(port) => {
                let port = Rc::new(port);
                let task = tokio::task::spawn_local(udp::serve(self.clone(), port.clone()));
                self.ports.borrow_mut().push((port, task.abort_handle()));
            }
            Err(err) => tracing::error!(address = %addr, %err, "cannot receive"),
        }
    }

    /// Takes no more datagrams of clients; answers to those that came still go out. Another process may have
    /// the sockets by now.
    fn stop_receiving(&self) {
        self.ports.borrow().iter().for_each(|(_, task)| task.abort());
    }

    /// Sessions of datagrams.
    fn sessions(&self) -> usize {
        self.ports.borrow().iter().map(|(port, _)| port.sessions()).sum()
    }

    fn stop_listening(self: &Rc<Self>, mut which: impl FnMut(&Addr) -> bool) {
        self.acceptors.borrow_mut().retain(|(acceptor, task)| {
            let stop = which(acceptor.addr());
            if stop {
                listen::take_queued(self, acceptor);
                task.abort();
            }
            !stop
        });
    }

    /// Ends connections that have been idle for a whole tick; a busy one gets its chance to send the
    /// next request, whose answer then closes it.
    fn end_idle(&self) {
        for (conn, seen) in self.conns.borrow().values() {
            let Some(conn) = conn.upgrade() else { continue };
            if conn.ask_end() {
                continue;
            }
            let marked = if conn.is_idle() { conn.messages() } else { u32::MAX };
            // A worker that is late may find the tick and a request at the same time: only the kernel knows.
            if conn.is_idle() && seen.replace(marked) == marked && conn.stream().is_alive() {
                conn.close_notify();
                conn.stream().shutdown_both();
            } else {
                seen.set(marked);
            }
        }
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.conns.borrow().len()
    }
}
