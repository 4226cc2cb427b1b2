//! Options, and what goes where.

use super::{bifrons_as_nginx, link};
use crate::support::{each, same};
use bifrons_testkit::{TempDir, binary};
use std::process::Command;

const GOOD: &str = "events { }\nhttp { access_log off; server { listen 127.0.0.1:18099; return 200 ok; } }\n";

/// Options, what is said, and whether the run succeeds.
type Row<'a> = (&'a [&'a str], &'a str, bool);

/// What a run says on standard error, and whether it succeeds.
fn run(command: &mut Command) -> (String, bool) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.success())
}

#[test]
fn options_are_nginxs() {
    let dir = TempDir::new();
    dir.write("good.conf", GOOD);
    let path = dir.path().display().to_string();
    let tested = format!(
        "nginx: the configuration file {path}/good.conf syntax is ok\n\
         nginx: configuration file {path}/good.conf test is successful\n"
    );
    let rows: [(&'static str, Row<'_>); 11] = [
        ("a test", (&["-t", "-c", "good.conf"], &tested, true)),
        ("combined", (&["-tc", "good.conf"], &tested, true)),
        ("glued", (&["-t", "-cgood.conf"], &tested, true)),
        ("quiet", (&["-tqc", "good.conf"], "", true)),
        ("unknown", (&["-x"], "nginx: invalid option: \"x\"\n", false)),
        ("no option", (&["good.conf"], "nginx: invalid option: \"good.conf\"\n", false)),
        ("no value", (&["-c"], "nginx: option \"-c\" requires file name\n", false)),
        ("no signal", (&["-s", "up"], "nginx: invalid option: \"-s up\"\n", false)),
        (
            "no file",
            (
                &["-t", "-c", "/nodir/x.conf"],
                "nginx: [emerg] open() \"/nodir/x.conf\" failed (2: No such file or directory)\n\
                 nginx: configuration file /nodir/x.conf test failed\n",
                false,
            ),
        ),
        (
            "nothing runs",
            (
                &["-s", "reload", "-c", "good.conf"],
                // The tests before have made the file, as nginx's do.
                &format!("nginx: [error] invalid PID number \"\" in \"{path}/own.pid\"\n"),
                false,
            ),
        ),
        (
            "the last -g counts",
            (
                &["-t", "-c", "good.conf", "-g", "foo bar;"],
                &format!(
                    "nginx: [emerg] unknown directive \"foo\" in command line\n\
                     nginx: configuration file {path}/good.conf test failed\n"
                ),
                false,
            ),
        ),
    ];
    each(rows, |(args, said, good)| {
        let (is, was_good) = run(bifrons_as_nginx(&dir).args(args));
        same((is.as_str(), was_good), (said, good))
    });
}

#[test]
fn a_pid_file_without_a_process_is_told() {
    let dir = TempDir::new();
    dir.write("good.conf", GOOD);
    let path = dir.path().display().to_string();
    let ask = |pid: &str| {
        dir.write("own.pid", pid);
        run(bifrons_as_nginx(&dir).args(["-s", "quit", "-c", "good.conf"])).0
    };
    assert_eq!(ask(""), format!("nginx: [error] invalid PID number \"\" in \"{path}/own.pid\"\n"));
    assert_eq!(ask("x\n"), format!("nginx: [error] invalid PID number \"x\" in \"{path}/own.pid\"\n"));
    assert_eq!(ask("-1\n"), format!("nginx: [error] invalid PID number \"-1\" in \"{path}/own.pid\"\n"));
    // Above what a process can have.
    assert_eq!(ask("99999999\n"), "nginx: [alert] kill(99999999, 3) failed (3: No such process)\n");
}

#[test]
fn versions_are_told_in_the_form_that_tools_read() {
    let dir = TempDir::new();
    let (version, _) = run(Command::new(link(&dir)).arg("-v"));
    assert!(version.starts_with("nginx version: nginx/1."), "{version}");
    assert_eq!(version.lines().count(), 1, "{version}");
    let (built, _) = run(Command::new(link(&dir)).arg("-V"));
    assert!(built.starts_with(&version), "{built}");
    let arguments = built.lines().last().unwrap().strip_prefix("configure arguments: ").unwrap();
    assert!(arguments.split(' ').any(|word| word == "--conf-path=/etc/nginx/nginx.conf"), "{arguments}");
    // The same as a command of our own.
    let (own, _) = run(Command::new(binary::bifrons()).args(["nginx", "-V"]));
    assert_eq!(own, built);
    let (help, good) = run(Command::new(link(&dir)).arg("-?"));
    assert!(good && help.contains("Usage: nginx [-?hvVtTq] [-s signal]"), "{help}");
}

#[test]
fn a_dump_shows_every_file_once() {
    let dir = TempDir::new();
    let main = "events { }\nhttp { access_log off; include sites/*; include sites/a; }\n";
    dir.write("all.conf", main);
    dir.write("sites/a", "# gr\u{fc}n\n");
    dir.write("sites/b", "index b;");
    let output = bifrons_as_nginx(&dir).args(["-T", "-q", "-c", "all.conf"]).output().unwrap();
    let path = dir.path().display();
    let expected = format!(
        "# configuration file {path}/all.conf:\n{main}\n# configuration file {path}/sites/a:\n# gr\u{fc}n\n\n\
         # configuration file {path}/sites/b:\nindex b;\n"
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_test_tries_what_a_start_needs() {
    let dir = TempDir::new();
    let test = |conf: &str| {
        dir.write("a.conf", format!("events {{ }}\n{conf}\n"));
        run(bifrons_as_nginx(&dir).args(["-tq", "-c", "a.conf"]))
    };
    let failed = format!("nginx: configuration file {}/a.conf test failed\n", dir.path().display());
    let (said, good) = test("http { access_log /nodir/a.log; }");
    assert!(!good);
    assert_eq!(
        said,
        format!("nginx: [emerg] open() \"/nodir/a.log\" failed (2: No such file or directory)\n{failed}")
    );
    // An address of nobody (RFC 5737).
    let (said, good) = test("http { access_log off; server { listen 192.0.2.1:18099; } }");
    assert!(!good);
    assert_eq!(
        said,
        format!(
            "nginx: [emerg] bind() to 192.0.2.1:18099 failed (99: Cannot assign requested address)\n{failed}"
        )
    );
    // As with nginx, files that were tried are there now: to remove one could take it from who has just opened it.
    assert!(test("http { access_log there.log; }").1);
    assert_eq!((dir.read("there.log").as_str(), dir.read("own.pid").as_str()), ("", ""));
    // All mistakes, each in a line of nginx's form.
    let (said, _) = test("http { access_log off;\n foo;\n bar;\n}");
    assert_eq!(said.matches("nginx: [emerg] unknown directive \"").count(), 2, "{said}");
}
