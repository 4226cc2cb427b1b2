//! The first message of a client that speaks TLS.

use bifrons_tls::hello::{First, HELLO_BYTES_MAX, read};

/// Beginnings of records, messages and extensions.
pub const WORDS: &[&str] = &[
    "\x16\x03\x01",
    "\x16\x03\x03\0\x01",
    "\x01\0",
    "\x03\x03",
    "\0\0",
    "\0\x10",
    "\0\x0a",
    "\0\x03\x02h2",
    "\x08http/1.1",
    "site.test",
    ".",
    "\0",
    "\x7f",
];

/// Runs once.
pub fn run(data: &[u8]) {
    let bytes = data.get(..HELLO_BYTES_MAX).unwrap_or(data);
    let whole = read(bytes);
    for cut in super::cuts(bytes) {
        match (read(&bytes[..cut]), &whole) {
            (First::Partial, _) => {}
            (part, whole) => assert_eq!(part, *whole, "what is settled at {cut} changes with more"),
        }
    }
    let First::Hello(hello) = whole else { return };
    if let Some(name) = &hello.server_name {
        assert!(!name.is_empty() && name.len() <= 253 && name.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(*name, name.to_ascii_lowercase());
    }
    // The same in records of another size (RFC 8446 5.1).
    let mut message = Vec::new();
    let mut rest = bytes;
    while let [22, 3, _, high, low, part @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        message.extend_from_slice(part.get(..len).unwrap_or(part));
        rest = part.get(len..).unwrap_or_default();
    }
    let records = |size: usize| -> Vec<u8> {
        let record = |part: &[u8]| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
        message.chunks(size).flat_map(record).collect()
    };
    for size in [100, 1000] {
        assert_eq!(read(&records(size)), First::Hello(hello.clone()), "in records of {size}");
    }
}
