//! The listening sockets of the process, bound before privileges are dropped.

use bifrons_flow::snapshot::ListenerPlan;
use bifrons_net::{Addr, ListenOptions, Listening};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// All listening sockets by address: one a worker, or one for all where the address is a Unix socket.
#[derive(Debug, Default)]
pub struct Sockets {
    by_addr: BTreeMap<Addr, Vec<Listening>>,
}

impl Sockets {
    /// Binds all addresses of the listeners.
    pub fn open(listeners: &[Arc<ListenerPlan>], workers: usize) -> Result<Self, String> {
        let mut sockets = Self::default();
        for listener in listeners {
            for addr in &listener.addrs {
                let bound = bind(addr, &listener.options, workers)
                    .map_err(|error| format!("cannot listen on {addr}: {error}"))?;
                sockets.by_addr.insert(addr.clone(), bound);
            }
        }
        Ok(sockets)
    }

    /// What each worker gets: of each address at least one socket, and each socket in some worker's hands.
    pub fn shares(&self, workers: usize) -> Result<Vec<Vec<Listening>>, String> {
        let mut shares: Vec<Vec<Listening>> = (0..workers).map(|_| Vec::new()).collect();
        for sockets in self.by_addr.values() {
            for turn in 0..workers.max(sockets.len()) {
                let socket = sockets.get(turn % sockets.len().max(1));
                let (Some(socket), Some(share)) = (socket, shares.get_mut(turn % workers)) else { continue };
                let copy = socket.try_clone().map_err(|error| format!("cannot copy a socket: {error}"))?;
                share.push(copy);
            }
        }
        Ok(shares)
    }
}

fn bind(addr: &Addr, options: &ListenOptions, workers: usize) -> io::Result<Vec<Listening>> {
    let alone = ListenOptions { reuse_port: false, ..options.clone() };
    let first = Listening::bind(addr, &alone)?;
    if workers == 1 || addr.inet().is_none() {
        return Ok(vec![first]);
    }
    // With SO_REUSEPORT a second process of the same user would get the address too: the first bind, without
    // it, has found out whether the address is free.
    drop(first);
    (0..workers).map(|_| Listening::bind(addr, options)).collect()
}
