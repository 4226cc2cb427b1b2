//! Where an endpoint is: as configured (which may be a name) and as dialled (which may not).

use bifrons_config::problem::HELP_MARK;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// What a connection is made to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndpointAddr {
    /// IP address and port.
    Inet(SocketAddr),
    /// Path of a Unix stream socket.
    Unix(PathBuf),
}

impl fmt::Display for EndpointAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for EndpointAddr {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}

/// An address as configured: `10.0.1.10:3000`, `[fd00::1]:3000`, `app.local:3000` or `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// IP address and port.
    Inet(SocketAddr),
    /// A DNS name and port, to be resolved; each of its addresses becomes an endpoint.
    Name {
        /// Lower case, without a final dot.
        host: Box<str>,
        /// Never 0.
        port: u16,
    },
    /// Path of a Unix stream socket; absolute.
    Unix(PathBuf),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// What is wrong, naming the text.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl AddressError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.message, self.help)
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// The name and port to resolve, where it is a name.
    pub fn to_resolve(&self) -> Option<(&str, u16)> {
        match self {
            Self::Name { host, port } => Some((host, *port)),
            Self::Inet(_) | Self::Unix(_) => None,
        }
    }

    /// The address to dial, where no name has to be resolved first.
    pub fn endpoint(&self) -> Option<EndpointAddr> {
        match self {
            Self::Inet(addr) => Some(EndpointAddr::Inet(*addr)),
            Self::Unix(path) => Some(EndpointAddr::Unix(path.clone())),
            Self::Name { .. } => None,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path);
        }
        if text.contains("://") || text.contains('/') {
            return Err(AddressError::new(
                format!("address \"{text}\" is a URL or a path"),
                "write \"host:port\", or \"unix:/path\" for a Unix socket",
            ));
        }
        if let Ok(ip) = text.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
            return Err(missing_port(text, &format!("[{ip}]")));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(missing_port(text, text));
        };
        let port = port_number(text, host, port)?;
        if let Some(ip) = literal(host) {
            return Ok(Self::Inet(SocketAddr::new(ip, port)));
        }
        Ok(Self::Name { host: name(text, host)?, port })
    }
}

/// `unix:PATH`.
fn unix(path: &str) -> Result<Address, AddressError> {
    if !path.starts_with('/') {
        return Err(AddressError::new(
            format!("the socket's path \"{path}\" is not absolute"),
            "write \"unix:/path/to/socket\"",
        ));
    }
    Ok(Address::Unix(PathBuf::from(path)))
}

/// The IP address that `host` spells, with brackets if it is IPv6.
fn literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse().ok(),
    }
}

fn missing_port(text: &str, host: &str) -> AddressError {
    if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        return AddressError::new(
            format!("\"{text}\" is no address"),
            format!("the environment's variable is \"${{env:{name}}}\""),
        );
    }
    AddressError::new(format!("address \"{text}\" has no port"), format!("write \"{host}:80\""))
}

fn port_number(text: &str, host: &str, port: &str) -> Result<u16, AddressError> {
    if port.is_empty() {
        return Err(missing_port(text, host));
    }
    // `u16::from_str` takes a sign, a port has none.
    match port.parse::<u16>() {
        Ok(number) if number > 0 && !port.starts_with('+') => Ok(number),
        _ => Err(AddressError::new(
            format!("\"{port}\" in address \"{text}\" is no port"),
            format!("a port is a number from 1 to 65535, as in \"{host}:80\""),
        )),
    }
}

/// A DNS name in lower case, without a final dot. Underscores are taken: container names have them.
fn name(text: &str, host: &str) -> Result<Box<str>, AddressError> {
    /// RFC 1035 2.3.4.
    const NAME_BYTES_MAX: usize = 253;
    const LABEL_BYTES_MAX: usize = 63;
    let host = host.strip_suffix('.').unwrap_or(host);
    let label_is_good = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(known)
    };
    // All digits and dots that is no IPv4 address is a slip (`10.0.1:80`), never a name.
    let numeric = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if numeric || host.len() > NAME_BYTES_MAX || !host.split('.').all(label_is_good) {
        return Err(AddressError::new(
            format!("\"{host}\" in address \"{text}\" is neither an IP address nor a host name"),
            "write \"10.0.1.10:3000\", \"[fd00::1]:3000\", \"app.local:3000\" or \"unix:/path\"",
        ));
    }
    Ok(host.to_ascii_lowercase().into())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Address;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"10.0.1.10:3000\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Address, E> {
                parse(text)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Parses for serde.
pub(crate) fn parse<E: de::Error>(text: &str) -> Result<Address, E> {
    text.parse()
        .map_err(|error: AddressError| E::custom(format_args!("{}{HELP_MARK}{}", error.message, error.help)))
}

impl JsonSchema for Address {
    fn schema_name() -> Cow<'static, str> {
        "Address".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "`ip:port`, `[v6]:port`, `name:port` or `unix:/path`.",
            "examples": ["10.0.1.10:3000", "app.local:3000", "unix:/run/app.sock"],
        })
    }
}

#[cfg(test)]
mod tests;
