//! From a decoded path back to one that can be sent.

use crate::text::push_escape;

/// Appends `decoded` to `out` with the escapes that nginx puts where a `proxy_pass` with a URI replaces the
/// matched prefix (`ngx_escape_uri` with `NGX_ESCAPE_URI`, nginx 1.21.1 and later): controls, space,
/// `"#%<>?\^`, the backtick, `{|}`, DEL and all bytes from 0x80. A `/` stays.
pub fn escape_path(decoded: &[u8], out: &mut Vec<u8>) {
    out.reserve(decoded.len());
    for &byte in decoded {
        if needs_escape(byte) {
            push_escape(byte, out);
        } else {
            out.push(byte);
        }
    }
}

fn needs_escape(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7f..=0xff) || b"\"#%<>?\\^`{|}".contains(&byte)
}
