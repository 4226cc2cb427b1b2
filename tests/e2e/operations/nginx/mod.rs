//! In nginx's place: its command line, its words, its process.

mod command_line;
mod error_log;
mod messages;
mod process;

use bifrons_testkit::{TempDir, binary};
use std::path::PathBuf;
use std::process::Command;

/// A link of nginx's name to the program, in that directory.
fn link(dir: &TempDir) -> PathBuf {
    let path = dir.path().join("nginx");
    if !path.exists() {
        std::os::unix::fs::symlink(binary::bifrons(), &path).unwrap();
    }
    path
}

/// The program by that name, with the directory as its prefix and a pid file there.
fn bifrons_as_nginx(dir: &TempDir) -> Command {
    let mut command = Command::new(link(dir));
    command.args(["-p", dir.path().to_str().unwrap(), "-e", "own.log", "-g", "pid own.pid;"]);
    command
}

/// The first line that is a warning or worse; `good` where there is none.
fn first_complaint(said: &str) -> &str {
    let severities = ["emerg", "alert", "crit", "error", "warn"];
    let is_complaint =
        |line: &&str| severities.iter().any(|word| line.starts_with(&format!("nginx: [{word}] ")));
    said.lines().find(is_complaint).unwrap_or("good")
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}
