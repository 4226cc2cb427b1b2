//! Which stored answer is for which request (RFC 9111 4.1).

use super::super::script::{Rows, play};
use super::super::support::{answering, cached_in, metric, status};

/// A request with these fields, an answer that varies so, and another request.
fn of(first: &str, vary: &str, second: &str, end: &str) -> String {
    format!("? GET | {first}\n! 200 | Cache-Control: max-age=60 | {vary}\n> asked\n? GET | {second}\n> {end}")
}

#[test]
fn rfc9111_4_1_the_fields_that_vary_names_must_match() {
    let rows: Rows = vec![
        ("the same", of("Foo: 1", "Vary: Foo", "Foo: 1", "stored")),
        ("another value", of("Foo: 1", "Vary: Foo", "Foo: 2", "asked")),
        ("no field, then one", of("Bar: 1", "Vary: Foo", "Foo: 1", "asked")),
        ("one, then none", of("Foo: 1", "Vary: Foo", "Bar: 1", "asked")),
        ("none and an empty one", of("Bar: 1", "Vary: Foo", "Foo:", "asked")),
        ("none both times", of("Bar: 1", "Vary: Foo", "Bar: 2", "stored")),
        ("others do not count", of("Foo: 1 | Other: 2", "Vary: Foo", "Foo: 1 | Other: 3", "stored")),
        ("names in any case", of("FOO: 1", "Vary: foo", "fOO: 1", "stored")),
        ("values in their case", of("Foo: a", "Vary: Foo", "Foo: A", "asked")),
        ("two", of("Foo: 1 | Bar: a", "Vary: Foo, Bar", "Foo: 1 | Bar: a", "stored")),
        ("two, one other", of("Foo: 1 | Bar: a", "Vary: Foo, Bar", "Foo: 2 | Bar: a", "asked")),
        ("two, none", of("Foo: 1", "Vary: Foo, Bar", "Baz: 1", "asked")),
        ("two lines", of("Foo: 1 | Bar: a", "Vary: Foo | Vary: Bar", "Foo: 1 | Bar: b", "asked")),
        (
            "three, one other",
            of("Foo: 1 | Bar: abc4 | Baz: 7", "Vary: Foo, Bar, Baz", "Foo: 1 | Bar: abc | Baz: 7", "asked"),
        ),
        ("three, one never", of("Foo: 1 | Baz: 7", "Vary: Foo, Bar, Baz", "Foo: 1 | Baz: 7", "stored")),
        (
            "three, in another order",
            of("Foo: 1 | Bar: a | Baz: 7", "Vary: Foo, Bar, Baz", "Baz: 7 | Foo: 1 | Bar: a", "stored"),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_4_1_variants_are_stored_beside_each_other_and_the_newest_goes_first() {
    let rows: Rows = vec![
        (
            "two",
            "? GET | Foo: 1\n! 200 | Cache-Control: max-age=60 | Vary: Foo\n> asked\n\
             ? GET | Foo: 2\n! 200 | Cache-Control: max-age=60 | Vary: Foo\n> asked | =body 2\n\
             ? GET | Foo: 1\n> stored | =body 1\n? GET | Foo: 2\n> stored | =body 2"
                .to_owned(),
        ),
        (
            "one that varies no more",
            "? GET | Foo: 1\n! 200 | Cache-Control: max-age=60 | Vary: Foo\n> asked\n\
             ? GET | Foo: 2\n! 200 | Cache-Control: max-age=60\n> asked | =body 2\n\
             ? GET | Foo: 1\n> stored | =body 2\n? GET | Foo: 3\n> stored | =body 2"
                .to_owned(),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_4_1_requests_that_mean_the_same_select_the_same() {
    let rows: Rows = vec![
        ("blanks", of("Foo: 1,2", "Vary: Foo", "Foo:  1, 2 ", "stored")),
        ("lines", of("Foo: 1, 2", "Vary: Foo", "Foo: 1 | Foo: 2", "stored")),
        ("order of any field", of("Foo: 1, 2", "Vary: Foo", "Foo: 2, 1", "asked")),
        (
            "order of languages",
            of("Accept-Language: en, de", "Vary: Accept-Language", "Accept-Language: de, en", "stored"),
        ),
        (
            "their case",
            of("Accept-Language: en, de", "Vary: Accept-Language", "Accept-Language: EN, De", "stored"),
        ),
        (
            "other languages",
            of("Accept-Language: en, de", "Vary: Accept-Language", "Accept-Language: en, fr", "asked"),
        ),
        (
            "codings",
            of("Accept-Encoding: gzip, br", "Vary: Accept-Encoding", "Accept-Encoding: br,gzip", "stored"),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9111_4_1_a_star_matches_nothing() {
    let star = |vary: &str| of("Foo: 1", vary, "Foo: 1", "asked");
    let rows: Rows = vec![
        ("*", star("Vary: *")),
        ("*, *", star("Vary: *, *")),
        ("two lines", star("Vary: * | Vary: *")),
        (", *", star("Vary: , *")),
        ("an empty line before", star("Vary: | Vary: *")),
        ("*, Foo", star("Vary: *, Foo")),
        ("Foo, *", star("Vary: Foo, *")),
        ("a field of that name", of("*: 1", "Vary: *", "*: 1", "asked")),
    ];
    play("", rows);
}

#[test]
fn rfc9111_4_1_of_too_many_variants_the_longest_unused_goes() {
    let origin = answering("Cache-Control: max-age=60\r\nVary: Foo\r\n");
    let proxy = cached_in(origin.addr(), "{ variants: 2 }", "").start();
    let ask = |value: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: test\r\nFoo: {value}\r\n\r\n");
        status(&proxy.client().ask(&request)).to_owned()
    };
    assert_eq!([ask("1"), ask("2"), ask("3")], ["MISS", "MISS", "MISS"]);
    assert_eq!(metric(&proxy, "bifrons_cache_entries{zone=\"main\"}"), 2);
    assert_eq!(ask("3"), "HIT");
}

#[test]
fn rfc9111_4_1_what_varies_by_too_many_fields_is_not_stored() {
    let many: Vec<String> = (0..17).map(|at| format!("F{at}")).collect();
    let rows: Rows =
        vec![("17 fields", of("F1: 1", &format!("Vary: {}", many.join(", ")), "F1: 1", "asked"))];
    play("", rows);
}
