//! What is read of a ClientHello that is not ours to answer: a route is chosen by it.

use super::cuts;
use bifrons_tls::hello::{First, HELLO_BYTES_MAX, Hello, read};
use rustls::server::Acceptor;

/// Heads of records, messages and extensions.
pub const WORDS: &[&str] = &[
    "\u{16}\u{3}\u{1}",
    "\u{16}\u{3}\u{3}\0\u{1}",
    "\u{16}\u{2}",
    "\u{1}\0\0",
    "\0\0",
    "\0\0\0\u{10}\0\u{e}\0\0\u{b}app.example",
    "\0\u{e}\0\0\u{b}app.example",
    "app.example.",
    "\0\u{10}\0\u{5}\0\u{3}\u{2}h2",
    "\0\u{2b}\0\u{3}\u{2}\u{3}\u{4}",
    "\0\u{2b}\0\u{5}\u{4}\u{7a}\u{7a}\u{3}\u{4}",
    "\0\u{a}\0\u{4}\0\u{2}\0\u{1d}",
    "\u{7f}\u{7f}",
    "\0",
];

/// How a record begins, without its length.
const RECORD: [u8; 3] = [22, 3, 1];

/// Runs once.
pub fn run(data: &[u8]) {
    let whole = read(data);
    agree(data, &whole);
    let First::Hello(hello) = whole else {
        // What is nothing stays so, whatever follows.
        assert!(whole != First::Foreign || read(&[data, b"more"].concat()) == First::Foreign);
        return;
    };
    let lens: Vec<usize> = (0..=data.len()).collect();
    let end = lens.partition_point(|len| read(&data[..*len]) == First::Partial);
    assert!(cuts(&data[..end]).into_iter().all(|len| read(&data[..len]) == First::Partial));
    assert_eq!(read(&data[..end]), First::Hello(hello.clone()), "it is there as soon as it is whole");
    if let Some(name) = &hello.server_name {
        assert!(!name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase() || byte <= b' '));
    }
    for size in [1, 50] {
        let cut = cut(&data[..end], size);
        // Records have heads, which count.
        if cut.len() < 2 * HELLO_BYTES_MAX {
            assert_eq!(read(&cut), First::Hello(hello.clone()), "in records of {size}");
        }
    }
}

/// The same message in records of that size.
fn cut(records: &[u8], size: usize) -> Vec<u8> {
    let mut message = Vec::new();
    let mut rest = records;
    while let [_, _, _, high, low, after @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        message.extend_from_slice(&after[..len]);
        rest = &after[len..];
    }
    message
        .chunks(size)
        .flat_map(|part| [&RECORD[..], &(part.len() as u16).to_be_bytes(), part].concat())
        .collect()
}

/// Holds what was read to what another parser reads, where that takes it.
fn agree(data: &[u8], ours: &First) {
    let mut acceptor = Acceptor::default();
    let mut rest = data;
    let accepted = loop {
        if !matches!(acceptor.read_tls(&mut rest), Ok(1..)) {
            return;
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => break accepted,
            Ok(None) => {}
            Err(_) => return,
        }
    };
    let theirs = accepted.client_hello();
    let First::Hello(ours) = ours else { panic!("another parser takes it: {ours:?}") };
    compare(ours, &theirs);
}

fn compare(ours: &Hello, theirs: &rustls::server::ClientHello<'_>) {
    if let Some(name) = theirs.server_name() {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        assert_eq!(ours.server_name.as_deref(), Some(&*name));
    }
    let suites: Vec<u16> = theirs.cipher_suites().iter().map(|suite| u16::from(*suite)).collect();
    assert_eq!(ours.suites, suites);
    if let Some(alpn) = theirs.alpn() {
        assert_eq!(ours.alpn, alpn.map(<[u8]>::to_vec).collect::<Vec<_>>());
    }
    if let Some(groups) = theirs.named_groups() {
        assert_eq!(ours.groups, groups.iter().map(|group| u16::from(*group)).collect::<Vec<_>>());
    }
}
