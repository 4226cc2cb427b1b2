//! One keep-alive connection: one request at a time, answers with a `Content-Length` only.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// Room for one answer's head and body; the latency row asks for 66 bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// How far an answer has come.
pub(crate) enum Progress {
    Partial,
    Whole,
}

/// A connection and the request it carries, if any.
pub(crate) struct Conn {
    pub(crate) addr: SocketAddr,
    /// When the request should have been sent.
    pub(crate) due: Instant,
    /// When it was.
    pub(crate) sent: Instant,
    stream: TcpStream,
    buf: Box<[u8]>,
    filled: usize,
    waiting: bool,
}

impl Conn {
    pub(crate) fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let now = Instant::now();
        let buf = vec![0; ANSWER_BYTES_MAX].into_boxed_slice();
        Ok(Self { addr, due: now, sent: now, stream, buf, filled: 0, waiting: false })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends the request that was due at `due`.
    pub(crate) fn send(&mut self, request: &[u8], due: Instant) -> io::Result<()> {
        (self.due, self.sent, self.filled, self.waiting) = (due, Instant::now(), 0, true);
        self.stream.write_all(request)
    }

    /// Takes in what has arrived. An error also when the other side closed or sent what nobody asked for.
    pub(crate) fn receive(&mut self) -> io::Result<Progress> {
        let free = self
            .buf
            .get_mut(self.filled..)
            .filter(|free| !free.is_empty())
            .ok_or(io::ErrorKind::InvalidData)?;
        match self.stream.read(free) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) if !self.waiting => return Err(io::ErrorKind::InvalidData.into()),
            Ok(read) => self.filled += read,
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(Progress::Partial),
            Err(err) => return Err(err),
        }
        if !is_whole(self.buf.get(..self.filled).unwrap_or_default())? {
            return Ok(Progress::Partial);
        }
        self.waiting = false;
        Ok(Progress::Whole)
    }
}

/// Whether `bytes` hold a 200 with all of its `Content-Length`. Other answers are errors.
fn is_whole(bytes: &[u8]) -> io::Result<bool> {
    let Some(head_end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(false);
    };
    let (head, rest) = bytes.split_at(head_end);
    let head = str::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData)?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(rest.len() >= length.saturating_add(4))
}
