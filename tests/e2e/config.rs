//! Configurations: mistakes with their places, all at once; what `show` prints runs the same.

use crate::support::get;
use bifrons_testkit::{Origin, Proxy, TempDir, binary};
use std::process::Output;

fn check(name: &str, text: &str) -> (Option<i32>, String, TempDir) {
    let dir = TempDir::new();
    let path = dir.write(name, text);
    let Output { status, stdout, stderr } = binary::run(&["check", path.to_str().unwrap()]);
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.code(), said, dir)
}

/// The mistakes a check finds: place within the file and what is said.
#[track_caller]
fn mistakes(name: &str, text: &str, want: &[(&str, &str)]) {
    let (code, said, _dir) = check(name, text);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.matches("error: ").count(), want.len(), "{said}");
    for (place, what) in want {
        assert!(
            said.contains(&format!("{name}:{place}")) && said.contains(what),
            "no {what:?} at {place} in\n{said}"
        );
    }
}

#[test]
fn three_mistakes_of_a_yaml_file_are_shown_at_once() {
    let text = "\
listeners: { web: { bind: \"127.0.0.1:8080\" } }
hosts:
  - default: true
    routes:
      - { path: /*, porxy: app }
      - { path: api, respond: x }
clusters: { app: { endpoints: [\"127.0.0.1:1\"], balance: round_robbin } }
";
    mistakes(
        "three.yaml",
        text,
        &[
            ("5:21", "did you mean \"proxy\"?"),
            ("6:17", "write `/api`"),
            ("7:57", "did you mean \"round_robin\"?"),
        ],
    );
}

#[test]
fn three_mistakes_of_meaning_are_shown_at_once() {
    let text = "\
listeners: { web: { bind: \"127.0.0.1:99999\" } }
hosts:
  - default: true
    routes:
      - { path: /*, proxy: apq }
      - { path: /a, respond: x, redirect: /y }
clusters: { app: { endpoints: [\"127.0.0.1:1\"] } }
";
    mistakes(
        "three.yaml",
        text,
        &[
            ("1:27", "invalid address \"127.0.0.1:99999\""),
            ("5:28", "did you mean \"app\"?"),
            ("6:17", "several actions"),
        ],
    );
}

/// Each with its place, what is wrong, and the way out.
#[test]
fn typical_mistakes_are_told() {
    const GOOD: &str = "\
listeners: { web: { bind: \"127.0.0.1:8080\" } }
hosts:
  - names: [a.test]
    routes:
      - path: /*
        proxy: app
clusters: { app: { endpoints: [\"127.0.0.1:1\"] } }
";
    for (old, new, place, told) in [
        ("127.0.0.1:8080", "127.0.0.1:80800", "1:27", "port 80800 is larger than 65535"),
        ("127.0.0.1:8080", "a.test:8080", "1:27", "an address of this machine, not a name"),
        ("127.0.0.1:8080\"", "127.0.0.1:8080\", tls: {}", "1:27", "TLS without a certificate"),
        ("127.0.0.1:8080\"", "127.0.0.1:8080\", timeouts: { head: 10sec }", "1:63", "such as 500ms, 60s"),
        ("127.0.0.1:1\"", "${APP}\"", "7:32", "${env:APP}"),
        ("127.0.0.1:1\"", "${env:NO_SUCH_VARIABLE}\"", "7:33", "\"NO_SUCH_VARIABLE\" is not set"),
        ("127.0.0.1:1\"", "127.0.0.1:65536\"", "7:32", "a port is a number from 1 to 65535"),
        ("proxy: app", "respond: { status: 200, body: \"$APP_NAME\" }", "6:39", "${env:APP_NAME}"),
        ("proxy: app", "proxy: ap", "6:16", "did you mean \"app\"?"),
        ("path: /*", "path: api/*", "5:15", "write `/api/*`"),
        ("path: /*", "path: ^~ api/*", "5:15", "write `^~ /api/*`"),
        ("path: /*", "path: { prefix: /api }", "5:15", "expected a text such as `/api`"),
        ("[a.test]", "[a.test, a.test]", "3:21", "is taken already"),
        ("[a.test]", "[https://a.test]", "3:13", "write only the name"),
        ("hosts:", "include: bifrons.yaml\nhosts:", "2:10", "remove this include"),
        ("clusters:", "clusters: { app: {} }\nclusters:", "8:1", "already set at"),
    ] {
        let text = GOOD.replace(old, new);
        assert_ne!(text, GOOD, "{old}");
        let (status, said, _) = check("bifrons.yaml", &text);
        assert_eq!(status, Some(1), "{new}: {said}");
        assert!(said.contains(told) && said.contains(&format!("bifrons.yaml:{place}\n")), "{new}: {said}");
    }
}

#[test]
fn three_mistakes_of_an_nginx_file_are_shown_at_once() {
    let text = "\
events { }
http {
    server {
        listen 80;
        serer_name x;
        location / { proxy_pass http://nobody_knows_it:80; frobnicate on; }
    }
    sendfil on;
}
";
    mistakes(
        "three.conf",
        text,
        &[
            ("5:9", "did you mean \"server_name\"?"),
            ("6:60", "unknown directive \"frobnicate\""),
            ("8:5", "did you mean \"sendfile\"?"),
        ],
    );
}

#[test]
fn the_line_is_shown_with_the_mistake_underlined() {
    let (_, said, _dir) = check("one.yaml", "listenerz: {}\n");
    assert!(said.contains("1 | listenerz: {}") && said.contains("^^^^^^^^^"), "{said}");
}

#[test]
fn a_good_file_passes_and_starts_nothing() {
    let text = "listeners: { web: { bind: \"127.0.0.1:1\" } }\nhosts: [{ default: true, routes: [{ path: /*, respond: x }] }]\n";
    let (code, said, _dir) = check("good.yaml", text);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_wrong_file_does_not_start() {
    let (status, log) = Proxy::yaml("listeners: { web: { bind: \"@web@\", limit: {} } }\n").fail();
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("did you mean \"limits\"?"), "{log}");
}

#[test]
fn a_taken_port_is_named() {
    let origin = Origin::saying("x");
    let (status, log) =
        Proxy::yaml("listeners: { web: { bind: \"@web@\" } }\n").with("web", origin.addr()).fail();
    assert_eq!(status.code(), Some(1));
    assert!(log.contains(&origin.addr().to_string()) && log.contains("in use"), "{log}");
}

#[test]
fn what_show_prints_runs_the_same() {
    let origin = Origin::echo();
    let yaml = r#"
workers: 1
listeners: { web: { bind: "@web@", server: { set: edge }, limits: { body: 10m } } }
hosts:
  - names: [test]
    default: true
    path: { policy: strict }
    routes:
      - { path: /app/*, match: { method: [GET] }, proxy: { cluster: app, replace_path: /, headers: { set: { X-A: $host } } } }
      - { path: "~ ^/r/(\\d+)", redirect: "/n?$1" }
      - { path: /x, respond: { status: 201, body: "x $uri" }, filters: [{ response_headers: { set: { X-B: "1" } } }] }
clusters: { app: { endpoints: [{ address: "@app@", weight: 2 }], balance: least_request } }
access_log: [{ to: stdout, format: combined }]
"#;
    let first = Proxy::yaml(yaml).with("app", origin.addr()).start();
    let shown = binary::run(&["show", first.file().to_str().unwrap()]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let web = first.value("web").to_owned();
    let answers = |proxy: &Proxy| {
        ["/app/y?z", "/r/5", "/x", "/a//b", "/none"].map(|path| {
            let mut answer = get(proxy, path);
            answer.fields.retain(|(name, _)| name != "Date");
            let via = |text: &str| {
                text.lines().filter(|line| !line.starts_with("Via")).collect::<Vec<_>>().join("\n")
            };
            answer.body = via(answer.text()).into_bytes();
            answer.fields.retain(|(name, _)| name != "Content-Length");
            answer
        })
    };
    let before = answers(&first);
    drop(first);
    let second = Proxy::yaml(&shown).ready_at(web.parse().unwrap()).with("web", web).start();
    assert_eq!(answers(&second), before);
    let again = binary::run(&["show", second.file().to_str().unwrap()]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), shown, "and is shown the same");
}

#[test]
fn values_come_from_the_environment_and_from_other_files() {
    let setup = Proxy::yaml(
        "include: routes.yaml\nworkers: 1\nlisteners: { web: { bind: \"${env:BIND}\" } }\n",
    )
    .file(
        "routes.yaml",
        "hosts: [{ default: true, routes: [{ path: /*, respond: \"${env:TEXT:-nothing said}\" }] }]\n",
    );
    let addr = bifrons_testkit::free_addr();
    let proxy = setup.env("BIND", &addr.to_string()).ready_at(addr).start();
    assert_eq!(bifrons_testkit::Wire::connect(addr).get("/").text(), "nothing said");
    drop(proxy);
}

#[test]
fn the_schema_describes_the_configuration() {
    let output = binary::run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys = schema["properties"].as_object().unwrap();
    for key in ["listeners", "hosts", "clusters", "access_log"] {
        assert!(keys.contains_key(key), "{key}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn ready_configurations_are_good() {
    let conf = concat!(env!("CARGO_MANIFEST_DIR"), "/../conf");
    let files = |dir: &str| {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries
            .filter(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "conf"))
            .collect::<Vec<_>>()
    };
    let all = [files(conf), files(&format!("{conf}/nginx"))].concat();
    assert!(all.len() > 3, "{all:?}");
    for path in all {
        let output = binary::run(&["check", path.to_str().unwrap()]);
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_proxy_without_a_file() {
    let (origin, addr) = (Origin::saying("one line"), bifrons_testkit::free_addr());
    let dir = TempDir::new();
    let mut child = std::process::Command::new(binary::bifrons())
        .args([
            "reverse-proxy",
            "--listen",
            &addr.to_string(),
            "--to",
            &origin.addr().to_string(),
            "--pid-file",
        ])
        .arg(dir.path().join("pid"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let text = bifrons_testkit::wait_for("it serves", || {
        let stream = std::net::TcpStream::connect(addr).ok()?;
        Some(bifrons_testkit::Wire::over(stream).get("/").text().to_owned())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(text, "one line");
}
