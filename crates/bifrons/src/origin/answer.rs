//! What the origin answers, by path.

use super::Identity;
use super::message::{Reader, Request};
use super::websocket;
use serde_json::{Value, json};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes of a generated body are written in pieces of this size.
const PIECE: usize = 64 * 1024;
/// Text of a body longer than this is left out of the JSON.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// An hour: nobody waits longer in a test.
const MS_MAX: u64 = 3_600_000;

/// Who asks, and whom.
pub struct Peer<'a> {
    pub client: &'a str,
    pub identity: &'a Identity,
    pub serial: u64,
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
enum Ask {
    Bytes(u64),
    Chunked(u64),
    Status(u16),
    Delay(Duration),
    Drip(u64, Duration),
    Close,
    Echo,
    Sse,
    WebSocket,
    Describe,
}

impl Ask {
    fn of(path: &str) -> Option<Self> {
        let mut parts = path.trim_start_matches('/').split('/');
        let ask = match parts.next()? {
            "bytes" => Self::Bytes(size(parts.next()?)?),
            "chunked" => Self::Chunked(size(parts.next()?)?),
            "status" => Self::Status(parts.next()?.parse().ok().filter(|code| (200..600).contains(code))?),
            "delay" => Self::Delay(millis(parts.next()?)?),
            "drip" => Self::Drip(size(parts.next()?)?, millis(parts.next()?)?),
            "close" => Self::Close,
            "echo" => Self::Echo,
            "sse" => Self::Sse,
            "ws" => Self::WebSocket,
            _ => return None,
        };
        parts.next().is_none().then_some(ask)
    }
}

/// `66`, `64k`, `1m`, `1g`.
fn size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (&text[..text.len() - 1], 10),
        b'm' => (&text[..text.len() - 1], 20),
        b'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn millis(text: &str) -> Option<Duration> {
    text.parse::<u64>().ok().map(|ms| Duration::from_millis(ms.min(MS_MAX)))
}

/// A number of the query.
fn param(query: &str, name: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

/// Reads the rest of the request and answers; `false` where the connection is over.
pub async fn answer<S>(io: &mut Reader<S>, request: &Request, peer: &Peer<'_>) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (path, query) = request.path();
    let ask = Ask::of(path).unwrap_or(Ask::Describe);
    if ask == Ask::WebSocket && request.has("upgrade", "websocket") {
        websocket::serve(io, request).await?;
        return Ok(false);
    }
    let mut body = Body::default();
    let whole = ask == Ask::Echo;
    io.body(request, |piece| body.take(piece, whole)).await?;
    let mut out = Out { io, request, peer };
    match ask {
        Ask::Bytes(count) => out.bytes(count).await?,
        Ask::Chunked(count) => out.chunked(count).await?,
        Ask::Status(status) => out.status(status, &body).await?,
        Ask::Delay(time) => {
            tokio::time::sleep(time).await;
            out.describe(200, &body).await?;
        }
        Ask::Drip(count, pause) => out.drip(count, pause).await?,
        Ask::Close => {
            out.head(200, "application/octet-stream", Some(1000)).await?;
            out.io.write(&[b'x'; 100]).await?;
            return Ok(false);
        }
        Ask::Echo => out.whole(200, request.header("content-type").unwrap_or(OCTETS), &body.bytes).await?,
        Ask::Sse => {
            let pause = Duration::from_millis(param(query, "ms").unwrap_or(1000).min(MS_MAX));
            out.sse(param(query, "n").unwrap_or(u64::MAX), pause).await?;
            return Ok(false);
        }
        Ask::WebSocket | Ask::Describe => out.describe(200, &body).await?,
    }
    Ok(request.keeps_alive())
}

const OCTETS: &str = "application/octet-stream";

/// The body of a request, as far as it is of interest.
#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    length: u64,
    hash: Fnv,
}

/// FNV-1a, 64 bits: tells bodies apart in a test without a dependency; no protection against intent.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Body {
    fn take(&mut self, piece: &[u8], whole: bool) {
        self.length += piece.len() as u64;
        for byte in piece {
            self.hash.0 = (self.hash.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let room = if whole { usize::MAX } else { TEXT_BYTES_MAX.saturating_sub(self.bytes.len()) };
        self.bytes.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
    }

    fn to_json(&self) -> Value {
        let text =
            (self.length <= TEXT_BYTES_MAX as u64).then(|| std::str::from_utf8(&self.bytes).ok()).flatten();
        json!({ "length": self.length, "fnv1a": format!("{:016x}", self.hash.0), "text": text })
    }
}

/// An answer under way.
struct Out<'a, S> {
    io: &'a mut Reader<S>,
    request: &'a Request,
    peer: &'a Peer<'a>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Out<'_, S> {
    /// The head; without a length the body is chunked.
    async fn head(&mut self, status: u16, kind: &str, length: Option<u64>) -> io::Result<()> {
        let framing = match length {
            Some(_) if status == 204 || status == 304 => String::new(),
            Some(length) => format!("Content-Length: {length}\r\n"),
            None if self.request.version == "HTTP/1.0" => String::new(),
            None => "Transfer-Encoding: chunked\r\n".to_owned(),
        };
        let connection = match self.request.version.as_str() {
            "HTTP/1.0" if self.request.keeps_alive() && length.is_some() => "Connection: keep-alive\r\n",
            _ if self.request.keeps_alive() => "",
            _ => "Connection: close\r\n",
        };
        let head = format!(
            "HTTP/1.1 {status} {}\r\nServer: bifrons-origin\r\nX-Origin: {}\r\nContent-Type: {kind}\r\n{framing}{connection}\r\n",
            reason(status),
            self.peer.identity.name,
        );
        self.io.write(head.as_bytes()).await
    }

    fn bodiless(&self, status: u16) -> bool {
        self.request.method == "HEAD" || status == 204 || status == 304
    }

    async fn whole(&mut self, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
        self.head(status, kind, Some(body.len() as u64)).await?;
        if self.bodiless(status) { Ok(()) } else { self.io.write(body).await }
    }

    async fn describe(&mut self, status: u16, body: &Body) -> io::Result<()> {
        // By hand, so that a field is a line.
        let headers: Vec<String> =
            self.request.headers.iter().map(|(name, value)| json!([name, value]).to_string()).collect();
        let headers =
            if headers.is_empty() { String::new() } else { format!("\n    {}\n  ", headers.join(",\n    ")) };
        let rows = [
            ("name", json!(self.peer.identity.name).to_string()),
            ("method", json!(self.request.method).to_string()),
            ("target", json!(self.request.target).to_string()),
            ("version", json!(self.request.version).to_string()),
            ("headers", format!("[{headers}]")),
            ("body", body.to_json().to_string()),
            ("client", json!(self.peer.client).to_string()),
            ("connection", json!(self.peer.serial).to_string()),
        ];
        let rows: Vec<String> = rows.iter().map(|(key, value)| format!("  \"{key}\": {value}")).collect();
        let text = format!("{{\n{}\n}}\n", rows.join(",\n"));
        self.whole(status, "application/json", text.as_bytes()).await
    }

    async fn status(&mut self, status: u16, body: &Body) -> io::Result<()> {
        match status {
            204 | 304 => self.head(status, "text/plain", Some(0)).await,
            _ => self.describe(status, body).await,
        }
    }

    async fn bytes(&mut self, count: u64) -> io::Result<()> {
        self.head(200, OCTETS, Some(count)).await?;
        if self.bodiless(200) {
            return Ok(());
        }
        let mut at = 0;
        while at < count {
            let piece = pattern(at, count);
            self.io.write(piece).await?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    async fn chunked(&mut self, count: u64) -> io::Result<()> {
        self.head(200, OCTETS, None).await?;
        if self.bodiless(200) {
            return Ok(());
        }
        let mut at = 0;
        while at < count {
            let piece = pattern(at, count);
            self.chunk(piece).await?;
            at += piece.len() as u64;
        }
        self.last_chunk().await
    }

    async fn drip(&mut self, count: u64, pause: Duration) -> io::Result<()> {
        self.head(200, OCTETS, Some(count)).await?;
        if self.bodiless(200) {
            return Ok(());
        }
        for at in 0..count {
            tokio::time::sleep(pause).await;
            self.io.write(pattern(at, at + 1)).await?;
        }
        Ok(())
    }

    async fn sse(&mut self, count: u64, pause: Duration) -> io::Result<()> {
        self.head(200, "text/event-stream", None).await?;
        for number in 0..count {
            self.chunk(format!("id: {number}\ndata: {} {number}\n\n", self.peer.identity.name).as_bytes())
                .await?;
            tokio::time::sleep(pause).await;
        }
        self.last_chunk().await
    }

    async fn chunk(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.request.version == "HTTP/1.0" {
            return self.io.write(piece).await;
        }
        let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
        self.io.write(&bytes).await
    }

    async fn last_chunk(&mut self) -> io::Result<()> {
        if self.request.version == "HTTP/1.0" { Ok(()) } else { self.io.write(b"0\r\n\r\n").await }
    }
}

/// Bytes `at..` of a body of `count` bytes, at most [`PIECE`]: the alphabet over and over, a line each, so that
/// a shifted or torn body is seen.
fn pattern(at: u64, count: u64) -> &'static [u8] {
    const LINE: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz01234\n";
    static TEXT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let text = TEXT.get_or_init(|| LINE.iter().copied().cycle().take(PIECE + LINE.len()).collect());
    let start = (at % LINE.len() as u64) as usize;
    let length = usize::try_from(count.saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
    text.get(start..start + length).unwrap_or_default()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests;
