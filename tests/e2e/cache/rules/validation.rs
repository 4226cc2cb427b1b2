//! Validators and ranges (RFC 9110 8.8, 13, 14; RFC 9111 3.2 - 3.4, 4.3).

use super::super::script::{Rows, play};

/// Answers that may be used for a minute, then a request.
fn stored(fields: &str, request: &str, end: &str) -> String {
    format!(
        "? GET\n! 200 | Cache-Control: max-age=60 | {fields} | =0123456789\n> asked\n? {request}\n> {end}"
    )
}

/// Outdated ones, then a request that the origin answers with 304 and these fields, then another.
fn confirmed(fields: &str, new: &str, second: &str, third: &str) -> String {
    format!(
        "? GET\n! 200 | Cache-Control: max-age=0 | {fields}\n> asked\n\
         ? GET\n! 304 | {new}\n> {second}\n? GET\n> {third}"
    )
}

#[test]
fn rfc9111_4_3_2_if_none_match_is_answered_from_the_store() {
    let rows: Rows = vec![
        ("the same", stored("ETag: \"a\"", "GET | If-None-Match: \"a\"", "304 | stored | ETag: \"a\"")),
        ("one of several", stored("ETag: \"a\"", "GET | If-None-Match: \"b\", \"a\"", "304 | stored")),
        (
            "in two lines",
            stored("ETag: \"a\"", "GET | If-None-Match: \"b\" | If-None-Match: \"a\"", "304 | stored"),
        ),
        ("any", stored("ETag: \"a\"", "GET | If-None-Match: *", "304 | stored")),
        ("another", stored("ETag: \"a\"", "GET | If-None-Match: \"b\"", "200 | stored | =0123456789")),
        ("a weak one of ours", stored("ETag: W/\"a\"", "GET | If-None-Match: \"a\"", "304 | stored")),
        ("a weak one of theirs", stored("ETag: \"a\"", "GET | If-None-Match: W/\"a\"", "304 | stored")),
        ("without quotes", stored("ETag: a", "GET | If-None-Match: \"a\"", "304 | stored")),
        (
            "with a comma in it",
            stored("ETag: \"a,b\"", "GET | If-None-Match: \"x\", \"a,b\"", "304 | stored"),
        ),
        ("no tag of ours", stored("Foo: bar", "GET | If-None-Match: \"a\"", "200 | stored")),
        ("HEAD", stored("ETag: \"a\"", "HEAD | If-None-Match: \"a\"", "304 | stored")),
    ];
    play("", rows);
}

#[test]
fn rfc9110_13_2_2_if_none_match_goes_before_if_modified_since() {
    let changed = "ETag: \"a\" | Last-Modified: {-5000}";
    let rows: Rows = vec![
        (
            "the tag matches",
            stored(changed, "GET | If-None-Match: \"a\" | If-Modified-Since: {-9000}", "304 | stored"),
        ),
        (
            "the date would",
            stored(changed, "GET | If-None-Match: \"b\" | If-Modified-Since: {0}", "200 | stored"),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_4_3_2_if_modified_since_is_answered_from_the_store() {
    let day = "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT";
    let rows: Rows = vec![
        ("the same", stored(day, "GET | If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT", "304 | stored")),
        ("later", stored(day, "GET | If-Modified-Since: Thu, 02 Jan 2020 00:00:00 GMT", "304 | stored")),
        ("earlier", stored(day, "GET | If-Modified-Since: Tue, 31 Dec 2019 00:00:00 GMT", "200 | stored")),
        ("no date", stored(day, "GET | If-Modified-Since: yesterday", "200 | stored")),
        ("by Date", stored("Date: {-30}", "GET | If-Modified-Since: {0}", "304 | stored")),
    ];
    play("", rows);
}

#[test]
fn rfc9110_13_1_1_if_match_and_if_unmodified_since_are_for_the_origin() {
    let rows: Rows = vec![
        (
            "If-Match",
            "? GET\n! 200 | Cache-Control: max-age=60 | ETag: \"a\"\n> asked\n\
             ? GET | If-Match: \"b\"\n! 412\n> 412 | asks If-Match: \"b\""
                .to_owned(),
        ),
        (
            "If-Unmodified-Since",
            "? GET\n! 200 | Cache-Control: max-age=60\n> asked\n\
             ? GET | If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT\n! 412\n\
             > 412 | asks If-Unmodified-Since: Wed, 01 Jan 2020 00:00:00 GMT"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_4_3_1_what_is_outdated_is_asked_about_by_all_its_validators() {
    let day = "Wed, 01 Jan 2020 00:00:00 GMT";
    let rows: Rows = vec![
        ("a tag", confirmed("ETag: \"a\"", "ETag: \"a\"", "asks If-None-Match: \"a\" | =body 1", "asked")),
        (
            "a date",
            confirmed(
                &format!("Last-Modified: {day}"),
                "Foo: bar",
                &format!("asks If-Modified-Since: {day} | =body 1"),
                "asked",
            ),
        ),
        (
            "both",
            confirmed(
                &format!("ETag: W/\"a\" | Last-Modified: {day}"),
                "ETag: W/\"a\"",
                &format!("asks If-None-Match: W/\"a\" | asks If-Modified-Since: {day} | =body 1"),
                "asked",
            ),
        ),
        (
            "and by those of the variant",
            "? GET | Abc: 1\n! 200 | Cache-Control: max-age=0 | Vary: Abc | ETag: \"a\"\n> asked\n\
             ? GET | Abc: 1\n! 304 | ETag: \"a\"\n> asks If-None-Match: \"a\" | asks Abc: 1 | =body 1"
                .to_owned(),
        ),
        (
            "in place of the client's own",
            "? GET\n! 200 | Cache-Control: max-age=0 | ETag: \"a\"\n> asked\n\
             ? GET | If-None-Match: \"b\"\n! 304 | ETag: \"a\"\n> asks If-None-Match: \"a\" | 200 | =body 1"
                .to_owned(),
        ),
        (
            "which are answered after it",
            "? GET\n! 200 | Cache-Control: max-age=0 | ETag: \"a\"\n> asked\n\
             ? GET | If-None-Match: \"a\"\n! 304 | ETag: \"a\"\n> asks If-None-Match: \"a\" | 304"
                .to_owned(),
        ),
        (
            "a new one takes its place",
            "? GET\n! 200 | Cache-Control: max-age=0 | ETag: \"a\"\n> asked\n\
             ? GET\n! 200 | Cache-Control: max-age=60 | ETag: \"b\"\n> asks If-None-Match: \"a\" | =body 2\n\
             ? GET\n> stored | =body 2"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_3_2_a_304_updates_all_fields_that_may_change() {
    let of = |old: &str, new: &str, kept: &str| {
        confirmed(
            &format!("ETag: \"a\" | {old}"),
            &format!("ETag: \"a\" | Cache-Control: max-age=60 | {new}"),
            &format!("asks If-None-Match: \"a\" | =body 1 | {kept}"),
            &format!("stored | =body 1 | {kept}"),
        )
    };
    let updated = |name: &str| of(&format!("{name}: old"), &format!("{name}: new"), &format!("{name}: new"));
    let mut rows: Rows = vec![
        ("a field it omits", of("Foo: old", "Bar: new", "Foo: old | Bar: new")),
        ("its lifetime", of("Foo: old", "Foo: old", "Cache-Control: max-age=60")),
        (
            "Expires",
            of(
                "Expires: Fri, 01 Jan 2038 01:01:01 GMT",
                "Expires: Mon, 11 Jan 2038 11:11:11 GMT",
                "Expires: Mon, 11 Jan 2038 11:11:11 GMT",
            ),
        ),
        // They describe the body that is stored.
        ("Content-Length", of("Foo: old", "Content-Length: 10", "Content-Length: 6")),
        ("Content-Encoding", of("Content-Encoding: old", "Content-Encoding: new", "Content-Encoding: old")),
        ("Content-Range", of("Content-Range: old", "Content-Range: new", "Content-Range: old")),
        ("Connection", of("Foo: old", "Connection: Foo | Foo: new", "Foo: old")),
    ];
    for name in [
        "Test-Header",
        "X-Test-Header",
        "Content-Foo",
        "X-Content-Foo",
        "Content-Location",
        "Content-Type",
        "Content-Security-Policy",
        "Clear-Site-Data",
        "Public-Key-Pins",
        "Set-Cookie2",
        "X-Frame-Options",
        "X-XSS-Protection",
    ] {
        rows.push((name, updated(name)));
    }
    play("", rows);
}

#[test]
fn rfc9111_4_3_3_a_304_about_something_else_confirms_nothing() {
    let rows: Rows = vec![(
        "another tag",
        "? GET\n! 200 | Cache-Control: max-age=0 | ETag: \"a\"\n> asked\n\
         ? GET\n! 304 | ETag: \"b\"\n> 502"
            .to_owned(),
    )];
    play("", rows);
}

#[test]
fn rfc9110_14_a_range_is_answered_from_the_stored_whole() {
    let of = |range: &str, end: &str| {
        stored("ETag: \"a\" | A: 1", &format!("GET | Range: {range}"), &format!("stored | {end}"))
    };
    let rows: Rows = vec![
        ("first bytes", of("bytes=0-1", "206 | =01 | Content-Range: bytes 0-1/10 | A: 1")),
        ("from a byte on", of("bytes=1-", "206 | =123456789 | Content-Range: bytes 1-9/10")),
        ("last bytes", of("bytes=-1", "206 | =9 | Content-Range: bytes 9-9/10")),
        ("more than there are", of("bytes=5-99", "206 | =56789")),
        ("none of them", of("bytes=10-", "416 | Content-Range: bytes */10")),
        ("another unit", of("lines=1-2", "200 | =0123456789")),
        ("backwards", of("bytes=5-2", "200 | =0123456789")),
    ];
    play("", rows);
}

#[test]
fn rfc9110_13_1_5_if_range_takes_strong_validators() {
    let of = |fields: &str, wanted: &str, end: &str| {
        let end = format!("stored | {end}");
        stored(fields, &format!("GET | Range: bytes=0-1 | If-Range: {wanted}"), &end)
    };
    let day = "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT";
    let rows: Rows = vec![
        ("the same tag", of("ETag: \"a\"", "\"a\"", "206 | =01")),
        ("another tag", of("ETag: \"a\"", "\"b\"", "200 | =0123456789")),
        ("a weak tag", of("ETag: W/\"a\"", "W/\"a\"", "200 | =0123456789")),
        ("the same date", of(day, "Wed, 01 Jan 2020 00:00:00 GMT", "206 | =01")),
        ("a later date", of(day, "Thu, 02 Jan 2020 00:00:00 GMT", "200 | =0123456789")),
    ];
    play("", rows);
}

#[test]
fn rfc9111_3_4_a_range_that_is_not_stored_fetches_the_whole() {
    let rows: Rows = vec![(
        "asked for without it",
        "? GET | Range: bytes=2-4\n! 200 | Cache-Control: max-age=60 | =0123456789\n\
         > 206 | =234 | asks without Range\n? GET\n> stored | =0123456789\n\
         ? GET | Range: bytes=-2\n> stored | 206 | =89"
            .to_owned(),
    )];
    play("", rows);
}

#[test]
fn rfc9111_3_3_partial_content_is_never_given_for_the_whole() {
    let rows: Rows = vec![(
        "of an origin that gives it unasked",
        "? GET\n! 206 | Cache-Control: max-age=60 | Content-Range: bytes 0-4/10 | =01234\n> 206 | asked\n\
         ? GET\n! 200 | Cache-Control: max-age=60 | =0123456789\n> asked | =0123456789"
            .to_owned(),
    )];
    play("", rows);
}
