//! What the tests of this crate share: messages at random, heads from text.

use crate::h1::parse::{self, Parsed};
use crate::head::{RequestHead, ResponseHead};
use bifrons_core::Limits;
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes of a token (RFC 9110 5.6.2).
pub(crate) const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}";

/// A field: a name the engine gives no meaning, and a value with neither white space nor nothing at its
/// ends.
pub(crate) type Field = (String, Vec<u8>);

/// A field value as it is read: visible bytes and obs-text, inner white space, or nothing.
pub(crate) fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![8 => 0x21..=0x7eu8, 1 => 0x80..=0xffu8, 1 => Just(b' '), 1 => Just(b'\t')];
    vec(byte, 0..40).prop_map(|bytes| bytes.trim_ascii().to_vec())
}

/// Fields of any name with `X-` before it.
pub(crate) fn fields() -> impl Strategy<Value = Vec<Field>> {
    vec((TOKEN.prop_map(|name| format!("X-{name}")), value()), 0..12)
}

/// Fields as they are sent: white space around values, any amount.
pub(crate) fn sent(fields: &[Field], spaces: &[(String, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    let none = (String::new(), String::new());
    for (at, (name, value)) in fields.iter().enumerate() {
        let (before, behind) = spaces.get(at).unwrap_or(&none);
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(value);
        out.extend_from_slice(behind.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// White space around values.
pub(crate) fn spaces() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("[ \t]{0,3}", "[ \t]{0,3}"), 12)
}

/// A request's head with these fields behind the request line.
pub(crate) fn request(line: &str, fields: &str) -> RequestHead {
    let text = format!("{line}\r\n{fields}\r\n");
    match parse::request(text.as_bytes(), &Limits::default()).expect("a good request") {
        Parsed::Head(head, len) if len == text.len() => head,
        other => panic!("not a whole head: {other:?}"),
    }
}

/// A GET with these fields.
pub(crate) fn get(fields: &str) -> RequestHead {
    request("GET /a?b=c HTTP/1.1", &format!("Host: a.example\r\n{fields}"))
}

/// A response's head with these fields behind the status line.
pub(crate) fn response(line: &str, fields: &str) -> ResponseHead {
    let text = format!("{line}\r\n{fields}\r\n");
    match parse::response(text.as_bytes(), &Limits::default()).expect("a good response") {
        Parsed::Head(head, len) if len == text.len() => head,
        other => panic!("not a whole head: {other:?}"),
    }
}

/// The fields of a list, for comparison.
pub(crate) fn listed(headers: &crate::Headers) -> Vec<Field> {
    headers
        .iter()
        .map(|(_, name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
        .collect()
}
