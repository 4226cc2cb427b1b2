use super::*;
use proptest::prelude::*;

fn tags(value: &str) -> Vec<String> {
    list(value.as_bytes())
        .map(|tag| {
            let weak = if tag.is_weak { "W/" } else { "" };
            format!("{weak}{}", String::from_utf8_lossy(tag.opaque))
        })
        .collect()
}

#[test]
fn lists_are_read() {
    for (value, expected) in [
        (r#""a""#, &[r#""a""#][..]),
        (r#"W/"a""#, &[r#"W/"a""#]),
        (r#""a", W/"b" ,"c""#, &[r#""a""#, r#"W/"b""#, r#""c""#]),
        (r#", ,"a",,"#, &[r#""a""#]),
        (r#""a,b", """#, &[r#""a,b""#, r#""""#]),
        (r#""a\", "b""#, &[r#""a\""#, r#""b""#]),
        ("", &[]),
        (" , ", &[]),
    ] {
        assert_eq!(tags(value), expected, "{value}");
    }
}

#[test]
fn what_is_no_tag_is_passed_over() {
    for (value, expected) in [
        (r#"a, "b""#, &[r#""b""#][..]),
        (r#"w/"a", "b""#, &[r#""b""#]),
        (r#""a"x, "b""#, &[r#""b""#]),
        (r#""a" "b", "c""#, &[r#""c""#]),
        (r#"W/ "a", "b""#, &[r#""b""#]),
        (r#""a", "b"#, &[r#""a""#]),
        ("\"", &[]),
        ("W/", &[]),
        ("*", &[]),
    ] {
        assert_eq!(tags(value), expected, "{value}");
    }
}

#[test]
fn comparisons_differ_in_weakness() {
    let covers =
        |value: &str, comparison| covers([value.as_bytes()].into_iter(), Some("\"1-2\""), comparison);
    for (value, strong, weak) in [
        (r#""1-2""#, true, true),
        (r#"W/"1-2""#, false, true),
        (r#""0", "1-2""#, true, true),
        (r#""1-3""#, false, false),
        ("1-2", false, false),
        (" * ", true, true),
        (r#"*, "0""#, false, false),
    ] {
        assert_eq!(covers(value, Comparison::Strong), strong, "{value}");
        assert_eq!(covers(value, Comparison::Weak), weak, "{value}");
    }
}

#[test]
fn one_tag_alone_is_ours() {
    for (value, expected) in [
        (r#""1-2""#, true),
        (r#" "1-2" "#, true),
        (r#"W/"1-2""#, false),
        (r#""1-2", "0""#, false),
        (r#""0""#, false),
        ("*", false),
        ("", false),
    ] {
        assert_eq!(is_ours(value.as_bytes(), "\"1-2\""), expected, "{value}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_the_end(value: Vec<u8>) {
        for tag in list(&value) {
            let inner = tag.opaque.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap();
            prop_assert!(!inner.contains(&b'"'));
        }
    }

    #[test]
    fn what_is_written_is_read(list in proptest::collection::vec((any::<bool>(), "[!#-~]{0,8}"), 0..6)) {
        let written: Vec<String> =
            list.iter().map(|(weak, text)| format!("{}\"{text}\"", if *weak { "W/" } else { "" })).collect();
        prop_assert_eq!(tags(&written.join(" , ")), written);
    }
}
