//! The beginning of a connection that should be TLS: whether it is, and whom the client names (RFC 8446 4.1.2,
//! RFC 6066 3). Pure: bytes in, facts out; nothing of it is trusted before the handshake.

/// 16 KiB: a client's first message at most. Those with post-quantum keys and a ticket have 2 to 4.
pub const HELLO_BYTES_MAX: usize = 16 * 1024;

/// What the first bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// More must come.
    Partial,
    /// No TLS: what a client sends that speaks HTTP in plain text, or noise.
    Foreign,
    /// A whole ClientHello.
    Hello(Hello),
}

/// What a ClientHello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Whom the client names, in lower case.
    pub server_name: Option<String>,
    /// Cipher suites it knows.
    pub suites: Vec<u16>,
    /// Groups it knows.
    pub groups: Vec<u16>,
    /// Protocols it speaks, in its order.
    pub alpn: Vec<Vec<u8>>,
    /// The highest version it speaks, as it stands on the wire.
    pub version: u16,
}

/// Reads what has come so far.
pub fn read(bytes: &[u8]) -> First {
    let mut message = Vec::new();
    let mut rest = bytes;
    // The message may lie in several records (RFC 8446 5.1). Bounded: every turn takes a record.
    loop {
        let (Some(kind), Some(major)) = (rest.first(), rest.get(1)) else {
            return partial(rest.first().is_none_or(|&kind| kind == HANDSHAKE), bytes.len());
        };
        if *kind != HANDSHAKE || *major != 3 {
            return First::Foreign;
        }
        let Some(len) = rest.get(3..5).map(number) else { return partial(true, bytes.len()) };
        if len == 0 || len > RECORD_BYTES_MAX {
            return First::Foreign;
        }
        let part = rest.get(5..).unwrap_or_default();
        message.extend_from_slice(part.get(..len).unwrap_or(part));
        if message.first().is_some_and(|&kind| kind != CLIENT_HELLO) {
            return First::Foreign;
        }
        if let Some(len) = message.get(1..4).map(number) {
            if len > HELLO_BYTES_MAX {
                return First::Foreign;
            }
            if let Some(body) = message.get(4..4 + len) {
                return hello(body).map_or(First::Foreign, First::Hello);
            }
        }
        match part.get(len..) {
            Some(next) => rest = next,
            None => return partial(true, bytes.len()),
        }
    }
}

/// `handshake` of RFC 8446 5.1.
const HANDSHAKE: u8 = 22;
/// `client_hello` of RFC 8446 4.
const CLIENT_HELLO: u8 = 1;
/// What a record of plain text has at most (RFC 8446 5.1).
const RECORD_BYTES_MAX: usize = 16 * 1024;

fn partial(may_be: bool, len: usize) -> First {
    match may_be && len < 2 * HELLO_BYTES_MAX {
        true => First::Partial,
        false => First::Foreign,
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
}

/// Bytes that are taken from the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// A field that begins with its length in so many bytes.
    fn field(&mut self, len_bytes: usize) -> Option<&'a [u8]> {
        let len = number(self.take(len_bytes)?);
        self.take(len)
    }
}

fn hello(body: &[u8]) -> Option<Hello> {
    let mut body = Cursor(body);
    let version = number(body.take(2)?) as u16;
    body.take(32)?;
    body.field(1)?;
    let mut hello = Hello { suites: pairs(body.field(2)?), version, ..Hello::default() };
    body.field(1)?;
    // TLS 1.2 knows a hello without extensions.
    let mut extensions = Cursor(body.field(2).unwrap_or_default());
    while !extensions.0.is_empty() {
        let kind = number(extensions.take(2)?);
        let value = Cursor(extensions.field(2)?);
        match kind {
            0 => hello.server_name = server_name(value),
            10 => hello.groups = Cursor(value.0).field(2).map(pairs).unwrap_or_default(),
            // RFC 8446 4.2.1; those that are made up to test us (RFC 8701) are far above.
            43 => {
                let offered = Cursor(value.0).field(1).map(pairs).unwrap_or_default();
                let known = offered.into_iter().filter(|version| *version <= 0x0304);
                hello.version = known.max().unwrap_or(version);
            }
            16 => hello.alpn = alpn(value).unwrap_or_default(),
            _ => {}
        }
    }
    Some(hello)
}

/// What `$ssl_protocol` calls a version.
pub fn version_name(version: u16) -> &'static str {
    match version {
        0x0300 => "SSLv3",
        0x0301 => "TLSv1",
        0x0302 => "TLSv1.1",
        0x0303 => "TLSv1.2",
        0x0304 => "TLSv1.3",
        _ => "",
    }
}

fn pairs(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect()
}

fn server_name(mut value: Cursor<'_>) -> Option<String> {
    let mut list = Cursor(value.field(2)?);
    while !list.0.is_empty() {
        let kind = list.take(1)?;
        let name = list.field(2)?;
        if kind == [0] {
            let name = name.strip_suffix(b".").unwrap_or(name);
            let is_name = !name.is_empty() && name.len() <= 253 && name.iter().all(|b| b.is_ascii_graphic());
            return is_name.then(|| String::from_utf8_lossy(name).to_ascii_lowercase());
        }
    }
    None
}

fn alpn(mut value: Cursor<'_>) -> Option<Vec<Vec<u8>>> {
    let mut list = Cursor(value.field(2)?);
    let mut names = Vec::new();
    while !list.0.is_empty() {
        names.push(list.field(1)?.to_vec());
    }
    Some(names)
}

#[cfg(test)]
mod tests;
