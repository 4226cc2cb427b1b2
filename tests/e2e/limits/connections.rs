//! Bounds of connections: requests on one, how many at once, how many from one address.

use crate::support::front_with;
use bifrons_testkit::{Origin, Wire, wait_until};

#[test]
fn a_connection_carries_so_many_requests() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", connections: { requests: 3 }", "");
    let mut client = proxy.client();
    let said: Vec<_> = (0..3).map(|_| client.get("/").field("Connection").map(str::to_owned)).collect();
    assert_eq!(said, [None, None, Some("close".to_owned())]);
    client.read_end();
}

#[test]
fn a_listener_holds_so_many_connections() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", connections: { total: 2 }", "");
    let (mut first, mut second) = (proxy.client(), proxy.client());
    assert_eq!([first.get("/").status(), second.get("/").status()], [200, 200]);
    proxy.client().read_end();
    drop(first);
    wait_until("a place is free again", || {
        let mut third = proxy.client();
        third.try_send("GET / HTTP/1.1\r\nHost: test\r\n\r\n").is_ok() && third.try_read(Some("GET")).is_ok()
    });
    assert_eq!(second.get("/").status(), 200);
}

#[test]
fn an_address_holds_so_many_connections() {
    let origin = Origin::saying("ok");
    let proxy = front_with(&origin, ", connections: { per_address: 1 }", "");
    let from = |ip: &str| Wire::connect_from(ip.parse().unwrap(), proxy.addr("web"));
    let (mut one, mut other) = (from("127.0.0.2"), from("127.0.0.3"));
    assert_eq!([one.get("/").status(), other.get("/").status()], [200, 200]);
    from("127.0.0.2").read_end();
    assert_eq!(one.get("/").status(), 200);
}
