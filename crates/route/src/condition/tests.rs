use super::*;
use crate::facts::tests::Request;
use proptest::prelude::*;

fn condition(json: &str) -> Condition {
    serde_json::from_str(json).unwrap_or_else(|err| panic!("{json}: {err}"))
}

fn holds(json: &str, request: &Request) -> bool {
    condition(json).compile().holds(request)
}

fn error(json: &str) -> String {
    serde_json::from_str::<Condition>(json).unwrap_err().to_string()
}

fn request() -> Request {
    Request::get("/")
        .query("q=caf%C3%A9+au+lait&page=2&page=3&flag")
        .header("X-Version", "1")
        .header("X-Version", "v2")
        .header("User-Agent", "GoogleBot/2.1")
        .header("Cookie", "theme=dark; s=abc")
        .header("Cookie", "s=def; beta=")
        .client("::ffff:10.1.2.3")
}

#[test]
fn each_kind_of_condition_on_its_own() {
    for (json, expected) in [
        ("{}", true),
        (r#"{"method": ["POST", "GET"]}"#, true),
        (r#"{"method": ["POST"]}"#, false),
        (r#"{"headers": {"x-version": "1"}}"#, true),
        (r#"{"headers": {"X-VERSION": "v2"}}"#, true),
        (r#"{"headers": {"x-version": "2"}}"#, false),
        (r#"{"headers": {"x-version": {"present": true}}}"#, true),
        (r#"{"headers": {"x-version": {"present": false}}}"#, false),
        (r#"{"headers": {"x-other": {"present": false}}}"#, true),
        (r#"{"headers": {"x-other": {"present": true}}}"#, false),
        (r#"{"query": {"q": "café au lait"}}"#, true),
        (r#"{"query": {"page": "2"}}"#, true),
        (r#"{"query": {"page": "3"}}"#, false),
        (r#"{"query": {"flag": ""}}"#, true),
        (r#"{"query": {"flag": {"present": true}}}"#, true),
        (r#"{"query": {"none": {"present": false}}}"#, true),
        (r#"{"cookies": {"s": "abc"}}"#, true),
        (r#"{"cookies": {"s": "def"}}"#, false),
        (r#"{"cookies": {"beta": ""}}"#, true),
        (r#"{"cookies": {"none": {"present": false}}}"#, true),
        (r#"{"cookies": {"theme": {"present": false}}}"#, false),
        (r#"{"path": ["/x", "/"]}"#, true),
        (r#"{"path": ["/*"]}"#, true),
        (r#"{"path": ["~ ^/$"]}"#, true),
        (r#"{"path": ["/x/*", "~ x"]}"#, false),
        (r#"{"client": ["10.0.0.0/8"]}"#, true),
        (r#"{"client": ["192.168.0.0/16", "::/0"]}"#, false),
    ] {
        assert_eq!(holds(json, &request()), expected, "{json}");
    }
}

#[test]
fn each_test_of_a_value_with_and_without_case() {
    for (rule, expected) in [
        (r#"{"exact": "googlebot/2.1"}"#, false),
        (r#"{"exact": "googlebot/2.1", "ignore_case": true}"#, true),
        (r#"{"prefix": "Google"}"#, true),
        (r#"{"prefix": "google"}"#, false),
        (r#"{"prefix": "google", "ignore_case": true}"#, true),
        (r#"{"prefix": "GoogleBot/2.1.7"}"#, false),
        (r#"{"suffix": "/2.1"}"#, true),
        (r#"{"suffix": "BOT/2.1", "ignore_case": true}"#, true),
        (r#"{"suffix": "XGoogleBot/2.1"}"#, false),
        (r#"{"contains": "Bot"}"#, true),
        (r#"{"contains": "bot"}"#, false),
        (r#"{"contains": "BOT/2.", "ignore_case": true}"#, true),
        (r#"{"contains": "bot.2", "ignore_case": true}"#, false),
        (r#"{"regex": "[0-9]\\.[0-9]$"}"#, true),
        (r#"{"regex": "^googlebot", "ignore_case": true}"#, true),
        (r#"{"regex": "^Bot"}"#, false),
    ] {
        assert_eq!(
            holds(&format!(r#"{{"headers": {{"user-agent": {rule}}}}}"#), &request()),
            expected,
            "{rule}"
        );
    }
}

#[test]
fn conditions_combine() {
    let (yes, no) = (r#"{"method": ["GET"]}"#, r#"{"method": ["PUT"]}"#);
    for (json, expected) in [
        (format!(r#"{{"all": [{yes}, {yes}]}}"#), true),
        (format!(r#"{{"all": [{yes}, {no}]}}"#), false),
        (format!(r#"{{"any": [{no}, {yes}]}}"#), true),
        (format!(r#"{{"any": [{no}, {no}]}}"#), false),
        (format!(r#"{{"not": {no}}}"#), true),
        (format!(r#"{{"not": {{"any": [{no}, {yes}]}}}}"#), false),
        (format!(r#"{{"method": ["GET"], "not": {yes}}}"#), false),
        (r#"{"method": ["GET"], "query": {"page": "2"}, "cookies": {"theme": "dark"}}"#.to_owned(), true),
        (r#"{"method": ["GET"], "query": {"page": "2"}, "cookies": {"theme": "light"}}"#.to_owned(), false),
    ] {
        assert_eq!(holds(&json, &request()), expected, "{json}");
    }
}

#[test]
fn mistakes_are_told_with_their_fix() {
    for (json, part) in [
        (r#"{"methods": ["GET"]}"#, "unknown field `methods`"),
        (r#"{"method": ["get"]}"#, "help: write `GET`"),
        (r#"{"method": ["G ET"]}"#, "`G ET` is not a name"),
        (r#"{"method": []}"#, "empty list"),
        (r#"{"headers": {}}"#, "empty map"),
        (r#"{"headers": {"a b": "1"}}"#, "`a b` is not a name"),
        (r#"{"headers": {"a": 2}}"#, "in quotes where it looks like a number"),
        (r#"{"headers": {"a": {}}}"#, "has 0 tests"),
        (r#"{"headers": {"a": {"exact": "x", "present": true}}}"#, "has 2 tests"),
        (r#"{"headers": {"a": {"prefix": ""}}}"#, "write `present: true`"),
        (r#"{"headers": {"a": {"present": true, "ignore_case": true}}}"#, "no effect"),
        (r#"{"headers": {"a": {"regex": "("}}}"#, "regex `(` does not work"),
        (r#"{"client": ["10.0.0.0/99"]}"#, "10.0.0.0/99"),
        (r#"{"client": []}"#, "no client"),
        (r#"{"any": [{}]}"#, "always holds"),
        (r#"{"not": {}}"#, "its opposite never"),
    ] {
        assert!(error(json).contains(part), "{json}: {}", error(json));
    }
}

#[test]
fn what_is_written_comes_back() {
    let json = concat!(
        r#"{"method":["GET"],"headers":{"a":"1","b":{"exact":"x","ignore_case":true},"c":{"present":false}},"#,
        r#""client":["10.0.0.0/8"],"any":[{"query":{"q":{"regex":"^a"}}}],"not":{"cookies":{"s":{"contains":"z"}}}}"#,
    );
    assert_eq!(serde_json::to_string(&condition(json)).unwrap(), json);
}

#[test]
fn there_is_a_schema() {
    let schema = serde_json::to_value(schemars::schema_for!(Condition)).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    for part in ["Matcher", "MatchRule", "IpSet", "Method"] {
        assert!(schema["$defs"].get(part).is_some(), "{part}");
    }
}

proptest! {
    #[test]
    fn any_query_and_cookie_are_survived(query in "[a=&%+;0-9\"]{0,20}", cookie in "[a=;%, \"]{0,20}") {
        let json = r#"{"any": [{"query": {"a": "%"}}, {"cookies": {"a": {"contains": "%"}}}]}"#;
        holds(json, &Request::get("/").query(&query).header("cookie", &cookie));
    }
}
