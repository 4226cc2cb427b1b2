//! The process as the system sees it: users, systemd, files, sockets. What a client sees of reloads, stops and
//! upgrades is in tests/e2e/operations.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use bifrons_testkit::origin::ok;
use bifrons_testkit::proxy::signal_to;
use bifrons_testkit::{Origin, Proxy, TempDir, Wire, free_addr, wait_for, wait_until};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

const ONE_ROUTE: &str = "hosts: [{ default: true, routes: [{ path: /*, respond: \"$pid\" }] }]\n";

/// The value of a line of /proc/PID/status.
fn status(pid: u32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap().trim().to_owned()
}

fn is_root() -> bool {
    status(std::process::id(), "Uid").starts_with('0')
}

#[test]
fn root_is_given_up_but_for_low_ports() {
    if !is_root() {
        return;
    }
    // Port 0 is any; what matters is who asks.
    let config = format!(
        "user: nobody\nworkers: 2\naccess_log: \"@dir@/access.log\"\nerror_log: {{ to: \"@dir@/error.log\" }}\n\
         listeners: {{ web: {{ bind: \"@web@\" }} }}\n{ONE_ROUTE}"
    );
    let mut proxy = Proxy::yaml(&config).own_binary().start();
    let threads = std::fs::read_dir(format!("/proc/{}/task", proxy.pid())).unwrap();
    for thread in threads {
        let tid: u32 = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
        assert!(status(tid, "Uid").split_whitespace().all(|uid| uid == "65534"), "{}", status(tid, "Uid"));
        assert!(status(tid, "Gid").split_whitespace().all(|gid| gid == "65534"), "{}", status(tid, "Gid"));
        assert_eq!(u64::from_str_radix(&status(tid, "CapPrm"), 16).unwrap() & !(1 << 10), 0);
    }
    for name in ["access.log", "error.log", "pid"] {
        let meta = std::fs::metadata(proxy.dir().path().join(name)).unwrap();
        assert_eq!(meta.uid(), 65534, "{name}");
    }
    // A reload and an upgrade work as that user.
    std::fs::set_permissions(proxy.dir().path(), PermissionsExt::from_mode(0o755)).unwrap();
    proxy.signal("HUP");
    wait_until("the reload is logged", || proxy.dir().read("error.log").contains("taken"));
    proxy.signal("USR2");
    assert_eq!(proxy.wait_exit().code(), Some(0));
    let second = proxy.serving_pid().unwrap();
    assert_eq!(proxy.client().get("/").text(), second.to_string());
    assert!(status(second, "Uid").starts_with("65534"));
    // The files of the user are his to open again.
    let access = proxy.dir().path().join("access.log");
    wait_until("two records", || std::fs::read_to_string(&access).unwrap().lines().count() == 1);
    signal_to(second, "TERM");
    wait_until("the second has ended", || proxy.processes().is_empty());
}

#[test]
fn systemd_passes_a_socket_and_is_told() {
    let dir = TempDir::new();
    let notify = dir.path().join("notify.sock");
    let systemd = UnixDatagram::bind(&notify).unwrap();
    systemd.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let config = format!("workers: 2\nlisteners: {{ web: {{ bind: \"{addr}\" }} }}\n{ONE_ROUTE}");
    let file = dir.write("proxy.yaml", config);
    // A client that came before the proxy did.
    let mut early = Wire::connect(addr);
    early.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg("exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" run \"$1\" --pid-file \"$1.pid\"")
        .arg(bifrons_testkit::binary::bifrons())
        .arg(&file)
        .env("NOTIFY_SOCKET", &notify)
        .stdin(OwnedFd::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let told = |what: &str| {
        wait_for(what, || {
            let mut bytes = [0; 1024];
            let len = systemd.recv(&mut bytes).ok()?;
            let text = String::from_utf8_lossy(&bytes[..len]).into_owned();
            text.lines().any(|line| line == what).then_some(text)
        })
    };
    let ready = told("READY=1");
    assert!(ready.contains(&format!("MAINPID={}", child.id())), "{ready}");
    assert_eq!(early.read_response().text(), child.id().to_string());
    signal_to(child.id(), "HUP");
    assert!(told("RELOADING=1").contains("MONOTONIC_USEC="));
    told("READY=1");
    signal_to(child.id(), "TERM");
    told("STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn endpoints_may_be_names() {
    // `localhost` is 127.0.0.1, and other tests' origins have addresses of their own.
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _origin = Origin::serve_at(addr, |_| ok("found"));
    let port = addr.port();
    let config = format!(
        "listeners: {{ web: {{ bind: \"@web@\" }} }}\nclusters: {{ app: {{ endpoints: [\"localhost:{port}\"] }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}] }}]\n"
    );
    let mut proxy = Proxy::yaml(&config).start();
    assert_eq!(proxy.client().get("/").text(), "found");
    // The addresses stay over a reload, and a name that is new is resolved before it is needed.
    proxy.rewrite(&config.replace("app: {", "two: { endpoints: [\"localhost:1\"] }, app: {"));
    proxy.signal("HUP");
    proxy.wait_log("taken");
    assert_eq!(proxy.client().get("/").text(), "found");
}

#[test]
fn two_processes_do_not_share_a_pid_file() {
    let config = format!("listeners: {{ web: {{ bind: \"@web@\" }} }}\n{ONE_ROUTE}");
    let proxy = Proxy::yaml(&config).start();
    let other = proxy.dir().write("other.yaml", config.replace("@web@", &free_addr().to_string()));
    let pid_file = proxy.dir().path().join("pid");
    let output = bifrons_testkit::binary::run(&[
        "run",
        other.to_str().unwrap(),
        "--pid-file",
        pid_file.to_str().unwrap(),
    ]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&format!("is already running: process {}", proxy.pid())), "{text}");
    assert_eq!(proxy.serving_pid(), Some(proxy.pid()));
}

#[test]
fn the_error_log_is_opened_again() {
    let config = format!(
        "error_log: {{ to: error.log, json: true }}\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n{ONE_ROUTE}"
    );
    let proxy = Proxy::yaml(&config).start();
    let dir = proxy.dir().path();
    wait_until("a first line", || proxy.dir().read("error.log").contains("\"serving\""));
    std::fs::rename(dir.join("error.log"), dir.join("error.log.1")).unwrap();
    proxy.signal("USR1");
    wait_until("a new file", || dir.join("error.log").exists());
    wait_until("a line in it", || proxy.dir().read("error.log").contains("log files opened again"));
}

#[test]
fn the_admin_server_goes_over_to_the_new_process() {
    let config =
        format!("admin: {{ bind: \"@admin@\" }}\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n{ONE_ROUTE}");
    let mut proxy = Proxy::yaml(&config).start();
    assert_eq!(proxy.client_to("admin").get("/readyz").text(), "ok\n");
    proxy.signal("USR2");
    assert_eq!(proxy.wait_exit().code(), Some(0));
    assert_eq!(proxy.client_to("admin").get("/readyz").text(), "ok\n");
}

#[test]
fn connections_that_wait_in_the_kernel_are_served_before_the_end() {
    let config = format!("workers: 2\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n{ONE_ROUTE}");
    let mut proxy = Proxy::yaml(&config).start();
    proxy.signal("STOP");
    let mut clients: Vec<Wire> = (0..20).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    proxy.signal("TERM");
    proxy.signal("CONT");
    for client in &mut clients {
        assert_eq!(client.read_response().status(), 200);
    }
    assert_eq!(proxy.wait_exit().code(), Some(0));
}

#[test]
fn any_free_port_will_do() {
    let dir = TempDir::new();
    let config = format!("workers: 3\nlisteners: {{ web: {{ bind: \"127.0.0.1:0\" }} }}\n{ONE_ROUTE}");
    let log = dir.path().join("error.log");
    let file = dir.write("proxy.yaml", format!("error_log: {{ to: error.log }}\n{config}"));
    let mut child = Command::new(bifrons_testkit::binary::bifrons())
        .args(["run", file.to_str().unwrap(), "--pid-file", dir.path().join("pid").to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let port: u16 = wait_for("the port is logged", || {
        let text = std::fs::read_to_string(&log).ok()?;
        let (_, rest) = text.split_once("address=127.0.0.1:")?;
        rest.split_whitespace().next()?.parse().ok()
    });
    for _ in 0..10 {
        let mut client = Wire::connect(([127, 0, 0, 1], port).into());
        assert_eq!(client.get("/").text(), child.id().to_string());
    }
    signal_to(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_websocket_lives_on_in_the_old_process_up_to_the_deadline() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_request();
        wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        for _ in 0..3 {
            let bytes = wire.read_exact(5);
            wire.send(bytes);
        }
        wire.read_end();
    });
    let config = "shutdown: { timeout: 2s }\nlisteners: { web: { bind: \"@web@\" } }\n\
         clusters: { app: { endpoints: [\"@app@\"] } }\n\
         hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n";
    let mut proxy = Proxy::yaml(config).with("app", origin.addr()).start();
    let mut client = proxy.client();
    client.send("GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.read_head().status(), 101);
    proxy.signal("USR2");
    proxy.wait_log("draining");
    for _ in 0..3 {
        client.send("hello");
        assert_eq!(client.read_exact(5), b"hello");
    }
    assert!(proxy.is_running());
    client.read_end();
    assert_eq!(proxy.wait_exit().code(), Some(0));
}
