//! nginx.conf files as they are.

use bifrons_testkit::{Message, Origin, Proxy, Wire, in_namespace};

const LOAD_BALANCER: &str = include_str!("../../conf/nginx/load-balancer.conf");

/// The file, byte for byte, with its three servers at their addresses and its port 80.
#[test]
fn the_classic_load_balancer_runs_as_it_is() {
    in_namespace!("10.0.1.10", "10.0.1.11", "10.0.1.12", "10.0.1.1", "198.51.100.7");
    let servers: Vec<_> = ["10.0.1.10:3000", "10.0.1.11:3000", "10.0.1.12:3000"]
        .map(|addr| Origin::serve_at(addr.parse().unwrap(), move |_| bifrons_testkit::origin::ok(addr)))
        .into();
    let _proxy = Proxy::nginx(LOAD_BALANCER).ready_at("0.0.0.0:80".parse().unwrap()).start();
    let from = |request: &str| {
        let mut client = Wire::connect_from("198.51.100.7".parse().unwrap(), "10.0.1.1:80".parse().unwrap());
        client.ask(request)
    };
    for _ in 0..9 {
        assert_eq!(from("GET /a?b=c HTTP/1.1\r\nHost: myapp.com\r\n\r\n").status(), 200);
    }
    let requests: Vec<Message> = servers.iter().flat_map(Origin::requests).collect();
    assert_eq!(servers.iter().map(|server| server.requests().len()).collect::<Vec<_>>(), [3, 3, 3]);
    for request in &requests {
        assert_eq!(request.target(), "/a?b=c");
        let told =
            ["Host", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Proto"].map(|name| request.field(name));
        assert_eq!(told, [Some("myapp.com"), Some("198.51.100.7"), Some("198.51.100.7"), Some("http")]);
    }
    // The variables are nginx's: a port is no part of $host, and what came before is kept in the chain.
    from(
        "GET /last HTTP/1.1\r\nHost: MyApp.com:80\r\nX-Forwarded-For: 203.0.113.50\r\nX-Real-IP: 6.6.6.6\r\n\r\n",
    );
    let last = servers.iter().flat_map(Origin::requests).find(|request| request.target() == "/last").unwrap();
    let told = ["Host", "X-Real-IP", "X-Forwarded-For"].map(|name| last.field(name));
    assert_eq!(told, [Some("myapp.com"), Some("198.51.100.7"), Some("203.0.113.50, 198.51.100.7")]);
    // One of the three fails: nobody notices.
    servers[1].stop();
    for _ in 0..9 {
        assert_eq!(from("GET / HTTP/1.1\r\nHost: myapp.com\r\n\r\n").status(), 200);
    }
}

#[test]
fn the_file_is_the_one_of_the_issue() {
    assert!(
        LOAD_BALANCER
            .starts_with("# /etc/nginx/nginx.conf\n\nhttp {\n    # Define the group of backend servers\n")
    );
    assert_eq!(LOAD_BALANCER.matches("proxy_set_header").count(), 4);
    assert!(!LOAD_BALANCER.contains("events"));
}

#[test]
fn locations_take_nginxs_precedence() {
    let proxy = Proxy::nginx(
        r#"
events { }
http {
    server {
        listen @web@;
        server_name _;
        location / { return 200 "root"; }
        location = /exact { return 200 "exact"; }
        location /api/ { return 200 "api"; }
        location ^~ /static/ { return 200 "static"; }
        location ~ \.php$ { return 200 "php"; }
        location /gone { return 301 https://$host$request_uri; }
    }
}
"#,
    )
    .start();
    let rows = [
        ("/x", "root"),
        ("/exact", "exact"),
        ("/api/x", "api"),
        ("/static/x.php", "static"),
        ("/api/x.php", "php"),
    ];
    for (path, want) in rows {
        assert_eq!(proxy.client().get(path).text(), want, "{path}");
    }
    let answer = proxy.client().get("/gone?x=1");
    assert_eq!((answer.status(), answer.field("Location")), (301, Some("https://test/gone?x=1")));
}

#[test]
fn proxy_pass_with_a_uri_replaces_the_location() {
    let origin = Origin::echo();
    let proxy = Proxy::nginx(
        r#"
http {
    upstream kept { server @app@; keepalive 4; }
    server {
        listen @web@;
        location /app/ { proxy_pass http://@app@/v1/; }
        location /same/ { proxy_pass http://@app@; }
        location /fields/ {
            proxy_pass http://kept;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Args $args;
            add_header X-Added $upstream_status;
        }
    }
}
"#,
    )
    .with("app", origin.addr())
    .start();
    let get = |path: &str| proxy.client().get(path);
    assert_eq!(get("/app/x?y").echoed().target(), "/v1/x?y");
    let same = get("/same/%41?y").echoed();
    assert_eq!(
        (same.start.as_str(), same.field("Host")),
        ("GET /same/%41?y HTTP/1.0", Some(origin.addr().to_string().as_str()))
    );
    let fields = get("/fields/?q=1");
    assert_eq!(fields.field("X-Added"), Some("200"));
    let sent = fields.echoed();
    assert_eq!((sent.field("X-Args"), sent.has("Connection")), (Some("q=1"), false));
    let before = origin.connections();
    assert_eq!(get("/fields/").status(), 200);
    assert_eq!(origin.connections(), before, "kept connections are used again");
}

#[test]
fn files_and_logs_of_an_nginx_conf() {
    let proxy = Proxy::nginx(
        r#"
http {
    log_format short '$remote_addr "$request" $status $body_bytes_sent';
    access_log @dir@/access.log short;
    server {
        listen @web@;
        root @dir@/www;
        index start.html;
    }
}
"#,
    )
    .file("www/start.html", "start")
    .start();
    assert_eq!(proxy.client().get("/").text(), "start");
    bifrons_testkit::wait_until("the record is written", || proxy.dir().read("access.log").ends_with('\n'));
    assert_eq!(proxy.dir().read("access.log"), "127.0.0.1 \"GET / HTTP/1.1\" 200 5\n");
}

#[test]
fn an_nginx_conf_shown_as_yaml_runs_the_same() {
    let origin = Origin::echo();
    let conf = r#"
http {
    upstream app { server @app@ weight=2; }
    server {
        listen @web@;
        server_name shop.test *.shop.test;
        client_max_body_size 10;
        location /api/ { proxy_pass http://app/; proxy_set_header X-Real-IP $remote_addr; }
        location = /here { return 302 /there; }
        location / { return 404 "nothing"; }
    }
}
"#;
    let first = Proxy::nginx(conf).with("app", origin.addr()).start();
    let web = first.value("web").to_owned();
    let shown = bifrons_testkit::binary::run(&["show", first.file().to_str().unwrap()]);
    let ask = |proxy: &Proxy| {
        let requests = [
            "GET /api/x?y=%20 HTTP/1.1\r\nHost: a.shop.test\r\n\r\n",
            "GET /here HTTP/1.1\r\nHost: shop.test\r\n\r\n",
            "GET /else HTTP/1.1\r\nHost: nobody\r\n\r\n",
            "POST /api/ HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 11\r\n\r\nhello world",
        ];
        requests.map(|request| {
            let mut answer = proxy.client().ask(request);
            answer.fields.retain(|(name, _)| name != "Date");
            answer
        })
    };
    let before = ask(&first);
    assert_eq!(before.each_ref().map(Message::status), [200, 302, 404, 413]);
    drop(first);
    let second = Proxy::yaml(&String::from_utf8(shown.stdout).unwrap())
        .with("web", &web)
        .ready_at(web.parse().unwrap())
        .start();
    assert_eq!(ask(&second), before);
}

/// As nginx 1.22 does, compared with it byte for byte.
#[test]
fn raw_bytes_of_a_target_are_passed_on_and_an_empty_host_is_refused() {
    let origin = Origin::script(|wire: &mut Wire| {
        wire.read_to(b"\r\n\r\n");
        wire.send(bifrons_testkit::origin::ok("ok"));
    });
    let conf = "http { server { listen @web@; location / { proxy_pass http://@app@; } } }";
    let proxy = Proxy::nginx(conf).with("app", origin.addr()).start();
    let status = |target: &[u8], host: &str| {
        let request = [b"GET ", target, b" HTTP/1.1\r\n", host.as_bytes(), b"\r\n"].concat();
        let mut client = proxy.client();
        client.send(request);
        client.read_response().status()
    };
    assert_eq!(status(b"/\xc3\xa4/../\xe4?q=\xff", "Host: test\r\n"), 200);
    assert!(origin.received(0).starts_with(b"GET /\xc3\xa4/../\xe4?q=\xff HTTP/1.0\r\n"));
    assert_eq!(status(b"/\x7f", "Host: test\r\n"), 400);
    assert_eq!(status(b"/", "Host:\r\n"), 400);
}
