//! OCSP answers that are fetched, from OpenSSL's responder.

use super::support::{request, s_client, with_ca, with_pair};
use bifrons_testkit::proxy::{Setup, listens};
use bifrons_testkit::{Authority, Pair, Proxy, TempDir, in_namespace, wait_until};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

const PORT: u16 = 8888;

/// OpenSSL's responder with a list of certificates and what became of them.
struct Responder {
    child: Child,
    _dir: TempDir,
}

impl Responder {
    fn start(ca: &Authority, certs: &[(&Pair, bool)]) -> Self {
        let dir = TempDir::new();
        let line = |(pair, is_good): &(&Pair, bool)| {
            let state = if *is_good { "V\t400101000000Z\t" } else { "R\t400101000000Z\t260101000000Z" };
            format!("{state}\t{:X}\tunknown\t/CN=x\n", pair.serial)
        };
        let index = dir.write("index.txt", certs.iter().map(line).collect::<String>());
        let cert = dir.write("ca.crt", &ca.pem);
        let key = dir.write("ca.key", &ca.key);
        let child = Command::new("openssl")
            .args(["ocsp", "-port", &PORT.to_string(), "-nmin", "5", "-ndays", "1"])
            .arg("-index")
            .arg(index)
            .arg("-CA")
            .arg(&cert)
            .arg("-rsigner")
            .arg(&cert)
            .arg("-rkey")
            .arg(key)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let responder = Self { child, _dir: dir };
        let any = |ip: &str| listens(SocketAddr::new(ip.parse().unwrap(), PORT));
        wait_until("the responder listens", || any("0.0.0.0") || any("::"));
        responder
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client is told about the certificate of that name.
fn status(proxy: &Proxy, name: &str) -> String {
    s_client(proxy.addr("web"), &["-status", "-servername", name], &request(name, "/")).out
}

fn with_certificates(setup: Setup, ca: &Authority, good: &Pair, revoked: &Pair) -> Setup {
    let chained = |pair: &Pair| Pair { cert: format!("{}{}", pair.cert, ca.pem), ..pair.clone() };
    let setup = with_pair(with_ca(setup, ca), "good", &chained(good));
    with_pair(setup, "revoked", &chained(revoked))
}

#[test]
fn answers_are_fetched_and_sent_along() {
    in_namespace!("10.0.0.1");
    let ca = Authority::new("Test CA");
    let url = format!("http://127.0.0.1:{PORT}/ocsp");
    let good = ca.issue_answered_by(&["good.test"], &url);
    let revoked = ca.issue_answered_by(&["revoked.test"], &url);
    let config = "workers: 1\nlisteners:\n  web:\n    bind: \"@web@\"\n    tls:\n      certificates:\n        \
        - { cert: good.crt, key: good.key, fetch_ocsp: {} }\n        \
        - { cert: revoked.crt, key: revoked.key, fetch_ocsp: {} }\n\
        hosts: [{ default: true, routes: [{ path: /*, respond: { status: 200 } }] }]\n";
    let responder = Responder::start(&ca, &[(&good, true), (&revoked, false)]);
    let proxy = with_certificates(Proxy::yaml(config), &ca, &good, &revoked).start();
    wait_until("an answer is sent along", || status(&proxy, "good.test").contains("Cert Status: good"));
    proxy.wait_log("the certificate was revoked");
    let said = status(&proxy, "revoked.test");
    assert!(said.contains("OCSP response: no response sent"), "{said}");
    // Another certificate in the same file needs an answer of its own.
    let other = ca.issue_answered_by(&["good.test"], &url);
    drop(responder);
    let _responder = Responder::start(&ca, &[(&other, true)]);
    proxy.dir().write("good.key", &other.key);
    proxy.dir().write("good.crt", format!("{}{}", other.cert, ca.pem));
    let serial = format!("Serial Number: {:X}", other.serial);
    wait_until("it has one", || status(&proxy, "good.test").contains(&serial));
}

#[test]
fn nginx_s_directives_do_it() {
    in_namespace!("10.0.0.1");
    let ca = Authority::new("Test CA");
    let good = ca.issue(&["good.test"], bifrons_testkit::KeyKind::Rsa);
    let conf = format!(
        "events {{}} http {{ access_log off; ssl_stapling on; ssl_stapling_verify on;\n\
         server {{ listen @web@ ssl; server_name good.test; ssl_certificate good.crt; ssl_certificate_key good.key;\n\
         ssl_trusted_certificate ca.crt; ssl_stapling_responder http://127.0.0.1:{PORT}/; return 200; }}\n\
         server {{ listen @web@ ssl; server_name none.test; ssl_certificate none.crt; ssl_certificate_key none.key; return 200; }} }}"
    );
    let setup = with_pair(with_ca(Proxy::nginx(&conf), &ca), "good", &good);
    let setup = with_pair(setup, "none", &ca.issue(&["none.test"], bifrons_testkit::KeyKind::Ecdsa));
    let _responder = Responder::start(&ca, &[(&good, true)]);
    let proxy = setup.start();
    wait_until("an answer is sent along", || status(&proxy, "good.test").contains("Cert Status: good"));
    proxy.wait_log("put it behind it in the file");
    let said = status(&proxy, "none.test");
    assert!(said.contains("OCSP response: no response sent") && said.contains("HTTP/1.1 200"), "{said}");
}
