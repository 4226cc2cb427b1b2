use super::*;

fn joined(dir: &str, path: &[u8]) -> Option<String> {
    join(Path::new(dir), path).ok().map(|name| String::from_utf8(name).unwrap())
}

#[test]
fn directory_and_path_are_joined_with_one_slash() {
    for (dir, path, expected) in [
        ("/srv", "/a", "/srv/a"),
        ("/srv/", "/a", "/srv/a"),
        ("/srv///", "/a/", "/srv/a/"),
        ("/srv", "a", "/srv/a"),
        ("/srv/", "a", "/srv/a"),
        ("/srv/", "", "/srv/"),
        ("/srv/file", "", "/srv/file"),
        ("/", "/a", "/a"),
        ("/", "a", "/a"),
        ("html", "/a", "html/a"),
        ("/srv", "/a/..b/...", "/srv/a/..b/..."),
        ("/srv", "/./a", "/srv/./a"),
    ] {
        assert_eq!(joined(dir, path.as_bytes()).as_deref(), Some(expected), "{dir} {path}");
    }
}

#[test]
fn what_could_lead_elsewhere_is_refused() {
    for (dir, path) in [
        ("/srv", &b"/.."[..]),
        ("/srv", b".."),
        ("/srv", b"/a/../b"),
        ("/srv", b"/a/.."),
        ("/srv", b"../b"),
        ("/srv", b"/a\0"),
        ("/srv\0", b"/a"),
        ("", b"/a"),
        ("", b""),
    ] {
        assert_eq!(joined(dir, path), None, "{dir:?} {path:?}");
    }
}

#[test]
fn an_extension_stands_behind_the_last_dot_of_the_last_segment() {
    for (name, expected) in [
        ("/a/b.html", Some("html")),
        ("/a/b.tar.GZ", Some("GZ")),
        ("/a.b/c", None),
        ("/a/.profile", None),
        ("/a/.profile.txt", Some("txt")),
        ("/a/b.", Some("")),
        ("/a/", None),
        ("", None),
    ] {
        assert_eq!(extension(name.as_bytes()), expected.map(str::as_bytes), "{name}");
    }
}
