//! Fields that are meant for caches like this one (RFC 9213).

use super::super::script::{Rows, not_reused, play, reused};

#[test]
fn rfc9213_2_2_cdn_cache_control_goes_before_cache_control_and_expires() {
    let rows: Rows = vec![
        ("alone", reused("CDN-Cache-Control: max-age=60")),
        ("2^31", reused("CDN-Cache-Control: max-age=2147483648")),
        ("more", reused("CDN-Cache-Control: max-age=99999999999")),
        ("older than that", not_reused("Date: {0} | CDN-Cache-Control: max-age=3600 | Age: 7200")),
        ("0", not_reused("CDN-Cache-Control: max-age=0")),
        ("0 and Expires", not_reused("Date: {0} | CDN-Cache-Control: max-age=0 | Expires: {60}")),
        ("an extension", reused("CDN-Cache-Control: foobar, max-age=60")),
        ("Expires past", reused("Date: {0} | CDN-Cache-Control: max-age=60 | Expires: {-60}")),
        ("Expires that is none", reused("Date: {0} | CDN-Cache-Control: max-age=60 | Expires: 0")),
        ("longer", reused("Cache-Control: max-age=0 | CDN-Cache-Control: max-age=60")),
        ("shorter", not_reused("Cache-Control: max-age=60 | CDN-Cache-Control: max-age=0")),
        ("private", not_reused("CDN-Cache-Control: private | Cache-Control: max-age=60 | Expires: {60}")),
        ("no-cache", not_reused("CDN-Cache-Control: no-cache | Cache-Control: max-age=60")),
        ("no-store", not_reused("CDN-Cache-Control: no-store | Cache-Control: max-age=60")),
        ("against no-store", reused("Cache-Control: no-store | CDN-Cache-Control: max-age=60")),
        ("in two lines", reused("CDN-Cache-Control: foo | CDN-Cache-Control: max-age=60")),
    ];
    play("", rows);
}

#[test]
fn rfc9213_2_1_one_that_is_no_dictionary_counts_for_nothing() {
    let rows: Rows = vec![
        ("unknown signs", not_reused("Cache-Control: no-store | CDN-Cache-Control: max-age=60, &&&&&")),
        ("another type", not_reused("Cache-Control: no-store | CDN-Cache-Control: max-age=\"60\"")),
        ("space before =", not_reused("Cache-Control: max-age=0 | CDN-Cache-Control: max-age =60")),
        ("space behind =", not_reused("Cache-Control: max-age=0 | CDN-Cache-Control: max-age= 60")),
        ("empty", reused("Cache-Control: max-age=60 | CDN-Cache-Control:")),
    ];
    play("", rows);
}

#[test]
fn rfc9213_3_1_cdn_cache_control_goes_on_to_the_next_cache() {
    let rows: Rows = vec![(
        "with the age that belongs to it",
        "? GET\n! 200 | Cache-Control: max-age=1 | CDN-Cache-Control: max-age=600 | Age: 60\n\
         > asked | CDN-Cache-Control: max-age=600\n\
         ? GET\n> stored | CDN-Cache-Control: max-age=600 | Cache-Control: max-age=1 | old 60"
            .to_owned(),
    )];
    play("", rows);
}

#[test]
fn edge_architecture_2_3_surrogate_control_is_read_and_goes_no_further() {
    let rows: Rows = vec![
        ("alone", reused("Surrogate-Control: max-age=60")),
        ("0", not_reused("Surrogate-Control: max-age=0 | Expires: {60} | Date: {0}")),
        ("older than that", not_reused("Date: {0} | Surrogate-Control: max-age=3600 | Age: 7200")),
        ("no-store", not_reused("Surrogate-Control: no-store | Cache-Control: max-age=60")),
        ("against no-store", reused("Cache-Control: no-store | Surrogate-Control: max-age=60")),
        (
            "with leave to be stale",
            "? GET\n! 200 | Surrogate-Control: max-age=60+60 | Age: 90\n> asked\n? GET\n> =body 1".to_owned(),
        ),
        (
            "goes no further",
            "? GET\n! 200 | Surrogate-Control: max-age=60\n> no Surrogate-Control\n? GET\n> stored | no Surrogate-Control"
                .to_owned(),
        ),
        (
            "one for somebody else",
            not_reused("Cache-Control: max-age=0 | Surrogate-Control: max-age=60;not-for-you"),
        ),
    ];
    play("", rows);
}

#[test]
fn rfc9213_2_3_which_fields_are_read_is_said_in_the_configuration() {
    play(
        ", targets: [\"Edge-Control\"]",
        vec![
            ("ours", reused("Cache-Control: no-store | Edge-Control: max-age=60")),
            ("no more", not_reused("Cache-Control: max-age=0 | CDN-Cache-Control: max-age=60")),
        ],
    );
}
