use super::*;
use bifrons_balance::{Address, EndpointConfig};
use bifrons_config::{At, OneOrMany};
use bifrons_flow::build;
use bifrons_model::{Cluster, Config, Listener};
use bifrons_net::{Addr, ListenOptions};
use bifrons_observe::Registry;
use bifrons_observe::access::AccessLogger;
use bifrons_store::{Meta, Zone, ZoneConfig};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn new_shared() -> Arc<Shared> {
    Shared::new(Registry::new(SystemTime::now()), AccessLogger::start().unwrap(), Arc::default())
}

/// An admin server on a free port, with what its other side holds.
struct Fixture {
    shared: Arc<Shared>,
    addr: std::net::SocketAddr,
    phase: watch::Sender<Phase>,
    reloads: mpsc::Receiver<ReloadRequest>,
}

impl Fixture {
    async fn start() -> Self {
        let shared = new_shared();
        Self::with_admin(bifrons_model::Admin::default(), shared).await
    }

    async fn with_admin(admin: bifrons_model::Admin, shared: Arc<Shared>) -> Self {
        let mut config = Config { admin: Some(admin), ..Config::default() };
        let bind = OneOrMany::one(At::from("127.0.0.1:8080"));
        config.listeners.insert("web".into(), Listener { bind, ..Listener::default() });
        let address: Address = "127.0.0.1:3000".parse().unwrap();
        let endpoints = vec![EndpointConfig::new(address).into()];
        config.clusters.insert("apps".into(), Cluster { endpoints, ..Cluster::default() });
        let snapshot = build(Arc::new(config), &shared, &build::Options::default()).unwrap();
        shared.publish(Arc::new(snapshot));
        let (phase, seen) = watch::channel(Phase::Starting);
        let (reload, reloads) = mpsc::channel(1);
        let any: Addr = "127.0.0.1:0".parse().unwrap();
        let socket = Listening::bind(&any, &ListenOptions::default()).unwrap();
        let addr = socket.addr().inet().unwrap();
        tokio::spawn(Admin::new(Arc::clone(&shared), seen, reload).serve(socket, std::future::pending()));
        Self { shared, addr, phase, reloads }
    }

    /// The whole answer to a request.
    async fn ask(&self, line: &str, fields: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.addr).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn it_is_ready_only_while_serving() {
    let fixture = Fixture::start().await;
    assert!(fixture.ask("GET /readyz", "").await.starts_with("HTTP/1.1 503"));
    fixture.phase.send(Phase::Serving).unwrap();
    assert!(fixture.ask("GET /readyz", "").await.starts_with("HTTP/1.1 200"));
    fixture.phase.send(Phase::Draining).unwrap();
    assert!(fixture.ask("GET /readyz", "").await.starts_with("HTTP/1.1 503"));
    assert!(fixture.ask("GET /healthz", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn it_shows_metrics_configuration_and_clusters() {
    let fixture = Fixture::start().await;
    for (line, fields, expected) in [
        ("GET /metrics", "", "bifrons_build_info"),
        ("GET /config", "", "127.0.0.1:8080"),
        ("GET /config", "Accept: application/json\r\n", "\"listeners\": {"),
        ("GET /clusters", "", r#""address":"127.0.0.1:3000","state":"up""#),
        ("GET /", "", "/metrics"),
    ] {
        let answer = fixture.ask(line, fields).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{line}: {answer}");
        assert!(answer.contains(expected), "{line}: {answer}");
    }
    assert!(fixture.ask("GET /nothing", "").await.starts_with("HTTP/1.1 404"));
    assert!(fixture.ask("GET /reload", "").await.starts_with("HTTP/1.1 405"));
}

#[tokio::test]
async fn a_reload_is_answered_by_its_outcome() {
    let mut fixture = Fixture::start().await;
    let (mut reloads, other) = (fixture.reloads, mpsc::channel(1).1);
    fixture.reloads = other;
    let control = tokio::spawn(async move {
        for outcome in [Ok("loaded".to_owned()), Err("line 3: no".to_owned())] {
            reloads.recv().await.unwrap().send(outcome).unwrap();
        }
    });
    assert!(fixture.ask("POST /reload", "").await.starts_with("HTTP/1.1 200"));
    let refused = fixture.ask("POST /reload", "").await;
    assert!(refused.starts_with("HTTP/1.1 422") && refused.contains("line 3: no"), "{refused}");
    assert!(fixture.ask("POST /reload", "Origin: http://evil.test\r\n").await.starts_with("HTTP/1.1 403"));
    tokio::time::timeout(Duration::from_secs(5), control).await.unwrap().unwrap();
}

/// Stores an answer for `http://example.com/a` with the tag `red`.
fn store(zone: &Zone) {
    let key = b"k";
    let meta = Meta {
        key: key.as_slice().into(),
        host: "example.com".into(),
        path: "/a".into(),
        tags: [bifrons_store::tag_hash(b"red")].into(),
        keep_until_s: u64::MAX,
        ..Meta::default()
    };
    let mut fill = zone.begin(zone.ticket(), &zone.key(key), meta, None);
    fill.push(axum::body::Bytes::from("hello"));
    fill.finish();
}

impl Fixture {
    async fn purge(&self, body: &str, fields: &str) -> String {
        self.ask("POST /cache/purge", &format!("Content-Length: {}\r\n{fields}\r\n{body}", body.len())).await
    }
}

#[tokio::test]
async fn caches_are_looked_into_and_purged() {
    let fixture = Fixture::start().await;
    let refused = fixture.purge(r#"{"what":"all"}"#, "").await;
    assert!(refused.starts_with("HTTP/1.1 404") && refused.contains("no cache is configured"), "{refused}");
    let zone = fixture.shared.zones.open("my_cache", &ZoneConfig::default()).unwrap();
    for purge in [
        r#"{"what":{"tag":"red"},"zone":"my_cache"}"#,
        r#"{"what":{"url":"https://example.com/a"}}"#,
        r#"{"what":{"prefix":"/a"},"mode":"hard"}"#,
        r#"{"what":{"host":"example.com"}}"#,
        r#"{"what":"all"}"#,
    ] {
        store(&zone);
        let shown = fixture.ask("GET /cache?url=http://example.com/a", "").await;
        assert!(
            shown.contains(r#""url":"example.com/a""#) && shown.contains(r#""in_memory":true"#),
            "{shown}"
        );
        let done = fixture.purge(purge, "").await;
        assert!(done.starts_with("HTTP/1.1 200") && done.contains(r#""zones":1"#), "{done}");
        let shown = fixture.ask("GET /cache?url=http://example.com/a", "").await;
        assert!(shown.ends_with("\r\n\r\n[]"), "{purge}: {shown}");
    }
    store(&zone);
    fixture.purge(r#"{"what":{"tag":"red"},"mode":"soft"}"#, "").await;
    let shown = fixture.ask("GET /cache?url=example.com/a&zone=my_cache", "").await;
    assert!(shown.contains(r#""marked_stale":true"#), "{shown}");
    for (body, status) in
        [("red", "400"), (r#"{"what":{"tag":""}}"#, "400"), (r#"{"what":"all","zone":"x"}"#, "404")]
    {
        let refused = fixture.purge(body, "").await;
        assert!(refused.starts_with(&format!("HTTP/1.1 {status}")), "{body}: {refused}");
    }
    let mut out = Default::default();
    crate::caches::expose(&fixture.shared.zones, &mut out);
    assert!(out.finish().contains("bifrons_cache_entries{zone=\"my_cache\"} 1\n"));
}

#[tokio::test]
async fn what_changes_something_needs_the_token() {
    let path =
        std::env::temp_dir().join(format!("bifrons-token-{}-{}", std::process::id(), fastrand::u64(..)));
    let admin = bifrons_model::Admin { token_file: path.to_str().map(str::to_owned), ..Default::default() };
    let fixture = Fixture::with_admin(admin, new_shared()).await;
    let zone = fixture.shared.zones.open("my_cache", &ZoneConfig::default()).unwrap();
    store(&zone);
    let purge = r#"{"what":"all"}"#;
    assert!(fixture.purge(purge, "Authorization: Bearer x\r\n").await.starts_with("HTTP/1.1 503"));
    std::fs::write(&path, "secret\n").unwrap();
    for fields in [
        "",
        "Authorization: Bearer secre\r\n",
        "Authorization: Bearer secreT\r\n",
        "Authorization: secret\r\n",
    ] {
        assert!(fixture.purge(purge, fields).await.starts_with("HTTP/1.1 401"), "{fields}");
        assert!(fixture.ask("POST /reload", fields).await.starts_with("HTTP/1.1 401"), "{fields}");
    }
    assert_eq!(zone.usage().entries, 1);
    assert!(fixture.purge(purge, "Authorization: Bearer secret\r\n").await.starts_with("HTTP/1.1 200"));
    std::fs::remove_file(&path).unwrap();
}
