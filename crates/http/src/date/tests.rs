use super::*;

/// RFC 9110 5.6.7: the preferred form and the two obsolete ones.
#[test]
fn three_forms_are_read() {
    let at = UNIX_EPOCH + Duration::from_secs(784_111_777);
    for text in
        ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
    {
        assert_eq!(parse(text.as_bytes()), Some(at), "{text}");
    }
    assert_eq!(format(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    for text in [&b""[..], b"0", b"Sun, 06 Nov 1994", b"caf\xe9"] {
        assert_eq!(parse(text), None);
    }
}

#[test]
fn now_is_written_in_the_preferred_form() {
    let mut out = Vec::new();
    write_now(&mut out);
    let written = parse(&out).unwrap();
    let age = SystemTime::now().duration_since(written).unwrap();
    assert!(age < Duration::from_secs(3), "{age:?}");
}
