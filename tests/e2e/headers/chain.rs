//! Several proxies in a row.

use crate::support::front_setup;
use bifrons_testkit::{Origin, Proxy, Wire, in_namespace, wait_until};

/// A hop that listens at `bind`, dials from `from`, and trusts those before it.
fn hop(bind: &str, from: &str, to: &str, trusted: &str) -> Proxy {
    let yaml = format!(
        "workers: 1\nlisteners: {{ web: {{ bind: \"{bind}\", client: {{ trusted: [{trusted}] }} }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: {{ cluster: next, forwarded: [x_forwarded_for, x_real_ip] }} }}] }}]\n\
         clusters: {{ next: {{ endpoints: [\"{to}\"], bind: {from} }} }}\n"
    );
    Proxy::yaml(&yaml).ready_at(bind.parse().unwrap()).start()
}

/// Client 203.0.113.50 → 198.51.100.10 → 10.0.0.1 → 10.0.0.2 → app.
#[test]
fn through_four_hops_the_app_sees_the_chain() {
    in_namespace!("203.0.113.50", "198.51.100.10", "10.0.0.1", "10.0.0.2", "10.0.0.3");
    let app = Origin::serve(|request| {
        let chain = request.field("X-Forwarded-For").unwrap_or_default();
        let real = request.field("X-Real-IP").unwrap_or_default();
        bifrons_testkit::origin::ok(&format!("{chain}|{real}"))
    });
    let _third = hop("10.0.0.2:80", "10.0.0.2", &app.addr().to_string(), "10.0.0.0/8, 198.51.100.10");
    let _second = hop("10.0.0.1:80", "10.0.0.1", "10.0.0.2:80", "198.51.100.10");
    let _first = hop("198.51.100.10:80", "198.51.100.10", "10.0.0.1:80", "");
    let mut client = Wire::connect_from("203.0.113.50".parse().unwrap(), "198.51.100.10:80".parse().unwrap());
    let answer = client.ask("GET / HTTP/1.1\r\nHost: app\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n");
    assert_eq!(answer.text(), "203.0.113.50, 198.51.100.10, 10.0.0.1|203.0.113.50");
    assert_eq!(app.peers()[0].ip().to_string(), "10.0.0.2", "each hop dials from its own address");
}

#[test]
fn a_loop_is_broken() {
    let addr = bifrons_testkit::free_addr();
    let proxy = front_setup(&[addr], "", "", "app").with("web", addr).start();
    let mut client = proxy.client();
    assert_eq!(client.get("/").status(), 508);
    assert_eq!(client.get("/").status(), 508, "and the proxy is well");
    wait_until("the log says so", || proxy.stdout().contains("\"termination\":\"loop\""));
}

#[test]
fn a_loop_over_two_proxies_is_broken() {
    let addr = bifrons_testkit::free_addr();
    let front = front_setup(&[addr], "", "", "app").start();
    let back = front_setup(&[front.addr("web")], "", "", "app").with("web", addr).start();
    assert_eq!(front.client().get("/").status(), 508);
    drop(back);
}
