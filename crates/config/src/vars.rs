//! The variables that a template may name: nginx's, under nginx's names, and a few of our own.
//!
//! One table drives everything: name to [`Var`], [`Var`] to name, and the reference page.

use std::fmt;

/// The nginx whose words and ways the dialect has (`$nginx_version`, `nginx -v`).
pub const NGINX_VERSION: &str = "1.22.1";

/// One variable, ready to be looked up while serving.
///
/// Field names (`Http` and its kin) are stored as they stand on the wire: lower case, `_` turned to `-`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "every variant is documented in TABLE, from which the reference is made")]
pub enum Var {
    RemoteAddr,
    RemotePort,
    BinaryRemoteAddr,
    ServerAddr,
    ServerPort,
    ServerName,
    ServerProtocol,
    Protocol,
    BytesReceived,
    SslPrereadServerName,
    SslPrereadAlpnProtocols,
    SslPrereadProtocol,
    Http2,
    Host,
    Hostname,
    Scheme,
    Https,
    Method,
    RequestUri,
    Uri,
    Args,
    IsArgs,
    Request,
    RequestLength,
    RequestTime,
    RequestId,
    RequestBody,
    RequestBodyFile,
    RequestCompletion,
    Status,
    BodyBytesSent,
    BytesSent,
    Msec,
    TimeLocal,
    TimeIso8601,
    Connection,
    ConnectionRequests,
    ConnectionTime,
    Pid,
    Pipe,
    NginxVersion,
    ContentLength,
    ContentType,
    DocumentRoot,
    RealpathRoot,
    RequestFilename,
    RemoteUser,
    LimitRate,
    LimitConnStatus,
    ProxyHost,
    ProxyPort,
    ProxyAddXForwardedFor,
    RealipRemoteAddr,
    RealipRemotePort,
    ProxyProtocolAddr,
    ProxyProtocolPort,
    ProxyProtocolServerAddr,
    ProxyProtocolServerPort,
    /// The name in lower case.
    ProxyProtocolTlv(Box<str>),
    TcpinfoRtt,
    TcpinfoRttvar,
    TcpinfoSndCwnd,
    TcpinfoRcvSpace,
    SslAlpnProtocol,
    SslCipher,
    SslCiphers,
    SslClientCert,
    SslClientEscapedCert,
    SslClientFingerprint,
    SslClientIDn,
    SslClientIDnLegacy,
    SslClientRawCert,
    SslClientSDn,
    SslClientSDnLegacy,
    SslClientSerial,
    SslClientVEnd,
    SslClientVRemain,
    SslClientVStart,
    SslClientVerify,
    SslCurve,
    SslCurves,
    SslEarlyData,
    SslProtocol,
    SslServerName,
    SslSessionId,
    SslSessionReused,
    UpstreamAddr,
    UpstreamStatus,
    UpstreamResponseTime,
    UpstreamConnectTime,
    UpstreamHeaderTime,
    UpstreamResponseLength,
    UpstreamBytesSent,
    UpstreamBytesReceived,
    UpstreamCacheStatus,
    CacheKey,
    SliceRange,
    Route,
    Cluster,
    Listener,
    Attempts,
    Termination,
    ElapsedMs,
    UpstreamMs,
    GzipRatio,
    BrotliRatio,
    ZstdRatio,
    TraceId,
    Traceparent,
    Http(Box<str>),
    SentHttp(Box<str>),
    UpstreamHttp(Box<str>),
    SentTrailer(Box<str>),
    GrpcStatus,
    UpstreamTrailer(Box<str>),
    /// The name as written; nginx compares it without regard to case.
    Arg(Box<str>),
    /// The name as written.
    Cookie(Box<str>),
    /// The name as written.
    UpstreamCookie(Box<str>),
    /// `$1` to `$9`: a group of the last regular expression that matched.
    Capture(u8),
    /// A name that the configuration itself declares: a named group, `set`, a map. In lower case.
    User(Box<str>),
}

/// One row of the table of variables.
#[derive(Debug)]
pub struct Entry {
    /// The name without `$`; for a family its beginning, such as `http_`.
    pub name: &'static str,
    /// What the value is, in a sentence.
    pub doc: &'static str,
    /// Whose name it is.
    pub origin: Origin,
    /// What the name stands for.
    pub make: Make,
}

/// Whose name a variable has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// nginx's: a configuration cannot declare it anew.
    Nginx,
    /// Ours: a name that the configuration declares goes before it, so `set $route …` of an existing
    /// nginx.conf keeps its meaning.
    Own,
}

/// What a row of the table makes of a name.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    /// The whole name is one variable.
    One(&'static Var),
    /// The name begins a family; the function takes what follows.
    Family(fn(&str) -> Var),
}

/// All variables, sorted as the reference lists them: whole names, then families. Captures (`$1` to `$9`)
/// and declared names have no row.
pub fn table() -> &'static [Entry] {
    TABLE
}

/// The variable of that name (without `$`), or `None`. Letter case does not matter, as in nginx.
///
/// `known` says whether the configuration declares a name; see [`Origin`] for which of the two wins.
pub fn find(name: &str, known: &dyn Fn(&str) -> bool) -> Option<Var> {
    let lower = name.to_ascii_lowercase();
    let exact = TABLE.iter().find_map(|entry| match entry.make {
        Make::One(var) if entry.name == lower => Some((entry.origin, var)),
        _ => None,
    });
    match exact {
        Some((Origin::Nginx, var)) => return Some(var.clone()),
        _ if known(&lower) || known(name) => return Some(Var::User(lower.into())),
        Some((Origin::Own, var)) => return Some(var.clone()),
        None => {}
    }
    TABLE.iter().find_map(|entry| match entry.make {
        Make::Family(make) if lower.len() > entry.name.len() && lower.starts_with(entry.name) => {
            Some(make(&name[entry.name.len()..]))
        }
        _ => None,
    })
}

impl fmt::Display for Var {
    /// The name as a template writes it, without `$`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (family, rest) = match self {
            Self::Http(name) => ("http_", name),
            Self::SentHttp(name) => ("sent_http_", name),
            Self::UpstreamHttp(name) => ("upstream_http_", name),
            Self::SentTrailer(name) => ("sent_trailer_", name),
            Self::UpstreamTrailer(name) => ("upstream_trailer_", name),
            Self::Arg(name) => ("arg_", name),
            Self::Cookie(name) => ("cookie_", name),
            Self::ProxyProtocolTlv(name) => ("proxy_protocol_tlv_", name),
            Self::UpstreamCookie(name) => ("upstream_cookie_", name),
            Self::Capture(number) => return write!(f, "{number}"),
            Self::User(name) => return f.write_str(name),
            plain => {
                let entry = TABLE.iter().find(|entry| matches!(entry.make, Make::One(var) if var == plain));
                return f.write_str(entry.map_or("", |entry| entry.name));
            }
        };
        write!(f, "{family}{}", rest.replace('-', "_"))
    }
}

/// A field name as it stands on the wire.
fn field(name: &str) -> Box<str> {
    name.to_ascii_lowercase().replace('_', "-").into()
}

const fn nginx(name: &'static str, var: &'static Var, doc: &'static str) -> Entry {
    Entry { name, doc, origin: Origin::Nginx, make: Make::One(var) }
}

const fn own(name: &'static str, var: &'static Var, doc: &'static str) -> Entry {
    Entry { name, doc, origin: Origin::Own, make: Make::One(var) }
}

const fn family(name: &'static str, make: fn(&str) -> Var, doc: &'static str) -> Entry {
    Entry { name, doc, origin: Origin::Nginx, make: Make::Family(make) }
}

#[rustfmt::skip]
static TABLE: &[Entry] = &[
    nginx("args", &Var::Args, "The query string of the request target, without `?`."),
    nginx("binary_remote_addr", &Var::BinaryRemoteAddr, "The client's address in binary: 4 bytes for IPv4, 16 for IPv6; a compact key for limits."),
    nginx("body_bytes_sent", &Var::BodyBytesSent, "Bytes of body sent to the client."),
    nginx("brotli_ratio", &Var::BrotliRatio, "How many times smaller brotli made the answer's body; nothing where it did not."),
    nginx("bytes_sent", &Var::BytesSent, "Bytes sent to the client, head and body."),
    nginx("bytes_received", &Var::BytesReceived, "Bytes received from the client."),
    nginx("connection", &Var::Connection, "The serial number of the client's connection."),
    nginx("connection_requests", &Var::ConnectionRequests, "How many requests the client's connection has carried, this one included."),
    nginx("connection_time", &Var::ConnectionTime, "Age of the client's connection in seconds, with milliseconds."),
    nginx("content_length", &Var::ContentLength, "The request's `Content-Length`."),
    nginx("content_type", &Var::ContentType, "The request's `Content-Type`."),
    nginx("document_root", &Var::DocumentRoot, "The root directory of the route."),
    nginx("document_uri", &Var::Uri, "The same as `$uri`."),
    nginx("gzip_ratio", &Var::GzipRatio, "How many times smaller gzip made the answer's body; nothing where it did not."),
    nginx("host", &Var::Host, "The host the client asked for, lower case and without port: from the request line, else from `Host`, else the matched host's first name."),
    nginx("hostname", &Var::Hostname, "The name of the machine the proxy runs on."),
    nginx("http2", &Var::Http2, "`h2` where the request came by HTTP/2 over TLS, `h2c` where without, else nothing."),
    nginx("https", &Var::Https, "`on` where the client's connection is encrypted, else nothing."),
    nginx("is_args", &Var::IsArgs, "`?` where the request target has a query string, else nothing."),
    nginx("limit_conn_status", &Var::LimitConnStatus, "What limits of how many there are at once made of it: `PASSED`, `REJECTED`, `REJECTED_DRY_RUN`; nothing where it is not counted."),
    nginx("limit_rate", &Var::LimitRate, "The limit on the speed of the answer in bytes a second; 0 means none."),
    nginx("msec", &Var::Msec, "The time now in seconds since 1970, with milliseconds."),
    nginx("nginx_version", &Var::NginxVersion, "The version of nginx whose ways the proxy has, as `nginx -v` tells it."),
    nginx("pid", &Var::Pid, "The process id of the proxy."),
    nginx("pipe", &Var::Pipe, "`p` where the request was pipelined, else `.`."),
    nginx("protocol", &Var::Protocol, "`TCP` or `UDP`: how the client's bytes come."),
    nginx("proxy_add_x_forwarded_for", &Var::ProxyAddXForwardedFor, "The request's `X-Forwarded-For` with `$remote_addr` appended after a comma; `$remote_addr` alone where there is none."),
    nginx("proxy_host", &Var::ProxyHost, "Name and port of the upstream as the route names it."),
    nginx("proxy_port", &Var::ProxyPort, "Port of the upstream as the route names it, or the default of its protocol."),
    nginx("proxy_protocol_addr", &Var::ProxyProtocolAddr, "The client's address as the PROXY protocol told it; nothing where it was not spoken."),
    nginx("proxy_protocol_port", &Var::ProxyProtocolPort, "The client's port as the PROXY protocol told it."),
    nginx("proxy_protocol_server_addr", &Var::ProxyProtocolServerAddr, "The server's address as the PROXY protocol told it."),
    nginx("proxy_protocol_server_port", &Var::ProxyProtocolServerPort, "The server's port as the PROXY protocol told it."),
    nginx("query_string", &Var::Args, "The same as `$args`."),
    nginx("realip_remote_addr", &Var::RealipRemoteAddr, "The address of the connection's other end, before a trusted proxy's word replaced it."),
    nginx("realip_remote_port", &Var::RealipRemotePort, "The port of the connection's other end, before a trusted proxy's word replaced it."),
    nginx("realpath_root", &Var::RealpathRoot, "The root directory of the route with symbolic links resolved."),
    nginx("remote_addr", &Var::RemoteAddr, "The client's address."),
    nginx("remote_port", &Var::RemotePort, "The client's port."),
    nginx("remote_user", &Var::RemoteUser, "The user name given with Basic authentication."),
    nginx("request", &Var::Request, "The request line as the client sent it."),
    nginx("request_body", &Var::RequestBody, "The request's body, where it has been read into memory."),
    nginx("request_body_file", &Var::RequestBodyFile, "The file that holds the request's body, where it has been read into one."),
    nginx("request_completion", &Var::RequestCompletion, "`OK` where the request was answered to the end, else nothing."),
    nginx("request_filename", &Var::RequestFilename, "The file that root or alias and the path lead to."),
    nginx("request_id", &Var::RequestId, "An identifier of the request: 16 random bytes in hexadecimal."),
    nginx("request_length", &Var::RequestLength, "Bytes of the request: request line, header and body."),
    nginx("request_method", &Var::Method, "The request's method, such as `GET`."),
    nginx("request_time", &Var::RequestTime, "Seconds since the first byte of the request, with milliseconds."),
    nginx("request_uri", &Var::RequestUri, "The request target as the client sent it, with its query string."),
    nginx("scheme", &Var::Scheme, "`http` or `https`."),
    nginx("server_addr", &Var::ServerAddr, "The address that accepted the client's connection."),
    nginx("server_name", &Var::ServerName, "The first name of the host that matched."),
    nginx("server_port", &Var::ServerPort, "The port that accepted the client's connection."),
    nginx("server_protocol", &Var::ServerProtocol, "The protocol of the request, such as `HTTP/1.1` or `HTTP/2.0`."),
    nginx("session_time", &Var::RequestTime, "The same as `$request_time`; on layer 4, how long connection or session lasted."),
    nginx("slice_range", &Var::SliceRange, "`Range` of the slice that the endpoint is asked for; nothing where the route does not slice."),
    nginx("ssl_alpn_protocol", &Var::SslAlpnProtocol, "The protocol that was agreed upon by ALPN; nothing where there was none."),
    nginx("ssl_cipher", &Var::SslCipher, "The cipher suite of the client's connection, in OpenSSL's spelling."),
    nginx("ssl_ciphers", &Var::SslCiphers, "The cipher suites that the client knows, in OpenSSL's spelling or as numbers, separated by colons."),
    nginx("ssl_client_cert", &Var::SslClientCert, "The client's certificate in PEM, each line but the first with a tab in front."),
    nginx("ssl_client_escaped_cert", &Var::SslClientEscapedCert, "The client's certificate in PEM, escaped as in a URL."),
    nginx("ssl_client_fingerprint", &Var::SslClientFingerprint, "The SHA-1 of the client's certificate in hexadecimal."),
    nginx("ssl_client_i_dn", &Var::SslClientIDn, "Who vouches for the client's certificate (RFC 2253)."),
    nginx("ssl_client_i_dn_legacy", &Var::SslClientIDnLegacy, "The same in the form with slashes."),
    nginx("ssl_client_raw_cert", &Var::SslClientRawCert, "The client's certificate in PEM."),
    nginx("ssl_client_s_dn", &Var::SslClientSDn, "Whom the client's certificate is for (RFC 2253)."),
    nginx("ssl_client_s_dn_legacy", &Var::SslClientSDnLegacy, "The same in the form with slashes."),
    nginx("ssl_client_serial", &Var::SslClientSerial, "The number of the client's certificate in hexadecimal."),
    nginx("ssl_client_v_end", &Var::SslClientVEnd, "When the client's certificate ends."),
    nginx("ssl_client_v_remain", &Var::SslClientVRemain, "Days until the client's certificate ends."),
    nginx("ssl_client_v_start", &Var::SslClientVStart, "When the client's certificate begins."),
    nginx("ssl_client_verify", &Var::SslClientVerify, "What the client's certificate is worth: `SUCCESS`, `FAILED:reason`, `NONE`."),
    nginx("ssl_curve", &Var::SslCurve, "The group of the key exchange."),
    nginx("ssl_curves", &Var::SslCurves, "The groups that the client knows, separated by colons."),
    nginx("ssl_early_data", &Var::SslEarlyData, "`1` where the request came as early data (0-RTT) and the handshake is not over yet."),
    nginx("ssl_preread_alpn_protocols", &Var::SslPrereadAlpnProtocols, "Protocols that the client offers in TLS that goes on as it is, separated by commas."),
    nginx("ssl_preread_protocol", &Var::SslPrereadProtocol, "The highest version of TLS that the client offers where it goes on as it is."),
    nginx("ssl_preread_server_name", &Var::SslPrereadServerName, "The name that the client asks for in TLS that goes on as it is."),
    nginx("ssl_protocol", &Var::SslProtocol, "The version of the client's TLS: `TLSv1.2` or `TLSv1.3`."),
    nginx("ssl_server_name", &Var::SslServerName, "The name that the client gave in the handshake."),
    nginx("ssl_session_id", &Var::SslSessionId, "Always nothing: sessions have no number that is known here."),
    nginx("ssl_session_reused", &Var::SslSessionReused, "`r` where an earlier session was taken up again, else `.`."),
    nginx("status", &Var::Status, "The status of the answer."),
    nginx("tcpinfo_rcv_space", &Var::TcpinfoRcvSpace, "Room for what the client sends, in bytes, as the kernel has it now."),
    nginx("tcpinfo_rtt", &Var::TcpinfoRtt, "The round-trip time to the client in microseconds, as the kernel has it now."),
    nginx("tcpinfo_rttvar", &Var::TcpinfoRttvar, "How much the round-trip time varies, in microseconds."),
    nginx("tcpinfo_snd_cwnd", &Var::TcpinfoSndCwnd, "The congestion window towards the client, in segments."),
    nginx("time_iso8601", &Var::TimeIso8601, "Local time as ISO 8601 writes it."),
    nginx("time_local", &Var::TimeLocal, "Local time in the Common Log Format."),
    nginx("upstream_addr", &Var::UpstreamAddr, "The endpoint that was asked; several attempts are separated by commas, those of another route after a reroute by a colon."),
    nginx("upstream_bytes_received", &Var::UpstreamBytesReceived, "Bytes received from the endpoint, one number an attempt."),
    nginx("upstream_bytes_sent", &Var::UpstreamBytesSent, "Bytes sent to the endpoint, one number an attempt."),
    nginx("upstream_cache_status", &Var::UpstreamCacheStatus, "What the cache did: `MISS`, `BYPASS`, `EXPIRED`, `STALE`, `UPDATING`, `REVALIDATED` or `HIT`."),
    nginx("upstream_connect_time", &Var::UpstreamConnectTime, "Seconds spent on connecting to the endpoint, one number an attempt."),
    nginx("upstream_header_time", &Var::UpstreamHeaderTime, "Seconds until the endpoint's head had arrived, one number an attempt."),
    nginx("upstream_response_length", &Var::UpstreamResponseLength, "Bytes of body received from the endpoint, one number an attempt."),
    nginx("upstream_response_time", &Var::UpstreamResponseTime, "Seconds until the endpoint's answer had arrived, one number an attempt."),
    nginx("upstream_status", &Var::UpstreamStatus, "The status the endpoint answered with, one number an attempt."),
    nginx("uri", &Var::Uri, "The path of the request, decoded and normalised, as routing and rewriting have left it."),
    nginx("zstd_ratio", &Var::ZstdRatio, "How many times smaller zstd made the answer's body; nothing where it did not."),
    own("attempts", &Var::Attempts, "How many attempts were made upstream."),
    own("cache_key", &Var::CacheKey, "The key that the route's cache has looked for, where it asks the cluster: what nodes share a cache by."),
    own("cluster", &Var::Cluster, "The name of the cluster the request went to."),
    own("elapsed_ms", &Var::ElapsedMs, "Milliseconds since the request's head had come, with microseconds, as `Server-Timing` has them: `0.215`."),
    own("grpc_status", &Var::GrpcStatus, "How the call of gRPC ended: the answer's `grpc-status`, from its trailers or its head."),
    own("listener", &Var::Listener, "The name of the listener that accepted the connection."),
    own("route", &Var::Route, "The name of the route that matched."),
    own("termination", &Var::Termination, "Why the request ended otherwise than well: the error's word, else nothing."),
    own("trace_id", &Var::TraceId, "The identifier of the trace, 32 hexadecimal digits."),
    own("traceparent", &Var::Traceparent, "The trace context as the `traceparent` field carries it upstream."),
    own("upstream_ms", &Var::UpstreamMs, "Milliseconds that endpoints were waited for, until the head of the answer; all attempts together."),
    family("arg_", |name| Var::Arg(name.into()), "The query parameter of that name."),
    family("cookie_", |name| Var::Cookie(name.into()), "The request's cookie of that name."),
    family("http_", |name| Var::Http(field(name)), "The request's header field of that name, lower case, `-` written as `_`."),
    family("proxy_protocol_tlv_", |name| Var::ProxyProtocolTlv(name.to_ascii_lowercase().into()), "What the PROXY protocol, version 2, told besides: `alpn`, `authority`, `unique_id`, `ssl`, `netns`, a type as a number such as `0xea`; of the client's TLS `ssl_version`, `ssl_cn`, `ssl_cipher`, `ssl_sig_alg`, `ssl_key_alg`, `ssl_verify` (0 where its certificate is good), `ssl_0x21`."),
    family("sent_http_", |name| Var::SentHttp(field(name)), "The answer's header field of that name."),
    family("sent_trailer_", |name| Var::SentTrailer(field(name)), "The answer's trailer field of that name."),
    family("upstream_cookie_", |name| Var::UpstreamCookie(name.into()), "The cookie of that name that the endpoint set."),
    family("upstream_http_", |name| Var::UpstreamHttp(field(name)), "The header field of that name in the endpoint's answer."),
    family("upstream_trailer_", |name| Var::UpstreamTrailer(field(name)), "The trailer field of that name in the endpoint's answer."),
];

#[cfg(test)]
mod tests;
