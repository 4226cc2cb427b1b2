//! What requests say of caches (RFC 9111 5.2.1, 5.4).

use super::super::script::{Rows, play};

/// A fresh answer, then a request with these fields.
fn then(fields: &str, end: &str) -> String {
    format!("? GET\n! 200 | Cache-Control: max-age=3600 | Age: 1800\n> asked\n? GET | {fields}\n> {end}")
}

#[test]
fn rfc9111_5_2_1_1_max_age_of_a_request_is_the_age_it_bears() {
    let rows: Rows = vec![
        ("0", then("Cache-Control: max-age=0", "asked")),
        ("less than its age", then("Cache-Control: max-age=1000", "asked")),
        ("more than its age", then("Cache-Control: max-age=2000", "stored")),
        ("that can't be read", then("Cache-Control: max-age=soon", "asked")),
        ("quoted", then("Cache-Control: max-age=\"2000\"", "stored")),
    ];
    play("", rows);
}

#[test]
fn rfc9111_5_2_1_3_min_fresh_is_the_freshness_it_wants() {
    let rows: Rows = vec![
        ("less than is left", then("Cache-Control: min-fresh=1000", "stored")),
        ("more than is left", then("Cache-Control: min-fresh=2000", "asked")),
        (
            "more than the whole lifetime",
            "? GET\n! 200 | Cache-Control: max-age=60\n> asked\n? GET | Cache-Control: min-fresh=90\n> asked"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_5_2_1_2_max_stale_is_the_staleness_it_bears() {
    let stale = |more: &str, ask: &str, end: &str| {
        format!(
            "? GET\n! 200 | Cache-Control: max-age=1500{more} | Age: 1800 | ETag: \"a\"\n> asked\n\
             ? GET | Cache-Control: {ask}\n> {end}"
        )
    };
    let rows: Rows = vec![
        ("more than it is", stale("", "max-stale=1000", "stored | old 1800")),
        ("less than it is", stale("", "max-stale=100", "asked")),
        ("any", stale("", "max-stale", "stored")),
        ("not against must-revalidate", stale(", must-revalidate", "max-stale=1000", "asked")),
        ("not against proxy-revalidate", stale(", proxy-revalidate", "max-stale=1000", "asked")),
        ("not against s-maxage", stale(", s-maxage=1500", "max-stale=1000", "asked")),
        ("not against no-cache", stale(", no-cache", "max-stale=1000", "asked")),
    ];
    play("", rows);
}

#[test]
fn rfc9111_5_2_1_4_no_cache_of_a_request_asks_the_origin() {
    let rows: Rows = vec![
        ("alone", then("Cache-Control: no-cache", "asked")),
        ("among others", then("Cache-Control: foo, No-Cache", "asked")),
        (
            "and the answer is stored",
            "? GET\n! 200 | Cache-Control: max-age=60\n> asked\n\
             ? GET | Cache-Control: no-cache\n! 200 | Cache-Control: max-age=60\n> asked\n? GET\n> stored | =body 2"
                .to_owned(),
        ),
        (
            "with its validators",
            "? GET\n! 200 | Cache-Control: max-age=60 | ETag: \"a\"\n> asked\n\
             ? GET | Cache-Control: no-cache\n! 304 | ETag: \"a\"\n> asks If-None-Match: \"a\" | =body 1"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_5_2_1_5_no_store_of_a_request_stores_nothing() {
    let rows: Rows = vec![
        (
            "of an answer to it",
            "? GET | Cache-Control: no-store\n! 200 | Cache-Control: max-age=60\n> asked\n? GET\n> asked"
                .to_owned(),
        ),
        ("and takes what is there", then("Cache-Control: no-store", "stored")),
    ];
    play("", rows);
}

#[test]
fn rfc9111_5_2_1_7_only_if_cached_asks_nobody() {
    let rows: Rows = vec![
        ("nothing there", "? GET | Cache-Control: only-if-cached\n> 504 | stored".to_owned()),
        ("something there", then("Cache-Control: only-if-cached", "stored")),
        (
            "something outdated there",
            "? GET\n! 200 | Cache-Control: max-age=0 | ETag: \"a\"\n> asked\n\
             ? GET | Cache-Control: only-if-cached\n> 504 | stored"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_5_4_pragma_counts_where_the_request_has_no_cache_control() {
    let rows: Rows = vec![
        ("alone", then("Pragma: no-cache", "asked")),
        ("in any case", then("Pragma: No-Cache", "asked")),
        ("beside Cache-Control", then("Pragma: no-cache | Cache-Control: max-age=9999", "stored")),
        ("another one", then("Pragma: unknown", "stored")),
        (
            "of an answer it means nothing",
            "? GET\n! 200 | Cache-Control: max-age=60 | Pragma: no-cache\n> asked\n? GET\n> stored"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_5_2_1_requests_have_no_say_where_they_are_not_heeded() {
    let rows: Rows = vec![
        ("no-cache", then("Cache-Control: no-cache", "stored")),
        ("max-age", then("Cache-Control: max-age=0", "stored")),
        ("only-if-cached", "? GET | Cache-Control: only-if-cached\n> asked".to_owned()),
        ("pragma", then("Pragma: no-cache", "stored")),
    ];
    play(", heed_requests: false", rows);
}
