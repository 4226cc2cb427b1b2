//! What `nginx -t` says to mistakes, and what we say: the same words and the same line.

use super::{bifrons_as_nginx, first_complaint};
use bifrons_testkit::TempDir;
use std::path::Path;
use std::process::Command;

const CASES: &str = include_str!("messages.txt");

/// nginx's own, of which the file tells.
const NGINX: &str = "/usr/sbin/nginx";

struct Case {
    name: &'static str,
    conf: &'static str,
    nginx: &'static str,
    /// Where it differs, and there is a reason.
    here: Option<&'static str>,
}

fn cases() -> Vec<Case> {
    let case = |text: &'static str| {
        let (name, rest) = text.split_once('\n').unwrap();
        let (conf, rest) = rest.split_once("\n--- nginx\n").unwrap();
        let mut lines = rest.lines();
        let nginx = lines.next().unwrap();
        let here = lines.next().map(|reason| {
            assert!(reason.strip_prefix("--- here: ").is_some_and(|why| !why.is_empty()), "{name}: {reason}");
            lines.next().unwrap()
        });
        Case { name, conf, nginx, here }
    };
    CASES.split("\n=== ").skip(1).map(case).collect()
}

impl Case {
    /// The file of the case in that directory.
    fn file(&self, dir: &TempDir) -> String {
        // As nginx counts lines: this one ends with a line end but for those that stop in the middle.
        let end = if self.name.starts_with("eof_in_directive") { "" } else { "\n" };
        dir.write(&format!("{}.conf", self.name), format!("{}{end}", self.conf)).display().to_string()
    }

    /// A line of the list with the paths of this run.
    fn filled(&self, line: &str, dir: &TempDir, file: &str) -> String {
        line.replace("FILE", file).replace("DIR", &dir.path().display().to_string())
    }
}

#[test]
fn mistakes_are_told_as_nginx_tells_them() {
    let dir = TempDir::new();
    let cases = cases();
    assert!(cases.len() > 140, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let file = case.file(&dir);
        let output = bifrons_as_nginx(&dir).args(["-t", "-c", &file]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let first = first_complaint(&said);
        let expected = case.filled(case.here.unwrap_or(case.nginx), &dir, &file);
        // What is not there yet is told before what is wrong with it.
        if first != expected && !first.contains(" is not supported yet in ") {
            wrong.push(format!("{}: {first:?} and not {expected:?}", case.name));
        }
        let (good, end) = match first.contains("[emerg]") {
            true => (false, "failed"),
            false => (true, "is successful"),
        };
        assert_eq!(output.status.success(), good, "{}: {said}", case.name);
        let last = said.lines().rfind(|line| !line.contains("[info]")).unwrap_or_default();
        assert_eq!(last, format!("nginx: configuration file {file} test {end}"), "{}", case.name);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// The list is what nginx really says.
#[test]
fn the_list_is_nginxs() {
    let version = Command::new(NGINX).arg("-v").output();
    if !version.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("nginx/1.22.")) {
        println!("SKIPPED: {NGINX} is not installed, or of another version");
        return;
    }
    if !Path::new("/usr/lib/nginx").exists() || !super::is_root() {
        println!("SKIPPED: only root tests all of a configuration");
        return;
    }
    let dir = TempDir::new();
    for case in cases() {
        let file = case.file(&dir);
        let output = Command::new(NGINX)
            .args([
                "-p",
                dir.path().to_str().unwrap(),
                "-e",
                "own.log",
                "-g",
                "pid own.pid;",
                "-t",
                "-c",
                &file,
            ])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(first_complaint(&said), case.filled(case.nginx, &dir, &file), "{}", case.name);
    }
}
