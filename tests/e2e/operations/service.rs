//! As a service: readiness told to systemd, sockets taken from it, privileges given up, clear words where that
//! is not possible.

use crate::support::front_setup;
use bifrons_testkit::{Origin, Proxy, TempDir, Wire, binary, free_addr, in_namespace, wait_for, wait_until};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

#[test]
fn systemd_is_told_what_happens() {
    let dir = TempDir::new();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(bifrons_testkit::wait::DEADLINE)).unwrap();
    let mut told = String::new();
    let mut wait = |word: &str| {
        while !told.contains(word) {
            let mut bytes = [0; 4096];
            let len = socket.recv(&mut bytes).unwrap_or_else(|err| panic!("no {word}: {err}; came {told:?}"));
            told.push_str(&String::from_utf8_lossy(&bytes[..len]));
            told.push('\n');
        }
        told.clear();
    };
    let origin = Origin::saying("ok");
    let setup = front_setup(&[origin.addr()], "", "", "app").env("NOTIFY_SOCKET", path.to_str().unwrap());
    let mut proxy = setup.start();
    wait("READY=1");
    proxy.signal("HUP");
    wait("RELOADING=1");
    proxy.signal("TERM");
    wait("STOPPING=1");
    assert_eq!(proxy.wait_exit().code(), Some(0));
}

/// Opens the socket as systemd would: descriptor 3, and the process id of whom it is for.
const ACTIVATE: &str = "import os,socket,sys\n\
    s=socket.socket();s.bind((sys.argv[1],int(sys.argv[2])));s.listen();\n\
    os.dup2(s.fileno(),3);os.set_inheritable(3,True)\n\
    os.environ.update(LISTEN_FDS='1',LISTEN_PID=str(os.getpid()))\n\
    os.execv(sys.argv[3],sys.argv[3:])\n";

#[test]
fn a_socket_of_systemd_is_taken() {
    let (dir, addr) = (TempDir::new(), free_addr());
    let config = dir.write(
        "bifrons.yaml",
        format!("listeners: {{ web: {{ bind: \"{addr}\" }} }}\nhosts: [{{ default: true, routes: [{{ path: /*, respond: activated }}] }}]\n"),
    );
    let started = Command::new("python3")
        .args(["-c", ACTIVATE, &addr.ip().to_string(), &addr.port().to_string()])
        .arg(binary::bifrons())
        .arg("run")
        .arg(&config)
        .arg("--pid-file")
        .arg(dir.path().join("pid"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = started else {
        println!("SKIPPED: python3 is not installed");
        return;
    };
    let text = wait_for("it serves", || {
        let stream = std::net::TcpStream::connect(addr).ok()?;
        Some(Wire::over(stream).get("/").text().to_owned())
    });
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // A second bind of the address would have failed, since this socket does not share it.
    assert_eq!((text.as_str(), ended), ("activated", None));
}

#[test]
fn privileges_are_given_up_after_binding() {
    in_namespace!("10.0.0.1");
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    if map.split_whitespace().nth(2).is_some_and(|count| count.parse::<u32>().unwrap() < 65536) {
        println!("SKIPPED: only root itself can become another user");
        return;
    }
    let yaml = "user: nobody\nworkers: 2\nlisteners: { web: { bind: \"10.0.0.1:80\" } }\n\
                hosts: [{ default: true, routes: [{ path: /*, respond: \"$pid\" }] }]\n";
    let proxy = Proxy::yaml(yaml).ready_at("10.0.0.1:80".parse().unwrap()).start();
    assert_eq!(Wire::connect("10.0.0.1:80".parse().unwrap()).get("/").text(), proxy.pid().to_string());
    for task in std::fs::read_dir(format!("/proc/{}/task", proxy.pid())).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let uids = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
        assert!(uids.split_whitespace().skip(1).all(|uid| uid != "0"), "a thread is still root: {uids}");
    }
}

#[test]
fn a_forbidden_port_is_explained() {
    let dir = TempDir::new();
    let config = dir.write("bifrons.yaml", "listeners: { web: { bind: \"127.0.0.1:81\" } }\n");
    std::process::Command::new("chmod").args(["-R", "a+rwX"]).arg(dir.path()).status().unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(binary::bifrons())
        .arg("run")
        .arg(&config)
        .arg("--pid-file")
        .arg(dir.path().join("pid"))
        .output();
    let Ok(output) = output else {
        println!("SKIPPED: setpriv is not installed");
        return;
    };
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    if log.contains("setpriv:") {
        println!("SKIPPED: {log}");
        return;
    }
    let low: u16 = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    if low <= 81 {
        println!("SKIPPED: every user may bind port 81 here");
        return;
    }
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("127.0.0.1:81") && log.contains("CAP_NET_BIND_SERVICE"), "{log}");
}

#[test]
fn a_unix_socket_can_be_listened_on() {
    use std::io::{Read, Write};
    let origin = Origin::echo();
    let yaml = "listeners: { web: { bind: [\"unix:@dir@/web.sock\", \"@web@\"] } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n\
                hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n";
    let mut proxy = Proxy::yaml(yaml).with("app", origin.addr()).start();
    let path = proxy.dir().path().join("web.sock");
    let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    client.write_all(b"GET /by-path HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("GET /by-path") && answer.contains("X-Forwarded-For: unix:"), "{answer}");
    proxy.signal("TERM");
    proxy.wait_exit();
    wait_until("the socket file is free again", || {
        UnixListener::bind(&path).is_ok() || std::fs::remove_file(&path).is_err()
    });
}

#[test]
fn an_ipv6_address_can_be_listened_on() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("SKIPPED: no IPv6 here");
        return;
    }
    let addr = format!("[::1]:{}", free_addr().port());
    let yaml = "listeners: { web: { bind: \"@web@\" } }\nhosts: [{ default: true, routes: [{ path: /*, respond: \"$remote_addr $host\" }] }]\n";
    let proxy = Proxy::yaml(yaml).with("web", &addr).start();
    assert_eq!(proxy.client().ask(&format!("GET / HTTP/1.1\r\nHost: {addr}\r\n\r\n")).text(), "::1 [::1]");
}
