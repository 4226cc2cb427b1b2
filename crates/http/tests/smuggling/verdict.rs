//! How the engine reads a message, as one word or two: see requests.txt.

use bifrons_core::{Error, Kind, Limits, Side};
use bifrons_http::h1::chunked::{Decoded, Decoder};
use bifrons_http::h1::conn::HeadPace;
use bifrons_http::h1::framing::{self, Framing};
use bifrons_http::h1::parse::{self, Parsed};
use bifrons_http::h1::{Conn, Pace};
use bifrons_http::{Method, ResponseHead};
use bifrons_net::Stream;
use bytes::BytesMut;
use std::future::poll_fn;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Long enough never to matter.
const LONG: Duration = Duration::from_secs(60);

/// The request that a response answers.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    Get,
    Head,
    Connect,
    Upgrade,
}

impl Asked {
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "CONNECT" => Self::Connect,
            "UPGRADE" => Self::Upgrade,
            other => panic!("no request: {other}"),
        }
    }

    fn framing(self, head: &ResponseHead) -> Result<Framing, Error> {
        let method = match self {
            Self::Get | Self::Upgrade => Method::Get,
            Self::Head => Method::Head,
            Self::Connect => Method::Connect,
        };
        framing::response(head, method, matches!(self, Self::Upgrade))
    }
}

/// Reads messages of one side.
pub(crate) struct Reader {
    limits: Limits,
    asked: Option<Asked>,
}

impl Reader {
    pub(crate) fn request(limits: Limits) -> Self {
        Self { limits, asked: None }
    }

    pub(crate) fn response(limits: Limits, asked: Asked) -> Self {
        Self { limits, asked: Some(asked) }
    }

    fn side(&self) -> Side {
        if self.asked.is_some() { Side::Upstream } else { Side::Downstream }
    }

    /// Framing and length of the head, `None` while it is not whole.
    fn head(&self, bytes: &[u8]) -> Result<Option<(Framing, usize)>, Error> {
        Ok(match self.asked {
            None => match parse::request(bytes, &self.limits)? {
                Parsed::Head(head, len) => Some((framing::request(&head)?, len)),
                Parsed::Partial => None,
            },
            Some(asked) => match parse::response(bytes, &self.limits)? {
                Parsed::Head(head, len) => Some((asked.framing(&head)?, len)),
                Parsed::Partial => None,
            },
        })
    }

    /// All bytes at once.
    pub(crate) fn whole(&self, bytes: &[u8]) -> String {
        self.in_pieces(bytes, usize::MAX)
    }

    /// Pieces of `size` bytes, as they come from a slow peer.
    pub(crate) fn in_pieces(&self, bytes: &[u8], size: usize) -> String {
        self.pieces(bytes, size).unwrap_or_else(|err| status(&err))
    }

    fn pieces(&self, bytes: &[u8], size: usize) -> Result<String, Error> {
        let mut come = 0_usize;
        let (framing, head_len) = loop {
            come = come.saturating_add(size).min(bytes.len());
            match self.head(&bytes[..come])? {
                Some(found) => break found,
                None if come == bytes.len() => return Ok("partial".into()),
                None => {}
            }
        };
        let body = &bytes[head_len..];
        Ok(match framing {
            Framing::None => said("none", None, body.len()),
            Framing::Tunnel => "tunnel".into(),
            Framing::UntilClose => said("close", Some(body.len() as u64), 0),
            Framing::Length(len) if len > body.len() as u64 => "cut".into(),
            Framing::Length(len) => said("length", Some(len), body.len() - len as usize),
            Framing::Chunked => self.chunked(body, size)?,
        })
    }

    fn chunked(&self, body: &[u8], size: usize) -> Result<String, Error> {
        let mut decoder = Decoder::new(self.side(), self.limits);
        let mut buf = BytesMut::new();
        let mut rest = body;
        let mut data = 0;
        loop {
            match decoder.decode(&mut buf)? {
                Decoded::Data(piece) => data += piece.len() as u64,
                Decoded::End(_) => return Ok(said("chunked", Some(data), buf.len() + rest.len())),
                Decoded::Partial if rest.is_empty() => return Ok("cut".into()),
                Decoded::Partial => {
                    let (piece, after) = rest.split_at(size.min(rest.len()));
                    buf.extend_from_slice(piece);
                    rest = after;
                }
            }
        }
    }

    /// Over a socket, the bytes written in pieces and then the end.
    pub(crate) async fn over_socket(&self, bytes: &[u8], size: usize) -> String {
        let (mut peer, ours) = UnixStream::pair().expect("a socket pair");
        ours.set_nonblocking(true).expect("a socket");
        let conn = Conn::new(Stream::new(ours.into()).expect("a reactor"), self.side());
        let send = async {
            // Everything fits the socket's buffer, so that no write blocks.
            for piece in bytes.chunks(size.clamp(1, 32 * 1024)) {
                if peer.write_all(piece).is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let _ = peer.shutdown(Shutdown::Write);
        };
        let receive = async { self.receive(&conn).await.unwrap_or_else(|err| status(&err)) };
        tokio::join!(receive, send).0
    }

    async fn receive(&self, conn: &Conn) -> Result<String, Error> {
        let framing = match self.asked {
            None => match conn.read_request(&self.limits, HeadPace { idle: LONG, head: LONG }).await {
                Ok(Some(head)) => framing::request(&head)?,
                Ok(None) => return Ok("partial".into()),
                Err(err) if err.kind() == Kind::Closed => return Ok("partial".into()),
                Err(err) => return Err(err),
            },
            Some(asked) => match conn.read_response(&self.limits, LONG).await {
                Ok(head) => asked.framing(&head)?,
                Err(err) if err.kind() == Kind::Closed => return Ok("partial".into()),
                Err(err) => return Err(err),
            },
        };
        conn.begin_body(framing, &self.limits, Pace::timeout(LONG), u64::MAX);
        let mut len = 0;
        if framing != Framing::Tunnel {
            loop {
                match poll_fn(|cx| conn.poll_body(cx)).await {
                    Ok(Some(piece)) => len += piece.len() as u64,
                    Ok(None) => break,
                    Err(err) if err.kind() == Kind::Closed => return Ok("cut".into()),
                    Err(err) => return Err(err),
                }
            }
        }
        let mut left = 0;
        loop {
            let piece = poll_fn(|cx| conn.poll_raw(cx, LONG)).await?;
            if piece.is_empty() {
                break;
            }
            left += piece.len();
        }
        Ok(match framing {
            Framing::None => said("none", None, left),
            Framing::Tunnel => "tunnel".into(),
            Framing::UntilClose => said("close", Some(len), left),
            Framing::Length(_) => said("length", Some(len), left),
            Framing::Chunked => said("chunked", Some(len), left),
        })
    }
}

fn said(framing: &str, len: Option<u64>, left: usize) -> String {
    let mut text = framing.to_owned();
    if let Some(len) = len {
        text += &format!(" {len}");
    }
    if left > 0 {
        text += &format!(" +{left}");
    }
    text
}

/// The status of the answer to that error, as crates/flow/src/respond.rs gives it.
fn status(err: &Error) -> String {
    let status = match err.kind() {
        _ if err.side() == Side::Upstream => 502,
        Kind::Malformed => 400,
        Kind::UriTooLong => 414,
        Kind::HeadTooLarge => 431,
        Kind::TransferCoding => 501,
        Kind::Version => 505,
        kind => panic!("not an error of a message: {kind:?}"),
    };
    status.to_string()
}
