//! `upstream`: where keys go, sessions that stay, requests that wait, servers that are checked.

use bifrons_testkit::{Message, Origin, Proxy, wait_until};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

/// The servers of the next tests: one a port, each says its name.
fn servers(count: usize) -> Vec<Origin> {
    (0..count).map(|number| Origin::saying(&number.to_string())).collect()
}

fn server_lines(servers: &[Origin], weights: &[&str]) -> String {
    let line = |(server, weight): (&Origin, &&str)| format!("server {} {weight};\n", server.addr());
    servers.iter().zip(weights).map(line).collect()
}

/// nginx with that `http` block; ended when dropped.
struct Nginx {
    child: Child,
    _dir: bifrons_testkit::TempDir,
}

impl Nginx {
    /// `None` where there is no nginx on this machine.
    fn start(http: &str, addr: SocketAddr) -> Option<Self> {
        let dir = bifrons_testkit::TempDir::new();
        let path = dir.path().display();
        let temps: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {path}/{name};\n"))
            .concat();
        let conf = format!(
            "daemon off; worker_processes 1; pid {path}/pid; error_log {path}/log;\nevents {{}}\n\
             http {{ access_log off;\n{temps}{http} }}\n"
        );
        let file = dir.write("nginx.conf", conf);
        let child = Command::new("/usr/sbin/nginx")
            .arg("-c")
            .arg(file)
            .arg("-p")
            .arg(dir.path())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        wait_until("nginx listens", || bifrons_testkit::proxy::listens(addr));
        Some(Self { child, _dir: dir })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        bifrons_testkit::proxy::signal_to(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

/// Which server each of so many keys goes to, over one connection.
fn placement(addr: SocketAddr, keys: usize) -> Vec<String> {
    let mut client = bifrons_testkit::Wire::connect(addr);
    let get = |key: usize| client.get(&format!("/?k=key-{}", key * 7_919)).text().to_owned();
    (0..keys).map(get).collect()
}

#[test]
fn a_thousand_keys_are_where_nginx_has_them() {
    let servers = servers(5);
    let lines = server_lines(&servers, &["", "weight=3", "weight=2", "", "weight=5"]);
    for hash in ["hash $arg_k;", "hash $arg_k consistent;"] {
        let (ours, theirs) = (bifrons_testkit::free_addr(), bifrons_testkit::free_addr());
        let http = |addr: SocketAddr| {
            format!(
                "upstream app {{ {hash} {lines} }}\n\
                 server {{ listen {addr}; location / {{ proxy_pass http://app; }} }}"
            )
        };
        let Some(_nginx) = Nginx::start(&http(theirs), theirs) else {
            eprintln!("no nginx here: nothing is compared");
            return;
        };
        let _proxy = Proxy::nginx(&format!("http {{ {} }}", http(ours))).ready_at(ours).start();
        let (got, want) = (placement(ours, 1_000), placement(theirs, 1_000));
        assert_eq!(got, want, "{hash}");
        assert!(servers.len() == got.iter().collect::<std::collections::HashSet<_>>().len(), "all are used");
    }
}

fn upstream(servers: &str, location: &str) -> String {
    format!(
        "worker_processes 2; http {{ upstream app {{ {servers} }}\n\
         server {{ listen @web@; location / {{ proxy_pass http://app; {location} }} }} }}"
    )
}

#[test]
fn a_cookie_leads_back_to_the_server_that_set_it() {
    let servers = servers(3);
    let lines = server_lines(&servers, &["", "route=b", "drain route=c"]);
    let sticky = "sticky cookie srv expires=1h domain=.example.org path=/ httponly secure samesite=lax;";
    let proxy = Proxy::nginx(&upstream(&format!("{lines}{sticky}"), "")).start();
    let mut by_server = std::collections::HashMap::new();
    for _ in 0..8 {
        let answer = proxy.client().get("/");
        let cookie = answer.field("Set-Cookie").expect("a cookie").to_owned();
        by_server.insert(answer.text().to_owned(), cookie);
    }
    assert_eq!(by_server.len(), 2, "the one that drains takes nobody new: {by_server:?}");
    assert!(by_server["1"].starts_with("srv=b; expires="), "{by_server:?}");
    assert!(by_server["1"].ends_with("; domain=.example.org; path=/; httponly; secure; samesite=Lax"));
    let with = |cookie: &str| {
        proxy.client().ask(&format!("GET / HTTP/1.1\r\nHost: test\r\nCookie: a=b; srv={cookie}\r\n\r\n"))
    };
    let id = by_server["0"].split([';', '=']).nth(1).unwrap();
    assert_eq!(id.len(), 32, "MD5 of the address: {id}");
    for (cookie, server) in [(id, "0"), ("b", "1"), ("c", "2")] {
        for _ in 0..4 {
            let answer = with(cookie);
            assert_eq!((answer.text(), answer.has("Set-Cookie")), (server, false));
        }
    }
    servers[1].stop();
    let elsewhere = with("b");
    assert!(elsewhere.text() == "0" && elsewhere.has("Set-Cookie"), "{elsewhere:?}");
}

#[test]
fn a_route_is_named_by_the_first_variable_that_is_there() {
    let servers = servers(2);
    let lines = server_lines(&servers, &["route=a", "route=b"]);
    let proxy = Proxy::nginx(&upstream(&format!("{lines}sticky route $arg_r $cookie_r;"), "")).start();
    let get = |path: &str, cookie: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nCookie: r={cookie}\r\n\r\n");
        proxy.client().ask(&request).text().to_owned()
    };
    for _ in 0..3 {
        assert_eq!((get("/?r=b", "a"), get("/", "a"), get("/", "b")), ("1".into(), "0".into(), "1".into()));
    }
}

#[test]
fn sessions_are_learnt_from_answers() {
    let answer = |number: usize| {
        Origin::serve(move |request: &Message| {
            let cookie = if request.target() == "/login" {
                format!("Set-Cookie: s=u{number}\r\n")
            } else {
                String::new()
            };
            format!("HTTP/1.1 200 OK\r\n{cookie}X-Session: u{number}\r\nContent-Length: 1\r\n\r\n{number}")
                .into_bytes()
        })
    };
    let servers = [answer(0), answer(1)];
    let lines = server_lines(&servers, &["", ""]);
    let learn = "sticky learn create=$upstream_http_x_session lookup=$cookie_s zone=sessions:1m timeout=1h;";
    let proxy = Proxy::nginx(&upstream(&format!("{lines}{learn}"), "")).start();
    let (first, second) = (proxy.client().get("/login"), proxy.client().get("/login"));
    assert_ne!(first.text(), second.text());
    for session in [first, second] {
        for _ in 0..4 {
            let cookie = format!("GET / HTTP/1.1\r\nHost: test\r\nCookie: s=u{}\r\n\r\n", session.text());
            assert_eq!(proxy.client().ask(&cookie).text(), session.text());
        }
    }
}

const ADMIN: &str = "admin: { bind: \"@admin@\" }\nlisteners: { web: { bind: \"@web@\" } }\n\
                     hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n";

#[track_caller]
fn admin(proxy: &Proxy, path: &str) -> String {
    proxy.client_to("admin").get(path).text().to_owned()
}

#[test]
fn requests_wait_for_a_server_that_is_busy() {
    let (release, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::serve(move |_| {
        wait.lock().unwrap().recv().unwrap();
        bifrons_testkit::origin::ok("done")
    });
    let endpoints = format!("[{{ address: \"{}\", max_conns: 1 }}]", origin.addr());
    let proxy = Proxy::yaml(&format!(
        "{ADMIN}clusters: {{ app: {{ endpoints: {endpoints}, queue: {{ requests: 1, timeout: 1m }} }} }}\n"
    ))
    .start();
    let (mut first, mut second) = (proxy.client(), proxy.client());
    first.send("GET /1 HTTP/1.1\r\nHost: test\r\n\r\n");
    wait_until("the first is there", || origin.connections() == 1);
    second.send("GET /2 HTTP/1.1\r\nHost: test\r\n\r\n");
    let both = "bifrons_requests_active{listener=\"web\"} 2";
    wait_until("the second waits", || admin(&proxy, "/metrics").contains(both));
    assert_eq!(proxy.client().get("/3").status(), 503, "the queue has one place");
    release.send(()).unwrap();
    assert_eq!(first.read_response().text(), "done");
    release.send(()).unwrap();
    assert_eq!(second.read_response().text(), "done");
}

/// A server whose health is switched from outside; it answers checks and requests on connections of their own.
fn moody(well: Arc<AtomicBool>) -> Origin {
    Origin::serve(move |request: &Message| {
        let is_check = request.target() == "/healthz";
        match well.load(Ordering::SeqCst) || !is_check {
            true => bifrons_testkit::origin::ok("all is well"),
            false => b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec(),
        }
    })
}

#[test]
fn active_checks_take_servers_out_and_let_them_back() {
    let well = Arc::new(AtomicBool::new(true));
    let (moody, steady) = (moody(well.clone()), moody(Arc::new(AtomicBool::new(true))));
    let check = "{ path: /healthz, interval: 50ms, unhealthy: 2, healthy: 2, \
                 expect: { status: [\"200\"], headers: { Content-Length: { is: \"11\" } }, body: well } }";
    let endpoints = format!("[\"{}\", \"{}\"]", moody.addr(), steady.addr());
    let proxy = Proxy::yaml(&format!(
        "{ADMIN}clusters: {{ app: {{ endpoints: {endpoints}, health_check: {check} }} }}\n"
    ))
    .start();
    let states = || {
        let clusters = admin(&proxy, "/clusters");
        let clusters: serde_json::Value = serde_json::from_str(&clusters).unwrap();
        let endpoints = clusters[0]["endpoints"].as_array().unwrap().clone();
        endpoints.iter().map(|endpoint| endpoint["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["up", "up"]);
    well.store(false, Ordering::SeqCst);
    proxy.wait_log("endpoint unhealthy");
    assert_eq!(states(), ["unhealthy", "up"]);
    let before = moody.requests().iter().filter(|request| request.target() == "/").count();
    for _ in 0..6 {
        assert_eq!(proxy.client().get("/").status(), 200);
    }
    assert_eq!(moody.requests().iter().filter(|request| request.target() == "/").count(), before);
    well.store(true, Ordering::SeqCst);
    proxy.wait_log("endpoint healthy");
    wait_until("it serves again", || {
        proxy.client().get("/");
        moody.requests().iter().filter(|request| request.target() == "/").count() > before
    });
    let metrics = admin(&proxy, "/metrics");
    assert!(metrics.contains("bifrons_upstream_health_changes_total{cluster=\"app\"} 2"), "{metrics}");
    let checks = moody.requests().into_iter().find(|request| request.target() == "/healthz").unwrap();
    assert_eq!((checks.field("Host"), checks.field("Connection")), (Some("app"), Some("close")));
}

#[test]
fn with_mandatory_checks_nobody_serves_before_the_first() {
    // Accepts, and answers only when it is let.
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let (go, wait) = mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut check, _) = listener.accept().unwrap();
        wait.recv().unwrap();
        let _ = check.read(&mut [0; 1024]);
        check.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        listener
    });
    let proxy = Proxy::yaml(&format!(
        "listeners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}] }}]\n\
         clusters: {{ app: {{ endpoints: [\"{addr}\"], health_check: {{ interval: 1h, timeout: 1m, mandatory: true }} }} }}\n"
    ))
    .start();
    assert_eq!(proxy.client().get("/").status(), 502, "not yet");
    go.send(()).unwrap();
    proxy.wait_log("endpoint healthy");
    drop(server.join().unwrap());
}

#[test]
fn the_time_to_the_last_byte_counts_though_the_endpoint_is_free_then() {
    let fast = Origin::saying("fast");
    let slow = Origin::script(|wire| {
        wire.read_head();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl");
        std::thread::sleep(std::time::Duration::from_millis(300));
        wire.send("ow");
    });
    let proxy = Proxy::nginx(
        "worker_processes 1;\nhttp { upstream app { least_time last_byte; server @slow@; server @fast@; }\n\
         server { listen @web@; location / { proxy_pass http://app; } } }",
    )
    .with("slow", slow.addr())
    .with("fast", fast.addr())
    .start();
    let get = || proxy.client().get("/").text().to_owned();
    wait_until("both are known", || get() == "slow");
    assert_eq!(get(), "fast");
    for _ in 0..5 {
        assert_eq!(get(), "fast");
    }
}
