use super::*;
use crate::testing::{fields, response};
use proptest::prelude::*;

const NOW: u64 = 1_000_000;

fn stored(lifetime_s: u64, initial_age_s: u64) -> Stored {
    let times = Times { received_s: NOW, initial_age_s, lifetime_s, ..Times::default() };
    Stored { head: response(200, "ETag: \"a\""), times, terms: Terms::default() }
}

fn asked(value: &str) -> Directives {
    Directives::of(&fields(&format!("Cache-Control: {value}")))
}

fn verdict(stored: &Stored, request: &str, after_s: u64) -> Verdict {
    stored.verdict(&asked(request), false, NOW + after_s)
}

#[test]
fn rfc9111_4_2_fresh_until_its_age_is_its_lifetime() {
    let stored = stored(60, 10);
    assert_eq!(verdict(&stored, "", 49), Verdict::Fresh);
    assert_eq!(verdict(&stored, "", 50), Verdict::Stale(0));
    assert_eq!(verdict(&stored, "", 57), Verdict::Stale(7));
    assert_eq!((stored.times.age_s(NOW + 5), stored.times.left_s(NOW + 5)), (15, 45));
    // A clock that was put back makes nothing younger than it came.
    assert_eq!(stored.times.age_s(NOW - 100), 10);
}

#[test]
fn nginx_is_fresh_in_the_second_too_in_which_the_lifetime_ends() {
    let mut stored = stored(60, 0);
    stored.terms.to_the_end = true;
    assert_eq!(verdict(&stored, "", 60), Verdict::Fresh);
    assert_eq!(verdict(&stored, "", 61), Verdict::Stale(1));
    let mut bytes = Vec::new();
    stored.encode(&mut bytes);
    assert_eq!(Stored::decode(&bytes).unwrap().terms, stored.terms);
}

#[test]
fn rfc9111_5_2_2_4_no_cache_is_never_used_unasked() {
    let mut stored = stored(60, 0);
    stored.terms.no_cache = true;
    assert_eq!(verdict(&stored, "max-stale", 1), Verdict::Unusable);
}

#[test]
fn rfc9111_5_2_2_2_must_revalidate_is_never_used_stale() {
    let mut stored = stored(60, 0);
    stored.terms.must_revalidate = true;
    assert_eq!(verdict(&stored, "", 59), Verdict::Fresh);
    assert_eq!(verdict(&stored, "max-stale", 60), Verdict::Unusable);
}

#[test]
fn rfc9111_5_2_1_1_a_request_says_how_old_it_may_be() {
    let stored = stored(60, 0);
    assert_eq!(verdict(&stored, "max-age=10", 10), Verdict::Fresh);
    assert_eq!(verdict(&stored, "max-age=10", 11), Verdict::Unusable);
    assert_eq!(verdict(&stored, "max-age=0", 0), Verdict::Unusable);
}

#[test]
fn rfc9111_5_2_1_2_a_request_takes_stale_ones() {
    let stored = stored(60, 0);
    assert_eq!(verdict(&stored, "max-stale=10", 70), Verdict::Fresh);
    assert_eq!(verdict(&stored, "max-stale=10", 71), Verdict::Stale(11));
    assert_eq!(verdict(&stored, "max-stale", 10_000), Verdict::Fresh);
    assert_eq!(verdict(&stored, "max-stale, max-age=65", 66), Verdict::Stale(6));
}

#[test]
fn rfc9111_5_2_1_3_a_request_says_how_long_it_must_stay_fresh() {
    let stored = stored(60, 0);
    assert_eq!(verdict(&stored, "min-fresh=10", 50), Verdict::Fresh);
    assert_eq!(verdict(&stored, "min-fresh=10", 51), Verdict::Unusable);
}

#[test]
fn rfc9111_5_2_1_4_a_request_with_no_cache_asks_the_origin() {
    assert_eq!(verdict(&stored(60, 0), "no-cache", 0), Verdict::Unusable);
}

#[test]
fn rfc8246_2_1_what_is_immutable_is_not_asked_for_when_a_page_is_loaded_again() {
    let mut stored = stored(60, 0);
    stored.terms.immutable = true;
    assert_eq!(verdict(&stored, "max-age=0", 5), Verdict::Fresh);
    assert_eq!(verdict(&stored, "no-cache", 5), Verdict::Unusable);
    assert_eq!(verdict(&stored, "max-age=0", 60), Verdict::Stale(0));
}

#[test]
fn a_soft_purge_makes_stale() {
    assert_eq!(stored(60, 0).verdict(&Directives::default(), true, NOW), Verdict::Stale(0));
}

#[test]
fn what_was_written_is_read_back() {
    let mut stored = stored(4, 3);
    stored.terms = Terms { must_revalidate: true, heuristic: true, ..Terms::default() };
    let mut bytes = Vec::new();
    stored.encode(&mut bytes);

    let read = Stored::decode(&bytes).expect("it reads");

    assert_eq!((read.times, read.terms, read.head.status), (stored.times, stored.terms, 200));
    assert_eq!(read.head.headers.get("etag"), Some(&b"\"a\""[..]));
    assert!((0..bytes.len()).all(|len| Stored::decode(&bytes[..len]).is_none()));
    bytes.push(0);
    assert!(Stored::decode(&bytes).is_none());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = Stored::decode(&bytes);
    }

    #[test]
    fn no_flipped_byte_panics(at in 0usize..300, with: u8) {
        let mut bytes = Vec::new();
        stored(1, 2).encode(&mut bytes);
        let at = at % bytes.len();
        bytes[at] ^= with;
        let _ = Stored::decode(&bytes);
    }
}
