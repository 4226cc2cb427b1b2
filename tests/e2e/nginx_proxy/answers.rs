//! `proxy_redirect`, `proxy_cookie_*`, hidden fields, and the `Connection` that a location says.

use bifrons_testkit::{Message, Origin, Proxy, Wire};

/// A proxy with these locations before that origin.
#[track_caller]
fn locations(origin: &Origin, locations: &str) -> Proxy {
    Proxy::nginx(&format!("http {{ server {{ listen @web@; {locations} }} }}"))
        .with("app", origin.addr())
        .start()
}

fn redirecting(fields: &str) -> Origin {
    Origin::answering(format!("HTTP/1.1 302 Found\r\n{fields}Content-Length: 0\r\n\r\n"))
}

#[test]
fn redirects_of_the_server_lead_to_the_location() {
    let addr = bifrons_testkit::free_addr();
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: http://{addr}/v1/next\r\nContent-Length: 0\r\n\r\n");
    let origin = Origin::serve_at(addr, move |_| answer.clone().into_bytes());
    let proxy = locations(
        &origin,
        "location /app/ { proxy_pass http://@app@/v1/; }\n\
         location /off/ { proxy_pass http://@app@/v1/; proxy_redirect off; }",
    );
    let port = proxy.addr("web").port();
    let location = |path: &str| proxy.client().get(path).field("Location").map(str::to_owned);
    assert_eq!(location("/app/"), Some(format!("http://test:{port}/app/next")));
    assert_eq!(location("/off/"), Some(format!("http://{addr}/v1/next")));
}

#[test]
fn cookies_and_hidden_fields() {
    let origin = redirecting(
        "Set-Cookie: a=1; Domain=.internal; Path=/v1/x\r\nSet-Cookie: b=2\r\nX-Accel-Expires: 5\r\n\
         Server: app\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Powered-By: x\r\n",
    );
    let proxy = locations(
        &origin,
        "location /one/ { proxy_pass http://@app@; proxy_cookie_domain internal example.org;\n\
            proxy_cookie_path /v1/ /; proxy_cookie_flags b secure samesite=lax; proxy_hide_header x-powered-by; }\n\
         location /two/ { proxy_pass http://@app@; proxy_pass_header X-Accel-Expires; proxy_pass_header Date; }",
    );
    let one = proxy.client().get("/one/");
    let cookies: Vec<_> =
        one.fields.iter().filter(|(name, _)| name == "Set-Cookie").map(|(_, v)| v).collect();
    assert_eq!(cookies, ["a=1; Domain=.example.org; Path=/x", "b=2; Secure; SameSite=Lax"]);
    assert!(!one.has("X-Accel-Expires") && !one.has("X-Powered-By"), "{one:?}");
    assert_eq!(one.field("Server"), Some("bifrons"));
    assert!(!one.field("Date").unwrap().contains("1970"), "ours");
    let two = proxy.client().get("/two/");
    assert_eq!((two.field("X-Accel-Expires"), two.has("X-Powered-By")), (Some("5"), true));
    assert!(two.field("Date").unwrap().contains("1970"), "the server's");
}

#[test]
fn a_field_that_is_ignored_can_be_passed_on() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\nX-Accel-Charset: utf-8\r\nContent-Length: 0\r\n\r\n",
    );
    let proxy = locations(
        &origin,
        "location / { proxy_pass http://@app@; }\n\
         location /hidden/ { proxy_pass http://@app@; proxy_ignore_headers X-Accel-Buffering; }\n\
         location /passed/ { proxy_pass http://@app@; proxy_ignore_headers X-Accel-Buffering;\n\
            proxy_pass_header X-Accel-Buffering; }",
    );
    for (path, want) in [("/", None), ("/hidden/", None), ("/passed/", Some("no"))] {
        let answer = proxy.client().get(path);
        assert_eq!(
            (answer.field("X-Accel-Buffering"), answer.field("X-Accel-Charset")),
            (want, None),
            "{path}"
        );
    }
}

const UPGRADE: &str =
    "GET /ws HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// Switches protocols where it is asked to, and echoes a byte.
fn switching(wire: &mut Wire) {
    while let Some(head) = wire.read_request() {
        let connection = head.field("Connection").unwrap_or_default().to_ascii_lowercase();
        if head.field("Upgrade") != Some("websocket") || !connection.contains("upgrade") {
            let said = format!("{:?} {:?}", head.field("Connection"), head.field("Upgrade"));
            wire.send(bifrons_testkit::origin::ok(&said));
            continue;
        }
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
        let byte = wire.read_exact(1);
        wire.send(byte);
        return;
    }
}

#[test]
fn websockets_as_people_write_them() {
    let origin = Origin::script(switching);
    let upgrade = |connection: &str| {
        format!(
            "proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;\n\
             proxy_set_header Connection {connection};"
        )
    };
    let (text, variable) = (upgrade("\"Upgrade\""), upgrade("$http_connection"));
    let proxy = Proxy::nginx(&format!(
        "http {{ upstream app {{ server @app@; keepalive 8; }} server {{ listen @web@;\n\
         location /ws {{ {text} }} location /variable {{ {variable} }} }} }}"
    ))
    .with("app", origin.addr())
    .start();
    for path in ["/ws", "/variable"] {
        let mut client = proxy.client();
        client.send(UPGRADE.replace("/ws", path));
        assert_eq!(client.read_head().status(), 101, "{path}");
        client.send("x");
        assert_eq!(client.read_exact(1), b"x", "{path}");
        // Who asks for no other protocol gets none, and the field goes as it is written.
        let plain: Message = proxy.client().get(path);
        let said = if path == "/ws" { "Some(\"Upgrade\") None" } else { "None None" };
        assert_eq!((plain.status(), plain.text()), (200, said), "{path}");
    }
}

#[test]
fn not_found_is_tried_elsewhere_and_speaks_against_nobody() {
    let answer = |status: &str| Origin::answering(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
    let (first, second) = (answer("404 Not Found"), Origin::saying("here"));
    let proxy = Proxy::nginx(&format!(
        "worker_processes 1; http {{ upstream app {{ server {}; server {}; }} server {{ listen @web@;\n\
         location / {{ proxy_pass http://app; proxy_next_upstream http_404; }} }} }}",
        first.addr(),
        second.addr()
    ))
    .start();
    for _ in 0..6 {
        assert_eq!(proxy.client().get("/").text(), "here");
    }
    assert!(first.requests().len() >= 3, "asked in its turn, never left out: {}", first.requests().len());
}
