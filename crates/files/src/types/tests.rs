use super::*;
use std::collections::HashSet;

fn own(types: &[(&str, &str)], default: Option<&str>) -> Types {
    let types: Vec<_> = types.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    Types::new(&types, false, default.map(str::to_owned))
}

#[test]
fn extensions_have_their_types_in_any_case() {
    let types = own(&[], None);
    for (name, expected) in [
        ("/a.html", "text/html"),
        ("/a.HTM", "text/html"),
        ("/a.mjs", "text/javascript"),
        ("/a.wasm", "application/wasm"),
        ("/a.min.css", "text/css"),
        ("/a.woff2", "font/woff2"),
        ("/a.webmanifest", "application/manifest+json"),
        ("/a.7z", "application/x-7z-compressed"),
        ("/a.none", "application/octet-stream"),
        ("/a", "application/octet-stream"),
        ("/.html", "application/octet-stream"),
        ("/a.", "application/octet-stream"),
    ] {
        assert_eq!(types.of(name.as_bytes()), expected, "{name}");
    }
}

#[test]
fn configured_types_go_first() {
    let types = own(&[(".HTML", "text/html; charset=utf-8"), ("foo", "a/foo")], Some("text/plain"));
    assert_eq!(types.of(b"/a.html"), "text/html; charset=utf-8");
    assert_eq!(types.of(b"/a.FOO"), "a/foo");
    assert_eq!(types.of(b"/a.css"), "text/css");
    assert_eq!(types.of(b"/a.bar"), "text/plain");
}

#[test]
fn a_type_that_would_break_the_head_is_left_out() {
    let types = own(&[("html", "a\r\nb: c")], Some("x\n"));
    assert_eq!(types.of(b"/a.html"), "text/html");
    assert_eq!(types.of(b"/a"), "application/octet-stream");
}

#[test]
fn an_extension_may_be_so_long_and_no_longer() {
    let longest = "x".repeat(EXTENSION_BYTES_MAX);
    let types = own(&[(&longest, "a/longest"), (&format!("{longest}x"), "a/longer")], None);
    assert_eq!(types.of(format!("/a.{longest}").as_bytes()), "a/longest");
    assert_eq!(types.of(format!("/a.{longest}x").as_bytes()), "application/octet-stream");
}

#[test]
fn the_table_names_each_extension_once() {
    let all: Vec<&str> =
        TABLE.iter().flat_map(|(_, extensions)| extensions.split_ascii_whitespace()).collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(all.iter().all(|text| text.len() <= EXTENSION_BYTES_MAX && *text == text.to_ascii_lowercase()));
}

#[test]
fn only_the_listed_types_where_that_is_asked() {
    let types = Types::new(&[("x".to_owned(), "text/x".to_owned())], true, Some("text/plain".to_owned()));
    assert_eq!(types.of(b"a.x"), "text/x");
    assert_eq!(types.of(b"a.html"), "text/plain");
}
