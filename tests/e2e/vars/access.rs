//! Who may, beside nginx.

use super::beside::Beside;
use crate::support::routes;
use std::time::{Duration, Instant};

/// `anna:secret` in every kind of hash, one name each.
const USERS: &str = "# users\n\
    plain:{PLAIN}secret\n\
    sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n\
    ssha:{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0\n\
    md5:$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1\n\
    apr1:$apr1$r31.....$G/cElGhD0cboYkZN5h5Ne/\n\
    sha256:$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi.\n\
    sha512:$6$rounds=1000$saltstring$2BkAo106CG84raQcWpAlhyy6TSSkAsL1nfvBCoezLYyerUzY2l8axTvq6NynEt7SQAx3/cdop9ds0po8uaeHq0\n\
    bcrypt:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a:a comment\n\
    bcrypt:{PLAIN}other\n";

/// The field for a name and a password.
fn basic(pair: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in pair.as_bytes().chunks(3) {
        let bits = piece.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - piece.len()));
        for at in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]);
            text.push(if at <= piece.len() { digit } else { '=' });
        }
    }
    format!("Authorization: Basic {text}\r\n")
}

fn request(method: &str, path: &str, fields: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n")
}

#[test]
fn passwords_are_asked_for_as_nginx_does() {
    let both = Beside::with(
        r#"
        server {
            listen @web@;
            root @dir@;
            location / { auth_basic "the $arg_r office"; auth_basic_user_file users; add_header X-A $remote_user always; }
            location /off { auth_basic $arg_r; auth_basic_user_file @dir@/users; }
            location /var { auth_basic r; auth_basic_user_file @dir@/$arg_f; }
            location /nofile { auth_basic r; }
            location /gone { auth_basic r; auth_basic_user_file @dir@/none; }
        }
        "#,
        &[("users", USERS), ("f", "file"), ("off/f", "file"), ("var/f", "file"), ("nofile/f", "file")],
    );
    let names = ["plain", "sha", "ssha", "md5", "apr1", "sha256", "sha512", "bcrypt"];
    for name in names {
        for (password, status) in [("secret", 200), ("secret", 200), ("Secret", 401), ("", 401)] {
            let answer = both.ask(&request("GET", "/f?r=big", &basic(&format!("{name}:{password}"))));
            assert_eq!(answer.status(), status, "{name}:{password}");
        }
    }
    let others = [
        "",
        "Authorization: Bearer x\r\n",
        "Authorization: Basic ?\r\n",
        "Authorization: basic   cGxhaW46c2VjcmV0\r\n",
    ];
    let others = others.iter().map(|field| (*field).to_owned());
    let pairs =
        ["nobody:secret", "plain", ":secret", "plain:secret:x", "bcrypt:other", "# users:x"].map(basic);
    for field in others.chain(pairs) {
        for path in [
            "/f?r=a",
            "/off/f?r=off",
            "/off/f?r=on",
            "/var/f?f=users",
            "/var/f?f=none",
            "/nofile/f",
            "/gone/f",
        ] {
            both.ask(&request("GET", path, &field));
        }
    }
    assert_eq!(both.ask(&request("GET", "/gone/f", &basic("a:b"))).status(), 403);
}

#[test]
fn addresses_and_satisfy_are_nginxs() {
    let both = Beside::with(
        r#"
        server {
            listen @web@;
            root @dir@;
            set_real_ip_from 127.0.0.0/8;
            real_ip_header X-Real-IP;
            auth_basic r;
            auth_basic_user_file @dir@/users;
            location /all { deny 10.0.0.1; allow 10.0.0.0/8; allow 2001:db8::/32; deny all; }
            location /any { satisfy any; deny 10.0.0.1; allow 10.0.0.0/8; deny all; }
            location /some { satisfy any; deny 10.0.0.1; auth_basic off; }
            location /free { satisfy any; deny 10.0.0.1; }
            location /says { deny all; return 200 "said"; }
            location /limit { auth_basic off; limit_except POST GET { deny 10.0.0.1; allow 10.0.0.0/8; deny all; } }
            location /write { auth_basic off; limit_except GET { auth_basic writers; } }
        }
        "#,
        &[
            ("users", USERS),
            ("all/f", "x"),
            ("any/f", "x"),
            ("some/f", "x"),
            ("free/f", "x"),
            ("limit/f", "x"),
            ("write/f", "x"),
        ],
    );
    let addresses = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db9::1", "192.0.2.1", "::ffff:10.0.0.2"];
    for address in addresses {
        for auth in ["", "plain:secret", "plain:wrong"] {
            let auth = if auth.is_empty() { String::new() } else { basic(auth) };
            let fields = format!("X-Real-IP: {address}\r\n{auth}");
            for path in ["/all/f", "/any/f", "/some/f", "/free/f", "/says", "/limit/f", "/write/f"] {
                both.ask(&request("GET", path, &fields));
            }
            for path in ["/limit/f", "/write/f", "/all/f"] {
                for method in ["PUT", "OPTIONS", "PROPFIND"] {
                    both.ask(&request(method, path, &fields));
                }
            }
        }
    }
}

#[test]
fn a_changed_file_of_users_holds_soon() {
    let both = Beside::with(
        "server { listen @web@; root @dir@; auth_basic r; auth_basic_user_file @dir@/users; }",
        &[("users", "anna:{PLAIN}old\n"), ("f", "x")],
    );
    let ours = |pair: &str| both.ours.client().ask(&request("GET", "/f", &basic(pair))).status();
    assert_eq!((ours("anna:old"), ours("anna:new!")), (200, 401));
    both.ours.dir().write("users", "anna:{PLAIN}new!\n");
    let begun = Instant::now();
    while ours("anna:new!") != 200 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the change never held");
        std::thread::yield_now();
    }
    assert_eq!(ours("anna:old"), 401);
}

#[test]
fn filters_of_yaml_decide_too() {
    let proxy = routes(
        r#"
        - path: /any
          respond: in
          filters:
            - satisfy_any:
                filters:
                  - access: { rules: [{ allow: [10.0.0.0/8] }, { deny: all }] }
                  - basic_auth: { realm: office, users: { anna: "{PLAIN}secret" } }
        - { path: /out, respond: in, filters: [{ access: { rules: [{ deny: 127.0.0.0/8 }] } }] }
        - { path: /in, respond: in, filters: [{ access: { rules: [{ deny: 10.0.0.0/8 }] } }] }
        "#,
    );
    let status = |path: &str, fields: &str| proxy.client().ask(&request("GET", path, fields)).status();
    assert_eq!((status("/out", ""), status("/in", "")), (403, 200));
    assert_eq!((status("/any", ""), status("/any", &basic("anna:secret"))), (401, 200));
}
