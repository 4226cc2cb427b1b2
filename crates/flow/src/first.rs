//! Step 2 where a connection's first bytes decide: a header of the PROXY protocol, and on layer 4 the route.

use crate::proxy_header::{self, Read};
use crate::snapshot::{ListenerPlan, TcpAction, TcpPlan, TcpRoutePlan};
use crate::starttls;
use bifrons_http::{AskedHello, Told};
use bifrons_model::{ProxyHeaderIn, ProxyHeaderWord, StartTls, TcpProtocol};
use bifrons_net::Stream;
use bifrons_tls::hello::{self, First as Message};
use bytes::{Buf, BytesMut};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use tokio::time::Instant;

/// 2 KiB: most first messages in one read.
const ROOM: usize = 2048;

/// What was found before anybody served the connection.
#[derive(Default)]
pub struct First {
    /// Bytes that were read and belong to what follows.
    pub ahead: BytesMut,
    /// Who the client is, and where it meant to connect, as a proxy in front of us says.
    pub told: Option<Told>,
    /// Who the client is for us: the same where that is believed.
    pub client: Option<SocketAddr>,
    /// What the client says in TLS that goes on as it is.
    pub hello: Option<AskedHello>,
    /// What becomes of it; `None`: it has requests.
    pub action: Option<TcpAction>,
}

/// Reads what has to be known first.
///
/// # Errors
/// Why the connection is closed.
pub async fn read(
    listener: &ListenerPlan,
    stream: &Stream,
    peer: Option<SocketAddr>,
) -> Result<First, &'static str> {
    let mut first = First::default();
    let demands = match listener.proxy_protocol {
        ProxyHeaderIn::Off => false,
        ProxyHeaderIn::Required => true,
        ProxyHeaderIn::Trusted => listener.client.trusts(peer),
    };
    if demands {
        let header = header(stream, &mut first.ahead);
        let read = tokio::time::timeout(listener.head_pace.head, header).await;
        first.told = read.map_err(|_| "no header of the PROXY protocol in time")??;
    }
    let is_believed = match listener.proxy_protocol_client {
        ProxyHeaderWord::All => true,
        ProxyHeaderWord::Trusted => listener.client.trusts(peer),
        ProxyHeaderWord::None => false,
    };
    first.client = first.told.as_ref().filter(|_| is_believed).map(|told| told.source).or(peer);
    if let Some(tcp) = &listener.tcp {
        let ip = first.client.map(|addr| addr.ip().to_canonical());
        let seen = match tcp.asks_bytes {
            true => look(stream, &mut first.ahead, tcp).await?,
            false => Seen::default(),
        };
        let route = tcp.routes.iter().find(|route| route.takes(ip, &seen));
        first.action = Some(route.ok_or("no route takes it")?.action.clone());
        first.hello = seen.asked();
    }
    Ok(first)
}

/// The header of the PROXY protocol, which is taken away from the bytes.
async fn header(stream: &Stream, ahead: &mut BytesMut) -> Result<Option<Told>, &'static str> {
    // Bounded: every turn reads bytes, and a header has at most so many.
    loop {
        match proxy_header::read(ahead) {
            Read::Header(len, told) => {
                ahead.advance(len);
                return Ok(told);
            }
            Read::Wrong(why) => return Err(why),
            Read::Partial => more(stream, ahead).await?,
        }
    }
}

async fn more(stream: &Stream, ahead: &mut BytesMut) -> Result<(), &'static str> {
    let read = poll_fn(|cx| stream.poll_read(cx, ahead, |bytes| bytes.reserve(ROOM))).await;
    match read {
        Ok(0) => Err("closed before a word"),
        Ok(_) => Ok(()),
        Err(_) => Err("the connection broke"),
    }
}

/// What the first bytes are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    protocol: Option<TcpProtocol>,
    /// Of TLS: the name, `""` where there is none.
    name: Option<Box<str>>,
    alpn: Vec<Vec<u8>>,
    version: u16,
}

impl Seen {
    /// What of it is of use later.
    fn asked(self) -> Option<AskedHello> {
        let server_name = self.name?;
        Some(AskedHello {
            server_name: Some(server_name).filter(|name| !name.is_empty()),
            alpn: self.alpn.join(&b','.to_owned()).into(),
            version: hello::version_name(self.version),
        })
    }
}

/// Reads until it is clear what the bytes are, or for so long.
async fn look(stream: &Stream, ahead: &mut BytesMut, tcp: &TcpPlan) -> Result<Seen, &'static str> {
    let deadline = Instant::now() + tcp.first_bytes;
    let mut told = None;
    // Bounded: every turn reads bytes, and what is looked at has at most so many.
    loop {
        if tcp.starttls == Some(StartTls::Postgres)
            && let Some(answer) = starttls::answer(ahead)?
        {
            // What follows a yes is TLS; a no may be followed by the other question.
            if told == Some(*b"S") || told == Some(answer) {
                return Err("a question for TLS that was answered already");
            }
            told = Some(answer);
            starttls::send(stream, &answer)?;
            ahead.clear();
        } else if let Some(seen) = classify(ahead) {
            return Ok(seen);
        }
        match tokio::time::timeout_at(deadline, more(stream, ahead)).await {
            Ok(read) => read?,
            Err(_) if tcp.is_silence_over => return Err("no first bytes in time"),
            Err(_) if ahead.is_empty() => {
                return Ok(Seen { protocol: Some(TcpProtocol::ServerFirst), ..Seen::default() });
            }
            Err(_) => return Ok(Seen::default()),
        }
    }
}

/// What they are; `None` where that is not clear yet.
fn classify(bytes: &[u8]) -> Option<Seen> {
    let of = |protocol| Some(Seen { protocol: Some(protocol), ..Seen::default() });
    match bytes {
        [] => None,
        [22, ..] => match hello::read(bytes) {
            Message::Partial => None,
            Message::Hello(hello) => Some(Seen {
                protocol: Some(TcpProtocol::Tls),
                name: Some(hello.server_name.unwrap_or_default().to_ascii_lowercase().into()),
                alpn: hello.alpn,
                version: hello.version,
            }),
            _ => Some(Seen::default()),
        },
        [b'S', b'S', b'H', b'-', ..] => of(TcpProtocol::Ssh),
        [b'*', b'0'..=b'9', ..] => of(TcpProtocol::Redis),
        [4, 1 | 2, ..] => of(TcpProtocol::Socks),
        [5, methods, ..] if *methods > 0 => of(TcpProtocol::Socks),
        [0, 0, _, _, a, b, c, d, ..] => match u32::from_be_bytes([*a, *b, *c, *d]) {
            // A startup of protocol 3, and requests to cancel, for TLS, for GSS.
            0x0003_0000..=0x0003_ffff | 80_877_102..=80_877_104 => of(TcpProtocol::Postgres),
            _ => Some(Seen::default()),
        },
        [b'A'..=b'Z', ..] => match bytes.iter().take(24).position(|byte| !byte.is_ascii_uppercase()) {
            Some(at) if at > 2 && bytes.get(at) == Some(&b' ') => of(TcpProtocol::Http),
            None if bytes.len() < 24 => None,
            _ if b"SSH-".starts_with(bytes) => None,
            _ => Some(Seen::default()),
        },
        [0, ..] if bytes.len() < 8 => None,
        [b'*'] | [4] | [5] => None,
        _ => Some(Seen::default()),
    }
}

impl TcpRoutePlan {
    fn takes(&self, ip: Option<IpAddr>, seen: &Seen) -> bool {
        let is_named = |wanted: &String| match (&seen.name, wanted.strip_prefix('.')) {
            (Some(name), Some(end)) => name
                .strip_suffix(end)
                .and_then(|start| start.strip_suffix('.'))
                .is_some_and(|start| !start.is_empty()),
            (Some(name), None) => **name == **wanted,
            (None, _) => false,
        };
        (self.sni.is_empty() || self.sni.iter().any(is_named))
            && (self.alpn.is_empty() || self.alpn.iter().any(|wanted| seen.alpn.contains(wanted)))
            && self.source.as_ref().is_none_or(|nets| ip.is_some_and(|ip| nets.contains(ip)))
            && (self.protocol.is_empty() || seen.protocol.is_some_and(|seen| self.protocol.contains(&seen)))
    }
}

impl TcpPlan {
    /// Whether a route needs more than addresses.
    pub fn asks(routes: &[TcpRoutePlan]) -> bool {
        routes.iter().any(|r| !r.sni.is_empty() || !r.alpn.is_empty() || !r.protocol.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        let protocol = |bytes: &[u8]| classify(bytes).map(|seen| seen.protocol);
        assert_eq!(protocol(b"GET / HTTP/1.1\r\n"), Some(Some(TcpProtocol::Http)));
        assert_eq!(protocol(b"PRI * HTTP/2.0\r\n"), Some(Some(TcpProtocol::Http)));
        assert_eq!(protocol(b"SS"), None);
        assert_eq!(protocol(b"SSH-2.0-OpenSSH_9.2\r\n"), Some(Some(TcpProtocol::Ssh)));
        assert_eq!(protocol(&[0, 0, 0, 8, 4, 210, 22, 47]), Some(Some(TcpProtocol::Postgres)));
        assert_eq!(protocol(&[0, 0, 0, 8, 4]), None);
        assert_eq!(protocol(b"*1\r\n$4\r\nPING\r\n"), Some(Some(TcpProtocol::Redis)));
        assert_eq!(protocol(&[5, 1, 0]), Some(Some(TcpProtocol::Socks)));
        assert_eq!(protocol(&[5]), None);
        assert_eq!(protocol(b"hello"), Some(None));
        assert_eq!(protocol(b"HELLO"), None);
        assert_eq!(protocol(b"HELLO\r\n"), Some(None));
    }
}
