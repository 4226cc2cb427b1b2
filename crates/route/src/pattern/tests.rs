use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> PathPattern {
    text.parse().unwrap()
}

fn error(text: &str) -> String {
    text.parse::<PathPattern>().unwrap_err().to_string()
}

#[test]
fn each_spelling_has_its_form() {
    assert_eq!(parse("/api"), PathPattern::exact("/api").unwrap());
    assert_eq!(parse("/api/*"), PathPattern::prefix("/api/").unwrap());
    assert_eq!(parse("/api*"), PathPattern::prefix("/api").unwrap());
    assert_eq!(parse("/*"), PathPattern::everything());
    assert_eq!(parse("^~ /static/"), PathPattern::prefix_no_regex("/static/").unwrap());
    assert_eq!(parse("^~ /static/*"), PathPattern::prefix_no_regex("/static/").unwrap());
    assert_eq!(parse(r"~ \.php$"), PathPattern::regex(r"\.php$", Case::Sensitive).unwrap());
    assert_eq!(parse(r"~*\.php$"), PathPattern::regex(r"\.php$", Case::Ignore).unwrap());
    assert_eq!(parse(r"/a\*"), PathPattern::exact("/a*").unwrap());
    assert_eq!(parse(r"/a\\*"), PathPattern::prefix(r"/a\").unwrap());
    assert_eq!(parse(r"/a\?b\#*"), PathPattern::prefix("/a?b#").unwrap());
}

#[test]
fn errors_show_the_fix() {
    assert!(error("").contains("write `/*`"));
    assert!(error("api").contains("write `/api`"));
    assert!(error("= /api").contains("write `/api`"));
    assert!(error("/a/*/b.c").contains(r"write `~ ^/a/[^/]*/b\.c$`"), "{}", error("/a/*/b.c"));
    assert!(error("/a/*/*").contains("write `~ ^/a/[^/]*/`"), "{}", error("/a/*/*"));
    assert!(error("/a?b=1").contains("under `query`"));
    assert!(error(r"/a\b").contains("lone backslash"));
    assert!(error("~ (").contains("unclosed group"));
    assert!(error("^~ static").contains("does not begin"));
}

#[test]
fn serde_is_the_string() {
    let pattern: PathPattern = serde_json::from_str(r#""/api/*""#).unwrap();
    assert_eq!(serde_json::to_string(&pattern).unwrap(), r#""/api/*""#);
    assert!(
        serde_json::from_str::<PathPattern>(r#""api""#).unwrap_err().to_string().contains("write `/api`")
    );
}

proptest! {
    #[test]
    fn what_is_shown_parses_to_the_same(text in r"/[a*?#\\/. ]{0,8}", kind in 0..4) {
        let pattern = match kind {
            0 => PathPattern::exact(&text),
            1 => PathPattern::prefix(&text),
            2 => PathPattern::prefix_no_regex(&text),
            _ => PathPattern::regex(&regex_syntax::escape(&text), Case::Ignore),
        }
        .unwrap();
        prop_assert_eq!(parse(&pattern.to_string()), pattern);
    }

    #[test]
    fn no_text_panics(text in "[~^*= /a?#\\\\(]{0,6}") {
        let _ = text.parse::<PathPattern>();
    }
}

#[test]
fn white_space_that_a_regex_begins_with_survives() {
    for text in ["\rfix", "\t+", " blank"] {
        let pattern = PathPattern::regex(text, Case::Ignore).unwrap();
        let again: PathPattern = pattern.to_string().parse().unwrap();
        let matches = |pattern: &PathPattern| match pattern.form() {
            PatternForm::Regex(regex) => regex.as_str().replacen("\\x20", " ", 1),
            _ => String::new(),
        };
        assert_eq!((matches(&again), again.to_string()), (text.to_owned(), pattern.to_string()));
    }
}
