//! How requests spread over endpoints.

use crate::support::front_setup;
use bifrons_testkit::{Origin, Proxy, Wire};
use std::net::SocketAddr;

fn named(count: usize) -> Vec<Origin> {
    (0..count).map(|number| Origin::saying(&number.to_string())).collect()
}

fn addrs(origins: &[Origin]) -> Vec<SocketAddr> {
    origins.iter().map(Origin::addr).collect()
}

fn counts(origins: &[Origin]) -> Vec<usize> {
    origins.iter().map(|origin| origin.requests().len()).collect()
}

/// Endpoints as maps with these keys besides their addresses.
fn detailed(origins: &[Origin], keys: &[&str], cluster: &str) -> Proxy {
    let endpoints: Vec<_> = origins
        .iter()
        .zip(keys)
        .map(|(origin, keys)| format!("{{ address: \"{}\"{keys} }}", origin.addr()))
        .collect();
    Proxy::yaml(&format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}] }}]\n\
         clusters: {{ app: {{ endpoints: [{}]{cluster} }} }}\n",
        endpoints.join(", ")
    ))
    .start()
}

#[test]
fn round_robin_gives_each_the_same() {
    let origins = named(3);
    let proxy = front_setup(&addrs(&origins), "", "", "app").start();
    let mut client = proxy.client();
    (0..30).for_each(|_| drop(client.get("/")));
    assert_eq!(counts(&origins), [10, 10, 10]);
}

#[test]
fn weights_are_shares_and_spread_smoothly() {
    let origins = named(3);
    let proxy = detailed(&origins, &[", weight: 5", "", ""], "");
    let mut client = proxy.client();
    let order: String = (0..7).map(|_| client.get("/").text().to_owned()).collect();
    assert_eq!(order.matches('0').count(), 5, "{order}");
    assert!(!order.contains("0000"), "smooth, not five in a row: {order}");
    (0..63).for_each(|_| drop(client.get("/")));
    assert_eq!(counts(&origins), [50, 10, 10]);
}

#[test]
fn least_request_avoids_the_busy_one() {
    let (origins, gates): (Vec<_>, Vec<_>) = (0..2).map(|_| slow()).unzip();
    let proxy = front_setup(&addrs(&origins), "", ", balance: least_request", "app").start();
    // One endpoint has a request it does not finish; all others go to the other one.
    let mut stuck = proxy.client();
    stuck.send("GET /stuck HTTP/1.1\r\nHost: test\r\n\r\n");
    bifrons_testkit::wait_until("it is stuck", || {
        origins.iter().any(|origin| !origin.received_all().is_empty())
    });
    let mut client = proxy.client();
    (0..10).for_each(|_| drop(client.get("/quick")));
    let quick = |origin: &Origin| String::from_utf8(origin.received_all()).unwrap().matches("/quick").count();
    let mut seen: Vec<_> = origins.iter().map(quick).collect();
    seen.sort_unstable();
    assert_eq!(seen, [0, 10]);
    drop(gates);
    assert_eq!(stuck.read_response().status(), 200);
}

/// An origin that answers `/stuck` only when its gate is dropped.
fn slow() -> (Origin, std::sync::mpsc::Sender<()>) {
    let (gate, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let origin = Origin::script(move |wire: &mut Wire| {
        while let Some(request) = wire.read_request() {
            if request.target() == "/stuck" {
                let _ = opened.lock().unwrap().recv();
            }
            wire.send(bifrons_testkit::origin::ok("ok"));
        }
    });
    (origin, gate)
}

#[test]
fn random_uses_all() {
    let origins = named(4);
    let proxy = front_setup(&addrs(&origins), "", ", balance: random", "app").start();
    let mut client = proxy.client();
    (0..200).for_each(|_| drop(client.get("/")));
    // 50 each on average; 10 or fewer has a chance below 1e-13.
    assert!(counts(&origins).iter().all(|count| *count > 10), "{:?}", counts(&origins));
}

#[test]
fn ip_hash_keeps_a_client_at_its_endpoint() {
    let origins = named(4);
    let proxy = front_setup(&addrs(&origins), "", ", balance: ip_hash", "app").start();
    let of = |ip: String| {
        let mut texts: Vec<_> = (0..3)
            .map(|_| Wire::connect_from(ip.parse().unwrap(), proxy.addr("web")).get("/").text().to_owned())
            .collect();
        texts.dedup();
        assert_eq!(texts.len(), 1, "{ip} moved: {texts:?}");
        texts.remove(0)
    };
    let mut used: Vec<_> = (1..30).map(|net| of(format!("127.1.{net}.1"))).collect();
    used.sort();
    used.dedup();
    assert!(used.len() > 1, "all networks went to {used:?}");
    assert_eq!(of("127.1.7.1".into()), of("127.1.7.200".into()), "a /24 stays together, as in nginx");
}

#[test]
fn a_hash_keeps_a_key_at_its_endpoint() {
    let origins = named(4);
    let balance = ", balance: { hash: { key: $arg_user } }";
    let proxy = front_setup(&addrs(&origins), "", balance, "app").start();
    let of = |user: usize| get_user(&proxy, user);
    let before: Vec<_> = (0..40).map(of).collect();
    let again: Vec<_> = (0..40).map(of).collect();
    assert_eq!(before, again);
    assert!(counts(&origins).iter().all(|count| *count > 0), "{:?}", counts(&origins));
    // Without one endpoint only its own keys move.
    let fewer = front_setup(&addrs(&origins[..3]), "", balance, "app").start();
    let moved =
        (0..40).filter(|user| before[*user] != "3" && get_user(&fewer, *user) != before[*user]).count();
    assert_eq!(moved, 0);
}

fn get_user(proxy: &Proxy, user: usize) -> String {
    proxy.client().get(&format!("/?user=u{user}")).text().to_owned()
}

#[test]
fn a_backup_serves_only_when_no_primary_can() {
    let origins = named(2);
    let proxy = detailed(&origins, &["", ", backup: true"], "");
    let mut client = proxy.client();
    let texts = |client: &mut Wire| (0..5).map(|_| client.get("/").text().to_owned()).collect::<String>();
    assert_eq!(texts(&mut client), "00000");
    origins[0].stop();
    assert_eq!(texts(&mut client), "11111");
}

#[test]
fn an_endpoint_marked_down_never_serves() {
    let origins = named(2);
    let proxy = detailed(&origins, &["", ", down: true"], "");
    let mut client = proxy.client();
    (0..6).for_each(|_| drop(client.get("/")));
    assert_eq!(counts(&origins), [6, 0]);
}

#[test]
fn an_endpoint_takes_so_many_at_once() {
    let (origin, gate) = slow();
    let proxy = detailed(std::slice::from_ref(&origin), &[", max_conns: 1"], "");
    let mut stuck = proxy.client();
    stuck.send("GET /stuck HTTP/1.1\r\nHost: test\r\n\r\n");
    bifrons_testkit::wait_until("it is stuck", || !origin.received_all().is_empty());
    let refused = proxy.client().get("/");
    assert_eq!((refused.status(), refused.has("Retry-After")), (503, true));
    drop(gate);
    assert_eq!(stuck.read_response().status(), 200);
    assert_eq!(proxy.client().get("/").status(), 200);
}

#[test]
fn names_are_resolved() {
    let origin = Origin::serve_at("127.0.0.1:0".parse().unwrap(), |_| bifrons_testkit::origin::ok("by name"));
    let yaml = format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"@web@\" }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}] }}]\n\
         clusters: {{ app: {{ endpoints: [\"localhost:{}\"] }} }}\n",
        origin.addr().port()
    );
    let proxy = Proxy::yaml(&yaml).start();
    assert_eq!(proxy.client().get("/").text(), "by name");
}

#[test]
fn an_endpoint_may_be_a_unix_socket() {
    use std::io::{Read, Write};
    let dir = bifrons_testkit::TempDir::new();
    let path = dir.path().join("app.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).unwrap();
        stream.write_all(&bifrons_testkit::origin::ok("by path")).unwrap();
    });
    let proxy = Proxy::yaml(
        "workers: 1\nlisteners: { web: { bind: \"@web@\" } }\nclusters: { app: { endpoints: [\"unix:@sock@\"] } }\n\
         hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n",
    )
    .with("sock", path.display())
    .start();
    assert_eq!(proxy.client().get("/").text(), "by path");
}
