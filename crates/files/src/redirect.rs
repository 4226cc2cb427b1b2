//! Leads a client from `/dir` to `/dir/`, so that relative links in its index work.

use bifrons_http::Response;

/// 301 to `uri` with a `/` behind it, the query kept.
///
/// `Location` is relative (RFC 9110 10.2.2) and always begins with exactly one `/`: with two, or with `/\`,
/// a browser takes what follows for a host, and anybody could make us send people there.
pub(crate) fn to_directory(uri: &[u8], query: Option<&[u8]>) -> Response {
    let mut location = Vec::with_capacity(uri.len() + 2 + query.map_or(0, <[u8]>::len));
    let begin = uri.iter().position(|&b| b != b'/').unwrap_or(uri.len());
    location.push(b'/');
    push(&mut location, uri.get(begin..).unwrap_or_default(), b"\"<>\\^`{|}#?");
    if !location.ends_with(b"/") {
        location.push(b'/');
    }
    if let Some(query) = query
        && !query.is_empty()
    {
        location.push(b'?');
        push(&mut location, query, b"\"<>\\^`{|}#");
    }
    let mut response = Response::empty(301);
    response.head.headers.append_as("Location", &location);
    response
}

/// Escapes controls, spaces, what is not ASCII, and the bytes in `not`. What is escaped already stays so.
fn push(out: &mut Vec<u8>, text: &[u8], not: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if byte.is_ascii_graphic() && !not.contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests;
