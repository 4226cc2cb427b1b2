//! Lines of nginx's error log, for the tools that read them (fail2ban and its like).

use bifrons_testkit::{Origin, Proxy, Wire, free_addr, wait_until};

const CONF: &str = r#"
error_log @dir@/error.log info;
events { }
http {
    upstream dead { server @nobody@; server @nobody2@; }
    server {
        listen @web@;
        server_name s.test;
        root @dir@/www;
        client_max_body_size 10;
        location /refused { proxy_pass http://@nobody@; }
        location /dead { proxy_pass http://dead; }
        location /closes { proxy_pass http://@closes@/x; }
        location /half { proxy_pass http://@half@; }
        location /slow { proxy_pass http://@slow@; proxy_read_timeout 200ms; }
    }
}
"#;

/// The lines of the log from that severity, without time and ids.
fn lines(proxy: &Proxy, severity: &str) -> Vec<String> {
    let mark = format!("[{severity}] ");
    let log = proxy.dir().read("error.log");
    log.lines().filter_map(|line| Some(line.split_once(&mark)?.1.split_once(": ")?.1.to_owned())).collect()
}

#[test]
fn what_goes_wrong_is_told_in_nginxs_words() {
    let closes = Origin::script(|wire: &mut Wire| drop(wire.read_request()));
    let half = Origin::script(|wire: &mut Wire| {
        wire.read_request();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
    });
    let slow = Origin::script(|wire: &mut Wire| while wire.read_request().is_some() {});
    let (nobody, nobody2) = (free_addr(), free_addr());
    let proxy = Proxy::nginx(CONF)
        .with("closes", closes.addr())
        .with("half", half.addr())
        .with("slow", slow.addr())
        .with("nobody", nobody)
        .with("nobody2", nobody2)
        .file("www/x", "")
        .start();
    let ask = |method: &str, target: &str, more: &str| {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: s.test\r\nConnection: close\r\n{more}");
        let mut client = proxy.client();
        client.send(format!("{request}\r\n"));
        client.read_to_end();
    };
    let of = |message: &str, request: &str, upstream: &str| {
        let upstream =
            if upstream.is_empty() { String::new() } else { format!(", upstream: \"http://{upstream}\"") };
        format!(
            "{message}, client: 127.0.0.1, server: s.test, request: \"{request} HTTP/1.1\"{upstream}, host: \"s.test\""
        )
    };
    let dir = proxy.dir().path().display().to_string();
    let reading = "while reading response header from upstream";
    let refused = "connect() failed (111: Connection refused) while connecting to upstream";
    ask("GET", "/refused?a=b", "");
    ask("GET", "/closes", "");
    ask("GET", "/half", "");
    ask("GET", "/slow", "");
    ask("GET", "/missing", "Referer: http://ref/\r\n");
    ask("GET", "/", "");
    ask("POST", "/x", "Content-Length: 20\r\n");
    ask("GET", "/dead", "");
    let referred = format!("open() \"{dir}/www/missing\" failed (2: No such file or directory)");
    let expected = [
        of(refused, "GET /refused?a=b", &format!("{nobody}/refused?a=b")),
        of(
            &format!("upstream prematurely closed connection {reading}"),
            "GET /closes",
            &format!("{}/x", closes.addr()),
        ),
        of(
            "upstream prematurely closed connection while reading upstream",
            "GET /half",
            &format!("{}/half", half.addr()),
        ),
        of(
            &format!("upstream timed out (110: Connection timed out) {reading}"),
            "GET /slow",
            &format!("{}/slow", slow.addr()),
        ),
        of(&referred, "GET /missing", "") + ", referrer: \"http://ref/\"",
        of(&format!("directory index of \"{dir}/www/\" is forbidden"), "GET /", ""),
        of("client intended to send too large body: 20 bytes", "POST /x", ""),
    ];
    wait_until("both dead servers are told", || lines(&proxy, "error").len() >= expected.len() + 2);
    let mut said = lines(&proxy, "error");
    // The connection's number.
    for line in &mut said {
        let (serial, rest) = line.split_once(' ').unwrap();
        assert!(serial.starts_with('*') && serial[1..].parse::<u64>().is_ok(), "{line}");
        *line = rest.to_owned();
    }
    assert_eq!(said[..expected.len()], expected);
    for server in [nobody, nobody2] {
        assert!(said.contains(&of(refused, "GET /dead", &format!("{server}/dead"))), "{said:#?}");
    }
    ask("GET", "/dead", "");
    let none = of("no live upstreams while connecting to upstream", "GET /dead", "dead/dead");
    wait_until("no live upstreams", || proxy.dir().read("error.log").contains(&none));
    // What clients do wrong is of interest to those who ask for it.
    proxy.client().send("nonsense\r\n\r\n").read_to_end();
    wait_until("nonsense", || {
        lines(&proxy, "info").iter().any(|line| line.contains(" client sent invalid request: "))
    });
}

const LOGS: &str = r#"
error_log @dir@/main.log info;
error_log @dir@/second.log error;
error_log syslog:server=@syslog@,tag=own,nohostname crit;
events { }
http {
    error_log @dir@/http.log;
    server {
        listen @web@;
        server_name a.test;
        root @dir@/www;
        error_log @dir@/a.log info;
        location /l/ { error_log @dir@/l1.log; error_log syslog:server=@syslog@,tag=own,nohostname; }
        location /quiet/ { log_not_found off; }
        location = /crit { error_log @dir@/crit.log crit; }
    }
    server {
        listen @web@;
        server_name b.test;
        root @dir@/www;
    }
}
"#;

/// As nginx: those of the innermost block that has any, each from its severity on.
#[test]
fn each_block_has_its_own_logs() {
    let syslog = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    syslog.set_read_timeout(Some(bifrons_testkit::wait::DEADLINE)).unwrap();
    let proxy = Proxy::nginx(LOGS).with("syslog", syslog.local_addr().unwrap()).file("www/x", "").start();
    let get = |host: &str, path: &str| {
        let mut client = proxy.client();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        client.read_to_end();
    };
    for path in ["/a", "/quiet/none", "/crit", "/l/none"] {
        get("a.test", path);
    }
    get("b.test", "/b");
    // The last that is told of the first server.
    let mut datagram = [0; 2048];
    let count = syslog.recv(&mut datagram).unwrap();
    let text = String::from_utf8_lossy(&datagram[..count]).into_owned();
    // local7 is 23, error 3 (RFC 3164 4.1.1).
    assert!(
        text.starts_with("<187>") && text.contains(" own: ") && text.contains("/l/none\" failed"),
        "{text}"
    );
    let log = |name: &str| proxy.dir().read(name);
    wait_until("the other server's", || log("http.log").contains("/b\" failed"));
    assert!(log("a.log").contains("/a\" failed") && log("l1.log").contains("/l/none\" failed"));
    for (name, lines) in [("a.log", 1), ("l1.log", 1), ("http.log", 1), ("crit.log", 0)] {
        assert_eq!(log(name).lines().count(), lines, "{name}: {}", log(name));
    }
    // What the process says of itself is in its own logs, and only what is grave in the second.
    assert!(log("main.log").contains(" [notice] ") && !log("main.log").contains("failed"));
    assert_eq!(log("second.log"), "");
    // Renamed files are let go.
    for name in ["a.log", "main.log"] {
        let path = proxy.dir().path().join(name);
        std::fs::rename(&path, path.with_extension("1")).unwrap();
    }
    proxy.signal("USR1");
    wait_until("they are there again", || log("main.log").contains("log files opened again"));
    get("a.test", "/again");
    wait_until("the new file has it", || log("a.log").contains("/again\" failed"));
}

const REFUSALS: &str = r#"
error_log @dir@/error.log;
events { }
http {
    server {
        listen @web@;
        server_name s.test;
        location /deny { deny all; }
        location /auth { auth_basic realm; auth_basic_user_file @dir@/users; }
        location /any { satisfy any; deny all; auth_basic realm; auth_basic_user_file @dir@/users; }
        location /hang { return 444; }
        location /inner { internal; }
        location /secure { proxy_pass https://@nobody@; }
    }
}
"#;

/// By such lines fail2ban shuts clients out; what the configuration wants so is nobody's fault.
#[test]
fn refusals_are_told_and_what_is_wished_is_not() {
    let nobody = free_addr();
    let proxy = Proxy::nginx(REFUSALS).with("nobody", nobody).file("users", "u:{PLAIN}p\n").start();
    let ask = |target: &str, more: &str| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: s.test\r\nConnection: close\r\n{more}");
        let mut client = proxy.client();
        client.send(format!("{request}\r\n"));
        client.read_to_end();
    };
    ask("/hang", "");
    ask("/inner", "");
    ask("/deny", "");
    ask("/any", "");
    // u:x, and v:p.
    ask("/auth", "Authorization: Basic dTp4\r\n");
    ask("/auth", "Authorization: Basic djpw\r\n");
    ask("/any", "Authorization: Basic dTp4\r\n");
    ask("/secure/x", "");
    wait_until("the last is told", || lines(&proxy, "error").iter().any(|line| line.contains("/secure")));
    let users = proxy.dir().path().join("users").display().to_string();
    let rest =
        |target: &str| format!(", client: 127.0.0.1, server: s.test, request: \"GET {target} HTTP/1.1\"");
    let said: Vec<_> = lines(&proxy, "error")
        .iter()
        .map(|line| line.split_once(' ').unwrap().1.replace(", host: \"s.test\"", ""))
        .collect();
    let refused = "connect() failed (111: Connection refused) while connecting to upstream";
    let expected = [
        format!("access forbidden by rule{}", rest("/deny")),
        format!("user \"u\": password mismatch{}", rest("/auth")),
        format!("user \"v\" was not found in \"{users}\"{}", rest("/auth")),
        format!("user \"u\": password mismatch{}", rest("/any")),
        format!("{refused}{}, upstream: \"https://{nobody}/secure/x\"", rest("/secure/x")),
    ];
    assert_eq!(said, expected);
}
