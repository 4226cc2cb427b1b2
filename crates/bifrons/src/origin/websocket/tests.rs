use super::*;

#[test]
fn the_handshake_of_the_rfc() {
    let accept = base64(&sha1(format!("dGhlIHNhbXBsZSBub25jZQ=={MAGIC}").as_bytes()));
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn base64_pads() {
    for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}

#[test]
fn a_masked_frame_of_the_rfc() {
    let bytes = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    let (frame, used) = Frame::parse(&bytes).unwrap().unwrap();
    assert_eq!((frame.payload.as_slice(), used), (&b"Hello"[..], 11));
    assert_eq!(frame.answer(frame.first), b"\x81\x05Hello");
    assert_eq!(Frame::parse(&bytes[..10]).unwrap(), None);
}
