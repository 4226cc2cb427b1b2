//! Whole configurations as people write them, byte for byte, under both servers: conf/nginx lies at
//! /etc/nginx, what they serve at /srv and /var/www, their logs are at /var/log/nginx. All that in a namespace
//! of its own, one server after the other, since all of them listen on port 80.

use super::case::{self, Case};
use super::endpoint::Endpoint;
use super::script::{Outcome, play};
use super::servers::{Nginx, Server, Values};
use super::told;
use bifrons_testkit::{Proxy, TempDir, in_namespace};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

const WORLDS: &str = include_str!("worlds.txt");
const CONF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conf/nginx");
const LOGS: &str = "/var/log/nginx";

/// What they serve.
const FILES: &[(&str, &str)] = &[
    ("srv/blog/index.php", "<?php"),
    ("srv/blog/wp-login.php", "<?php"),
    ("srv/blog/robots.txt", "User-agent: *\n"),
    ("srv/blog/.htaccess", "hidden"),
    ("srv/blog/wp-content/style.css", "b{}"),
    ("srv/blog/wp-content/uploads/x.php", "<?php"),
    ("srv/blog/errors/50x.html", "<p>broken</p>"),
    ("srv/app/index.html", "<div id=app>"),
    ("srv/app/about/index.html", "about"),
    ("srv/app/assets/main-0a1b2c3d.js", "f()"),
    ("srv/app/logo.png", "png"),
    ("srv/lb/errors/403.html", "<p>403</p>"),
    ("srv/lb/errors/404.html", "<p>404</p>"),
    ("srv/lb/errors/50x.html", "<p>50x</p>"),
    ("srv/files/index.html", "files"),
    ("srv/files/pub/a.bin", "aaaa"),
    ("srv/files/pub/b.bin", "bbbbbbbb"),
    ("srv/files/archive/old.txt", "old"),
    ("srv/files/archive/x.zip", "zip"),
    ("srv/files/paid/film.mp4", "film"),
    ("srv/org/index.html", "org"),
    ("srv/org/docs/index.htm", "docs"),
    ("srv/org/style.css", "c{}"),
    ("srv/org/robots.txt", "User-agent: *\n"),
    ("srv/org/.git/config", "[core]"),
    ("srv/org/staff/index.html", "staff"),
    ("srv/org/articles/17.html", "seventeen"),
    ("srv/org-files/a.iso", "iso"),
    ("srv/errors/404.html", "<p>404</p>"),
    ("srv/errors/50x.html", "<p>50x</p>"),
    ("srv/blog/media/cat.png", "png"),
    ("srv/shop/static/app.js", "f()"),
    ("srv/shop/static/app.js.map", "map"),
    ("srv/cloud/index.php", "<?php"),
    ("srv/cloud/status.php", "<?php"),
    ("srv/cloud/robots.txt", "User-agent: *\n"),
    ("srv/cloud/notes.html", "notes"),
    ("srv/cloud/config/config.php", "secret"),
    ("srv/cloud/core/main.js", "f()"),
    ("srv/cloud/core/module.mjs", "f()"),
    ("srv/cloud/core/wave.wasm", "wasm"),
    ("srv/cloud/core/font.woff2", "font"),
    ("srv/cloud/apps/files/x", "x"),
    ("srv/cloud/.well-known/acme-challenge/token", "token"),
    ("srv/community/sw.js", "f()"),
    ("srv/community/500.html", "<p>sorry</p>"),
    ("srv/community/assets/app-1.css", "c{}"),
    ("srv/community/uploads/a.png", "png"),
    ("srv/community/backups/all.tar", "tar"),
    ("srv/tenants/beta/public/index.html", "beta"),
    ("srv/tenants/beta/public/about/index.html", "about beta"),
    ("srv/tenants/beta/public/u/anna/index.html", "anna"),
    ("www/letsencrypt/.well-known/acme-challenge/token", "token"),
    ("www/html/index.nginx-debian.html", "Welcome"),
    ("www/html/.htpasswd", "hidden"),
    ("www/html/docs/index.htm", "docs"),
    ("www/html/empty/x", "x"),
    ("www/example.com/index.html", "example"),
];

/// Endpoints, by what the scripts call them.
const ENDPOINTS: [(&str, &str); 2] = [("app", "127.0.0.1:9000"), ("app1", "127.0.0.1:9001")];

#[test]
fn configurations_of_the_world_run_unchanged() {
    in_namespace!("198.51.100.7");
    if !Nginx::is_installed() || !maps_all_users() {
        println!("SKIPPED: no nginx, or not root: nothing runs with its own user and paths");
        return;
    }
    let place = TempDir::new();
    mount(&place);
    let worlds = case::parse(WORLDS);
    assert!(worlds.len() >= 9, "{}", worlds.len());
    let mut wrong = Vec::new();
    for world in &worlds {
        let file = Path::new("/etc/nginx").join(world.name);
        let nginx = run(world, || Server::Nginx { _process: Nginx::unchanged(&file, web()) });
        let ours = run(world, || Server::Ours { _process: Proxy::of_file(&file).ready_at(web()).start() });
        let shown = run(world, || Server::of_shown(&file, web()));
        wrong.extend(told::differences(world, ("nginx", &nginx), ("ours", &ours)));
        let all_same = world.without_marks();
        wrong.extend(told::differences(&all_same, ("of nginx.conf", &ours), ("of its YAML", &shown)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

fn web() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 80))
}

fn run(world: &Case, start: impl Fn() -> Server) -> Outcome {
    let endpoints: Vec<_> = ENDPOINTS
        .map(|(name, addr)| {
            (name.to_owned(), Endpoint::start_at(addr.parse().unwrap(), name, &world.answers))
        })
        .into();
    let mut values = Values::new();
    values.insert("web".to_owned(), web().to_string());
    let server = start();
    let outcome = play(world, &values, &endpoints, Path::new(LOGS));
    drop(server);
    for entry in std::fs::read_dir(LOGS).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    outcome
}

/// Puts all of it where the configurations look for it; this process and its children alone see that.
fn mount(place: &TempDir) {
    for (name, content) in FILES {
        place.write(name, content);
    }
    copy(Path::new(CONF), &place.path().join("etc"));
    place.write("etc/htpasswd", "anna:{PLAIN}secret\n");
    std::fs::create_dir_all(place.path().join("log")).unwrap();
    std::fs::create_dir_all(place.path().join("run")).unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_577_934_245);
    for (name, _) in FILES {
        let times = std::fs::FileTimes::new().set_modified(old);
        std::fs::File::open(place.path().join(name)).unwrap().set_times(times).unwrap();
    }
    for (from, to) in
        [("etc", "/etc/nginx"), ("srv", "/srv"), ("www", "/var/www"), ("log", LOGS), ("run", "/run")]
    {
        let from = place.path().join(from);
        let done = Command::new("mount").arg("--bind").arg(&from).arg(to).status().unwrap();
        assert!(done.success(), "mount {} at {to}", from.display());
    }
}

fn copy(from: &Path, to: &PathBuf) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => {
                std::fs::copy(&path, to.join(name)).unwrap();
            }
        }
    }
}

/// Whether the users of this machine are there: root of a user namespace can become nobody else.
fn maps_all_users() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().nth(2).is_some_and(|count| count.len() > 4)
}
