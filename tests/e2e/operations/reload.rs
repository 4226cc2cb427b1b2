//! SIGHUP and `bifrons reload`.

use crate::support::get;
use crate::traffic::Traffic;
use bifrons_testkit::{End, Origin, Proxy, Wire, binary, wait_until};
use std::net::TcpStream;

/// A configuration whose answers say its number.
fn version(number: usize) -> String {
    format!(
        "workers: 2\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\nclusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         hosts:\n  - default: true\n    filters: [{{ response_headers: {{ set: {{ X-Version: \"{number}\" }} }} }}]\n\
         \u{20}   routes: [{{ path: /*, proxy: app }}, {{ path: /own, respond: hi }}]\n"
    )
}

fn versioned(origin: &Origin) -> Proxy {
    Proxy::yaml(&version(1)).with("app", origin.addr()).start()
}

fn wait_version(proxy: &Proxy, number: usize) {
    wait_until("the new configuration answers", || {
        get(proxy, "/own").field("X-Version") == Some(&number.to_string())
    });
}

#[test]
fn no_request_fails_while_configurations_change() {
    let origin = Origin::saying("ok");
    let mut proxy = versioned(&origin);
    let traffic = Traffic::start(proxy.addr("web"), |answer| match answer.field("X-Version") {
        Some(_) if answer.text() == "ok" => Ok(()),
        _ => Err(format!("{answer:?}")),
    });
    for number in 2..8 {
        proxy.rewrite(&version(number));
        proxy.signal("HUP");
        wait_version(&proxy, number);
        traffic.wait_for(50);
    }
    assert!(traffic.stop() >= 300);
}

#[test]
fn a_kept_connection_takes_up_the_new_configuration() {
    let origin = Origin::saying("ok");
    let mut proxy = versioned(&origin);
    let mut client = proxy.client();
    assert_eq!(client.get("/").field("X-Version"), Some("1"));
    proxy.rewrite(&version(2));
    proxy.signal("HUP");
    wait_until("it answers by the new one", || client.get("/").field("X-Version") == Some("2"));
    assert_eq!(origin.connections(), 1, "connections to endpoints live on");
}

#[test]
fn a_wrong_configuration_changes_nothing_and_says_why() {
    let origin = Origin::saying("ok");
    let mut proxy = versioned(&origin);
    proxy.rewrite("listeners: { web: { bind: \"@web@\" } }\nhotsts: []\n");
    proxy.signal("HUP");
    proxy.wait_log("hotsts");
    proxy.wait_log("the old one runs on");
    assert_eq!(get(&proxy, "/").field("X-Version"), Some("1"));
    proxy.rewrite(&version(2));
    proxy.signal("HUP");
    wait_version(&proxy, 2);
}

#[test]
fn the_command_waits_for_the_outcome() {
    let origin = Origin::saying("ok");
    let mut proxy = versioned(&origin);
    let pid_file = proxy.dir().path().join("pid").display().to_string();
    proxy.rewrite(&version(2));
    let output = binary::run(&["reload", "--pid-file", &pid_file]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(get(&proxy, "/own").field("X-Version"), Some("2"), "at once");
    proxy.rewrite("hotsts: []\n");
    let output = binary::run(&["reload", "--pid-file", &pid_file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hotsts"));
}

#[test]
fn listeners_come_and_go() {
    let both = "workers: 2\nlisteners: { web: { bind: \"@web@\" }, more: { bind: \"@more@\" } }\n\
                hosts: [{ default: true, routes: [{ path: /*, respond: both }] }]\n";
    let one = "workers: 2\nlisteners: { web: { bind: \"@web@\" } }\nhosts: [{ default: true, routes: [{ path: /*, respond: one }] }]\n";
    let mut proxy = Proxy::yaml(one).start();
    proxy.rewrite(both);
    proxy.signal("HUP");
    wait_until("the new listener is there", || TcpStream::connect(proxy.addr("more")).is_ok());
    let mut inside = proxy.client_to("more");
    assert_eq!(inside.get("/").text(), "both");
    let mut kept = proxy.client();
    kept.get("/");
    proxy.rewrite(one);
    proxy.signal("HUP");
    wait_until("it is gone again", || TcpStream::connect(proxy.addr("more")).is_err());
    // Who is in gets an answer to what comes next, and is sent away with it.
    let last = inside.get("/");
    assert_eq!((last.text(), last.field("Connection")), ("both", Some("close")));
    assert_eq!(inside.read_end(), End::Closed);
    assert_eq!(kept.get("/").text(), "one");
}

#[test]
fn a_listener_that_can_not_be_had_is_no_reload() {
    let taken = Origin::saying("x");
    let one = "workers: 1\nlisteners: { web: { bind: \"@web@\" } }\nhosts: [{ default: true, routes: [{ path: /*, respond: one }] }]\n";
    let mut proxy = Proxy::yaml(one).with("taken", taken.addr()).start();
    proxy.rewrite(
        "workers: 1\nlisteners: { web: { bind: \"@web@\" }, more: { bind: \"@taken@\" }, fine: { bind: \"@fine@\" } }\n\
         hosts: [{ default: true, routes: [{ path: /*, respond: two }] }]\n",
    );
    proxy.signal("HUP");
    proxy.wait_log("the old one runs on");
    assert_eq!(get(&proxy, "/").text(), "one");
    assert!(TcpStream::connect(proxy.addr("fine")).is_err(), "nothing of it stays");
}

#[test]
fn a_websocket_and_a_running_request_outlive_a_reload() {
    let (gate, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let origin = Origin::script(move |wire: &mut Wire| {
        let Some(request) = wire.read_request() else { return };
        if request.target() == "/ws" {
            wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
            for _ in 0..2 {
                let bytes = wire.read_exact(4);
                wire.send(bytes);
            }
        } else {
            let _ = opened.lock().unwrap().recv();
            wire.send(bifrons_testkit::origin::ok("late"));
        }
    });
    let mut proxy = versioned(&origin);
    let (mut tunnel, mut waiting) = (proxy.client(), proxy.client());
    tunnel.send("GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping");
    assert_eq!(tunnel.read_head().status(), 101);
    assert_eq!(tunnel.read_exact(4), b"ping");
    waiting.send("GET /slow HTTP/1.1\r\nHost: test\r\n\r\n");
    wait_until("it waits", || origin.connections() == 2 && !origin.received(1).is_empty());
    proxy.rewrite(&version(2));
    proxy.signal("HUP");
    wait_version(&proxy, 2);
    tunnel.send("pong");
    assert_eq!(tunnel.read_exact(4), b"pong");
    drop(gate);
    let answer = waiting.read_response();
    assert_eq!(
        (answer.text(), answer.field("X-Version")),
        ("late", Some("1")),
        "it ends by what it began with"
    );
}

/// Kept connections belong to the endpoint they were made to, also when it is gone and others come in its
/// place: none may serve a request for another.
#[test]
fn no_request_goes_to_an_endpoint_that_is_gone() {
    let origins: Vec<Origin> = (0..8).map(|number| Origin::saying(&number.to_string())).collect();
    let config = |number: usize| {
        let endpoint = origins[number].addr();
        format!(
            "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
             clusters: {{ app: {{ endpoints: [\"{endpoint}\"] }} }}\n\
             hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}, {{ path: /at, respond: \"{number}\" }}] }}]\n"
        )
    };
    let mut proxy = Proxy::yaml(&config(0)).start();
    for round in 1..40 {
        let number = round % origins.len();
        proxy.rewrite(&config(number));
        proxy.signal("HUP");
        wait_until("the new configuration answers", || get(&proxy, "/at").text() == number.to_string());
        for _ in 0..3 {
            assert_eq!(get(&proxy, "/").text(), number.to_string(), "round {round}");
        }
    }
}
