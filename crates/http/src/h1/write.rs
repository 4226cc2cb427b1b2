//! From a head to bytes (RFC 9112 2-4), in one unambiguous form: CRLF line ends, fields that concern one
//! connection replaced by ours, one statement of the body's length.

use crate::date;
use crate::head::{Method, RequestHead, ResponseHead, Version};
use crate::headers::{Headers, list_members};
use crate::name::Name;
use crate::status::is_bodiless;
use bytes::Bytes;

/// How the body behind a head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimit {
    /// The head's own fields say it already.
    AsIs,
    /// There is no body, and nothing is said about one.
    Nothing,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// What a head says about the connection it goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persist<'a> {
    /// It stays, and that goes without saying.
    Implied,
    /// It stays, and is said to (HTTP/1.0).
    KeepAlive,
    /// It stays, and is said to, with the value of `Keep-Alive`.
    KeepAliveFor(&'a str),
    /// It closes after this message.
    Close,
    /// It switches protocols.
    Upgrade,
    /// What the route says of it, to an upstream; an empty value is not sent.
    Said {
        /// The value of `Connection`.
        connection: &'a [u8],
        /// The value of `Upgrade`.
        upgrade: &'a [u8],
    },
}

/// What an upstream head needs besides the request itself.
#[derive(Clone, Copy, Debug)]
pub struct ToUpstream<'a> {
    /// The version to speak.
    pub version: Version,
    /// The `Host` field's value; none is sent where it is empty and the version is 1.0.
    pub host: &'a [u8],
    /// The body.
    pub delimit: Delimit,
    /// The connection.
    pub persist: Persist<'a>,
    /// Whether `Expect` is passed on.
    pub expect: bool,
}

/// Writes a request's head for an upstream.
pub fn request(out: &mut Vec<u8>, head: &RequestHead, to: &ToUpstream<'_>) {
    out.extend_from_slice(head.method_text());
    out.push(b' ');
    out.extend_from_slice(head.target());
    out.push(b' ');
    out.extend_from_slice(to.version.text().as_bytes());
    out.extend_from_slice(b"\r\n");
    if !to.host.is_empty() || to.version == Version::Http11 {
        field(out, "Host", to.host);
    }
    let delimited = exact(to.delimit, &head.headers);
    let keep_length = delimited == Delimit::AsIs;
    head.headers.write(out, |name, _| match name {
        Name::Other => true,
        Name::ContentLength => keep_length,
        Name::Host => false,
        Name::Expect => to.expect,
        name => !name.is_hop_by_hop(),
    });
    match to.persist {
        Persist::Upgrade => {
            if let Some(protocol) = head.headers.get(Name::Upgrade) {
                out.extend_from_slice(b"Connection: upgrade\r\n");
                field(out, "Upgrade", protocol);
            }
        }
        Persist::Said { connection, upgrade } => {
            for (name, value) in [("Connection", connection), ("Upgrade", upgrade)] {
                if !value.is_empty() {
                    field(out, name, value);
                }
            }
        }
        // RFC 9110 10.1.4: what we relay trailers of may send them.
        Persist::Implied if head.headers.lists(Name::Te, "trailers") => {
            out.extend_from_slice(b"Connection: TE\r\nTE: trailers\r\n");
        }
        persist => connection(out, persist),
    }
    delimit(out, delimited);
    out.extend_from_slice(b"\r\n");
}

/// What a downstream head needs besides the response itself.
#[derive(Clone, Copy, Debug)]
pub struct ToDownstream<'a> {
    /// The body.
    pub delimit: Delimit,
    /// The connection.
    pub persist: Persist<'a>,
    /// The `Server` field.
    pub server: Server<'a>,
}

/// What becomes of the `Server` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server<'a> {
    /// It stays as it is.
    Pass,
    /// It is removed.
    Off,
    /// It is this.
    Set(&'a str),
}

/// Writes a response's head for a client. The version is always ours (RFC 9112 2.3).
pub fn response(out: &mut Vec<u8>, head: &ResponseHead, to: &ToDownstream<'_>) {
    status_line(out, head);
    let delimited = exact(to.delimit, &head.headers);
    let keep_length = delimited == Delimit::AsIs;
    let mut dated = false;
    head.headers.write(out, |name, _| match name {
        Name::Other => true,
        Name::ContentLength => keep_length,
        Name::Server => to.server == Server::Pass,
        Name::Date => !std::mem::replace(&mut dated, true),
        name => !name.is_hop_by_hop(),
    });
    if !dated && head.status >= 200 {
        // RFC 9110 6.6.1: a recipient with a clock adds it.
        out.extend_from_slice(b"Date: ");
        date::write_now(out);
        out.extend_from_slice(b"\r\n");
    }
    if let Server::Set(server) = to.server {
        field(out, "Server", server.as_bytes());
    }
    if to.persist == Persist::Upgrade {
        out.extend_from_slice(b"Connection: upgrade\r\n");
        if let Some(protocol) = head.headers.get(Name::Upgrade) {
            field(out, "Upgrade", protocol);
        }
    } else {
        connection(out, to.persist);
    }
    delimit(out, delimited);
    out.extend_from_slice(b"\r\n");
}

/// Writes an interim response (1xx, RFC 9110 15.2): its fields as they are but for `Server`, no framing.
pub fn interim(out: &mut Vec<u8>, head: &ResponseHead, server: Server<'_>) {
    status_line(out, head);
    head.headers.write(out, |name, _| match name {
        Name::ContentLength => false,
        Name::Server => server == Server::Pass,
        name => !name.is_hop_by_hop(),
    });
    if let Server::Set(server) = server {
        field(out, "Server", server.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn status_line(out: &mut Vec<u8>, head: &ResponseHead) {
    out.extend_from_slice(b"HTTP/1.1 ");
    let mut status = itoa::Buffer::new();
    out.extend_from_slice(status.format(head.status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.reason());
    out.extend_from_slice(b"\r\n");
}

fn connection(out: &mut Vec<u8>, persist: Persist<'_>) {
    match persist {
        Persist::KeepAlive => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        Persist::KeepAliveFor(told) => {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
            field(out, "Keep-Alive", told.as_bytes());
        }
        Persist::Close => out.extend_from_slice(b"Connection: close\r\n"),
        Persist::Implied | Persist::Upgrade | Persist::Said { .. } => {}
    }
}

/// A length with zeros before it is written anew: what is decimal for one parser is octal for another.
fn exact(delimit: Delimit, headers: &Headers) -> Delimit {
    match (delimit, headers.get(Name::ContentLength)) {
        (Delimit::AsIs, Some(value @ [b'0', _, ..])) => {
            super::framing::parse_length(value).map_or(Delimit::AsIs, Delimit::Length)
        }
        _ => delimit,
    }
}

fn delimit(out: &mut Vec<u8>, delimit: Delimit) {
    match delimit {
        Delimit::Length(len) => {
            let mut digits = itoa::Buffer::new();
            field(out, "Content-Length", digits.format(len).as_bytes());
        }
        Delimit::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Delimit::AsIs | Delimit::Nothing | Delimit::Close => {}
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// How a response's body is delimited towards a client of that version.
pub fn response_delimit(head: &ResponseHead, method: Method, len: Option<u64>, client: Version) -> Delimit {
    if head.status < 200 || head.status == 204 {
        // RFC 9110 8.6: no Content-Length in these.
        return Delimit::Nothing;
    }
    let announced = head.headers.get(Name::ContentLength);
    if method == Method::Head || is_bodiless(head.status) {
        // What a GET would have had, if the origin said so or the body is ours (RFC 9110 9.3.2).
        return match (announced, len) {
            (Some(_), _) => Delimit::AsIs,
            (None, Some(len @ 1..)) if !is_bodiless(head.status) => Delimit::Length(len),
            _ => Delimit::Nothing,
        };
    }
    match (len, client) {
        (Some(_), _) if announced.is_some() => Delimit::AsIs,
        (Some(len), _) => Delimit::Length(len),
        (None, Version::Http11 | Version::Http20) => Delimit::Chunked,
        (None, Version::Http10) => Delimit::Close,
    }
}

/// Removes the fields that the `Connection` field names (RFC 9110 7.6.1), but never those the proxy's
/// own work depends on, nor those that were added since: a peer must not strip what we add or route by.
pub fn strip_connection_named(headers: &mut Headers) {
    if !headers.saw_any(Name::Connection.bit()) {
        return;
    }
    let is_usual = headers
        .originals(Name::Connection)
        .all(|value| value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close"));
    if is_usual {
        return;
    }
    let named: Vec<Vec<u8>> = headers
        .originals(Name::Connection)
        .flat_map(list_members)
        .filter(|&member| !is_protected(Name::of(member), member))
        .map(<[u8]>::to_ascii_lowercase)
        .collect();
    headers.remove_received_where(|_, name| named.iter().any(|member| member.eq_ignore_ascii_case(name)));
}

fn is_protected(id: Name, name: &[u8]) -> bool {
    use Name as N;
    matches!(
        id,
        N::Host
            | N::ContentLength
            | N::TransferEncoding
            | N::Connection
            | N::Upgrade
            | N::Te
            | N::Forwarded
            | N::Via
            | N::XForwardedFor
            | N::XForwardedHost
            | N::XForwardedPort
            | N::XForwardedProto
            | N::XRealIp
            | N::XRequestId
            | N::Traceparent
            | N::Authorization
            | N::Cookie
            | N::SetCookie
            | N::CacheControl
            | N::ContentType
            | N::ContentEncoding
            | N::ContentRange
            | N::Trailer
            | N::Date
    ) || name.eq_ignore_ascii_case(b"close")
        || name.eq_ignore_ascii_case(b"keep-alive")
}

/// The end of a chunked body: the last chunk and the trailer section.
pub fn chunked_end(out: &mut Vec<u8>, trailers: Option<&Headers>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        trailers.write(out, |_, _| true);
    }
    out.extend_from_slice(b"\r\n");
}

/// 4 KiB: about where a copy costs as much as the kernel's handling of another iovec.
pub const SMALL_BYTES: usize = 4 * 1024;

/// Whether a piece is so small that copying it behind the head is cheaper than a second slice.
pub fn is_small(piece: &Bytes) -> bool {
    piece.len() <= SMALL_BYTES
}

#[cfg(test)]
mod tests;
