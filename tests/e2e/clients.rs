//! Programs that others wrote, on both sides: curl and wrk in front, nginx behind.

use crate::support::front;
use bifrons_testkit::proxy::{listens, signal_to};
use bifrons_testkit::{Origin, Proxy, TempDir, free_addr, wait_until};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Output of a program; `None`, said so, where it is not installed.
pub(crate) fn run(program: &str, args: &[&str]) -> Option<String> {
    match Command::new(program).args(args).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{program}: {text}{}", String::from_utf8_lossy(&output.stderr));
            Some(text)
        }
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIPPED: {program} is not installed");
            None
        }
        Err(err) => panic!("{program}: {err}"),
    }
}

/// Debian's nginx in front of nothing, with files and an echo of what it got.
struct Nginx {
    pid: u32,
    child: std::process::Child,
    addr: SocketAddr,
    _dir: TempDir,
}

impl Nginx {
    fn start() -> Option<Self> {
        let (dir, addr) = (TempDir::new(), free_addr());
        let root = dir.path().display().to_string();
        dir.write("www/big.bin", crate::support::pattern(1 << 20));
        let conf = format!(
            "daemon off; pid {root}/pid; error_log {root}/error.log; worker_processes 1; user root;\n\
             events {{ }}\n\
             http {{ access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;\n\
             fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;\n\
             keepalive_requests 5;\n\
             server {{ listen {addr}; root {root}/www; chunked_transfer_encoding on;\n\
             location /told {{ return 200 \"$request_method $request_uri $http_host $http_x_forwarded_for\"; }} }} }}\n"
        );
        let path = dir.write("nginx.conf", conf);
        let started = Command::new("nginx")
            .arg("-c")
            .arg(&path)
            .arg("-p")
            .arg(dir.path())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            println!("SKIPPED: nginx is not installed");
            return None;
        };
        wait_until("nginx listens", || listens(addr));
        Some(Self { pid: child.id(), child, addr, _dir: dir })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        signal_to(self.pid, "TERM");
        let _ = self.child.wait();
    }
}

fn before(addr: SocketAddr) -> Proxy {
    crate::support::front_setup(&[addr], "", "", "app").start()
}

#[test]
fn curl_through_us_to_nginx() {
    let Some(nginx) = Nginx::start() else { return };
    let proxy = before(nginx.addr);
    let url = |path: &str| format!("http://{}{path}", proxy.addr("web"));
    let Some(told) = run("curl", &["-s", "-H", "Host: shop.test", &url("/told?x=1")]) else { return };
    assert_eq!(told, "GET /told?x=1 shop.test 127.0.0.1");
    let range = run(
        "curl",
        &[
            "-s",
            "-r",
            "1000-1999",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{size_download}",
            &url("/big.bin"),
        ],
    );
    assert_eq!(range.unwrap(), "206 1000");
    // Several on one connection, one of them a HEAD.
    let urls = [&url("/big.bin"), &url("/big.bin"), &url("/none")];
    let codes = run(
        "curl",
        &[
            "-s",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code},%{size_download},%{num_connects} ",
            urls[0],
            urls[1],
            urls[2],
        ],
    );
    let codes = codes.unwrap();
    assert!(
        codes.starts_with("200,1048576,1 200,1048576,0 404,") && codes.trim_end().ends_with(",0"),
        "{codes}"
    );
    assert!(run("curl", &["-sI", &url("/big.bin")]).unwrap().contains("Content-Length: 1048576"));
}

#[test]
fn curl_uploads_with_and_without_a_length() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let url = format!("http://{}/up", proxy.addr("web"));
    let dir = TempDir::new();
    // Large enough for curl to say `Expect: 100-continue`; the origin answers the body straight away.
    let file = dir.write("body", crate::support::pattern(2 << 20));
    let data = format!("@{}", file.display());
    for more in [&["-H", "Expect:"][..], &["-H", "Transfer-Encoding: chunked", "-H", "Expect:"]] {
        let args = [&["-s", "-o", "/dev/null", "-w", "%{http_code}", "--data-binary", &data, &url][..], more]
            .concat();
        let Some(code) = run("curl", &args) else { return };
        assert_eq!(code, "200");
    }
    assert!(origin.requests().iter().all(|request| request.body == crate::support::pattern(2 << 20)));
}

#[test]
fn curl_upgrades_to_a_websocket() {
    let origin = Origin::script(|wire| {
        wire.read_head();
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello from behind");
    });
    let proxy = front(&origin);
    let url = format!("http://{}/ws", proxy.addr("web"));
    let fields =
        ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"];
    let mut args = vec!["-s", "-i", "--max-time", "10", &url];
    fields.iter().for_each(|field| args.extend(["-H", field]));
    let Ok(output) = Command::new("curl").args(args).output() else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("HTTP/1.1 101") && text.ends_with("hello from behind"), "{text}");
}

#[test]
fn wrk_finds_no_errors() {
    let Some(nginx) = Nginx::start() else { return };
    let proxy = before(nginx.addr);
    let url = format!("http://{}/told", proxy.addr("web"));
    // nginx closes each connection after five requests: kept ones die all the time.
    let Some(report) = run("wrk", &["-t", "1", "-c", "32", "-d", "2s", &url]) else { return };
    assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
    assert!(report.contains("Requests/sec"), "{report}");
}

#[test]
fn our_own_origin_through_the_proxy() {
    let (addr, dir) = (free_addr(), TempDir::new());
    let mut child = Command::new(bifrons_testkit::binary::bifrons())
        .args(["origin", "--listen", &addr.to_string(), "--name", "one"])
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the origin listens", || listens(addr));
    let proxy = before(addr);
    let mut client = proxy.client();
    let sizes = [("/bytes/100", 100), ("/bytes/1m", 1 << 20), ("/chunked/64k", 64 << 10), ("/drip/5/1", 5)];
    let got: Vec<_> = sizes.iter().map(|(path, _)| client.get(path).body.len()).collect();
    let status = client.get("/status/503").status();
    let told: serde_json::Value = serde_json::from_slice(&client.get("/anything?a=b").body).unwrap();
    client.send("GET /close HTTP/1.1\r\nHost: test\r\n\r\n");
    let cut = client.read_cut_response().message.unwrap().body.len();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(got, sizes.map(|(_, size)| size));
    assert_eq!((status, told["target"].as_str(), cut), (503, Some("/anything?a=b"), 100));
}
