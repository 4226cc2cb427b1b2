use super::*;

#[test]
fn version_1() {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\nGET";
    let addrs = Some(("192.0.2.1:1234".parse().unwrap(), "192.0.2.2:443".parse().unwrap()));
    assert_eq!(read(line), Read::Header(line.len() - 3, addrs));
    for len in 0..line.len() - 3 {
        assert_eq!(read(&line[..len]), Read::Partial, "{len} bytes");
    }
    assert_eq!(read(b"PROXY UNKNOWN\r\n"), Read::Header(15, None));
    assert!(matches!(read(b"GET / HTTP/1.1\r\n\r\n"), Read::Wrong(_)));
}

#[test]
fn version_2_with_checksum() {
    let (source, destination) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
    let addr = ProxiedAddress::stream(source, destination);
    let tlvs = [Tlv::Authority("a.test".into()), Tlv::Custom(CRC32C, vec![0; 4].into())];
    let mut header = Vec::new();
    ProxyHeader::with_tlvs(Some(addr), tlvs).encode_v2(&mut header).unwrap();
    assert_eq!(read(&header), Read::Wrong("a wrong checksum"));
    let at = checksum_at(&header).unwrap();
    let sum = crc32c(&header).to_be_bytes();
    header[at..at + 4].copy_from_slice(&sum);
    assert_eq!(read(&header), Read::Header(header.len(), Some((source, destination))));
}

#[test]
fn checksum_of_the_specification() {
    // RFC 3720 B.4: 32 bytes of zeros, and of ones.
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
}

#[test]
fn endless_headers_end() {
    let mut header = V2.0.to_vec();
    header.extend_from_slice(&[0x21, 0x11, 0xff, 0xff]);
    header.resize(BYTES_MAX, 0);
    assert!(matches!(read(&header), Read::Wrong(_)));
}
