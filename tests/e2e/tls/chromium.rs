//! A real browser: a page with what belongs to it, and a WebSocket, all over one connection of HTTP/2 (RFC 8441).

use super::support::{with_ca, with_pair};
use crate::websocket::{accept, echo};
use bifrons_testkit::{Authority, KeyKind, Origin, Proxy, TempDir};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const REPORT_MAX: Duration = Duration::from_secs(120);

/// Takes in a style, a script and pictures, and reports by what protocol they came and what the socket echoed.
const PAGE: &str =
    r#"<!doctype html><link rel="stylesheet" href="/style.css"><body><script src="/page.js"></script>"#;
const SCRIPT: &str = r#"
const pictures = [...Array(20).keys()].map(n => new Promise((done, failed) => {
    const picture = new Image();
    picture.onload = done; picture.onerror = failed; picture.src = `/picture/${n}.svg`;
}));
const echoed = new Promise((done, failed) => {
    const socket = new WebSocket(`wss://${location.host}/ws`);
    socket.onopen = () => socket.send('over a stream');
    socket.onmessage = message => { done(message.data); socket.close(); };
    socket.onerror = failed;
});
const sent = fetch('/upload', { method: 'POST', body: 'x'.repeat(300000) }).then(answer => answer.text());
Promise.all([echoed, sent, ...pictures]).then(([echo, sent]) => {
    const entries = performance.getEntries().filter(entry => entry.nextHopProtocol);
    const protocols = [...new Set(entries.map(entry => entry.nextHopProtocol))];
    const style = getComputedStyle(document.body).color;
    fetch(`/report?${new URLSearchParams({ echo, sent, style, protocols, count: entries.length })}`);
}, error => fetch(`/report?${new URLSearchParams({ error: String(error) })}`));
"#;
const PICTURE: &str = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>";

/// Ended with the test.
struct Browser(Child, #[expect(dead_code, reason = "removed with it")] TempDir);

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers end with it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What Chromium is told to believe: the SHA-256 of the certificate's key, in base64.
fn key_hash(cert: &Path) -> String {
    let script = "openssl x509 -in \"$0\" -pubkey -noout | openssl pkey -pubin -outform der | \
                  openssl dgst -sha256 -binary | openssl base64";
    let output = Command::new("sh").args(["-c", script]).arg(cert).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Opens the page; `None`, said so, where there is no Chromium.
fn open(proxy: &Proxy, host: &str) -> Option<Browser> {
    let (addr, profile) = (proxy.addr("web"), TempDir::new());
    let child = Command::new("chromium")
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--host-resolver-rules=MAP {host} {}", addr.ip()))
        .arg(format!(
            "--ignore-certificate-errors-spki-list={}",
            key_hash(&proxy.dir().path().join("site.crt"))
        ))
        // Keeps it alive until the test ends it.
        .arg("--remote-debugging-port=0")
        .arg(format!("https://{host}:{}/", addr.port()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match child {
        Ok(child) => Some(Browser(child, profile)),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            println!("SKIPPED: chromium is not installed");
            None
        }
        Err(err) => panic!("chromium: {err}"),
    }
}

/// What the page says in the end. A browser on a busy machine takes its time to start.
fn reported(pages: &Origin) -> String {
    let began = Instant::now();
    loop {
        let targets = pages.requests().into_iter().map(|request| request.target().to_owned());
        if let Some(report) = targets.into_iter().find(|at| at.starts_with("/report")) {
            return report;
        }
        assert!(began.elapsed() < REPORT_MAX, "no report of the page after {REPORT_MAX:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn answer(kind: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[test]
fn a_page_and_a_web_socket_over_http2() {
    let pages = Origin::serve(|request| match request.target() {
        "/" => answer("text/html", PAGE),
        "/style.css" => answer("text/css", "body { color: rgb(1, 2, 3) }"),
        "/page.js" => answer("text/javascript", SCRIPT),
        "/upload" => answer("text/plain", &request.body.len().to_string()),
        picture if picture.starts_with("/picture/") => answer("image/svg+xml", PICTURE),
        _ => answer("text/plain", ""),
    });
    let socket = Origin::script(|wire| {
        let head = wire.read_head();
        wire.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept(head.field("sec-websocket-key").unwrap())
        ));
        echo(wire);
    });
    let ca = Authority::new("Test CA");
    let config = "workers: 1\n\
        listeners: { web: { bind: \"@web@\", tls: { certificates: [{ cert: site.crt, key: site.key }] } } }\n\
        clusters: { pages: { endpoints: [\"@pages@\"] }, socket: { endpoints: [\"@socket@\"] } }\n\
        hosts: [{ names: [site.test], routes: [{ path: /ws, proxy: socket }, { path: /*, proxy: pages }] }]\n";
    let setup = Proxy::yaml(config).with("pages", pages.addr()).with("socket", socket.addr());
    let pair = ca.issue(&["site.test"], KeyKind::Ecdsa);
    let proxy = with_pair(with_ca(setup, &ca), "site", &pair).start();
    let Some(_browser) = open(&proxy, "site.test") else { return };
    let report = reported(&pages);
    assert_eq!(
        report,
        "/report?echo=over+a+stream&sent=300000&style=rgb%281%2C+2%2C+3%29&protocols=h2&count=24"
    );
    // The page, what belongs to it and the socket: streams of one connection.
    let records = proxy.wait_records(25);
    let on_socket = records.iter().find(|record| record.contains("/ws")).expect("a record of the socket");
    assert!(on_socket.contains("HTTP/2.0"), "{on_socket}");
}
