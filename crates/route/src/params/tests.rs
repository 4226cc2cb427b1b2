use super::*;
use proptest::prelude::*;

#[test]
fn the_first_parameter_of_a_name_counts() {
    let query = b"&a=1&b=x%20y+z&a=2&flag&=q&%61%62=c=d";
    for (name, value) in [
        ("a", Some("1")),
        ("b", Some("x%20y+z")),
        ("flag", Some("")),
        ("", Some("q")),
        ("ab", Some("c=d")),
        ("A", None),
        ("q", None),
    ] {
        assert_eq!(query_value(query, name.as_bytes()), value.map(str::as_bytes), "{name}");
    }
    assert_eq!(query_value(b"", b""), None);
}

#[test]
fn cookies_are_trimmed_and_keep_their_quotes() {
    let field = b"a=1; session = \"x\" ;b; b=2=3;a=4";
    for (name, value) in
        [("a", Some("1")), ("session", Some("\"x\"")), ("b", Some("2=3")), ("B", None), ("c", None)]
    {
        assert_eq!(cookie_value(field, name.as_bytes()), value.map(str::as_bytes), "{name}");
    }
}

#[test]
fn broken_escapes_stand_for_themselves() {
    let decoded = |text: &str| String::from_utf8(Decoded(text.as_bytes()).collect()).unwrap();
    assert_eq!(decoded("a%20b+c%2"), "a b c%2");
    assert_eq!(decoded("%zz%%41"), "%zz%A");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..40), name in "[a=&;%]{0,3}") {
        let _ = query_value(&text, name.as_bytes());
        let _ = cookie_value(&text, name.as_bytes());
        prop_assert!(Decoded(&text).count() <= text.len());
    }
}
