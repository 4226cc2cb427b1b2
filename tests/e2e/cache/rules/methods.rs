//! Methods and what they change (RFC 9111 4, 4.3.5, 4.4; RFC 9110 9).

use super::super::script::{Rows, play};

const FRESH: &str = "! 200 | Cache-Control: max-age=3600";

#[test]
fn rfc9111_4_4_unsafe_methods_forget_their_uri() {
    let of = |method: &str, status: u16, end: &str| {
        format!("? GET\n{FRESH}\n> asked\n? {method}\n! {status}\n> {status} | asked\n? GET\n> {end}")
    };
    let rows: Rows = vec![
        ("POST", of("POST", 200, "asked")),
        ("PUT", of("PUT", 201, "asked")),
        ("DELETE", of("DELETE", 204, "asked")),
        ("PATCH", of("PATCH", 303, "asked")),
        ("an unknown one", of("M-SEARCH", 200, "asked")),
        ("POST that failed", of("POST", 500, "stored")),
        ("PUT that failed", of("PUT", 404, "stored")),
        ("an unknown one that failed", of("M-SEARCH", 500, "stored")),
        ("a safe one", of("OPTIONS", 200, "stored")),
    ];
    play("", rows);
}

#[test]
fn rfc9111_4_4_unsafe_methods_forget_what_location_and_content_location_name() {
    let of = |method: &str, field: &str, end: &str| {
        format!(
            "? GET /@/other\n{FRESH}\n> asked\n? {method}\n! 200 | {field}\n> asked\n? GET /@/other\n> {end}"
        )
        .replace("/@/", "@/")
    };
    let mut rows: Rows = Vec::new();
    for method in ["POST", "PUT", "DELETE", "M-SEARCH"] {
        rows.push(("Location", of(method, "Location: @/other", "asked")));
        rows.push(("Content-Location", of(method, "Content-Location: @/other", "asked")));
        rows.push(("absolute", of(method, "Location: http://test@/other", "asked")));
        rows.push(("without a scheme", of(method, "Location: //test@/other", "asked")));
        rows.push(("of another host", of(method, "Location: http://elsewhere@/other", "stored")));
        rows.push(("of another port", of(method, "Location: http://test:81@/other", "stored")));
        rows.push((
            "of the port that the scheme means",
            of(method, "Location: http://test:80@/other", "asked"),
        ));
        rows.push(("of another scheme", of(method, "Location: https://test@/other", "stored")));
        rows.push(("another path", of(method, "Location: @/third", "stored")));
    }
    rows.push((
        "relative",
        format!("? GET @/other\n{FRESH}\n> asked\n? POST @/here\n! 200 | Location: other\n> asked\n? GET @/other\n> asked"),
    ));
    play("", rows);
}

#[test]
fn rfc9110_9_3_3_answers_to_unsafe_methods_are_not_stored() {
    let rows: Rows = vec![
        ("POST", format!("? POST\n{FRESH}\n> asked\n? GET\n> asked")),
        ("POST twice", format!("? POST\n{FRESH}\n> asked\n? POST\n> asked")),
        ("OPTIONS", format!("? OPTIONS\n{FRESH}\n> asked\n? OPTIONS\n> asked")),
    ];
    play("", rows);
}

#[test]
fn rfc9110_9_3_2_head_is_answered_by_a_stored_get_and_not_the_other_way_round() {
    let rows: Rows = vec![
        ("after GET", format!("? GET\n{FRESH}\n> asked\n? HEAD\n> stored | Content-Length: 6 | =")),
        ("before GET", format!("? HEAD\n{FRESH}\n> asked | asks by HEAD\n? GET\n> asked | =body 2")),
    ];
    play("", rows);
    let rows: Rows = vec![(
        "asked for as a GET",
        format!("? HEAD\n{FRESH}\n> asked | asks by GET | =\n? GET\n> stored | =body 1"),
    )];
    play(", convert_head: true", rows);
}

#[test]
fn rfc9111_4_3_5_head_updates_what_is_stored() {
    let of = |stored: &str, head: &str, status: u16, end: &str| {
        format!(
            "? GET\n! 200 | Cache-Control: max-age=0 | {stored}\n> asked\n\
             ? HEAD\n! {status} | {head}\n> {status} | asked | asks by HEAD\n? GET\n> {end}"
        )
    };
    let long = "Cache-Control: max-age=60";
    let rows: Rows = vec![
        (
            "lifetime and fields",
            of(
                "ETag: \"a\" | A: 1 | B: 1",
                &format!("{long} | ETag: \"a\" | A: 2"),
                200,
                "stored | A: 2 | B: 1",
            ),
        ),
        ("without a validator", of("A: 1", &format!("{long} | A: 2"), 200, "asked")),
        (
            "another tag",
            of(
                "ETag: \"a\" | A: 1",
                &format!("{long} | ETag: \"b\" | A: 2"),
                200,
                "asked | asks without If-None-Match",
            ),
        ),
        (
            "another status",
            of("ETag: \"a\" | A: 1", &format!("{long} | A: 2"), 410, "asks If-None-Match: \"a\""),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_2_the_query_belongs_to_the_key() {
    let rows: Rows = vec![
        ("another", format!("? GET ?a=1\n{FRESH}\n> asked\n? GET ?a=2\n> asked")),
        ("the same", format!("? GET ?a=1\n{FRESH}\n> asked\n? GET ?a=1\n> stored")),
        ("none", format!("? GET ?a=1\n{FRESH}\n> asked\n? GET\n> asked")),
        ("another order", format!("? GET ?a=1&b=2\n{FRESH}\n> asked\n? GET ?b=2&a=1\n> asked")),
    ];
    play("", rows);
    let rows: Rows = vec![
        ("another order", format!("? GET ?a=1&b=2\n{FRESH}\n> asked\n? GET ?b=2&a=1\n> stored")),
        ("what does not count", format!("? GET ?a=1\n{FRESH}\n> asked\n? GET ?a=1&utm_x=2\n> stored")),
    ];
    play(", key: { query: { sort: true, deny: [\"utm_*\"] } }", rows);
}
