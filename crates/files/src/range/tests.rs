use super::*;
use proptest::prelude::*;

#[track_caller]
fn check(len: u64, table: &[(&str, Asked)]) {
    for (value, expected) in table {
        assert_eq!(asked(value.as_bytes(), len), *expected, "{value} of {len}");
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
    for value in ["bytes=10-", "bytes=10-11", "bytes=99999999999999999999999-", "bytes=-0"] {
        check(10, &[(value, Asked::Unsatisfiable)]);
    }
}

#[test]
fn what_is_malformed_or_several_or_of_another_unit_is_passed_over() {
    for value in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=5-4",
        "bytes=+1-2",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=1 - 2",
        "bytes=0x1-2",
        "bytes 0-1",
        "lines=0-1",
        "bytes=0-1,3-4",
        "bytes=0-1,x",
    ] {
        check(10, &[(value, Asked::Whole)]);
    }
}

#[test]
fn an_empty_file_has_no_parts() {
    for value in ["bytes=0-", "bytes=0-0", "bytes=5-", "bytes=-1", "bytes=-0"] {
        check(0, &[(value, Asked::Whole)]);
    }
}

proptest! {
    #[test]
    fn a_part_lies_within_the_file(value in "(bytes=)?[-0-9, a]{0,30}", len: u64) {
        if let Asked::Part(part) = asked(value.as_bytes(), len) {
            prop_assert!(part.start < part.end && part.end <= len);
        }
    }

    #[test]
    fn any_bytes_are_read(value: Vec<u8>, len: u64) {
        asked(&value, len);
    }

    #[test]
    fn what_is_written_is_read(first: u64, last: u64, len: u64) {
        let expected = match first {
            _ if len == 0 || first > last => Asked::Whole,
            _ if first >= len => Asked::Unsatisfiable,
            _ => Asked::Part(first..last.saturating_add(1).min(len)),
        };
        prop_assert_eq!(asked(format!("bytes={first}-{last}").as_bytes(), len), expected);
    }

    #[test]
    fn a_suffix_is_the_end(count in 1u64.., len in 1u64..) {
        let value = format!("bytes=-{count}");
        prop_assert_eq!(asked(value.as_bytes(), len), Asked::Part(len - count.min(len)..len));
    }
}
