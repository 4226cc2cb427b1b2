use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(len: u64, table: &[(&str, Asked)]) {
    for (value, expected) in table {
        assert_eq!(asked(value.as_bytes(), len, u32::MAX), *expected, "{value} of {len}");
    }
}

#[test]
fn single_ranges_are_parts() {
    check(
        10,
        &[
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=0-4", Asked::Part(0..5)),
            ("bytes=9-9", Asked::Part(9..10)),
            ("bytes=9-10", Asked::Part(9..10)),
            ("bytes=0-", Asked::Part(0..10)),
            ("bytes=9-", Asked::Part(9..10)),
            ("bytes=-1", Asked::Part(9..10)),
            ("bytes=-10", Asked::Part(0..10)),
            ("bytes=-11", Asked::Part(0..10)),
            ("bytes=2-18446744073709551615", Asked::Part(2..10)),
            ("bytes=2-99999999999999999999999", Asked::Part(2..10)),
            ("bytes=-99999999999999999999999", Asked::Part(0..10)),
            ("BYTES= ,0-4 , ", Asked::Part(0..5)),
        ],
    );
}

#[test]
fn bytes_that_are_not_there_are_unsatisfiable() {
    for value in ["bytes=10-", "bytes=10-11", "bytes=99999999999999999999999-", "bytes=-0", "bytes=10-,11-"] {
        check(10, &[(value, Asked::Unsatisfiable)]);
    }
}

#[test]
fn what_is_malformed_is_unsatisfiable_as_in_nginx() {
    for value in [
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=5-4",
        "bytes=+1-2",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=0x1-2",
        "bytes=0-1,x",
        "bytes=x,0-1",
        "bytes=1 2-3",
    ] {
        check(10, &[(value, Asked::Unsatisfiable)]);
    }
}

#[test]
fn another_unit_is_passed_over() {
    for value in ["", "bytes", "bytes=", "bytes 0-1", "lines=0-1", "bytes =0-1"] {
        check(10, &[(value, Asked::Whole)]);
    }
}

#[test]
fn several_ranges_are_parts_in_their_order() {
    check(
        10,
        &[
            ("bytes=0-1,3-4", Asked::Parts(vec![0..2, 3..5])),
            ("bytes=3-4, 0-1", Asked::Parts(vec![3..5, 0..2])),
            ("bytes=0-1,-2", Asked::Parts(vec![0..2, 8..10])),
            ("bytes=0-1,0-1", Asked::Parts(vec![0..2, 0..2])),
            ("bytes=0-4,5-", Asked::Parts(vec![0..5, 5..10])),
            ("bytes=0-1,,3-3,", Asked::Parts(vec![0..2, 3..4])),
            ("bytes=0-1,99-", Asked::Part(0..2)),
            ("bytes=99-,0-1", Asked::Part(0..2)),
            ("bytes=5-4,0-1", Asked::Part(0..2)),
        ],
    );
}

#[test]
fn more_than_the_file_or_than_allowed_is_the_file() {
    check(
        10,
        &[("bytes=0-8,1-9", Asked::Whole), ("bytes=0-,0-", Asked::Whole), ("bytes=0-4,5-9,9-", Asked::Whole)],
    );
    assert_eq!(asked(b"bytes=0-0,2-2", 10, 2), Asked::Parts(vec![0..1, 2..3]));
    assert_eq!(asked(b"bytes=0-0,2-2", 10, 1), Asked::Whole);
    assert_eq!(asked(b"bytes=0-0,99-", 10, 1), Asked::Part(0..1));
}

#[test]
fn an_empty_file_has_no_parts() {
    for value in ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"] {
        check(0, &[(value, Asked::Whole)]);
    }
    check(0, &[("bytes=5-", Asked::Unsatisfiable)]);
}

proptest! {
    #[test]
    fn a_part_lies_within_the_file(value in "(bytes=)?[-0-9,]{0,30}a?", len: u64) {
        let parts = match asked(value.as_bytes(), len, 3) {
            Asked::Part(part) => vec![part],
            Asked::Parts(parts) => parts,
            Asked::Whole | Asked::Unsatisfiable => Vec::new(),
        };
        prop_assert!(parts.len() <= 3 && parts.iter().map(|part| part.end - part.start).sum::<u64>() <= len);
        for part in parts {
            prop_assert!(part.start < part.end && part.end <= len);
        }
    }

    #[test]
    fn any_bytes_are_read(value: Vec<u8>, len: u64) {
        asked(&value, len, 7);
    }

    #[test]
    fn what_is_written_is_read(first: u64, last: u64, len: u64) {
        let expected = match first {
            0 if len == 0 => Asked::Whole,
            _ if first >= len || first > last => Asked::Unsatisfiable,
            _ => Asked::Part(first..last.saturating_add(1).min(len)),
        };
        prop_assert_eq!(asked(format!("bytes={first}-{last}").as_bytes(), len, 1), expected);
    }

    #[test]
    fn a_suffix_is_the_end(count in 1u64.., len in 1u64..) {
        let value = format!("bytes=-{count}");
        prop_assert_eq!(asked(value.as_bytes(), len, 1), Asked::Part(len - count.min(len)..len));
    }
}

#[test]
fn content_ranges_are_read_strictly() {
    for (value, expected) in [
        ("bytes 0-9/100", Some((0..10, 100))),
        ("bytes 90-99/100", Some((90..100, 100))),
        ("Bytes 0-0/1", Some((0..1, 1))),
        ("bytes 0-100/100", None),
        ("bytes 5-4/100", None),
        ("bytes 0-9/*", None),
        ("bytes */100", None),
        ("bytes +0-9/100", None),
        ("bytes 0-18446744073709551616/100", None),
        ("items 0-9/100", None),
        ("bytes 0-9", None),
        ("", None),
    ] {
        assert_eq!(parse_content_range(value.as_bytes()), expected, "{value}");
    }
    assert_eq!(content_range(Some(&(2..5)), 10), b"bytes 2-4/10");
    assert_eq!(content_range(None, 10), b"bytes */10");
}
