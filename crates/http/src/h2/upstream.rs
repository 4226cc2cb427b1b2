//! Heads towards endpoints of HTTP/2 and back (RFC 9113 8): without a detour over the text of HTTP/1, for what
//! goes out was parsed, and what comes in was looked at by the `h2` crate.

use super::websocket::{self, KEY};
use crate::h1::chunked::is_forbidden_trailer;
use crate::h1::parse::{self, Parsed};
use crate::h1::write::Delimit;
use crate::head::{RequestHead, ResponseHead, Version};
use crate::headers::{Fields, Headers};
use crate::name::Name;
use bifrons_core::{Error, Kind, Limits, Result, Side};
use h2::ext::Protocol;
use http::header::{CONTENT_LENGTH, HeaderValue, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, Method, Request, Uri};

/// What a request's head needs besides the request itself.
#[derive(Clone, Copy, Debug)]
pub struct ToEndpoint<'a> {
    /// The value of `:authority`, as it would be that of `Host`.
    pub host: &'a [u8],
    /// Whether the connection is encrypted.
    pub is_secure: bool,
    /// The body; only its length is ever said.
    pub delimit: Delimit,
    /// Whether `Expect` is passed on.
    pub expect: bool,
    /// Whether an upgrade to a WebSocket goes out as extended CONNECT (RFC 8441 4).
    pub opens_websocket: bool,
}

/// A request's head for an endpoint, and about how many bytes it has. Fields that concern a connection of HTTP/1
/// are left out but for `te: trailers` (RFC 9113 8.2.2).
///
/// # Errors
/// `Malformed` where the target or the host is one that HTTP/2 can't carry.
pub fn request(head: &RequestHead, to: &ToEndpoint<'_>) -> Result<(Request<()>, u64)> {
    let mut request = Request::new(());
    *request.method_mut() =
        Method::from_bytes(head.method_text()).map_err(|_| refused("a method that HTTP/2 has not"))?;
    if to.opens_websocket {
        *request.method_mut() = Method::CONNECT;
        request.extensions_mut().insert(Protocol::from_static(websocket::PROTOCOL));
    }
    *request.version_mut() = http::Version::HTTP_2;
    *request.uri_mut() = uri(head, to)?;
    let fields = request.headers_mut();
    fields.reserve(head.headers.len() + 2);
    let keeps_length = to.delimit == Delimit::AsIs;
    let mut bytes = 64 + head.target().len() + to.host.len();
    for (id, name, value) in head.headers.iter() {
        let keeps = match id {
            // RFC 8441 5: keys have no place there.
            Name::Other => !(to.opens_websocket && name.eq_ignore_ascii_case(KEY.as_bytes())),
            Name::ContentLength => keeps_length,
            Name::Host => false,
            Name::Expect => to.expect,
            id => !id.is_hop_by_hop(),
        };
        if keeps {
            bytes += name.len() + value.len() + 4;
            append(fields, name, value);
        }
    }
    // RFC 9110 10.1.4: what we relay trailers of may send them.
    if head.headers.lists(Name::Te, "trailers") {
        fields.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Delimit::Length(len) = to.delimit {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(len));
    }
    Ok((request, bytes as u64))
}

fn uri(head: &RequestHead, to: &ToEndpoint<'_>) -> Result<Uri> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if to.is_secure { Scheme::HTTPS } else { Scheme::HTTP });
    let path = PathAndQuery::try_from(head.target())
        .or_else(|_| PathAndQuery::try_from(escaped(head.target()).as_slice()));
    parts.path_and_query = Some(path.map_err(|_| refused("a target that HTTP/2 can't carry"))?);
    // A Unix socket is nobody's name, and `:authority` must be one.
    let host = if to.host.is_empty() || to.host.starts_with(b"unix:") { b"localhost" } else { to.host };
    parts.authority = Some(Authority::try_from(host).map_err(|_| refused("a host that HTTP/2 can't carry"))?);
    Uri::from_parts(parts).map_err(|_| refused("a target that HTTP/2 can't carry"))
}

/// Clients send these bytes as they are, and the `http` crate takes some of them only as RFC 3986 2.1 wants them.
fn escaped(target: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(target.len() + 32);
    for &byte in target {
        if matches!(byte, b'"' | b'<' | b'>' | b'`') || byte >= 0x80 {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        } else {
            out.push(byte);
        }
    }
    out
}

fn refused(reason: &'static str) -> Error {
    Error::downstream(Kind::Malformed, reason)
}

/// The head of an endpoint's answer.
///
/// # Errors
/// `HeadTooLarge` beyond the limits.
pub fn response(status: u16, fields: &HeaderMap, limits: &Limits) -> Result<ResponseHead> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(b"HTTP/2.0 ");
    let mut digits = itoa::Buffer::new();
    text.extend_from_slice(digits.format(status).as_bytes());
    text.extend_from_slice(b" \r\n");
    let mut found = Fields::new();
    // As a received head lies in its buffer, so that it can be written out in long runs.
    for (name, value) in fields {
        let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
        let at = text.len();
        text.extend_from_slice(name);
        text.extend_from_slice(b": ");
        let value_at = text.len();
        text.extend_from_slice(value);
        let value_end = text.len();
        text.extend_from_slice(b"\r\n");
        if found.len() >= limits.fields
            || text.len() > limits.head_bytes
            || name.len() > usize::from(u16::MAX)
        {
            return Err(Error::upstream(Kind::HeadTooLarge, "an answer's head beyond the limits"));
        }
        found.push(Name::of(name), at..at + name.len(), value_at..value_end);
    }
    text.extend_from_slice(b"\r\n");
    let headers = Headers::of(&text, found);
    Ok(ResponseHead { status, reason: 0..0, headers, version: Version::Http20 })
}

/// Trailer fields for an endpoint.
pub fn trailers_to(trailers: &Headers) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(trailers.len());
    for (id, name, value) in trailers.iter() {
        if id == Name::Other || !id.is_hop_by_hop() && id != Name::ContentLength {
            append(&mut fields, name, value);
        }
    }
    fields
}

/// Trailer fields of an endpoint, read by the parser of HTTP/1 as heads are.
///
/// # Errors
/// What that parser refuses.
pub fn trailers(fields: &HeaderMap, limits: &Limits, side: Side) -> Result<Headers> {
    let mut text = Vec::with_capacity(256);
    for (name, value) in fields {
        field(&mut text, name.as_str().as_bytes(), value.as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    let strict = Limits { lone_lf: false, ..*limits };
    match parse::trailers(&text, &strict, side)? {
        Parsed::Head(mut trailers, len) if len == text.len() => {
            trailers.remove_where(|name, _| is_forbidden_trailer(name));
            Ok(trailers)
        }
        _ => Err(Error::of(side, Kind::Malformed, "trailers that are none of HTTP/1")),
    }
}

/// A field that HTTP/2 can carry; every name and value of ours is one, for they were parsed.
fn append(fields: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
        fields.append(name, value);
    }
}

fn field(text: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    text.extend_from_slice(name);
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
