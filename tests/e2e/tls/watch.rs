//! Files of certificates that change while the proxy serves.

use super::support::{curl, request, s_client, with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Proxy, wait_until};
use std::time::{Duration, SystemTime};

const CONFIG: &str = "admin: { bind: \"@admin@\" }\n\
    listeners: { web: { bind: \"@web@\", tls: { certificates: [{ cert: site.crt, key: site.key }], client: { mode: unverified, ca: clients.crt } } } }\n\
    hosts: [{ default: true, routes: [{ path: /*, respond: { status: 200, body: \"$ssl_client_verify\" } }] }]\n";

#[test]
fn new_certificates_hold_without_a_reload() {
    let ca = Authority::new("Test CA");
    let soon = SystemTime::now() + Duration::from_secs(10 * 86_400);
    let setup = with_ca(Proxy::yaml(CONFIG), &ca).file("clients.crt", &ca.pem);
    let proxy = with_pair(setup, "site", &ca.issue_until(&["site.test"], KeyKind::Ecdsa, soon)).start();
    proxy.wait_log("a certificate is about to end");
    let metrics = || proxy.client_to("admin").get("/metrics").text().to_owned();
    wait_until("metrics show its end", || {
        metrics().contains("bifrons_certificate_expiry_timestamp_seconds{file=")
    });

    let fresh = ca.issue(&["fresh.test"], KeyKind::Rsa);
    proxy.dir().write("site.crt", &fresh.cert);
    proxy.dir().write("site.key", &fresh.key);
    let shown = |name: &str| s_client(proxy.addr("web"), &["-servername", name], &request(name, "/")).out;
    wait_until("the new one is shown", || shown("fresh.test").contains("CN = fresh.test"));
    assert!(curl(&proxy, proxy.addr("web"), "fresh.test", &["https://fresh.test/"]).ok);

    proxy.dir().write("site.crt", "half a cert");
    proxy.wait_log("a certificate has changed and is of no use");
    assert!(shown("fresh.test").contains("CN = fresh.test"), "the one before serves on");
}

#[test]
fn new_authorities_are_taken_up() {
    let (ca, others) = (Authority::new("Test CA"), Authority::new("Others"));
    let setup = with_ca(Proxy::yaml(CONFIG), &ca).file("clients.crt", &ca.pem);
    let setup = with_pair(setup, "site", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let proxy = with_pair(setup, "anna", &others.issue(&["anna.test"], KeyKind::Ecdsa)).start();
    let ask = || {
        let args = ["--cert", "@dir@/anna.crt", "--key", "@dir@/anna.key", "https://site.test/"];
        curl(&proxy, proxy.addr("web"), "site.test", &args).out
    };
    assert!(ask().starts_with("FAILED"));
    proxy.dir().write("clients.crt", &others.pem);
    wait_until("they are known", || ask() == "SUCCESS");
}
