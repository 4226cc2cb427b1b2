use super::*;
use crate::Options;
use crate::clock::Now;
use crate::testing::{Site, content};
use bifrons_http::Body;

fn site(valid: Duration) -> Site {
    Site::with(Options { cache: Some(FileCache { max: 8, valid, open: None }), ..Options::default() })
}

/// Where the bytes of the answer lie: the same place means they were kept.
fn place(site: &Site, target: &str) -> *const u8 {
    match site.get(target).body {
        Body::Full(bytes) => bytes.as_ptr(),
        _ => panic!("not in hand"),
    }
}

#[test]
fn an_unchanged_file_is_read_once() {
    let site = site(Duration::ZERO);
    site.write("a", "one");
    assert_eq!(place(&site, "/a"), place(&site, "/a"));
}

#[test]
fn a_change_shows_at_once() {
    let site = site(Duration::ZERO);
    site.write("a", "one");
    assert_eq!(content(&site.get("/a")), b"one");

    site.write("a", "two");
    assert_eq!(content(&site.get("/a")), b"two", "written in place, the length the same");

    site.write("b", "six");
    std::fs::rename(site.root().join("b"), site.root().join("a")).unwrap();
    assert_eq!(content(&site.get("/a")), b"six", "another file of that name");

    std::fs::remove_file(site.root().join("a")).unwrap();
    assert_eq!(site.fails("/a"), bifrons_core::Kind::NotFound);
}

#[test]
fn a_change_shows_once_the_validity_is_over() {
    let mut site = site(Duration::from_secs(1));
    site.write("a", "one");
    site.get("/a");
    std::fs::remove_file(site.root().join("a")).unwrap();

    site.now.monotonic += Duration::from_millis(999);
    assert_eq!(content(&site.get("/a")), b"one");
    site.now.monotonic += Duration::from_millis(1);
    assert_eq!(site.fails("/a"), bifrons_core::Kind::NotFound);
}

#[test]
fn a_confirmed_file_is_valid_anew() {
    let mut site = site(Duration::from_secs(1));
    site.write("a", "one");
    for _ in 0..2 {
        site.get("/a");
        site.now.monotonic += Duration::from_secs(1);
    }
    site.get("/a");
    site.write("a", "two");
    site.now.monotonic += Duration::from_millis(999);
    assert_eq!(content(&site.get("/a")), b"one");
}

#[test]
fn what_has_just_changed_is_not_kept() {
    let mut site = site(Duration::from_secs(1));
    site.write("a", "one");
    let changed_s = Facts::of(&std::fs::metadata(site.root().join("a")).unwrap()).changed_s;

    site.now.unix_s = changed_s + SETTLED_S;
    site.get("/a");
    site.write("a", "two");
    assert_eq!(content(&site.get("/a")), b"two");

    site.write("b", "one");
    let changed_s = Facts::of(&std::fs::metadata(site.root().join("b")).unwrap()).changed_s;
    site.now.unix_s = changed_s + SETTLED_S + 1;
    site.get("/b");
    site.write("b", "two");
    assert_eq!(content(&site.get("/b")), b"one");
}

#[test]
fn no_more_is_kept_than_allowed_and_what_is_asked_for_stays() {
    let site = site(Duration::from_secs(1));
    for n in 0..100 {
        site.write(&format!("{n}"), "x");
        site.write("hot", "hot");
        site.get(&format!("/{n}"));
        site.get("/hot");
        CACHE.with_borrow(|cache| assert!(cache.young.len() + cache.old.len() <= 8));
    }
    let name = site.root().join("hot");
    let name = name.to_str().unwrap().as_bytes();
    let is_kept = CACHE.with_borrow(|cache| cache.young.contains_key(name) || cache.old.contains_key(name));
    assert!(is_kept);
}

#[test]
fn without_a_cache_nothing_is_kept() {
    for cache in [None, Some(FileCache { max: 0, valid: Duration::from_secs(1), open: None })] {
        let site = Site::with(Options { cache, ..Options::default() });
        site.write("a", "one");
        site.get("/a");
        site.write("a", "two");
        assert_eq!(content(&site.get("/a")), b"two");
    }
}

#[test]
fn a_head_neither_fills_the_cache_nor_misses_it() {
    let site = site(Duration::from_secs(1));
    site.write("a", "one");
    site.head_with("/a", &[]);
    CACHE.with_borrow(|cache| assert!(cache.young.is_empty()));
    site.get("/a");
    site.write("a", "longer");
    assert_eq!(crate::testing::field(&site.head_with("/a", &[]), "content-length"), "3");
}

#[test]
fn the_clocks_can_be_read() {
    let now = Now::read();
    assert!(now.unix_s > 1_700_000_000 && now.monotonic > Duration::ZERO);
}

fn open_files(valid_s: u64, open: OpenFiles) -> Site {
    let cache = Some(FileCache { max: 8, valid: Duration::from_secs(valid_s), open: Some(open) });
    Site::with(Options { cache, ..Options::default() })
}

const OPEN: OpenFiles = OpenFiles { inactive: Duration::from_secs(20), uses_min: 1, errors: true };

/// The descriptor of the answer's file.
fn descriptor(site: &Site, target: &str) -> i32 {
    use std::os::fd::AsRawFd;
    match site.get(target).body {
        Body::File(file) => file.file.as_raw_fd(),
        _ => panic!("no open file"),
    }
}

fn large(site: &Site, name: &str) {
    site.write(name, vec![b'l'; SMALL_BYTES_MAX as usize + 1]);
}

#[test]
fn large_files_stay_open_and_directories_and_errors_known() {
    let mut site = open_files(60, OPEN);
    large(&site, "large");
    std::fs::create_dir(site.root().join("dir")).unwrap();
    let first = site.get("/large");
    assert_eq!(site.get("/dir").head.status, 301);
    assert_eq!(site.fails("/none"), bifrons_core::Kind::NotFound);
    std::fs::remove_file(site.root().join("large")).unwrap();
    std::fs::remove_dir(site.root().join("dir")).unwrap();
    site.write("none", "now");

    site.now.monotonic += Duration::from_secs(10);
    assert_eq!(content(&site.get("/large")), content(&first), "the descriptor is kept");
    assert_eq!(site.get("/dir").head.status, 301);
    assert_eq!(site.fails("/none"), bifrons_core::Kind::NotFound);

    for _ in 0..5 {
        site.now.monotonic += Duration::from_secs(10);
        let _ = site.ask(&crate::testing::request("GET", "/large", &[]));
    }
    assert_eq!(site.fails("/large"), bifrons_core::Kind::NotFound);
    assert_eq!(site.fails("/dir"), bifrons_core::Kind::NotFound);
    assert_eq!(content(&site.get("/none")), b"now");
}

#[test]
fn a_file_that_still_is_the_same_stays_open() {
    let mut site = open_files(5, OPEN);
    large(&site, "large");
    let first = descriptor(&site, "/large");
    site.now.monotonic += Duration::from_secs(6);
    // Held open, so that the number could not come again.
    let held = site.get("/large");
    assert_eq!(descriptor(&site, "/large"), first);
    large(&site, "large");
    site.now.monotonic += Duration::from_secs(6);
    assert_ne!(descriptor(&site, "/large"), first);
    drop(held);
}

#[test]
fn what_is_seldom_asked_for_is_not_kept() {
    let site = open_files(60, OpenFiles { uses_min: 3, ..OPEN });
    site.write("a", "one");
    for text in ["two", "three"] {
        assert!(!content(&site.get("/a")).is_empty());
        site.write("a", text);
    }
    assert_eq!(content(&site.get("/a")), b"three", "the third use is kept");
    site.write("a", "four");
    assert_eq!(content(&site.get("/a")), b"three");
}

#[test]
fn errors_are_not_kept_unless_told() {
    let site = open_files(60, OpenFiles { errors: false, ..OPEN });
    assert_eq!(site.fails("/a"), bifrons_core::Kind::NotFound);
    site.write("a", "now");
    assert_eq!(content(&site.get("/a")), b"now");
}

#[test]
fn what_nobody_asks_for_is_closed() {
    let mut site = open_files(60, OPEN);
    large(&site, "large");
    large(&site, "other");
    site.get("/large");
    for _ in 0..4 {
        site.now.monotonic += Duration::from_secs(19);
        site.get("/other");
    }
    let is_kept = CACHE.with_borrow(|cache| {
        cache.young.keys().chain(cache.old.keys()).any(|name| name.ends_with(b"/large"))
    });
    assert!(!is_kept);
    site.now.monotonic += Duration::from_secs(20);
    std::fs::remove_file(site.root().join("other")).unwrap();
    assert_eq!(site.fails("/other"), bifrons_core::Kind::NotFound, "idle for too long, though valid");
}
