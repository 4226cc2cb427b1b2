//! Who the client is behind other proxies, and what the next hop is told about it.

use crate::snapshot::ListenerPlan;
use bifrons_core::{Error, Kind, Result};
use bifrons_http::cx::hex;
use bifrons_http::headers::list_members;
use bifrons_http::name::{Key, is_disguised_claim};
use bifrons_http::vars::host_of;
use bifrons_http::{FieldName, Headers, Name, ReqCx, RequestHead, Version};
use bifrons_model::{CdnLoop, ForwardedField};
use bifrons_route::IpSet;
use smallvec::SmallVec;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

/// 32: more proxies in a row than any network has; the rest of a longer list is not looked at.
const CHAIN_MAX: usize = 32;
/// 2: a request that the same listener has already passed twice goes round (RFC 9110 7.6.3). Once is
/// allowed, since a host may be proxied to another host of the same listener on purpose.
const VISITS_MAX: usize = 2;
const CDN_LOOP: &str = "cdn-loop";

/// How the client's address is found.
#[derive(Debug)]
pub struct ClientRules {
    /// Networks of proxies in front of us.
    pub trusted: IpSet,
    /// Whether clients of a Unix socket are trusted.
    pub trusts_unix: bool,
    /// How many proxies stand in front of us.
    pub hops: u8,
    /// The field that names the client.
    pub field: FieldName,
    /// Whether trusted addresses are skipped from the right.
    pub recursive: bool,
}

impl ClientRules {
    /// Whether nobody is trusted.
    fn trusts_nobody(&self) -> bool {
        self.trusted.is_empty() && self.hops == 0 && !self.trusts_unix
    }

    fn trusts_peer(&self, peer: Option<SocketAddr>) -> bool {
        match peer {
            _ if self.trusted.is_empty() && self.hops > 0 => true,
            Some(peer) => self.trusted.contains(peer.ip()),
            None => self.trusts_unix,
        }
    }

    /// Whether what this peer says about clients is believed.
    pub fn trusts(&self, peer: Option<SocketAddr>) -> bool {
        !self.trusts_nobody() && self.trusts_peer(peer)
    }

    /// Settles `cx.client` and `cx.is_trusted`.
    pub fn identify(&self, cx: &mut ReqCx, head: &RequestHead) {
        if self.trusts_nobody() || !self.trusts_peer(cx.conn.peer) {
            return;
        }
        cx.is_trusted = true;
        let chain = chain_of(&head.headers, &self.field);
        let client = if self.hops > 0 {
            let at = chain.len().saturating_sub(usize::from(self.hops));
            chain.get(at)
        } else if self.recursive {
            let is_client = |addr: &&SocketAddr| !self.trusted.contains(addr.ip());
            chain.iter().rev().find(is_client).or(chain.first())
        } else {
            chain.last()
        };
        if let Some(client) = client {
            cx.client = Some(*client);
        }
    }
}

/// The addresses a field names, left to right; from the right only as far as they can be read, since
/// what stands before garbage was not written by a proxy we trust.
fn chain_of(headers: &Headers, field: &FieldName) -> SmallVec<[SocketAddr; 4]> {
    let is_forwarded = field.id() == Name::Forwarded;
    let mut chain: SmallVec<[SocketAddr; 4]> = SmallVec::new();
    for member in headers.get_all(field).flat_map(list_members) {
        let text = if is_forwarded { forwarded_for(member) } else { Some(member) };
        match text.and_then(read_address) {
            Some(addr) => chain.push(addr),
            None => chain.clear(),
        }
    }
    let surplus = chain.len().saturating_sub(CHAIN_MAX);
    chain.drain(..surplus);
    chain
}

/// The `for` of one element of `Forwarded` (RFC 7239 4).
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    element.split(|&b| b == b';').find_map(|pair| {
        let (name, value) = pair.trim_ascii().split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    })
}

/// An address with or without port: `1.2.3.4`, `1.2.3.4:80`, `2001:db8::1`, `"[2001:db8::1]:80"`.
fn read_address(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?.trim().trim_matches('"');
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip.to_canonical(), 0));
    }
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return Some(SocketAddr::new(addr.ip().to_canonical(), addr.port()));
    }
    let bare = text.strip_prefix('[')?.strip_suffix(']')?;
    bare.parse().ok().map(|ip| SocketAddr::new(ip, 0))
}

/// Breaks loops: an error when the request has passed this listener too often.
///
/// # Errors
/// `Loop`.
pub fn check_loop(listener: &ListenerPlan, head: &RequestHead) -> Result<()> {
    if let Some(mark) = &listener.cdn_loop {
        check_cdn_loop(mark, head)?;
    }
    let Some(via) = &listener.via else { return Ok(()) };
    let visits = head
        .headers
        .get_all(Name::Via)
        .flat_map(list_members)
        .filter(|member| member.ends_with(via.name.as_bytes()))
        .count();
    if visits >= VISITS_MAX {
        return Err(Error::downstream(Kind::Loop, "the request came back to this listener"));
    }
    Ok(())
}

/// Refuses what has been at this CDN before (RFC 8586 2.1). The field tells nothing else, and goes on as it is.
fn check_cdn_loop(mark: &CdnLoop, head: &RequestHead) -> Result<()> {
    let members = head.headers.get_all(CDN_LOOP).flat_map(list_members);
    let ids = members.map(|member| member.split(|b| *b == b';').next().unwrap_or(member).trim_ascii());
    let visits = ids.filter(|id| id.eq_ignore_ascii_case(mark.id.as_bytes())).count();
    if visits > usize::from(mark.visits) {
        return Err(Error::downstream(Kind::Loop, "the request came back to this CDN (CDN-Loop)"));
    }
    Ok(())
}

/// Adds the CDN's mark behind those of others.
pub fn mark_cdn_loop(listener: &ListenerPlan, head: &mut RequestHead) {
    if let Some(mark) = &listener.cdn_loop {
        head.headers.append_as("CDN-Loop", mark.id.as_bytes());
    }
}

/// Appends our mark to `Via`, with the version the request came by.
pub fn mark_via(listener: &ListenerPlan, head: &mut RequestHead) {
    if let Some(via) = &listener.via {
        let value = match head.version {
            Version::Http10 => &via.value_http10,
            Version::Http11 => &via.value_http11,
            Version::Http20 => &via.value_http20,
        };
        append_member(&mut head.headers, Name::Via, value);
    }
}

/// Writes the forwarding fields; what an untrusted client said in any of them is dropped.
pub fn write_fields(fields: &[ForwardedField], listener: &ListenerPlan, cx: &ReqCx, head: &mut RequestHead) {
    let tls = cx.conn.tls.as_deref();
    let drops_cert = |name: &[u8]| listener.client_cert.drops(tls, name);
    if !cx.is_trusted && !fields.is_empty() {
        drop_claims(&mut head.headers, drops_cert);
    } else if head.headers.saw_any(Name::Other.bit()) {
        head.headers.remove_where(|id, name| id == Name::Other && drops_cert(name));
    }
    if tls.is_some() {
        listener.client_cert.write(tls, &mut head.headers);
    }
    for field in fields {
        write_field(*field, cx, head);
    }
}

/// Fields by which a client could claim to be another.
const CLAIMS: u64 = Name::XForwardedFor.bit()
    | Name::XForwardedProto.bit()
    | Name::XForwardedHost.bit()
    | Name::XForwardedPort.bit()
    | Name::XRealIp.bit()
    | Name::Forwarded.bit();

fn drop_claims(headers: &mut Headers, drops_other: impl Fn(&[u8]) -> bool) {
    if headers.saw_any(CLAIMS | Name::Other.bit()) {
        headers.remove_where(|id, name| match id {
            Name::Other => is_disguised_claim(name) || drops_other(name),
            id => id.bit() & CLAIMS != 0,
        });
    }
}

fn write_field(field: ForwardedField, cx: &ReqCx, head: &mut RequestHead) {
    match field {
        // Each hop appends the address it was called from, so that the whole chain can be read.
        ForwardedField::XForwardedFor => {
            append_member(&mut head.headers, Name::XForwardedFor, cx.conn.peer_text.as_bytes());
        }
        ForwardedField::XRealIp if cx.client == cx.conn.peer => {
            head.headers.set(Name::XRealIp.spelt("X-Real-IP"), cx.conn.peer_text.as_bytes());
        }
        ForwardedField::XRealIp => {
            let client = cx.client_ip().to_canonical().to_string();
            head.headers.set(Name::XRealIp.spelt("X-Real-IP"), client.as_bytes());
        }
        ForwardedField::XForwardedProto => {
            let key = Name::XForwardedProto.spelt("X-Forwarded-Proto");
            keep_or_set(cx, &mut head.headers, key, cx.conn.scheme().as_bytes());
        }
        // None was asked for.
        ForwardedField::XForwardedHost if head.authority().is_empty() => {}
        ForwardedField::XForwardedHost => {
            let host: SmallVec<[u8; 64]> = head.authority().into();
            keep_or_set(cx, &mut head.headers, Name::XForwardedHost.spelt("X-Forwarded-Host"), &host);
        }
        ForwardedField::XForwardedPort => {
            let port = cx.conn.local.get().copied().flatten().map_or(80, |addr| addr.port());
            let key = Name::XForwardedPort.spelt("X-Forwarded-Port");
            keep_or_set(cx, &mut head.headers, key, port.to_string().as_bytes());
        }
        ForwardedField::Forwarded => {
            let mut value = SmallVec::new();
            write_forwarded(cx, head, &mut value);
            append_member(&mut head.headers, Name::Forwarded, &value);
        }
        ForwardedField::XRequestId => {
            let key = Name::XRequestId.spelt("X-Request-Id");
            keep_or_set(cx, &mut head.headers, key, cx.request_id());
        }
        ForwardedField::Traceparent => write_trace(cx, head),
    }
}

/// A trusted proxy's word stands; else ours.
fn keep_or_set(cx: &ReqCx, headers: &mut Headers, key: Key<'_>, value: &[u8]) {
    if !(cx.is_trusted && headers.has(key)) {
        headers.set(key, value);
    }
}

/// An element of `Forwarded` (RFC 7239 4, 6): IPv6 addresses and anything with a colon quoted.
fn write_forwarded(cx: &ReqCx, head: &RequestHead, out: &mut SmallVec<[u8; 64]>) {
    let _ = match cx.conn.peer.map(|peer| peer.ip().to_canonical()) {
        Some(IpAddr::V4(ip)) => write!(out, "for={ip}"),
        Some(IpAddr::V6(ip)) => write!(out, "for=\"[{ip}]\""),
        None => write!(out, "for=_unix"),
    };
    let authority = head.authority();
    if !authority.is_empty() {
        let quote: &[u8] = if host_of(authority) == authority { b"" } else { b"\"" };
        for piece in [b";host=", quote, authority, quote] {
            out.extend_from_slice(piece);
        }
    }
    let _ = write!(out, ";proto={}", cx.conn.scheme());
}

/// W3C Trace Context: a trusted proxy's trace goes on with a span of ours, else a new one begins.
fn write_trace(cx: &ReqCx, head: &mut RequestHead) {
    let trusted = head.headers.get(Name::Traceparent).filter(|_| cx.is_trusted);
    let trace = match trusted.and_then(read_trace) {
        Some((id, flags)) => (id, flags),
        None => {
            head.headers.remove("tracestate");
            (hex(fastrand::u128(1..)), *b"01")
        }
    };
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-01";
    let span = hex(u128::from(fastrand::u64(1..)));
    let parts = [(3, trace.0.as_slice()), (36, span.get(16..).unwrap_or_default()), (53, &trace.1)];
    for (at, part) in parts {
        for (to, from) in value.iter_mut().skip(at).zip(part) {
            *to = *from;
        }
    }
    head.headers.set(Name::Traceparent, &value);
    let _ = cx.traceparent.set(value);
}

/// Trace id and flags of a `traceparent` of version 00.
fn read_trace(value: &[u8]) -> Option<([u8; 32], [u8; 2])> {
    let is_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (id, span, flags) = (value.get(3..35)?, value.get(36..52)?, value.get(53..55)?);
    let dashes = [2, 35, 52].iter().all(|&at| value.get(at) == Some(&b'-'));
    let fits = value.len() == 55 && value.starts_with(b"00") && dashes;
    let alive = id.iter().any(|&b| b != b'0') && span.iter().any(|&b| b != b'0');
    if !fits || !alive || ![id, span, flags].into_iter().all(is_hex) {
        return None;
    }
    Some((id.try_into().ok()?, flags.try_into().ok()?))
}

/// Appends behind a comma, all former fields joined into one.
fn append_member(headers: &mut Headers, name: Name, value: &[u8]) {
    if !headers.has(name) {
        headers.append(spelt(name), value);
        return;
    }
    let mut joined = Vec::new();
    for old in headers.get_all(name) {
        joined.extend_from_slice(old);
        joined.extend_from_slice(b", ");
    }
    joined.extend_from_slice(value);
    headers.remove(name);
    headers.append(spelt(name), &joined);
}

/// The usual spelling of the fields written here.
fn spelt(name: Name) -> Key<'static> {
    match name {
        Name::XForwardedFor => name.spelt("X-Forwarded-For"),
        Name::Forwarded => name.spelt("Forwarded"),
        Name::Via => name.spelt("Via"),
        name => name.into(),
    }
}
