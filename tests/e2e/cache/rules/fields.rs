//! What may be stored, and what of it (RFC 9111 3).

use super::super::script::{not_reused, play, reused};

#[test]
fn rfc9111_3_a_status_that_says_how_long_it_is_good_for_is_stored_whatever_it_is() {
    let statuses = [
        ("200", 200),
        ("203", 203),
        ("204", 204),
        ("299", 299),
        ("301", 301),
        ("302", 302),
        ("303", 303),
        ("307", 307),
        ("308", 308),
        ("400", 400),
        ("404", 404),
        ("410", 410),
        ("499", 499),
        ("500", 500),
        ("502", 502),
        ("503", 503),
        ("504", 504),
        ("599", 599),
    ];
    let of = |status: u16, fields: &str, end: &str| {
        format!("? GET\n! {status} | {fields}\n> {status} | asked\n? GET\n! {status}\n> {status} | {end}")
    };
    play("", statuses.map(|(name, status)| (name, of(status, "Cache-Control: max-age=60", "stored"))).into());
    let stale = "Date: {0} | Last-Modified: {-100000} | Expires: {-5000}";
    play("", statuses.map(|(name, status)| (name, of(status, stale, "asked"))).into());
}

#[test]
fn rfc9111_5_2_2_5_no_store_is_not_stored() {
    play(
        "",
        vec![
            ("alone", not_reused("Cache-Control: no-store")),
            ("in any case", not_reused("Cache-Control: No-StOrE, max-age=60")),
            (
                "with a lifetime",
                not_reused("Date: {0} | Cache-Control: max-age=60, no-store | Expires: {60}"),
            ),
            (
                "and takes nothing stored away",
                "? GET\n! 200 | Cache-Control: max-age=60\n> asked\n\
                 ? GET | Cache-Control: no-cache\n! 200 | Cache-Control: no-store\n> asked\n\
                 ? GET\n> stored | =body 1"
                    .to_owned(),
            ),
        ],
    );
}

#[test]
fn rfc9111_5_2_2_7_private_is_not_stored_or_only_without_the_fields_it_names() {
    play(
        "",
        vec![
            ("all of it", not_reused("Cache-Control: private, max-age=60")),
            (
                "fields",
                "? GET\n! 200 | Cache-Control: max-age=60, private=\"a, B\" | a: 1 | b: 2 | c: 3\n> asked | a: 1\n\
                 ? GET\n> stored | no a | no b | c: 3"
                    .to_owned(),
            ),
        ],
    );
}

#[test]
fn rfc9111_5_2_2_4_no_cache_is_stored_and_asked_for_each_time() {
    play(
        "",
        vec![
            ("without a validator", not_reused("Cache-Control: no-cache, max-age=60")),
            ("in any case", not_reused("Cache-Control: No-CaChE, max-age=60")),
            (
                "with one",
                "? GET\n! 200 | Cache-Control: no-cache | ETag: \"a\"\n> asked\n\
                 ? GET\n! 304 | ETag: \"a\"\n> asks If-None-Match: \"a\" | =body 1"
                    .to_owned(),
            ),
            (
                "with one and a lifetime",
                "? GET\n! 200 | Cache-Control: max-age=60, no-cache | ETag: \"a\"\n> asked\n\
                 ? GET\n! 304 | ETag: \"a\"\n> asks If-None-Match: \"a\" | =body 1"
                    .to_owned(),
            ),
            (
                "a field",
                "? GET\n! 200 | Cache-Control: no-cache=\"a\", max-age=60 | a: 1 | b: 2\n> asked\n\
                 ? GET\n> stored | no a | b: 2"
                    .to_owned(),
            ),
            (
                "several fields, two lines",
                "? GET\n! 200 | Cache-Control: no-cache=\"a, b\" | a: 1 | b: 2 | c: 3 | Cache-Control: max-age=60\n\
                 > asked\n? GET\n> stored | no a | no b | c: 3"
                    .to_owned(),
            ),
        ],
    );
}

#[test]
fn rfc9111_5_2_2_3_must_understand_goes_by_the_status() {
    let of = |status: u16, end: &str| {
        format!(
            "? GET\n! {status} | Cache-Control: max-age=60, no-store, must-understand\n> {status} | asked\n\
             ? GET\n! {status}\n> {status} | {end}"
        )
    };
    let alone = "? GET\n! 599 | Cache-Control: max-age=60, must-understand\n> 599 | asked\n\
                 ? GET\n! 599\n> 599 | asked";
    play(
        "",
        vec![
            ("known", of(200, "stored")),
            ("known, an error", of(404, "stored")),
            ("unknown", of(599, "asked")),
            ("unknown, without no-store", alone.to_owned()),
        ],
    );
}

#[test]
fn rfc9111_3_5_what_answers_credentials_is_stored_only_where_it_says_so() {
    let of = |control: &str, end: &str| {
        format!(
            "? GET | Authorization: Basic eA==\n! 200 | Cache-Control: {control}\n\
             > asks Authorization: Basic eA==\n? GET\n> {end}"
        )
    };
    play(
        "",
        vec![
            ("max-age", of("max-age=60", "asked")),
            (
                "Expires",
                "? GET | Authorization: x\n! 200 | Expires: {60}\n> asked\n? GET\n> asked".to_owned(),
            ),
            ("public", of("max-age=60, public", "stored")),
            ("must-revalidate", of("max-age=60, must-revalidate", "stored")),
            ("s-maxage", of("s-maxage=60", "stored")),
            (
                "and gets what is stored of one without",
                "? GET\n! 200 | Cache-Control: max-age=60\n> asked\n? GET | Authorization: x\n> stored"
                    .to_owned(),
            ),
        ],
    );
}

#[test]
fn rfc9111_3_1_fields_of_one_connection_are_not_stored() {
    let of = |fields: &str, end: &str| {
        format!("? GET\n! 200 | Cache-Control: max-age=60 | {fields}\n> asked\n? GET\n> stored | {end}")
    };
    play(
        "",
        vec![
            ("those Connection names", of("Connection: a, b | a: 1 | b: 2 | c: 3", "no a | no b | c: 3")),
            ("Keep-Alive", of("Keep-Alive: timeout=5", "no Keep-Alive")),
            ("Proxy-Authenticate", of("Proxy-Authenticate: Basic", "no Proxy-Authenticate")),
            ("Proxy-Authentication-Info", of("Proxy-Authentication-Info: a", "no Proxy-Authentication-Info")),
            ("Proxy-Authorization", of("Proxy-Authorization: a", "no Proxy-Authorization")),
            ("Proxy-Connection", of("Proxy-Connection: a", "no Proxy-Connection")),
            ("TE", of("TE: trailers", "no TE")),
            ("Upgrade", of("Upgrade: a", "no Upgrade")),
        ],
    );
}

#[test]
fn rfc9111_3_1_all_other_fields_are() {
    let of = |field: &str| {
        format!(
            "? GET\n! 200 | Cache-Control: max-age=60 | {field}\n> asked | {field}\n? GET\n> stored | {field}"
        )
    };
    let fields = [
        "Test-Header: a",
        "X-Test-Header: a",
        "Content-Foo: a",
        "Content-Encoding: unknown",
        "Content-Location: /bar",
        "Content-MD5: N7UdGUp1E+RbVvZSTy1R8g==",
        "Content-Range: a",
        "Content-Security-Policy: default-src 'self'",
        "Content-Type: text/plain;charset=utf-8",
        "Clear-Site-Data: cookies",
        "ETag: \"ghijkl\"",
        "Expires: Mon, 11 Jan 2038 11:11:11 GMT",
        "Public-Key-Pins: a",
        "Set-Cookie2: a=c",
        "Strict-Transport-Security: max-age=1",
        "WWW-Authenticate: Basic",
        "X-Frame-Options: sameorigin",
        "X-XSS-Protection: 1; mode=block",
        "Content-Disposition: attachment; filename=example.txt",
    ];
    play("", fields.map(|field| (field, of(field))).into());
    play(", set_cookie: true", vec![("Set-Cookie", of("Set-Cookie: a=c"))]);
}

#[test]
fn rfc9111_7_3_a_cookie_is_stored_only_where_one_is_told_to() {
    let cookie = "Cache-Control: max-age=60 | Set-Cookie: a=b";
    play(
        "",
        vec![
            ("set", not_reused(cookie)),
            (
                "named by no-cache",
                reused("Cache-Control: max-age=60, no-cache=\"Set-Cookie\" | Set-Cookie: a=b"),
            ),
            (
                "of the request",
                "? GET\n! 200 | Cache-Control: max-age=60\n> asked\n? GET | Cookie: a=b\n> stored".to_owned(),
            ),
        ],
    );
    play(", set_cookie: true", vec![("told to", reused(cookie))]);
}

#[test]
fn rfc9110_15_2_interim_answers_pass_and_the_last_is_stored() {
    let of = |interim: &str, after: &str| {
        format!(
            "? GET\n! {interim}\n! 200 | Cache-Control: max-age=60\n> asked | after {after}\n\
             ? GET\n> stored | =body 1"
        )
    };
    play(
        "",
        vec![
            ("102", of("102", "102")),
            ("103", of("103 | Link: </a.css>; rel=preload", "103")),
            ("both", of("102\n! 103 | Link: </a.css>", "102 103")),
        ],
    );
}
