use super::*;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{chown, lchown, symlink};
use tempfile::TempDir;

fn site() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("real/deep")).unwrap();
    std::fs::write(dir.path().join("real/deep/file"), "x").unwrap();
    symlink("real", dir.path().join("dirlink")).unwrap();
    symlink("real/deep/file", dir.path().join("filelink")).unwrap();
    dir
}

fn opens(dir: &TempDir, path: &str, trusted: &str, links: Links) -> Result<(), Errno> {
    let name = dir.path().join(path);
    let trusted =
        if trusted.is_empty() { String::new() } else { dir.path().join(trusted).display().to_string() };
    open(name.as_os_str().as_bytes(), trusted.as_bytes(), links, OFlags::NONBLOCK)
        .map(drop)
        .map_err(|err| Errno::from_io_error(&err).unwrap())
}

#[test]
fn refused_links_are_loops_or_no_directories() {
    let dir = site();
    for (path, expected) in [
        ("real/deep/file", Ok(())),
        ("real", Ok(())),
        ("real/", Ok(())),
        ("filelink", Err(Errno::LOOP)),
        ("dirlink", Err(Errno::LOOP)),
        ("dirlink/deep/file", Err(Errno::NOTDIR)),
        ("none", Err(Errno::NOENT)),
        ("real/deep/file/", Err(Errno::NOTDIR)),
    ] {
        assert_eq!(opens(&dir, path, "", Links::Refuse), expected, "{path}");
        let followed = if path.contains("link") { Ok(()) } else { expected };
        assert_eq!(opens(&dir, path, "", Links::Follow), followed, "{path}");
        assert_eq!(opens(&dir, path, "", Links::SameOwner), followed, "{path}");
    }
}

#[test]
fn the_trusted_part_may_have_links() {
    let dir = site();
    for (path, trusted, expected) in [
        ("dirlink/deep/file", "dirlink", Ok(())),
        ("dirlink/deep/file", "dirlink/", Ok(())),
        ("dirlink/deep/file", "dirlink/deep", Ok(())),
        ("dirlink", "dirlink", Ok(())),
        ("dirlink/deep/file", "dir", Err(Errno::NOTDIR)),
        ("dirlink/deep/file", "elsewhere", Err(Errno::NOTDIR)),
        ("filelink", "dirlink", Err(Errno::LOOP)),
    ] {
        assert_eq!(opens(&dir, path, trusted, Links::Refuse), expected, "{path} from {trusted}");
    }
}

#[test]
fn a_link_of_another_user_is_not_followed() {
    let dir = site();
    if chown(dir.path().join("real/deep/file"), Some(4711), None).is_err() {
        return eprintln!("only root may give files away");
    }
    assert_eq!(opens(&dir, "filelink", "", Links::SameOwner), Err(Errno::LOOP));
    assert_eq!(opens(&dir, "real/deep/file", "", Links::SameOwner), Ok(()));
    lchown(dir.path().join("filelink"), Some(4711), None).unwrap();
    assert_eq!(opens(&dir, "filelink", "", Links::SameOwner), Ok(()));
}
