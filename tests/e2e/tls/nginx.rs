//! TLS as an nginx.conf has it, with Debian's nginx behind it where that is installed.

use super::support::{curl, request, s_client, with_ca, with_pair};
use crate::support::pattern;
use bifrons_testkit::proxy::listens;
use bifrons_testkit::{Authority, KeyKind, Proxy, TempDir, free_addr, wait_until};
use std::process::{Command, Stdio};

/// The lines of Debian's nginx.conf, and of Mozilla's intermediate configuration.
const CONF: &str = r#"
worker_processes 2;
events {}
http {
    access_log off;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;
    ssl_session_timeout 1d;
    ssl_session_cache shared:MozSSL:10m;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256;
    server {
        listen @web@ ssl default_server;
        server_name site.test;
        ssl_certificate site.crt;
        ssl_certificate_key site.key;
        location / { return 200 "site $scheme $https $ssl_protocol $ssl_server_name\n"; }
    }
    server {
        listen @web@ ssl;
        server_name clients.test;
        ssl_certificate clients.crt;
        ssl_certificate_key clients.key;
        ssl_client_certificate ca.crt;
        ssl_verify_client on;
        error_page 496 =403 /none;
        location = /none { internal; return 200 "none\n"; }
        location / { return 200 "$ssl_client_verify $ssl_client_s_dn\n"; }
    }
    server {
        listen @moved@ ssl;
        server_name moved.test;
        ssl_certificate site.crt;
        ssl_certificate_key site.key;
        error_page 497 https://$host$request_uri;
        return 200 "moved\n";
    }
}
"#;

fn start(conf: &str) -> Proxy {
    let ca = Authority::new("Test CA");
    let setup = with_ca(Proxy::nginx(conf), &ca);
    let setup = with_pair(setup, "site", &ca.issue(&["site.test"], KeyKind::Ecdsa));
    let setup = with_pair(setup, "anna", &ca.issue(&["anna.test"], KeyKind::Ecdsa));
    with_pair(setup, "clients", &ca.issue(&["clients.test"], KeyKind::Rsa)).start()
}

#[test]
fn servers_are_told_apart_by_the_name() {
    let proxy = start(CONF);
    let said = curl(&proxy, proxy.addr("web"), "site.test", &["https://site.test/"]);
    assert_eq!(said.out, "site https on TLSv1.3 site.test\n", "{}", said.err);
    let old =
        s_client(proxy.addr("web"), &["-tls1_2", "-servername", "site.test"], &request("site.test", "/"));
    assert!(old.out.contains("Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"), "the server's order: {}", old.out);
    assert!(!s_client(proxy.addr("web"), &["-tls1_1"], "").out.contains("Cipher is E"));
}

#[test]
fn client_certificates_are_asked_for_by_the_server_of_the_name() {
    let proxy = start(CONF);
    let url = "https://clients.test/";
    let with = ["--cert", "@dir@/anna.crt", "--key", "@dir@/anna.key", url];
    let said = curl(&proxy, proxy.addr("web"), "clients.test", &with);
    assert_eq!(said.out, "SUCCESS CN=anna.test,O=Bifrons\\, tests,C=DE\n", "{}", said.err);
    let said = curl(&proxy, proxy.addr("web"), "clients.test", &["-w", "%{http_code}", url]);
    assert_eq!(said.out, "none\n403", "{}", said.err);
    // Who has not been asked is not let in by another name.
    let other = s_client(proxy.addr("web"), &["-servername", "site.test"], &request("clients.test", "/"));
    assert!(other.out.contains("HTTP/1.1 421"), "{}", other.out);
}

#[test]
fn plain_http_gets_400_or_the_page_of_497() {
    let proxy = start(CONF);
    let answer = proxy.client().ask("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("The plain HTTP request was sent to HTTPS port"), "{}", answer.text());
    let answer = proxy.client_to("moved").ask("GET /a?b HTTP/1.1\r\nHost: moved.test\r\n\r\n");
    assert_eq!((answer.status(), answer.field("Location")), (302, Some("https://moved.test/a?b")));
}

#[test]
fn a_handshake_may_be_rejected() {
    let conf = "events {} http { access_log off;\n\
        server { listen @web@ ssl default_server; ssl_reject_handshake on; }\n\
        server { listen @web@ ssl; server_name site.test; ssl_certificate site.crt; ssl_certificate_key site.key;\n\
        return 200 \"site\\n\"; } }";
    let proxy = start(conf);
    let said = curl(&proxy, proxy.addr("web"), "site.test", &["https://site.test/"]);
    assert_eq!(said.out, "site\n", "{}", said.err);
    for args in [&["-servername", "other.test"][..], &["-noservername"]] {
        let said = s_client(proxy.addr("web"), args, "");
        assert!(said.err.contains("unrecognized name"), "{}", said.err);
    }
}

/// Debian's nginx with TLS behind us, over which a body goes there and another one back.
#[test]
fn servers_are_spoken_to_over_tls() {
    let (dir, addr) = (TempDir::new(), free_addr());
    let ca = Authority::new("Test CA");
    let app = ca.issue(&["app.test"], KeyKind::Rsa);
    let root = dir.path().display().to_string();
    dir.write("app.crt", &app.cert);
    dir.write("app.key", &app.key);
    dir.write("www/big.bin", pattern(2 << 20));
    let behind = format!(
        "daemon off; master_process off; pid {root}/pid; error_log {root}/error.log; user root;\nevents {{ }}\n\
         http {{ access_log off; client_body_temp_path {root}/body; proxy_temp_path {root}/proxy;\n\
         fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s; client_max_body_size 9m;\n\
         server {{ listen {addr} ssl; ssl_certificate {root}/app.crt; ssl_certificate_key {root}/app.key; root {root}/www;\n\
         location /told {{ return 200 \"$ssl_server_name $ssl_session_reused $http_host\"; }} }} }}\n"
    );
    let path = dir.write("nginx.conf", behind);
    let started =
        Command::new("nginx").arg("-c").arg(&path).arg("-p").arg(dir.path()).stderr(Stdio::null()).spawn();
    let Ok(mut nginx) = started else {
        println!("SKIPPED: nginx is not installed");
        return;
    };
    wait_until("nginx listens", || listens(addr));
    let conf = "events {} http { access_log off;\n\
        upstream app { server @app@; keepalive 2; }\n\
        server { listen @web@; \n\
        proxy_ssl_trusted_certificate ca.crt; proxy_ssl_verify on; proxy_ssl_server_name on; proxy_http_version 1.1;\n\
        location / { proxy_pass https://app; proxy_ssl_name app.test; proxy_set_header Connection \"\"; }\n\
        location /wrong/ { proxy_pass https://app/; proxy_ssl_name wrong.test; }\n\
        location /off/ { proxy_pass https://app/; proxy_ssl_verify off; proxy_ssl_server_name off; } } }";
    let proxy = with_ca(Proxy::nginx(conf), &ca).with("app", addr).start();
    let get = |path: &str| proxy.client().get(path);
    assert_eq!(get("/told").text(), "app.test . app");
    assert_eq!(get("/off/told").text(), " . app");
    assert_eq!(get("/off/told").text(), " r app", "the session is taken up again");
    assert_eq!(get("/wrong/told").status(), 502);
    assert!(get("/big.bin").body == pattern(2 << 20));
    proxy.wait_log("the server need not prove who it is");
    nginx.kill().unwrap();
    nginx.wait().unwrap();
}
