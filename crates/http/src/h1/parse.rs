//! From bytes to a head (RFC 9112 2-5). Pure: a buffer in, a head and its length out.

use super::scan::{self, malformed};
use crate::head::{Method, RequestHead, ResponseHead, Version};
use crate::headers::Headers;
use bifrons_core::{Error, Kind, Limits, Result, Side};
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
    let side = Side::Downstream;
    let Some(start) = skip_empty_lines(buf, limits)? else { return partial(buf, 0, limits, side) };
    let first = match scan::line(buf, start, limits, side) {
        Ok(Some(line)) => line,
        Ok(None) => return partial_line(buf, start, limits),
        // Too long counts for more than its end.
        Err(err) => return check_line(buf, start, limits, side).and(Err(err)),
    };
    if first.text.len() > limits.line_bytes {
        return Err(too_long(side));
    }
    let (method, target, version) = request_line(buf, &first.text)?;
    let Some((fields, len)) = scan::fields(buf, first.next, limits, side)? else {
        return partial(buf, start, limits, side);
    };
    check_head_len(len, limits, side)?;
    let target = to_u32(target);
    let mut request = RequestHead {
        method: Method::of(buf.get(method.clone()).unwrap_or_default()),
        original_method: to_u32(method.clone()),
        method_range: to_u32(method),
        original_target: target.clone(),
        target_range: target,
        authority: 0..0,
        asks_https: false,
        headers: Headers::of(buf.get(..len).unwrap_or_default(), fields),
        version,
    };
    super::framing::settle_target(&mut request, limits)?;
    Ok(Parsed::Head(request, len))
}

/// Reads a response head from the beginning of `buf`.
///
/// # Errors
/// `Malformed` or `HeadTooLarge`, of the upstream's side.
pub fn response(buf: &[u8], limits: &Limits) -> Result<Parsed<ResponseHead>> {
    let side = Side::Upstream;
    let first = match scan::line(buf, 0, limits, side)? {
        Some(line) => line,
        None => return partial(buf, 0, limits, side),
    };
    if first.text.len() > limits.line_bytes {
        return Err(too_long(side));
    }
    let (status, reason, version) = status_line(buf, &first.text)?;
    let Some((fields, len)) = scan::fields(buf, first.next, limits, side)? else {
        return partial(buf, 0, limits, side);
    };
    check_head_len(len, limits, side)?;
    let mut headers = Headers::of(buf.get(..len).unwrap_or_default(), fields);
    super::write::strip_connection_named(&mut headers);
    Ok(Parsed::Head(ResponseHead { status, reason: to_u32(reason), headers, version }, len))
}

/// Reads a trailer section (RFC 9112 7.1.2) from the beginning of `buf`, its empty line included.
///
/// # Errors
/// As for the head of that side.
pub fn trailers(buf: &[u8], limits: &Limits, side: Side) -> Result<Parsed<Headers>> {
    // Chunked framing never takes a lone LF: it is where requests get smuggled.
    let strict = Limits { lone_lf: false, ..*limits };
    let Some((fields, len)) = scan::fields(buf, 0, &strict, side)? else {
        check_head_len(buf.len(), limits, side)?;
        return Ok(Parsed::Partial);
    };
    check_head_len(len, limits, side)?;
    Ok(Parsed::Head(Headers::of(buf.get(..len).unwrap_or_default(), fields), len))
}

/// 8 KiB: what is kept of a line that was refused, as much as nginx's buffer holds.
const REFUSED_BYTES_MAX: usize = 8 * 1024;

/// For the record of what was refused: its head as far as the first line tells it, and that line.
pub fn refused(buf: &[u8]) -> (RequestHead, Vec<u8>) {
    let is_end = |b: &u8| matches!(b, b'\r' | b'\n');
    let start = buf.iter().position(|b| !is_end(b)).unwrap_or(buf.len());
    let rest = buf.get(start..).unwrap_or_default();
    let len = rest.iter().take(REFUSED_BYTES_MAX).take_while(|b| !is_end(b)).count();
    let line = rest.get(..len).unwrap_or_default();
    let head = request_line(line, &(0..len)).ok().and_then(|(method, target, version)| {
        let method = std::str::from_utf8(line.get(method)?).ok()?;
        Some(RequestHead { version, ..RequestHead::new(method, line.get(target)?, b"") })
    });
    (head.unwrap_or_else(|| RequestHead::new("-", b"-", b"")), line.to_vec())
}

/// Where the request line starts behind empty lines (RFC 9112 2.2); `None` where only such have come.
fn skip_empty_lines(buf: &[u8], limits: &Limits) -> Result<Option<usize>> {
    let mut at = 0;
    // Bounded: every turn consumes a byte of `buf`.
    loop {
        match buf.get(at..) {
            Some([b'\r', b'\n', ..]) => at += 2,
            Some([b'\n', ..]) if limits.lone_lf => at += 1,
            Some([b'\n', ..]) => return Err(malformed(Side::Downstream, "lone LF before the request line")),
            Some([]) | Some([b'\r']) | None => return Ok(None),
            _ => return Ok(Some(at)),
        }
    }
}

/// `method SP target SP version` (RFC 9112 3), exactly one space each; the target is looked at later.
fn request_line(buf: &[u8], line: &Range<usize>) -> Result<(Range<usize>, Range<usize>, Version)> {
    let side = Side::Downstream;
    let text = buf.get(line.clone()).unwrap_or_default();
    let method_len = scan::token_len(text);
    if method_len == 0 || text.get(method_len) != Some(&b' ') {
        return Err(malformed(side, "malformed method"));
    }
    let rest = text.get(method_len + 1..).unwrap_or_default();
    let target_len = memchr::memchr(b' ', rest).unwrap_or(0);
    if target_len == 0 {
        return Err(malformed(side, "no target or no version in the request line"));
    }
    let target = line.start + method_len + 1;
    let version = match rest.get(target_len + 1..).unwrap_or_default() {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        version => other_version(version, side)?,
    };
    Ok((line.start..line.start + method_len, target..target + target_len, version))
}

/// A version that is not spelt as ours: a newer minor one counts as HTTP/1.1, the highest we know
/// (RFC 9110 2.5); another major one is named in its own error.
#[cold]
fn other_version(text: &[u8], side: Side) -> Result<Version> {
    match text {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => Ok(Version::Http11),
        [b'H', b'T', b'T', b'P', b'/', b'0' | b'2'..=b'9', b'.', b'0'..=b'9'] => {
            Err(Error::of(side, Kind::Version, "the version is neither HTTP/1.0 nor HTTP/1.1"))
        }
        _ => Err(malformed(side, "malformed version")),
    }
}

/// `version SP status [SP [reason]]` (RFC 9112 4); without a reason the second space may be missing, as
/// many servers send it.
fn status_line(buf: &[u8], line: &Range<usize>) -> Result<(u16, Range<usize>, Version)> {
    let side = Side::Upstream;
    let text = buf.get(line.clone()).unwrap_or_default();
    let (version, rest) = text.split_at_checked(8).ok_or_else(|| malformed(side, "malformed status line"))?;
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        version => other_version(version, side)
            .map_err(|_| malformed(side, "the answer's version is neither HTTP/1.0 nor HTTP/1.1"))?,
    };
    let (digits, reason) = match rest {
        [b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..] => ([a, b, c], reason),
        _ => return Err(malformed(side, "malformed status code")),
    };
    let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(**digit - b'0'));
    match reason {
        [] => Ok((status, 0..0, version)),
        [b' ', reason @ ..] if scan::is_value(reason) => {
            Ok((status, line.end - reason.len()..line.end, version))
        }
        _ => Err(malformed(side, "malformed reason phrase")),
    }
}

/// No whole head yet: fine while what is there keeps to the limits.
fn partial<T>(buf: &[u8], start: usize, limits: &Limits, side: Side) -> Result<Parsed<T>> {
    check_line(buf, start, limits, side)?;
    check_head_len(buf.len(), limits, side)?;
    Ok(Parsed::Partial)
}

/// No whole request line yet; what can't become one (a TLS handshake, say) is refused at once.
fn partial_line<T>(buf: &[u8], start: usize, limits: &Limits) -> Result<Parsed<T>> {
    let line = buf.get(start..).unwrap_or_default();
    let method_len = scan::token_len(line);
    if method_len < line.len() && (method_len == 0 || line.get(method_len) != Some(&b' ')) {
        return Err(malformed(Side::Downstream, "malformed method"));
    }
    partial(buf, start, limits, Side::Downstream)
}

fn check_line(buf: &[u8], start: usize, limits: &Limits, side: Side) -> Result<()> {
    let line = buf.get(start..).unwrap_or_default();
    let len = memchr::memchr(b'\n', line).unwrap_or(line.len());
    // One more for the CR that belongs to the line's end.
    if len > limits.line_bytes + 1 { Err(too_long(side)) } else { Ok(()) }
}

fn too_long(side: Side) -> Error {
    match side {
        Side::Downstream => {
            Error::downstream(Kind::UriTooLong, "the request line is longer than request_line_bytes")
        }
        side => malformed(side, "status line too long"),
    }
}

fn check_head_len(len: usize, limits: &Limits, side: Side) -> Result<()> {
    if len > limits.head_bytes {
        return Err(Error::of(side, Kind::HeadTooLarge, "the head is larger than head_bytes"));
    }
    Ok(())
}

/// Heads are far below 4 GiB: `head` is a size with a bound.
fn to_u32(range: Range<usize>) -> Range<u32> {
    range.start as u32..range.end as u32
}

#[cfg(test)]
mod tests;
