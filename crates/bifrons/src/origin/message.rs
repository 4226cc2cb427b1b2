//! Requests as the origin reads them: leniently, keeping everything as it came.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// 1 MiB: more than any proxy lets through.
const HEAD_BYTES_MAX: usize = 1024 * 1024;

/// A request's head.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub version: String,
    /// In the order they came, as they were written.
    pub headers: Vec<(String, String)>,
}

/// How a body's end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

impl Request {
    /// By its bytes up to and with the empty line.
    pub fn parse(head: &[u8]) -> Option<Self> {
        // Latin-1: every byte is kept.
        let text: String = head.iter().map(|&byte| char::from(byte)).collect();
        let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let headers = lines
            .filter(|line| !line.is_empty())
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                (name.to_owned(), value.trim().to_owned())
            })
            .collect();
        Some(Self { method: method.into(), target: target.into(), version: version.into(), headers })
    }

    /// The first field of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// Whether a list in the field has that member.
    pub fn has(&self, name: &str, member: &str) -> bool {
        self.header(name)
            .is_some_and(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case(member)))
    }

    /// Path and query.
    pub fn path(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }

    /// Whether the connection stays open after the answer.
    pub fn keeps_alive(&self) -> bool {
        match self.version.as_str() {
            "HTTP/1.0" => self.has("connection", "keep-alive"),
            _ => !self.has("connection", "close"),
        }
    }

    fn framing(&self) -> Framing {
        if self.has("transfer-encoding", "chunked") {
            return Framing::Chunked;
        }
        Framing::Length(self.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0))
    }
}

/// A connection with what was read ahead.
pub struct Reader<S> {
    stream: S,
    buf: Vec<u8>,
}

fn broken() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, buf: Vec::new() }
    }

    /// The next request's head; `None` where the client has closed.
    pub async fn request(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some(end) = find(&self.buf, b"\r\n\r\n") {
                let head: Vec<u8> = self.buf.drain(..end + 4).collect();
                return Request::parse(&head).map(Some).ok_or_else(broken);
            }
            if self.buf.len() > HEAD_BYTES_MAX {
                return Err(broken());
            }
            if self.fill().await? == 0 {
                return if self.buf.is_empty() { Ok(None) } else { Err(broken()) };
            }
        }
    }

    /// Reads the body of `request`, piece by piece into `take`.
    pub async fn body(&mut self, request: &Request, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        if request.has("expect", "100-continue") {
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        match request.framing() {
            Framing::Length(length) => self.exactly(length, &mut take).await,
            Framing::Chunked => loop {
                let line = self.line().await?;
                let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
                let digits = std::str::from_utf8(digits).map_err(|_| broken())?;
                let size = u64::from_str_radix(digits.trim(), 16).map_err(|_| broken())?;
                if size == 0 {
                    // Trailers.
                    while !self.line().await?.is_empty() {}
                    return Ok(());
                }
                self.exactly(size, &mut take).await?;
                self.line().await?;
            },
        }
    }

    async fn exactly(&mut self, mut left: u64, take: &mut impl FnMut(&[u8])) -> io::Result<()> {
        while left > 0 {
            if self.buf.is_empty() && self.fill().await? == 0 {
                return Err(broken());
            }
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.buf.len());
            take(self.buf.get(..count).unwrap_or_default());
            self.buf.drain(..count);
            left -= count as u64;
        }
        Ok(())
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.buf, b"\r\n") {
                let mut line: Vec<u8> = self.buf.drain(..end + 2).collect();
                line.truncate(end);
                return Ok(line);
            }
            if self.buf.len() > HEAD_BYTES_MAX || self.fill().await? == 0 {
                return Err(broken());
            }
        }
    }

    /// Bytes that were read ahead, or the next ones that come; empty at the end.
    pub async fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.buf.is_empty() {
            self.fill().await?;
        }
        Ok(std::mem::take(&mut self.buf))
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.buf.reserve(64 * 1024);
        self.stream.read_buf(&mut self.buf).await
    }

    /// Writes all of it.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Ends the connection in order: what the client still sends is read over for a moment, so that it gets
    /// the answer and no reset.
    pub async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await?;
        let drained = async {
            while self.fill().await.is_ok_and(|count| count > 0) {
                self.buf.clear();
            }
        };
        // A client that never stops is left to its reset.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), drained).await;
        Ok(())
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests;
