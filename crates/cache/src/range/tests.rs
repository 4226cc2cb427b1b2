use super::*;
use crate::testing::{request, response};

#[test]
fn rfc9110_14_1_2_ranges_are_answered_from_the_whole() {
    for (value, expected) in [
        ("bytes=0-1", Asked::Part(0..2)),
        ("bytes=1-", Asked::Part(1..10)),
        ("bytes=-1", Asked::Part(9..10)),
        ("bytes=-99", Asked::Part(0..10)),
        ("bytes=5-99", Asked::Part(5..10)),
        ("bytes=9-18446744073709551615", Asked::Part(9..10)),
        ("bytes=10-", Asked::Unsatisfiable),
        ("bytes=0-1,3-4", Asked::Parts(vec![0..2, 3..5])),
        ("bytes=0-1,3-4,6-7,8-8", Asked::Whole),
        ("lines=0-1", Asked::Whole),
    ] {
        for standard in [Standard::Rfc9111, Standard::Nginx] {
            let req = request("GET", &format!("Range: {value}"));
            assert_eq!(asked(&req, 10, (standard, 3)), expected, "{value}");
        }
    }
    for value in ["bytes=3-2", "bytes=a-", "bytes=-", "bytes=0-1,x"] {
        let req = request("GET", &format!("Range: {value}"));
        assert_eq!(asked(&req, 10, (Standard::Rfc9111, 3)), Asked::Whole, "{value}");
    }
    let backwards = request("GET", "Range: bytes=3-2");
    assert_eq!(asked(&backwards, 10, (Standard::Nginx, 3)), Asked::Unsatisfiable);
    assert_eq!(asked(&request("GET", ""), 10, (Standard::Rfc9111, 3)), Asked::Whole);
    assert_eq!(
        asked(&request("GET", "Range: bytes=0-1\nRange: bytes=0-1"), 10, (Standard::Rfc9111, 3)),
        Asked::Whole
    );
}

#[test]
fn rfc9110_15_3_7_a_part_says_which_it_is() {
    let mut head = response(200, "");
    note_part(&mut head, &(2..5), 10);
    assert_eq!((head.status, head.headers.get("content-range")), (206, Some(&b"bytes 2-4/10"[..])));
    note_nothing(&mut head, 10);
    assert_eq!((head.status, head.headers.get("content-range")), (416, Some(&b"bytes */10"[..])));
}
