//! Layer 4 with datagrams: sessions, limits, endpoints that are not there, a real name server.

use crate::support::pattern;
use bifrons_testkit::addr::own_ip;
use bifrons_testkit::{Proxy, wait_until};
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// An endpoint that answers each datagram with its name, how many it has seen, who asked, and the datagram.
struct Echo {
    addr: SocketAddr,
    seen: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Echo {
    fn start(name: &'static str) -> Self {
        Self::on(name, SocketAddr::from((own_ip(), 0)))
    }

    fn on(name: &'static str, addr: SocketAddr) -> Self {
        let socket = UdpSocket::bind(addr).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (seen, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let echo = Self { addr: socket.local_addr().unwrap(), seen: seen.clone(), stop: stop.clone() };
        thread::spawn(move || {
            let mut room = vec![0; 65_536];
            while !stop.load(Ordering::Relaxed) {
                let Ok((len, peer)) = socket.recv_from(&mut room) else { continue };
                seen.fetch_add(1, Ordering::Relaxed);
                if room[..len] == *b"silence" {
                    continue;
                }
                let mut answer = format!("{name} {} ", peer.port()).into_bytes();
                answer.extend_from_slice(&room[..len.min(65_000)]);
                socket.send_to(&answer, peer).unwrap();
            }
        });
        echo
    }

    fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn client(to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(if to.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.connect(to).unwrap();
    socket
}

/// Sends, and gives the answer in its words.
fn ask(client: &UdpSocket, text: &[u8]) -> (String, String, Vec<u8>) {
    client.send(text).unwrap();
    let mut room = vec![0; 65_536];
    let len = client.recv(&mut room).unwrap();
    let mut parts = room[..len].splitn(3, |byte| *byte == b' ').map(<[u8]>::to_vec);
    let mut text = || String::from_utf8(parts.next().unwrap()).unwrap();
    let (name, port) = (text(), text());
    (name, port, parts.next().unwrap())
}

fn config(workers: u8, udp: &str, cluster: &str) -> String {
    format!(
        "workers: {workers}\n\
         listeners:\n  web: {{ bind: \"@web@\" }}\n  dns: {{ bind: \"@dns@\", udp: {udp} }}\n\
         clusters: {{ dns: {cluster} }}\n\
         admin: {{ bind: \"@admin@\" }}\n\
         access_log: {{ to: stdout, format: json }}\n\
         shutdown: {{ timeout: 10s }}\n"
    )
}

fn metric(proxy: &Proxy, line: &str) -> f64 {
    let answer = proxy.client_to("admin").get("/metrics");
    let found = answer.text().lines().find_map(|known| known.strip_prefix(line));
    found.map_or(0.0, |value| value.trim().parse().unwrap())
}

#[test]
fn a_pair_of_addresses_is_a_session_with_one_endpoint_and_one_port() {
    let (a, b) = (Echo::start("a"), Echo::start("b"));
    let proxy = Proxy::yaml(&config(2, "dns", "{ endpoints: [\"@a@\", \"@b@\"] }"))
        .with("a", a.addr)
        .with("b", b.addr)
        .start();
    let mut names = Vec::new();
    for _ in 0..8 {
        let client = client(proxy.addr("dns"));
        let (name, port, text) = ask(&client, b"one");
        assert_eq!(text, b"one");
        for number in 0..5u8 {
            let again = ask(&client, &[number; 3]);
            assert_eq!(again, (name.clone(), port.clone(), vec![number; 3]));
        }
        names.push(name);
    }
    assert!(names.contains(&"a".to_owned()) && names.contains(&"b".to_owned()), "{names:?}");
    let client = client(proxy.addr("dns"));
    for len in [0, 1, 1400, 9000, 64_900] {
        assert_eq!(ask(&client, &vec![b'x'; len]).2.len(), len);
    }
    assert_eq!(metric(&proxy, "bifrons_connections_active{listener=\"dns\"}"), 9.0);
    let count = metric(&proxy, "bifrons_datagrams_total{listener=\"dns\",from=\"client\"}");
    assert_eq!((count, count), (53.0, a.seen() as f64 + b.seen() as f64));
}

#[test]
fn with_its_answers_a_session_is_over_and_recorded() {
    let echo = Echo::start("a");
    let udp = "{ routes: [{ proxy: dns, responses: 1, name: names }] }";
    let proxy = Proxy::yaml(&config(1, udp, "{ endpoints: [\"@a@\"] }")).with("a", echo.addr).start();
    let client = client(proxy.addr("dns"));
    let ports: Vec<String> = (0..3)
        .map(|number| {
            let port = ask(&client, b"hello").1;
            proxy.wait_records(number + 1);
            port
        })
        .collect();
    assert!(ports[0] != ports[1] && ports[1] != ports[2], "{ports:?}");
    for record in proxy.wait_records(3) {
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["protocol"], "UDP", "{record}");
        assert_eq!((&record["status"], &record["bytes_in"]), (&200.into(), &5.into()), "{record}");
        assert_eq!(record["bytes_out"], 5 + 2 + ports[0].len() as u64 + 1, "{record}");
        assert_eq!(record["endpoint"], echo.addr.to_string(), "{record}");
        assert_eq!((&record["route"], &record["listener"]), (&"names".into(), &"dns".into()));
        assert_eq!(record.get("termination"), None, "{record}");
    }
    assert_eq!(metric(&proxy, "bifrons_connections_active{listener=\"dns\"}"), 0.0);
}

#[test]
fn after_so_many_datagrams_another_session_begins() {
    let (a, b) = (Echo::start("a"), Echo::start("b"));
    let udp = "{ routes: [{ proxy: dns, requests: 2 }] }";
    let proxy = Proxy::yaml(&config(1, udp, "{ endpoints: [\"@a@\", \"@b@\"] }"))
        .with("a", a.addr)
        .with("b", b.addr)
        .start();
    let client = client(proxy.addr("dns"));
    let names: String = (0..8).map(|_| ask(&client, b"x").0).collect();
    assert!(names == "aabbaabb" || names == "bbaabbaa", "{names}");
}

#[test]
fn an_endpoint_that_is_not_there_or_owes_answers_has_failed() {
    let gone = UdpSocket::bind((own_ip(), 0)).unwrap().local_addr().unwrap();
    let live = Echo::start("live");
    let udp = "{ routes: [{ proxy: dns, responses: 1, idle: 300ms }] }";
    let cluster = "{ endpoints: [{ address: \"@gone@\", fail_timeout: 60s }, \"@live@\"] }";
    let proxy = Proxy::yaml(&config(1, udp, cluster)).with("gone", gone).with("live", live.addr).start();
    // Some session finds out, by ICMP; from then on all go to the other.
    wait_until("the endpoint is out", || {
        client(proxy.addr("dns")).send(b"hello").unwrap();
        metric(&proxy, "bifrons_upstream_ejections_total{cluster=\"dns\"}") > 0.0
    });
    for _ in 0..4 {
        assert_eq!(ask(&client(proxy.addr("dns")), b"x").0, "live");
    }
    let refused = |record: &String| record.contains("\"termination\":\"upstream_connect\"");
    assert!(proxy.wait_records(2).iter().any(|record| refused(record) && record.contains("\"status\":502")));
    client(proxy.addr("dns")).send(b"silence").unwrap();
    let timeout = |record: &String| record.contains("\"termination\":\"upstream_timeout\"");
    wait_until("a session ends by its time", || {
        proxy.stdout().lines().any(|record| timeout(&record.to_owned()) && record.contains("\"status\":502"))
    });
}

#[test]
fn the_shortest_and_the_longest_pass() {
    let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = echo.local_addr().unwrap();
    let lens = [0, 65_507, 0, 1];
    let echoes = std::thread::spawn(move || {
        let mut room = vec![0; 65_536];
        for _ in lens {
            let (len, peer) = echo.recv_from(&mut room).unwrap();
            echo.send_to(&room[..len], peer).unwrap();
        }
    });
    let proxy = Proxy::yaml(&config(1, "dns", "{ endpoints: [\"@app@\"] }")).with("app", at).start();
    let client = client(proxy.addr("dns"));
    let mut room = vec![0; 65_536];
    for len in lens {
        let sent = pattern(len);
        client.send(&sent).unwrap();
        let got = client.recv(&mut room).unwrap();
        assert!(room[..got] == sent[..], "{len}: {got}");
    }
    echoes.join().unwrap();
}

#[test]
fn limits_hold_and_dropped_datagrams_are_counted() {
    let echo = Echo::start("a");
    let udp =
        "{ routes: [{ source: 127.0.0.0/8, proxy: dns, idle: 1s }], sessions: 5, sessions_per_address: 3 }";
    let proxy = Proxy::yaml(&config(2, udp, "{ endpoints: [\"@a@\"] }")).with("a", echo.addr).start();
    let from = |ip: &str| {
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.connect(proxy.addr("dns")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket
    };
    let mut held: Vec<_> = (0..3).map(|_| from("127.0.0.1")).collect();
    held.extend((0..2).map(|_| from("127.0.0.2")));
    held.iter().for_each(|client| assert_eq!(ask(client, b"x").0, "a"));
    let dropped = |reason: &str| {
        metric(&proxy, &format!("bifrons_datagrams_dropped_total{{listener=\"dns\",reason=\"{reason}\"}}"))
    };
    assert_eq!((dropped("sessions"), dropped("per_address")), (0.0, 0.0));
    let wait = |reason: &str, client: UdpSocket| {
        client.send(b"x").unwrap();
        wait_until(reason, || dropped(reason) > 0.0);
    };
    wait("sessions", from("127.0.0.3"));
    // Idle ones make room.
    wait_until("sessions end", || metric(&proxy, "bifrons_connections_active{listener=\"dns\"}") == 0.0);
    held.iter().take(3).for_each(|client| assert_eq!(ask(client, b"x").0, "a"));
    wait("per_address", from("127.0.0.1"));
}

#[test]
fn answers_come_from_the_address_that_was_asked() {
    let echo = Echo::start("a");
    for (bind, asked) in [("0.0.0.0", ["127.0.0.5", "127.9.9.9"]), ("[::]", ["127.0.0.6", "::1"])] {
        let text = config(2, "dns", "{ endpoints: [\"@a@\"] }")
            .replace("bind: \"@dns@\"", "bind: \"@dns@\", ipv6_only: false");
        // Of all addresses: one that no other test has at its own.
        let port = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
        let proxy = Proxy::yaml(&text).with("a", echo.addr).with("dns", format!("{bind}:{port}")).start();
        for ip in asked {
            // A connected socket takes nothing from another address.
            let client = client(SocketAddr::new(ip.parse().unwrap(), port));
            assert_eq!(ask(&client, b"x").0, "a", "{bind} {ip}");
            assert_eq!(ask(&client, b"y").2, b"y", "{bind} {ip}");
        }
        drop(proxy);
    }
}

#[test]
fn a_reload_keeps_sessions_and_an_upgrade_the_socket() {
    let (a, b) = (Echo::start("a"), Echo::start("b"));
    let text = config(
        2,
        "{ routes: [{ source: 127.0.0.0/31, proxy: dns }, { proxy: dns, responses: 1 }] }",
        "{ endpoints: [\"@a@\"] }",
    );
    let mut proxy = Proxy::yaml(&text).with("a", a.addr).with("b", b.addr).start();
    let old = client(proxy.addr("dns"));
    let before = ask(&old, b"x");
    proxy.rewrite(&text.replace("@a@", "@b@"));
    proxy.signal("HUP");
    wait_until("it is reloaded", || metric(&proxy, "bifrons_config_reloads_total{result=\"ok\"}") == 2.0);
    assert_eq!(ask(&old, b"x"), before, "the session goes on");
    assert_eq!(ask(&client(proxy.addr("dns")), b"x").0, "b", "a new one is by the new configuration");
    // Datagrams that are under way while a new process takes over are nobody's loss.
    let addr = proxy.addr("dns");
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let asking = thread::spawn(move || {
        let mut count = 0;
        while !stopped.load(Ordering::Relaxed) {
            let client = UdpSocket::bind("127.0.0.9:0").unwrap();
            client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            client.connect(addr).unwrap();
            assert_eq!(ask(&client, b"x").0, "b");
            count += 1;
        }
        count
    });
    let first = proxy.pid();
    proxy.signal("USR2");
    wait_until("another process serves", || proxy.serving_pid().is_some_and(|pid| pid != first));
    proxy.wait_exit();
    assert_eq!(ask(&client(addr), b"x").0, "b");
    stop.store(true, Ordering::Relaxed);
    assert!(asking.join().unwrap() > 0);
}

#[test]
fn mistakes_are_told() {
    let listener = |listener: &str, cluster: &str| {
        let text = format!(
            "listeners: {{ dns: {{ bind: \"@web@\", {listener} }} }}\nclusters: {{ dns: {cluster} }}\n"
        );
        let (status, told) = Proxy::yaml(&text).fail();
        assert!(!status.success());
        told
    };
    let plain = "{ endpoints: [\"127.0.0.1:53\"] }";
    for (told, wanted) in [
        (listener("udp: { routes: [] }", plain), "`udp` has no routes"),
        (listener("udp: dns, tcp: dns", plain), "no connections come in"),
        (listener("udp: dms", plain), "did you mean \"dns\"?"),
        (listener("udp: { routes: [{ responses: 1 }] }", plain), "needs either `proxy` or `respond`"),
        (listener("udp: dns", "{ endpoints: [\"unix:/run/dns\"] }"), "which takes connections"),
        (
            listener("udp: dns", "{ endpoints: [\"127.0.0.1:53\"], queue: { requests: 1 } }"),
            "none waits for an endpoint",
        ),
        (
            listener("udp: dns", "{ endpoints: [\"127.0.0.1:53\"], starttls: postgres }"),
            "datagrams ask for no TLS",
        ),
        (listener("udp: dns", "{ endpoints: [\"127.0.0.1:53\"], tls: {} }"), "datagrams are not sent with"),
    ] {
        assert!(told.contains(wanted), "{told}");
    }
    let (_, told) = Proxy::yaml("listeners: { dns: { bind: \"unix:/tmp/x\", udp: dns } }\nclusters: { dns: { endpoints: [\"127.0.0.1:53\"] } }\n").fail();
    assert!(told.contains("datagrams come to an address with a port"), "{told}");
}

/// dnsmasq with some names of its own.
struct NameServer(std::process::Child);

impl NameServer {
    fn start(addr: SocketAddr) -> Self {
        let mut command = Command::new("dnsmasq");
        command.args(["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file"]);
        command.args(["--bind-interfaces", "--no-daemon", "--edns-packet-max=4096"]);
        command.arg(format!("--listen-address={}", addr.ip())).arg(format!("--port={}", addr.port()));
        command.arg("--address=/small.test/192.0.2.7");
        for number in 0..30 {
            command.arg(format!("--txt-record=big.test,{number:03}{}", "x".repeat(90)));
        }
        let child = command.spawn().unwrap();
        Self(child)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn dig(proxy: &Proxy, args: &[&str]) -> String {
    let addr = proxy.addr("dns");
    let out = Command::new("dig")
        .arg(format!("@{}", addr.ip()))
        .args(["-p", &addr.port().to_string(), "+tries=3", "+time=5"])
        .args(args)
        .output()
        .unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn names_are_resolved_through_it() {
    let behind = bifrons_testkit::free_addr();
    let _server = NameServer::start(behind);
    // The same address for both transports, as name servers have it.
    let text = "workers: 2\n\
        listeners:\n  web: { bind: \"@web@\" }\n\
        \x20 dns: { bind: \"@dns@\", udp: { routes: [{ proxy: dns, responses: 1 }] } }\n\
        \x20 dns_tcp: { bind: \"@dns@\", tcp: dns }\n\
        clusters: { dns: { endpoints: [\"@behind@\"] } }\naccess_log: { to: stdout, format: json }\n";
    let proxy = Proxy::yaml(text).with("behind", behind).start();
    wait_until("the name server answers", || dig(&proxy, &["+short", "small.test"]) == "192.0.2.7\n");
    // More than 512 bytes, without being asked for: truncated, and asked again over TCP.
    let told = dig(&proxy, &["+noedns", "+ignore", "big.test", "TXT"]);
    assert!(told.contains("flags: qr aa tc"), "{told}");
    let told = dig(&proxy, &["+noedns", "big.test", "TXT"]);
    assert!(told.contains("ANSWER: 30") && told.contains("(TCP)"), "{told}");
    // A datagram of some 3 KiB.
    let told = dig(&proxy, &["+bufsize=4096", "big.test", "TXT"]);
    assert!(told.contains("ANSWER: 30") && told.contains("(UDP)"), "{told}");
    assert!(proxy.wait_records(1).iter().any(|record| record.contains("\"protocol\":\"UDP\"")));
}
