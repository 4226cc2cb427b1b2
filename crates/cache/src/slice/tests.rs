use super::*;
use crate::testing::{request, response};

#[test]
fn the_first_slice_is_where_the_range_begins() {
    for (fields, expected) in [
        ("", 0..10),
        ("Range: bytes=0-4", 0..10),
        ("Range: bytes=9-", 0..10),
        ("Range: bytes=10-", 10..20),
        ("Range: bytes=25-99", 20..30),
        ("Range: bytes=-1", 0..10),
        ("Range: bytes=20-21,30-31", 0..10),
        ("Range: bytes=25-\nIf-Range: \"a\"", 0..10),
    ] {
        assert_eq!(first_slice(&request("GET", fields), 10), expected, "{fields}");
    }
}

#[test]
fn rfc9111_3_4_only_slices_of_one_version_are_put_together() {
    let of = |fields: &str, slice: Range<u64>| Version::of(&response(206, fields), &slice);
    let first = of("Content-Range: bytes 0-9/25\nETag: \"a\"", 0..10).unwrap();
    for (fields, slice, fits) in [
        ("Content-Range: bytes 10-19/25\nETag: \"a\"", 10..20, true),
        ("Content-Range: bytes 20-24/25\nETag: \"a\"\nLast-Modified: x", 20..30, true),
        ("Content-Range: bytes 10-19/25\nETag: \"b\"", 10..20, false),
        ("Content-Range: bytes 10-19/26\nETag: \"a\"", 10..20, false),
        ("Content-Range: bytes 10-19/25", 10..20, false),
    ] {
        assert_eq!(of(fields, slice).is_some_and(|other| other.is_of(&first)), fits, "{fields}");
    }
    for (fields, slice) in
        [("Content-Range: bytes 0-8/25", 0..10), ("Content-Range: bytes 1-10/25", 0..10), ("", 0..10)]
    {
        assert_eq!(of(fields, slice), None, "{fields}");
    }
    assert_eq!(Version::of(&response(200, "Content-Range: bytes 0-9/25"), &(0..10)), None);
}
