//! The PROXY protocol, versions 1 and 2: who the client is, told in front of everything else
//! (<https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>).

mod checksum;
mod write;

pub use write::write;

use bifrons_http::{Tlvs, Told};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// 4 KiB: the longest header that is read. Addresses take 232 bytes at most, the rest is for what is said beside
/// them.
pub const BYTES_MAX: usize = 4096;

/// How a header of version 1 begins.
const V1: &[u8] = b"PROXY ";
/// 107: the longest line of version 1, with its end (2.1).
const V1_BYTES_MAX: usize = 107;
/// How one of version 2 begins.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Its fixed part: that, version and command, family and transport, the length of the rest (2.2).
const V2_FIXED: usize = 16;
/// The longest rest of one.
const V2_REST_MAX: usize = BYTES_MAX - V2_FIXED;

/// TCP over IPv4, and over IPv6: two addresses and two ports.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// Two Unix addresses, of 108 bytes each.
const UNIX_BYTES: usize = 216;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// More bytes are needed.
    Partial,
    /// So long it is; what it tells, unless it is of the proxy's own connection (a health check).
    Header(usize, Option<Told>),
    /// It is none.
    Wrong(&'static str),
}

/// Why bytes are no header.
type Refused = &'static str;

/// Reads a header at the beginning of `bytes`.
pub fn read(bytes: &[u8]) -> Read {
    let read = if begins(bytes, V2) {
        version_2(bytes)
    } else if begins(bytes, V1) {
        version_1(bytes)
    } else {
        Err("no header of the PROXY protocol")
    };
    match read {
        Ok(None) => Read::Partial,
        Ok(Some((len, told))) => Read::Header(len, told),
        Err(why) => Read::Wrong(why),
    }
}

/// Whether bytes are, as far as they go, a beginning.
fn begins(bytes: &[u8], beginning: &[u8]) -> bool {
    bytes.iter().zip(beginning).all(|(byte, wanted)| byte == wanted)
}

/// A line of text (2.1).
fn version_1(bytes: &[u8]) -> Result<Option<(usize, Option<Told>)>, Refused> {
    let Some(end) = bytes.windows(2).take(V1_BYTES_MAX - 1).position(|two| two == b"\r\n") else {
        return match bytes.len() < V1_BYTES_MAX {
            true => Ok(None),
            false => Err("a header of the PROXY protocol without an end"),
        };
    };
    let line = bytes.get(V1.len()..end).and_then(|line| std::str::from_utf8(line).ok());
    let line = line.ok_or("no header of the PROXY protocol")?;
    let told = match line.split_once(' ') {
        Some(("TCP4", rest)) => Some(addresses::<Ipv4Addr>(rest)?),
        Some(("TCP6", rest)) => Some(addresses::<Ipv6Addr>(rest)?),
        // What else stands in such a line is ignored.
        Some(("UNKNOWN", _)) => None,
        None if line == "UNKNOWN" => None,
        _ => return Err("an unknown protocol in the header of the PROXY protocol"),
    };
    Ok(Some((end + 2, told)))
}

/// Source and destination, then their ports, with one space between them.
fn addresses<A: FromStr + Into<IpAddr>>(text: &str) -> Result<Told, Refused> {
    let mut words = text.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (source, destination) = (word().parse::<A>().ok(), word().parse::<A>().ok());
    let (source_port, destination_port) = (port(word()), port(word()));
    let source = source.zip(source_port).map(|(ip, port)| SocketAddr::new(ip.into(), port));
    let destination = destination.zip(destination_port).map(|(ip, port)| SocketAddr::new(ip.into(), port));
    match (source, destination, words.next()) {
        (Some(source), Some(destination), None) => Ok(Told { source, destination, tlvs: Tlvs::default() }),
        _ => Err("wrong addresses in the header of the PROXY protocol"),
    }
}

/// Digits, and nothing else.
fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A binary header (2.2).
fn version_2(bytes: &[u8]) -> Result<Option<(usize, Option<Told>)>, Refused> {
    let Some(&[command, family, high, low]) = bytes.get(V2.len()..V2_FIXED) else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if len > V2_REST_MAX {
        return Err("a header of the PROXY protocol that is longer than 4 KiB");
    }
    let Some(header) = bytes.get(..V2_FIXED + len) else { return Ok(None) };
    let rest = header.get(V2_FIXED..).unwrap_or_default();
    let told = match command {
        // Of the proxy's own connection: whatever else is said is to be ignored.
        0x20 => None,
        0x21 => proxied(header, family, rest)?,
        _ => return Err("an unknown version or command in the header of the PROXY protocol"),
    };
    Ok(Some((V2_FIXED + len, told)))
}

/// A connection on somebody's behalf. Families without addresses of the Internet leave those of the connection.
fn proxied(header: &[u8], family: u8, rest: &[u8]) -> Result<Option<Told>, Refused> {
    if family >> 4 > 3 || family & 15 > 2 {
        return Err("an unknown family in the header of the PROXY protocol");
    }
    let address_bytes = match family >> 4 {
        1 => 12,
        2 => 36,
        3 => UNIX_BYTES,
        // How long its addresses are is not known, nor what stands behind them.
        _ => return Ok(None),
    };
    let (addresses, tlvs) = rest
        .split_at_checked(address_bytes)
        .ok_or("no room for addresses in the header of the PROXY protocol")?;
    let tlvs = Tlvs::parse(tlvs).ok_or("a fact that is longer than the header of the PROXY protocol")?;
    if !checksum::is_right(header, V2_FIXED + address_bytes) {
        return Err("a wrong checksum in the header of the PROXY protocol");
    }
    let two = match (family, addresses) {
        (TCP4, [a, b, c, d, e, f, g, h, ports @ ..]) => {
            Some((Ipv4Addr::new(*a, *b, *c, *d).into(), Ipv4Addr::new(*e, *f, *g, *h).into(), ports))
        }
        (TCP6, _) => {
            addresses.as_chunks::<16>().0.split_first_chunk::<2>().map(|([source, destination], _)| {
                let ports = addresses.get(32..).unwrap_or_default();
                (Ipv6Addr::from(*source).into(), Ipv6Addr::from(*destination).into(), ports)
            })
        }
        _ => None,
    };
    let Some((source, destination, &[a, b, c, d])) = two else { return Ok(None) };
    Ok(Some(Told {
        source: SocketAddr::new(source, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([c, d])),
        tlvs,
    }))
}

#[cfg(test)]
mod tests;
