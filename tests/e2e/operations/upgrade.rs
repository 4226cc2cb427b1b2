//! SIGUSR2: another process takes the sockets over.

use crate::traffic::Traffic;
use bifrons_testkit::proxy::signal_to;
use bifrons_testkit::{Origin, Proxy, Wire, wait_for, wait_until};

fn start(origin: &Origin) -> Proxy {
    let yaml = "workers: 2\nlisteners: { web: { bind: \"@web@\" } }\nclusters: { app: { endpoints: [\"@app@\"] } }\n\
                hosts: [{ default: true, routes: [{ path: /*, proxy: app }, { path: /pid, respond: \"$pid\" }] }]\n";
    Proxy::yaml(yaml).with("app", origin.addr()).start()
}

#[test]
fn no_request_fails_while_processes_change() {
    let origin = Origin::saying("ok");
    let mut proxy = start(&origin);
    let traffic = Traffic::start(proxy.addr("web"), |answer| match answer.text() {
        "ok" => Ok(()),
        other => Err(other.to_owned()),
    });
    traffic.wait_for(50);
    let first = proxy.pid();
    proxy.signal("USR2");
    assert_eq!(proxy.wait_exit().code(), Some(0));
    traffic.wait_for(50);
    let second = proxy.serving_pid().unwrap();
    assert_ne!(first, second);
    // And once more, by the process that took over.
    signal_to(second, "USR2");
    let third = wait_for("the third serves", || proxy.serving_pid().filter(|pid| *pid != second));
    wait_until("the second has ended", || proxy.processes() == [third]);
    traffic.wait_for(50);
    assert!(traffic.stop() >= 150);
    assert_eq!(proxy.client().get("/pid").text(), third.to_string());
}

#[test]
fn what_runs_is_finished_by_the_old_process() {
    let (gate, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let origin = Origin::script(move |wire: &mut Wire| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        let _ = opened.lock().unwrap().recv();
        wire.send("world");
    });
    let mut proxy = start(&origin);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    client.read_head();
    assert_eq!(client.read_exact(5), b"hello");
    proxy.signal("USR2");
    wait_until("the new process serves", || proxy.serving_pid().is_some_and(|pid| pid != proxy.pid()));
    assert!(proxy.is_running());
    drop(gate);
    assert_eq!(client.read_exact(5), b"world");
    assert_eq!(proxy.wait_exit().code(), Some(0));
}

#[test]
fn a_new_process_that_does_not_start_changes_nothing() {
    let origin = Origin::saying("ok");
    let mut proxy = start(&origin);
    let traffic = Traffic::start(proxy.addr("web"), |_| Ok(()));
    proxy.rewrite("nonsense: true\n");
    proxy.signal("USR2");
    proxy.wait_log("the upgrade failed");
    traffic.wait_for(50);
    traffic.stop();
    assert_eq!(proxy.client().get("/pid").text(), proxy.pid().to_string());
    assert_eq!(proxy.processes(), [proxy.pid()]);
}

#[test]
fn the_new_process_runs_by_the_configuration_as_it_is_then() {
    let origin = Origin::saying("ok");
    let mut proxy = start(&origin);
    proxy.rewrite(
        "workers: 1\nlisteners: { web: { bind: \"@web@\" }, more: { bind: \"@more@\" } }\n\
         hosts: [{ default: true, routes: [{ path: /*, respond: new }] }]\n",
    );
    proxy.signal("USR2");
    assert_eq!(proxy.wait_exit().code(), Some(0));
    assert_eq!(proxy.client().get("/").text(), "new");
    assert_eq!(proxy.client_to("more").get("/").text(), "new");
}
