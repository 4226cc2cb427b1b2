use super::*;
use crate::testing::fields;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const THEN: u64 = 784_111_777;

fn lifetime_of(status: u16, text: &str) -> Lifetime {
    let headers = fields(text);
    lifetime((status, &headers), &Directives::of(&headers), false, (THEN, Heuristic::default()))
}

#[test]
fn rfc9111_5_1_age_is_the_first_member_and_nothing_if_it_is_no_number() {
    for (text, age) in [
        ("Age: 7200", 7200),
        ("Age: 7200, 0", 7200),
        ("Age: 0,7200", 0),
        ("Age: 7200\nAge: 0", 7200),
        ("Age: -7200", 0),
        ("Age: 7200.0", 0),
        ("Age: abc", 0),
        ("Age: 7200;a=b", 0),
        ("Age: 99999999999999999999", SECONDS_MAX),
        ("", 0),
    ] {
        assert_eq!(age_value_s(&fields(text)), age, "{text}");
    }
}

#[test]
fn rfc9111_4_2_3_initial_age_is_the_larger_of_two() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(initial_age_s(&fields(date), THEN + 5, THEN + 7), 7);
    assert_eq!(initial_age_s(&fields(&format!("{date}\nAge: 30")), THEN + 5, THEN + 7), 32);
    assert_eq!(initial_age_s(&fields("Age: 30"), THEN, THEN), 30);
    // A clock that is ahead makes no negative age.
    assert_eq!(initial_age_s(&fields(date), THEN - 100, THEN - 100), 0);
    // Two dates are none.
    assert_eq!(initial_age_s(&fields(&format!("{date}\n{date}")), THEN + 9, THEN + 9), 0);
}

#[test]
fn rfc9111_4_2_1_s_maxage_goes_before_max_age_before_expires() {
    let expires = "Date: Sun, 06 Nov 1994 08:49:37 GMT\nExpires: Sun, 06 Nov 1994 08:50:37 GMT";
    assert_eq!(lifetime_of(200, expires), Lifetime::Said(60));
    assert_eq!(lifetime_of(200, &format!("{expires}\nCache-Control: max-age=5")), Lifetime::Said(5));
    assert_eq!(
        lifetime_of(200, &format!("{expires}\nCache-Control: max-age=5, s-maxage=7")),
        Lifetime::Said(7)
    );
    assert_eq!(lifetime_of(200, &format!("{expires}\nCache-Control: max-age=0")), Lifetime::Said(0));
}

#[test]
fn rfc9111_5_3_expires_that_is_no_date_is_in_the_past() {
    for value in ["0", "-1", "foo", "Sun, 06 Nov 1994 08:50:37 PST", "Sun, 06 Nov", ""] {
        assert_eq!(lifetime_of(200, &format!("Expires: {value}")), Lifetime::Said(0), "{value}");
    }
    let date = "Expires: Sun, 06 Nov 1994 09:49:37 GMT";
    assert_eq!(lifetime_of(200, &format!("{date}\n{date}")), Lifetime::Said(0));
}

#[test]
fn rfc9110_5_6_7_all_three_forms_of_dates_are_read() {
    for value in
        ["Sun, 06 Nov 1994 08:49:47 GMT", "Sunday, 06-Nov-94 08:49:47 GMT", "Sun Nov  6 08:49:47 1994"]
    {
        assert_eq!(lifetime_of(200, &format!("Expires: {value}")), Lifetime::Said(10), "{value}");
    }
}

#[test]
fn rfc9111_4_2_2_guessing_has_a_fraction_and_a_cap() {
    let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(
        lifetime_of(200, &format!("{date}\nLast-Modified: Sun, 06 Nov 1994 08:32:57 GMT")),
        Lifetime::Guessed(100)
    );
    assert_eq!(
        lifetime_of(200, &format!("{date}\nLast-Modified: Tue, 06 Nov 1984 08:32:57 GMT")),
        Lifetime::Guessed(24 * 60 * 60)
    );
    assert_eq!(lifetime_of(200, date), Lifetime::Unknown);
}

#[test]
fn rfc9110_15_1_only_some_statuses_are_guessed_about() {
    let text = "Last-Modified: Tue, 06 Nov 1984 08:32:57 GMT";
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        assert!(matches!(lifetime_of(status, text), Lifetime::Guessed(_)), "{status}");
    }
    for status in [201, 202, 302, 307, 400, 403, 500, 502, 503, 504, 599] {
        assert_eq!(lifetime_of(status, text), Lifetime::Unknown, "{status}");
        let public = format!("{text}\nCache-Control: public");
        assert!(matches!(lifetime_of(status, &public), Lifetime::Guessed(_)), "{status}");
    }
}
