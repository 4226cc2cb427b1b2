//! The targets, one file each.

pub mod chunked;
pub mod client_hello;
pub mod http2_frames;
pub mod nginx_conf;
pub mod path_normalize;
pub mod request_head;
pub mod response_head;
pub mod yaml_config;

use bifrons_http::Headers;

/// Words of HTTP/1 heads.
pub const HTTP_WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\t",
    " ",
    ":",
    ",",
    ";",
    "\"",
    "\r\n\r\n",
    "\r\n ",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/2.0",
    "HTTP/1.2",
    "GET",
    "HEAD",
    "POST",
    "OPTIONS",
    "CONNECT",
    "*",
    "http://",
    "https://",
    "@",
    "#",
    "?",
    "[::1]",
    ":80",
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "chunked",
    "identity",
    "Connection",
    "close",
    "keep-alive",
    "upgrade",
    "Upgrade",
    "h2c",
    "TE",
    "trailers",
    "Expect",
    "100-continue",
    "Via",
    "Keep-Alive",
    "Trailer",
    "200",
    "204",
    "304",
    "101",
    "9223372036854775807",
    "9223372036854775808",
    "0",
];

/// One field, as text.
type Field = (Vec<u8>, Vec<u8>);

/// All fields. None may hold what ends a line, and no name what ends a name.
fn fields(headers: &Headers) -> Vec<Field> {
    let fields: Vec<Field> = headers.iter().map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect();
    for (name, value) in &fields {
        assert!(bifrons_http::name::is_token(name), "a name that is no token");
        assert!(bifrons_http::name::is_field_value(value), "a control character in a value");
        assert_eq!(value.trim_ascii(), value, "white space around a value");
        let _ = bifrons_http::headers::list_members(value).count();
    }
    assert!(fields.len() <= bifrons_core::Limits::FIELDS);
    assert_eq!(fields.len(), headers.len());
    fields
}

/// The fields that a hop passes on: those about one connection and those the writer puts anew left out.
fn passed_on(headers: &Headers) -> Vec<Field> {
    use bifrons_http::Name as N;
    let is_ours =
        |name: N| name.is_hop_by_hop() || matches!(name, N::Host | N::ContentLength | N::Date | N::Server);
    headers
        .iter()
        .filter(|(name, _, _)| !is_ours(*name))
        .map(|(_, name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

/// Holds a head that we took to what another parser finds in it. Ours may refuse more, never read otherwise.
fn agree(headers: &Headers, len: usize, parsed: httparse::Result<usize>, found: &[httparse::Header<'_>]) {
    assert_eq!(parsed, Ok(httparse::Status::Complete(len)), "another parser reads another head");
    // What `Connection` names is gone from an answer already.
    if headers.has(bifrons_http::Name::Connection) {
        return;
    }
    let theirs: Vec<Field> = found.iter().map(|field| (field.name.into(), field.value.into())).collect();
    assert_eq!(fields(headers), theirs);
}

/// Lengths at which to look at growing bytes: all of a short text, of a longer one its line ends and a few more.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    if bytes.len() <= 128 {
        return (0..bytes.len()).collect();
    }
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let mut cuts: Vec<usize> =
        ends.flat_map(|at| [at, at + 1]).take(200).chain((0..bytes.len()).step_by(97)).collect();
    cuts.sort_unstable();
    cuts.retain(|cut| *cut < bytes.len());
    cuts
}
