//! How long an answer is good for, and how old it is (RFC 9111 4.2).

use super::super::script::{Rows, not_reused, play, reused};

#[test]
fn rfc9111_4_2_1_s_maxage_wins_over_max_age_and_that_over_expires() {
    play(
        "",
        vec![
            ("max-age", reused("Cache-Control: max-age=60")),
            ("max-age=0", not_reused("Cache-Control: max-age=0")),
            ("s-maxage", reused("Cache-Control: s-maxage=60")),
            ("s-maxage longer", reused("Cache-Control: max-age=0, s-maxage=60")),
            ("s-maxage shorter", not_reused("Cache-Control: max-age=60, s-maxage=0")),
            ("whichever stands first", not_reused("Cache-Control: s-maxage=0, max-age=60")),
            ("in two lines", not_reused("Cache-Control: max-age=60 | Cache-Control: s-maxage=0")),
            ("Expires", reused("Date: {0} | Expires: {60}")),
            ("Expires longer", not_reused("Date: {0} | Cache-Control: max-age=0 | Expires: {3600}")),
            ("Expires in the past", reused("Date: {0} | Cache-Control: max-age=60 | Expires: {-3600}")),
            ("Expires that is none", reused("Cache-Control: max-age=60 | Expires: 0 | Date: {0}")),
            ("nothing said", not_reused("Foo: bar")),
        ],
    );
}

#[test]
fn rfc9111_4_2_1_what_can_not_be_read_makes_stale() {
    play(
        "",
        vec![
            ("negative", not_reused("Cache-Control: max-age=-3600")),
            ("letter in front", not_reused("Cache-Control: max-age=a3600")),
            ("letter behind", not_reused("Cache-Control: max-age=3600a")),
            ("fraction", not_reused("Cache-Control: max-age=3600.0")),
            ("in apostrophes", not_reused("Cache-Control: max-age='3600'")),
            ("no value", not_reused("Cache-Control: max-age")),
            ("empty value", not_reused("Cache-Control: max-age=")),
            ("space before =", not_reused("Cache-Control: max-age =3600")),
            ("space behind =", not_reused("Cache-Control: max-age= 3600")),
            ("several Expires", not_reused("Expires: {60} | Expires: {70}")),
        ],
    );
}

#[test]
fn rfc9111_4_2_1_of_a_directive_that_comes_twice_the_first_counts() {
    play(
        "",
        vec![
            ("fresh first", reused("Cache-Control: max-age=60, max-age=0")),
            ("fresh first, two lines", reused("Cache-Control: max-age=60 | Cache-Control: max-age=0")),
            ("stale first", not_reused("Cache-Control: max-age=0, max-age=60")),
            ("stale first, two lines", not_reused("Cache-Control: max-age=0 | Cache-Control: max-age=60")),
        ],
    );
}

#[test]
fn rfc9111_5_2_directives_are_tokens_and_quoted_strings_in_any_case() {
    play(
        "",
        vec![
            ("quoted", reused("Cache-Control: max-age=\"60\"")),
            ("in another one's string", not_reused("Cache-Control: extension=\"max-age=60\", max-age=0")),
            ("the same behind", not_reused("Cache-Control: max-age=0, extension=\"max-age=60\"")),
            ("no-store in a string", reused("Cache-Control: extension=\"no-store\", max-age=60")),
            ("escaped quotes", not_reused("Cache-Control: x=\"\\\", max-age=60\", max-age=0")),
            ("leading zeros", reused("Cache-Control: max-age=0060")),
            ("upper case", reused("Cache-Control: MAX-AGE=60")),
            ("unknown ones", reused("Cache-Control: foobar, a=b, max-age=60")),
            ("empty members", reused("Cache-Control: , ,max-age=60,")),
            ("no blanks", reused("Cache-Control:public,max-age=60")),
        ],
    );
}

#[test]
fn rfc9111_1_2_2_numbers_of_seconds_have_no_end() {
    play(
        "",
        vec![
            ("2^31 - 1", reused("Cache-Control: max-age=2147483647")),
            ("2^31", reused("Cache-Control: max-age=2147483648")),
            ("more than 64 bits", reused("Cache-Control: max-age=99999999999999999999")),
            ("an age that large", not_reused("Cache-Control: max-age=60 | Age: 99999999999999999999")),
            ("an age of 2^31", not_reused("Cache-Control: max-age=60 | Age: 2147483648")),
        ],
    );
}

#[test]
fn rfc9111_5_3_expires_is_a_date_and_what_is_none_is_in_the_past() {
    let invalid = [
        "0",
        "Thu, 18 Aug 2050 02:01:18 UTC",
        "Thu, 18 Aug 2050 02:01:18 AEST",
        "Thu, 18 Aug 50 02:01:18 GMT",
        "Thu 18 Aug 2050 02:01:18 GMT",
        "Thu, 18  Aug  2050 02:01:18 GMT",
        "Thu, 18-Aug-2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02.01.18 GMT",
        "Thu, 18 Aug 2050 2:01:18 GMT",
        "soon",
    ];
    let valid = [
        "Tue, 19 Jan 2038 14:14:08 GMT",
        "Sun, 21 Nov 2286 04:46:39 GMT",
        "Thursday, 18-Aug-50 02:01:18 GMT",
        "Mon Aug  8 02:01:18 2050",
        "Thu Aug  8 02:01:18 2050",
        "THU, 18 Aug 2050 02:01:18 GMT",
        "Thu, 18 AUG 2050 02:01:18 GMT",
        "Thu, 18 Aug 2050 02:01:18 gMT",
    ];
    let mut rows: Vec<(&'static str, String)> = Vec::new();
    rows.extend(invalid.map(|text| (text, not_reused(&format!("Date: {{0}} | Expires: {text}")))));
    rows.extend(valid.map(|text| (text, reused(&format!("Date: {{0}} | Expires: {text}")))));
    rows.push(("now", not_reused("Date: {0} | Expires: {0}")));
    rows.push(("a minute ago", not_reused("Date: {0} | Expires: {-60}")));
    rows.push(("before its date", not_reused("Date: {400} | Expires: {300}")));
    rows.push(("without a date", reused("Expires: {60}")));
    play("", rows);
}

#[test]
fn rfc9111_4_2_3_an_answer_is_as_old_as_its_age_and_its_date_say() {
    play(
        "",
        vec![
            ("older than it may be", not_reused("Date: {0} | Cache-Control: max-age=3600 | Age: 7200")),
            ("as old as it may be", not_reused("Date: {0} | Cache-Control: max-age=3600 | Age: 3600")),
            ("younger", reused("Date: {0} | Cache-Control: max-age=3600 | Age: 3500")),
            ("an old date", not_reused("Date: {-7200} | Cache-Control: max-age=3600")),
            ("a date to come", reused("Date: {7200} | Cache-Control: max-age=3600")),
            ("Expires, slow clock", not_reused("Date: {-10} | Expires: {10} | Age: 25")),
            ("Expires, fast clock", not_reused("Date: {10} | Expires: {20} | Age: 15")),
            ("no date", reused("Cache-Control: max-age=3600")),
            ("a date that is none", reused("Date: yesterday | Cache-Control: max-age=3600")),
        ],
    );
}

#[test]
fn rfc9111_5_1_of_several_ages_the_first_counts_and_what_is_no_number_does_not() {
    let row = |age: &str| format!("Date: {{0}} | Cache-Control: max-age=3600 | {age}");
    play(
        "",
        vec![
            ("no number", reused(&row("Age: abc"))),
            ("negative", reused(&row("Age: -7200"))),
            ("fraction", reused(&row("Age: 7200.0"))),
            ("parameter", reused(&row("Age: 7200;foo=bar"))),
            ("old, new", not_reused(&row("Age: 7200, 0"))),
            ("new, old", reused(&row("Age: 0, 7200"))),
            ("old, new in two lines", not_reused(&row("Age: 7200 | Age: 0"))),
            ("new, old in two lines", reused(&row("Age: 0 | Age: 7200"))),
            ("twice the same", reused(&row("Age: 60, 60"))),
        ],
    );
}

#[test]
fn rfc9111_5_1_an_answer_from_the_store_says_its_age_and_keeps_its_date() {
    let kept = |fields: &str, old: &str| {
        format!("? GET\n! 200 | {fields}\n> asked\n~ 1.1\n? GET\n> stored | old {old}")
    };
    play(
        "",
        vec![
            ("max-age", kept("Cache-Control: max-age=600", "1")),
            ("of an age before", kept("Cache-Control: max-age=600 | Age: 30", "31")),
            ("Expires", kept("Date: {0} | Expires: {600} | Age: 30", "31")),
            ("by its date", kept("Date: {-40} | Cache-Control: max-age=600", "41")),
            (
                "its date",
                "? GET\n! 200 | Cache-Control: max-age=60 | Date: Tue, 15 Nov 2044 08:12:31 GMT\n> asked\n\
                 ? GET\n> stored | Date: Tue, 15 Nov 2044 08:12:31 GMT"
                    .to_owned(),
            ),
            (
                "its Expires",
                "? GET\n! 200 | Cache-Control: max-age=60 | Expires: Tue, 15 Nov 2044 08:12:31 GMT\n> asked\n\
                 ? GET\n> stored | Expires: Tue, 15 Nov 2044 08:12:31 GMT"
                    .to_owned(),
            ),
        ],
    );
}

#[test]
fn rfc9111_4_2_2_a_tenth_of_the_time_since_the_last_change_is_guessed() {
    let guessed = "Date: {0} | Last-Modified: {-86400}";
    let of = |status: u16, end: &str| {
        format!("? GET\n! {status} | {guessed}\n> {status} | asked\n? GET\n! {status}\n> {status} | {end}")
    };
    let mut rows: Vec<(&'static str, String)> = vec![
        ("200", of(200, "stored")),
        ("203", of(203, "stored")),
        ("204", of(204, "stored")),
        ("404", of(404, "stored")),
        ("405", of(405, "stored")),
        ("410", of(410, "stored")),
        ("414", of(414, "stored")),
        ("501", of(501, "stored")),
        ("301", of(301, "stored")),
        ("308", of(308, "stored")),
        ("201", of(201, "asked")),
        ("202", of(202, "asked")),
        ("302", of(302, "asked")),
        ("403", of(403, "asked")),
        ("502", of(502, "asked")),
        ("503", of(503, "asked")),
        ("504", of(504, "asked")),
        ("599", of(599, "asked")),
    ];
    rows.push(("changed just now", not_reused("Date: {0} | Last-Modified: {-5}")));
    rows.push(("older than a tenth", not_reused("Date: {0} | Age: 9000 | Last-Modified: {-86400}")));
    rows.push(("younger than a tenth", reused("Date: {0} | Age: 8000 | Last-Modified: {-86400}")));
    rows.push(("a day at most", not_reused("Date: {0} | Age: 90000 | Last-Modified: {-86400000}")));
    rows.push((
        "any status that is public",
        format!(
            "? GET\n! 599 | Cache-Control: public | {guessed}\n> 599 | asked\n? GET\n! 599\n> 599 | stored"
        ),
    ));
    play("", rows);
    play(", heuristic: 0%", vec![("switched off", not_reused(guessed))]);
}

#[test]
fn rfc9110_6_6_1_what_comes_without_a_date_has_that_of_its_coming() {
    let rows: Rows = vec![
        (
            "for caches behind",
            "? GET\n! 200 | Cache-Control: max-age=60\n> asked\n~ 2\n? GET\n> stored | dated -2".to_owned(),
        ),
        (
            "what confirms",
            "? GET\n! 200 | Cache-Control: max-age=0 | ETag: \"a\" | Date: {-600}\n> asked\n\
             ? GET\n! 304 | Cache-Control: max-age=60 | ETag: \"a\"\n> asked\n? GET\n> stored"
                .to_owned(),
        ),
    ];
    play("", rows);
}
