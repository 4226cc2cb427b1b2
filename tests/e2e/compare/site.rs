//! The directory that all servers serve, so that times, sizes and with them tags are the same.

use bifrons_testkit::TempDir;
use std::fs::{File, FileTimes};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// Thu, 02 Jan 2020 03:04:05 GMT
const CHANGED: u64 = 1_577_934_245;

/// Passwords are `secret`: one as Apache makes them, one of SHA-512, a plain one.
const PASSWORDS: &str = "# who may\nanna:$apr1$Qb2/ABcd$I.Oc3UMtIXvMNDV1urRVo.\nbert:{PLAIN}secret\n\
                         carl:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=:a comment\n";

const FILES: &[(&str, &str)] = &[
    ("index.html", "<h1>home</h1>"),
    ("a.txt", "0123456789"),
    ("a.html", "<p>a</p>"),
    ("empty.txt", ""),
    ("style.css", "a{}"),
    ("app.js", "f()"),
    ("app.js.gz", "GZ"),
    ("data.json", "{}"),
    ("noext", "no extension"),
    ("odd.xyz", "odd"),
    ("404.html", "<p>not found</p>"),
    ("50x.html", "<p>broken</p>"),
    ("maintenance.html", "<p>later</p>"),
    ("robots.txt", "User-agent: *\n"),
    ("favicon.ico", "icon"),
    ("sp ace.txt", "space"),
    (".htaccess", "hidden"),
    ("dir/index.html", "<p>dir</p>"),
    ("dir/b.txt", "b in dir"),
    ("dir/index.php", "php"),
    ("noindex/x.txt", "x"),
    ("sub/deep/c.txt", "c in deep"),
    ("img/logo.png", "png"),
    ("php/index.php", "<?php"),
    ("wp-content/theme.css", "b{}"),
    ("wp-login.php", "<?php login"),
    ("private/s.txt", "secret file"),
    ("private/s.zip", "zip"),
    ("de/index.html", "<p>de</p>"),
    ("en/index.html", "<p>en</p>"),
    ("exec.sh", "sh"),
    ("htpasswd", PASSWORDS),
];

/// The directory.
pub(super) fn site() -> TempDir {
    let dir = TempDir::new();
    for (name, content) in FILES {
        dir.write(name, content);
    }
    dir.write("big.bin", (0..300_000u32).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    std::fs::set_permissions(dir.path().join("exec.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("a.txt", dir.path().join("link.txt")).unwrap();
    age(dir.path());
    dir
}

fn age(path: &Path) {
    if path.is_symlink() {
        return;
    }
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| age(&entry.unwrap().path()));
    }
    let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(CHANGED));
    File::open(path).unwrap().set_times(times).unwrap();
}
