use super::*;
use proptest::prelude::*;

fn text(pattern: &str) -> String {
    translate(pattern).text
}

#[test]
fn what_the_engines_know_stays_as_it_is() {
    let same = [
        r"^/user/(?<id>\d+)/(?P<rest>.*)$",
        r"(?i)\.(?:png|jpe?g)$",
        r"[^/]*?\w{2,3}[a-z0-9_-]+",
        r"\p{Greek}\x{41}\b\B\A\z",
    ];
    for pattern in same {
        assert_eq!((text(pattern).as_str(), translate(pattern).backtracks), (pattern, false));
    }
}

#[test]
fn what_needs_backtracking_is_seen() {
    let needs =
        ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", r"(a)\1", "a++", "a?+", "a{2}+", r"a\Kb", "(?1)"];
    for pattern in needs {
        assert!(translate(pattern).backtracks, "{pattern}");
    }
    for pattern in [r"\(?=a", "[(?=a)]", r"\12", "a+?", r"a\++", r"[a+]+", "(?<name>a)"] {
        assert!(!translate(pattern).backtracks, "{pattern}");
    }
}

#[test]
fn a_number_is_a_reference_only_where_there_are_so_many_groups() {
    assert_eq!(text(r"\12"), r"\x0A");
    assert_eq!(text(r"(a)\1"), r"(a)\1");
    assert_eq!(text(r"[\1]"), r"[\x01]");
}

proptest! {
    #[test]
    fn any_text_is_translated_without_a_panic(pattern in r"[(){}\[\]?*+\\QEK'<>#a-c0-9:^|,é&~-]{0,24}") {
        let _ = crate::regex::Regex::new(&pattern, crate::regex::Case::Sensitive);
    }
}
