//! An address one can listen on or dial: IP and port, of connections or of datagrams, or a Unix socket's path.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addr {
    /// IPv4 or IPv6 address with port.
    Inet(SocketAddr),
    /// The same for datagrams.
    Udp(SocketAddr),
    /// Path of a Unix stream socket.
    Unix(PathBuf),
}

impl Addr {
    /// The IP address and port, if it has one.
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) | Self::Udp(addr) => Some(*addr),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Udp(addr) => write!(f, "udp:{addr}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Addr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let (text, of_kind): (_, fn(SocketAddr) -> Self) = match text.strip_prefix("udp:") {
            Some(text) => (text, Self::Udp),
            None => (text, Self::Inet),
        };
        text.parse().map(of_kind).map_err(|_| {
            format!("invalid address \"{text}\": write \"127.0.0.1:8080\", \"[::1]:8080\" or \"unix:/path\"")
        })
    }
}

impl From<SocketAddr> for Addr {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}
