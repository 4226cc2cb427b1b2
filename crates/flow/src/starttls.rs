//! TLS that is asked for in the words of another protocol: PostgreSQL's
//! (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>).

use bifrons_core::{Error, Kind, Result, Retry};
use bifrons_net::Stream;
use bytes::BytesMut;
use std::future::poll_fn;
use std::time::Duration;

/// `SSLRequest`: its length, and a version that no startup has.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// `GSSENCRequest`.
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];
/// More than the one byte that may come.
const ROOM: usize = 64;

/// What a client is told that asks for encryption; `None` where it does not, or its question is not whole.
///
/// # Errors
/// More came with the question: it would be taken for what came encrypted (CVE-2021-23222).
pub fn answer(bytes: &[u8]) -> std::result::Result<Option<[u8; 1]>, &'static str> {
    let told = match bytes.get(..8) {
        Some(request) if request == SSL_REQUEST => *b"S",
        Some(request) if request == GSS_REQUEST => *b"N",
        _ => return Ok(None),
    };
    match bytes.len() {
        8 => Ok(Some(told)),
        _ => Err("more than a question for TLS came"),
    }
}

/// Sends an answer, for which a new connection has room.
///
/// # Errors
/// The connection broke.
pub fn send(stream: &Stream, answer: &[u8]) -> std::result::Result<(), &'static str> {
    match stream.try_write(answer) {
        Ok(len) if len == answer.len() => Ok(()),
        _ => Err("the connection broke"),
    }
}

/// Asks an endpoint for TLS.
///
/// # Errors
/// It has none, says something else, or nothing within `limit`.
pub async fn ask(stream: &Stream, limit: Duration) -> Result<()> {
    let failed = |kind, why: &'static str| Error::upstream(kind, why).retry(Retry::Safe);
    send(stream, &SSL_REQUEST).map_err(|why| failed(Kind::Reset, why))?;
    let mut bytes = BytesMut::new();
    let read = poll_fn(|cx| stream.poll_read(cx, &mut bytes, |bytes| bytes.reserve(ROOM)));
    match tokio::time::timeout(limit, read).await {
        Err(_) => Err(failed(Kind::Timeout, "no answer to the question for TLS in time")),
        Ok(Err(_) | Ok(0)) => Err(failed(Kind::Closed, "closed when it was asked for TLS")),
        Ok(Ok(_)) => match &*bytes {
            b"S" => Ok(()),
            b"N" => Err(failed(Kind::Connect, "the endpoint has no TLS")),
            _ => Err(failed(Kind::Malformed, "no answer to the question for TLS")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions() {
        assert_eq!(answer(&SSL_REQUEST), Ok(Some(*b"S")));
        assert_eq!(answer(&GSS_REQUEST), Ok(Some(*b"N")));
        assert_eq!(answer(&SSL_REQUEST[..7]), Ok(None));
        assert_eq!(answer(&[0, 0, 0, 9, 0, 3, 0, 0, 0]), Ok(None));
        assert!(answer(&[&SSL_REQUEST[..], b"x"].concat()).is_err());
    }
}
