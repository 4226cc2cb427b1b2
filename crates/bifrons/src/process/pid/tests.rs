use super::*;

/// A path in a directory of its own.
fn path(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("bifrons-pid-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir.join("p.pid")
}

#[test]
fn a_status_comes_back_as_it_was() {
    let path = path("status");
    let file = PidFile::claim(&path).unwrap();
    for outcome in [Ok("long enough to be longer".to_owned()), Err("a \"line\"\nand another".to_owned())] {
        let status = Status { count: 7, outcome };
        file.report(&status).unwrap();
        assert_eq!(Status::read(&status_path(&path)), Some(status));
    }
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn it_names_us_while_we_run_and_goes_with_us() {
    let path = path("ours");
    let file = PidFile::claim(&path).unwrap();
    assert_eq!(running(&path), Ok(None));
    file.write().unwrap();
    assert_eq!(running(&path), Ok(Some(rustix::process::getpid())));
    drop(file);
    assert!(!path.exists() && !status_path(&path).exists());
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_file_of_a_process_that_took_over_stays() {
    let path = path("theirs");
    let file = PidFile::claim(&path).unwrap();
    std::fs::write(&path, "1\n").unwrap();
    drop(file);
    assert!(path.exists());
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn links_are_not_followed() {
    let path = path("link");
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert!(PidFile::claim(&path).is_err());
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
