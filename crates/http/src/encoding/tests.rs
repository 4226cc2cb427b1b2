use super::Encoding::{Brotli, Gzip, Zstd};
use super::*;

/// What a client gets that sends this one field.
fn got(accept: &str) -> Option<Encoding> {
    negotiate([accept.as_bytes()].into_iter(), &[Zstd, Brotli, Gzip])
}

#[test]
fn the_greatest_weight_wins_and_among_equals_the_first_offered() {
    assert_eq!(got("gzip"), Some(Gzip));
    assert_eq!(got("gzip, deflate, br, zstd"), Some(Zstd));
    assert_eq!(got("gzip, br;q=0.9"), Some(Gzip));
    assert_eq!(got("gzip;q=0.5, br;q=0.501"), Some(Brotli));
    assert_eq!(got("GZip ; Q=1.000"), Some(Gzip));
    assert_eq!(got("x-gzip"), Some(Gzip));
    assert_eq!(got("br;q=0, gzip;q=0.001"), Some(Gzip));
}

#[test]
fn a_star_is_every_coding_that_is_not_named() {
    assert_eq!(got("*"), Some(Zstd));
    assert_eq!(got("zstd;q=0, *"), Some(Brotli));
    assert_eq!(got("gzip, *;q=0"), Some(Gzip));
    assert_eq!(got("*;q=0"), None);
    assert_eq!(got("*;q=0.5, br"), Some(Brotli));
}

#[test]
fn what_is_preferred_plain_is_not_coded() {
    assert_eq!(got("identity"), None);
    assert_eq!(got("identity, gzip;q=0.5"), None);
    assert_eq!(got("identity;q=0.5, gzip"), Some(Gzip));
    assert_eq!(got("identity, gzip"), Some(Gzip));
    assert_eq!(got("identity;q=0, gzip;q=0.1"), Some(Gzip));
    // Nothing is refused for that: a plain answer is better than none (RFC 9110 12.5.3).
    assert_eq!(got("identity;q=0"), None);
}

#[test]
fn what_is_malformed_is_not_accepted() {
    for wrong in ["", ",", "gzip;q=", "gzip;q=2", "gzip;q=1.001", "gzip;q=0.0001", "gzip;q=-1", "gzip;q=x"] {
        assert_eq!(got(wrong), None, "{wrong}");
    }
    assert_eq!(got("gzipx, xgzip, gzip-x"), None);
    assert_eq!(got("gzip;q=0.;x=1, br;q=1."), Some(Brotli));
}

#[test]
fn fields_are_one_list() {
    let fields = [&b"identity;q=0.1"[..], b"br;q=0.2, gzip;q=0.3"];
    assert_eq!(negotiate(fields.into_iter(), &[Brotli, Gzip]), Some(Gzip));
    assert_eq!(negotiate([].into_iter(), &[Gzip]), None);
    assert_eq!(negotiate(fields.into_iter(), &[]), None);
}

#[test]
fn by_name_weights_and_stars_do_not_count() {
    let got = |accept: &str| named(Some(accept.as_bytes()), &[Brotli, Gzip]);
    assert_eq!(got("gzip"), Some(Gzip));
    assert_eq!(got("gzip, br;q=0.1"), Some(Brotli));
    assert_eq!(got("identity, gzip;q=0.1"), Some(Gzip));
    assert_eq!(got("gzip;"), Some(Gzip));
    assert_eq!(got("deflate,gzip ; q=0.001"), Some(Gzip));
    for none in ["*", "x-gzip", "gzip;q=0", "gzip;q=0.000", "gzip;x=1", "gzip;q=0.5;x=1", "gzip;q=7", ""] {
        assert_eq!(got(none), None, "{none}");
    }
    assert_eq!(named(None, &[Gzip]), None);
}

#[test]
fn names_are_found_whatever_their_case() {
    for encoding in Encoding::ALL {
        assert_eq!(Encoding::named(encoding.name().to_uppercase().as_bytes()), Some(encoding));
    }
    assert_eq!(Encoding::named(b"deflate"), None);
}
