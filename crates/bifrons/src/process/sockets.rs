//! The listening sockets of the process: bound before privileges are given up, or taken over from the
//! process before or from systemd. The control side keeps a descriptor of each, to hand them over; it has to
//! let go of one when the workers do, or connections would queue where nobody takes them.

use super::who;
use bifrons_flow::snapshot::ListenerPlan;
use bifrons_net::{Addr, ListenOptions, Listening};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// All listening sockets.
#[derive(Debug, Default)]
pub struct Sockets {
    /// By address: one a worker, or one for all where the address is a Unix socket.
    groups: BTreeMap<Addr, Group>,
    admin: Option<Listening>,
    /// Not (yet) asked for by a configuration.
    inherited: Vec<Listening>,
}

#[derive(Debug)]
struct Group {
    listener: String,
    options: ListenOptions,
    sockets: Vec<Listening>,
}

/// An address that cannot be bound.
#[derive(Debug)]
pub struct BindError {
    /// Which.
    pub addr: Addr,
    /// Why.
    pub error: io::Error,
}

impl BindError {
    fn new(addr: &Addr, error: io::Error) -> Self {
        Self { addr: addr.clone(), error }
    }
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&explain(&self.addr, &self.error))
    }
}

/// For each worker the sockets it gets.
pub type Shares = Vec<Vec<Listening>>;

impl Sockets {
    /// With sockets from outside, which [`Sockets::open`] takes where their address is asked for.
    pub fn inherited(sockets: Vec<Listening>) -> Self {
        Self { inherited: sockets, ..Self::default() }
    }

    /// Binds what the listeners need and is not there yet; gives the new addresses.
    ///
    /// # Errors
    /// The address that cannot be bound, and why; then nothing has changed.
    pub fn open(&mut self, listeners: &[Arc<ListenerPlan>], workers: usize) -> Result<Vec<Addr>, BindError> {
        let mut fresh = Vec::new();
        for listener in listeners {
            for addr in &listener.addrs {
                if self.groups.contains_key(addr) {
                    continue;
                }
                let sockets = match self.take_inherited(addr) {
                    sockets if !sockets.is_empty() => sockets,
                    _ => {
                        bind(addr, &listener.options, workers).map_err(|error| BindError::new(addr, error))?
                    }
                };
                let listener_name = listener.name.to_string();
                fresh.push((
                    addr.clone(),
                    Group { listener: listener_name, options: listener.options.clone(), sockets },
                ));
            }
        }
        let addrs = fresh.iter().map(|(addr, _)| addr.clone()).collect();
        self.groups.extend(fresh);
        Ok(addrs)
    }

    /// Binds the admin server's address, or lets go of it.
    ///
    /// # Errors
    /// As [`Sockets::open`].
    pub fn open_admin(&mut self, admin: Option<Addr>) -> Result<(), BindError> {
        let Some(addr) = admin else {
            self.admin = None;
            return Ok(());
        };
        if self.admin.as_ref().is_some_and(|admin| *admin.addr() == addr) {
            return Ok(());
        }
        let socket = match self.take_inherited(&addr).pop() {
            Some(socket) => socket,
            None => {
                let options = ListenOptions { reuse_port: false, ..ListenOptions::default() };
                Listening::bind(&addr, &options).map_err(|error| BindError::new(&addr, error))?.serving(addr)
            }
        };
        self.admin = Some(socket);
        Ok(())
    }

    fn take_inherited(&mut self, addr: &Addr) -> Vec<Listening> {
        self.inherited.extract_if(.., |socket| socket.addr() == addr).collect()
    }

    /// Closes sockets from outside that the configuration has no use for.
    pub fn forget_inherited(&mut self) {
        for socket in self.inherited.drain(..) {
            tracing::warn!(address = %socket.addr(), "an inherited socket is in no listener's `bind`; it is closed");
        }
    }

    /// Lets go of all addresses that no listener has any more, and gives them.
    pub fn close_others(&mut self, listeners: &[Arc<ListenerPlan>]) -> Vec<Addr> {
        let is_wanted = |addr: &Addr| listeners.iter().any(|listener| listener.addrs.contains(addr));
        let gone: Vec<Addr> = self.groups.keys().filter(|addr| !is_wanted(addr)).cloned().collect();
        for addr in &gone {
            self.close(addr);
        }
        gone
    }

    /// Lets go of these addresses.
    pub fn close(&mut self, addr: &Addr) {
        let group = self.groups.remove(addr);
        if let (Some(_), Addr::Unix(path)) = (group, addr) {
            bifrons_net::listen::remove_socket(path);
        }
    }

    /// Lets go of everything; the process ends, and nobody follows.
    pub fn close_all(&mut self) {
        let addrs: Vec<Addr> = self.groups.keys().cloned().collect();
        addrs.iter().for_each(|addr| self.close(addr));
    }

    /// Lets go of everything; another process serves on.
    pub fn leave(&mut self) {
        *self = Self::default();
    }

    /// All addresses of listeners.
    pub fn addrs(&self) -> Vec<Addr> {
        self.groups.keys().cloned().collect()
    }

    /// What each worker gets: of each address at least one socket (of one for datagrams at most), and each socket in some worker's hands.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn shares(&self, workers: usize) -> Result<Shares, String> {
        self.shares_of(workers, |_| true)
    }

    /// The same for some addresses.
    ///
    /// # Errors
    /// As [`Sockets::shares`].
    pub fn shares_of(&self, workers: usize, which: impl Fn(&Addr) -> bool) -> Result<Shares, String> {
        let mut shares: Shares = (0..workers).map(|_| Vec::new()).collect();
        for (addr, group) in self.groups.iter().filter(|(addr, _)| which(addr)) {
            // A session of datagrams lives on one worker, so nobody shares their socket.
            let takers = match addr {
                Addr::Udp(_) => workers.min(group.sockets.len()),
                Addr::Inet(_) | Addr::Unix(_) => workers,
            };
            for (worker, socket) in deal(takers, group.sockets.len()) {
                if let (Some(share), Some(socket)) = (shares.get_mut(worker), group.sockets.get(socket)) {
                    share.push(copy(socket)?);
                }
            }
        }
        Ok(shares)
    }

    /// Another descriptor of the admin server's socket.
    ///
    /// # Errors
    /// As [`Sockets::shares`].
    pub fn admin(&self) -> Result<Option<Listening>, String> {
        self.admin.as_ref().map(copy).transpose()
    }

    /// Everything, to be handed over.
    pub fn all(&self) -> impl Iterator<Item = &Listening> {
        self.groups.values().flat_map(|group| &group.sockets).chain(&self.admin)
    }

    /// Says where we listen.
    pub fn announce(&self) {
        for (addr, group) in &self.groups {
            let bound = group.sockets.first().and_then(|socket| socket.bound().ok());
            let address = bound.unwrap_or_else(|| addr.clone());
            tracing::info!(%address, listener = group.listener, "listening");
        }
        if let Some(address) = self.admin.as_ref().and_then(|admin| admin.bound().ok()) {
            tracing::info!(%address, "admin server listening");
        }
    }

    /// Says of which sockets the settings have changed, which takes effect when they are bound anew.
    pub fn note_changes(&self, listeners: &[Arc<ListenerPlan>]) {
        for listener in listeners {
            for addr in &listener.addrs {
                if self.groups.get(addr).is_some_and(|group| group.options != listener.options) {
                    tracing::warn!(address = %addr, listener = &*listener.name, "`backlog` and `ipv6_only` take effect with the next start");
                }
            }
        }
    }
}

/// Who serves which: as many turns as there are workers or sockets, whichever are more.
fn deal(workers: usize, sockets: usize) -> Vec<(usize, usize)> {
    if workers == 0 || sockets == 0 {
        return Vec::new();
    }
    (0..workers.max(sockets)).map(|turn| (turn % workers, turn % sockets)).collect()
}

fn copy(socket: &Listening) -> Result<Listening, String> {
    socket.try_clone().map_err(|error| format!("cannot copy a listening socket: {error}"))
}

/// A socket a worker, or one for all.
fn bind(addr: &Addr, options: &ListenOptions, workers: usize) -> io::Result<Vec<Listening>> {
    let alone = ListenOptions { reuse_port: false, ..options.clone() };
    let first = Listening::bind(addr, &alone)?;
    if workers == 1 || addr.inet().is_none() {
        return Ok(vec![first.serving(addr.clone())]);
    }
    // With SO_REUSEPORT a second process of the same user would get the address too: the first bind, without
    // it, has found out whether the address is free. The real port, where any was asked for, stays.
    let bound = first.bound()?;
    drop(first);
    (0..workers)
        .map(|_| Listening::bind(&bound, options).map(|socket| socket.serving(addr.clone())))
        .collect()
}

/// Binds and lets go again.
///
/// # Errors
/// What the system says.
pub fn try_bind(addr: &Addr, options: &ListenOptions) -> io::Result<()> {
    Listening::bind(addr, &ListenOptions { reuse_port: false, ..options.clone() }).map(|_| ())
}

/// Why an address cannot be listened on, and what helps.
pub fn explain(addr: &Addr, error: &io::Error) -> String {
    let why = match (error.kind(), addr) {
        (io::ErrorKind::PermissionDenied, Addr::Inet(inet) | Addr::Udp(inet)) if inet.port() < 1024 => {
            "permission denied; ports below 1024 need root, or the capability: \
             setcap cap_net_bind_service=+ep on the binary, or AmbientCapabilities=CAP_NET_BIND_SERVICE in \
             the systemd unit"
                .to_owned()
        }
        (io::ErrorKind::AddrInUse, Addr::Udp(_)) => "the address is in use by another process".to_owned(),
        (io::ErrorKind::AddrInUse, Addr::Inet(inet)) => match who::listens_on(*inet) {
            Some(who) => format!("the address is in use by {who}"),
            None => "the address is in use by another process".to_owned(),
        },
        (io::ErrorKind::AddrInUse, Addr::Unix(_)) => "another process listens there".to_owned(),
        (io::ErrorKind::AddrNotAvailable, _) => "this machine does not have the address".to_owned(),
        (io::ErrorKind::NotFound, Addr::Unix(path)) => {
            format!("the directory {} does not exist", path.parent().unwrap_or(path).display())
        }
        _ => error.to_string(),
    };
    format!("cannot listen on {addr}: {why}")
}

#[cfg(test)]
mod tests;
