//! The admin listener: health, metrics, the running configuration.

use bifrons_testkit::{Message, Origin, Proxy, Wire, free_addr, wait_until};

fn start(origin: &Origin, dead: std::net::SocketAddr) -> Proxy {
    let yaml = "workers: 2\nlisteners: { web: { bind: \"@web@\" } }\nadmin: { bind: \"@admin@\" }\n\
                clusters: { app: { endpoints: [\"@app@\", { address: \"@dead@\", fail_timeout: 1h }] } }\n\
                hosts: [{ names: [shop.test], routes: [{ path: /*, proxy: app }, { path: /own, respond: own, name: mine }] }]\n";
    Proxy::yaml(yaml).with("app", origin.addr()).with("dead", dead).start()
}

fn admin(proxy: &Proxy, path: &str) -> Message {
    proxy.client_to("admin").get(path)
}

/// The sum of the series of a metric whose labels have all these parts.
fn metric(text: &str, name: &str, labels: &[&str]) -> f64 {
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let fits = series.filter(|line| {
        line.split(['{', ' ']).next() == Some(name) && labels.iter().all(|label| line.contains(label))
    });
    fits.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap_or_else(|_| panic!("{line}")))
        .sum()
}

#[test]
fn metrics_count_what_happened() {
    let origin = Origin::saying("hello");
    let proxy = start(&origin, free_addr());
    let shop = |path: &str| proxy.client().ask(&format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n"));
    (0..6).for_each(|_| assert_eq!(shop("/").status(), 200));
    (0..3).for_each(|_| assert_eq!(shop("/own").status(), 200));
    proxy.client().get("/nobody");
    proxy.client().ask("GET / HTTP/1.1\r\n\r\n");
    wait_until("all are counted", || {
        metric(admin(&proxy, "/metrics").text(), "bifrons_requests_total", &[]) >= 11.0
    });
    let answer = admin(&proxy, "/metrics");
    assert!(answer.field("Content-Type").unwrap().starts_with("text/plain; version=0.0.4"), "{answer:?}");
    let text = answer.text();
    let rows = [
        ("bifrons_requests_total", vec!["code=\"2xx\"", "cluster=\"app\"", "host=\"shop.test\""], 6.0),
        ("bifrons_requests_total", vec!["code=\"2xx\"", "route=\"mine\""], 3.0),
        ("bifrons_requests_total", vec!["code=\"4xx\""], 2.0),
        ("bifrons_requests_total", vec!["code=\"5xx\""], 0.0),
        ("bifrons_errors_total", vec!["kind=\"no_route\""], 1.0),
        ("bifrons_errors_total", vec!["kind=\"client_malformed\""], 1.0),
        ("bifrons_connections_accepted_total", vec!["listener=\"web\""], 11.0),
        ("bifrons_request_duration_seconds_count", vec!["route=\"mine\""], 3.0),
        ("bifrons_upstream_connect_failures_total", vec!["cluster=\"app\""], 1.0),
        ("bifrons_upstream_retries_total", vec!["cluster=\"app\""], 1.0),
        ("bifrons_upstream_ejections_total", vec!["cluster=\"app\""], 1.0),
        ("bifrons_panics_total", vec![], 0.0),
        ("bifrons_config_reloads_total", vec!["result=\"ok\""], 1.0),
        ("bifrons_config_last_reload_successful", vec![], 1.0),
    ];
    let wrong: Vec<_> = rows
        .into_iter()
        .map(|(name, labels, want)| (metric(text, name, &labels), name, labels, want))
        .filter(|(got, _, _, want)| got != want)
        .collect();
    assert!(wrong.is_empty(), "got, metric, labels, wanted: {wrong:#?}\n{text}");
    assert!(metric(text, "bifrons_downstream_sent_bytes_total", &["listener=\"web\""]) > 1000.0);
    assert_eq!(
        metric(text, "bifrons_upstream_connects_total", &["app"])
            + metric(text, "bifrons_upstream_reuses_total", &["app"]),
        7.0
    );
    wait_until("connections are gone", || {
        metric(admin(&proxy, "/metrics").text(), "bifrons_connections_active", &["web"]) == 0.0
    });
}

#[test]
fn gauges_show_what_runs_now() {
    let (gate, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let origin = Origin::script(move |wire: &mut Wire| {
        wire.read_request();
        let _ = opened.lock().unwrap().recv();
        wire.send(bifrons_testkit::origin::ok("ok"));
    });
    let yaml = "workers: 2\nlisteners: { web: { bind: \"@web@\" } }\nadmin: { bind: \"@admin@\" }\n\
                clusters: { app: { endpoints: [\"@app@\"] } }\nhosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n";
    let proxy = Proxy::yaml(yaml).with("app", origin.addr()).start();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let now = |name: &str| metric(admin(&proxy, "/metrics").text(), name, &[]);
    let gauges =
        ["bifrons_connections_active", "bifrons_requests_active", "bifrons_upstream_requests_active"];
    wait_until("all are 1", || gauges.iter().all(|name| now(name) == 1.0));
    drop(gate);
    client.read_response();
    drop(client);
    wait_until("all are 0", || gauges.iter().all(|name| now(name) == 0.0));
    assert_eq!(now("bifrons_upstream_pool_idle"), 0.0, "this origin closes");
    assert!(
        now("bifrons_upstream_sent_bytes_total") > 50.0
            && now("bifrons_upstream_received_bytes_total") == 40.0
    );
}

#[test]
fn metrics_survive_reloads_and_count_them() {
    let origin = Origin::saying("hello");
    let mut proxy = start(&origin, free_addr());
    (0..3).for_each(|_| drop(proxy.client().ask("GET /own HTTP/1.1\r\nHost: shop.test\r\n\r\n")));
    proxy.signal("HUP");
    let value =
        |proxy: &Proxy, name: &str, labels: &[&str]| metric(admin(proxy, "/metrics").text(), name, labels);
    wait_until("it is counted", || value(&proxy, "bifrons_config_reloads_total", &["ok"]) == 2.0);
    assert_eq!(value(&proxy, "bifrons_requests_total", &["mine"]), 3.0);
    proxy.rewrite("nonsense: 1\n");
    proxy.signal("HUP");
    wait_until("it is counted too", || value(&proxy, "bifrons_config_reloads_total", &["failed"]) == 1.0);
    assert_eq!(value(&proxy, "bifrons_config_last_reload_successful", &[]), 0.0);
}

#[test]
fn health_and_readiness() {
    let (gate, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let origin = Origin::script(move |wire: &mut Wire| {
        wire.read_request();
        let _ = opened.lock().unwrap().recv();
        wire.send(bifrons_testkit::origin::ok("ok"));
    });
    let mut proxy = start(&origin, free_addr());
    assert_eq!([admin(&proxy, "/healthz").status(), admin(&proxy, "/readyz").status()], [200, 200]);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    wait_until("it waits", || !origin.received_all().is_empty());
    proxy.signal("TERM");
    wait_until("it is not ready any more", || admin(&proxy, "/readyz").status() == 503);
    assert_eq!(admin(&proxy, "/healthz").status(), 200);
    drop(gate);
    client.read_response();
    proxy.wait_exit();
}

#[test]
fn the_running_configuration_and_its_clusters_are_shown() {
    let (origin, dead) = (Origin::saying("hello"), free_addr());
    let proxy = start(&origin, dead);
    (0..4).for_each(|_| drop(proxy.client().ask("GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")));
    let config = admin(&proxy, "/config");
    assert!(
        config.text().contains("shop.test") && config.text().contains("round_robin"),
        "{}",
        config.text()
    );
    let json =
        proxy.client_to("admin").ask("GET /config HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n");
    let json: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(json["hosts"][0]["names"][0], "shop.test");
    let clusters: serde_json::Value = serde_json::from_slice(&admin(&proxy, "/clusters").body).unwrap();
    let text = clusters.to_string();
    assert!(text.contains(&origin.addr().to_string()) && text.contains(&dead.to_string()), "{text}");
}

#[test]
fn a_reload_can_be_asked_for() {
    let origin = Origin::saying("hello");
    let mut proxy = start(&origin, free_addr());
    let reload = |proxy: &Proxy| {
        proxy.client_to("admin").ask("POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    };
    assert_eq!(reload(&proxy).status(), 200);
    assert_eq!(admin(&proxy, "/reload").status(), 405, "a GET changes nothing");
    proxy.rewrite("nonsense: 1\n");
    let refused = reload(&proxy);
    assert!(refused.status() >= 400 && refused.text().contains("nonsense"), "{refused:?}");
}
