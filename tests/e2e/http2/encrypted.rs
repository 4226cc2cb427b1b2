//! HTTP/2 over TLS: ALPN chooses it, by programs that others wrote.

use crate::clients::run;
use crate::tls::support::{CA, curl, s_client, with_ca, with_pair};
use bifrons_testkit::{Authority, KeyKind, Origin, Proxy};

fn site(listener: &str, origin: &Origin) -> Proxy {
    let ca = Authority::new("Test CA");
    let config = format!(
        "workers: 1\n\
         listeners: {{ web: {{ bind: \"@web@\", tls: {{ certificates: [{{ cert: site.crt, key: site.key }}] }}{listener} }} }}\n\
         clusters: {{ app: {{ endpoints: [\"@app@\"] }} }}\n\
         hosts:\n\
         - names: [site.test]\n  \
           routes:\n  \
           - {{ path: /own, respond: {{ body: \"$server_protocol $http2 $scheme $ssl_alpn_protocol\" }} }}\n  \
           - {{ path: /*, proxy: app }}\n\
         - names: [other.test]\n  \
           routes: [{{ path: /*, respond: {{ body: other }} }}]\n"
    );
    let setup = with_ca(Proxy::yaml(&config).with("app", origin.addr()), &ca);
    with_pair(setup, "site", &ca.issue(&["site.test"], KeyKind::Ecdsa)).start()
}

#[test]
fn alpn_chooses() {
    let origin = Origin::saying("hello");
    let proxy = site("", &origin);
    let ask = |args: &[&str]| {
        let url = "https://site.test/own";
        curl(&proxy, proxy.addr("web"), "site.test", &[args, &[url]].concat()).out
    };
    assert_eq!(ask(&["--http2"]), "HTTP/2.0 h2 https h2");
    assert_eq!(ask(&["--http2", "--tls-max", "1.2"]), "HTTP/2.0 h2 https h2");
    assert_eq!(ask(&["--http1.1"]), "HTTP/1.1  https http/1.1");
    // A connection that serves one host is not taken for another one's.
    let other =
        ["--http2", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: other.test", "https://site.test/"];
    assert_eq!(curl(&proxy, proxy.addr("web"), "site.test", &other).out, "421");
}

#[test]
fn it_can_be_off() {
    let origin = Origin::saying("hello");
    let proxy = site(", http2: { enabled: false }", &origin);
    let said = curl(&proxy, proxy.addr("web"), "site.test", &["--http2", "https://site.test/own"]);
    assert_eq!(said.out, "HTTP/1.1  https http/1.1");
    let said = s_client(proxy.addr("web"), &["-alpn", "h2", "-servername", "site.test"], "");
    assert!(!said.out.contains("ALPN protocol: h2"), "{}", said.out);
}

#[test]
fn bodies_of_any_size() {
    let origin = Origin::mirror();
    let proxy = site("", &origin);
    for len in [1, 20_000, 3_000_000] {
        let body = crate::support::pattern(len);
        proxy.dir().write("body", &body);
        let args = ["--http2", "--data-binary", "@@dir@/body", "-o", "@dir@/echo", "https://site.test/"];
        let said = curl(&proxy, proxy.addr("web"), "site.test", &args);
        assert!(said.ok, "{}", said.err);
        assert!(std::fs::read(proxy.dir().path().join("echo")).unwrap() == body, "{len} bytes");
    }
}

#[test]
fn programs() {
    let origin = Origin::saying("hello");
    let proxy = site("", &origin);
    assert!(proxy.dir().path().join(CA).exists());
    let url = format!("https://{}/", proxy.addr("web"));
    let Some(told) = run("nghttp", &["-v", "--no-verify-peer", "-H", ":authority: site.test", &url]) else {
        return;
    };
    assert!(told.contains("The negotiated protocol: h2") && told.contains(":status: 200"), "{told}");
    let args = ["-n", "10000", "-c", "8", "-m", "16", "-H", ":authority: site.test", &url];
    let Some(told) = run("h2load", &args) else { return };
    assert!(told.contains("10000 succeeded, 0 failed, 0 errored"), "{told}");
    assert!(told.contains("Application protocol: h2"), "{told}");
}
