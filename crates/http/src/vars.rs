//! The values of variables (`$remote_addr`, `$http_name`, …) for one request.

use crate::cx::{Attempt, ReqCx};
use crate::date;
use crate::encoding::Encoding;
use crate::head::{RequestHead, ResponseHead, Version};
use crate::headers::Headers;
use crate::name::Name;
use bifrons_config::{Lookup, Var};
use bifrons_core::time::{msec, seconds, time_iso8601, time_local};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

mod coded;
mod computed;
mod fields;
mod layer4;
mod timing;
mod tls;
use coded::ratio;
pub use computed::Computed;

/// Everything a template may ask for.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What is known about the request.
    pub cx: &'a ReqCx,
    /// Its head.
    pub req: &'a RequestHead,
    /// The answer's head, once there is one.
    pub res: Option<&'a ResponseHead>,
}

impl Lookup for Scope<'_> {
    fn lookup(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        match var {
            Var::Http(_)
            | Var::SentHttp(_)
            | Var::UpstreamHttp(_)
            | Var::Cookie(_)
            | Var::UpstreamCookie(_)
            | Var::SentTrailer(_)
            | Var::UpstreamTrailer(_)
            | Var::GrpcStatus
            | Var::Arg(_) => self.family(var, out),
            Var::UpstreamAddr
            | Var::UpstreamStatus
            | Var::UpstreamResponseTime
            | Var::UpstreamConnectTime
            | Var::UpstreamHeaderTime
            | Var::UpstreamResponseLength
            | Var::UpstreamBytesSent
            | Var::UpstreamBytesReceived => self.upstream(var, out),
            Var::RemoteAddr
            | Var::RemotePort
            | Var::BinaryRemoteAddr
            | Var::RealipRemoteAddr
            | Var::RealipRemotePort
            | Var::ServerAddr
            | Var::ServerPort
            | Var::ProxyProtocolAddr
            | Var::ProxyProtocolPort
            | Var::ProxyProtocolServerAddr
            | Var::ProxyProtocolServerPort
            | Var::ProxyProtocolTlv(_)
            | Var::Scheme
            | Var::Https
            | Var::Connection
            | Var::ConnectionRequests
            | Var::ConnectionTime
            | Var::TcpinfoRtt
            | Var::TcpinfoRttvar
            | Var::TcpinfoSndCwnd
            | Var::TcpinfoRcvSpace
            | Var::Listener => self.connection(var, out),
            Var::SslAlpnProtocol
            | Var::SslCipher
            | Var::SslCiphers
            | Var::SslClientCert
            | Var::SslClientEscapedCert
            | Var::SslClientFingerprint
            | Var::SslClientIDn
            | Var::SslClientIDnLegacy
            | Var::SslClientRawCert
            | Var::SslClientSDn
            | Var::SslClientSDnLegacy
            | Var::SslClientSerial
            | Var::SslClientVEnd
            | Var::SslClientVRemain
            | Var::SslClientVStart
            | Var::SslClientVerify
            | Var::SslCurve
            | Var::SslCurves
            | Var::SslEarlyData
            | Var::SslProtocol
            | Var::SslServerName
            | Var::SslSessionId
            | Var::SslSessionReused => tls::value(self.cx, var, out),
            Var::Protocol
            | Var::SslPrereadServerName
            | Var::SslPrereadAlpnProtocols
            | Var::SslPrereadProtocol => layer4::value(self.cx, var, out),
            Var::ElapsedMs | Var::UpstreamMs => timing::value(self.cx, var, out),
            Var::Status
            | Var::BodyBytesSent
            | Var::BytesSent
            | Var::BytesReceived
            | Var::RequestTime
            | Var::RequestLength
            | Var::RequestCompletion
            | Var::Termination
            | Var::GzipRatio
            | Var::BrotliRatio
            | Var::ZstdRatio
            | Var::Attempts => self.outcome(var, out),
            _ => self.request(var, out),
        }
    }
}

impl Scope<'_> {
    fn request(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        let (cx, req) = (self.cx, self.req);
        match var {
            Var::Host => return self.host(out),
            Var::Method => out.extend_from_slice(req.method_text()),
            Var::RequestUri => out.extend_from_slice(req.original_target()),
            Var::Uri => out.extend_from_slice(cx.path.as_deref().unwrap_or(req.path())),
            // An empty one is none, as in nginx.
            Var::Args => return some(req.query().filter(|query| !query.is_empty()), out),
            // Empty where there is no query, which is a value too.
            Var::IsArgs if req.query().is_none_or(<[u8]>::is_empty) => {}
            Var::IsArgs => out.push(b'?'),
            Var::CacheKey | Var::UpstreamCacheStatus => return some(coded::cache(cx, var), out),
            Var::SliceRange => return some(cx.slice_range().as_ref().map(String::as_bytes), out),
            Var::Pipe => out.push(if cx.is_pipelined { b'p' } else { b'.' }),
            Var::Request => match &cx.refused {
                Some(line) => out.extend_from_slice(line),
                // A whole connection is no request, and has no line.
                None if cx.conn.layer4.is_some() => return false,
                None => req.line(out),
            },
            Var::ServerProtocol if cx.conn.layer4.is_some() => return layer4::value(cx, &Var::Protocol, out),
            Var::ServerProtocol => out.extend_from_slice(req.version.text().as_bytes()),
            Var::Http2 if req.version == Version::Http20 => {
                out.extend_from_slice(if cx.conn.tls.is_some() { b"h2" } else { b"h2c" });
            }
            Var::Http2 => return false,
            Var::ServerName => return some(cx.server_name.as_deref().map(str::as_bytes), out),
            Var::ContentLength => return some(req.headers.originals(Name::ContentLength).next(), out),
            Var::ContentType => return some(req.headers.originals(Name::ContentType).next(), out),
            Var::RemoteUser => return remote_user(&req.headers, out),
            Var::RequestId => out.extend_from_slice(cx.request_id()),
            Var::Traceparent => return some(cx.traceparent.get().map(<[u8; 55]>::as_slice), out),
            Var::TraceId => return some(cx.traceparent.get().and_then(|trace| trace.get(3..35)), out),
            Var::Route => return some(cx.route.as_deref().map(str::as_bytes), out),
            Var::Cluster => return some(cx.cluster.as_deref().map(str::as_bytes), out),
            Var::ProxyHost => return some(proxy_host(cx).map(str::as_bytes), out),
            Var::ProxyPort => return some(proxy_port(cx), out),
            Var::ProxyAddXForwardedFor => self.add_forwarded_for(out),
            Var::DocumentRoot | Var::RealpathRoot => match (&cx.document_root, &cx.document) {
                (None, Some(document)) => document.dir(self, out),
                (root, _) => return some(root.as_deref(), out),
            },
            Var::RequestFilename => match (&cx.filename, &cx.document) {
                (None, Some(document)) => document.filename(self, out),
                (name, _) => return some(name.as_deref(), out),
            },
            Var::Capture(at) => return some(cx.captures.get(usize::from(*at) - 1).map(Vec::as_slice), out),
            Var::User(name) => return self.declared(name, out),
            Var::RequestBody => return some(cx.body.as_deref(), out),
            Var::RequestBodyFile => {
                let path = cx.body_file.as_ref().and_then(|file| file.path());
                return some(path.map(|path| path.as_os_str().as_bytes()), out);
            }
            Var::LimitConnStatus => {
                let word = cx.limited.as_ref().map(|limited| limited.how.word());
                return some(word.map(str::as_bytes), out);
            }
            Var::LimitRate => return number(Some(cx.rate.unwrap_or(0)), out),
            _ => return process(var, out),
        }
        true
    }

    /// Host without port, lower case; the matched host's name where the client named none.
    fn host(&self, out: &mut Vec<u8>) -> bool {
        let host = host_of(self.req.authority());
        if host.is_empty() {
            return some(self.cx.server_name.as_deref().map(str::as_bytes), out);
        }
        out.extend(host.iter().map(u8::to_ascii_lowercase));
        true
    }

    fn add_forwarded_for(&self, out: &mut Vec<u8>) {
        let start = out.len();
        for value in self.req.headers.originals(Name::XForwardedFor) {
            separate(out, start, b", ");
            out.extend_from_slice(value);
        }
        separate(out, start, b", ");
        self.connection(&Var::RemoteAddr, out);
    }

    fn connection(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        let cx = self.cx;
        let conn = &cx.conn;
        let local = || *conn.local.get_or_init(|| conn.socket.upgrade()?.stream().local_addr());
        let tcp = || conn.socket.upgrade()?.stream().tcp_info();
        match var {
            Var::RemoteAddr => return address(cx.client.map(|addr| addr.ip()), out),
            // A trusted proxy may have told the address alone.
            Var::RemotePort => {
                return number(cx.client.map(|addr| addr.port()).filter(|port| *port != 0), out);
            }
            Var::BinaryRemoteAddr => match cx.client.map(|addr| addr.ip()) {
                Some(IpAddr::V4(ip)) => out.extend_from_slice(&ip.octets()),
                Some(IpAddr::V6(ip)) => out.extend_from_slice(&ip.octets()),
                None => out.extend_from_slice(b"unix:"),
            },
            Var::RealipRemoteAddr => return address(conn.peer.map(|addr| addr.ip()), out),
            Var::RealipRemotePort => return number(conn.peer.map(|addr| addr.port()), out),
            Var::ServerAddr => return address(local().map(|addr| addr.ip()), out),
            Var::ServerPort => return number(local().map(|addr| addr.port()), out),
            Var::ProxyProtocolAddr => {
                return conn.told.as_ref().is_some_and(|told| address(Some(told.source.ip()), out));
            }
            Var::ProxyProtocolPort => return number(conn.told.as_ref().map(|told| told.source.port()), out),
            Var::ProxyProtocolServerAddr => {
                return conn.told.as_ref().is_some_and(|told| address(Some(told.destination.ip()), out));
            }
            Var::ProxyProtocolServerPort => {
                return number(conn.told.as_ref().map(|told| told.destination.port()), out);
            }
            Var::ProxyProtocolTlv(name) => {
                return conn.told.as_ref().is_some_and(|told| told.tlvs.write(name, out));
            }
            Var::Scheme => out.extend_from_slice(conn.scheme().as_bytes()),
            Var::Https if conn.tls.is_some() => out.extend_from_slice(b"on"),
            Var::Https => {}
            Var::Connection => return number(Some(conn.serial), out),
            Var::ConnectionRequests => return number(Some(conn.requests.get()), out),
            Var::ConnectionTime => seconds(conn.accepted.elapsed(), out),
            Var::TcpinfoRtt => return number(tcp().map(|info| info.rtt_us), out),
            Var::TcpinfoRttvar => return number(tcp().map(|info| info.rtt_var_us), out),
            Var::TcpinfoSndCwnd => return number(tcp().map(|info| info.send_window), out),
            Var::TcpinfoRcvSpace => return number(tcp().map(|info| info.receive_space), out),
            Var::Listener => out.extend_from_slice(conn.listener.as_bytes()),
            _ => return false,
        }
        true
    }

    fn outcome(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        let cx = self.cx;
        match var {
            Var::Status => {
                let status = if cx.status == 0 { self.res.map_or(0, |res| res.status) } else { cx.status };
                let _ = write!(out, "{status:03}");
                true
            }
            Var::BodyBytesSent => number(Some(cx.body_sent), out),
            Var::BytesSent => number(Some(cx.sent), out),
            Var::RequestTime => {
                seconds(cx.finished.unwrap_or_else(Instant::now) - cx.started, out);
                true
            }
            Var::BytesReceived => number(Some(cx.received), out),
            Var::RequestLength => number(Some(cx.received.max(cx.head_bytes)), out),
            Var::RequestCompletion => {
                let is_complete = cx.finished.is_some() && !cx.is_cut;
                some(Some(if is_complete { b"OK".as_slice() } else { b"" }), out)
            }
            Var::Termination => match &cx.error {
                Some(err) => some(Some(crate::termination::word(err).as_bytes()), out),
                None => false,
            },
            Var::GzipRatio => ratio(cx, Encoding::Gzip, out),
            Var::BrotliRatio => ratio(cx, Encoding::Brotli, out),
            Var::ZstdRatio => ratio(cx, Encoding::Zstd, out),
            Var::Attempts => number(Some(cx.attempts.len()), out),
            _ => false,
        }
    }

    fn upstream(&self, var: &Var, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        for (at, attempt) in self.cx.attempts.iter().enumerate() {
            separate(out, start, if self.cx.attempt_groups.contains(&at) { b" : " } else { b", " });
            if !attempt_value(attempt, var, out) {
                out.push(b'-');
            }
        }
        out.len() > start
    }
}

/// Name and port of the upstream as the route names it.
fn proxy_host(cx: &ReqCx) -> Option<&str> {
    let cluster = cx.cluster.as_deref();
    // What only tells a cluster from one of the same name in plain text is no part of its own.
    let secured = || cluster?.strip_prefix("https://")?.split('#').next();
    cx.proxy_host.as_deref().or_else(secured).or(cluster)
}

fn attempt_value(attempt: &Attempt, var: &Var, out: &mut Vec<u8>) -> bool {
    let time = |us: Option<u32>, out: &mut Vec<u8>| match us {
        Some(us) => {
            seconds(Duration::from_micros(u64::from(us)), out);
            true
        }
        None => false,
    };
    match var {
        Var::UpstreamAddr => some(Some(attempt.endpoint.as_bytes()), out),
        Var::UpstreamStatus => {
            let status = match (attempt.status, attempt.error) {
                (0, Some(bifrons_core::Kind::Timeout | bifrons_core::Kind::Deadline)) => 504,
                (0, Some(_)) => 502,
                (status, _) => status,
            };
            number((status != 0).then_some(status), out)
        }
        Var::UpstreamConnectTime => time(attempt.connect_us.or(attempt.header_us.map(|_| 0)), out),
        Var::UpstreamHeaderTime => time(attempt.header_us, out),
        Var::UpstreamResponseTime => time(attempt.response_us, out),
        Var::UpstreamResponseLength => number(Some(attempt.body_received), out),
        Var::UpstreamBytesSent => number(Some(attempt.sent), out),
        Var::UpstreamBytesReceived => number(Some(attempt.received), out),
        _ => false,
    }
}

/// Facts of the process and its clocks.
fn process(var: &Var, out: &mut Vec<u8>) -> bool {
    match var {
        Var::Pid => return number(Some(std::process::id()), out),
        Var::Hostname => match rustix::system::uname().nodename().to_str() {
            Ok(name) => out.extend(name.bytes().map(|byte| byte.to_ascii_lowercase())),
            Err(_) => return false,
        },
        Var::NginxVersion => out.extend_from_slice(bifrons_config::vars::NGINX_VERSION.as_bytes()),
        Var::Msec => msec(SystemTime::now(), out),
        Var::TimeLocal => time_local(date::now(), out),
        Var::TimeIso8601 => time_iso8601(date::now(), out),
        _ => return false,
    }
    true
}

/// The value of a cookie (RFC 6265 5.4: pairs separated by `; `).
pub fn cookie<'a>(header: &'a [u8], name: &str) -> Option<&'a [u8]> {
    header.split(|&b| b == b';').find_map(|pair| {
        let pair = pair.trim_ascii();
        let at = memchr::memchr(b'=', pair)?;
        let (found, value) = pair.split_at_checked(at)?;
        found
            .trim_ascii_end()
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| value.get(1..).unwrap_or_default())
    })
}

/// The value of a cookie that a `Set-Cookie` field sets (RFC 6265 5.2: what stands before the first `;`).
fn set_cookie<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    cookie(line.split(|&b| b == b';').next()?, name)
}

/// The value of a query parameter, as it stands there; names without regard to case, as nginx does.
pub fn argument<'a>(query: &'a [u8], name: &str) -> Option<&'a [u8]> {
    query.split(|&b| b == b'&').find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        let (found, value) = pair.split_at_checked(at)?;
        found.eq_ignore_ascii_case(name.as_bytes()).then(|| value.get(1..).unwrap_or_default())
    })
}

/// The host of `host:port`.
pub fn host_of(authority: &[u8]) -> &[u8] {
    let end = match authority {
        [b'[', ..] => authority.iter().position(|&b| b == b']').map_or(authority.len(), |at| at + 1),
        _ => memchr::memchr(b':', authority).unwrap_or(authority.len()),
    };
    let host = authority.get(..end).unwrap_or_default();
    host.strip_suffix(b".").unwrap_or(host)
}

/// Name and password in `Authorization: Basic` (RFC 7617); a pair without colon or name is none.
pub fn credentials(headers: &Headers) -> Option<(Vec<u8>, Vec<u8>)> {
    let value = headers.originals(Name::Authorization).next()?;
    let (scheme, token) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut pair = crate::base64::decode(token.trim_ascii())?;
    let colon = memchr::memchr(b':', &pair).filter(|at| *at > 0)?;
    let password = pair.get(colon + 1..).unwrap_or_default().to_vec();
    pair.truncate(colon);
    Some((pair, password))
}

/// The name in `Authorization: Basic`.
fn remote_user(headers: &Headers, out: &mut Vec<u8>) -> bool {
    some(credentials(headers).as_ref().map(|(name, _)| name.as_slice()), out)
}

fn proxy_port(cx: &ReqCx) -> Option<&[u8]> {
    let port = proxy_host(cx)?.rsplit_once(':').map(|(_, port)| port.as_bytes());
    let port = port.filter(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit));
    let is_secured = cx.cluster.as_deref().is_some_and(|cluster| cluster.starts_with("https://"));
    Some(port.unwrap_or(if is_secured { b"443" } else { b"80" }))
}

fn separate(out: &mut Vec<u8>, start: usize, glue: &[u8]) {
    if out.len() > start {
        out.extend_from_slice(glue);
    }
}

fn some(value: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    match value {
        Some(value) => {
            out.extend_from_slice(value);
            true
        }
        None => false,
    }
}

fn number(value: Option<impl itoa::Integer>, out: &mut Vec<u8>) -> bool {
    match value {
        Some(value) => {
            out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
            true
        }
        None => false,
    }
}

/// An address; `unix:` for a client of a Unix socket, as nginx writes it.
fn address(ip: Option<IpAddr>, out: &mut Vec<u8>) -> bool {
    match ip {
        Some(IpAddr::V4(ip)) => {
            for (at, octet) in ip.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                number(Some(octet), out);
            }
        }
        Some(ip) => {
            let _ = write!(out, "{}", ip.to_canonical());
        }
        None => out.extend_from_slice(b"unix:"),
    }
    true
}

#[cfg(test)]
mod tests;
