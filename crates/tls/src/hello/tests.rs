#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use super::*;
use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::ConnectionState;
use std::sync::Arc;

/// What a client of rustls says first.
fn spoken(name: &'static str, alpn: &[&[u8]]) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let mut conn = UnbufferedClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap();
    let mut out = vec![0; 8192];
    let Ok(ConnectionState::EncodeTlsData(mut data)) = conn.process_tls_records(&mut []).state else {
        panic!("a client begins")
    };
    let len = data.encode(&mut out).unwrap();
    out.truncate(len);
    out
}

fn hello_of(bytes: &[u8]) -> Hello {
    match read(bytes) {
        First::Hello(hello) => hello,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_real_one_is_read() {
    let hello = hello_of(&spoken("App.Example", &[b"h2", b"http/1.1"]));
    assert_eq!(hello.server_name.as_deref(), Some("app.example"));
    assert_eq!(hello.alpn, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert!(hello.suites.contains(&0x1301) && hello.suites.contains(&0xc02f));
    assert!(hello.groups.contains(&0x11ec), "X25519MLKEM768");
}

#[test]
fn any_part_of_one_is_partial() {
    let bytes = spoken("app.example", &[]);
    for len in 0..bytes.len() {
        assert_eq!(read(&bytes[..len]), First::Partial, "{len} bytes");
    }
}

#[test]
fn it_may_lie_in_many_records() {
    let bytes = spoken("app.example", &[]);
    for size in [1, 7, 100] {
        let mut pieces = Vec::new();
        for piece in bytes[5..].chunks(size) {
            pieces.extend_from_slice(&[22, 3, 1, 0, piece.len() as u8]);
            pieces.extend_from_slice(piece);
        }
        assert_eq!(hello_of(&pieces).server_name.as_deref(), Some("app.example"), "{size}");
        assert_eq!(read(&pieces[..pieces.len() - 1]), First::Partial);
    }
}

#[test]
fn others_are_foreign_at_once() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x00",
        b"\x16\x02\x00",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x50\x00",
        b"\x16\x03\x01\x00\x04\x02",
        b"\x17\x03\x03",
    ] {
        assert_eq!(read(bytes), First::Foreign, "{bytes:?}");
    }
}

/// Records without an end, and lengths that point nowhere.
#[test]
fn nonsense_ends() {
    let mut drip = Vec::new();
    for _ in 0..6000 {
        drip.extend_from_slice(&[22, 3, 1, 0, 1, 1]);
    }
    assert_eq!(read(&drip), First::Foreign, "more than a hello may have");
    let mut bytes = spoken("app.example", &[]);
    for at in 9..bytes.len() {
        let was = std::mem::replace(&mut bytes[at], 0xff);
        let _ = read(&bytes);
        bytes[at] = was;
    }
}
