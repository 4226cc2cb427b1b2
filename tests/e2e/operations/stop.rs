//! SIGTERM, SIGQUIT, `bifrons stop`: what runs is finished.

use crate::support::front_setup;
use bifrons_testkit::{End, Origin, Proxy, Wire, binary, proxy::listens, wait_until};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// An origin that answers when the gate is dropped, and a proxy with a request there.
fn waiting(more: &str) -> (Origin, Sender<()>, Proxy, Wire) {
    let (gate, opened) = channel::<()>();
    let opened = Mutex::new(opened);
    let origin = Origin::script(move |wire: &mut Wire| {
        while wire.read_request().is_some() {
            let _ = opened.lock().unwrap().recv();
            wire.send(bifrons_testkit::origin::ok("finished"));
        }
    });
    let yaml = format!(
        "workers: 2\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\nclusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}] }}]\n{more}"
    );
    let proxy = Proxy::yaml(&yaml).with("app", origin.addr()).start();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    wait_until("it waits", || !origin.received_all().is_empty());
    (origin, gate, proxy, client)
}

#[test]
fn a_running_request_is_finished() {
    for signal in ["TERM", "QUIT"] {
        let (_origin, gate, mut proxy, mut client) = waiting("");
        proxy.signal(signal);
        wait_until("it listens no more", || !listens(proxy.addr("web")));
        assert!(proxy.is_running());
        drop(gate);
        let answer = client.read_response();
        assert_eq!((answer.text(), answer.field("Connection")), ("finished", Some("close")));
        assert_eq!(client.read_end(), End::Closed);
        assert_eq!(proxy.wait_exit().code(), Some(0));
        assert_eq!(proxy.wait_records(1).len(), 1, "and recorded");
    }
}

#[test]
fn idle_connections_do_not_hold_it_up() {
    let origin = Origin::saying("ok");
    let mut proxy = front_setup(&[origin.addr()], "", "", "app").start();
    let mut clients: Vec<_> = (0..5).map(|_| proxy.client()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "ok"));
    let silent = proxy.client();
    proxy.signal("TERM");
    assert_eq!(proxy.wait_exit().code(), Some(0));
    clients.iter_mut().for_each(|client| assert_eq!(client.read_end(), End::Closed));
    drop(silent);
}

/// A worker that is late finds a request and the time to end idle connections at once. Where in its ticks it is
/// stopped is not ours to say: some of these pauses let one pass before, and one fall into the stop.
#[test]
fn a_request_that_came_in_time_is_served_however_late_a_worker_looks() {
    for pause in [220, 260, 300, 340] {
        let (_origin, gate, mut proxy, _running) = waiting("");
        let mut late = proxy.client();
        proxy.signal("TERM");
        proxy.wait_log("draining");
        std::thread::sleep(Duration::from_millis(pause));
        proxy.signal("STOP");
        std::thread::sleep(Duration::from_millis(300));
        late.set_patience(Duration::from_millis(1));
        let is_open = late.is_quiet();
        late.set_patience(Duration::from_secs(20));
        let _ = late.try_send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        proxy.signal("CONT");
        drop(gate);
        if is_open {
            assert_eq!(late.read_response().text(), "finished", "after {pause} ms");
        }
        proxy.wait_exit();
    }
}

#[test]
fn it_does_not_wait_for_ever() {
    let (_origin, _gate, mut proxy, mut client) = waiting("shutdown: { timeout: 300ms }\n");
    proxy.signal("TERM");
    proxy.wait_exit();
    let (bytes, _) = client.read_to_end();
    assert!(!bytes.starts_with(b"HTTP/1.1 200"), "{}", bytes.escape_ascii());
}

#[test]
fn a_second_signal_cuts_what_runs() {
    let (_origin, _gate, mut proxy, _client) = waiting("");
    proxy.signal("TERM");
    proxy.wait_log("draining");
    proxy.signal("TERM");
    proxy.wait_exit();
}

#[test]
fn the_command_returns_when_it_has_ended() {
    let origin = Origin::saying("ok");
    let mut proxy = front_setup(&[origin.addr()], "", "", "app").start();
    let pid_file = proxy.dir().path().join("pid").display().to_string();
    // The parent has to collect it for the command to see its end.
    let stop = std::thread::spawn(move || binary::run(&["stop", "--pid-file", &pid_file]));
    assert_eq!(proxy.wait_exit().code(), Some(0));
    assert!(stop.join().unwrap().status.success());
    assert!(!listens(proxy.addr("web")));
    assert_eq!(proxy.dir().read("pid"), "", "no pid file is left");
}
