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

#[test]
fn a_file_steps_aside_and_back_and_takes_no_other_along() {
    let path = path("aside");
    let mut file = PidFile::claim_alone(&path).unwrap();
    let aside = path.with_extension("pid.oldbin");
    // Not ours yet: nothing is written.
    assert_eq!(file.step_aside().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    file.write().unwrap();
    file.step_aside().unwrap();
    assert!(!path.exists() && aside.exists());
    // What a dead process has left is no obstacle.
    std::fs::write(&path, "\n").unwrap();
    file.step_back().unwrap();
    assert!(path.exists() && !aside.exists());
    // Another one's stays where it is.
    std::fs::write(&path, "1\n").unwrap();
    assert!(file.step_aside().is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
