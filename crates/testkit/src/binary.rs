//! The binary under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of `bifrons`: `BIFRONS_BIN`, or the one in the target directory of the test that runs, built by
/// the first test of a run.
pub fn bifrons() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("BIFRONS_BIN") {
        Some(path) => path.into(),
        None => built(),
    })
}

/// Runs `bifrons` with these arguments to its end.
pub fn run(args: &[&str]) -> std::process::Output {
    Command::new(bifrons()).args(args).output().expect("bifrons runs")
}

/// target/PROFILE/deps/e2e-HASH → target/PROFILE/bifrons.
fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile_dir = test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps");
    let path = profile_dir.join("bifrons");
    // nextest runs each test in a process of its own; one build a run is enough.
    let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
    let stamp = profile_dir.join(".bifrons-e2e");
    let lock = std::fs::File::create(profile_dir.join(".bifrons-e2e.lock")).unwrap();
    lock.lock().unwrap();
    if std::fs::read_to_string(&stamp).is_ok_and(|built| built == run) && path.exists() {
        return path;
    }
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target_dir = profile_dir.parent().expect("PROFILE lies in a target directory");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "bifrons", "--profile", profile])
        .env("CARGO_TARGET_DIR", target_dir)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status()
        .expect("cargo");
    assert!(status.success(), "bifrons does not build");
    std::fs::write(&stamp, run).unwrap();
    path
}
