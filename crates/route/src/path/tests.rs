use super::*;
use proptest::prelude::*;

const STANDARD: PathRules = PathRules { policy: PathPolicy::Standard, merge_slashes: false };
const MERGED: PathRules = PathRules { policy: PathPolicy::Standard, merge_slashes: true };
const STRICT: PathRules = PathRules { policy: PathPolicy::Strict, merge_slashes: false };
const UNMERGED: PathRules = PathRules { policy: PathPolicy::Nginx, merge_slashes: false };
const OFF: PathRules = PathRules { policy: PathPolicy::Off, merge_slashes: false };

/// The result as text, `!Error` for an error, with `=` in front when it is borrowed.
fn shown(rules: PathRules, raw: &str) -> String {
    match rules.normalize(raw.as_bytes()) {
        Ok(Cow::Borrowed(path)) => format!("={}", String::from_utf8_lossy(path)),
        Ok(Cow::Owned(path)) => String::from_utf8_lossy(&path).into_owned(),
        Err(err) => format!("!{err:?}"),
    }
}

#[track_caller]
fn check(rules: PathRules, table: &[(&str, &str)]) {
    for (raw, expected) in table {
        assert_eq!(shown(rules, raw), *expected, "{raw:?} under {rules:?}");
    }
}

#[test]
fn standard_gives_the_rfc_3986_normal_form() {
    check(
        STANDARD,
        &[
            ("", "=/"),
            ("/", "=/"),
            ("/a/b.html", "=/a/b.html"),
            ("/a//b", "=/a//b"),
            ("/.well-known/x", "=/.well-known/x"),
            ("/a/.../b", "=/a/.../b"),
            ("/a/..b", "=/a/..b"),
            ("/caf%C3%A9:@!$&'()*+,;=", "=/caf%C3%A9:@!$&'()*+,;="),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/café", "/caf%C3%A9"),
            ("/%7Euser/%61", "/~user/a"),
            ("/a/./b/../c", "/a/c"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a//../b", "/a/b"),
            ("/a%2fb%5cc", "/a%2Fb%5Cc"),
            ("/a%2Fb", "=/a%2Fb"),
            ("/a\\b", "/a%5Cb"),
            ("/a%252e%252e", "=/a%252e%252e"),
            ("/a[1]{\"^`|}", "/a%5B1%5D%7B%22%5E%60%7C%7D"),
        ],
    );
}

#[test]
fn standard_refuses_what_has_two_readings() {
    check(
        STANDARD,
        &[
            ("*", "!NotAbsolute"),
            ("a/b", "!NotAbsolute"),
            ("/%", "!Escape"),
            ("/%4", "!Escape"),
            ("/%g0", "!Escape"),
            ("/%u0041", "!Escape"),
            ("/%00", "!Nul"),
            ("/\0", "!Nul"),
            ("/a b", "!Byte(32)"),
            ("/a\r", "!Byte(13)"),
            ("/a#b", "!Byte(35)"),
            ("/..", "!AboveRoot"),
            ("/a/../..", "!AboveRoot"),
            ("/%2e%2e/a", "!AboveRoot"),
            ("/../a/", "!AboveRoot"),
            ("/a/..%2Fb", "!HiddenParent"),
            ("/a%2f..", "!HiddenParent"),
            ("/a/..\\b", "!HiddenParent"),
            ("/a\\..\\b", "!HiddenParent"),
            ("/a/..;x=1/b", "!HiddenParent"),
            ("/a/%2e%2e;/b", "!HiddenParent"),
            ("/a/..%2Fb/../c", "/a/c"),
            ("/a%2F..b", "=/a%2F..b"),
        ],
    );
}

#[test]
fn merging_is_a_matter_of_choice() {
    check(MERGED, &[("//a///b//", "/a/b/"), ("/a/b/", "=/a/b/"), ("/a//../b", "/b"), ("/a/.//b", "/a/b")]);
}

#[test]
fn strict_refuses_every_kind_of_other_slash() {
    check(
        STRICT,
        &[
            ("/a/%2e/b", "/a/b"),
            ("/a%2fb", "!EncodedSlash"),
            ("/a%2Fb", "!EncodedSlash"),
            ("/a%5cb", "!Backslash"),
            ("/a\\b", "!Backslash"),
            ("/a//b", "!DoubleSlash"),
            ("/a/b//", "!DoubleSlash"),
        ],
    );
}

/// As nginx 1.22.1 answers with `return 200 $uri`; 6,000 random paths agreed as well, merged and not.
#[test]
fn nginx_decodes_everything() {
    check(
        PathRules::NGINX,
        &[
            ("/a/b", "=/a/b"),
            ("/a%20b", "/a b"),
            ("/a%2fb", "/a/b"),
            ("/a%2F%2e%2e/b", "/b"),
            ("/a//b///c", "/a/b/c"),
            ("/a/./b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/a%252e", "/a%2e"),
            ("/a%3fb%23c%25", "/a?b#c%"),
            ("/a+b;c\\d", "=/a+b;c\\d"),
            ("/café", "=/café"),
            ("/a/..;/b", "=/a/..;/b"),
            ("/.git", "=/.git"),
            ("/..", "!AboveRoot"),
            ("/a/%2e%2e/..", "!AboveRoot"),
            ("/%00", "!Nul"),
            ("/%4", "!Escape"),
            ("/%zz", "!Escape"),
        ],
    );
    check(UNMERGED, &[("/a//b", "=/a//b"), ("/a//../b", "/a/b"), ("/a%2f%2fb", "/a//b"), ("//..", "/")]);
}

#[test]
fn off_leaves_everything() {
    check(OFF, &[("/a/../%2e%zz//", "=/a/../%2e%zz//"), ("*", "=*"), ("", "=/")]);
}

#[test]
fn targets_are_split_at_the_first_question_mark() {
    assert_eq!(split_target(b"/a?b?c"), (&b"/a"[..], Some(&b"b?c"[..])));
    assert_eq!(split_target(b"/a?"), (&b"/a"[..], Some(&b""[..])));
    assert_eq!(split_target(b"/a"), (&b"/a"[..], None));
}

#[test]
fn escapes_are_nginxs() {
    let mut out = b"/x".to_vec();
    escape_path(b"/a b?c#d%e\"<>\\^`{|}\x7f\xff\n;:@&=+$,~", &mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "/x/a%20b%3Fc%23d%25e%22%3C%3E%5C%5E%60%7B%7C%7D%7F%FF%0A;:@&=+$,~"
    );
}

#[test]
fn rules_are_a_small_map() {
    let rules: PathRules = serde_json::from_str(r#"{"policy": "nginx", "merge_slashes": true}"#).unwrap();
    assert_eq!(rules, PathRules::NGINX);
    assert_eq!(serde_json::from_str::<PathRules>("{}").unwrap(), PathRules::default());
    assert!(serde_json::from_str::<PathRules>(r#"{"polcy": "nginx"}"#).is_err());
    assert!(PathRules { merge_slashes: true, ..STRICT }.merge_is_useless());
    assert!(!PathRules::NGINX.merge_is_useless());
}

/// Paths made of the pieces that matter, whole and broken.
fn paths() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "/", "/", ".", "..", "a", "%2e", "%2E", "%2F", "%2f", "%5c", "\\", ";", "%41", "%", "%0", "%00", "é",
        "~", " ", "?", "%3F", "%25", "2e",
    ];
    proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..12)
        .prop_map(|pieces| format!("/{}", pieces.concat()).into_bytes())
}

fn all_rules() -> impl Strategy<Value = PathRules> {
    proptest::sample::select(vec![STANDARD, MERGED, STRICT])
}

proptest! {
    #[test]
    fn any_bytes_are_survived(raw in proptest::collection::vec(any::<u8>(), 0..64), slash in any::<bool>()) {
        let raw = if slash { [b"/", &raw[..]].concat() } else { raw };
        for rules in [STANDARD, MERGED, STRICT, PathRules::NGINX, UNMERGED, OFF] {
            let _ = rules.normalize(&raw);
        }
    }

    #[test]
    fn a_second_time_changes_nothing(rules in all_rules(), raw in paths()) {
        if let Ok(path) = rules.normalize(&raw) {
            let again = rules.normalize(&path).unwrap();
            prop_assert!(matches!(again, Cow::Borrowed(_)));
            prop_assert_eq!(&again, &path);
        }
    }

    #[test]
    fn no_dot_segment_is_left(rules in all_rules(), raw in paths()) {
        if let Ok(path) = rules.normalize(&raw) {
            let text = String::from_utf8_lossy(&path).into_owned();
            prop_assert!(text.starts_with('/'));
            prop_assert!(text.split('/').all(|segment| segment != "." && segment != ".."), "{}", text);
            let decoded = text.replace("%2F", "/").replace("%5C", "/");
            prop_assert!(decoded.split('/').all(|segment| segment != ".."), "{}", text);
        }
    }

    #[test]
    fn no_dot_segment_is_left_by_nginx_either(merge_slashes in any::<bool>(), raw in paths()) {
        let rules = PathRules { policy: PathPolicy::Nginx, merge_slashes };
        if let Ok(path) = rules.normalize(&raw) {
            let text = String::from_utf8_lossy(&path).into_owned();
            prop_assert!(text.split('/').all(|segment| segment != "." && segment != ".."), "{}", text);
            prop_assert!(!merge_slashes || !text.contains("//"), "{}", text);
        }
    }

    /// Escaping what needs none, and changing the case of digits, is another spelling of the same path.
    #[test]
    fn equivalent_spellings_are_equal(rules in all_rules(), raw in paths(), choices in any::<u64>()) {
        let mut other = String::new();
        for (at, &byte) in raw.iter().enumerate() {
            let escape = choices >> (at % 64) & 1 == 1;
            let in_escape = raw[at.saturating_sub(2)..at].contains(&b'%');
            match byte {
                _ if in_escape || byte == b'%' || !escape => other.push(char::from(byte)),
                _ if scan::is_unreserved(byte) => other.push_str(&format!("%{byte:02x}")),
                _ => other.push(char::from(byte)),
            }
        }
        prop_assume!(raw.is_ascii());
        prop_assert_eq!(rules.normalize(&raw), rules.normalize(other.as_bytes()));
    }

    #[test]
    fn escaping_and_decoding_is_a_circle(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assume!(!raw.contains(&0));
        let mut escaped = Vec::new();
        escape_path(&raw, &mut escaped);
        prop_assert_eq!(decode(&escaped).unwrap(), raw);
    }
}
