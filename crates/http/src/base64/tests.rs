use super::*;

/// RFC 4648 10.
#[test]
fn test_vectors() {
    for (text, decoded) in [
        ("", ""),
        ("Zg==", "f"),
        ("Zm8=", "fo"),
        ("Zm9v", "foo"),
        ("Zm9vYg==", "foob"),
        ("Zm9vYmE=", "fooba"),
        ("Zm9vYmFy", "foobar"),
        ("Zm9vYg", "foob"),
    ] {
        assert_eq!(decode(text.as_bytes()).as_deref(), Some(decoded.as_bytes()), "{text}");
    }
    assert_eq!(decode(b"+/+/"), Some(vec![0xfb, 0xff, 0xbf]));
}

#[test]
fn what_is_no_base64() {
    for text in ["Zm9v Yg", "Zm9-", "Zm=v", "\u{e9}", "Z\0"] {
        assert_eq!(decode(text.as_bytes()), None, "{text}");
    }
}
