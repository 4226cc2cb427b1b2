//! Entries to text, as nginx's `ngx_http_autoindex_module` writes them.

use super::{Entry, EntryKind, Listing};
use bifrons_core::time;
use bifrons_http::date;
use std::io::Write as _;

/// 50: the column that names have on a page for people (`NGX_HTTP_AUTOINDEX_NAME_LEN`).
const NAME_COLUMNS: usize = 50;

/// A page for people.
pub(super) fn html(out: &mut Vec<u8>, shown: &[u8], entries: &[Entry], listing: &Listing, offset: i32) {
    out.extend_from_slice(b"<html>\r\n<head><title>Index of ");
    escape_html(out, shown);
    out.extend_from_slice(b"</title></head>\r\n<body>\r\n<h1>Index of ");
    escape_html(out, shown);
    out.extend_from_slice(b"</h1><hr><pre><a href=\"../\">../</a>\r\n");
    for entry in entries {
        line(out, entry, listing, offset);
    }
    out.extend_from_slice(b"</pre><hr></body>\r\n</html>\r\n");
}

fn line(out: &mut Vec<u8>, entry: &Entry, listing: &Listing, offset: i32) {
    let is_directory = entry.kind == EntryKind::Directory;
    out.extend_from_slice(b"<a href=\"");
    escape_uri(out, &entry.name);
    out.extend_from_slice(if is_directory { b"/\">" } else { b"\">" });
    let text = std::str::from_utf8(&entry.name).ok().filter(|_| listing.utf8);
    let mut columns = text.map_or(entry.name.len(), |text| text.chars().count());
    if columns > NAME_COLUMNS {
        let kept = NAME_COLUMNS - 3;
        let end = match text {
            Some(text) => text.char_indices().nth(kept).map_or(text.len(), |(at, _)| at),
            None => kept,
        };
        escape_html(out, entry.name.get(..end).unwrap_or_default());
        out.extend_from_slice(b"..&gt;</a>");
    } else {
        escape_html(out, &entry.name);
        if is_directory && columns < NAME_COLUMNS {
            out.push(b'/');
            columns += 1;
        }
        out.extend_from_slice(b"</a>");
        out.resize(out.len() + NAME_COLUMNS - columns, b' ');
    }
    out.push(b' ');
    time::listing(entry.modified(offset), out);
    out.push(b' ');
    size(out, entry, listing.exact_size);
    out.extend_from_slice(b"\r\n");
}

/// Writing to a `Vec` cannot fail.
fn size(out: &mut Vec<u8>, entry: &Entry, exact: bool) {
    let _ = match (exact, entry.kind == EntryKind::Directory) {
        (true, true) => write!(out, "{:>19}", "-"),
        (true, false) => write!(out, "{:>19}", entry.len),
        (false, true) => write!(out, "{:>7}", "-"),
        (false, false) => match short(entry.len) {
            (count, Some(unit)) => write!(out, "{count:>6}{unit}"),
            (count, None) => write!(out, " {count:>6}"),
        },
    };
}

/// A size to the nearest unit.
fn short(len: u64) -> (u64, Option<char>) {
    let rounded = |bits: u32| (len >> bits) + u64::from(len & ((1 << bits) - 1) >= 1 << (bits - 1));
    match len {
        0..=9999 => (len, None),
        10_000..=0xf_ffff => (rounded(10), Some('K')),
        0x10_0000..=0x3fff_ffff => (rounded(20), Some('M')),
        _ => (rounded(30), Some('G')),
    }
}

/// An array of objects; the argument of a call where `callback` is not empty.
pub(super) fn json(out: &mut Vec<u8>, callback: &[u8], entries: &[Entry]) {
    if !callback.is_empty() {
        out.extend_from_slice(b"/* callback */\r\n");
        out.extend_from_slice(callback);
        out.push(b'(');
    }
    out.push(b'[');
    for (at, entry) in entries.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"\r\n" } else { b",\r\n" });
        out.extend_from_slice(b"{ \"name\":\"");
        escape_json(out, &entry.name);
        let _ = write!(
            out,
            "\", \"type\":\"{}\", \"mtime\":\"{}\"",
            word(entry),
            date::format(entry.modified(0))
        );
        if entry.kind == EntryKind::File {
            let _ = write!(out, ", \"size\":{}", entry.len);
        }
        out.extend_from_slice(b" }");
    }
    out.extend_from_slice(b"\r\n]");
    if !callback.is_empty() {
        out.extend_from_slice(b");");
    }
}

/// A list of elements.
pub(super) fn xml(out: &mut Vec<u8>, entries: &[Entry]) {
    out.extend_from_slice(b"<?xml version=\"1.0\"?>\r\n<list>\r\n");
    for entry in entries {
        let word = word(entry);
        let _ = write!(out, "<{word} mtime=\"");
        time::iso8601_utc(entry.modified(0), out);
        out.push(b'"');
        if entry.kind == EntryKind::File {
            let _ = write!(out, " size=\"{}\"", entry.len);
        }
        out.push(b'>');
        escape_html(out, &entry.name);
        let _ = write!(out, "</{word}>\r\n");
    }
    out.extend_from_slice(b"</list>\r\n");
}

fn word(entry: &Entry) -> &'static str {
    match entry.kind {
        EntryKind::Directory => "directory",
        EntryKind::File => "file",
        EntryKind::Other => "other",
    }
}

fn escape_html(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            _ => out.push(byte),
        }
    }
}

/// All but the unreserved characters of RFC 3986 2.3.
fn escape_uri(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn escape_json(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..=0x1f => {
                let _ = write!(out, "\\u{byte:04X}");
            }
            _ => out.push(byte),
        }
    }
}
