use super::*;
use crate::testing::{Site, content, field};
use bifrons_http::Body;

#[test]
fn small_files_are_in_hand_and_large_ones_open() {
    let site = Site::new();
    site.write("small", vec![b's'; SMALL_BYTES_MAX as usize]);
    site.write("large", vec![b'l'; SMALL_BYTES_MAX as usize + 1]);

    let (small, large) = (site.get("/small"), site.get("/large"));

    assert!(matches!(small.body, Body::Full(_)));
    assert!(matches!(large.body, Body::File(_)));
    assert_eq!(content(&small), vec![b's'; SMALL_BYTES_MAX as usize]);
    assert_eq!(content(&large), vec![b'l'; SMALL_BYTES_MAX as usize + 1]);
}

#[test]
fn the_length_is_the_one_at_opening() {
    let site = Site::new();
    let len = SMALL_BYTES_MAX as usize * 2;
    site.write("large", vec![b'l'; len]);

    let response = site.get("/large");
    site.write("large", vec![b'x'; len * 2]);

    assert_eq!(response.body.length(), Some(len as u64));
}

#[test]
fn a_file_cut_short_before_it_is_read_has_its_new_length() {
    let site = Site::new();
    site.write("file", "0123456789");
    let file = File::open(site.root().join("file")).unwrap();
    let before = Facts::of(&file.metadata().unwrap());
    site.write("file", "01234");

    let (facts, bytes) = read(&file, before).unwrap();

    assert_eq!((facts.len, bytes.as_ref()), (5, &b"01234"[..]));
}

#[test]
fn a_file_grown_before_it_is_read_has_its_old_length() {
    let site = Site::new();
    site.write("file", "01234");
    let file = File::open(site.root().join("file")).unwrap();
    let before = Facts::of(&file.metadata().unwrap());
    site.write("file", "0123456789");

    let (facts, bytes) = read(&file, before).unwrap();

    assert_eq!((facts.len, bytes.as_ref()), (5, &b"01234"[..]));
}

#[test]
fn validators_are_nginx_s() {
    let site = Site::new();
    site.write("a", "hello!");
    site.touch("a", 0x6b05_0ac1);
    let response = site.get("/a");
    // What nginx 1.22 sends for such a file.
    assert_eq!(field(&response, "etag"), "\"6b050ac1-6\"");
    assert_eq!(field(&response, "last-modified"), "Tue, 24 Nov 2026 03:55:45 GMT");
}

#[test]
fn a_date_to_come_is_replaced_by_the_present() {
    let now = Now { unix_s: 1_000_000_000, monotonic: Duration::ZERO };
    for (modified_s, expected) in [
        (999_999_999, Some(999_999_999)),
        (1_000_000_001, Some(1_000_000_000)),
        (i64::MAX, Some(1_000_000_000)),
        (0, Some(0)),
        (-1, None),
        (i64::MIN, None),
    ] {
        let modified = Modified::of(modified_s, now);
        assert_eq!(modified.map(|modified| modified.unix_s), expected, "{modified_s}");
    }
    let far = Now { unix_s: i64::MAX, ..now };
    assert!(Modified::of(253_402_300_799, far).is_some());
    assert!(Modified::of(253_402_300_800, far).is_none());
}

#[test]
fn a_file_from_before_1970_has_a_tag_only() {
    let site = Site::new();
    site.write("a", "");
    site.touch("a", -1);
    let response = site.get("/a");
    assert_eq!(field(&response, "etag"), "\"ffffffffffffffff-0\"");
    assert_eq!(field(&response, "last-modified"), "");
}
