//! From bytes to a head (RFC 9112 2-5). Pure: a buffer in, a head and its length out.
//!
//! `httparse` finds the parts; what it lets pass and two parsers could read differently is refused here.

use crate::head::{Method, RequestHead, ResponseHead, Version};
use crate::headers::Headers;
use bifrons_core::{Error, Kind, Limits, Result, Side};
use std::mem::MaybeUninit;
use std::ops::Range;

/// What a buffer holds.
#[derive(Debug)]
pub enum Parsed<T> {
    /// A whole head, and how many bytes it takes.
    Head(T, usize),
    /// More bytes are needed.
    Partial,
}

/// Reads a request head from the beginning of `buf`.
///
/// # Errors
/// `Malformed`, `UriTooLong`, `HeadTooLarge`, `Version`, each with its reason.
pub fn request(buf: &[u8], limits: &Limits) -> Result<Parsed<RequestHead>> {
    let mut fields = [const { MaybeUninit::uninit() }; Limits::FIELDS_MAX];
    let room = fields.get_mut(..limits.fields.min(Limits::FIELDS_MAX)).unwrap_or_default();
    let mut parser = httparse::Request::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_request_with_uninit_headers(&mut parser, buf, room) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return partial(buf, limits, Side::Downstream),
        Err(httparse::Error::Version) => {
            // Only a whole line says which version it is.
            let Some(minor) = minor_of_request(buf) else { return partial(buf, limits, Side::Downstream) };
            return match as_our_minor(buf, minor) {
                Some(ours) => request(&ours, limits),
                None => Err(refuse_request(httparse::Error::Version, buf, limits)),
            };
        }
        Err(err) => return Err(refuse_request(err, buf, limits)),
    };
    let (Some(method), Some(target), Some(minor)) = (parser.method, parser.path, parser.version) else {
        return Err(malformed(Side::Downstream, "incomplete request line"));
    };
    let head = buf.get(..len).unwrap_or_default();
    check_head_len(len, limits, Side::Downstream)?;
    let method_range = range_in(head, method.as_bytes());
    let target_range = range_in(head, target.as_bytes());
    if method.len() + target.len() + 10 > limits.line_bytes {
        return Err(Error::downstream(Kind::UriTooLong, "the request line is longer than request_line_bytes"));
    }
    // `httparse` may skip empty lines before the request line (RFC 9112 2.2); it must be CRLF lines.
    check_prefix(head, method_range.start, limits)?;
    let headers = fields_of(head, parser.headers, limits, Side::Downstream, target_range.end + 9)?;
    let target_range = target_range.start as u32..target_range.end as u32;
    let mut request = RequestHead {
        method: Method::of(method.as_bytes()),
        method_range: method_range.start as u32..method_range.end as u32,
        original_target: target_range.clone(),
        target_range,
        authority: 0..0,
        headers,
        version: if minor == 0 { Version::Http10 } else { Version::Http11 },
    };
    super::framing::settle_target(&mut request)?;
    Ok(Parsed::Head(request, len))
}

/// Reads a response head from the beginning of `buf`.
///
/// # Errors
/// `Malformed` or `HeadTooLarge`, of the upstream's side.
pub fn response(buf: &[u8], limits: &Limits) -> Result<Parsed<ResponseHead>> {
    let mut fields = [const { MaybeUninit::uninit() }; Limits::FIELDS_MAX];
    let room = fields.get_mut(..limits.fields.min(Limits::FIELDS_MAX)).unwrap_or_default();
    let mut parser = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let len = match config.parse_response_with_uninit_headers(&mut parser, buf, room) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return partial(buf, limits, Side::Upstream),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Error::upstream(Kind::HeadTooLarge, "the answer has more fields than the limit"));
        }
        Err(httparse::Error::Version) => {
            return match as_our_minor(buf, b"HTTP/1.".len()) {
                Some(ours) => response(&ours, limits),
                None => Err(malformed(Side::Upstream, "neither HTTP/1.0 nor HTTP/1.1")),
            };
        }
        Err(err) => return Err(malformed(Side::Upstream, format!("answer head: {err}"))),
    };
    let (Some(status), Some(minor)) = (parser.code, parser.version) else {
        return Err(malformed(Side::Upstream, "incomplete status line"));
    };
    if status < 100 {
        return Err(malformed(Side::Upstream, "status code below 100"));
    }
    let head = buf.get(..len).unwrap_or_default();
    check_head_len(len, limits, Side::Upstream)?;
    let reason = parser.reason.map(|text| range_in(head, text.as_bytes())).unwrap_or(0..0);
    let line_end = memchr::memchr(b'\n', head).unwrap_or(0);
    if !head.starts_with(b"HTTP/") || line_end.saturating_sub(1) > limits.line_bytes {
        return Err(malformed(Side::Upstream, "status line"));
    }
    let after_line = line_end + 1 - line_end_len(head, line_end + 1);
    let mut headers = fields_of(head, parser.headers, limits, Side::Upstream, after_line)?;
    super::write::strip_connection_named(&mut headers);
    Ok(Parsed::Head(
        ResponseHead {
            status,
            reason: reason.start as u32..reason.end as u32,
            headers,
            version: if minor == 0 { Version::Http10 } else { Version::Http11 },
        },
        len,
    ))
}

/// Reads a trailer section (RFC 9112 7.1.2) from the beginning of `buf`, its empty line included.
///
/// # Errors
/// As for the head of that side.
pub fn trailers(buf: &[u8], limits: &Limits, side: Side) -> Result<Parsed<Headers>> {
    let mut fields = [httparse::EMPTY_HEADER; Limits::FIELDS_MAX];
    let room = fields.get_mut(..limits.fields.min(Limits::FIELDS_MAX)).unwrap_or_default();
    let (len, found) = match httparse::parse_headers(buf, room) {
        Ok(httparse::Status::Complete((len, found))) => (len, found),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Error::of(side, Kind::HeadTooLarge, "more trailer fields than the limit"));
        }
        Ok(httparse::Status::Partial) if buf.len() > limits.head_bytes => {
            return Err(Error::of(side, Kind::HeadTooLarge, "the trailer section is larger than head_bytes"));
        }
        Ok(httparse::Status::Partial) => return Ok(Parsed::Partial),
        Err(err) => return Err(malformed(side, format!("trailer section: {err}"))),
    };
    check_head_len(len, limits, side)?;
    let section = buf.get(..len).unwrap_or_default();
    // Chunked framing never takes a lone LF: it is where requests get smuggled.
    let strict = Limits { lone_lf: false, ..*limits };
    let mut headers = Headers::over(section, found.len());
    let mut line_start = 0;
    for field in found.iter() {
        let name = range_in(section, field.name.as_bytes());
        check_name_len(&name, side)?;
        if name.start != line_start {
            return Err(malformed(side, "line end in the trailer section"));
        }
        let value = value_range(section, field.value, &name);
        line_start = next_line(section, &value, &strict, side)?;
        headers.push_received(name, value);
    }
    if section.get(line_start..) != Some(b"\r\n") {
        return Err(malformed(side, "line end in the trailer section"));
    }
    Ok(Parsed::Head(headers, len))
}

/// Nothing whole yet: fine while what is there keeps to the limits.
fn partial<T>(buf: &[u8], limits: &Limits, side: Side) -> Result<Parsed<T>> {
    let line = memchr::memchr(b'\n', buf);
    if line.unwrap_or(buf.len()) > limits.line_bytes + 2 {
        return Err(match side {
            Side::Downstream => Error::downstream(Kind::UriTooLong, "the request line is longer than request_line_bytes"),
            _ => malformed(side, "status line too long"),
        });
    }
    check_head_len(buf.len(), limits, side)?;
    Ok(Parsed::Partial)
}

fn check_head_len(len: usize, limits: &Limits, side: Side) -> Result<()> {
    if len > limits.head_bytes {
        return Err(Error::of(side, Kind::HeadTooLarge, "the head is larger than head_bytes"));
    }
    Ok(())
}

/// A name must fit an entry of [`Headers`]: cut to it, it would be another name.
fn check_name_len(name: &Range<usize>, side: Side) -> Result<()> {
    if name.len() > usize::from(u16::MAX) {
        return Err(Error::of(side, Kind::HeadTooLarge, "a field name of more than 65535 bytes"));
    }
    Ok(())
}

/// The message with its version `HTTP/1.2` to `HTTP/1.9` taken as HTTP/1.1, the highest minor version we
/// know (RFC 9110 2.5); `None` where no such version has its minor at `minor`.
#[cold]
fn as_our_minor(buf: &[u8], minor: usize) -> Option<Vec<u8>> {
    let is_newer = buf.get(..minor)?.ends_with(b"HTTP/1.") && matches!(buf.get(minor)?, b'2'..=b'9');
    let mut ours = is_newer.then(|| buf.to_vec())?;
    *ours.get_mut(minor)? = b'1';
    Some(ours)
}

/// Where the minor version of a request line stands, its last byte; `None` while the line is not whole.
#[cold]
fn minor_of_request(buf: &[u8]) -> Option<usize> {
    let start = buf.iter().position(|&b| b != b'\r' && b != b'\n')?;
    let end = start + memchr::memchr(b'\n', buf.get(start..)?)?;
    let line = buf.get(..end)?;
    line.strip_suffix(b"\r").unwrap_or(line).len().checked_sub(1)
}

fn refuse_request(err: httparse::Error, buf: &[u8], limits: &Limits) -> Error {
    match err {
        httparse::Error::TooManyHeaders => {
            Error::downstream(Kind::HeadTooLarge, "the head has more fields than the limit")
        }
        httparse::Error::Version if names_other_version(buf) => {
            Error::downstream(Kind::Version, "the version is neither HTTP/1.0 nor HTTP/1.1")
        }
        _ if memchr::memchr(b'\n', buf).unwrap_or(buf.len()) > limits.line_bytes + 2 => {
            Error::downstream(Kind::UriTooLong, "the request line is longer than request_line_bytes")
        }
        err => malformed(Side::Downstream, format!("request head: {err}")),
    }
}

/// Whether the request line ends in a well-formed version of another major number, such as `HTTP/2.0`.
fn names_other_version(buf: &[u8]) -> bool {
    let line = buf.split(|&b| b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let version = line.trim_ascii_end().rsplit(|&b| b == b' ').next().unwrap_or_default();
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && *major != b'1' && minor.is_ascii_digit())
}

/// What stands before the request line must be empty lines, each CRLF (or LF where that is allowed).
fn check_prefix(head: &[u8], start: usize, limits: &Limits) -> Result<()> {
    let prefix = head.get(..start).unwrap_or_default();
    let (pairs, odd) = prefix.as_chunks::<2>();
    if limits.lone_lf || (odd.is_empty() && pairs.iter().all(|pair| pair == b"\r\n")) {
        return Ok(());
    }
    Err(malformed(Side::Downstream, "lone LF before the request line"))
}

/// The fields as ranges of a copy of the head, every line end looked at.
fn fields_of(
    head: &[u8],
    found: &[httparse::Header<'_>],
    limits: &Limits,
    side: Side,
    first_line_end: usize,
) -> Result<Headers> {
    let mut headers = Headers::over(head, found.len());
    let mut line_start = line_after(head, first_line_end, limits, side)?;
    for field in found {
        let name = range_in(head, field.name.as_bytes());
        check_name_len(&name, side)?;
        if name.start != line_start {
            return Err(malformed(side, "bytes between two lines of the head"));
        }
        let value = value_range(head, field.value, &name);
        line_start = next_line(head, &value, limits, side)?;
        headers.push_received(name, value);
    }
    // The empty line.
    if line_after(head, line_start, limits, side)? != head.len() {
        return Err(malformed(side, "end of the head"));
    }
    Ok(headers)
}

/// Where the line after the value starts; between them only white space and a line end.
fn next_line(head: &[u8], value: &Range<usize>, limits: &Limits, side: Side) -> Result<usize> {
    let mut at = value.end;
    while matches!(head.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    line_after(head, at, limits, side)
}

/// Where the line after the line end at `at` starts.
fn line_after(head: &[u8], at: usize, limits: &Limits, side: Side) -> Result<usize> {
    match head.get(at..) {
        Some([b'\r', b'\n', ..]) => Ok(at + 2),
        Some([b'\n', ..]) if limits.lone_lf => Ok(at + 1),
        Some([b'\n', ..]) => Err(malformed(side, "a lone LF ends a line of the head")),
        _ => Err(malformed(side, "line end")),
    }
}

/// How long the line end before `end` is: 2 for CRLF, 1 for LF.
fn line_end_len(head: &[u8], end: usize) -> usize {
    let is_crlf = end >= 2 && head.get(end - 2..end) == Some(b"\r\n");
    if is_crlf { 2 } else { 1.min(end) }
}

/// An empty value has no address worth trusting: it lies behind the colon.
fn value_range(head: &[u8], value: &[u8], name: &Range<usize>) -> Range<usize> {
    if !value.is_empty() {
        return range_in(head, value);
    }
    let mut at = name.end + 1;
    while matches!(head.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at..at
}

/// Where `part`, a slice of `whole`, lies in it.
fn range_in(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len());
    start..(start + part.len()).min(whole.len())
}

fn malformed(side: Side, reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::of(side, Kind::Malformed, reason)
}

#[cfg(test)]
mod tests;
