//! A whole nginx.conf as people write it, with HTTPS on port 443 and a redirect on port 80: as it is, in a
//! network and a mount of its own, under Debian's nginx and under the proxy.

use bifrons_testkit::proxy::listens;
use bifrons_testkit::{Authority, KeyKind, Message, Origin, Proxy, TempDir, in_namespace, wait_until};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const CONF: &str = include_str!("myapp.conf");
/// The same with its cache lines.
const CACHED: &str = include_str!("myapp-cache.conf");
const BACKENDS: [&str; 2] = ["10.0.1.10:3000", "10.0.1.11:3000"];
/// The client's address, which is one that a proxy could come from.
const CLIENT: &str = "198.51.100.7";

#[test]
fn the_file_runs_as_it_is() {
    in_namespace!("10.0.1.10", "10.0.1.11", "198.51.100.7");
    let place = TempDir::new();
    let ca = mount(&place);
    let file = place.write("myapp.conf", CONF);
    let origins = BACKENDS.map(|addr| {
        Origin::serve_at(addr.parse().unwrap(), move |request| {
            let field = |name: &str| request.field(name).unwrap_or("-").to_owned();
            let body =
                format!("{addr} {} host={} real={}", request.target(), field("Host"), field("X-Real-IP"));
            ok(&body)
        })
    });
    let client = Client { ca: ca.display().to_string() };
    let reached = |path: &str, before: &[usize; 2]| {
        let of_path = |origin: &Origin| {
            origin.requests().iter().filter(|request| request.target().starts_with(path)).count()
        };
        [0, 1].map(|at| of_path(&origins[at]) - before[at])
    };
    let run = |who: &str| {
        let before = ["/static/", "/api/"].map(|path| (path, reached(path, &[0, 0])));
        client.check(who);
        for (path, before) in before {
            let reached = reached(path, &before);
            assert!(reached.iter().all(|&count| count > 0), "{who}: {path} reached the backends {reached:?}");
        }
    };
    match nginx(&place, &file) {
        Some(mut nginx) => {
            run("nginx");
            nginx.kill().unwrap();
            nginx.wait().unwrap();
        }
        None => println!("SKIPPED: nginx is not installed: what it does with the file is not looked at"),
    }
    let _proxy = Proxy::of_file(&file).ready_at(web(443)).start();
    run("bifrons");
}

#[test]
fn the_file_with_its_cache_runs_as_it_is() {
    in_namespace!("10.0.1.10", "10.0.1.11", "198.51.100.7");
    let place = TempDir::new();
    let ca = mount(&place);
    let file = place.write("myapp.conf", CACHED);
    let _origins = BACKENDS.map(|addr| Origin::serve_at(addr.parse().unwrap(), |_| ok("hello")));
    let client = Client { ca: ca.display().to_string() };
    let ask = |path: &str| {
        let said = client.curl(&["-D", "-", &format!("https://myapp.com{path}")]);
        assert!(said.starts_with("HTTP/2 200") && said.ends_with("hello"), "{path}: {said}");
        let status = said
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("x-cache-status: ").map(str::to_owned));
        status.unwrap_or_default()
    };

    let mut proxy = Proxy::of_file(&file).ready_at(web(443)).start();
    assert_eq!([ask("/static/b.js"), ask("/static/b.js"), ask("/static/b.js")], ["miss", "hit", "hit"]);
    assert_eq!([ask("/api/x"), ask("/api/x")], ["", ""]);
    proxy.signal("TERM");
    proxy.wait_exit();

    let _proxy = Proxy::of_file(&file).ready_at(web(443)).start();
    assert_eq!([ask("/static/b.js"), ask("/api/x")], ["hit", ""]);
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn web(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Certificate and key where the file looks for them; this process and its children alone see that. Gives the
/// authority's file.
fn mount(place: &TempDir) -> std::path::PathBuf {
    let authority = Authority::new("Test CA");
    let pair = authority.issue(&["myapp.com"], KeyKind::Ecdsa);
    place.write("ssl/certs/myapp.com.crt", &pair.cert);
    place.write("ssl/private/myapp.com.key", &pair.key);
    for (from, to) in [("ssl", "/etc/ssl"), ("log", "/var/log/nginx"), ("cache", "/var/cache")] {
        let from = place.path().join(from);
        std::fs::create_dir_all(&from).unwrap();
        if Path::new(to).is_dir() {
            let done = Command::new("mount").arg("--bind").arg(&from).arg(to).status().unwrap();
            assert!(done.success(), "mount {} at {to}", from.display());
        }
    }
    place.write("ca.crt", &authority.pem)
}

/// Debian's nginx with the file, which it wants an `events` block beside.
fn nginx(place: &TempDir, file: &Path) -> Option<Child> {
    let root = place.path().display();
    let main = place.write("nginx.conf", format!("events {{}}\ninclude {};\n", file.display()));
    let mut child = Command::new("nginx")
        .args(["-e", &format!("{root}/error.log"), "-p", &root.to_string(), "-c"])
        .arg(main)
        .args(["-g", &format!("daemon off; master_process off; pid {root}/nginx.pid;")])
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    wait_until("nginx listens", || {
        if let Ok(Some(_)) = child.try_wait() {
            panic!("nginx: {}", std::fs::read_to_string(place.path().join("error.log")).unwrap_or_default());
        }
        listens(SocketAddr::from(([0, 0, 0, 0], 443)))
    });
    Some(child)
}

struct Client {
    ca: String,
}

impl Client {
    /// Everything that a client sees, which is the same with both servers.
    fn check(&self, who: &str) {
        self.redirects(who);
        self.versions(who);
        for _ in 0..10 {
            self.paths(who);
        }
        let said = self.curl(&["-w", " %{http_code}", "-o", "/dev/null", "https://myapp.com/else"]);
        assert_eq!(said, " 404", "{who}: no location");
    }

    fn redirects(&self, who: &str) {
        let mut wire = bifrons_testkit::Wire::connect(web(80));
        let answer: Message = wire.ask("GET /api/x?y=1 HTTP/1.1\r\nHost: myapp.com\r\n\r\n");
        assert_eq!(
            (answer.status(), answer.field("Location")),
            (301, Some("https://myapp.com/api/x?y=1")),
            "{who}"
        );
        let said = self.curl(&["-L", "-w", " %{num_redirects} %{scheme}", "http://myapp.com/static/a.css"]);
        assert!(said.ends_with(" 1 HTTPS") && said.contains(" /static/a.css "), "{who}: {said}");
    }

    fn versions(&self, who: &str) {
        for (args, version, http) in [
            (&["--tls-max", "1.2", "--http2"][..], "TLSv1.2", "2"),
            (&["--tls-max", "1.2", "--http1.1"], "TLSv1.2", "1.1"),
            (&["--tlsv1.3", "--http2"], "TLSv1.3", "2"),
            (&["--tlsv1.3", "--http1.1"], "TLSv1.3", "1.1"),
        ] {
            let args = [args, &["-v", "-w", " %{http_version}", "https://myapp.com/api/x"]].concat();
            let (out, err) = self.run(&args);
            assert!(out.ends_with(&format!(" {http}")), "{who}: {args:?}: {out}{err}");
            assert!(err.contains(&format!("SSL connection using {version}")), "{who}: {args:?}: {err}");
        }
        for (version, is_there) in
            [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)]
        {
            // Without its own objections, so that it is the server that refuses.
            let output = Command::new("openssl")
                .args(["s_client", "-connect", "127.0.0.1:443", "-servername", "myapp.com", version])
                .args(["-cipher", "ALL:@SECLEVEL=0"])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert_eq!(text.contains("-----BEGIN CERTIFICATE-----"), is_there, "{who}: {version}: {text}");
            // `protocol_version` or `handshake_failure`.
            assert_eq!(text.contains("SSL alert number"), !is_there, "{who}: {version}: {text}");
        }
    }

    fn paths(&self, who: &str) {
        let args = ["--interface", CLIENT];
        let said = self.curl(&[&args[..], &["https://myapp.com/static/app.js?v=1"]].concat());
        assert!(said.ends_with(" /static/app.js?v=1 host=app_servers real=-"), "{who}: {said}");
        let said = self.curl(&[&args[..], &["https://myapp.com/api/users?id=7"]].concat());
        assert!(said.ends_with(&format!(" /api/users?id=7 host=myapp.com real={CLIENT}")), "{who}: {said}");
    }

    fn curl(&self, args: &[&str]) -> String {
        self.run(args).0
    }

    /// curl's output and what it tells of; it must be content with the certificate.
    fn run(&self, args: &[&str]) -> (String, String) {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "20", "--cacert", &self.ca])
            .args(["--resolve", "myapp.com:80:127.0.0.1", "--resolve", "myapp.com:443:127.0.0.1"])
            .args(args)
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "curl {args:?}: {err}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), err)
    }
}
