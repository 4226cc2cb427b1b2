//! Listening sockets: one per worker and address, with `SO_REUSEPORT`, so that the kernel spreads
//! connections over the workers and none of them wakes for another's.

use crate::{Addr, Stream};
use rustix::net::{SocketAddrAny, SocketFlags};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How a listening socket is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    /// Connections the kernel queues before they are accepted.
    pub backlog: i32,
    /// Whether several sockets share the address (one per worker). Never for Unix sockets.
    pub reuse_port: bool,
    /// Whether an IPv6 socket refuses IPv4 (`ipv6only=on`, as nginx's default).
    pub ipv6_only: bool,
    /// How the kernel finds out that a silent peer is gone; `None`: as it does by itself.
    pub keep_alive: Option<TcpKeepAlive>,
    /// Bytes of each socket's buffers; `None`: the kernel's choice.
    pub receive_buffer: Option<usize>,
    /// The same for what is sent.
    pub send_buffer: Option<usize>,
}

/// How the kernel finds out that a silent peer is gone (tcp(7)); what is not said is the system's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpKeepAlive {
    /// Whether it does.
    pub on: bool,
    /// Silence before the first probe, in whole seconds.
    pub idle: Option<Duration>,
    /// Between probes, in whole seconds.
    pub interval: Option<Duration>,
    /// Probes without an answer.
    pub count: Option<u32>,
}

impl TcpKeepAlive {
    fn apply(&self, listening: &Listening) -> io::Result<()> {
        let socket = socket2::SockRef::from(listening);
        socket.set_keepalive(self.on)?;
        let mut times = socket2::TcpKeepalive::new();
        if let Some(idle) = self.idle {
            times = times.with_time(idle);
        }
        if let Some(interval) = self.interval {
            times = times.with_interval(interval);
        }
        if let Some(count) = self.count {
            times = times.with_retries(count);
        }
        if self.on { socket.set_tcp_keepalive(&times) } else { Ok(()) }
    }
}

impl ListenOptions {
    /// 4096: the kernel cuts it to `net.core.somaxconn`, whose default is 4096 since Linux 5.4.
    pub const BACKLOG: i32 = 4096;
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: Self::BACKLOG,
            reuse_port: true,
            ipv6_only: true,
            keep_alive: None,
            receive_buffer: None,
            send_buffer: None,
        }
    }
}

/// A bound, listening socket that is not registered with a reactor yet.
#[derive(Debug)]
pub struct Listening {
    fd: OwnedFd,
    addr: Addr,
}

impl Listening {
    /// Binds and listens.
    ///
    /// # Errors
    /// What `bind(2)` says: `AddrInUse`, `PermissionDenied` (ports below 1024), `AddrNotAvailable`.
    pub fn bind(addr: &Addr, options: &ListenOptions) -> io::Result<Self> {
        let socket = match addr {
            Addr::Inet(inet) => bind_inet(*inet, Type::STREAM, options)?,
            Addr::Udp(inet) => return Self::adopt(bind_inet(*inet, Type::DGRAM, options)?.into()),
            Addr::Unix(path) => {
                remove_stale(path)?;
                let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
                socket.bind(&socket2::SockAddr::unix(path)?)?;
                socket
            }
        };
        // Accepted sockets inherit them; before `listen`, as a window's scale is settled with the handshake.
        if let Some(bytes) = options.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = options.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        socket.listen(options.backlog)?;
        let listening = Self::adopt(socket.into())?;
        if let (Some(keep_alive), Addr::Inet(_)) = (&options.keep_alive, addr) {
            keep_alive.apply(&listening)?;
        }
        Ok(listening)
    }

    /// Takes over a socket that is listening already (from systemd, or from the process before us).
    ///
    /// # Errors
    /// When it is no socket, or its address is neither IP nor Unix.
    pub fn adopt(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
        let addr = addr_of(rustix::net::getsockname(&fd)?)?;
        if let Addr::Inet(inet) = addr
            && rustix::net::sockopt::socket_type(&fd)? == rustix::net::SocketType::DGRAM
        {
            if inet.ip().is_unspecified() {
                crate::udp::ask_for_own_address(&fd, inet.is_ipv6())?;
            }
            return Ok(Self { fd, addr: Addr::Udp(inet) });
        }
        if addr.inet().is_some() {
            // Accepted sockets inherit both on Linux, which saves two calls a connection.
            let socket = socket2::SockRef::from(&fd);
            socket.set_tcp_nodelay(true)?;
            socket.set_keepalive(true)?;
        }
        Ok(Self { fd, addr })
    }

    /// The same socket under the address that the configuration has for it, where that is not the bound one
    /// (port 0).
    #[must_use]
    pub fn serving(self, addr: Addr) -> Self {
        Self { addr, ..self }
    }

    /// The address it serves: the bound one, or that of [`Listening::serving`].
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// The address it is bound to; the port is the real one where 0 was asked for.
    ///
    /// # Errors
    /// None for a socket that was bound or adopted.
    pub fn bound(&self) -> io::Result<Addr> {
        let addr = addr_of(rustix::net::getsockname(&self.fd)?)?;
        Ok(match (addr, &self.addr) {
            (Addr::Inet(inet), Addr::Udp(_)) => Addr::Udp(inet),
            (addr, _) => addr,
        })
    }

    /// The descriptor alone.
    pub(crate) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Another descriptor of the same socket.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()?, addr: self.addr.clone() })
    }
}

impl AsRawFd for Listening {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A bound socket for connections, or for datagrams: these without `SO_REUSEADDR`, by which on Linux any two of
/// them would share an address.
fn bind_inet(addr: SocketAddr, kind: Type, options: &ListenOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), kind.nonblocking(), None)?;
    socket.set_reuse_address(kind == Type::STREAM)?;
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    if addr.is_ipv6() {
        socket.set_only_v6(options.ipv6_only)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// Removes the socket file of a process that is gone; one that still answers stays.
fn remove_stale(path: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let Ok(meta) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !meta.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::from(io::ErrorKind::AddrInUse)),
        Err(_) => std::fs::remove_file(path),
    }
}

/// Removes a socket's file if it is there, and nothing else that may have its name.
pub fn remove_socket(path: &std::path::Path) {
    use std::os::unix::fs::FileTypeExt;
    if path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_socket()) {
        // Where it goes meanwhile there is nothing to remove.
        let _ = std::fs::remove_file(path);
    }
}

fn addr_of(addr: SocketAddrAny) -> io::Result<Addr> {
    if let Ok(inet) = SocketAddr::try_from(addr.clone()) {
        return Ok(Addr::Inet(inet));
    }
    let unix = rustix::net::SocketAddrUnix::try_from(addr)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the socket is neither IP nor Unix"))?;
    let path = unix.path().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Addr::Unix(path.into()))
}

/// A listening socket of one worker.
pub struct Acceptor {
    fd: AsyncFd<Listening>,
}

impl Acceptor {
    /// Registers the socket with the current reactor.
    ///
    /// # Errors
    /// When the reactor refuses the descriptor.
    pub fn new(listening: Listening) -> io::Result<Self> {
        // SAFETY: `Listening` owns its descriptor, always returns the same one, and lives as long as the `AsyncFd`.
        let fd = unsafe { AsyncFd::register_with_interest(listening, Interest::READABLE) }?;
        Ok(Self { fd })
    }

    /// The next connection with its peer's address (`None` for a Unix socket).
    ///
    /// Cancel-safe: a connection is either returned or still in the kernel's queue.
    ///
    /// # Errors
    /// What `accept4(2)` says; the caller goes on after errors of a single connection and rests after
    /// a lack of descriptors.
    pub async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        loop {
            let mut guard = self.fd.readable().await?;
            match self.try_accept() {
                Ok(Some(accepted)) => return Ok(accepted),
                Ok(None) => guard.clear_ready(),
                Err(err) => return Err(err),
            }
        }
    }

    /// A connection if one is waiting in the kernel's queue.
    ///
    /// # Errors
    /// As [`Acceptor::accept`].
    pub fn try_accept(&self) -> io::Result<Option<(Stream, Option<SocketAddr>)>> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        loop {
            match rustix::net::acceptfrom_with(self.fd.get_ref().as_fd(), flags) {
                Ok((fd, peer)) => {
                    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                    return Ok(Some((Stream::just_accepted(fd), peer)));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                // The peer left before we took it: look for the next. The queue is bounded.
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {}
                Err(err) => return Err(err.into()),
            }
        }
    }

    /// The address it listens on.
    pub fn addr(&self) -> &Addr {
        self.fd.get_ref().addr()
    }

    /// The socket itself, to hand over another descriptor of it.
    pub fn listening(&self) -> &Listening {
        self.fd.get_ref()
    }
}
