//! What leads from one location to another, row by row as nginx 1.22 answers it: `nginx_rows/NAME.conf` was
//! run by Debian's nginx, `NAME.txt` holds what it said. A row is `METHOD path | fields :: body => answer`.

use bifrons_testkit::{Message, Origin, Proxy};
use std::os::unix::fs::PermissionsExt;

const FILES: [(&str, &str); 14] = [
    ("index.html", "root index"),
    ("a.html", "a html"),
    ("a.txt", "a txt"),
    ("404.html", "page404"),
    ("50x.html", "page50x"),
    ("dir/index.html", "dir index"),
    ("dir2/x", "x"),
    ("docs/p.php", "PHP?"),
    ("sub/file.txt", "sub file"),
    ("sp ace.txt", "space"),
    ("exec.sh", "sh"),
    ("e/empty.gif", "GIF"),
    ("private/s.txt", "secret"),
    ("phpdir/index.php", "php source"),
];

/// An endpoint that says what it got, and answers as the query asks it to.
fn endpoint() -> Origin {
    Origin::serve(|request| {
        let target = request.target().to_owned();
        let asked = |name: &str| {
            let query = target.split_once('?')?.1;
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        let status = asked("st").unwrap_or_else(|| "200".to_owned());
        let body = format!(
            "UP {} {target} body={} x-t={}",
            request.method(),
            request.text(),
            request.field("X-T").unwrap_or_default()
        );
        let mut head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n", body.len());
        // As the recording endpoint: the value ends at the next `&`, and what follows asks for more.
        for (name, field, value) in [
            ("ct", "Content-Type", "x/y"),
            ("www", "WWW-Authenticate", "Basic realm=o"),
            ("loc", "Location", "/up"),
        ] {
            if target.contains(&format!("{name}=")) {
                head += &format!("{field}: {value}\r\n");
            }
        }
        if let Some(to) = asked("accel") {
            head += &format!("X-Accel-Redirect: {to}\r\n");
        }
        format!("{head}\r\n{body}").into_bytes()
    })
}

/// The request of a row.
fn request(row: &str) -> String {
    let (method, rest) = match row.split_once(' ') {
        Some((method, rest)) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => (method, rest),
        _ => ("GET", row),
    };
    let (path, more) = rest.split_once(" | ").unwrap_or((rest, ""));
    let (fields, body) = more.split_once(" :: ").unwrap_or((more, ""));
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    for field in fields.split(" ;; ").filter(|field| !field.is_empty()) {
        head += &format!("{field}\r\n");
    }
    if !fields.contains("Host:") {
        head += "Host: h.test\r\n";
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    format!("{head}Connection: close\r\n\r\n{body}")
}

/// An answer as the rows write it.
fn said(proxy: &Proxy, answer: &Message) -> String {
    let media = answer.field("Content-Type").unwrap_or("-").replace("; charset=utf-8", "");
    let mut parts = vec![answer.status().to_string(), media];
    for name in ["location", "www-authenticate", "x-a", "x-b"] {
        let all = answer.all(name);
        if !all.is_empty() {
            parts.push(format!("{name}={}", all.join(",")));
        }
    }
    let body = if answer.text().contains("<html") { "PAGE" } else { answer.text() };
    parts.push(format!("[{body}]"));
    let port = proxy.addr("web").port().to_string();
    let directory = format!("{}/www", proxy.dir().path().display());
    parts.join(" ").replace(&format!(":{port}"), ":PORT").replace(&directory, "DIR")
}

#[track_caller]
fn check(conf: &str, rows: &str) {
    let origin = endpoint();
    let mut setup = Proxy::nginx(conf).with("app", origin.addr());
    for (name, content) in FILES {
        setup = setup.file(&format!("www/{name}"), content);
    }
    let proxy = setup.start();
    let script = proxy.dir().path().join("www/exec.sh");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut failed = Vec::new();
    for row in rows.lines() {
        let (asked, want) = row.split_once(" => ").unwrap();
        let got = said(&proxy, &proxy.client().ask(&request(asked)));
        if got != want {
            failed.push(format!("{asked}\n    nginx {want}\n    ours  {got}"));
        }
    }
    assert!(failed.is_empty(), "{} rows differ:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn rules_are_carried_out_as_nginx_does_it() {
    check(include_str!("nginx_rows/rules.conf"), include_str!("nginx_rows/rules.txt"));
}

#[test]
fn errors_lead_where_nginx_leads_them() {
    check(include_str!("nginx_rows/errors.conf"), include_str!("nginx_rows/errors.txt"));
}

#[test]
fn files_are_found_where_nginx_finds_them() {
    check(include_str!("nginx_rows/files.conf"), include_str!("nginx_rows/files.txt"));
}
