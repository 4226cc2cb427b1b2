use super::*;
use Verdict::{Failed, NotModified, Send};

const OURS: Validators<'_> = Validators { etag: Some("\"1-2\""), modified_s: Some(784_111_777) };
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const TAG: &str = "\"1-2\"";
const WEAK: &str = "W/\"1-2\"";
const OTHER: &str = "\"other\"";

fn headers(fields: &[(&str, &str)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.append(*name, value.as_bytes());
    }
    headers
}

#[track_caller]
fn check(table: &[(&[(&str, &str)], Verdict)]) {
    for (fields, expected) in table {
        assert_eq!(evaluate(&headers(fields), OURS, IfModifiedSince::Before), *expected, "{fields:?}");
    }
}

#[test]
fn each_condition_alone() {
    check(&[
        (&[], Send),
        (&[("If-Match", TAG)], Send),
        (&[("If-Match", "*")], Send),
        (&[("If-Match", WEAK)], Failed),
        (&[("If-Match", OTHER)], Failed),
        (&[("If-Match", "nonsense")], Failed),
        (&[("If-Unmodified-Since", BEFORE)], Failed),
        (&[("If-Unmodified-Since", SAME)], Send),
        (&[("If-Unmodified-Since", AFTER)], Send),
        (&[("If-None-Match", TAG)], NotModified),
        (&[("If-None-Match", WEAK)], NotModified),
        (&[("If-None-Match", "*")], NotModified),
        (&[("If-None-Match", OTHER)], Send),
        (&[("If-Modified-Since", BEFORE)], Send),
        (&[("If-Modified-Since", SAME)], NotModified),
        (&[("If-Modified-Since", AFTER)], NotModified),
        (&[("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
        (&[("If-Modified-Since", "Sun Nov  6 08:49:37 1994")], NotModified),
    ]);
}

#[test]
fn tags_go_before_dates_and_matches_before_modifications() {
    check(&[
        (&[("If-Match", TAG), ("If-Unmodified-Since", BEFORE)], Send),
        (&[("If-Match", OTHER), ("If-Unmodified-Since", AFTER)], Failed),
        (&[("If-None-Match", OTHER), ("If-Modified-Since", SAME)], Send),
        (&[("If-None-Match", TAG), ("If-Modified-Since", BEFORE)], NotModified),
        (&[("If-None-Match", TAG), ("If-Match", OTHER)], Failed),
        (&[("If-None-Match", TAG), ("If-Match", TAG)], NotModified),
        (&[("If-Modified-Since", SAME), ("If-Unmodified-Since", BEFORE)], Failed),
    ]);
}

#[test]
fn lines_of_a_list_count_together_and_dates_come_once() {
    check(&[
        (&[("If-Match", OTHER), ("If-Match", TAG)], Send),
        (&[("If-None-Match", OTHER), ("If-None-Match", WEAK)], NotModified),
        (&[("If-Modified-Since", SAME), ("If-Modified-Since", SAME)], Send),
        (&[("If-Unmodified-Since", BEFORE), ("If-Unmodified-Since", BEFORE)], Send),
        (&[("If-Modified-Since", "yesterday")], Send),
        (&[("If-Unmodified-Since", "0")], Send),
    ]);
}

#[test]
fn a_file_without_date_has_no_conditions_by_date() {
    let undated = Validators { modified_s: None, ..OURS };
    for name in ["If-Modified-Since", "If-Unmodified-Since"] {
        assert_eq!(evaluate(&headers(&[(name, SAME)]), undated, IfModifiedSince::Before), Send);
    }
    assert!(!if_range_holds(&headers(&[("If-Range", SAME)]), undated));
    assert!(!if_range_holds(&headers(&[("If-Range", "nonsense")]), undated));
}

#[test]
fn if_range_wants_the_very_state() {
    for (value, expected) in [
        (TAG, true),
        (WEAK, false),
        (OTHER, false),
        (SAME, true),
        (BEFORE, false),
        (AFTER, false),
        ("nonsense", false),
        ("*", false),
    ] {
        assert_eq!(if_range_holds(&headers(&[("If-Range", value)]), OURS), expected, "{value}");
    }
    assert!(if_range_holds(&headers(&[]), OURS));
    assert!(!if_range_holds(&headers(&[("If-Range", TAG), ("If-Range", TAG)]), OURS));
}

#[test]
fn if_modified_since_compares_as_it_is_told() {
    use IfModifiedSince::{Before, Exact, Off};
    for (rule, expected) in [
        (Before, [Send, NotModified, NotModified]),
        (Exact, [Send, NotModified, Send]),
        (Off, [Send, Send, Send]),
    ] {
        let got =
            [BEFORE, SAME, AFTER].map(|date| evaluate(&headers(&[("If-Modified-Since", date)]), OURS, rule));
        assert_eq!(got, expected, "{rule:?}");
    }
}

#[test]
fn without_a_tag_of_ours_only_a_star_matches() {
    let untagged = Validators { etag: None, ..OURS };
    let verdict = |name, value| evaluate(&headers(&[(name, value)]), untagged, IfModifiedSince::Exact);
    assert_eq!(verdict("If-None-Match", TAG), Send);
    assert_eq!(verdict("If-None-Match", "*"), NotModified);
    assert_eq!(verdict("If-Match", TAG), Failed);
    assert_eq!(verdict("If-Match", "*"), Send);
    assert!(!if_range_holds(&headers(&[("If-Range", TAG)]), untagged));
    assert!(if_range_holds(&headers(&[("If-Range", SAME)]), untagged));
}
