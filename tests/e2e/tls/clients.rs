//! Certificates of clients.

use super::support::{curl, request, s_client, shows, with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Pair, Proxy, wait_until};

struct Clients {
    proxy: Proxy,
    good: Pair,
}

fn start(client: &str) -> Clients {
    let (ca, strangers) = (Authority::new("Test CA"), Authority::new("Strangers"));
    let good = ca.issue(&["anna.test", "uri:spiffe://cluster/anna"], KeyKind::Ecdsa);
    let revoked = ca.issue(&["berta.test"], KeyKind::Ecdsa);
    let config = format!(
        "workers: 1\nlisteners:\n  web:\n    bind: \"@web@\"\n    tls:\n      certificates: [{{ cert: site.crt, key: site.key }}]\n\
         \x20     client: {client}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, respond: {{ status: 200, body: \"$ssl_client_verify|$ssl_client_s_dn|$ssl_client_serial\" }} }}] }}]\n"
    );
    let setup = with_ca(Proxy::yaml(&config), &ca).file("crl.pem", ca.revoke(&[&revoked]));
    let setup = with_pair(setup, "site", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let setup = with_pair(with_pair(setup, "good", &good), "revoked", &revoked);
    let stranger = strangers.issue(&["anna.test"], KeyKind::Ecdsa);
    Clients { proxy: with_pair(setup, "stranger", &stranger).start(), good }
}

impl Clients {
    /// The answer to a client with that certificate, or what curl says.
    fn ask(&self, certificate: Option<&str>) -> String {
        let mut args = vec!["-w", " %{http_code}", "https://site.test/"];
        let shown = certificate.map(shows);
        args.extend(shown.iter().flatten().map(String::as_str));
        let said = curl(&self.proxy, self.proxy.addr("web"), "site.test", &args);
        if said.ok { said.out } else { said.err }
    }
}

#[test]
fn required_certificates_are_demanded_in_the_handshake() {
    let clients = start("{ ca: ca.crt, crl: crl.pem }");
    let good = format!("SUCCESS|CN=anna.test,O=Bifrons\\, tests,C=DE|{:X} 200", clients.good.serial);
    assert_eq!(clients.ask(Some("good")), good);
    for (who, alert) in
        [(None, "certificate required"), (Some("stranger"), "unknown ca"), (Some("revoked"), "revoked")]
    {
        let said = clients.ask(who);
        assert!(said.contains(alert), "{who:?}: {said}");
    }
}

#[test]
fn optional_certificates_must_be_good_where_there_are_any() {
    let clients = start("{ mode: optional, ca: ca.crt }");
    assert_eq!(clients.ask(None), "NONE|| 200");
    assert!(clients.ask(Some("good")).starts_with("SUCCESS|"));
    assert!(clients.ask(Some("stranger")).contains("unknown ca"));
}

#[test]
fn refusals_may_be_answers() {
    let clients = start("{ ca: ca.crt, refusal: answer }");
    assert!(clients.ask(Some("good")).ends_with(" 200"));
    for who in [None, Some("stranger")] {
        let said = clients.ask(who);
        assert!(said.ends_with(" 400") && said.contains("SSL certificate"), "{who:?}: {said}");
    }
}

#[test]
fn others_may_judge() {
    let clients = start("{ mode: unverified, ca: ca.crt }");
    assert_eq!(clients.ask(None), "NONE|| 200");
    let said = clients.ask(Some("stranger"));
    assert!(said.starts_with("FAILED:unable to get local issuer certificate|CN=anna.test"), "{said}");
}

#[test]
fn names_may_be_demanded() {
    let clients = start("{ ca: ca.crt, names: [\"uri:spiffe://cluster/*\"] }");
    assert!(clients.ask(Some("good")).ends_with(" 200"));
    assert!(!clients.ask(Some("revoked")).ends_with(" 200"), "it has no such name");
}

/// A session carries the certificate along, and a change of what is demanded ends it.
#[test]
fn sessions_don_t_outlive_what_they_were_allowed_by() {
    let mut clients = start("{ mode: optional, ca: ca.crt }");
    let session = clients.proxy.dir().path().join("session").display().to_string();
    let addr = clients.proxy.addr("web");
    s_client(addr, &["-servername", "site.test", "-sess_out", &session], &request("site.test", "/"));
    let again = || {
        s_client(addr, &["-servername", "site.test", "-sess_in", &session], &request("site.test", "/")).out
    };
    assert!(again().contains("Reused, "));
    let text = std::fs::read_to_string(clients.proxy.file()).unwrap();
    clients.proxy.rewrite(&text.replace("mode: optional", "mode: required"));
    clients.proxy.signal("HUP");
    wait_until("it is demanded", || !clients.ask(None).ends_with(" 200"));
    let said = again();
    assert!(!said.contains("Reused, ") && !said.contains("HTTP/1.1 200"), "{said}");
}
