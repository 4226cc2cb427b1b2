use super::*;
use crate::testing::{Site, content, field, request};
use bifrons_http::Body;
use proptest::prelude::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

#[test]
fn a_file_is_answered_with_its_content_and_name() {
    let site = Site::new();
    site.write("a/b.txt", "hello");

    let answer = site.ask(&request("GET", "/a/b.txt", &[])).unwrap();

    assert_eq!(answer.response.head.status, 200);
    assert_eq!(content(&answer.response), b"hello");
    assert_eq!(field(&answer.response, "content-type"), "text/plain");
    assert_eq!(answer.filename, site.root().join("a/b.txt").as_os_str().as_bytes());
}

#[test]
fn other_methods_are_refused_whatever_the_path() {
    let site = Site::new();
    site.write("a", "");
    for method in ["PUT", "DELETE", "OPTIONS", "get", "PROPFIND"] {
        for path in ["/a", "/none"] {
            let err = site.ask(&request(method, path, &[])).err().unwrap();
            assert_eq!(err.kind(), Kind::Method, "{method} {path}");
        }
    }
}

#[test]
fn a_post_is_refused_where_there_is_a_file() {
    let site = Site::with(Options { listing: Some(crate::listing::tests::PAGE), ..Options::default() });
    site.write("a", "");
    site.write("dir/x", "");
    site.write("index.html", "");
    let ask = |path| site.ask(&request("POST", path, &[]));
    for (path, kind) in
        [("/a", Kind::Method), ("/", Kind::Method), ("/none", Kind::NotFound), ("/dir/", Kind::Forbidden)]
    {
        assert_eq!(ask(path).err().unwrap().kind(), kind, "{path}");
    }
    assert_eq!(ask("/dir").unwrap().response.head.status, 301);
}

#[test]
fn a_directory_without_index_is_listed() {
    let site = Site::with(Options { listing: Some(crate::listing::tests::PAGE), ..Options::default() });
    site.write("with/index.html", "index");
    site.write("without/b.txt", "b");
    assert_eq!(content(&site.get("/with/")), b"index");
    let listing = String::from_utf8(content(&site.get("/without/"))).unwrap();
    assert!(listing.contains("Index of /without/") && listing.contains("<a href=\"b.txt\">b.txt</a>"));
    assert_eq!(site.fails("/none/"), Kind::NotFound);
    assert_eq!(site.fails("/with/index.html/"), Kind::NotFound);
}

#[test]
fn links_are_refused_where_they_are_restricted() {
    let site = Site::with(Options { links: Links::Refuse, ..Options::default() });
    site.write("real/a", "a");
    symlink("real/a", site.root().join("link")).unwrap();
    symlink("real", site.root().join("dir")).unwrap();
    // The site's own directory may be reached over links of the system.
    let root = std::fs::canonicalize(site.root()).unwrap();
    let ask = |path: &str| site.ask_in(&request("GET", path, &[]), &root, path.as_bytes(), path.as_bytes());
    assert_eq!(content(&ask("/real/a").unwrap().response), b"a");
    assert_eq!(ask("/link").err().unwrap().kind(), Kind::Forbidden);
    assert_eq!(ask("/dir/a").err().unwrap().kind(), Kind::NotFound);
    assert_eq!(ask("/dir").err().unwrap().kind(), Kind::Forbidden);
}

#[test]
fn what_is_not_there_is_not_found() {
    let site = Site::new();
    site.write("file", "x");
    let long = format!("/{}", "x".repeat(5000));
    for path in ["/none", "/none/", "/none/x", "/file/", "/file/x", &long, "/a\0b", "/../root/file", "/.."] {
        assert_eq!(site.fails(path), Kind::NotFound, "{path:?}");
    }
}

#[test]
fn pipes_sockets_and_devices_are_not_found_and_hang_nothing() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let site = Site::new();
    mknodat(CWD, site.root().join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(site.root().join("socket")).unwrap();
    symlink("/dev/null", site.root().join("device")).unwrap();
    for path in ["/pipe", "/socket", "/device"] {
        assert_eq!(site.fails(path), Kind::NotFound, "{path}");
    }
}

#[test]
fn links_are_followed_and_loops_forbidden() {
    let site = Site::new();
    std::fs::write(site.dir.path().join("outside"), "linked").unwrap();
    symlink("../outside", site.root().join("link")).unwrap();
    symlink("loop", site.root().join("loop")).unwrap();
    symlink("none", site.root().join("dangling")).unwrap();

    assert_eq!(content(&site.get("/link")), b"linked");
    assert_eq!(site.fails("/loop"), Kind::Forbidden);
    assert_eq!(site.fails("/dangling"), Kind::NotFound);
}

#[test]
fn errors_of_the_system_have_their_kinds() {
    use rustix::io::Errno;
    for (errno, kind) in [
        (Errno::NOENT, Kind::NotFound),
        (Errno::NOTDIR, Kind::NotFound),
        (Errno::NAMETOOLONG, Kind::NotFound),
        (Errno::NXIO, Kind::NotFound),
        (Errno::ACCESS, Kind::Forbidden),
        (Errno::PERM, Kind::Forbidden),
        (Errno::LOOP, Kind::Forbidden),
        (Errno::MFILE, Kind::Internal),
        (Errno::IO, Kind::Internal),
    ] {
        assert_eq!(refusal(b"/x", &errno.into()).kind(), kind, "{errno:?}");
    }
}

#[test]
fn a_directory_without_slash_is_redirected_with_the_query() {
    let site = Site::new();
    site.write("dir/index.html", "x");

    let answer = site.ask(&request("GET", "/dir?a=1", &[])).unwrap();

    assert_eq!(answer.response.head.status, 301);
    assert_eq!(field(&answer.response, "location"), "/dir/?a=1");
    assert_eq!(answer.filename, site.root().join("dir").as_os_str().as_bytes());
}

#[test]
fn a_directory_is_answered_with_its_first_index() {
    let index = ["none.html", "sub", "b.html", "a.html"].map(str::to_owned).to_vec();
    let site = Site::with(Options { index, ..Options::default() });
    site.write("dir/sub/x", "");
    site.write("dir/a.html", "a");
    site.write("dir/b.html", "b");

    let answer = site.ask(&request("GET", "/dir/", &[])).unwrap();

    assert_eq!(content(&answer.response), b"b");
    assert_eq!(field(&answer.response, "content-type"), "text/html");
    assert_eq!(answer.filename, [site.root().as_os_str().as_bytes(), b"/dir/b.html"].concat());
}

#[test]
fn an_index_with_a_slash_in_front_lies_below_the_root() {
    let index = vec!["index.html".to_owned(), "/fallback.html".to_owned()];
    let site = Site::with(Options { index, ..Options::default() });
    site.write("dir/x", "");
    site.write("fallback.html", "fallback");
    assert_eq!(content(&site.get("/dir/")), b"fallback");
}

#[test]
fn a_directory_without_index_is_forbidden() {
    let site = Site::new();
    site.write("dir/x", "");
    assert_eq!(site.fails("/dir/"), Kind::Forbidden);
    assert_eq!(site.fails("/"), Kind::Forbidden);

    let none = Site::with(Options { index: vec![String::new()], ..Options::default() });
    none.write("index.html", "");
    assert_eq!(none.fails("/"), Kind::Forbidden);
}

#[test]
fn an_alias_takes_what_is_behind_the_prefix() {
    let site = Site::new();
    site.write("pictures/a.png", "png");
    site.write("pictures/index.html", "index");
    site.write("pictures-private/b.png", "private");
    let alias = site.root().join("pictures");
    let file = site.root().join("pictures/a.png");
    let req = request("GET", "/i/a.png", &[]);
    let ask =
        |dir: &Path, path: &[u8], uri: &[u8]| site.ask_in(&req, dir, path, uri).map(|answer| answer.response);

    assert_eq!(content(&ask(&alias, b"a.png", b"/i/a.png").unwrap()), b"png");
    assert_eq!(content(&ask(&alias, b"", b"/i/").unwrap()), b"index");
    assert_eq!(field(&ask(&alias, b"", b"/i").unwrap(), "location"), "/i/");
    assert_eq!(content(&ask(&file, b"", b"/i").unwrap()), b"png");
    assert_eq!(ask(&file, b"", b"/i/").err().unwrap().kind(), Kind::NotFound);
    // `location /i { alias …/pictures; }` in nginx opens both of these.
    assert_eq!(ask(&alias, b"-private/b.png", b"/i-private/b.png").err().unwrap().kind(), Kind::NotFound);
    assert_eq!(ask(&alias, b"../x", b"/i../x").err().unwrap().kind(), Kind::NotFound);
}

#[test]
fn an_empty_directory_name_is_our_own_mistake() {
    let site = Site::new();
    let req = request("GET", "/etc/passwd", &[]);
    let err = site.ask_in(&req, Path::new(""), b"/etc/passwd", b"/etc/passwd").err().unwrap();
    assert_eq!(err.kind(), Kind::Internal);
}

/// Paths that mostly exist, or would if they escaped.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"/".to_vec()),
        Just(b"..".to_vec()),
        Just(b"../".to_vec()),
        Just(b"/..".to_vec()),
        Just(b".".to_vec()),
        Just(b"a".to_vec()),
        Just(b"root".to_vec()),
        Just(b"-beside".to_vec()),
        Just(b"secret".to_vec()),
        Just(b"\\".to_vec()),
        Just(b"\0".to_vec()),
        Just(b"%2e%2e".to_vec()),
        Just(b"/etc/passwd".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_path_opens_a_file_outside_the_root(path in path(), uri in path(), with_slash: bool) {
        thread_local! {
            static SITE: Site = {
                let site = Site::with(Options { index: vec!["secret".into()], ..Options::default() });
                std::fs::write(site.dir.path().join("secret"), "outside").unwrap();
                std::fs::write(site.dir.path().join("root-beside"), "outside").unwrap();
                site.write("a/a", "inside");
                site.write("secret", "inside");
                site.write("a/secret", "inside");
                site
            };
        }
        SITE.with(|site| {
            let root = site.root();
            let dir = if with_slash { root.join("") } else { root.clone() };
            let req = request("GET", "/", &[]);
            let Ok(answer) = site.ask_in(&req, &dir, &path, &uri) else { return Ok(()) };
            let found = std::fs::canonicalize(name::as_path(&answer.filename)).unwrap();
            prop_assert!(found.starts_with(std::fs::canonicalize(&root).unwrap()), "{:?}", found);
            match answer.response.head.status {
                200 => prop_assert_eq!(content(&answer.response), b"inside"),
                status => {
                    prop_assert_eq!(status, 301);
                    prop_assert!(matches!(answer.response.body, Body::Empty));
                    let location = field(&answer.response, "location");
                    prop_assert!(location.starts_with('/') && !location.starts_with("//"), "{}", location);
                }
            }
            Ok(())
        })?;
    }
}
