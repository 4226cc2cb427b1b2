use super::*;
use crate::condition::Condition;
use crate::facts::tests::Request;
use crate::path::PathRules;
use crate::pattern::PathPattern;
use proptest::prelude::*;

type Rows<'r> = &'r [(&'r str, Option<&'r str>)];

/// A table of `(pattern, condition as JSON)`; the value of a route is its number.
fn try_table(rows: Rows) -> Result<RouteTable<usize>, Vec<RouteError>> {
    let mut builder = RouteTableBuilder::new(PathRules::default());
    for (number, (pattern, condition)) in rows.iter().enumerate() {
        let condition: Option<Condition> = condition.map(|json| serde_json::from_str(json).unwrap());
        builder.add(pattern.parse().unwrap(), condition, number);
    }
    builder.build()
}

/// The pattern each path leads to.
#[track_caller]
fn check(patterns: &[&str], expected: &[(&str, &str)]) {
    let rows: Vec<_> = patterns.iter().map(|pattern| (*pattern, None)).collect();
    let table = try_table(&rows).unwrap();
    for (path, pattern) in expected {
        let found = table.find(&Request::get(path), &mut Captures::new());
        assert_eq!(found.map_or("none", |&at| patterns[at]), *pattern, "{path}");
    }
}

#[test]
fn the_most_specific_wins_as_in_nginx() {
    check(
        &[
            "/*",
            "/api/*",
            "~ ^/api/.*\\.php$",
            "~* \\.PHP$",
            "/api/x.php",
            "^~ /static/",
            "/static/php/*",
            "/exact",
        ],
        &[
            ("/", "/*"),
            ("/api/users", "/api/*"),
            ("/api/users.php", "~ ^/api/.*\\.php$"),
            ("/api/x.php", "/api/x.php"),
            ("/other.php", "~* \\.PHP$"),
            ("/static/a.php", "^~ /static/"),
            ("/static/php/a.php", "~* \\.PHP$"),
            ("/static/php/a", "/static/php/*"),
            ("/exact", "/exact"),
            ("/exact/", "/*"),
        ],
    );
}

#[test]
fn nothing_matches_where_no_pattern_does() {
    check(&["/a", "/b/*", "~ ^/c$"], &[("/a/", "none"), ("/b", "none"), ("/cc", "none"), ("/b/", "/b/*")]);
}

#[test]
fn with_the_same_pattern_the_first_whose_conditions_hold_is_taken() {
    let table = try_table(&[
        ("/api/*", Some(r#"{"method": ["GET"]}"#)),
        ("/api/*", Some(r#"{"headers": {"x-new": {"present": true}}}"#)),
        ("/api/*", None),
    ])
    .unwrap();
    let find = |request: Request| table.find(&request, &mut Captures::new()).copied();

    assert_eq!(find(Request::get("/api/").header("X-New", "1")), Some(0));
    assert_eq!(find(Request::get("/api/").method("POST").header("X-New", "1")), Some(1));
    assert_eq!(find(Request::get("/api/").method("POST")), Some(2));
}

#[test]
fn where_no_condition_holds_the_next_less_specific_pattern_is_tried() {
    let post = Some(r#"{"method": ["POST"]}"#);
    let table = try_table(&[
        ("/a/b/c", post),
        ("/a/b/*", post),
        ("/a/*", None),
        ("~ ^/a/(b)/(c)$", post),
        ("~ ^/a/b/(c)$", Some(r#"{"method": ["PUT"]}"#)),
        ("^~ /q/*", post),
        ("~ ^/q/", None),
    ])
    .unwrap();
    let find = |method: &'static str, path: &'static str, captures: &mut Captures| {
        table.find(&Request::get(path).method(method), captures).copied()
    };
    let mut captures = Captures::new();

    assert_eq!(find("POST", "/a/b/c", &mut captures), Some(0));
    assert_eq!(find("PUT", "/a/b/c", &mut captures), Some(4));
    assert_eq!(captures.bytes(1, b"/a/b/c"), Some(&b"c"[..]));
    assert_eq!(find("GET", "/a/b/c", &mut captures), Some(2));
    assert!(captures.is_empty());
    assert_eq!(find("POST", "/q/", &mut captures), Some(5));
    assert_eq!(find("GET", "/q/", &mut captures), Some(6));
}

#[test]
fn routes_that_could_never_match_are_errors_that_name_both() {
    let errors = try_table(&[
        ("/a", None),
        ("/a", Some(r#"{"method": ["GET"]}"#)),
        ("/static/*", Some("{}")),
        ("^~ /static/", None),
        ("/%61", None),
        ("~ x", None),
        ("~ x", None),
        ("~* x", None),
    ])
    .unwrap_err();

    let pairs: Vec<_> = errors
        .iter()
        .map(|error| match error {
            RouteError::Conflict { first, second, .. } => (*first, *second),
            RouteError::NeverMatches { .. } => panic!("{error}"),
        })
        .collect();
    assert_eq!(pairs, [(0, 1), (2, 3), (0, 4), (5, 6)]);
    assert!(errors[1].to_string().starts_with(
        "route 4 (`^~ /static/*`) can never match: route 3 has the same path (`/static/*`) and no conditions\nhelp:"
    ));
}

#[test]
fn patterns_are_spelled_like_paths() {
    check(
        &["/a b", "/café/*", "/%7euser", "/.*", "/x%2fy"],
        &[
            ("/a%20b", "/a b"),
            ("/caf%C3%A9/x", "/café/*"),
            ("/~user", "/%7euser"),
            ("/.git", "/.*"),
            ("/git", "none"),
            ("/x%2Fy", "/x%2fy"),
        ],
    );
    let error = |pattern| try_table(&[(pattern, None)]).unwrap_err()[0].to_string();
    assert!(error("/a/../b").contains("route 1 (`/a/../b`) can never match: `.` and `..` segments"));
    assert!(error("/100%/*").contains("two hexadecimal digits"));
    assert!(try_table(&[("/a/..", None)]).is_err());
    assert!(try_table(&[("/a/..*", None)]).is_ok());
}

#[test]
fn groups_and_names_come_back() {
    let table = try_table(&[("~ ^/user/(?<id>[0-9]+)$", None), ("/*", None)]).unwrap();
    let mut captures = Captures::new();

    table.find(&Request::get("/user/42"), &mut captures).unwrap();
    assert_eq!(captures.named("id", b"/user/42"), Some(&b"42"[..]));

    table.find(&Request::get("/user/x"), &mut captures).unwrap();
    assert!(captures.is_empty());
}

/// With a condition on each, the number of conditions asked shows how many routes were looked at.
#[test]
fn ten_thousand_routes_are_not_walked_through() {
    let method = Some(r#"{"method": ["GET"]}"#);
    let patterns: Vec<String> = (0..10_000)
        .map(|n| if n % 2 == 0 { format!("/service{n}/*") } else { format!("/page{n}") })
        .collect();
    let mut rows: Vec<_> = patterns.iter().map(|pattern| (pattern.as_str(), method)).collect();
    rows.push(("/*", None));
    let table = try_table(&rows).unwrap();
    for (path, expected) in
        [("/service5000/x", 5000), ("/page7777", 7777), ("/page7777/", 10_000), ("/zz", 10_000)]
    {
        let request = Request::get(path);

        assert_eq!(table.find(&request, &mut Captures::new()), Some(&expected), "{path}");

        assert!(request.method_calls() <= 1, "{} conditions for {path}", request.method_calls());
    }
}

#[test]
fn thousands_of_regexes_are_tried_at_once() {
    let method = Some(r#"{"method": ["GET"]}"#);
    let patterns: Vec<String> = (0..2_000).map(|n| format!("~ ^/s{n}/([a-z]+)$")).collect();
    let rows: Vec<_> = patterns.iter().map(|pattern| (pattern.as_str(), method)).collect();
    let table = try_table(&rows).unwrap();
    let request = Request::get("/s1234/abc");
    let mut captures = Captures::new();

    assert_eq!(table.find(&request, &mut captures), Some(&1234));
    assert_eq!(captures.bytes(1, b"/s1234/abc"), Some(&b"abc"[..]));
    assert_eq!(request.method_calls(), 1);
}

/// The rules of the module's head, written down without any index.
fn find_slowly(patterns: &[PathPattern], path: &str) -> Option<usize> {
    use crate::pattern::PatternForm::*;
    let exact = patterns.iter().position(|p| matches!(p.form(), Exact(text) if **text == *path));
    let longest = (0..patterns.len())
        .filter_map(|at| match patterns[at].form() {
            Prefix(text) | PrefixNoRegex(text) if path.starts_with(&**text) => Some((text.len(), at)),
            _ => None,
        })
        .max()
        .map(|(_, at)| at);
    let regex = patterns
        .iter()
        .position(|p| matches!(p.form(), Regex(regex) if regex.try_is_match(path.as_bytes()).unwrap()));
    let no_regex = longest.filter(|at| matches!(patterns[*at].form(), PrefixNoRegex(_)));
    exact.or(no_regex).or(regex).or(longest)
}

proptest! {
    #[test]
    fn agrees_with_the_rules_followed_one_by_one(
        texts in proptest::collection::btree_set("(|\\^~ |~ )/[ab]{0,3}/?\\*?", 0..14),
        path in "/[ab/]{0,5}",
    ) {
        let mut builder = RouteTableBuilder::new(PathRules::default());
        let patterns: Vec<PathPattern> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        for (number, pattern) in patterns.iter().enumerate() {
            builder.add(pattern.clone(), None, number);
        }
        if let Ok(table) = builder.build() {
            let found = table.find(&Request::get(&path), &mut Captures::new()).copied();
            prop_assert_eq!(found, find_slowly(&patterns, &path));
        }
    }
}
