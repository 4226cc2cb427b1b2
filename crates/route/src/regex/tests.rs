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
    assert!(regex(r"^/.$").try_is_match(b"/\xff").unwrap());
    assert!(regex("é").try_is_match("/café".as_bytes()).unwrap());
    assert!(regex("[é]$").try_is_match("/café".as_bytes()).unwrap());
    assert!(regex(r"\p{Greek}").try_is_match("α".as_bytes()).unwrap());
    assert!(!regex(r"^\w+$").try_is_match("é".as_bytes()).unwrap());
    assert!(Regex::new(r"\.PHP$", Case::Ignore).unwrap().try_is_match(b"/a.php").unwrap());
}

#[test]
fn errors_name_pattern_place_and_limit() {
    let error = |text| Regex::new(text, Case::Sensitive).unwrap_err().to_string();

    assert_eq!(error("(a"), "regex `(a` does not work: unclosed group, at character 1");
    let linear = Regex::linear("(?=a)", Case::Sensitive).unwrap_err().to_string();
    assert!(linear.contains("look-around"), "{linear}");
    assert!(error("(?=a").starts_with("regex `(?=a` does not work: "), "{}", error("(?=a"));
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

/// What PCRE reads so, and the `regex` crate's syntax refuses or reads otherwise: pattern, what it matches,
/// what it does not.
#[test]
fn the_syntax_is_pcres() {
    let rows: [(&str, &[&str], &[&str]); 35] = [
        (r"^\/a\-b\_c\.d\:e\@f\=g$", &["/a-b_c.d:e@f=g"], &["/a-b_cxd:e@f=g"]),
        (r"^\<a\>$", &["<a>"], &["a"]),
        (r"^\h\H\N$", &[" ab", "\ta "], &["aaa", "  b"]),
        (r"^a\Rb$", &["a\nb", "a\r\nb"], &["ab"]),
        (r"^\Qa.b*\E+$", &["a.b*", "a.b**"], &["axb*"]),
        (r"^\x41\x{42}\103\0$", &["ABC\0"], &["ABCD"]),
        (r"^\e\cA\a$", &["\x1b\x01\x07"], &["ecAa"]),
        (r"^(?'name'a)(?#comment (x)b$", &["ab"], &["axb"]),
        (r"^{a}{,3}{2,x}$", &["{a}{,3}{2,x}"], &["a"]),
        (r"^a{2}b{1,}c{1,2}$", &["aabcc"], &["abc"]),
        (r"^[]a]+$", &["]a"], &["b"]),
        (r"^[^]a]$", &["b"], &["]"]),
        (r"^[[a]+$", &["[a"], &["b"]),
        (r"^[a&&b]+$", &["a&b"], &["c"]),
        (r"^[~~a]+$", &["~a"], &["b"]),
        (r"^[\w-.]+$", &["a-b.c"], &["a+b"]),
        (r"^[\w\-.]+$", &["a-b.c"], &["a+b"]),
        (r"^[+--]+$", &["+,-"], &["."]),
        (r"^[a-\d]+$", &["a-1"], &["b"]),
        (r"^[[:alpha:]-_]+$", &["ab-_"], &["1"]),
        (r"^[\b\h]$", &["\x08", "\t"], &["b"]),
        (r"^(?i)ab(?-i)c$", &["ABc"], &["ABC"]),
        (r"^(?i:a)b$", &["Ab"], &["AB"]),
        (r"^/(?!api/)", &["/x", "/apix"], &["/api/x"]),
        (r"(?<!\.min)\.js$", &["/a.js"], &["/a.min.js"]),
        (r"(?<=/)b$", &["/b"], &["ab"]),
        (r"^/([a-z])\1$", &["/aa"], &["/ab"]),
        (r"^/(?<x>[a-z])\k<x>(?P=x)$", &["/aaa"], &["/aab"]),
        (r"^a++b$", &["aab"], &[]),
        (r"^a*+a$", &[], &["aaa"]),
        (r"^(?>a|ab)c$", &["ac"], &["abc"]),
        (r"^a{1,2}+a$", &["aaa"], &["aa"]),
        (r"^(?=.*\d)(?=.*[a-z]).{3,}$", &["a1b"], &["abc", "a1"]),
        (r"^(a)?(?(1)b|c)$", &["ab", "c"], &["ac", "b"]),
        (r"^(a|b(?=c))+c$", &["abc"], &["abd"]),
    ];
    let mut failed = Vec::new();
    for (text, matches, not) in rows {
        match Regex::new(text, Case::Sensitive) {
            Err(err) => failed.push(err.to_string()),
            Ok(regex) => {
                let all = matches.iter().map(|subject| (subject, true)).chain(not.iter().map(|s| (s, false)));
                let wrong = all.filter(|(subject, want)| regex.try_is_match(subject.as_bytes()) != Ok(*want));
                failed.extend(wrong.map(|(subject, want)| format!("{text} on {subject:?}: wanted {want}")));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn what_backtracks_has_captures_too_and_takes_any_bytes() {
    let subject = b"/\xff/ab/x";
    let mut captures = Captures::new();
    let regex = regex(r"^/.(?=/)/(?<Rest>(?!x)\w+)(/y)?");

    assert!(!regex.is_linear() && regex.captures(subject, &mut captures));

    assert_eq!(captures.bytes(0, subject), Some(&b"/\xff/ab"[..]));
    assert_eq!(captures.named("rest", subject), Some(&b"ab"[..]));
    assert_eq!((captures.len(), captures.range(2)), (3, None));
    assert!(!captures.failed());
}

#[test]
fn names_of_groups_are_in_lower_case() {
    assert_eq!(regex("(?<User>a)").group_names().collect::<Vec<_>>(), [("user", 1)]);
}

#[test]
fn a_search_without_end_is_a_failure_and_not_a_miss() {
    let subject = [b"/".as_slice(), &b"a".repeat(64)].concat();
    let catastrophic = r"^/(?:(?!x)a|a(?!y))+b$";
    let mut captures = Captures::new();
    assert_eq!(regex(catastrophic).try_is_match(&subject), Err(MatchFailed));
    assert!(!regex(catastrophic).captures(&subject, &mut captures) && captures.failed());

    for texts in [&[catastrophic, "^/"][..], &["q", catastrophic, "1", "2", "3", "4", "5", "^/"]] {
        assert_eq!(list(texts).find(&subject, &mut captures, Some), None);
        assert!(captures.failed());
        let found = list(texts).find(b"/ab", &mut captures, Some).and_then(|at| texts.get(at));
        assert_eq!((found, captures.failed()), (Some(&catastrophic), false));
    }
}
