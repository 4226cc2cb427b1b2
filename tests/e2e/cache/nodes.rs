//! Several nodes: purges reach all of them, also those that were away.

use super::support::{metric, status};
use bifrons_testkit::addr::free_addr;
use bifrons_testkit::certs::{Authority, KeyKind};
use bifrons_testkit::proxy::listens;
use bifrons_testkit::{Origin, Proxy, TempDir, wait_until};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// Redis as Debian has it, ended when dropped.
struct Redis {
    addr: SocketAddr,
    dir: TempDir,
    child: Child,
    encrypts: bool,
}

impl Redis {
    /// `None` where it isn't installed.
    fn start() -> Option<Self> {
        Self::start_at(free_addr(), TempDir::new(), false)
    }

    /// One that speaks TLS only, asks for certificates, and has its own of that authority.
    fn start_encrypted(authority: &Authority) -> Option<Self> {
        let (addr, dir) = (free_addr(), TempDir::new());
        let pair = authority.issue(&[&addr.ip().to_string()], KeyKind::Ecdsa);
        dir.write("cert.pem", &pair.cert);
        dir.write("key.pem", &pair.key);
        dir.write("ca.pem", &authority.pem);
        Self::start_at(addr, dir, true)
    }

    fn start_at(addr: SocketAddr, dir: TempDir, encrypts: bool) -> Option<Self> {
        let Some(child) = Self::run(addr, &dir, encrypts) else {
            println!("SKIPPED: redis-server is not installed");
            return None;
        };
        let redis = Self { addr, dir, child, encrypts };
        wait_until("Redis listens", || listens(addr));
        Some(redis)
    }

    fn run(addr: SocketAddr, dir: &TempDir, encrypts: bool) -> Option<Child> {
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let mut command = Command::new("redis-server");
        let ports = if encrypts {
            ["--port", "0", "--tls-port", &port]
        } else {
            ["--port", &port, "--tls-port", "0"]
        };
        command.args(["--bind", &ip]).args(ports);
        for (name, file) in
            [("--tls-cert-file", "cert.pem"), ("--tls-key-file", "key.pem"), ("--tls-ca-cert-file", "ca.pem")]
        {
            if encrypts {
                command.arg(name).arg(dir.path().join(file));
            }
        }
        command
            .args(["--appendonly", "yes", "--appendfsync", "always", "--requirepass", "secret", "--dir"])
            .arg(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        wait_until("Redis is gone", || !listens(self.addr));
    }

    fn again(&mut self) {
        self.child = Self::run(self.addr, &self.dir, self.encrypts).unwrap();
        wait_until("Redis listens again", || listens(self.addr));
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn origin() -> Origin {
    Origin::answering(
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nCache-Tag: news\r\nContent-Length: 2\r\n\r\nok",
    )
}

/// A node, with its zone in that directory.
fn node(origin: &Origin, redis: SocketAddr, dir: Option<&TempDir>, more: &str) -> Proxy {
    let redis = format!("redis://:secret@{redis}");
    let linked = format!("replication: {{ redis: \"@redis@\"{more} }}\n");
    Proxy::yaml(&config(dir, &linked)).with("app", origin.addr()).with("redis", redis).start()
}

fn config(dir: Option<&TempDir>, more: &str) -> String {
    let zone = dir.map_or(String::new(), |dir| format!("path: \"{}\"", dir.path().join("zone").display()));
    format!(
        "listeners: {{ web: {{ bind: \"@web@\" }} }}\n\
         admin: {{ bind: \"@admin@\" }}\n\
         hosts: [{{ routes: [{{ path: /*, proxy: app, cache: {{ zone: main, x_cache_status: true }} }}] }}]\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         caches: {{ main: {{ {zone} }} }}\n{more}"
    )
}

fn linked(proxy: &Proxy) -> bool {
    metric(proxy, "bifrons_replication_connected") == 1
}

fn wait_linked(proxy: &Proxy) {
    wait_until("the link is up", || linked(proxy));
}

fn purge(proxy: &Proxy, what: &str) {
    let body = format!("{{\"what\":{what}}}");
    let answer = proxy.client_to("admin").ask(&format!(
        "POST /cache/purge HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(answer.status(), 200, "{answer:?}");
}

fn get(proxy: &Proxy, path: &str) -> String {
    status(&proxy.client().get(path)).to_owned()
}

#[test]
fn a_purge_of_one_node_is_one_of_all() {
    let Some(redis) = Redis::start() else { return };
    let origin = origin();
    let nodes: Vec<Proxy> = (0..3).map(|_| node(&origin, redis.addr, None, "")).collect();
    nodes.iter().for_each(wait_linked);
    for what in [
        "{\"tag\":\"news\"}",
        "{\"url\":\"test/a\"}",
        "{\"prefix\":\"test/\"}",
        "{\"host\":\"test\"}",
        "\"all\"",
    ] {
        for node in &nodes {
            get(node, "/a");
            assert_eq!(get(node, "/a"), "HIT");
        }
        let before: Vec<u64> =
            nodes.iter().map(|node| metric(node, "bifrons_replication_received_total")).collect();
        purge(&nodes[0], what);
        for (node, before) in nodes.iter().zip(before).skip(1) {
            wait_until("it is heard", || metric(node, "bifrons_replication_received_total") == before + 1);
        }
        for node in &nodes {
            assert_eq!(get(node, "/a"), "MISS", "{what}");
        }
    }
    assert_eq!(metric(&nodes[0], "bifrons_replication_received_total"), 0, "nobody hears itself");
    let shown = nodes[0].client_to("admin").get("/config").text().to_owned();
    assert!(shown.contains(":***@") && !shown.contains("secret"), "{shown}");
    assert_eq!(metric(&nodes[0], "bifrons_replication_sent_total"), 5);
}

#[test]
fn a_node_that_was_away_catches_up_before_it_serves_what_was_purged() {
    let Some(redis) = Redis::start() else { return };
    let (origin, dir) = (origin(), TempDir::new());
    let here = node(&origin, redis.addr, None, "");
    let mut away = node(&origin, redis.addr, Some(&dir), "");
    [&here, &away].into_iter().for_each(wait_linked);
    wait_until("the disk takes part", || metric(&away, "bifrons_cache_disk_ready{zone=\"main\"}") == 1);
    get(&away, "/a");
    get(&away, "/b");
    wait_until("it is written", || metric(&away, "bifrons_cache_waiting_bytes{zone=\"main\"}") == 0);
    away.signal("TERM");
    away.wait_exit();
    purge(&here, "{\"url\":\"test/a\"}");
    wait_until("it is told", || metric(&here, "bifrons_replication_sent_total") == 1);

    let away = node(&origin, redis.addr, Some(&dir), "");
    wait_linked(&away);
    wait_until("it is heard", || metric(&away, "bifrons_replication_received_total") == 1);
    wait_until("the disk takes part", || metric(&away, "bifrons_cache_disk_ready{zone=\"main\"}") == 1);
    assert_eq!((get(&away, "/a"), get(&away, "/b")), ("MISS".to_owned(), "HIT".to_owned()));
    assert_eq!(metric(&away, "bifrons_replication_resets_total"), 0);
}

#[test]
fn one_that_missed_more_than_the_stream_holds_forgets_all() {
    let Some(redis) = Redis::start() else { return };
    let (origin, dir) = (origin(), TempDir::new());
    let here = node(&origin, redis.addr, None, ", length: 10");
    let mut away = node(&origin, redis.addr, Some(&dir), ", length: 10");
    [&here, &away].into_iter().for_each(wait_linked);
    wait_until("the disk takes part", || metric(&away, "bifrons_cache_disk_ready{zone=\"main\"}") == 1);
    // So that it has a place in the stream.
    purge(&here, "{\"url\":\"test/none\"}");
    wait_until("it is heard", || metric(&away, "bifrons_replication_received_total") == 1);
    get(&away, "/a");
    wait_until("it is written", || metric(&away, "bifrons_cache_waiting_bytes{zone=\"main\"}") == 0);
    away.signal("TERM");
    away.wait_exit();
    // Redis cuts its streams by nodes of a hundred entries.
    for number in 0..250 {
        purge(&here, &format!("{{\"url\":\"test/{number}\"}}"));
    }
    wait_until("all are told", || metric(&here, "bifrons_replication_sent_total") == 251);

    let away = node(&origin, redis.addr, Some(&dir), ", length: 10");
    wait_linked(&away);
    assert_eq!(metric(&away, "bifrons_replication_resets_total"), 1);
    away.wait_log("its caches are emptied");
    assert_eq!(get(&away, "/a"), "MISS");
}

#[test]
fn without_redis_a_purge_holds_here_and_is_told_later() {
    let Some(mut redis) = Redis::start() else { return };
    let origin = origin();
    let nodes: Vec<Proxy> = (0..2).map(|_| node(&origin, redis.addr, None, "")).collect();
    nodes.iter().for_each(wait_linked);
    nodes.iter().for_each(|node| drop(get(node, "/a")));
    redis.stop();
    wait_until("it is noticed", || !nodes.iter().any(linked));
    nodes[0].wait_log("purges do not reach other nodes");
    purge(&nodes[0], "{\"url\":\"test/a\"}");
    assert_eq!((get(&nodes[0], "/a"), get(&nodes[1], "/a")), ("MISS".to_owned(), "HIT".to_owned()));
    assert_eq!(metric(&nodes[0], "bifrons_replication_waiting"), 1);
    assert!(metric(&nodes[0], "bifrons_replication_errors_total") > 0);

    redis.again();
    nodes.iter().for_each(wait_linked);
    wait_until("it is heard", || metric(&nodes[1], "bifrons_replication_received_total") == 1);
    assert_eq!(get(&nodes[1], "/a"), "MISS");
    assert_eq!(metric(&nodes[0], "bifrons_replication_waiting"), 0);
}

#[test]
fn a_purge_that_waits_for_redis_outlives_its_process() {
    let Some(mut redis) = Redis::start() else { return };
    let (origin, dir) = (origin(), TempDir::new());
    let other = node(&origin, redis.addr, None, "");
    let mut here = node(&origin, redis.addr, Some(&dir), "");
    [&other, &here].into_iter().for_each(wait_linked);
    get(&other, "/a");
    redis.stop();
    wait_until("it is noticed", || !linked(&here));
    purge(&here, "{\"url\":\"test/a\"}");
    let waiting = dir.path().join("zone/purges-waiting");
    wait_until("it is on disk", || waiting.exists());
    here.signal("KILL");
    here.wait_exit();
    redis.again();
    wait_linked(&other);
    assert_eq!(get(&other, "/a"), "HIT");

    let here = node(&origin, redis.addr, Some(&dir), "");
    wait_until("it is heard", || metric(&other, "bifrons_replication_received_total") == 1);
    assert_eq!(get(&other, "/a"), "MISS");
    wait_until("it waits no more", || !waiting.exists());
    assert_eq!(metric(&here, "bifrons_replication_waiting"), 0);
}

#[test]
fn the_link_is_encrypted_where_it_is_asked_for() {
    let authority = Authority::new("Nodes");
    let Some(redis) = Redis::start_encrypted(&authority) else { return };
    let (origin, dir) = (origin(), TempDir::new());
    let own = authority.issue(&["node"], KeyKind::Ecdsa);
    dir.write("cert.pem", &own.cert);
    dir.write("key.pem", &own.key);
    dir.write("ca.pem", &authority.pem);
    dir.write("other.pem", &Authority::new("Others").pem);
    let linked_by = |ca: &str| {
        let file = |name: &str| dir.path().join(name).display().to_string();
        let (ca, cert, key) = (file(ca), file("cert.pem"), file("key.pem"));
        let linked = format!(
            "replication: {{ redis: \"rediss://:secret@{}\", tls: {{ ca: {ca}, cert: {cert}, key: {key} }} }}\n",
            redis.addr
        );
        Proxy::yaml(&config(None, &linked)).with("app", origin.addr()).start()
    };
    let nodes = ["ca.pem", "ca.pem"].map(linked_by);
    nodes.iter().for_each(wait_linked);
    get(&nodes[1], "/a");
    purge(&nodes[0], "{\"url\":\"test/a\"}");
    wait_until("it is heard", || metric(&nodes[1], "bifrons_replication_received_total") == 1);
    assert_eq!(get(&nodes[1], "/a"), "MISS");

    let stranger = linked_by("other.pem");
    stranger.wait_log("purges do not reach other nodes");
    assert!(!linked(&stranger), "whom no authority of ours vouches for is not spoken to");
}

#[test]
fn of_a_purge_by_method_each_node_makes_its_own_keys() {
    let Some(redis) = Redis::start() else { return };
    let origin = origin();
    let keyed = |key: &str| {
        let cache =
            format!("zone: main, x_cache_status: true, purge: {{ allow: [127.0.0.0/8] }}, key: {key}");
        let linked = "replication: { redis: \"@redis@\" }\n";
        let conf = config(None, linked).replace("zone: main, x_cache_status: true", &cache);
        let address = format!("redis://:secret@{}", redis.addr);
        Proxy::yaml(&conf).with("app", origin.addr()).with("redis", address).start()
    };
    let here = keyed("{ headers: [X-Tenant] }");
    let others = [
        keyed("{ query: { deny: [utm_*] } }"),
        keyed("{ headers: [x-tenant] }"),
        keyed("{ text: \"$scheme|$host|$uri\" }"),
    ];
    others.iter().chain([&here]).for_each(wait_linked);
    let ask = |node: &Proxy, line: &str| {
        let request = format!("{line} HTTP/1.1\r\nHost: test\r\nX-Tenant: one\r\n\r\n");
        status(&node.client().ask(&request)).to_owned()
    };
    let stored = |node: &Proxy| {
        // The first to ask had another query, so that the URL of what is stored is another too.
        ask(node, "GET /a?utm_x=1");
        ask(node, "GET /a");
        ask(node, "GET /b");
        get(node, "/a");
    };
    others.iter().for_each(stored);
    ask(&here, "PURGE /a");
    for node in &others {
        wait_until("it is heard", || metric(node, "bifrons_replication_received_total") == 1);
        assert_eq!(ask(node, "GET /a"), "MISS");
        assert_eq!(ask(node, "GET /b"), "HIT");
    }
    assert_eq!(get(&others[1], "/a"), "HIT", "of another tenant");
}

#[test]
fn what_is_said_of_the_links_encryption_must_fit() {
    for (linked, expected) in [
        ("redis: \"redis://127.0.0.1\", tls: { ca: ca.pem }", "rediss://"),
        ("redis: \"rediss://127.0.0.1\", tls: { cert: c.pem }", "belong together"),
        ("redis: \"rediss://127.0.0.1/#insecure\"", "tls.ca"),
    ] {
        let (status, said) = Proxy::yaml(&config(None, &format!("replication: {{ {linked} }}\n")))
            .with("app", "127.0.0.1:1")
            .fail();
        assert!(!status.success() && said.contains(expected), "{linked}: {said}");
    }
}

#[test]
fn a_reload_links_a_node_and_takes_it_out_again() {
    let Some(redis) = Redis::start() else { return };
    let origin = origin();
    let here = node(&origin, redis.addr, None, "");
    wait_linked(&here);
    let address = format!("redis://:secret@{}", redis.addr);
    let mut other = Proxy::yaml(&config(None, "")).with("app", origin.addr()).with("redis", address).start();
    get(&other, "/a");
    purge(&here, "\"all\"");
    other.rewrite(&config(None, "replication: { redis: \"@redis@\" }\n"));
    other.signal("HUP");
    wait_linked(&other);
    assert_eq!(get(&other, "/a"), "HIT", "what was purged before it belonged to them does not concern it");
    purge(&here, "{\"url\":\"test/a\"}");
    wait_until("it is heard", || metric(&other, "bifrons_replication_received_total") == 1);
    assert_eq!(get(&other, "/a"), "MISS");

    other.rewrite(&config(None, ""));
    other.signal("HUP");
    let has_metrics =
        || other.client_to("admin").get("/metrics").text().contains("bifrons_replication_connected");
    wait_until("it is out", || !has_metrics());
    get(&other, "/a");
    purge(&here, "\"all\"");
    wait_until("it is told", || metric(&here, "bifrons_replication_sent_total") == 3);
    assert_eq!(get(&other, "/a"), "HIT");
}

#[test]
fn an_address_that_is_none_is_a_mistake_with_its_place() {
    let (status, said) = Proxy::yaml(
        "listeners: { web: { bind: \"@web@\" } }\nhosts: [{ routes: [{ path: /*, respond: ok }] }]\n\
         replication: { redis: \"http://example.org\" }\n",
    )
    .fail();
    assert!(!status.success() && said.contains("replication") && said.contains("redis://"), "{said}");
}
