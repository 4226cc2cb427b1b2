//! The directory that all servers serve, so that times, sizes and with them tags are the same.

use crate::support::age;
use bifrons_testkit::TempDir;
use std::os::unix::fs::{PermissionsExt, symlink};

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
    dir.write("long/page.html", "<p>long</p>\n".repeat(400));
    dir.write("long/data.json", "{\"a\": [1, 2, 3]}\n".repeat(300));
    dir.write("long/picture.png", "picture ".repeat(300));
    dir.write("packed/x.txt", "hello");
    dir.write("packed/y.txt", "no other form");
    dir.write(
        "packed/x.txt.gz",
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0",
    );
    dir.write("long/short.html", "<p>some 20 bytes</p>");
    dir.write("big.bin", (0..300_000u32).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    std::fs::set_permissions(dir.path().join("exec.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("a.txt", dir.path().join("link.txt")).unwrap();
    age(dir.path());
    dir
}
