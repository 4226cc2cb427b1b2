use super::*;

fn told(source: &str, destination: &str, tlvs: &[u8]) -> Option<Told> {
    let tlvs = Tlvs::parse(tlvs).unwrap();
    Some(Told { source: source.parse().unwrap(), destination: destination.parse().unwrap(), tlvs })
}

/// A header of version 2.
fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    [V2, &[command, family], &(rest.len() as u16).to_be_bytes(), rest].concat()
}

/// 192.0.2.1:1 to 192.0.2.2:2.
const IPV4: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 2];

#[test]
fn version_1() {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\nGET";
    let expected = told("192.0.2.1:1234", "192.0.2.2:443", b"");
    assert_eq!(read(line), Read::Header(line.len() - 3, expected));
    for len in 0..line.len() - 3 {
        assert_eq!(read(&line[..len]), Read::Partial, "{len} bytes");
    }
    let line = b"PROXY TCP6 2001:db8::1 ::1 65535 0\r\n";
    assert_eq!(read(line), Read::Header(line.len(), told("[2001:db8::1]:65535", "[::1]:0", b"")));
    for unknown in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ::1 whatever\r\n"] {
        assert_eq!(read(unknown.as_bytes()), Read::Header(unknown.len(), None));
    }
}

#[test]
fn what_is_no_version_1() {
    for line in [
        "PROXY TCP4 192.0.2.1 192.0.2.2 +80 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 80\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 80 443 \r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 80 443\r\n",
        "PROXY TCP4 ::1 ::2 80 443\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 80 443\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 80 443\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
    ] {
        assert!(matches!(read(line.as_bytes()), Read::Wrong(_)), "{line}");
    }
    // The end comes within 107 bytes, also where all came at once.
    let padded = |len: usize| format!("PROXY UNKNOWN {:1$}\r\n", "", len - 16).into_bytes();
    assert_eq!(read(&padded(107)), Read::Header(107, None));
    assert!(matches!(read(&padded(108)), Read::Wrong(_)));
    assert_eq!(read(&padded(108)[..106]), Read::Partial);
}

/// Who speaks first without a header need not be waited for.
#[test]
fn others_are_refused_at_once() {
    for bytes in [&b"G"[..], b"PROXX", b"PROXYTCP4", b"\r\n\r\n\0\r\nQUIX", b"\x16\x03\x01"] {
        assert!(matches!(read(bytes), Read::Wrong(_)), "{bytes:?}");
    }
}

#[test]
fn version_2() {
    let facts = b"\x02\0\x06a.test";
    let bytes = header(0x21, TCP4, &[IPV4, facts].concat());
    let expected = told("192.0.2.1:1", "192.0.2.2:2", facts);
    assert_eq!(read(&bytes), Read::Header(bytes.len(), expected.clone()));
    assert_eq!(read(&[&bytes[..], b"more"].concat()), Read::Header(bytes.len(), expected));
    for len in 0..bytes.len() {
        assert_eq!(read(&bytes[..len]), Read::Partial, "{len} bytes");
    }
    let mut ipv6 = [0; 36];
    (ipv6[15], ipv6[31], ipv6[33], ipv6[35]) = (1, 2, 3, 4);
    let bytes = header(0x21, TCP6, &ipv6);
    assert_eq!(read(&bytes), Read::Header(bytes.len(), told("[::1]:3", "[::2]:4", b"")));
}

/// 2.2: what is of the proxy itself is taken whatever its family; families we have no use for leave the
/// connection's own addresses.
#[test]
fn version_2_without_addresses() {
    let unix = [0; UNIX_BYTES];
    for (command, family, rest) in [
        (0x20, 0, &b""[..]),
        (0x20, TCP4, b""),
        (0x20, 0xff, b"\x03\0\x04abcd and what follows"),
        (0x21, 0, b""),
        (0x21, 0, b"\x05\0\x01i"),
        (0x21, 0x31, &unix),
        (0x21, 0x12, IPV4),
    ] {
        let bytes = header(command, family, rest);
        assert_eq!(read(&bytes), Read::Header(bytes.len(), None), "{command:x} {family:x}");
    }
}

#[test]
fn what_is_no_version_2() {
    let long = [IPV4, b"\x04\0\x05abcd"].concat();
    let cut = [IPV4, b"\x04\0"].concat();
    let checksum = [IPV4, b"\x03\0\x02ab"].concat();
    for (command, family, rest) in [
        (0x11, TCP4, IPV4),
        (0x22, TCP4, IPV4),
        (0x21, 0x41, IPV4),
        (0x21, 0x13, IPV4),
        (0x21, TCP4, &IPV4[..11]),
        (0x21, TCP6, IPV4),
        (0x21, 0x31, IPV4),
        (0x21, TCP4, &long),
        (0x21, TCP4, &cut),
        (0x21, TCP4, &checksum),
    ] {
        let read = read(&header(command, family, rest));
        assert!(matches!(read, Read::Wrong(_)), "{command:x} {family:x} {rest:?}: {read:?}");
    }
}

#[test]
fn version_2_with_checksum() {
    let mut bytes = header(0x21, TCP4, &[IPV4, b"\x02\0\x06a.test\x03\0\x04\0\0\0\0"].concat());
    assert!(matches!(read(&bytes), Read::Wrong(why) if why.contains("checksum")));
    checksum::fill_in(&mut bytes, V2_FIXED + IPV4.len());
    assert!(matches!(read(&bytes), Read::Header(_, Some(_))));
    bytes[V2_FIXED] ^= 1;
    assert!(matches!(read(&bytes), Read::Wrong(_)));
}

/// One that announces more than is read is not waited for.
#[test]
fn endless_headers_end() {
    for (len, is_wrong) in [(V2_REST_MAX, false), (V2_REST_MAX + 1, true), (0xffff, true)] {
        let bytes = [V2, &[0x21, TCP4], &(len as u16).to_be_bytes()].concat();
        assert_eq!(matches!(read(&bytes), Read::Wrong(_)), is_wrong, "{len}");
    }
}
