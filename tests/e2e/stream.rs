//! nginx's `stream`, the same file under nginx and under the proxy: bytes, status and log are the same.

use bifrons_testkit::proxy::listens;
use bifrons_testkit::{Origin, Proxy, TempDir, Wire, free_addr, wait_until};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Both servers with one file, in which `@name@` is an address and `@log@` the access log.
struct Both {
    nginx: Nginx,
    proxy: Proxy,
}

struct Nginx {
    child: Child,
    dir: TempDir,
    addrs: Vec<(&'static str, SocketAddr)>,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        bifrons_testkit::proxy::signal_to(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

/// `names` are the addresses that each listens on; the first one is of TCP.
fn start(stream: &str, names: &[&'static str], others: &[(&str, SocketAddr)]) -> Both {
    let text = format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\nworker_processes 1;\npid @dir@/nginx.pid;\n\
         error_log @dir@/error.log info;\nevents {{ }}\nstream {{\n\
         log_format facts '$protocol $status $bytes_sent $bytes_received $upstream_addr $ssl_preread_server_name $limit_conn_status';\n\
         access_log @dir@/access.log facts;\n{stream}\n}}\n"
    );
    let dir = TempDir::new();
    let mut filled = text.replace("@dir@", &dir.path().display().to_string());
    let addrs: Vec<_> = names.iter().map(|name| (*name, free_addr())).collect();
    let mut setup = Proxy::nginx(&text);
    for (name, addr) in &addrs {
        filled = filled.replace(&format!("@{name}@"), &addr.to_string());
    }
    for (name, addr) in others {
        filled = filled.replace(&format!("@{name}@"), &addr.to_string());
        setup = setup.with(name, addr);
    }
    let conf = dir.write("nginx.conf", filled);
    let child = Command::new("nginx")
        .arg("-c")
        .arg(conf)
        .args(["-p", &dir.path().display().to_string(), "-g", "daemon off;"])
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let nginx = Nginx { child, dir, addrs };
    wait_until("nginx listens", || listens(nginx.addrs[0].1));
    Both { nginx, proxy: setup.start() }
}

impl Both {
    /// What an exchange gives with each; the two must be the same.
    #[track_caller]
    fn same(&self, name: &str, exchange: impl Fn(SocketAddr) -> Vec<u8>) -> Vec<u8> {
        let addr = self.nginx.addrs.iter().find(|(known, _)| *known == name).unwrap().1;
        let (theirs, ours) = (exchange(addr), exchange(self.proxy.addr(name)));
        assert_eq!(String::from_utf8_lossy(&theirs), String::from_utf8_lossy(&ours));
        ours
    }

    /// Another address of the server that has this one.
    fn beside(&self, addr: SocketAddr, name: &str) -> SocketAddr {
        let of_nginx = self.nginx.addrs.iter().any(|(_, known)| *known == addr);
        match self.nginx.addrs.iter().find(|(known, _)| *known == name) {
            Some((_, other)) if of_nginx => *other,
            _ => self.proxy.addr(name),
        }
    }

    /// The lines of both access logs, once there are so many.
    #[track_caller]
    fn logs(&self, count: usize) -> (Vec<String>, Vec<String>) {
        let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let read =
            |dir: &TempDir| lines(std::fs::read_to_string(dir.path().join("access.log")).unwrap_or_default());
        wait_until("both have logged", || {
            read(&self.nginx.dir).len() >= count && read(self.proxy.dir()).len() >= count
        });
        (read(&self.nginx.dir), read(self.proxy.dir()))
    }
}

/// Sends, and gives all that comes until the end.
fn tcp(bytes: &[u8]) -> impl Fn(SocketAddr) -> Vec<u8> {
    move |addr| {
        let mut wire = Wire::connect(addr);
        wire.send(bytes);
        wire.read_to_end().0
    }
}

/// An origin that says its name and how many bytes came, and their beginning.
fn counts(name: &'static str) -> Origin {
    Origin::script(move |wire| {
        // More than the header of the PROXY protocol, where there is one.
        let mut all = wire.read_some(4096).unwrap_or_default();
        while all.starts_with(b"PROXY") && !all.ends_with(b"hello") {
            all.extend(wire.read_some(4096).unwrap_or_default());
        }
        let head = String::from_utf8_lossy(all.get(..all.len().min(12)).unwrap_or_default()).into_owned();
        wire.send(format!("{name} {} {head:?}", all.len()));
    })
}

#[test]
fn the_name_in_tls_chooses_the_upstream_by_a_map() {
    let (a, b, plain) = (counts("a"), counts("b"), counts("plain"));
    let both = start(
        "map $ssl_preread_server_name $name { hostnames; a.test group_a; *.b.test @b@; gone.test nobody; default \"\"; }\n\
         map $name $where { \"\" @plain@; default $name; }\n\
         upstream group_a { server @a@; }\n\
         server { listen @web@; ssl_preread on; proxy_pass $where; }\n",
        &["web"],
        &[("a", a.addr()), ("b", b.addr()), ("plain", plain.addr())],
    );
    let hello = crate::layer4::hello;
    assert!(both.same("web", tcp(&hello("a.test"))).starts_with(b"a "));
    assert!(both.same("web", tcp(&hello("x.b.test"))).starts_with(b"b "));
    assert!(both.same("web", tcp(&hello("other.test"))).starts_with(b"plain "));
    assert!(both.same("web", tcp(b"hello, no TLS at all")).starts_with(b"plain 20 "));
    both.same("web", tcp(&hello("gone.test")));
    // nginx does not count what it has read ahead; here it is received like the rest.
    let (theirs, ours) = both.logs(5);
    let uncounted = |lines: &[String]| -> Vec<_> {
        let without = |line: &String| {
            line.split(' ')
                .enumerate()
                .filter(|(at, _)| *at != 3)
                .map(|(_, word)| word.to_owned())
                .collect::<Vec<_>>()
        };
        lines.iter().map(without).collect()
    };
    assert_eq!(uncounted(&theirs), uncounted(&ours));
    assert!(ours[3].starts_with("TCP 200 23 20 "), "{ours:?}");
    assert!(ours[4].starts_with("TCP 500 0 "), "{ours:?}");
}

#[test]
fn who_may_what_is_said_and_where_it_fails() {
    let (app, gone) = (counts("app"), free_addr());
    let both = start(
        "map $remote_addr $who { 127.0.0.1 local; default $remote_addr; }\n\
         upstream dead { server @gone@; }\n\
         upstream second { server @gone@ max_fails=0; server @app@ backup; }\n\
         server { listen @web@; return \"you are $who by $protocol\\n\"; }\n\
         server { listen @closed@; allow 10.0.0.0/8; deny all; proxy_pass @app@; }\n\
         server { listen @dead@; proxy_pass dead; }\n\
         server { listen @next@; proxy_pass second; proxy_connect_timeout 1s; }\n\
         server { listen @told@; proxy_pass @app@; proxy_protocol on; }\n\
         server { listen @tells@ proxy_protocol; return \"$proxy_protocol_addr:$proxy_protocol_port $remote_addr\"; }\n\
         server { listen @believes@ proxy_protocol; set_real_ip_from 127.0.0.0/8; return \"$proxy_protocol_addr $remote_addr:$remote_port\"; }\n",
        &["web", "closed", "dead", "next", "told", "tells", "believes"],
        &[("app", app.addr()), ("gone", gone)],
    );
    let read = |addr: SocketAddr| Wire::connect(addr).read_to_end().0;
    assert_eq!(both.same("web", read), b"you are local by TCP\n");
    both.same("closed", read);
    both.same("dead", read);
    assert!(both.same("next", tcp(b"hello")).starts_with(b"app 5 "));
    let told = both.same("told", |addr| {
        let answer = tcp(b"hello")(addr);
        // Ports differ, and with them their length.
        answer.get(answer.len() - 15..).unwrap_or_default().to_vec()
    });
    assert!(told.ends_with(b"\"PROXY TCP4 1\""), "{}", String::from_utf8_lossy(&told));
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.9 4711 80\r\n";
    assert_eq!(both.same("tells", tcp(header)), b"192.0.2.7:4711 127.0.0.1");
    assert_eq!(both.same("believes", tcp(header)), b"192.0.2.7 192.0.2.7:4711");
    let (theirs, ours) = both.logs(7);
    let status = |lines: Vec<String>| {
        lines.into_iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ours = status(ours);
    assert_eq!(status(theirs), ours);
    assert_eq!(ours, ["200", "403", "502", "200", "200", "200", "200"]);
}

#[test]
fn datagrams_are_passed_on_and_logged() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let behind = server.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut room = [0; 2048];
        while let Ok((len, peer)) = server.recv_from(&mut room) {
            if room[..len] == *b"stop" {
                return;
            }
            let _ = server.send_to(&[b"re: ", &room[..len]].concat(), peer);
        }
    });
    let both = start(
        "server { listen @web@; return tcp; }\n\
         server { listen @dns@ udp reuseport; proxy_pass @behind@; proxy_responses 1; proxy_timeout 5s; }\n",
        &["web", "dns"],
        &[("behind", behind)],
    );
    assert_eq!(both.same("dns", ask), b"re: question");
    let (theirs, ours) = both.logs(1);
    assert_eq!(theirs, ours);
    assert_eq!(ours[0], format!("UDP 200 12 8 {behind} - -"));
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"stop", behind).unwrap();
}

/// What one datagram is answered with.
fn ask(addr: SocketAddr) -> Vec<u8> {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.send_to(b"question", addr).unwrap();
    let mut room = [0; 2048];
    let len = client.recv(&mut room).unwrap();
    room[..len].to_vec()
}

#[test]
fn variables_are_set_and_datagrams_are_told() {
    let both = start(
        "map $y $z { a mapped; default no; }\n\
         server { listen @web@; set $x a; set $y $x; set $x \"b-$protocol\"; return \"$x $y $z\"; }\n\
         server { listen @dns@ udp; set $x $remote_addr; return \"you are $x by $protocol\"; }\n\
         server { listen @silent@ udp; return \"\"; }\n",
        &["web", "dns", "silent"],
        &[],
    );
    assert_eq!(both.same("web", |addr| Wire::connect(addr).read_to_end().0), b"b-TCP a mapped");
    for _ in 0..3 {
        assert_eq!(both.same("dns", ask), b"you are 127.0.0.1 by UDP");
    }
    // One client's datagrams are sessions of their own.
    let two = |addr: SocketAddr| {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut room = [0; 2048];
        [b"a", b"b"].iter().for_each(|text| assert_eq!(client.send_to(*text, addr).unwrap(), 1));
        (0..2).flat_map(|_| client.recv(&mut room).map(|len| room[..len].to_vec()).unwrap()).collect()
    };
    both.same("dns", two);
    both.same("silent", |addr| {
        let _ = UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"question", addr).unwrap();
        Vec::new()
    });
    let (mut theirs, mut ours) = both.logs(7);
    theirs.sort();
    ours.sort();
    assert_eq!(theirs, ours);
}

#[test]
fn there_are_so_many_at_once() {
    // Says hello, and is there until the client goes.
    let app = Origin::script(|wire| {
        wire.send("hello");
        let _ = wire.read_to_end();
    });
    let both = start(
        "map $server_port $all { default all; }\n\
         limit_conn_zone $binary_remote_addr zone=clients:1m;\nlimit_conn_zone $all zone=all:1m;\n\
         limit_conn_zone $ssl_preread_server_name zone=nothing:1m;\n\
         limit_conn clients 2;\n\
         server { listen @web@; proxy_pass @app@; }\n\
         server { listen @warn@; limit_conn all 9; limit_conn clients 1; limit_conn_log_level warn; proxy_pass @app@; }\n\
         server { listen @dry@; limit_conn clients 1; limit_conn_dry_run on; proxy_pass @app@; }\n\
         server { listen @free@; limit_conn nothing 1; proxy_pass @app@; }\n",
        &["web", "warn", "dry", "free"],
        &[("app", app.addr())],
    );
    let held = |addr: SocketAddr| {
        let mut wire = Wire::connect(addr);
        assert_eq!(wire.read_exact(5), b"hello");
        wire
    };
    let refused = |addr: SocketAddr| assert_eq!(Wire::connect(addr).read_to_end().0, b"");
    both.same("web", |addr| {
        let at = |name: &str| both.beside(addr, name);
        let two = (held(addr), held(addr));
        refused(addr);
        refused(at("warn"));
        let _dry = (held(at("dry")), held(at("dry")));
        let _free = (held(at("free")), held(at("free")), held(at("free")));
        drop(two.0);
        // The end of one shows when a place is free.
        wait_until("one is over", || Wire::connect(addr).read_some(5).is_ok_and(|said| said == b"hello"));
        Vec::new()
    });
    let lines = |text: String| {
        let of_limits = text.lines().filter_map(|line| line.split_once("limiting")).map(|(before, rest)| {
            let level = before.split(['[', ']']).nth(1).unwrap_or_default().to_owned();
            format!("{level} limiting{}", rest.split(", server").next().unwrap_or_default())
        });
        of_limits.collect::<std::collections::BTreeSet<_>>()
    };
    let of = |dir: &TempDir| lines(std::fs::read_to_string(dir.path().join("error.log")).unwrap_or_default());
    // Ours tells it when the connection is over.
    wait_until("all is told", || of(both.proxy.dir()).len() == 3);
    assert_eq!(of(&both.nginx.dir), of(both.proxy.dir()));
}

#[test]
fn in_http_too_the_header_of_the_proxy_protocol_is_known_and_believed_where_it_should_be() {
    let proxy = Proxy::nginx(
        "events { }\nhttp {\n\
         server { listen @web@ proxy_protocol; return 200 \"$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr $remote_addr\"; }\n\
         server { listen @real@ proxy_protocol; set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol; return 200 \"$remote_addr:$remote_port\"; }\n\
         server { listen @other@ proxy_protocol; set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol; return 200 \"$remote_addr\"; }\n}\n",
    )
    .start();
    let header =
        "PROXY TCP4 192.0.2.7 192.0.2.9 4711 80\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (name, said) in
        [("web", "192.0.2.7:4711 192.0.2.9 127.0.0.1"), ("real", "192.0.2.7:4711"), ("other", "127.0.0.1")]
    {
        let mut client = proxy.client_to(name);
        client.send(header);
        let answer = String::from_utf8(client.read_to_end().0).unwrap();
        assert!(answer.ends_with(&format!("\r\n\r\n{said}")), "{name}: {answer}");
    }
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.read_to_end().0, b"", "without a header there is no connection");
}
