use super::*;
use crate::testing::{fields, request, response};

const CHANGED: &str = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT";

fn outcome(req: &str, res: &str) -> Outcome {
    evaluate(&request("GET", req), &response(200, res), true)
}

#[test]
fn rfc9110_13_1_2_if_none_match_compares_weakly() {
    for (asked, have, expected) in [
        ("\"a\"", "\"a\"", Outcome::NotModified),
        ("W/\"a\"", "\"a\"", Outcome::NotModified),
        ("\"a\"", "W/\"a\"", Outcome::NotModified),
        ("\"x\", \"a\", \"y\"", "\"a\"", Outcome::NotModified),
        ("\"x,a\"", "\"a\"", Outcome::Send),
        ("\"b\"", "\"a\"", Outcome::Send),
        ("*", "\"a\"", Outcome::NotModified),
        ("a", "\"a\"", Outcome::NotModified),
    ] {
        assert_eq!(
            outcome(&format!("If-None-Match: {asked}"), &format!("ETag: {have}")),
            expected,
            "{asked} {have}"
        );
    }
}

#[test]
fn rfc9110_13_2_2_if_none_match_goes_before_if_modified_since() {
    let asked = "If-None-Match: \"b\"\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(outcome(asked, &format!("ETag: \"a\"\n{CHANGED}")), Outcome::Send);
}

#[test]
fn rfc9110_13_1_3_if_modified_since_compares_dates() {
    let asked = |date: &str| outcome(&format!("If-Modified-Since: {date}"), CHANGED);
    assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Outcome::NotModified);
    assert_eq!(asked("Sun, 06 Nov 1994 08:49:38 GMT"), Outcome::NotModified);
    assert_eq!(asked("Sun, 06 Nov 1994 08:49:36 GMT"), Outcome::Send);
    assert_eq!(asked("yesterday"), Outcome::Send);
}

#[test]
fn rfc9110_13_1_1_if_match_compares_strongly_and_is_for_origins() {
    assert_eq!(outcome("If-Match: \"a\"", "ETag: \"a\""), Outcome::Send);
    assert_eq!(outcome("If-Match: \"a\"", "ETag: W/\"a\""), Outcome::Failed);
    assert_eq!(outcome("If-Match: *", "ETag: W/\"a\""), Outcome::Send);
    let req = request("GET", "If-Match: \"b\"");
    assert_eq!(evaluate(&req, &response(200, "ETag: \"a\""), false), Outcome::Send);
    assert!(is_for_origin(&req));
}

#[test]
fn rfc9110_13_1_4_if_unmodified_since_fails_on_what_changed_later() {
    let asked = |date: &str| outcome(&format!("If-Unmodified-Since: {date}"), CHANGED);
    assert_eq!(asked("Sun, 06 Nov 1994 08:49:36 GMT"), Outcome::Failed);
    assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Outcome::Send);
}

#[test]
fn rfc9110_13_1_5_if_range_wants_strong_validators() {
    let by = |standard: Standard, wanted: &str, have: &str| {
        let asked = request("GET", &format!("Range: bytes=0-1\nIf-Range: {wanted}"));
        allows_range(&asked, &fields(have), standard)
    };
    let allows = |wanted: &str, have: &str| by(Standard::Rfc9111, wanted, have);
    assert!(allows("\"a\"", "ETag: \"a\""));
    assert!(!allows("W/\"a\"", "ETag: W/\"a\""));
    assert!(!allows("\"b\"", "ETag: \"a\""));
    assert!(allows("Sun, 06 Nov 1994 08:49:37 GMT", CHANGED));
    assert!(!allows("Sun, 06 Nov 1994 08:49:38 GMT", CHANGED));
    assert!(!allows("soon", ""));
    assert!(allows_range(&request("GET", ""), &fields(""), Standard::Rfc9111));
    let at = |made: u32| format!("{CHANGED}\nDate: Sun, 06 Nov 1994 08:49:{made} GMT");
    assert!(allows("Sun, 06 Nov 1994 08:49:37 GMT", &at(38)));
    assert!(!allows("Sun, 06 Nov 1994 08:49:37 GMT", &at(37)), "it may have changed in that second");
    assert!(by(Standard::Nginx, "Sun, 06 Nov 1994 08:49:37 GMT", &at(37)));
}

#[test]
fn rfc9111_4_3_1_a_request_asks_by_both_validators() {
    let mut head = request("GET", "If-None-Match: \"other\"\nRange: bytes=0-1\nIf-Match: \"x\"");
    assert!(ask_about(&mut head, &response(200, &format!("ETag: W/\"a\"\n{CHANGED}"))));
    assert_eq!(head.headers.get_all(Name::IfNoneMatch).collect::<Vec<_>>(), [&b"W/\"a\""[..]]);
    assert_eq!(head.headers.get(Name::IfModifiedSince), Some(&b"Sun, 06 Nov 1994 08:49:37 GMT"[..]));
    assert!(!head.headers.has(Name::Range) && !head.headers.has(Name::IfMatch));
    assert!(!ask_about(&mut request("GET", ""), &response(200, "")));
}

#[test]
fn rfc9111_4_3_4_a_304_about_another_answer_confirms_nothing() {
    assert!(is_about(&fields("ETag: \"a\""), &fields("ETag: W/\"a\"")));
    assert!(!is_about(&fields("ETag: \"b\""), &fields("ETag: \"a\"")));
    assert!(!is_about(&fields("ETag: \"b\""), &fields("")));
    assert!(is_about(&fields(""), &fields("ETag: \"a\"")));
    assert!(!is_about(&fields("Last-Modified: Sun, 06 Nov 1994 08:49:38 GMT"), &fields(CHANGED)));
}

#[test]
fn rfc9111_3_2_a_304_renews_all_fields_but_those_of_the_body() {
    let stored = response(200, "A: 1\nA: 2\nB: 1\nContent-Type: text/a\nContent-Encoding: gzip\nETag: \"a\"");
    let answer = fields(
        "A: 3\nC: 4\nContent-Type: text/b\nContent-Encoding: br\nContent-Length: 9\nConnection: d\nD: 1",
    );
    let head = updated(&stored, &answer);
    let all: Vec<_> = head
        .headers
        .iter()
        .map(|(_, name, value)| {
            format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        })
        .collect();
    assert_eq!(
        all,
        ["B: 1", "Content-Encoding: gzip", "ETag: \"a\"", "A: 3", "C: 4", "Content-Type: text/b"]
    );
}
