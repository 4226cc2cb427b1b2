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
        Self::signed_by((&ca.pem, &ca.key), PORT, ca, certs)
    }

    fn signed_by(signer: (&str, &str), port: u16, ca: &Authority, certs: &[(&Pair, bool)]) -> Self {
        let dir = TempDir::new();
        let line = |(pair, is_good): &(&Pair, bool)| {
            let state = if *is_good { "V\t400101000000Z\t" } else { "R\t400101000000Z\t260101000000Z" };
            format!("{state}\t{0:X}\tunknown\t/CN={0:X}\n", pair.serial)
        };
        let index = dir.write("index.txt", certs.iter().map(line).collect::<String>());
        let ca = dir.write("ca.crt", &ca.pem);
        let cert = dir.write("signer.crt", signer.0);
        let key = dir.write("signer.key", signer.1);
        let child = Command::new("openssl")
            .args(["ocsp", "-port", &port.to_string(), "-nmin", "5", "-ndays", "1"])
            .arg("-index")
            .arg(index)
            .arg("-CA")
            .arg(ca)
            .arg("-rsigner")
            .arg(cert)
            .arg("-rkey")
            .arg(key)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let responder = Self { child, _dir: dir };
        let any = |ip: &str| listens(SocketAddr::new(ip.parse().unwrap(), port));
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

/// One listener whose certificates are those lines of YAML.
fn config(certificates: &[String]) -> String {
    let lines: String = certificates.iter().map(|line| format!("        - {line}\n")).collect();
    format!(
        "workers: 1\nlisteners:\n  web:\n    bind: \"@web@\"\n    tls:\n      certificates:\n{lines}\
         hosts: [{{ default: true, routes: [{{ path: /*, respond: {{ status: 200 }} }}] }}]\n"
    )
}

#[test]
fn who_may_answer_is_believed_and_nobody_else() {
    in_namespace!("10.0.0.1");
    let (ca, stranger) = (Authority::new("Test CA"), Authority::new("Test CA"));
    let (first, second) = (PORT, PORT + 1);
    let helped = ca.issue_answered_by(&["helped.test"], &format!("http://127.0.0.1:{first}/"));
    let fooled = ca.issue_answered_by(&["fooled.test"], &format!("http://127.0.0.1:{second}/"));
    let helper = ca.issue_responder();
    let _helper = Responder::signed_by((&helper.cert, &helper.key), first, &ca, &[(&helped, true)]);
    let _stranger = Responder::signed_by((&stranger.pem, &stranger.key), second, &ca, &[(&fooled, true)]);
    let line =
        |name: &str| format!("{{ cert: {name}.crt, key: {name}.key, fetch_ocsp: {{ issuer: ca.crt }} }}");
    let setup = with_ca(Proxy::yaml(&config(&[line("helped"), line("fooled")])), &ca);
    let proxy = with_pair(with_pair(setup, "helped", &helped), "fooled", &fooled).start();
    wait_until("an answer is sent along", || status(&proxy, "helped.test").contains("Cert Status: good"));
    proxy.wait_log("nobody has signed the answer who may");
    let said = status(&proxy, "fooled.test");
    assert!(said.contains("OCSP response: no response sent"), "{said}");
}

#[test]
fn the_issuer_s_file_is_watched_and_a_touched_certificate_keeps_its_answer() {
    in_namespace!("10.0.0.1");
    let (ca, other) = (Authority::new("Test CA"), Authority::new("Other CA"));
    let good = ca.issue_answered_by(&["good.test"], &format!("http://127.0.0.1:{PORT}/"));
    let line = "{ cert: good.crt, key: good.key, fetch_ocsp: { issuer: issuer.crt } }".to_owned();
    let setup = with_ca(Proxy::yaml(&config(&[line])), &ca).file("issuer.crt", &other.pem);
    let responder = Responder::start(&ca, &[(&good, true)]);
    let proxy = with_pair(setup, "good", &good).start();
    proxy.wait_log("the certificate of who vouched for it is not there");
    proxy.dir().write("issuer.crt", &ca.pem);
    wait_until("an answer is sent along", || status(&proxy, "good.test").contains("Cert Status: good"));
    // Nobody is there to be asked once more.
    drop(responder);
    let loaded = || proxy.stderr().matches("certificate loaded anew").count();
    let before = loaded();
    proxy.dir().write("good.crt", &good.cert);
    wait_until("the file is seen", || loaded() > before);
    let said = status(&proxy, "good.test");
    assert!(said.contains("Cert Status: good"), "{said}");
}

/// Some responders take a question and say nothing; the others' certificates don't wait for them.
#[test]
fn slow_responders_hold_nobody_up() {
    in_namespace!("10.0.0.1");
    const SLOW: usize = 4;
    let ca = Authority::new("Test CA");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let slow_url = format!("http://{}/", silent.local_addr().unwrap());
    let url = format!("http://127.0.0.1:{PORT}/");
    let names: Vec<String> = (0..16).map(|at| format!("n{at}.test")).collect();
    let url_of = |at: usize| if at < SLOW { &slow_url } else { &url };
    let issue = |(at, name): (usize, &String)| ca.issue_answered_by(&[name], url_of(at));
    let pairs: Vec<Pair> = names.iter().enumerate().map(issue).collect();
    let good: Vec<_> = pairs.iter().map(|pair| (pair, true)).collect();
    let _responder = Responder::start(&ca, &good);
    let line =
        |name: &String| format!("{{ cert: {name}.crt, key: {name}.key, fetch_ocsp: {{ issuer: ca.crt }} }}");
    let lines: Vec<_> = names.iter().map(line).collect();
    let setup = with_ca(Proxy::yaml(&config(&lines)), &ca);
    let proxy =
        names.iter().zip(&pairs).fold(setup, |setup, (name, pair)| with_pair(setup, name, pair)).start();
    let asked: Vec<_> = (0..SLOW).map(|_| silent.accept().unwrap().0).collect();
    for name in &names[SLOW..] {
        wait_until("an answer is sent along", || status(&proxy, name).contains("Cert Status: good"));
    }
    // All that while nobody has given up waiting for the silent ones.
    assert!(!proxy.stderr().contains("no OCSP answer was to be had"), "{}", proxy.stderr());
    drop(asked);
}

#[test]
fn mistakes_are_told_at_the_start() {
    let ca = Authority::new("Test CA");
    let pair = ca.issue(&["good.test"], bifrons_testkit::KeyKind::Ecdsa);
    for (keys, told) in [
        ("fetch_ocsp: { responder: \"https://o.test/\" }", "over http://, not at \"https://o.test/\""),
        ("fetch_ocsp: { responder: \"http://o.test:http/\" }", "its port must be from 1 to 65535"),
        ("fetch_ocsp: { issuer: none.crt }", "none.crt\": No such file"),
        ("fetch_ocsp: { issuer: good.key }", "good.key\": there is no certificate in it"),
        ("ocsp: good.key, fetch_ocsp: {}", "`ocsp` and `fetch_ocsp` both say"),
    ] {
        let config = config(&[format!("{{ cert: good.crt, key: good.key, {keys} }}")]);
        let (_, said) = with_pair(Proxy::yaml(&config), "good", &pair).fail();
        assert!(said.contains(told) && said.contains("bifrons.yaml:7:"), "{keys}: {said}");
    }
    let config = "listeners: { web: { bind: \"@web@\" } }\n\
        hosts: [{ default: true, routes: [{ path: /*, proxy: app }] }]\n\
        clusters: { app: { endpoints: [\"127.0.0.1:9\"], tls: { certificate: { cert: good.crt, key: good.key, fetch_ocsp: {} } } } }\n";
    let (_, said) = with_pair(Proxy::yaml(config), "good", &pair).fail();
    assert!(said.contains("endpoints are sent no OCSP answer") && said.contains("bifrons.yaml:3:"), "{said}");
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
