use super::*;

#[test]
fn texts_are_told_by_their_signs() {
    let parse = |text: &str, hostnames| Text::parse(text, hostnames);
    let bytes = |text: &str| Box::<[u8]>::from(text.as_bytes());
    assert_eq!(parse("Example.COM", false), Ok(Text::Exact(bytes("example.com"))));
    assert_eq!(parse("*.Example.com", false), Ok(Text::Exact(bytes("*.example.com"))));
    assert_eq!(parse("*.Example.com", true), Ok(Text::Leading(bytes("example.com"))));
    assert_eq!(parse(".example.com", true), Ok(Text::Domain(bytes("example.com"))));
    assert_eq!(parse("www.example.*", true), Ok(Text::Trailing(bytes("www.example"))));
    assert_eq!(parse(r"\~a", false), Ok(Text::Exact(bytes("~a"))));
    assert_eq!(parse(r"\default", false), Ok(Text::Exact(bytes("default"))));
    assert_eq!(parse("", true), Ok(Text::Exact(bytes(""))));
    assert!(matches!(parse("~*^a", false), Ok(Text::Regex(regex)) if regex.case() == Case::Ignore));
    for wrong in ["*", "a.*.b", "*.*", "*.", "a*b", "*.a..b"] {
        assert!(parse(wrong, true).is_err(), "{wrong}");
    }
}
