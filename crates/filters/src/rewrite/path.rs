//! A path of our own making takes the place of the request's; escapes as nginx has them.

use bifrons_http::{ReqCx, RequestHead};
use bifrons_route::path::escape_path;

/// 64 KiB: as much as a whole head may have. A rule that lets the path grow ends here.
pub const TARGET_BYTES_MAX: usize = 64 * 1024;

/// Gives the request that path, in the spelling of `$uri`, and that query; no query where it is `None`.
pub fn set(cx: &mut ReqCx, head: &mut RequestHead, path: Vec<u8>, query: Option<&[u8]>) {
    let mut target = Vec::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
    match cx.is_decoded {
        true => escape_path(&path, &mut target),
        false => target.extend_from_slice(&path),
    }
    let escaped = target != path;
    if let Some(query) = query {
        target.push(b'?');
        target.extend_from_slice(query);
    }
    head.set_target(&target);
    // A decoded path is the last word; any other is brought into its one spelling before it is matched.
    cx.is_settled = cx.is_decoded;
    cx.path = (cx.is_decoded && escaped).then_some(path);
    cx.is_internal = true;
    cx.filename = None;
}

/// Gives the request that path and query, written as one text.
pub fn set_target(cx: &mut ReqCx, head: &mut RequestHead, target: &[u8]) {
    match memchr::memchr(b'?', target).and_then(|at| target.split_at_checked(at)) {
        Some((path, query)) => set(cx, head, path.to_vec(), query.get(1..)),
        None => set(cx, head, target.to_vec(), None),
    }
}

/// The path as rules see it (`$uri`).
pub fn of<'a>(cx: &'a ReqCx, head: &'a RequestHead) -> &'a [u8] {
    cx.path.as_deref().unwrap_or(head.path())
}

/// Whether the client's path had escapes, so that groups of it get them back in queries and redirects.
pub(super) fn was_escaped(head: &RequestHead) -> bool {
    let target = head.original_target();
    let end = memchr::memchr(b'?', target).unwrap_or(target.len());
    memchr::memchr2(b'%', b'+', target.get(..end).unwrap_or_default()).is_some()
}

/// Appends `text` escaped for a query: nginx's `NGX_ESCAPE_ARGS` since 1.21.1.
pub(super) fn escape_query(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            0..=b' ' | 0x7f..=0xff => escape(byte, out),
            _ if b"\"#%&+;<>?\\^`{|}".contains(&byte) => escape(byte, out),
            _ => out.push(byte),
        }
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

/// Takes back the escapes of a redirect's path that a URL needs not: nginx's `NGX_UNESCAPE_REDIRECT`.
pub(super) fn unescape_redirect(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'?' {
            out.extend_from_slice(rest);
            break;
        }
        if byte == b'%'
            && let [high, low, ..] = tail
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            let decoded = high << 4 | low;
            match decoded {
                b'&'..0x7f => out.push(decoded),
                _ => out.extend_from_slice(rest.get(..3).unwrap_or_default()),
            }
            rest = tail.get(2..).unwrap_or_default();
            continue;
        }
        out.push(byte);
        rest = tail;
    }
    out
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
