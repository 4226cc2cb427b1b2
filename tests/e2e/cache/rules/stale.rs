//! Answers that are outdated (RFC 9111 4.2.4, RFC 5861), those that do not change (RFC 8246), and what is said of all
//! of it (RFC 9211).

use super::super::script::{Rows, play};
use super::super::support::{answering, cached};

/// An answer that is outdated by a minute, then one from the origin.
fn outdated(control: &str, second: &str, end: &str) -> String {
    format!(
        "? GET\n! 200 | Cache-Control: max-age=60{control} | Age: 120 | ETag: \"a\"\n> asked\n\
         ? GET\n! {second}\n> {end}"
    )
}

#[test]
fn rfc9111_4_2_4_what_is_outdated_is_not_given_for_an_error_unless_that_is_allowed() {
    let rows: Rows = vec![
        ("closed", outdated("", "close", "502")),
        ("503", outdated("", "503", "503")),
        ("must-revalidate", outdated(", must-revalidate", "close", "502")),
        ("proxy-revalidate", outdated(", proxy-revalidate", "close", "502")),
        ("no-cache", outdated(", no-cache", "close", "502")),
        ("s-maxage", outdated(", s-maxage=60", "close", "502")),
    ];
    play("", rows);
    let rows: Rows = vec![
        ("closed", outdated("", "close", "200 | =body 1 | old 120")),
        ("503", outdated("", "503", "200 | =body 1 | old 120")),
        ("500 is not one of them", outdated("", "500", "500")),
        ("must-revalidate", outdated(", must-revalidate", "close", "502")),
        ("proxy-revalidate", outdated(", proxy-revalidate", "503", "503")),
        ("no-cache", outdated(", no-cache", "close", "502")),
        ("s-maxage", outdated(", s-maxage=60", "close", "502")),
    ];
    play(", use_stale: [error, http503]", rows);
}

#[test]
fn rfc5861_4_stale_if_error_gives_what_is_outdated_for_an_error() {
    let rows: Rows = vec![
        ("closed", outdated(", stale-if-error=120", "close", "200 | =body 1")),
        ("500", outdated(", stale-if-error=120", "500", "200 | =body 1")),
        ("502", outdated(", stale-if-error=120", "502", "200 | =body 1")),
        ("503", outdated(", stale-if-error=120", "503", "200 | =body 1")),
        ("504", outdated(", stale-if-error=120", "504", "200 | =body 1")),
        ("404 is no such error", outdated(", stale-if-error=120", "404", "404")),
        ("for so long only", outdated(", stale-if-error=30", "503", "503")),
        ("not against must-revalidate", outdated(", stale-if-error=120, must-revalidate", "503", "503")),
        ("an answer goes first", outdated(", stale-if-error=120", "200", "200 | =body 2")),
    ];
    play("", rows);
}

#[test]
fn rfc5861_3_stale_while_revalidate_gives_what_is_outdated_and_fetches_it_anew() {
    let rows: Rows = vec![
        (
            "within its time",
            "? GET\n! 200 | Cache-Control: max-age=60, stale-while-revalidate=120 | Age: 120\n> asked\n\
             ? GET\n! 200 | Cache-Control: max-age=60\n> =body 1 | X-Cache-Status: STALE\n~ 0.5\n\
             ? GET\n> stored | =body 2 | X-Cache-Status: HIT"
                .to_owned(),
        ),
        (
            "behind it",
            "? GET\n! 200 | Cache-Control: max-age=60, stale-while-revalidate=30 | Age: 120 | ETag: \"a\"\n> asked\n\
             ? GET\n! 200 | Cache-Control: max-age=60\n> asked | =body 2"
                .to_owned(),
        ),
        (
            "not against must-revalidate",
            "? GET\n! 200 | Cache-Control: max-age=60, stale-while-revalidate=120, must-revalidate | Age: 120 | ETag: \"a\"\n\
             > asked\n? GET\n! 200 | Cache-Control: max-age=60\n> asked | =body 2"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc8246_2_1_what_does_not_change_is_not_asked_for_while_it_is_fresh() {
    let of = |control: &str, ask: &str, end: &str| {
        format!(
            "? GET\n! 200 | Cache-Control: {control} | Age: 100 | ETag: \"a\"\n> asked\n\
             ? GET | Cache-Control: {ask}\n! 304 | ETag: \"a\"\n> {end}"
        )
    };
    let rows: Rows = vec![
        ("reloaded", of("max-age=600, immutable", "max-age=0", "stored")),
        ("forced", of("max-age=600, immutable", "no-cache", "asks If-None-Match: \"a\"")),
        ("outdated", of("max-age=60, immutable", "max-age=0", "asks If-None-Match: \"a\"")),
        ("without it", of("max-age=600", "max-age=0", "asks If-None-Match: \"a\"")),
    ];
    play("", rows);
}

#[test]
fn rfc9211_2_cache_status_says_what_was_done_and_joins_the_list() {
    let rows: Rows = vec![
        (
            "miss and hit",
            "? GET\n! 200 | Cache-Control: max-age=60\n\
             > Cache-Status: bifrons; fwd=uri-miss; fwd-status=200; ttl=60; stored\n\
             ? GET\n! 200\n> stored"
                .to_owned(),
        ),
        (
            "why it is not stored",
            "? GET\n! 200 | Cache-Control: no-store\n\
             > Cache-Status: bifrons; fwd=uri-miss; fwd-status=200; detail=no-store"
                .to_owned(),
        ),
        (
            "behind those before it",
            "? GET\n! 200 | Cache-Control: no-store | Cache-Status: shield; hit\n\
             > Cache-Status: shield; hit, bifrons; fwd=uri-miss; fwd-status=200; detail=no-store"
                .to_owned(),
        ),
        (
            "confirmed",
            "? GET\n! 200 | Cache-Control: max-age=60 | Age: 120 | ETag: \"a\"\n> asked\n\
             ? GET\n! 304 | ETag: \"a\" | Cache-Control: max-age=60\n\
             > Cache-Status: bifrons; fwd=stale; fwd-status=304; ttl=60 | X-Cache-Status: REVALIDATED"
                .to_owned(),
        ),
        (
            "asked by the client",
            "? GET\n! 200 | Cache-Control: max-age=60\n> asked\n? GET | Cache-Control: no-cache\n\
             ! 200 | Cache-Control: max-age=60\n\
             > Cache-Status: bifrons; fwd=request; fwd-status=200; ttl=60; stored"
                .to_owned(),
        ),
        (
            "another variant",
            "? GET | Foo: 1\n! 200 | Cache-Control: max-age=60 | Vary: Foo\n> asked\n? GET | Foo: 2\n\
             ! 200 | Cache-Control: max-age=60 | Vary: Foo\n\
             > Cache-Status: bifrons; fwd=vary-miss; fwd-status=200; ttl=60; stored"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_5_1_age_is_passed_along_tiers() {
    let origin = answering("Cache-Control: max-age=600\r\nAge: 100\r\n");
    let shield = cached(&origin, "");
    let edge = super::super::support::cached_at(shield.addr("web"), "");
    assert_eq!(edge.client().get("/").body, b"0123456789");
    let answer = edge.client().get("/");
    let age: u64 = answer.field("Age").unwrap().parse().unwrap();
    assert!((100..130).contains(&age), "{answer:?}");
    assert_eq!(answer.all("Cache-Status").len(), 2, "{answer:?}");
    assert_eq!(origin.requests().len(), 1);
}
