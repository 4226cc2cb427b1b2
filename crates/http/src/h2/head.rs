//! Heads from HTTP/2 to ours and back (RFC 9113 8).
//!
//! A request's is written as one of HTTP/1.1 and read by the parser of those: what is refused there is
//! refused here, and nothing that both could read differently gets through.

use super::websocket;
use crate::date;
use crate::h1::chunked::is_forbidden_trailer;
use crate::h1::parse::{self, Parsed};
use crate::h1::write::Server;
use crate::head::{Method, RequestHead, ResponseHead, Version};
use crate::headers::Headers;
use crate::name::Name;
use bifrons_core::{Error, Kind, Limits, Result, Side};
use http::header::{COOKIE, HOST, SEC_WEBSOCKET_KEY};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

/// What a client asks for.
pub struct Asked {
    /// The head.
    pub head: RequestHead,
    /// How many bytes it has.
    pub bytes: u64,
    /// The key of a WebSocket that it opens (RFC 8441): then the head is the one of its upgrade.
    pub websocket: Option<websocket::Key>,
}

/// The head of a request.
///
/// # Errors
/// What the parser of HTTP/1 refuses; `Malformed` where `:authority` and `Host` differ (RFC 9113 8.3.1);
/// `Method` for protocols over CONNECT that we don't know.
pub fn request(parts: &Parts, limits: &Limits) -> Result<Asked> {
    let fields = &parts.headers;
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    let mut hosts = fields.get_all(HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(malformed("several Host fields"));
    }
    let authority = match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            return Err(malformed(":authority and Host differ"));
        }
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return Err(malformed("neither :authority nor Host")),
    };
    if authority.contains(&b'@') {
        return Err(malformed("an :authority with user information"));
    }
    let protocol = parts.extensions.get::<h2::ext::Protocol>();
    let websocket = protocol.filter(|it| it.as_str().eq_ignore_ascii_case(websocket::PROTOCOL));
    let websocket = websocket.map(|_| websocket::Key::made());
    if protocol.is_some() && websocket.is_none() {
        return Err(Error::downstream(Kind::Method, "CONNECT for another protocol than WebSocket"));
    }
    let is_connect = parts.method == http::Method::CONNECT && websocket.is_none();
    let target = match parts.uri.path_and_query() {
        _ if is_connect => authority,
        Some(target) => target.as_str().as_bytes(),
        None => b"/",
    };
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(if websocket.is_some() { b"GET" } else { parts.method.as_str().as_bytes() });
    text.push(b' ');
    text.extend_from_slice(target);
    text.extend_from_slice(b" HTTP/1.1\r\n");
    field(&mut text, b"host", authority);
    for (name, value) in fields {
        // They may come in several fields, one for each (RFC 9113 8.2.3).
        let is_ours = *name == SEC_WEBSOCKET_KEY && websocket.is_some();
        if *name != HOST && *name != COOKIE && !is_ours {
            field(&mut text, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    let mut cookies = fields.get_all(COOKIE).iter();
    if let Some(first) = cookies.next() {
        text.extend_from_slice(b"cookie: ");
        text.extend_from_slice(first.as_bytes());
        for more in cookies {
            text.extend_from_slice(b"; ");
            text.extend_from_slice(more.as_bytes());
        }
        text.extend_from_slice(b"\r\n");
    }
    if let Some(key) = &websocket {
        field(&mut text, b"connection", b"upgrade");
        field(&mut text, b"upgrade", b"websocket");
        field(&mut text, b"sec-websocket-key", key.as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    let strict = Limits { lone_lf: false, ..*limits };
    match parse::request(&text, &strict)? {
        Parsed::Head(mut head, len) if len == text.len() => {
            head.version = Version::Http20;
            Ok(Asked { head, bytes: len as u64, websocket })
        }
        _ => Err(malformed("a head that is none of HTTP/1")),
    }
}

fn field(text: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    text.extend_from_slice(name);
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

fn malformed(reason: &'static str) -> Error {
    Error::downstream(Kind::Malformed, reason)
}

/// The head of an answer. Fields that concern a connection of HTTP/1 are left out (RFC 9113 8.2.2);
/// `len`: bytes of the body where they are known and no field says it.
pub fn response(
    head: &ResponseHead,
    server: Server<'_>,
    len: Option<u64>,
    keeps_length: bool,
) -> Response<()> {
    let mut res = Response::new(());
    *res.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = res.headers_mut();
    fields.reserve(head.headers.len() + 3);
    for (id, name, value) in head.headers.iter() {
        let keeps = match id {
            Name::Other => true,
            Name::ContentLength => keeps_length,
            Name::Server => server == Server::Pass,
            Name::Date => !fields.contains_key(http::header::DATE),
            id => !id.is_hop_by_hop(),
        };
        if keeps {
            append(fields, name, value);
        }
    }
    if head.status >= 200 {
        if !fields.contains_key(http::header::DATE) {
            let mut now = Vec::with_capacity(32);
            date::write_now(&mut now);
            append(fields, b"date", &now);
        }
        if let Server::Set(server) = server {
            append(fields, b"server", server.as_bytes());
        }
        if let Some(len) = len {
            fields.insert(http::header::CONTENT_LENGTH, HeaderValue::from(len));
        }
    }
    res
}

/// Trailer fields for a client.
pub fn trailers_to(trailers: &Headers) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(trailers.len());
    for (id, name, value) in trailers.iter() {
        if id == Name::Other || !id.is_hop_by_hop() && id != Name::ContentLength {
            append(&mut fields, name, value);
        }
    }
    fields
}

/// Trailer fields of a peer on that side, read by the parser of HTTP/1 as heads are.
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
pub(super) fn append(fields: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
        fields.append(name, value);
    }
}

/// Whether nothing follows the head of an answer to a request of that method.
pub fn is_bodiless(status: u16, method: Method) -> bool {
    method == Method::Head || crate::status::is_bodiless(status)
}
