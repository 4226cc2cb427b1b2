//! `host:port`, as it stands in a `Host` field or an absolute target.

use std::net::Ipv6Addr;

/// 65535 has five digits; more could only be zeros in front, which nobody writes.
const PORT_DIGITS_MAX: usize = 5;

/// Why bytes are no host with an optional port. The answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HostError {
    /// No host before the port, or nothing at all, or only a dot. RFC 9112 3.2 lets a `Host` field be empty
    /// where the target has no authority; that is for the caller to decide.
    #[error("the host is empty")]
    Empty,
    /// A byte that neither a name nor an IPv4 address has (RFC 3986 3.2.2 `reg-name`).
    #[error("the host has the byte 0x{0:02x}, which no host may have")]
    Byte(u8),
    /// `%` without two hexadecimal digits.
    #[error("the host has a `%` without two hexadecimal digits")]
    Escape,
    /// Two dots in a row or one in front, which some take for another host than others.
    #[error("the host has an empty label")]
    EmptyLabel,
    /// Brackets around something else than an IPv6 address. Zones and future versions are refused as well.
    #[error("the host is not an IPv6 address in brackets")]
    Ipv6,
    /// Not up to five digits that make at most 65535.
    #[error("the port is not a number up to 65535")]
    Port,
}

/// Divides `host[:port]` and checks both strictly (RFC 3986 3.2.2 and 3.2.3, no user info). The host keeps the
/// brackets of an IPv6 address, its case, and a dot at the end. `host:` with no digits has no port.
pub fn split_host_port(authority: &[u8]) -> Result<(&[u8], Option<u16>), HostError> {
    let (host, port) = match memchr::memrchr(b':', authority) {
        // In `[::1]` the last colon is part of the address.
        Some(at) if !authority[at..].contains(&b']') => (&authority[..at], parse_port(&authority[at + 1..])?),
        _ => (authority, None),
    };
    match host.first() {
        None => Err(HostError::Empty),
        Some(b'[') if is_ipv6_in_brackets(host) => Ok((host, port)),
        Some(b'[') => Err(HostError::Ipv6),
        Some(_) => check_name(host).map(|()| (host, port)),
    }
}

pub(super) fn is_ipv6_in_brackets(host: &[u8]) -> bool {
    let inner = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inner
        .and_then(|inner| std::str::from_utf8(inner).ok())
        .is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
}

fn parse_port(digits: &[u8]) -> Result<Option<u16>, HostError> {
    if digits.is_empty() {
        return Ok(None);
    }
    if digits.len() > PORT_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return Err(HostError::Port);
    }
    let port = digits.iter().fold(0_u32, |port, digit| port * 10 + u32::from(digit - b'0'));
    u16::try_from(port).map(Some).map_err(|_| HostError::Port)
}

fn check_name(host: &[u8]) -> Result<(), HostError> {
    let mut rest = host;
    // A dot in front is as bad as two in a row.
    let mut after_dot = true;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'.' if host.len() == 1 => return Err(HostError::Empty),
            b'.' if after_dot => return Err(HostError::EmptyLabel),
            b'%' => match tail {
                [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {}
                _ => return Err(HostError::Escape),
            },
            _ if is_name_byte(byte) => {}
            _ => return Err(HostError::Byte(byte)),
        }
        after_dot = byte == b'.';
    }
    Ok(())
}

/// RFC 3986 2.2 and 2.3, `unreserved` and `sub-delims`.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}
