//! The heads of requests and responses.

use crate::headers::Headers;
use std::ops::Range;

/// The version of HTTP a message came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http20,
}

impl Version {
    /// As it stands in a message.
    pub fn text(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http20 => "HTTP/2.0",
        }
    }
}

/// The request method (RFC 9110 9): those the proxy treats specially, the rest by their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant is the method of that name")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Options,
    Connect,
    Trace,
    Patch,
    Other,
}

impl Method {
    /// Methods are case-sensitive (RFC 9110 9.1).
    pub fn of(text: &[u8]) -> Self {
        match text {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"CONNECT" => Self::Connect,
            b"TRACE" => Self::Trace,
            b"PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }

    /// Whether sending it twice has the effect of sending it once (RFC 9110 9.2.2).
    pub fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options | Self::Trace)
    }

    /// Whether it asks for no change (RFC 9110 9.2.1).
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options | Self::Trace)
    }
}

/// A target that a head has had.
#[derive(Clone, Debug)]
pub struct TargetMark(Range<u32>);

/// A request's head. Ranges point into the headers' buffer, so that a head is one allocation.
#[derive(Clone, Debug)]
pub struct RequestHead {
    pub(crate) method: Method,
    pub(crate) method_range: Range<u32>,
    /// The method as the client sent it.
    pub(crate) original_method: Range<u32>,
    pub(crate) target_range: Range<u32>,
    pub(crate) original_target: Range<u32>,
    /// Host and optional port as the client named it: of an absolute target, else of `Host`.
    pub(crate) authority: Range<u32>,
    /// Whether the target came in absolute-form, with `https`.
    pub(crate) asks_https: bool,
    /// The fields.
    pub headers: Headers,
    /// The version.
    pub version: Version,
}

/// The method that a request came with.
#[derive(Clone, Debug)]
pub struct OwnMethod(Method, Range<u32>);

impl RequestHead {
    /// A request of our own making.
    pub fn new(method: &str, target: &[u8], authority: &[u8]) -> Self {
        let mut headers = Headers::new();
        let method_range = stash(&mut headers, method.as_bytes());
        let target_range = stash(&mut headers, target);
        let authority = stash(&mut headers, authority);
        Self {
            method: Method::of(method.as_bytes()),
            original_method: method_range.clone(),
            method_range,
            original_target: target_range.clone(),
            target_range,
            authority,
            asks_https: false,
            headers,
            version: Version::Http11,
        }
    }

    fn text(&self, range: &Range<u32>) -> &[u8] {
        self.headers.bytes().get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The method's bytes.
    pub fn method_text(&self) -> &[u8] {
        self.text(&self.method_range)
    }

    /// Replaces the method.
    pub fn set_method(&mut self, method: &str) {
        self.method = Method::of(method.as_bytes());
        self.method_range = stash(&mut self.headers, method.as_bytes());
    }

    /// Replaces the method by another for as long as it is not put back.
    pub fn swap_method(&mut self, method: &[u8]) -> OwnMethod {
        let own = OwnMethod(self.method, self.method_range.clone());
        self.method = Method::of(method);
        self.method_range = stash(&mut self.headers, method);
        own
    }

    /// Puts the method back.
    pub fn restore_method(&mut self, own: OwnMethod) {
        (self.method, self.method_range) = (own.0, own.1);
    }

    /// Path and query as they will be forwarded (origin-form, RFC 9112 3.2.1), or `*`, or the
    /// authority of a CONNECT.
    pub fn target(&self) -> &[u8] {
        self.text(&self.target_range)
    }

    /// The target as the client sent it, an absolute one cut to its path and query (`$request_uri`).
    pub fn original_target(&self) -> &[u8] {
        self.text(&self.original_target)
    }

    /// Replaces path and query. Bytes that no target has (RFC 9112 3.2) are escaped, so that what was
    /// decoded from a path can't become a second request.
    pub fn set_target(&mut self, target: &[u8]) {
        if target.iter().all(|&b| is_target_byte(b)) {
            self.target_range = stash(&mut self.headers, target);
            return;
        }
        let mut escaped = Vec::with_capacity(target.len() + 16);
        for &byte in target {
            match is_target_byte(byte) {
                true => escaped.push(byte),
                false => {
                    let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble & 15)];
                    escaped.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
                }
            }
        }
        self.target_range = stash(&mut self.headers, &escaped);
    }

    /// The target as it is now, to come back to.
    pub fn mark_target(&self) -> TargetMark {
        TargetMark(self.target_range.clone())
    }

    /// Goes back to the target that was marked.
    pub fn back_to(&mut self, mark: TargetMark) {
        self.target_range = mark.0;
    }

    /// The path of the target, as it stands there.
    pub fn path(&self) -> &[u8] {
        let target = self.target();
        memchr::memchr(b'?', target).and_then(|at| target.get(..at)).unwrap_or(target)
    }

    /// What stands behind the `?` of the target.
    pub fn query(&self) -> Option<&[u8]> {
        let target = self.target();
        memchr::memchr(b'?', target).and_then(|at| target.get(at + 1..))
    }

    /// Host and optional port the client asked for; empty for an HTTP/1.0 request without `Host`.
    pub fn authority(&self) -> &[u8] {
        self.text(&self.authority)
    }

    /// Whether the target names the scheme `https`, which only one in absolute-form does.
    pub fn asks_https(&self) -> bool {
        self.asks_https
    }

    pub(crate) fn set_authority(&mut self, authority: &[u8]) {
        self.authority = stash(&mut self.headers, authority);
    }

    /// The request line as it came, for the log: method, target as sent, version.
    pub fn line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text(&self.original_method));
        out.push(b' ');
        out.extend_from_slice(self.original_target());
        out.push(b' ');
        out.extend_from_slice(self.version.text().as_bytes());
    }
}

/// Whether a byte may stand in a request target: visible ASCII, no fragment (RFC 9112 3.2, RFC 3986 3).
pub(crate) fn is_target_byte(byte: u8) -> bool {
    (0x21..0x7f).contains(&byte) && byte != b'#'
}

fn stash(headers: &mut Headers, text: &[u8]) -> Range<u32> {
    let start = headers.stash(text) as u32;
    start..start + text.len() as u32
}

/// A response's head.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The status code, 100 to 999.
    pub status: u16,
    pub(crate) reason: Range<u32>,
    /// The fields.
    pub headers: Headers,
    /// The version.
    pub version: Version,
}

impl ResponseHead {
    /// A response of our own making, without fields.
    pub fn new(status: u16) -> Self {
        Self { status, reason: 0..0, headers: Headers::new(), version: Version::Http11 }
    }

    /// Bytes of the head as it came.
    pub fn text_len(&self) -> u64 {
        self.headers.bytes().len() as u64
    }

    /// Another status, with its usual reason phrase.
    pub fn set_status(&mut self, status: u16) {
        self.status = status;
        self.reason = 0..0;
    }

    /// The upstream's reason phrase; the usual one where it sent none.
    pub fn reason(&self) -> &[u8] {
        let sent = self.headers.bytes().get(self.reason.start as usize..self.reason.end as usize);
        match sent {
            Some(text) if !text.is_empty() => text,
            _ => crate::status::reason(self.status).as_bytes(),
        }
    }
}
