//! Escaping of values in log records, in place and only where a byte needs it.

use std::cell::RefCell;

thread_local! {
    /// Holds a value while its escaped form is written; kept, so that hostile values cost no allocation.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// nginx's `escape=default`: `"`, `\`, bytes below 32 and from 127 on become `\xXX` in `out[start..]`.
pub(crate) fn escape_default(out: &mut Vec<u8>, start: usize) {
    // `|` instead of `||`: no branches, so the loop runs over many bytes at once.
    let needs = |byte: u8| !(0x20..0x7f).contains(&byte) | (byte == b'"') | (byte == b'\\');
    if !tail(out, start).iter().fold(false, |any, &byte| any | needs(byte)) {
        return;
    }
    rewrite(out, start, |value, out| {
        for &byte in value {
            if needs(byte) {
                out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte)]);
            } else {
                out.push(byte);
            }
        }
    });
}

/// As inside a JSON string (RFC 8259 7): `"`, `\` and control characters in `out[start..]` are escaped, and
/// what is not UTF-8 becomes U+FFFD, where nginx's `escape=json` would write invalid JSON.
pub(crate) fn escape_json(out: &mut Vec<u8>, start: usize) {
    let needs = |byte: u8| !(0x20..0x80).contains(&byte) | (byte == b'"') | (byte == b'\\');
    if !tail(out, start).iter().fold(false, |any, &byte| any | needs(byte)) {
        return;
    }
    rewrite(out, start, |value, out| {
        for chunk in value.utf8_chunks() {
            chunk.valid().bytes().for_each(|byte| json_byte(byte, out));
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    });
}

/// Writes one byte of valid UTF-8 for a JSON string.
fn json_byte(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0..0x20 => {
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte)]);
            return;
        }
        _ => {
            out.push(byte);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The hexadecimal digit of the lower four bits.
fn hex(nibble: u8) -> u8 {
    HEX[usize::from(nibble & 0xf)]
}

fn tail(out: &[u8], start: usize) -> &[u8] {
    out.get(start..).unwrap_or_default()
}

/// Replaces `out[start..]` by what `write` makes of it.
fn rewrite(out: &mut Vec<u8>, start: usize, write: impl FnOnce(&[u8], &mut Vec<u8>)) {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        scratch.extend_from_slice(tail(out, start));
        out.truncate(start);
        write(scratch, out);
    });
}

#[cfg(test)]
mod tests;
