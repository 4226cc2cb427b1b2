//! Fields that come of TLS: what endpoints are told about certificates of clients, what browsers are told about
//! coming back.

use super::support::{curl, shows, with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Origin, Proxy, Wire};

struct Site {
    proxy: Proxy,
    _origin: Origin,
}

/// A proxy that asks for certificates, with one on plain text before the same endpoint.
fn start(rule: &str) -> Site {
    let origin = Origin::serve(|request| {
        let text: Vec<_> =
            request.fields.iter().filter(|(name, _)| name.to_ascii_lowercase().contains("client")).collect();
        bifrons_testkit::origin::ok(&format!("{text:?}"))
    });
    let (ca, strangers) = (Authority::new("Test CA"), Authority::new("Strangers"));
    let config = format!(
        "workers: 1\nlisteners:\n  web:\n    bind: \"@web@\"\n    forward_client_cert: {rule}\n\
         \x20   tls: {{ certificates: [{{ cert: site.crt, key: site.key }}], client: {{ ca: ca.crt, mode: unverified }} }}\n\
         \x20 plain: {{ bind: \"@plain@\", forward_client_cert: {rule} }}\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         hosts: [{{ default: true, routes: [{{ path: /*, proxy: app }}] }}]\n"
    );
    let setup = with_ca(Proxy::yaml(&config), &ca).with("app", origin.addr());
    let site = ca.issue(&["site.test", "uri:spiffe://cluster/front"], KeyKind::Ecdsa);
    let good = ca.issue(&["anna.test", "uri:spiffe://cluster/anna"], KeyKind::Ecdsa);
    let setup = with_pair(with_pair(setup, "site", &site), "good", &good);
    let stranger = strangers.issue(&["anna.test"], KeyKind::Ecdsa);
    Site { proxy: with_pair(setup, "stranger", &stranger).start(), _origin: origin }
}

impl Site {
    /// What the endpoint sees of a client with that certificate who claims something.
    fn ask(&self, certificate: Option<&str>, version: &str) -> String {
        let mut args = vec![version, "-H", "X-Forwarded-Client-Cert: Hash=old", "https://site.test/"];
        let shown = certificate.map(shows);
        args.extend(shown.iter().flatten().map(String::as_str));
        let said = curl(&self.proxy, self.proxy.addr("web"), "site.test", &args);
        assert!(said.ok, "{}", said.err);
        said.out
    }

    fn ask_plain(&self) -> String {
        let mut wire = Wire::connect(self.proxy.addr("plain"));
        let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: Hash=old\r\n\r\n";
        wire.ask(request).text().to_owned()
    }
}

#[test]
fn endpoints_are_told_of_certificates_in_five_modes() {
    let hash = |site: &Site| {
        let path = site.proxy.dir().path().join("good.crt").display().to_string();
        let args = ["x509", "-in", &path, "-noout", "-fingerprint", "-sha256"];
        let said = crate::clients::run("openssl", &args).unwrap();
        said.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase()
    };
    for (mode, good, other) in [
        ("sanitize", "", ""),
        ("forward_only", "old", ""),
        ("append_forward", "old own", ""),
        ("sanitize_set", "own", ""),
        ("always_forward_only", "old", "old"),
    ] {
        let site = start(&format!("{{ mode: {mode} }}"));
        let own = format!(
            "By=spiffe://cluster/front;Hash={};Subject=\\\"CN=anna.test,O=Bifrons\\\\, tests,C=DE\\\";\
             URI=spiffe://cluster/anna;DNS=anna.test",
            hash(&site)
        );
        // Over HTTP/2 names are in lower case.
        let same = |got: String, want: &str| {
            let value = |what: &str| if what == "own" { own.clone() } else { "Hash=old".to_owned() };
            let value = want.split_whitespace().map(value).collect::<Vec<_>>().join(",");
            let want = match value.as_str() {
                "" => "[]".to_owned(),
                value => format!("[(\"X-Forwarded-Client-Cert\", \"{value}\")]"),
            };
            assert!(got.eq_ignore_ascii_case(&want), "{mode}: {got}, not {want}");
        };
        for version in ["--http1.1", "--http2"] {
            same(site.ask(Some("good"), version), good);
            same(site.ask(Some("stranger"), version), other);
            same(site.ask(None, version), other);
        }
        same(site.ask_plain(), other);
    }
}

#[test]
fn details_are_chosen_and_whole_certificates_are_url_encoded() {
    let site = start("{ mode: sanitize_set, details: [dns, cert] }");
    let said = site.ask(Some("good"), "--http1.1");
    let pem = std::fs::read_to_string(site.proxy.dir().path().join("good.crt")).unwrap().replace('\r', "");
    let pem = ["\n", " ", "+", "/", "="]
        .iter()
        .fold(pem, |pem, byte| pem.replace(byte, &format!("%{:02X}", byte.as_bytes()[0])));
    let want = format!("[(\"X-Forwarded-Client-Cert\", \"Cert=\\\"{pem}\\\";DNS=anna.test\")]");
    assert_eq!(said, want);
}

#[test]
fn browsers_are_told_to_come_by_https() {
    let ca = Authority::new("Test CA");
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n",
    );
    let config = "listeners:\n  web: { bind: \"@web@\", tls: { certificates: [{ cert: site.crt, key: site.key }] } }\n\
         \x20 plain: { bind: \"@plain@\" }\n\
         clusters: { app: { endpoints: [\"@app@\"] } }\n\
         hosts:\n- default: true\n  filters: [{ strict_transport_security: { max_age: 730d, include_subdomains: true, preload: true } }]\n  \
         routes: [{ path: /none, respond: { status: 404 } }, { path: /*, proxy: app }]\n";
    let setup = with_ca(Proxy::yaml(config), &ca).with("app", origin.addr());
    let proxy = with_pair(setup, "site", &ca.issue(&["site.test"], KeyKind::Ecdsa)).start();
    for path in ["", "none"] {
        for version in ["--http1.1", "--http2"] {
            let url = format!("https://site.test/{path}");
            let said =
                curl(&proxy, proxy.addr("web"), "site.test", &[version, "-i", &url]).out.to_lowercase();
            assert_eq!(said.matches("strict-transport-security").count(), 1, "{said}");
            let value = "strict-transport-security: max-age=63072000; includesubdomains; preload\r\n";
            assert!(said.contains(value), "{said}");
        }
        let answer = proxy.client_to("plain").get(&format!("/{path}"));
        assert_eq!(answer.field("Strict-Transport-Security"), None, "a browser must ignore it there");
    }
}
