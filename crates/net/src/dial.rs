//! Connections to endpoints.

use crate::{Addr, Stream};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with, sockopt};
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Connects to `addr` within `limit`, from `bind` if given.
///
/// # Errors
/// What `connect(2)` says, or `TimedOut`.
pub async fn dial(addr: &Addr, bind: Option<SocketAddr>, limit: Duration) -> io::Result<Stream> {
    let (fd, pending) = start(addr, bind)?;
    let stream = Stream::new(fd)?;
    if pending {
        match tokio::time::timeout(limit, stream.connected()).await {
            Ok(done) => done?,
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "connect timed out")),
        }
    }
    Ok(stream)
}

/// A socket whose connect has begun, and whether it is still under way.
fn start(addr: &Addr, bind: Option<SocketAddr>) -> io::Result<(OwnedFd, bool)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (fd, outcome) = match addr {
        Addr::Inet(inet) => {
            let family = if inet.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
            let fd = socket_with(family, SocketType::STREAM, flags, None)?;
            sockopt::set_tcp_nodelay(&fd, true)?;
            if let Some(bind) = bind {
                rustix::net::bind(&fd, &bind)?;
            }
            let outcome = rustix::net::connect(&fd, inet);
            (fd, outcome)
        }
        Addr::Udp(_) => return Err(io::Error::from(io::ErrorKind::Unsupported)),
        Addr::Unix(path) => {
            let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            let outcome = rustix::net::connect(&fd, &SocketAddrUnix::new(path)?);
            (fd, outcome)
        }
    };
    match outcome {
        Ok(()) => Ok((fd, false)),
        Err(rustix::io::Errno::INPROGRESS) => Ok((fd, true)),
        Err(err) => Err(err.into()),
    }
}
