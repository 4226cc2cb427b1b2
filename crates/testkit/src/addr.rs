//! Addresses that no other test uses.
//!
//! The proxy listens with `SO_REUSEPORT`, so two tests that picked the same port would silently share it.
//! Linux gives the whole of 127.0.0.0/8 to loopback: each test process takes addresses of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below Linux's ephemeral ports (32768), so that no client's port is in the way.
const PORT_FIRST: u16 = 20_000;
/// As many ports as there are below the ephemeral ones.
const PORTS: u16 = 12_000;

/// An address nobody listens on: 127.64-127.x.1, from the process id, and a port that counts up.
pub fn free_addr() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let port = PORT_FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
    SocketAddr::from((own_ip(), port))
}

/// The loopback address of this test process.
pub fn own_ip() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | (high & 63), low, 1)
}
