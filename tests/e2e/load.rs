//! Many at once.

use crate::support::{front, pattern};
use bifrons_testkit::{Origin, Proxy, Wire};
use std::time::Duration;

#[test]
fn a_thousand_connections_at_once() {
    let origin = Origin::echo();
    let proxy = front(&origin);
    let mut clients: Vec<_> = (0..1000).map(|_| proxy.client()).collect();
    for round in 0..2 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("GET /{number}/{round} HTTP/1.1\r\nHost: test\r\n\r\n"));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(client.read_response().echoed().target(), format!("/{number}/{round}"));
        }
    }
}

#[test]
fn slow_clients_do_not_hold_up_others() {
    let body = pattern(4 << 20);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let whole = [head.as_bytes(), &body].concat();
    let origin = Origin::serve(move |request| match request.target() {
        "/big" => whole.clone(),
        _ => bifrons_testkit::origin::ok("quick"),
    });
    let proxy = front(&origin);
    let mut slow: Vec<_> = (0..50)
        .map(|_| {
            let mut client = Wire::connect_narrow(proxy.addr("web"));
            client.send("GET /big HTTP/1.1\r\nHost: test\r\n\r\n");
            client.read_head();
            client
        })
        .collect();
    let mut dripping = proxy.client();
    dripping.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n");
    let mut quick = proxy.client();
    for _ in 0..100 {
        assert_eq!(quick.get("/quick").text(), "quick");
        dripping.send("x");
    }
    // One of the slow ones takes the rest after all, and it is all there.
    let rest = slow[0].read_exact(body.len());
    assert!(rest == body);
    dripping.drip([b'x'; 900], 90, Duration::from_millis(1));
    assert_eq!(dripping.read_response().text(), "quick");
}

#[test]
fn workers_share_the_work() {
    let origin = Origin::saying("ok");
    let yaml = "workers: 3\nlisteners: { web: { bind: \"@web@\" } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n\
                hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n";
    let proxy = Proxy::yaml(yaml).with("app", origin.addr()).start();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let addr = proxy.addr("web");
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let mut client = Wire::connect(addr);
                    (0..5).for_each(|_| assert_eq!(client.get("/").text(), "ok"));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(origin.requests().len(), 800);
}

#[test]
fn an_origin_that_dies_under_load_costs_only_what_ran_there() {
    let (doomed, safe) = (Origin::saying("ok"), Origin::saying("ok"));
    let proxy = crate::support::front_setup(&[doomed.addr(), safe.addr()], "", "", "app").start();
    let traffic = crate::traffic::Traffic::start(proxy.addr("web"), |answer| match answer.text() {
        "ok" => Ok(()),
        other => Err(other.to_owned()),
    });
    traffic.wait_for(100);
    // GETs are sent again where they may be, so not one fails.
    doomed.stop();
    traffic.wait_for(200);
    traffic.stop();
}

#[test]
fn an_origin_that_dies_in_the_middle_of_a_big_body_is_noticed() {
    // Long enough for the body to go through the kernel only.
    let body = pattern(6 << 20);
    let half = body[..3 << 20].to_vec();
    for (name, head, is_reset) in [
        ("length, closed", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()), false),
        ("length, reset", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()), true),
        (
            "chunk, closed",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len()),
            false,
        ),
        (
            "chunk, reset",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len()),
            true,
        ),
    ] {
        let sent = [head.as_bytes(), &half].concat();
        let origin = Origin::script(move |wire: &mut Wire| {
            if wire.read_request().is_some() {
                wire.send(&sent);
                if is_reset {
                    wire.reset();
                }
            }
        });
        let proxy = front(&origin);
        let mut client = proxy.client();
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        let cut = client.read_cut_response();
        let got = cut.message.unwrap().body;
        assert!(half.starts_with(&got), "{name}: what came is what was sent");
        // A reset may throw away what was on its way.
        assert!(is_reset || got.len() == half.len(), "{name}: {} of {}", got.len(), half.len());
    }
}

#[test]
fn a_client_that_leaves_a_big_answer_frees_its_endpoint() {
    let body = pattern(16 << 20);
    let whole =
        [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat();
    let (told, ended) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let origin = Origin::script(move |wire: &mut Wire| {
        wire.read_request();
        // Fails when the proxy closes the connection.
        let outcome = wire.try_send(&whole);
        let _ = told.lock().unwrap().send(outcome.is_err());
    });
    let proxy = front(&origin);
    let mut client = Wire::connect_narrow(proxy.addr("web"));
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    client.reset();
    drop(client);
    assert_eq!(ended.recv_timeout(bifrons_testkit::wait::DEADLINE), Ok(true));
    assert!(proxy.wait_records(1)[0].contains("client_"));
}
