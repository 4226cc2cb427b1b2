use super::*;

fn regex(text: &str) -> Regex {
    Regex::new(text, Case::Sensitive).unwrap()
}

fn list(texts: &[&str]) -> RegexList {
    RegexList::new(texts.iter().map(|text| regex(text)).collect())
}

#[test]
fn groups_are_given_by_number_and_name() {
    let subject = b"/user/42/x";
    let mut captures = Captures::new();

    assert!(regex(r"^/user/(?<id>\d+)/(a)?(?P<rest>.*)$").captures(subject, &mut captures));

    assert_eq!(captures.len(), 4);
    assert_eq!(captures.bytes(0, subject), Some(&subject[..]));
    assert_eq!(captures.bytes(1, subject), Some(&b"42"[..]));
    assert_eq!(captures.bytes(2, subject), None);
    assert_eq!(captures.named("rest", subject), Some(&b"x"[..]));
    assert_eq!(captures.names().collect::<Vec<_>>(), [("id", 1), ("rest", 3)]);
    assert_eq!(captures.named("other", subject), None);
}

#[test]
fn nothing_is_left_of_the_match_before() {
    let mut captures = Captures::new();
    regex("(a)").captures(b"a", &mut captures);

    assert!(regex("a").captures(b"a", &mut captures));

    assert!(captures.is_empty());
    assert!(!regex("(?<x>b)").captures(b"a", &mut captures));
    assert!(captures.is_empty());
}

#[test]
fn matching_is_by_bytes_unless_the_pattern_needs_unicode() {
    assert!(regex(r"^/.$").is_match(b"/\xff"));
    assert!(regex("é").is_match("/café".as_bytes()));
    assert!(regex("[é]$").is_match("/café".as_bytes()));
    assert!(regex(r"\p{Greek}").is_match("α".as_bytes()));
    assert!(!regex(r"^\w+$").is_match("é".as_bytes()));
    assert!(Regex::new(r"\.PHP$", Case::Ignore).unwrap().is_match(b"/a.php"));
}

#[test]
fn errors_name_pattern_place_and_limit() {
    let error = |text| Regex::new(text, Case::Sensitive).unwrap_err().to_string();

    assert_eq!(error("(a"), "regex `(a` does not work: unclosed group, at character 1");
    assert!(error("(?=a)").contains("look-around"), "{}", error("(?=a)"));
    assert!(error(r"[\p{L}]{50000}").contains("more than 10 MiB"), "{}", error(r"[\p{L}]{50000}"));
}

#[test]
fn few_and_many_find_the_first_that_is_accepted() {
    let few = ["/x$", "^/(a)", "^/a/(b)"];
    let many = ["/x$", "^/(a)", "/y$", "/z$", "^/a/(b)", "q"];
    for texts in [&few[..], &many[..]] {
        let list = list(texts);
        let mut captures = Captures::new();

        let first = list.find(b"/a/b", &mut captures, Some);
        assert_eq!(first.map(|index| texts[index]), Some("^/(a)"));
        assert_eq!(captures.bytes(1, b"/a/b"), Some(&b"a"[..]));

        let second = list.find(b"/a/b", &mut captures, |index| (texts[index] != "^/(a)").then_some(index));
        assert_eq!(second.map(|index| texts[index]), Some("^/a/(b)"));
        assert_eq!(captures.bytes(1, b"/a/b"), Some(&b"b"[..]));

        assert_eq!(list.find(b"/a/b", &mut captures, |_| None::<()>), None);
        assert!(captures.is_empty());
    }
}

#[test]
fn a_set_keeps_each_patterns_case_and_mode() {
    let regexes = [("^/A$", Case::Ignore), ("^/B$", Case::Sensitive), ("[é]", Case::Sensitive)];
    let fill = (0..5).map(|n| (format!("^/fill{n}$"), Case::Sensitive));
    let all: Vec<_> = regexes.iter().map(|(text, case)| ((*text).to_owned(), *case)).chain(fill).collect();
    let list = RegexList::new(all.iter().map(|(text, case)| Regex::new(text, *case).unwrap()).collect());
    let mut captures = Captures::new();

    assert_eq!(list.find(b"/a", &mut captures, Some), Some(0));
    assert_eq!(list.find(b"/b", &mut captures, Some), None);
    assert_eq!(list.find("/é".as_bytes(), &mut captures, Some), Some(2));
}

#[test]
fn sets_too_big_for_one_machine_are_divided() {
    let texts: Vec<String> = (0..16).map(|n| format!(r"^/{n}/[\p{{L}}]{{200}}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let list = list(&texts);
    let path = format!("/13/{}", "é".repeat(200));

    assert_eq!(list.find(path.as_bytes(), &mut Captures::new(), Some), Some(13));
}

#[test]
fn serde_takes_the_text() {
    assert_eq!(serde_json::from_str::<Regex>(r#""^a""#).unwrap(), regex("^a"));
    assert_eq!(serde_json::to_string(&regex("^a")).unwrap(), r#""^a""#);
    assert!(serde_json::from_str::<Regex>(r#""(""#).unwrap_err().to_string().contains("regex `(`"));
}
