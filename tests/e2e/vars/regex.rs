//! Regular expressions as nginx takes them.

use super::beside::Beside;
use bifrons_testkit::Proxy;

#[test]
fn locations_take_pcres_patterns() {
    let both = Beside::start(
        r#"
        server {
            listen @web@;
            location / { return 200 "prefix"; }
            location ~ ^/(?!api/)(?<Rest>[a-z]+)/x$ { return 200 "not api: $rest $Rest $1"; }
            location ~ ^/([a-z])\1/ { return 200 "twice $1"; }
            location ~ ^/s\/l\-a\_sh { return 200 "escapes"; }
            location ~* "^/[\w\-.]+\.(?:jpe?g|png)$" { return 200 "picture"; }
            location ~ (?<!\.min)\.js$ { return 200 "script"; }
            location ~ "^/raw/(.)$" { return 200 "byte"; }
            location ~ ^/p++/ { return 200 "possessive"; }
        }
        "#,
    );
    let rows = [
        ("/abc/x", "not api: abc abc abc"),
        ("/api/x", "prefix"),
        ("/aa/b", "twice a"),
        ("/ab/b", "prefix"),
        ("/s/l-a_sh", "escapes"),
        ("/A-b.c.JPG", "picture"),
        ("/a.js", "script"),
        ("/a.min.js", "prefix"),
        ("/raw/%ff", "byte"),
        ("/ppp/", "possessive"),
    ];
    for (path, want) in rows {
        assert_eq!(both.get(path), want, "{path}");
    }
}

#[test]
fn names_of_hosts_are_captured_in_lower_case() {
    let both = Beside::start(
        r#"
        server { listen @web@ default_server; server_name ""; return 200 "default"; }
        server { listen @web@; server_name ~^(?<User>(?!www)[^.]+)\.example\.com$; return 200 "user $user $1"; }
        server { listen @web@; server_name .example.org $hostname; return 200 "org"; }
        "#,
    );
    let rows =
        [("Anna.Example.COM", "user anna anna"), ("www.example.com", "default"), ("a.example.org", "org")];
    for (host, want) in rows {
        let answer = both.ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.text(), want, "{host}");
    }
}

/// nginx gives up as well (PCRE's limit), and answers 500.
#[test]
fn a_pattern_that_never_ends_is_an_error_and_no_miss() {
    let proxy = Proxy::nginx(
        r#"
        events { }
        http { server { listen @web@;
            location / { return 200 "prefix"; }
            location ~ ^/(?:(?!x)a|a(?!y))+b$ { return 200 "regex"; }
        } }
        "#,
    )
    .start();
    assert_eq!(proxy.client().get("/aab").text(), "regex");
    assert_eq!(proxy.client().get(&format!("/{}", "a".repeat(64))).status(), 500);
    assert_eq!(proxy.client().get("/x").text(), "prefix");
    proxy.wait_log("takes too long");
}
