//! TLS at listeners: which certificate, which versions, what is refused; with curl and openssl.

use super::support::{curl, request, s_client, with_ca, with_pair};
use crate::support::pattern;
use bifrons_testkit::{Authority, KeyKind, Origin, Proxy, wait_for, wait_until};

const SITES: &str = r#"
workers: 2
listeners:
  web:
    bind: "@web@"
    tls:
      certificates:
        - { cert: site.crt, key: site.key }
        - { cert: rsa.crt, key: rsa.key }
        - { cert: wild.crt, key: wild.key }
hosts:
  - names: [site.test]
    default: true
    routes: [{ path: /*, respond: { status: 200, body: "site $scheme $https\n" } }]
  - names: ["*.wild.test"]
    routes: [{ path: /*, respond: { status: 200, body: "wild\n" } }]
  - names: [own.test]
    tls: { certificates: [{ cert: own.crt, key: own.key }], min_version: "1.3" }
    routes: [{ path: /*, respond: { status: 200, body: "own\n" } }]
"#;

fn sites(config: &str) -> Proxy {
    let ca = Authority::new("Test CA");
    let setup = with_ca(Proxy::yaml(config), &ca);
    let setup = with_pair(setup, "site", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let setup = with_pair(setup, "rsa", &ca.issue(&["site.test"], KeyKind::Rsa));
    let setup = with_pair(setup, "wild", &ca.issue(&["*.wild.test"], KeyKind::Ecdsa));
    with_pair(setup, "own", &ca.issue(&["own.test"], KeyKind::Ecdsa)).start()
}

#[test]
fn the_name_chooses_certificate_and_host() {
    let proxy = sites(SITES);
    for (host, text) in [("site.test", "site https on\n"), ("a.wild.test", "wild\n"), ("own.test", "own\n")] {
        let said = curl(&proxy, proxy.addr("web"), host, &[&format!("https://{host}/")]);
        assert_eq!(said.out, text, "{host}: {}", said.err);
    }
}

#[test]
fn a_name_that_no_certificate_has_gets_the_first_one() {
    let proxy = sites(SITES);
    let said = s_client(proxy.addr("web"), &["-servername", "nobody.test"], &request("nobody.test", "/"));
    assert!(said.out.contains("CN = site.test"), "{}", said.out);
    let said = curl(&proxy, proxy.addr("web"), "nobody.test", &["https://nobody.test/"]);
    assert!(!said.ok && said.err.contains("no alternative certificate subject name"), "{}", said.err);
}

#[test]
fn keys_are_chosen_by_what_the_client_can_check() {
    let proxy = sites(SITES);
    let args = ["-servername", "site.test", "-tls1_2", "-sigalgs"];
    let rsa =
        s_client(proxy.addr("web"), &[&args[..], &["RSA-PSS+SHA256"]].concat(), &request("site.test", "/"));
    assert!(rsa.out.contains("Peer signature type: RSA-PSS"), "{}", rsa.out);
    let ec = s_client(
        proxy.addr("web"),
        &[&args[..], &["ECDSA+SHA256:RSA-PSS+SHA256"]].concat(),
        &request("site.test", "/"),
    );
    assert!(ec.out.contains("Peer signature type: ECDSA"), "{}", ec.out);
}

#[test]
fn versions_hold_for_listener_and_host() {
    let proxy = sites(SITES);
    let works = |host: &str, version: &str| {
        s_client(proxy.addr("web"), &["-servername", host, version], &request(host, "/"))
            .out
            .contains("HTTP/1.1 200")
    };
    assert!(works("site.test", "-tls1_2") && works("site.test", "-tls1_3"));
    assert!(!works("site.test", "-tls1_1"), "older than 1.2");
    assert!(works("own.test", "-tls1_3"));
    assert!(!works("own.test", "-tls1_2"), "the host wants 1.3");
}

#[test]
fn suites_are_those_that_are_named() {
    let proxy = sites(&SITES.replace(", min_version: \"1.3\"", "").replace(
        "    tls:\n      certificates:",
        "    tls:\n      max_version: \"1.2\"\n      ciphers: [ECDHE-ECDSA-CHACHA20-POLY1305]\n      certificates:",
    ));
    let said = s_client(proxy.addr("web"), &["-servername", "site.test"], &request("site.test", "/"));
    assert!(said.out.contains("Cipher is ECDHE-ECDSA-CHACHA20-POLY1305"), "{}", said.out);
    let args = ["-servername", "site.test", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    assert!(!s_client(proxy.addr("web"), &args, &request("site.test", "/")).out.contains("HTTP/1.1 200"));
}

#[test]
fn unknown_names_are_refused_where_that_is_wanted() {
    let proxy = sites(&SITES.replace("    tls:\n", "    tls:\n      unknown_names: reject\n"));
    let said = s_client(proxy.addr("web"), &["-servername", "nobody.test"], &request("nobody.test", "/"));
    assert!(said.err.contains("unrecognized name"), "{}", said.err);
    let said = s_client(proxy.addr("web"), &["-noservername"], &request("site.test", "/"));
    assert!(said.err.contains("unrecognized name"), "{}", said.err);
    let said = curl(&proxy, proxy.addr("web"), "site.test", &["https://site.test/"]);
    assert_eq!(said.out, "site https on\n");
}

#[test]
fn a_host_that_the_handshake_was_not_for_is_misdirected() {
    let proxy = sites(SITES);
    let ask =
        |name: &str, host: &str| s_client(proxy.addr("web"), &["-servername", name], &request(host, "/")).out;
    assert!(ask("site.test", "own.test").contains("HTTP/1.1 421"));
    assert!(
        ask("site.test", "a.wild.test").contains("HTTP/1.1 200"),
        "a certificate of the listener is for it"
    );
    assert!(ask("a.wild.test", "b.wild.test").contains("HTTP/1.1 200"));
}

#[test]
fn plain_text_is_told_apart() {
    let proxy = sites(SITES);
    let answer = proxy.client().ask("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("plain HTTP"), "{}", answer.text());
    let mut noise = proxy.client();
    noise.send(b"\x00\x01\x02\x03\x04\x05");
    noise.read_end();
    let record = wait_for("the record", || proxy.wait_records(1).pop());
    assert!(record.contains("plain_text"), "{record}");
}

#[test]
fn a_silent_client_is_given_up() {
    let proxy = sites(&SITES.replace("    tls:\n", "    timeouts: { handshake: 300ms }\n    tls:\n"));
    let mut silent = proxy.client();
    silent.read_end();
    let mut half = proxy.client();
    half.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    half.read_end();
}

/// One that is under way keeps the others out, and is counted no more when it has ended.
#[test]
fn handshakes_at_once_are_bounded() {
    let admin = "workers: 2\nadmin: { bind: \"@admin@\" }";
    let config = SITES
        .replace("workers: 2", admin)
        .replace("    tls:\n      cert", "    connections: { handshakes: 1 }\n    tls:\n      cert");
    let proxy = sites(&config);
    let ask = || curl(&proxy, proxy.addr("web"), "site.test", &["https://site.test/"]).ok;
    assert!(ask());
    let mut slow = proxy.client();
    slow.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    wait_until("it counts", || !ask());
    assert_eq!(proxy.client_to("admin").get("/healthz").status(), 200, "other listeners go on");
    let metrics = proxy.client_to("admin").get("/metrics").text().to_owned();
    assert!(
        metrics
            .lines()
            .any(|line| line.starts_with("bifrons_connections_refused_total") && line.contains("handshakes")),
        "{metrics}"
    );
    drop(slow);
    wait_until("it counts no more", ask);
}

#[test]
fn handshakes_in_a_second_are_bounded() {
    let config =
        SITES.replace("    tls:\n      cert", "    connections: { handshake_rate: 1 }\n    tls:\n      cert");
    let proxy = sites(&config);
    let ask = || {
        s_client(proxy.addr("web"), &["-servername", "site.test"], &request("site.test", "/"))
            .out
            .contains("HTTP/1.1 200")
    };
    assert!(ask());
    // Thirty take less than thirty seconds, and others later are let in again.
    let kept_out = (0..30).filter(|_| !ask()).count();
    assert!(kept_out > 0);
    wait_until("one is let in", ask);
}

#[test]
fn groups_are_those_that_are_named() {
    let proxy =
        sites(&SITES.replace("    tls:\n      cert", "    tls:\n      groups: [P-384, X25519]\n      cert"));
    let with = |groups: &str| {
        s_client(
            proxy.addr("web"),
            &["-servername", "site.test", "-groups", groups],
            &request("site.test", "/"),
        )
        .out
    };
    let said = with("P-256:P-384");
    assert!(said.contains("HTTP/1.1 200") && said.contains("secp384r1"), "{said}");
    assert!(!with("P-256").contains("HTTP/1.1 200"));
}

#[test]
fn sessions_are_taken_up_again_by_any_worker_and_after_a_reload() {
    let mut proxy = sites(SITES);
    let dir = proxy.dir().path().display().to_string();
    let session = format!("{dir}/session");
    for version in ["-tls1_2", "-tls1_3"] {
        let args = ["-servername", "site.test", version];
        let first = s_client(
            proxy.addr("web"),
            &[&args[..], &["-sess_out", &session]].concat(),
            &request("site.test", "/"),
        );
        assert!(first.out.contains("New, "), "{}", first.out);
        let again = |proxy: &Proxy| {
            let args = [&args[..], &["-sess_in", &session]].concat();
            s_client(proxy.addr("web"), &args, &request("site.test", "/")).out.contains("Reused, ")
        };
        // Two workers: one of them made the session, both know it.
        assert!((0..6).all(|_| again(&proxy)), "{version}");
        proxy.rewrite(&SITES.replace("site $scheme", "again $scheme"));
        proxy.signal("HUP");
        let text = |proxy: &Proxy| curl(proxy, proxy.addr("web"), "site.test", &["https://site.test/"]).out;
        wait_until("the new configuration answers", || text(&proxy).starts_with("again"));
        assert!((0..6).all(|_| again(&proxy)), "{version} after a reload");
        proxy.rewrite(SITES);
        proxy.signal("HUP");
        wait_until("the old one answers", || text(&proxy).starts_with("site"));
    }
}

#[test]
fn bodies_go_both_ways_whole() {
    let body = pattern(3 << 20);
    let sent = body.clone();
    let origin = Origin::serve(move |request| {
        assert!(request.body.is_empty() || request.body == sent);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
        [head.as_bytes(), &sent].concat()
    });
    let ca = Authority::new("Test CA");
    let setup = Proxy::yaml(
        "listeners: { web: { bind: \"@web@\", tls: { certificates: [{ cert: site.crt, key: site.key }] } } }\n\
         hosts: [{ default: true, routes: [{ path: /file.bin, static: { root: . } }, { path: /*, proxy: app }] }]\n\
         clusters: { app: { endpoints: [\"@app@\"] } }\n",
    );
    let setup = with_pair(with_ca(setup, &ca), "site", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let proxy = setup.file("file.bin", &body).with("app", origin.addr()).start();
    let body_file = proxy.dir().path().join("got");
    for (what, args) in [
        ("down", vec!["https://site.test/"]),
        ("slowly", vec!["--limit-rate", "3M", "https://site.test/"]),
        ("up", vec!["--data-binary", "@@dir@/file.bin", "https://site.test/"]),
        ("up with 100", vec!["-H", "Expect: 100-continue", "-T", "@dir@/file.bin", "https://site.test/put"]),
        ("a file", vec!["https://site.test/file.bin"]),
        ("by 1.2", vec!["--tls-max", "1.2", "https://site.test/file.bin"]),
    ] {
        let args = [&["-o", "@dir@/got"], &args[..]].concat();
        let said = curl(&proxy, proxy.addr("web"), "site.test", &args);
        assert!(said.ok, "{what}: {}", said.err);
        assert!(std::fs::read(&body_file).unwrap() == body, "{what}: the body differs");
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    let ca = Authority::new("Test CA");
    let config = "listeners:\n  web:\n    bind: \"@web@\"\n    tls:\n      certificates:\n        - { cert: a.crt, key: b.key }\n\
                  hosts: [{ routes: [{ path: /, respond: { status: 200 } }] }]\n";
    let setup = with_pair(Proxy::yaml(config), "a", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let (_, said) = with_pair(setup, "b", &ca.issue(&["site.test"], KeyKind::Ecdsa)).fail();
    assert!(said.contains("the key does not belong to"), "{said}");
    assert!(said.contains("bifrons.yaml:6:"), "{said}");
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let setup = with_pair(Proxy::yaml(config), "a", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let (_, said) = setup.file("b.key", encrypted).fail();
    assert!(said.contains("the key is encrypted") && said.contains("openssl pkey"), "{said}");
    let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let setup = with_pair(Proxy::yaml(config), "a", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let (_, said) = setup.file("b.key", encrypted).fail();
    assert!(said.contains("the key is encrypted") && said.contains("bifrons.yaml:6:"), "{said}");
    let none = "listeners: { web: { bind: \"@web@\", tls: {} } }\nhosts: [{ routes: [{ path: /, respond: { status: 200 } }] }]\n";
    let (_, said) = Proxy::yaml(none).fail();
    assert!(said.contains("TLS without a certificate") && said.contains("bifrons.yaml:1:"), "{said}");
    let (_, said) = Proxy::yaml(config).fail();
    assert!(said.contains("a.crt\": No such file"), "{said}");
}
