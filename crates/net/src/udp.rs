//! Datagrams: sockets that many clients share, sockets of one endpoint each, and several datagrams with a call
//! (`recvmmsg(2)`, `sendmmsg(2)`, and the kernel's own bundles: GRO and GSO, udp(7)).

mod batch;
mod message;

pub use batch::{Batch, Received};
pub use message::Sent;

use crate::listen::Listening;
use message::Outgoing;
use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// 32 datagrams with a call: beyond that a call costs little beside them; nginx takes one, Envoy 16, h2o's quicly
/// 10.
pub const AT_ONCE: usize = 32;

/// The kernel's option for bundles that come in, and its notes of them (linux/udp.h).
const UDP_GRO: libc::c_int = 104;

/// What is waited for.
const NEWS: Interest = Interest::READABLE.add(Interest::ERROR);

/// The address of ours that a datagram came to, and the interface it came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// The address.
    pub ip: IpAddr,
    /// The number of the interface; answers from a link-local address need it.
    pub interface: u32,
}

/// Where datagrams go from a socket that is not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct To {
    /// The other end.
    pub peer: SocketAddr,
    /// Whence; the kernel's choice where nothing is said.
    pub via: Option<Via>,
}

/// One datagram, or several of one length each (the last one may be shorter).
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// What is in them.
    pub bytes: &'a [u8],
    /// The length of each, where there are several.
    pub segment: Option<u16>,
}

impl Piece<'_> {
    /// How many datagrams it is.
    pub fn count(&self) -> u64 {
        match self.segment {
            Some(len) if len > 0 => self.bytes.len().div_ceil(usize::from(len)) as u64,
            _ => 1,
        }
    }
}

/// A socket for datagrams of one worker.
pub struct Udp {
    fd: AsyncFd<OwnedFd>,
}

impl Udp {
    /// Registers a bound socket with the current reactor.
    ///
    /// # Errors
    /// When the reactor or the kernel refuses it.
    pub fn bound(listening: Listening) -> io::Result<Self> {
        Self::register(listening.into_fd())
    }

    /// A socket that speaks with one endpoint only, whose refusals (ICMP) it learns.
    ///
    /// # Errors
    /// What `socket(2)`, `bind(2)` and `connect(2)` say: no descriptors, no route to the address.
    pub fn connected(peer: SocketAddr, bind: Option<SocketAddr>) -> io::Result<Self> {
        let (domain, kind) = (socket2::Domain::for_address(peer), socket2::Type::DGRAM.nonblocking());
        let socket = socket2::Socket::new(domain, kind, Some(socket2::Protocol::UDP))?;
        if let Some(bind) = bind {
            socket.bind(&bind.into())?;
        }
        socket.connect(&peer.into())?;
        Self::register(socket.into())
    }

    fn register(fd: OwnedFd) -> io::Result<Self> {
        // A kernel without bundles refuses it and goes on with datagrams one by one.
        let _ = switch_on(&fd, libc::SOL_UDP, UDP_GRO);
        // SAFETY: the descriptor is owned, stays the same one, and lives as long as the `AsyncFd`.
        let fd = unsafe { AsyncFd::register_with_interest(fd, NEWS) }?;
        Ok(Self { fd })
    }

    /// Waits for datagrams and takes as many as there are and `batch` holds: at least one. Cancel-safe.
    ///
    /// # Errors
    /// What the kernel says; of a connected socket `ConnectionRefused` where nobody is there (ICMP).
    pub async fn receive(&self, batch: &RefCell<Batch>) -> io::Result<()> {
        loop {
            // What ICMP says of a connected socket shows as an error alone.
            let mut guard = self.fd.ready(NEWS).await?;
            match guard.try_io(|fd| batch.borrow_mut().fill(fd.get_ref().as_fd())) {
                // A datagram sent before was too long for the way, says ICMP (ip(7)): the others are none the
                // worse. Bounded: reading clears the error.
                Ok(Err(err)) if err.raw_os_error() == Some(libc::EMSGSIZE) => {}
                Ok(read) => return read,
                Err(_) => {}
            }
        }
    }

    /// Takes what is there and does not wait; `WouldBlock` where nothing is.
    ///
    /// # Errors
    /// As [`Udp::receive`].
    pub fn try_receive(&self, batch: &mut Batch) -> io::Result<()> {
        batch.fill(self.fd.get_ref().as_fd())
    }

    /// Sends them, and tells what went out: the kernel takes no more when its buffer is full, and one that it
    /// refuses keeps the others from nothing. `to` is for sockets that are not connected.
    pub fn send(&self, to: Option<To>, pieces: &[Piece<'_>]) -> Sent {
        Outgoing::new(self.fd.get_ref().as_fd(), to).send(pieces)
    }

    /// Our end.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        let addr = rustix::net::getsockname(self.fd.get_ref()).ok()?;
        SocketAddr::try_from(addr).ok()
    }
}

impl AsFd for Udp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.get_ref().as_fd()
    }
}

/// Whether an error says that nobody is there (ICMP), and not that of one datagram nothing came.
pub fn is_away(err: &io::Error) -> bool {
    use io::ErrorKind as Io;
    matches!(
        err.kind(),
        Io::ConnectionRefused | Io::HostUnreachable | Io::NetworkUnreachable | Io::NetworkDown
    )
}

/// Has the kernel say of each datagram which of our addresses it came to.
pub(crate) fn ask_for_own_address(fd: &OwnedFd, is_ipv6: bool) -> io::Result<()> {
    match is_ipv6 {
        false => switch_on(fd, libc::IPPROTO_IP, libc::IP_PKTINFO),
        true => switch_on(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    }
}

fn switch_on(fd: &OwnedFd, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and these options take an int of this length.
    match unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, (&raw const on).cast(), len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests;
