//! Heads of requests from their fields in HTTP/2, and of answers to them (RFC 9113 8).
//!
//! A request's lies in its buffer as one of HTTP/1.1 would, and meets the same rules: what is refused there is
//! refused here, and nothing that both could read differently gets through.

use super::websocket::{self, KEY};
use crate::buffers::Scratch;
use crate::date;
use crate::h1::chunked::is_forbidden_trailer;
use crate::h1::framing;
use crate::h1::scan;
use crate::h1::write::Server;
use crate::head::{Method, RequestHead, ResponseHead, Version};
use crate::headers::{Fields, Headers};
use crate::name::Name;
use bifrons_core::{Error, Kind, Limits, Result, Side};
use bifrons_frames::hpack::Encoder;
use std::ops::Range;

/// What a field counts besides its bytes (RFC 9113 6.5.2).
const FIELD_BYTES: usize = 32;

/// What a client asks for.
pub struct Asked {
    /// The head.
    pub head: RequestHead,
    /// How many bytes it would have in HTTP/1.1.
    pub bytes: u64,
    /// The key of a WebSocket that it opens (RFC 8441): then the head is the one of its upgrade.
    pub websocket: Option<websocket::Key>,
}

/// What became of a head.
pub(super) enum Read {
    /// Its stream is reset (RFC 9113 8.1.1).
    Malformed,
    /// It is answered, one way or another; and how long its body is to be.
    Head(Result<Asked>, Option<u64>),
}

/// A head while its fields come.
pub(super) struct Reader<'a> {
    limits: &'a Limits,
    fields: Fields,
    cookies: Option<Scratch>,
    method: Option<Range<usize>>,
    path: Option<Range<usize>>,
    authority: Option<Range<usize>>,
    has_scheme: bool,
    has_host: bool,
    /// Whether a protocol was named, and whether it was WebSocket's.
    protocol: Option<bool>,
    length: Option<u64>,
    /// How many bytes the fields may still have.
    left: usize,
    is_behind_pseudo: bool,
    is_malformed: bool,
    /// Why the head is refused with an answer.
    refused: Option<Error>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            fields: Fields::new(),
            cookies: None,
            method: None,
            path: None,
            authority: None,
            has_scheme: false,
            has_host: false,
            protocol: None,
            length: None,
            left: limits.head_bytes,
            is_behind_pseudo: false,
            is_malformed: false,
            refused: None,
        }
    }

    /// Takes the next field.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        if self.is_malformed {
            return;
        }
        let Some(left) = self.left.checked_sub(name.len() + value.len() + FIELD_BYTES) else {
            self.left = 0;
            return self.refuse(too_large("the head is larger than head_bytes"));
        };
        self.left = left;
        let fits = match name {
            [b':', pseudo @ ..] => self.pseudo(pseudo, value),
            name => self.regular(name, value),
        };
        self.is_malformed = fits.is_none();
    }

    fn refuse(&mut self, err: Error) {
        self.refused.get_or_insert(err);
    }

    /// RFC 9113 8.3: before all other fields, each once.
    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        let is_new = match name {
            b"method" => {
                let kept = self.keep(value);
                self.method.replace(kept).is_none() && is_token(value)
            }
            b"path" => {
                let kept = self.keep(value);
                self.path.replace(kept).is_none() && is_visible(value)
            }
            b"authority" => {
                let at = self.fields.bytes().len() + HOST_BYTES;
                self.fields.write(Name::Host, b"host", value);
                self.authority.replace(at..at + value.len()).is_none() && is_visible(value)
            }
            b"scheme" => !std::mem::replace(&mut self.has_scheme, true) && is_scheme(value),
            b"protocol" => {
                let is_websocket = value.eq_ignore_ascii_case(websocket::PROTOCOL.as_bytes());
                self.protocol.replace(is_websocket).is_none() && is_token(value)
            }
            _ => false,
        };
        (is_new && !self.is_behind_pseudo).then_some(())
    }

    fn keep(&mut self, value: &[u8]) -> Range<usize> {
        let bytes = self.fields.bytes();
        let at = bytes.len();
        bytes.extend_from_slice(value);
        at..at + value.len()
    }

    fn regular(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        self.is_behind_pseudo = true;
        let id = checked(name, value)?;
        match id {
            Name::Cookie => {
                self.cookie(value);
                return Some(());
            }
            Name::Host => return self.host(value),
            Name::ContentLength => {
                let length = framing::parse_length(value)?;
                self.length.get_or_insert(length);
            }
            // The client's key is of no use to anybody (RFC 8441 5).
            Name::Other if self.protocol == Some(true) && name == KEY.as_bytes() => return Some(()),
            _ => {}
        }
        if let Err(err) = push(&mut self.fields, self.limits, (id, name, value)) {
            self.refuse(err);
        }
        Some(())
    }

    /// They may come in several fields, one for each (RFC 9113 8.2.3).
    fn cookie(&mut self, value: &[u8]) {
        let cookies = self.cookies.get_or_insert_with(Scratch::new);
        if !cookies.is_empty() {
            cookies.extend_from_slice(b"; ");
        }
        cookies.extend_from_slice(value);
    }

    /// `Host` stands in for `:authority`, or agrees with it (RFC 9113 8.3.1).
    fn host(&mut self, value: &[u8]) -> Option<()> {
        if std::mem::replace(&mut self.has_host, true) {
            self.refuse(malformed("several Host fields"));
            return Some(());
        }
        match self.authority.clone() {
            None => {
                let at = self.fields.bytes().len() + HOST_BYTES;
                self.fields.write(Name::Host, b"host", value);
                self.authority = Some(at..at + value.len());
            }
            Some(authority) => {
                let authority = self.fields.bytes().get(authority).unwrap_or_default();
                if !authority.eq_ignore_ascii_case(value) {
                    self.refuse(malformed(":authority and Host differ"));
                }
            }
        }
        Some(())
    }

    /// The head, whose fields have all come.
    pub(super) fn finish(mut self) -> Read {
        let length = self.length;
        match (self.refused.take(), self.target()) {
            _ if self.is_malformed => Read::Malformed,
            // What is missing may be what was too large.
            (Some(err), _) => Read::Head(Err(err), length),
            (None, Some(target)) => Read::Head(self.head(target), length),
            (None, None) => Read::Malformed,
        }
    }

    /// Where the target lies; `None` where the pseudo-fields are not those of a request (RFC 9113 8.3.1, 8.5, RFC
    /// 8441 4).
    fn target(&mut self) -> Option<Range<usize>> {
        let method = self.method.clone()?;
        let method = Method::of(self.fields.bytes().get(method)?);
        let is_connect = method == Method::Connect;
        if is_connect && self.protocol.is_none() {
            return self.authority.clone().filter(|_| self.path.is_none() && !self.has_scheme);
        }
        let path = self.path.clone()?;
        let starts = match self.fields.bytes().get(path.clone())? {
            [b'/', ..] => true,
            b"*" => method == Method::Options,
            _ => false,
        };
        (starts && self.has_scheme && (is_connect || self.protocol.is_none())).then_some(path)
    }

    fn head(mut self, target: Range<usize>) -> Result<Asked> {
        let limits = self.limits;
        if let Some(cookies) = self.cookies.take() {
            push(&mut self.fields, limits, (Name::Cookie, b"cookie", &cookies))?;
        }
        let websocket = match self.protocol {
            None => None,
            Some(false) => {
                let reason = "CONNECT for another protocol than WebSocket";
                return Err(Error::downstream(Kind::Method, reason));
            }
            Some(true) => {
                let key = websocket::Key::made();
                self.method = Some(self.keep(b"GET"));
                self.fields.write(Name::Connection, b"connection", b"upgrade");
                self.fields.write(Name::Upgrade, b"upgrade", b"websocket");
                self.fields.write(Name::Other, KEY.as_bytes(), key.as_bytes());
                Some(key)
            }
        };
        let method = self.method.unwrap_or_default();
        if method.len() + target.len() + VERSION_BYTES > limits.line_bytes {
            let reason = "the request line is longer than request_line_bytes";
            return Err(Error::downstream(Kind::UriTooLong, reason));
        }
        let bytes = self.fields.bytes().len() + LINE_BYTES;
        if bytes > limits.head_bytes {
            return Err(too_large("the head is larger than head_bytes"));
        }
        let (method, target) = (to_u32(method), to_u32(target));
        let mut head = RequestHead {
            method: Method::Other,
            original_method: method.clone(),
            method_range: method,
            original_target: target.clone(),
            target_range: target,
            authority: 0..0,
            asks_https: false,
            headers: self.fields.finish(),
            version: Version::Http11,
        };
        head.method = Method::of(head.method_text());
        framing::settle_target(&mut head, limits)?;
        head.version = Version::Http20;
        Ok(Asked { head, bytes: bytes as u64, websocket })
    }
}

/// `host: `, before its value.
const HOST_BYTES: usize = 6;
/// ` ` twice and `HTTP/1.1`, which a request line has besides method and target.
const VERSION_BYTES: usize = 10;
/// The same, its end, and the empty line.
const LINE_BYTES: usize = VERSION_BYTES + 4;

/// Heads are far below 4 GiB: `head` is a size with a bound.
fn to_u32(range: Range<usize>) -> Range<u32> {
    range.start as u32..range.end as u32
}

/// Which name it is, where name and value are such as HTTP/2 carries (RFC 9113 8.2.1) and concern no connection
/// (8.2.2).
fn checked(name: &[u8], value: &[u8]) -> Option<Name> {
    let id = Name::of(name);
    let is_name = match id {
        Name::Other => is_token(name) && !name.iter().any(u8::is_ascii_uppercase),
        id => name == id.text().as_bytes(),
    };
    let is_white = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_value = scan::is_value(value) && !is_white(value.first()) && !is_white(value.last());
    let is_allowed = match id {
        Name::Te => value.eq_ignore_ascii_case(b"trailers"),
        id => id == Name::Other || !id.is_hop_by_hop(),
    };
    (is_name && is_value && is_allowed).then_some(id)
}

/// Adds a field that was checked, if it keeps to the limits.
fn push(fields: &mut Fields, limits: &Limits, (id, name, value): (Name, &[u8], &[u8])) -> Result<()> {
    if fields.len() >= limits.fields {
        return Err(too_large("the head has more fields than the limit"));
    }
    if name.len() + value.len() + 2 > limits.field_bytes || name.len() > usize::from(u16::MAX) {
        return Err(too_large("a field of the head is longer than the limit"));
    }
    if let Some(rules) = limits.names.filter(|_| id == Name::Other)
        && !scan::is_kept(name, rules, Side::Downstream)?
    {
        return Ok(());
    }
    fields.write(id, name, value);
    Ok(())
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && scan::token_len(text) == text.len()
}

/// Visible bytes only, and one at least: what else is wrong with a target or a host is said by an answer.
fn is_visible(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| byte > 0x20 && byte != 0x7f)
}

/// RFC 3986 3.1.
fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

fn malformed(reason: &'static str) -> Error {
    Error::downstream(Kind::Malformed, reason)
}

fn too_large(reason: &'static str) -> Error {
    Error::downstream(Kind::HeadTooLarge, reason)
}

/// Trailer fields of a client while they come.
pub(super) struct TrailersReader<'a> {
    limits: &'a Limits,
    fields: Fields,
    left: usize,
    is_malformed: bool,
    refused: Option<Error>,
}

impl<'a> TrailersReader<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, fields: Fields::new(), left: limits.head_bytes, is_malformed: false, refused: None }
    }

    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        let left = self.left.checked_sub(name.len() + value.len() + FIELD_BYTES);
        self.left = left.unwrap_or(0);
        // RFC 9113 8.1: no pseudo-fields there.
        let Some(id) = checked(name, value) else { return self.is_malformed = true };
        let pushed = match left {
            None => Err(too_large("trailers larger than head_bytes")),
            Some(_) => push(&mut self.fields, self.limits, (id, name, value)),
        };
        if let Err(err) = pushed {
            self.refused.get_or_insert(err);
        }
    }

    /// The fields; `None` where the stream is to be reset.
    pub(super) fn finish(self) -> Option<Result<Headers>> {
        if self.is_malformed {
            return None;
        }
        if let Some(err) = self.refused {
            return Some(Err(err));
        }
        let mut trailers = self.fields.finish();
        trailers.remove_where(|name, _| is_forbidden_trailer(name));
        Some(Ok(trailers))
    }
}

/// What the head of an answer needs besides itself.
#[derive(Clone, Copy, Debug)]
pub struct ToClient<'a> {
    /// The `Server` field.
    pub server: Server<'a>,
    /// Bytes of the body, where they are known and no field says it.
    pub len: Option<u64>,
    /// Whether a field that says it stays.
    pub keeps_length: bool,
}

/// Writes the head of an answer and says how many bytes it has without HPACK. Fields that concern a connection of
/// HTTP/1 are left out (RFC 9113 8.2.2).
pub(super) fn write(head: &ResponseHead, to: &ToClient<'_>, encoder: &mut Encoder, out: &mut Vec<u8>) -> u64 {
    encoder.status(head.status, out);
    // `:status`, its value, and what goes between.
    let mut bytes = 13;
    let mut is_dated = false;
    for (id, name, value) in head.headers.iter() {
        let keeps = match id {
            Name::Other => true,
            Name::ContentLength => to.keeps_length,
            Name::Server => to.server == Server::Pass,
            Name::Date => !std::mem::replace(&mut is_dated, true),
            id => !id.is_hop_by_hop(),
        };
        if keeps {
            bytes += field(encoder, out, (id, name, value));
        }
    }
    if head.status < 200 {
        return bytes;
    }
    if !is_dated {
        let mut now = Scratch::new();
        date::write_now(&mut now);
        bytes += field(encoder, out, (Name::Date, b"", &now));
    }
    if let Server::Set(server) = to.server {
        bytes += field(encoder, out, (Name::Server, b"", server.as_bytes()));
    }
    if let Some(len) = to.len {
        let mut digits = itoa::Buffer::new();
        bytes += field(encoder, out, (Name::ContentLength, b"", digits.format(len).as_bytes()));
    }
    bytes
}

/// Writes trailer fields of an answer; whether there are any, [`has_trailers`] says.
pub(super) fn write_trailers(trailers: &Headers, encoder: &mut Encoder, out: &mut Vec<u8>) -> u64 {
    trailers.iter().filter(|(id, ..)| is_trailer(*id)).map(|one| field(encoder, out, one)).sum()
}

/// Whether any of them can be sent.
pub(super) fn has_trailers(trailers: &Headers) -> bool {
    trailers.iter().any(|(id, ..)| is_trailer(id))
}

fn is_trailer(id: Name) -> bool {
    id == Name::Other || !id.is_hop_by_hop() && id != Name::ContentLength
}

/// Writes a field, its name in lower case (RFC 9113 8.2.1), and says how many bytes it has.
fn field(encoder: &mut Encoder, out: &mut Vec<u8>, (id, name, value): (Name, &[u8], &[u8])) -> u64 {
    let len = match id {
        Name::Other if name.iter().any(u8::is_ascii_uppercase) => {
            let mut lower = Scratch::new();
            lower.extend(name.iter().map(u8::to_ascii_lowercase));
            encoder.field(&lower, value, out);
            name.len()
        }
        Name::Other => {
            encoder.field(name, value, out);
            name.len()
        }
        id => {
            encoder.field(id.text().as_bytes(), value, out);
            id.text().len()
        }
    };
    (len + value.len() + 4) as u64
}

/// Whether nothing follows the head of an answer to a request of that method.
pub fn is_bodiless(status: u16, method: Method) -> bool {
    method == Method::Head || crate::status::is_bodiless(status)
}

#[cfg(test)]
mod tests;
