//! What an nginx.conf says of connections and addresses of clients.

use bifrons_testkit::{End, Origin, Proxy};

#[test]
fn heads_that_are_too_large_get_nginxs_statuses() {
    let proxy = Proxy::nginx(
        "http { large_client_header_buffers 4 1k; max_headers 8;\n\
         server { listen @web@; location / { return 200 ok; } } }",
    )
    .start();
    let long = |len: usize| "x".repeat(len);
    for (request, status) in [
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(1_100)), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", long(1_100)), 400),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(9)), 400),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", long(900)), 200),
    ] {
        assert_eq!(proxy.client().ask(&request).status(), status, "{} bytes", request.len());
    }
}

#[test]
fn clients_are_told_how_long_a_connection_waits() {
    let proxy = Proxy::nginx(
        "http { keepalive_timeout 30s 20s; server { listen @web@; server_tokens \"mine\";\n\
         location / { return 200 ok; } location /none { server_tokens \"\"; return 200 ok; } } }",
    )
    .start();
    let answer = proxy.client().get("/");
    let told = ["Connection", "Keep-Alive", "Server"].map(|name| answer.field(name));
    assert_eq!(told, [Some("keep-alive"), Some("timeout=20"), Some("mine")]);
    assert!(!proxy.client().get("/none").has("Server"));
}

#[test]
fn without_chunks_the_end_of_the_connection_is_the_end_of_the_body() {
    let origin =
        Origin::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let proxy = Proxy::nginx(
        "http { chunked_transfer_encoding off; server { listen @web@;\n\
         location / { proxy_pass http://@app@; proxy_http_version 1.1; } } }",
    )
    .with("app", origin.addr())
    .start();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let head = client.read_head();
    assert_eq!((head.field("Transfer-Encoding"), head.field("Connection")), (None, Some("close")));
    assert_eq!(client.read_to_end(), (b"ok".to_vec(), End::Closed));
}

#[test]
fn servers_of_one_address_believe_different_proxies() {
    let proxy = Proxy::nginx(
        "http { server { listen @web@ default_server; server_name a; location / { return 200 $remote_addr; } }\n\
         server { listen @web@; server_name b; set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;\n\
           real_ip_recursive on; location / { return 200 $remote_addr; } }\n\
         server { listen @web@; server_name c; set_real_ip_from 127.0.0.0/8; real_ip_header X-Client;\n\
           location / { return 200 $remote_addr; } } }",
    )
    .start();
    let seen = |host: &str| {
        let fields = "X-Forwarded-For: 203.0.113.7, 127.0.0.9\r\nX-Client: 198.51.100.3\r\n";
        proxy.client().ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).text().to_owned()
    };
    assert!(seen("a").starts_with("127."), "{}", seen("a"));
    assert_eq!((seen("b").as_str(), seen("c").as_str()), ("203.0.113.7", "198.51.100.3"));
}

#[test]
fn connections_to_servers_come_from_the_address_a_variable_names() {
    let origin = Origin::saying("here");
    let proxy = Proxy::nginx(
        "http { server { listen @web@; location / { proxy_bind $arg_from; proxy_pass http://@app@; } } }",
    )
    .with("app", origin.addr())
    .start();
    for from in ["127.0.0.77", "127.0.0.78"] {
        assert_eq!(proxy.client().get(&format!("/?from={from}")).text(), "here");
        assert_eq!(origin.peers().last().map(|peer| peer.ip().to_string()).as_deref(), Some(from));
    }
    assert_eq!(proxy.client().get("/?from=nonsense").text(), "here", "as if nothing was said");
}

#[test]
fn locations_give_clients_the_time_they_need() {
    let origin = Origin::echo();
    let proxy = Proxy::nginx(
        "http { client_body_timeout 60s; server { listen @web@; server_name a; location / { return 200 ok; }\n\
         location /quick { client_body_timeout 100ms; proxy_pass http://@app@; }\n\
         location /zero { keepalive_timeout 0; return 200 ok; }\n\
         location /short { keepalive_timeout 100ms; return 200 ok; }\n\
         location /two { keepalive_requests 2; return 200 ok; } }\n\
         server { listen @web@; server_name b; keepalive_timeout 0; return 200 ok; } }",
    )
    .with("app", origin.addr())
    .start();
    // A body that does not come.
    let mut client = proxy.client();
    client.send("POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(client.read_response().status(), 408);
    let says = |client: &mut bifrons_testkit::Wire, host: &str, path: &str| {
        let answer = client.ask(&format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        answer.field("Connection").unwrap_or("stays").to_owned()
    };
    let mut client = proxy.client();
    assert_eq!(says(&mut client, "a", "/zero"), "close");
    assert_eq!(client.read_end(), End::Closed);
    assert_eq!(says(&mut proxy.client(), "b", "/"), "close");
    let mut client = proxy.client();
    assert_eq!(says(&mut client, "a", "/two"), "stays");
    assert_eq!(says(&mut client, "a", "/"), "stays");
    assert_eq!(says(&mut client, "a", "/two"), "close");
    let mut client = proxy.client();
    assert_eq!(says(&mut client, "a", "/short"), "stays");
    assert_eq!(client.read_end(), End::Closed);
}

#[test]
fn early_hints_are_passed_on_where_it_is_said() {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
    let origin = Origin::answering(format!("{hint}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    let proxy = Proxy::nginx(
        "http { server { listen @web@; location / { proxy_pass http://@app@; }\n\
         location /some { early_hints $arg_a $arg_b; proxy_pass http://@app@; } } }",
    )
    .with("app", origin.addr())
    .start();
    for (path, hinted) in [("/", false), ("/some", false), ("/some?b=0", false), ("/some?b=1", true)] {
        let mut client = proxy.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
        let first = client.read_response();
        assert_eq!(first.status(), if hinted { 103 } else { 200 }, "{path}");
        if hinted {
            assert_eq!(first.field("Link"), Some("</a.css>; rel=preload"));
            assert_eq!(client.read_response().text(), "ok");
        }
    }
}

#[test]
fn sockets_are_as_listen_says() {
    let conf = "http { server { listen @web@ so_keepalive=33s:7s:3 rcvbuf=64k sndbuf=64k; return 200 ok; } }";
    let proxy = Proxy::nginx(conf).start();
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "ok");
    // The kernel's list: of the accepted connection the timer is that of probes (2), with its time in hundredths
    // of a second (proc(5)).
    let port = format!(":{:04X} ", proxy.addr("web").port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row =
        rows.find(|row| format!("{} ", row[1]).ends_with(&port) && row[3] == "01").expect("a connection");
    let (kind, time) = row[5].split_once(':').unwrap();
    let time = u64::from_str_radix(time, 16).unwrap();
    assert!(kind == "02" && time > 0 && time <= 3300, "{row:?}");
}
