use super::*;
use bifrons_balance::{Address, EndpointConfig};
use bifrons_config::{At, OneOrMany};
use bifrons_flow::build;
use bifrons_model::{Cluster, Config, Listener};
use bifrons_net::{Addr, ListenOptions};
use bifrons_observe::Registry;
use bifrons_observe::access::AccessLogger;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An admin server on a free port, with what its other side holds.
struct Fixture {
    addr: std::net::SocketAddr,
    phase: watch::Sender<Phase>,
    reloads: mpsc::Receiver<ReloadRequest>,
}

impl Fixture {
    async fn start() -> Self {
        let shared =
            Shared::new(Registry::new(SystemTime::now()), AccessLogger::start().unwrap(), Arc::default());
        let mut config = Config::default();
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
        tokio::spawn(Admin::new(shared, seen, reload).serve(socket, std::future::pending()));
        Self { addr, phase, reloads }
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
