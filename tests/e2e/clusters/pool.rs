//! Connections to endpoints that are kept for further requests.

use crate::support::{front_setup, front_with};
use bifrons_testkit::{Origin, Proxy, Wire, wait_until};

#[test]
fn clients_that_come_and_go_share_a_connection() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, "", "");
    for _ in 0..10 {
        assert_eq!(proxy.client().get("/").text(), "ok");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn workers_share_connections() {
    let origin = Origin::saying("ok");
    let yaml = "workers: 2\nlisteners: { web: { bind: \"@web@\" } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n\
                hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n";
    // A worker that is busy for more than a millisecond is not waited for, so it may take several rounds. With
    // a connection to each worker's own pool, 40 clients would make two every time.
    wait_until("an idle connection of the other worker is taken over", || {
        let proxy = Proxy::yaml(yaml).with("app", origin.addr()).start();
        let before = origin.connections();
        for _ in 0..40 {
            assert_eq!(proxy.client().get("/").text(), "ok");
        }
        origin.connections() - before == 1
    });
}

#[test]
fn keeping_none_closes_each() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, "", ", keep_alive: { idle: 0 }");
    let mut client = proxy.client();
    for _ in 0..4 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(origin.connections(), 4);
    assert!(origin.requests().iter().all(|request| request.field("Connection") == Some("close")));
}

#[test]
fn a_route_may_keep_none() {
    let origin = Origin::saying("ok");
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, keep_alive: false }").start();
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_connection_is_used_so_often() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, "", ", keep_alive: { requests: 2 }");
    let mut client = proxy.client();
    for _ in 0..6 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    let (told, ended) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let origin = Origin::script(move |wire: &mut Wire| {
        while wire.read_request().is_some() {
            wire.send(bifrons_testkit::origin::ok("ok"));
        }
        let _ = told.lock().unwrap().send(());
    });
    let proxy = front_with(&origin, "", ", keep_alive: { timeout: 300ms }");
    assert_eq!(proxy.client().get("/").text(), "ok");
    ended.recv_timeout(bifrons_testkit::wait::DEADLINE).expect("the proxy closes it");
}

#[test]
fn so_many_idle_connections_are_kept() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, "", ", keep_alive: { idle: 2 }");
    let mut clients: Vec<_> = (0..6).map(|_| proxy.client()).collect();
    for round in 0..2 {
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        }
        for client in &mut clients {
            assert_eq!(client.read_response().text(), "ok", "round {round}");
        }
    }
    // Bursts of six: at most six at first, then two are there already.
    wait_until("the rest is closed", || origin.connections() <= 10);
}

#[test]
fn http10_origins_are_kept_only_when_they_say_so() {
    let origin = Origin::serve(|request| {
        let keep = if request.target() == "/keep" { "Connection: keep-alive\r\n" } else { "" };
        format!("HTTP/1.0 200 OK\r\n{keep}Content-Length: 2\r\n\r\nok").into_bytes()
    });
    let proxy = front_setup(&[origin.addr()], "", "", "{ cluster: app, http_version: \"1.0\" }").start();
    let mut client = proxy.client();
    assert_eq!(client.get("/keep").text(), "ok");
    assert_eq!(client.get("/keep").text(), "ok");
    assert_eq!(origin.connections(), 1);
    client.get("/");
    client.get("/");
    assert_eq!(origin.connections(), 2);
    let first = &origin.requests()[0];
    assert_eq!((first.start.as_str(), first.field("Connection")), ("GET /keep HTTP/1.0", Some("keep-alive")));
}

/// Whatever the last read of a body looked like (partly filled, exactly filled, spliced), nothing is left
/// on the connection, and it serves again.
#[test]
fn connections_are_kept_after_bodies_of_any_size() {
    let origin = Origin::serve(|request| {
        let len: usize = request.target().trim_start_matches('/').parse().unwrap();
        let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n").into_bytes();
        answer.resize(answer.len() + len, b'x');
        answer
    });
    let proxy = front_setup(&[origin.addr()], "", "", "app").start();
    let mut client = proxy.client();
    for len in [1, 16_384, 65_536, 131_072, 262_144, 1_048_576] {
        for round in 0..4 {
            assert_eq!(client.get(&format!("/{len}")).body.len(), len, "round {round}");
        }
    }
    assert_eq!(origin.connections(), 1);
}

/// NTLM and Negotiate (RFC 4559) authenticate connections: what comes over one later counts as that user's.
#[test]
fn a_connection_that_was_authenticated_is_nobody_elses() {
    for scheme in ["NTLM", "Negotiate"] {
        let origin = Origin::numbered(move |wire: &mut Wire, number| {
            let mut user = None;
            while let Some(request) = wire.read_request() {
                match (request.field("Authorization"), &user) {
                    (Some(said), None) if said.ends_with(" hello") => {
                        let challenge = format!("WWW-Authenticate: {scheme} challenge\r\n");
                        let head = format!("HTTP/1.1 401 Unauthorized\r\n{challenge}");
                        wire.send(format!("{head}Content-Length: 0\r\n\r\n"));
                        user = Some("");
                    }
                    // A response fits only the challenge of its connection.
                    (Some(said), Some("")) if said.ends_with(" response") => {
                        user = Some("alice");
                        wire.send(bifrons_testkit::origin::ok(&format!("{number} alice")));
                    }
                    _ => {
                        let user = user.unwrap_or("nobody");
                        wire.send(bifrons_testkit::origin::ok(&format!("{number} {user}")));
                    }
                };
            }
        });
        let other = Origin::saying("other");
        let endpoints = [origin.addr(), other.addr()];
        let proxy = front_setup(&endpoints, "", "", "app").start();
        let mut alice = proxy.client();
        let hello = format!("GET / HTTP/1.1\r\nHost: test\r\nAuthorization: {scheme} hello\r\n\r\n");
        assert_eq!(alice.ask(&hello).status(), 401, "{scheme}");
        assert_eq!(alice.ask(&hello.replace("hello", "response")).text(), "0 alice", "{scheme}");
        for _ in 0..3 {
            assert_eq!(alice.get("/").text(), "0 alice", "her next requests go the same way");
        }
        for _ in 0..6 {
            assert!(!proxy.client().get("/").text().ends_with("alice"), "{scheme}");
        }
        assert_eq!(alice.get("/").text(), "0 alice");
    }
}
