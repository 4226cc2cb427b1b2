use super::*;
use proptest::prelude::*;

fn index(prefixes: &[&str]) -> PrefixIndex<String> {
    PrefixIndex::new(prefixes.iter().map(|text| (text.as_bytes().into(), (*text).to_owned())))
}

fn matches<'t>(index: &'t PrefixIndex<String>, path: &str) -> Vec<&'t str> {
    index.matches(path.as_bytes()).map(String::as_str).collect()
}

#[test]
fn prefixes_come_longest_first() {
    let index = index(&["/", "/api/", "/api/v1/", "/api/v1/users", "/b", "/api/v2/"]);

    assert_eq!(matches(&index, "/api/v1/users/7"), ["/api/v1/users", "/api/v1/", "/api/", "/"]);
    assert_eq!(matches(&index, "/api/v1/usera"), ["/api/v1/", "/api/", "/"]);
    assert_eq!(matches(&index, "/api/v3/"), ["/api/", "/"]);
    assert_eq!(matches(&index, "/c"), ["/"]);
    assert_eq!(matches(&index, ""), Vec::<&str>::new());
}

#[test]
fn ten_thousand_prefixes_cost_a_binary_search() {
    let texts: Vec<String> = (0..10_000).map(|n| format!("/service{n}/")).chain(["/".to_owned()]).collect();
    let index = index(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    for path in ["/service7777/x", "/service0/", "/zzz", "/a", "/service99999/"] {
        let mut comparisons = 0;
        index.longest_by(path.as_bytes(), |text, path| {
            comparisons += 1;
            text.cmp(path)
        });
        // log2(10,001) is 13.3.
        assert!(comparisons <= 15, "{comparisons} for {path}");
    }
}

proptest! {
    #[test]
    fn agrees_with_trying_all(prefixes in proptest::collection::btree_set("/[ab/]{0,5}", 0..20), path in "/[ab/]{0,8}") {
        let all: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        let mut expected: Vec<&str> = all.iter().copied().filter(|text| path.starts_with(text)).collect();
        expected.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let index = index(&all);
        prop_assert_eq!(matches(&index, &path), expected);
    }
}
