use super::*;
use crate::testing::{cx, get, response};

fn rewritten(yaml: &str, fields: &str) -> ResponseHead {
    let filter = crate::testing::config::<Config>(yaml).build().unwrap();
    let (mut cx, req) = (cx(), get(""));
    let mut res = response("HTTP/1.1 302 Found", fields);
    filter.response(&mut cx, &req, &mut res).unwrap();
    res
}

fn location(yaml: &str, location: &str) -> String {
    let res = rewritten(yaml, &format!("Location: {location}\r\n"));
    String::from_utf8(res.headers.get(Name::Location).unwrap().to_vec()).unwrap()
}

const RULES: &str = r#"{"rules": [
    {"match": {"text": "http://app:8080/"}, "to": "/one/"},
    {"match": {"text": "http://$host/"}, "to": "/two/"},
    {"match": {"regex": "^(?i)https?://old\\.(?P<rest>[a-z]+)/(.*)$"}, "to": "https://new.$1/$2?$args"}
]"#;

#[test]
fn the_first_rule_that_fits_is_carried_out() {
    let rules = format!("{RULES}}}");
    for (value, want) in [
        ("http://app:8080/a?b", "/one/a?b"),
        ("http://a.example/x", "/two/x"),
        ("HTTP://OLD.net/p", "https://new.net/p?b=c"),
        ("http://app:80/a", "http://app:80/a"),
        ("/local", "/local"),
        ("HTTP://app:8080/a", "HTTP://app:8080/a"),
    ] {
        assert_eq!(location(&rules, value), want);
    }
}

#[test]
fn what_becomes_a_path_is_made_absolute_on_request() {
    let rules = format!("{RULES}, \"absolute\": true}}");
    assert_eq!(location(&rules, "http://app:8080/a"), "http://a.example/one/a");
    assert_eq!(location(&rules, "/local"), "/local", "only what was rewritten");
}

#[test]
fn refresh_is_rewritten_behind_url() {
    let rules = format!("{RULES}}}");
    let res = rewritten(&rules, "Refresh: 5; URL=http://app:8080/a\r\n");
    assert_eq!(res.headers.get("refresh"), Some(&b"5; URL=/one/a"[..]));
    let res = rewritten(&rules, "Refresh: 5\r\n");
    assert_eq!(res.headers.get("refresh"), Some(&b"5"[..]));
}
