//! The header of a connection that we make on a client's behalf.

use super::{TCP4, TCP6, V2, V2_FIXED, checksum};
use crate::request::Task;
use bifrons_http::told::SSL;
use bifrons_http::{ConnFacts, TlsFacts};
use bifrons_model::ProxyHeaderOut;
use std::net::{IpAddr, SocketAddr};

/// Types of facts (2.2).
const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const UNIQUE_ID: u8 = 0x05;
const SSL_VERSION: u8 = 0x21;
const SSL_CN: u8 = 0x22;
const SSL_CIPHER: u8 = 0x23;
/// What is said of the client's TLS (2.2.6): that there is any, and a certificate on this connection or in the
/// session that it belongs to.
const CLIENT_SSL: u8 = 0x01;
const CLIENT_CERT_CONN: u8 = 0x02;
const CLIENT_CERT_SESS: u8 = 0x04;

/// The header for a connection that serves this request.
pub fn write(version: ProxyHeaderOut, task: &Task<'_>) -> Vec<u8> {
    let conn = &task.cx.conn;
    let local = conn.local.get_or_init(|| task.conn.http.stream().local_addr());
    let addresses = task.cx.client.or(conn.peer).zip(*local).map(same_family);
    match version {
        ProxyHeaderOut::V1 => version_1(addresses),
        ProxyHeaderOut::V2 => version_2(addresses, conn, task.cx.request_id()),
    }
}

fn version_1(addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let Some((source, destination)) = addresses else { return b"PROXY UNKNOWN\r\n".to_vec() };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into_bytes()
}

fn version_2(addresses: Option<(SocketAddr, SocketAddr)>, conn: &ConnFacts, id: &[u8]) -> Vec<u8> {
    let mut out = V2.to_vec();
    // Of a client without an address of the Internet the rest is told all the same.
    out.push(0x21);
    out.push(match addresses {
        Some((source, _)) if source.is_ipv4() => TCP4,
        Some(_) => TCP6,
        None => 0,
    });
    out.extend_from_slice(&[0; 2]);
    if let Some((source, destination)) = addresses {
        for ip in [source.ip(), destination.ip()] {
            match ip {
                IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
            }
        }
        out.extend_from_slice(&source.port().to_be_bytes());
        out.extend_from_slice(&destination.port().to_be_bytes());
    }
    let facts_at = out.len();
    if let Some(tls) = &conn.tls {
        tls.alpn.iter().for_each(|alpn| fact(&mut out, ALPN, alpn));
        tls.server_name.iter().for_each(|name| fact(&mut out, AUTHORITY, name.as_bytes()));
        fact(&mut out, SSL, &of_tls(tls));
    } else if let Some(name) = conn.layer4.as_ref().and_then(|layer4| layer4.asked_name()) {
        fact(&mut out, AUTHORITY, name.as_bytes());
    }
    fact(&mut out, UNIQUE_ID, id);
    fact(&mut out, checksum::CRC32C, &[0; 4]);
    let rest = u16::try_from(out.len() - V2_FIXED).unwrap_or(u16::MAX);
    if let Some(len) = out.get_mut(V2_FIXED - 2..V2_FIXED) {
        len.copy_from_slice(&rest.to_be_bytes());
    }
    checksum::fill_in(&mut out, facts_at);
    out
}

/// Appends one. Names and their like have their bounds: 255 bytes, most of them.
fn fact(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let Ok(len) = u16::try_from(value.len()) else { return };
    out.push(kind);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(value);
}

/// What is known of the client's TLS.
fn of_tls(tls: &TlsFacts) -> Vec<u8> {
    let certificate = match (&tls.client, tls.is_resumed) {
        (None, _) => 0,
        (Some(_), false) => CLIENT_CERT_CONN | CLIENT_CERT_SESS,
        (Some(_), true) => CLIENT_CERT_SESS,
    };
    // 0 where a certificate was shown and is good.
    let verdict = u32::from(&*tls.verify != "SUCCESS");
    let mut out = vec![CLIENT_SSL | certificate];
    out.extend_from_slice(&verdict.to_be_bytes());
    fact(&mut out, SSL_VERSION, tls.protocol.as_bytes());
    if let Some(name) = tls.client.as_ref().and_then(|client| common_name(&client.subject)) {
        fact(&mut out, SSL_CN, name.as_bytes());
    }
    fact(&mut out, SSL_CIPHER, tls.cipher.as_bytes());
    out
}

/// The common name of a subject (RFC 2253), as it is written there.
fn common_name(subject: &str) -> Option<String> {
    let at = match subject.starts_with("CN=") {
        true => 3,
        false => subject.find(",CN=").or_else(|| subject.find("+CN=")).map(|at| at + 4)?,
    };
    let mut name = String::new();
    let mut chars = subject.get(at..)?.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.extend(chars.next()),
            ',' | '+' => break,
            c => name.push(c),
        }
    }
    Some(name)
}

/// Both as addresses of one family: an IPv4 address that met an IPv6 one is written as IPv6.
fn same_family((source, destination): (SocketAddr, SocketAddr)) -> (SocketAddr, SocketAddr) {
    let (source_ip, destination_ip) = (source.ip().to_canonical(), destination.ip().to_canonical());
    let mapped = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        ip => ip,
    };
    let (source_ip, destination_ip) = match source_ip.is_ipv4() == destination_ip.is_ipv4() {
        true => (source_ip, destination_ip),
        false => (mapped(source_ip), mapped(destination_ip)),
    };
    (SocketAddr::new(source_ip, source.port()), SocketAddr::new(destination_ip, destination.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names() {
        for (subject, name) in [
            ("CN=anna", Some("anna")),
            ("O=One\\, Two,CN=anna\\+bert,C=DE", Some("anna+bert")),
            ("O=a+CN=b", Some("b")),
            ("O=Nobody", None),
            ("", None),
        ] {
            assert_eq!(common_name(subject).as_deref(), name, "{subject}");
        }
    }
}
