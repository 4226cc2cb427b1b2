//! The PROXY protocol, versions 1 and 2: who the client is, told in front of everything else
//! (<https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>).

use crate::request::Task;
use bifrons_model::ProxyHeaderOut;
use proxy_header::{Error, ParseConfig, ProxiedAddress, ProxyHeader, Tlv};
use std::net::SocketAddr;

/// 4 KiB: the longest header that is read. Addresses take 232 bytes at most, the rest is for what is said beside
/// them.
pub const BYTES_MAX: usize = 4096;

/// The type of a checksum (2.2.4).
const CRC32C: u8 = 0x03;
/// The first byte of a version 2 header's own text, and its length.
const V2: (&[u8], usize) = (b"\r\n\r\n\0\r\nQUIT\n", 16);

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// More bytes are needed.
    Partial,
    /// So long it is; source and destination, unless it is of the proxy's own connection (a health check).
    Header(usize, Option<(SocketAddr, SocketAddr)>),
    /// It is none.
    Wrong(&'static str),
}

/// Reads a header at the beginning of `bytes`.
pub fn read(bytes: &[u8]) -> Read {
    let config = ParseConfig::default();
    match ProxyHeader::parse(bytes, config) {
        Ok((_, len)) if !is_intact(bytes.get(..len).unwrap_or_default()) => Read::Wrong("a wrong checksum"),
        Ok((header, len)) => {
            let addr = header.proxied_address();
            Read::Header(len, addr.map(|addr| (addr.source, addr.destination)))
        }
        Err(Error::BufferTooShort) if bytes.len() < BYTES_MAX => Read::Partial,
        Err(Error::BufferTooShort) => Read::Wrong("longer than 4 KiB"),
        Err(_) => Read::Wrong("no header of the PROXY protocol"),
    }
}

/// Whether the checksum of a version 2 header, if there is one, is right.
fn is_intact(header: &[u8]) -> bool {
    let Some(at) = checksum_at(header) else { return true };
    let Some(sum) = header.get(at..at + 4).and_then(|sum| sum.try_into().ok()).map(u32::from_be_bytes) else {
        return false;
    };
    let mut blank = header.to_vec();
    if let Some(field) = blank.get_mut(at..at + 4) {
        field.fill(0);
    }
    crc32c(&blank) == sum
}

/// Where the checksum of a version 2 header lies.
fn checksum_at(header: &[u8]) -> Option<usize> {
    let (signature, fixed) = V2;
    if !header.starts_with(signature) {
        return None;
    }
    let addresses = match header.get(13)? >> 4 {
        1 => 12,
        2 => 36,
        3 => 216,
        _ => 0,
    };
    let mut at = fixed + addresses;
    // Bounded: every turn goes on by three bytes at least.
    while let Some(&[kind, high, low]) = header.get(at..at + 3) {
        let len = usize::from(u16::from_be_bytes([high, low]));
        if kind == CRC32C && len == 4 {
            return Some(at + 3);
        }
        at += 3 + len;
    }
    None
}

/// CRC-32C (Castagnoli), bit by bit: headers are short, and one comes a connection.
fn crc32c(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            let carry = sum & 1;
            (sum >> 1) ^ (0x82f6_3b78 * carry)
        })
    });
    !sum
}

/// The header for a connection that serves this request.
pub fn write(version: ProxyHeaderOut, task: &Task<'_>) -> Vec<u8> {
    let conn = &task.cx.conn;
    let local = conn.local.get_or_init(|| task.conn.http.stream().local_addr());
    let addr = task.cx.client.or(conn.peer).zip(*local).map(|(source, destination)| {
        let (source, destination) = same_family(source, destination);
        ProxiedAddress::stream(source, destination)
    });
    let mut out = Vec::with_capacity(128);
    match version {
        ProxyHeaderOut::V1 => {
            let is_written =
                addr.is_some_and(|addr| ProxyHeader::with_address(addr).encode_v1(&mut out).is_ok());
            if !is_written {
                out.clear();
                out.extend_from_slice(b"PROXY UNKNOWN\r\n");
            }
        }
        ProxyHeaderOut::V2 => {
            let mut tlvs = Vec::new();
            if let Some(tls) = &conn.tls {
                tlvs.extend(tls.alpn.as_ref().map(|alpn| Tlv::Alpn(alpn.to_vec().into())));
                tlvs.extend(tls.server_name.as_ref().map(|name| Tlv::Authority(name.to_string().into())));
            } else if let Some(name) = conn.layer4.as_ref().and_then(|layer4| layer4.asked_name()) {
                tlvs.push(Tlv::Authority(name.to_string().into()));
            }
            tlvs.push(Tlv::UniqueId(task.cx.request_id().to_vec().into()));
            tlvs.push(Tlv::Custom(CRC32C, vec![0; 4].into()));
            // Addresses and names have their bounds, so that it fits.
            if ProxyHeader::with_tlvs(addr, tlvs).encode_v2(&mut out).is_err() {
                out.clear();
            }
            if let Some(at) = checksum_at(&out) {
                let sum = crc32c(&out).to_be_bytes();
                if let Some(field) = out.get_mut(at..at + 4) {
                    field.copy_from_slice(&sum);
                }
            }
        }
    }
    out
}

/// Both as addresses of one family: an IPv4 address that met an IPv6 one is written as IPv6.
fn same_family(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let (source_ip, destination_ip) = (source.ip().to_canonical(), destination.ip().to_canonical());
    let mapped = |ip: std::net::IpAddr| match ip {
        std::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        ip => ip,
    };
    let (source_ip, destination_ip) = match source_ip.is_ipv4() == destination_ip.is_ipv4() {
        true => (source_ip, destination_ip),
        false => (mapped(source_ip), mapped(destination_ip)),
    };
    (SocketAddr::new(source_ip, source.port()), SocketAddr::new(destination_ip, destination.port()))
}

#[cfg(test)]
mod tests;
