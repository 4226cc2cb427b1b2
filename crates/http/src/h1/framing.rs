//! Where a message's body ends (RFC 9112 6.3), what its target is (3.2), whether the connection lives on
//! (9.3). Pure. Whatever two parsers could read differently is refused.

use crate::head::{Method, RequestHead, ResponseHead, Version, is_target_byte};
use crate::headers::list_members;
use crate::name::Name;
use crate::status::is_bodiless;
use bifrons_core::{Error, Kind, Limits, Result, Side};

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    None,
    /// That many bytes.
    Length(u64),
    /// Chunked transfer coding (RFC 9112 7.1).
    Chunked,
    /// Until the connection closes; responses only.
    UntilClose,
    /// No message any more: bytes both ways (101, or 2xx to CONNECT).
    Tunnel,
}

/// The framing of a request (RFC 9112 6.3, items 3-6).
///
/// # Errors
/// `Malformed` for anything ambiguous: both length and coding, several or malformed lengths, a last coding
/// other than `chunked`, a coding in HTTP/1.0. `TransferCoding` for others before it.
pub fn request(head: &RequestHead) -> Result<Framing> {
    let side = Side::Downstream;
    let coded = transfer_coding(head.headers.get_all(Name::TransferEncoding), head.version, side)?;
    let length = content_length(head.headers.get_all(Name::ContentLength), side)?;
    match (coded, length) {
        // RFC 9112 6.1: a sign of smuggling; it may be handled as an error, and we do.
        (true, Some(_)) => Err(bad(side, "both Transfer-Encoding and Content-Length")),
        (true, None) => Ok(Framing::Chunked),
        (false, Some(0) | None) => Ok(Framing::None),
        (false, Some(length)) => Ok(Framing::Length(length)),
    }
}

/// The framing of a response to a request of that method (RFC 9112 6.3, items 1-8).
/// `upgrade` says whether the request asked for one.
///
/// # Errors
/// `Malformed` as for requests, and for a 101 that nobody asked for.
pub fn response(head: &ResponseHead, method: Method, upgrade: bool) -> Result<Framing> {
    let side = Side::Upstream;
    let coded = transfer_coding(head.headers.get_all(Name::TransferEncoding), head.version, side)?;
    let length = content_length(head.headers.get_all(Name::ContentLength), side)?;
    if coded && length.is_some() {
        return Err(bad(side, "both Transfer-Encoding and Content-Length"));
    }
    if head.status == 101 {
        if !upgrade {
            return Err(bad(side, "101 to a request that asked for no upgrade"));
        }
        return Ok(Framing::Tunnel);
    }
    if method == Method::Connect && (200..300).contains(&head.status) {
        return Ok(Framing::Tunnel);
    }
    if method == Method::Head || is_bodiless(head.status) {
        return Ok(Framing::None);
    }
    Ok(match (coded, length) {
        (true, _) => Framing::Chunked,
        (false, Some(0)) => Framing::None,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::UntilClose,
    })
}

/// Looks whether a 101 switches to what was asked for (the value of `Upgrade`) and to nothing else (RFC 9110 7.8):
/// what the client does not expect would be read by rules that nobody here has checked.
///
/// # Errors
/// `Malformed` where it names another protocol, or none.
pub fn check_switch(head: &ResponseHead, asked: &[u8]) -> Result<()> {
    let mut protocols = head.headers.get_all(Name::Upgrade).flat_map(list_members).peekable();
    let is_asked = |protocol: &[u8]| list_members(asked).any(|asked| asked.eq_ignore_ascii_case(protocol));
    if head.status != 101 || protocols.peek().is_some() && protocols.all(is_asked) {
        return Ok(());
    }
    Err(bad(Side::Upstream, "101 to a protocol that was not asked for"))
}

/// Whether the message is chunked; any other coding is refused (RFC 9112 6.1, 7).
fn transfer_coding<'a>(
    mut values: impl Iterator<Item = &'a [u8]>,
    version: Version,
    side: Side,
) -> Result<bool> {
    let Some(value) = values.next() else { return Ok(false) };
    if version == Version::Http10 {
        return Err(bad(side, "Transfer-Encoding in an HTTP/1.0 message"));
    }
    if values.next().is_some() {
        return Err(bad(side, "several Transfer-Encoding fields"));
    }
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(true);
    }
    if side == Side::Downstream && is_chunked_last(value) {
        return Err(Error::of(side, Kind::TransferCoding, "a transfer coding besides \"chunked\""));
    }
    Err(bad(side, "a Transfer-Encoding other than \"chunked\""))
}

/// Whether codings that we don't know stand before one last `chunked`: such a message is well-formed and
/// gets 501 (RFC 9112 6.1); where `chunked` isn't last, or is there twice, it is 400 (6.3 item 4).
fn is_chunked_last(value: &[u8]) -> bool {
    let mut members = value.rsplit(|&b| b == b',').map(<[u8]>::trim_ascii);
    members.next().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"))
        && members.all(|coding| {
            let name = coding.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
            !name.is_empty()
                && super::scan::token_len(name) == name.len()
                && !name.eq_ignore_ascii_case(b"chunked")
        })
}

/// The one Content-Length, all digits (RFC 9110 8.6, RFC 9112 6.3 item 5).
fn content_length<'a>(mut values: impl Iterator<Item = &'a [u8]>, side: Side) -> Result<Option<u64>> {
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad(side, "several Content-Length fields"));
    }
    parse_length(value).map(Some).ok_or_else(|| bad(side, "malformed Content-Length"))
}

/// `1*DIGIT` that fits 63 bits, so that sums with it don't overflow.
pub fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum = value.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    (sum <= i64::MAX as u64).then_some(sum)
}

/// Settles target and authority (RFC 9112 3.2, 3.3): one `Host` for HTTP/1.1, an absolute target cut to
/// origin-form, both agreeing.
///
/// # Errors
/// `Malformed` for a missing, repeated, malformed or contradicting host and for a malformed target.
pub(crate) fn settle_target(head: &mut RequestHead, limits: &Limits) -> Result<()> {
    let side = Side::Downstream;
    let host = match head.headers.sole_range(Name::Host) {
        Some((_, false)) => return Err(bad(side, "several Host fields")),
        Some((range, true)) => Some(range),
        None if head.version == Version::Http11 => return Err(bad(side, "no Host field")),
        None => None,
    };
    head.authority = host.clone().unwrap_or(0..0);
    if !is_authority(head.authority()) {
        return Err(bad(side, "malformed Host"));
    }
    if limits.needs_host && host.is_some() && head.authority().is_empty() {
        return Err(bad(side, "an empty Host"));
    }
    let target = head.target();
    let is_raw = || limits.raw_targets && target.iter().all(|&b| is_target_byte(b) || b >= 0x80);
    if !target.iter().all(|&b| is_target_byte(b)) && !is_raw() {
        return Err(bad(side, "a byte in the target that no URI has"));
    }
    match target {
        _ if head.method == Method::Connect => settle_connect(head),
        [b'/', ..] => Ok(()),
        b"*" if head.method == Method::Options => Ok(()),
        _ => settle_absolute(head, host.is_some()),
    }
}

/// Cuts an absolute target to origin-form.
fn settle_absolute(head: &mut RequestHead, has_host: bool) -> Result<()> {
    let side = Side::Downstream;
    let is_options = head.method == Method::Options;
    let absolute = split_absolute(head.target(), is_options).ok_or_else(|| bad(side, "malformed target"))?;
    // RFC 9112 3.2.2 lets a proxy replace a Host that disagrees; two parsers would route differently.
    if has_host && !absolute.is_for(head.authority()) {
        return Err(bad(side, "Host disagrees with the target"));
    }
    let (authority, origin) = (absolute.authority.to_vec(), absolute.origin);
    head.asks_https = absolute.is_https;
    head.set_authority(&authority);
    head.set_target(&origin);
    head.original_target = head.target_range.clone();
    Ok(())
}

fn settle_connect(head: &mut RequestHead) -> Result<()> {
    let authority = head.target();
    let has_port = authority
        .rsplit(|&b| b == b':')
        .next()
        .is_some_and(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit));
    if !is_authority(authority) || authority.is_empty() || !authority.contains(&b':') || !has_port {
        return Err(bad(Side::Downstream, "malformed CONNECT target"));
    }
    head.authority = head.target_range.clone();
    Ok(())
}

/// A target in absolute-form (RFC 9112 3.2.2).
struct Absolute<'a> {
    is_https: bool,
    authority: &'a [u8],
    origin: Vec<u8>,
}

impl Absolute<'_> {
    /// Whether a `Host` field names the same host and port.
    fn is_for(&self, host: &[u8]) -> bool {
        // The port that goes without saying.
        let default_port: &[u8] = if self.is_https { b":443" } else { b":80" };
        let bare = |text: &'_ [u8]| -> Vec<u8> {
            let text = text.strip_suffix(default_port).or_else(|| text.strip_suffix(b":")).unwrap_or(text);
            text.to_ascii_lowercase()
        };
        bare(self.authority) == bare(host)
    }
}

/// Splits `http://host:port/path?query` into authority and origin-form. An `OPTIONS` without path and
/// query means the server itself, `*` (RFC 9112 3.2.4).
fn split_absolute(target: &[u8], is_options: bool) -> Option<Absolute<'_>> {
    let scheme_len = target.windows(3).position(|window| window == b"://")?;
    let is_https = match target.get(..scheme_len)? {
        scheme if scheme.eq_ignore_ascii_case(b"http") => false,
        scheme if scheme.eq_ignore_ascii_case(b"https") => true,
        _ => return None,
    };
    let rest = target.get(scheme_len + 3..)?;
    let end = rest.iter().position(|&b| b == b'/' || b == b'?').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    if authority.is_empty() || !is_authority(authority) {
        return None;
    }
    let mut origin = Vec::with_capacity(path.len() + 1);
    if path.is_empty() && is_options {
        origin.push(b'*');
    } else if !path.starts_with(b"/") {
        origin.push(b'/');
    }
    origin.extend_from_slice(path);
    Some(Absolute { is_https, authority, origin })
}

/// Whether `text` is `host [":" port]` (RFC 9110 7.2, RFC 3986 3.2): no user information, no white space.
fn is_authority(text: &[u8]) -> bool {
    let (host, port) = match text {
        [b'[', ..] => match text.iter().position(|&b| b == b']') {
            Some(end) => text.split_at(end + 1),
            None => return false,
        },
        _ => text.split_at(super::scan::reg_name_len(text)),
    };
    let port_fits = match port {
        [] | [b':'] => true,
        [b':', digits @ ..] => {
            digits.len() <= 5 && parse_length(digits).is_some_and(|port| port <= u64::from(u16::MAX))
        }
        _ => false,
    };
    let host_fits = match host {
        [b'[', inner @ .., b']'] => {
            !inner.is_empty() && inner.iter().all(|&b| b.is_ascii_hexdigit() || b == b':' || b == b'.')
        }
        // Found as such; what stands behind it is no port then.
        _ => true,
    };
    // An empty host with a port names nothing; an empty Host field altogether is allowed (RFC 9110 7.2).
    port_fits && host_fits && (!host.is_empty() || port.is_empty())
}

/// Whether the client lets the connection live on after this request (RFC 9112 9.3).
pub fn request_keeps_alive(head: &RequestHead) -> bool {
    keeps_alive(head.version, &head.headers)
}

/// Whether the upstream lets the connection live on after this response (RFC 9112 9.3).
pub fn response_keeps_alive(head: &ResponseHead) -> bool {
    // RFC 9112 6.1: a 204 says nothing of a body. One that does may send it all the same.
    let is_unclear = head.status == 204
        && (head.headers.has(Name::TransferEncoding)
            || head.headers.get(Name::ContentLength).is_some_and(|len| parse_length(len) != Some(0)));
    !is_unclear && keeps_alive(head.version, &head.headers)
}

fn keeps_alive(version: Version, headers: &crate::headers::Headers) -> bool {
    match version {
        Version::Http11 | Version::Http20 => !headers.lists(Name::Connection, "close"),
        Version::Http10 => {
            headers.lists(Name::Connection, "keep-alive") && !headers.lists(Name::Connection, "close")
        }
    }
}

/// The protocol the client asks to switch to: `Upgrade` with `Connection: upgrade` (RFC 9110 7.8),
/// never in HTTP/1.0. Never HTTP/2 either: in such a tunnel requests would go round every rule of ours,
/// and RFC 9113 3.1 has given that upgrade up.
pub fn asks_upgrade(head: &RequestHead) -> bool {
    // Over HTTP/2 only an extended CONNECT of ours is written so (RFC 9113 8.2.2 allows nobody else to).
    head.version != Version::Http10
        && head.headers.has(Name::Upgrade)
        && !["h2c", "h2"].iter().any(|protocol| head.headers.lists(Name::Upgrade, protocol))
        && head.headers.lists(Name::Connection, "upgrade")
}

fn bad(side: Side, reason: &'static str) -> Error {
    Error::of(side, Kind::Malformed, reason)
}

#[cfg(test)]
mod tests;
