use super::*;
use crate::Options;
use crate::clock::Now;
use crate::testing::{Site, content};
use bifrons_http::Body;

fn site(valid: Duration) -> Site {
    Site::with(Options { cache: Some(SmallFileCache { max: 8, valid }), ..Options::default() })
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
    for cache in [None, Some(SmallFileCache { max: 0, valid: Duration::from_secs(1) })] {
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
