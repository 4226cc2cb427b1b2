//! `syslog`: one datagram a record, as nginx sends them (RFC 3164), to a UDP server or a Unix socket.

use super::{Lost, OpenError, Records, Sink};
use crate::config::Syslog;
use crate::time::time_syslog;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// By their codes, 0 to 23 (RFC 3164 4.1.1), under nginx's names.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv", "ftp",
    "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// By their codes, 0 to 7, under nginx's names.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];

/// RFC 3164 4.1.3, and nginx.
const TAG_BYTES_MAX: usize = 32;

/// RFC 3164 2.
const PORT: u16 = 514;

/// 50 ms: how long a batch waits for a Unix socket whose reader is behind (its queue holds some ten
/// datagrams, a batch holds a hundred) before its rest is given up.
const SEND_WAIT: Duration = Duration::from_millis(50);

/// A syslog server.
pub(super) struct SyslogSink {
    server: Server,
    /// `None` until the first record, and after an error.
    socket: Option<Socket>,
    /// `<PRI>`.
    priority: String,
    /// What stands between the time and the message: ` host tag: `.
    after_time: String,
    datagram: Vec<u8>,
}

enum Server {
    Udp(SocketAddr),
    Unix(PathBuf),
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl SyslogSink {
    /// Reads the configuration; connects with the first record.
    ///
    /// # Errors
    /// A server that is no address or has no such name; an unknown facility or severity; a wrong tag.
    pub(super) fn open(config: &Syslog) -> Result<Self, OpenError> {
        let facility = code(&FACILITIES, &config.facility, "facility")?;
        let severity = code(&SEVERITIES, &config.severity, "severity")?;
        check_tag(&config.tag)?;
        let after_time = if config.hostname {
            format!(" {} {}: ", crate::hostname(), config.tag)
        } else {
            format!(" {}: ", config.tag)
        };
        Ok(Self {
            server: Server::parse(&config.server)?,
            socket: None,
            priority: format!("<{}>", facility * 8 + severity),
            after_time,
            datagram: Vec::new(),
        })
    }

    /// Sends the datagram, once more on a new socket where the old one had lost its server.
    fn send(&mut self) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            match socket.send(&self.datagram) {
                Err(error) if server_is_gone(&error) => self.socket = None,
                sent => return sent,
            }
        }
        let socket = self.server.connect()?;
        let sent = socket.send(&self.datagram);
        self.socket = Some(socket);
        sent
    }
}

impl Sink for SyslogSink {
    fn write(&mut self, records: &Records) -> Result<(), Lost> {
        let now = SystemTime::now();
        let mut lost: Option<Lost> = None;
        for (sent, record) in records.iter().enumerate() {
            self.datagram.clear();
            self.datagram.extend_from_slice(self.priority.as_bytes());
            time_syslog(now, &mut self.datagram);
            self.datagram.extend_from_slice(self.after_time.as_bytes());
            self.datagram.extend_from_slice(record);
            let Err(error) = self.send() else { continue };
            if !is_about_the_record(&error) {
                let earlier = lost.map_or(0, |lost| lost.records);
                return Err(Lost { records: earlier + records.count() - sent as u64, error });
            }
            lost.get_or_insert(Lost { records: 0, error }).records += 1;
        }
        lost.map_or(Ok(()), Err)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.socket = None;
        Ok(())
    }
}

impl Server {
    fn parse(text: &str) -> Result<Self, OpenError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let bare_address = text.parse::<std::net::IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        if let Ok(addr) = bare_address {
            return Ok(Self::Udp(addr));
        }
        let found = if text.contains(':') {
            text.to_socket_addrs().map(|mut addrs| addrs.next())
        } else {
            (text, PORT).to_socket_addrs().map(|mut addrs| addrs.next())
        };
        match found {
            Ok(Some(addr)) => Ok(Self::Udp(addr)),
            Ok(None) => Err(OpenError::new(format!("syslog server \"{text}\" has no address"))),
            Err(error) => Err(OpenError::new(format!(
                "syslog server \"{text}\": {error}; write it as 127.0.0.1:514 or unix:/dev/log"
            ))),
        }
    }

    fn connect(&self) -> io::Result<Socket> {
        match self {
            Self::Udp(server) => {
                let any: SocketAddr = if server.is_ipv4() {
                    (Ipv4Addr::UNSPECIFIED, 0).into()
                } else {
                    (Ipv6Addr::UNSPECIFIED, 0).into()
                };
                let socket = UdpSocket::bind(any)?;
                socket.set_write_timeout(Some(SEND_WAIT))?;
                socket.connect(server)?;
                Ok(Socket::Udp(socket))
            }
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(SEND_WAIT))?;
                socket.connect(path)?;
                Ok(Socket::Unix(socket))
            }
        }
    }
}

impl Socket {
    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(datagram).map(drop),
            Self::Unix(socket) => socket.send(datagram).map(drop),
        }
    }
}

/// A restarted server: a new socket may reach it.
fn server_is_gone(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused | Kind::ConnectionReset | Kind::NotConnected | Kind::BrokenPipe
    )
}

/// Whether only this record failed (it is larger than a datagram), and the next may pass.
fn is_about_the_record(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}

fn code(names: &[&str], name: &str, what: &str) -> Result<usize, OpenError> {
    names.iter().position(|known| *known == name).ok_or_else(|| {
        OpenError::new(format!("unknown syslog {what} \"{name}\"; there are {}", names.join(", ")))
    })
}

fn check_tag(tag: &str) -> Result<(), OpenError> {
    let fits = tag.len() <= TAG_BYTES_MAX && !tag.is_empty();
    if fits && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Ok(());
    }
    Err(OpenError::new(format!(
        "syslog tag \"{tag}\" must be 1 to {TAG_BYTES_MAX} letters, digits and underscores"
    )))
}
