use super::*;

#[test]
fn paths() {
    for (path, ask) in [
        ("/bytes/66", Some(Ask::Bytes(66))),
        ("/bytes/64k", Some(Ask::Bytes(65536))),
        ("/chunked/1M", Some(Ask::Chunked(1 << 20))),
        ("/status/503", Some(Ask::Status(503))),
        ("/status/99", None),
        ("/drip/10/5", Some(Ask::Drip(10, Duration::from_millis(5)))),
        ("/echo", Some(Ask::Echo)),
        ("/echo/more", None),
        ("/", None),
    ] {
        assert_eq!(Ask::of(path), ask, "{path}");
    }
}

#[test]
fn a_body_in_pieces_is_one_pattern() {
    let whole: Vec<u8> = (0..3).flat_map(|at| pattern(at * 7, at * 7 + 7)).copied().collect();
    assert_eq!(whole, b"abcdefghijklmnopqrstu");
    assert_eq!(pattern(31, 33), b"\na");
}
