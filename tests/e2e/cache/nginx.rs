//! `proxy_cache` and its family.

use super::support::status;
use bifrons_testkit::{Origin, Proxy, TempDir};

const CONF: &str = "http {
    proxy_cache_path @dir@ levels=1:2
                     keys_zone=my_cache:10m max_size=1g
                     inactive=60m use_temp_path=off;
    upstream app_servers { server @app@; }
    server {
        listen @web@;
        location /static/ {
            proxy_pass http://app_servers;
            proxy_cache my_cache;
            proxy_cache_valid 200 1h;
            add_header X-Cache-Status $upstream_cache_status;
        }
        location /api/ {
            proxy_pass http://app_servers;
            proxy_set_header Host $host;
        }
    }
}";

#[track_caller]
fn start(origin: &Origin, dir: &TempDir) -> Proxy {
    Proxy::nginx(CONF).with("app", origin.addr()).with("dir", dir.path().join("cache").display()).start()
}

#[test]
fn a_location_with_a_cache_misses_once_and_hits_after_a_restart_too() {
    let (origin, dir) = (Origin::saying("hello"), TempDir::new());
    let mut proxy = start(&origin, &dir);
    let get = |proxy: &Proxy, path: &str| status(&proxy.client().get(path)).to_owned();
    assert_eq!([get(&proxy, "/static/a"), get(&proxy, "/static/a")], ["MISS", "HIT"]);
    assert_eq!([get(&proxy, "/api/a"), get(&proxy, "/api/a")], ["none", "none"]);
    assert_eq!(origin.requests().len(), 3);

    proxy.signal("TERM");
    proxy.wait_exit();
    let proxy = start(&origin, &dir);

    // The disk takes part once its index is read.
    bifrons_testkit::wait_until("what was stored is found", || get(&proxy, "/static/a") == "HIT");
    assert_eq!(proxy.client().get("/static/a").body, b"hello");
}

#[test]
fn cookies_and_what_the_server_forbids_are_not_stored() {
    for fields in
        ["Set-Cookie: a=b\r\n", "Cache-Control: private\r\n", "X-Accel-Expires: 0\r\n", "Vary: *\r\n"]
    {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
        let (origin, dir) = (Origin::answering(answer), TempDir::new());
        let proxy = start(&origin, &dir);
        for _ in 0..2 {
            assert_eq!(status(&proxy.client().get("/static/a")), "MISS", "{fields}");
        }
    }
}

#[test]
fn servers_that_a_variable_names_do_not_answer_for_each_other() {
    let (one, two, dir) = (Origin::saying("one"), Origin::saying("two"), TempDir::new());
    let conf = "http {
        proxy_cache_path @dir@ keys_zone=z:1m;
        server {
            listen @web@;
            location / { proxy_pass http://$arg_to; proxy_cache z; proxy_cache_valid 1h; proxy_cache_key $scheme$proxy_host$uri; }
        }
    }";
    let proxy = Proxy::nginx(conf).with("dir", dir.path().join("cache").display()).start();
    for (origin, body) in [(&one, b"one"), (&two, b"two"), (&one, b"one")] {
        assert_eq!(proxy.client().get(&format!("/x?to={}", origin.addr())).body, body);
    }
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));
}

#[test]
fn of_lifetimes_by_status_the_first_that_fits_counts() {
    let (origin, dir) = (Origin::saying("hello"), TempDir::new());
    let conf = "http {
        proxy_cache_path @dir@ keys_zone=z:1m;
        add_header X-Cache-Status $upstream_cache_status;
        server {
            listen @web@;
            proxy_cache z;
            location /a { proxy_pass http://@app@; proxy_cache_valid any 0; proxy_cache_valid 200 1h; }
            location /b { proxy_pass http://@app@; proxy_cache_valid 200 1h; proxy_cache_valid any 0; }
        }
    }";
    let proxy =
        Proxy::nginx(conf).with("app", origin.addr()).with("dir", dir.path().join("cache").display()).start();
    let twice = |path: &str| [0, 1].map(|_| status(&proxy.client().get(path)).to_owned());
    assert_eq!(
        (twice("/a"), twice("/b")),
        (["MISS", "MISS"].map(Into::into), ["MISS", "HIT"].map(Into::into))
    );
}
